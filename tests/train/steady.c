/* steady.c -- a step of training allocates nothing: all its memory is the
 * plan's, from the start.
 * SPDX-License-Identifier: MIT
 *
 * Every allocation of this program is counted: glibc's words for that, or a
 * sanitizer's.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../toy.h"
#include "../toy_run.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "run/plan.h"

static atomic_int allocations;

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_malloc_hook(const volatile void *p, size_t n);

void __sanitizer_malloc_hook(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    allocations++;
}
#else
/* glibc's own names of what is replaced here.  */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *count_new(size_t n) __asm__("malloc");
void *count_zeros(size_t n, size_t size) __asm__("calloc");
void *count_more(void *p, size_t n) __asm__("realloc");
void *count_aligned(size_t align, size_t n) __asm__("aligned_alloc");

void *count_new(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *count_zeros(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *count_more(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

void *count_aligned(size_t align, size_t n)
{
    allocations++;
    return __libc_memalign(align, n);
}
#endif

/* Direct, Winograd's and depthwise convolution, a stride, a shortcut, what is
 * random, and a head.  */
static const char network[] =
    "network: steady\n"
    "with: {classes: 3}\n"
    "input: {size: [1, 8, 8]}\n"
    "body:\n"
    "  - conv: {as: a, out: 16, kernel: 3, pad: 1}\n"
    "  - batchnorm2d\n"
    "  - relu6\n"
    "  - add:\n"
    "    - do:\n"
    "      - conv: {as: b, out: 16, kernel: 3, pad: 1}\n"
    "      - batchnorm2d\n"
    "      - relu\n"
    "    - do: []\n"
    "  - conv: {as: c, out: 16, kernel: 3, pad: 1, groups: 16}\n"
    "  - batchnorm2d\n"
    "  - hardswish\n"
    "  - conv: {as: d, out: 40, kernel: 1, stride: 2}\n"
    "  - batchnorm2d\n"
    "  - global_avg_pool\n"
    "  - dropout\n"
    "  - linear: {as: fc, out: $classes}\n";

static void steps(const struct toy_run *r, int n)
{
    struct err e = {0};

    for (int i = 0; i < n; i++)
        if (plan_run(r->plan, &(struct run_step){1, (uint64_t)i}, &e) < 0 ||
            plan_update(r->plan, &e) < 0)
            fail_msg("%s", e.msg);
}

static void check(int threads, int narrow)
{
    struct pool *pool = pool_new(threads);
    struct toy_run r;
    int before;

    toy_start(&r, toy_graph(network, 1), device_cpu_new(cpu_features()), NULL,
              &(struct plan_opts){.batch = 5, .pool = pool, .narrow = narrow});
    steps(&r, 1);
    before = atomic_load(&allocations);
    steps(&r, 3);
    if (atomic_load(&allocations) != before)
        fail_msg("%d allocations in 3 steps of %d threads",
                 atomic_load(&allocations) - before, threads);
    toy_end(&r);
    pool_free(pool);
}

static void test_step(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2)
        for (int narrow = 0; narrow < 2; narrow++)
            check(threads, narrow);
    assert_true(atomic_load(&allocations) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_step)};

    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
