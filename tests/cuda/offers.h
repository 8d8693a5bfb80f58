/* offers.h -- the device of tests, and which of its kernels plans have taken.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_CUDA_OFFERS_H
#define ADZE_TESTS_CUDA_OFFERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "cuda/cuda.h"
#include "run/plan_parts.h"

/* GPU 0, or the emulator's.  */
static inline struct device *gpu(void)
{
    struct err e = {0};
    struct device *d = device_cuda_new(0, &e);

    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

struct offers {
    const struct kernel *taken[1024];
    int n;
};

static inline int offer_is_taken(const struct offers *o, const struct kernel *k)
{
    for (int i = 0; i < o->n; i++)
        if (o->taken[i] == k)
            return 1;
    return 0;
}

static inline void offers_note(struct offers *o, const struct plan *p)
{
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].kernel && !offer_is_taken(o, p->step[i].kernel)) {
            assert_in_range(o->n, 0, COUNT(o->taken) - 1);
            o->taken[o->n++] = p->step[i].kernel;
        }
}

/* What a step has besides a network and its gradients: updates and what they
 * wait for, and what draws numbers.  steps.c takes those.  */
static inline int offer_is_of_steps(const struct kernel *k)
{
    static const char *const ops[] = {"clipscale", "droppath", "dropout",
                                      "gradnorm",  "mix",      "onehot"};
    int found = k->dir == DIR_UPDATE;

    for (size_t i = 0; i < COUNT(ops); i++)
        found |= !strcmp(k->op, ops[i]);
    return found;
}

/* Every kernel for which IS_HERE says so was taken.  */
static inline void offers_check(const struct offers *o, int (*is_here)(const struct kernel *k))
{
    static const char *const dir[] = {"forward", "backward", "update"};
    struct device *d = gpu();
    int missing = 0;

    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (is_here(*k) && !offer_is_taken(o, *k)) {
            print_message("# no plan takes %s of %s, %s, in %s\n", (*k)->name, (*k)->op,
                          dir[(*k)->dir], layout_name((*k)->reads));
            missing++;
        }
    d->free(d);
    assert_int_equal(missing, 0);
}

#endif
