/* offers.h -- the device of tests, and which of its kernels plans have taken.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_CUDA_OFFERS_H
#define ADZE_TESTS_CUDA_OFFERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
