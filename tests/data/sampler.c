/* sampler.c -- the order of samples.
 * SPDX-License-Identifier: MIT  */
#include "data/sampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_epoch_is_a_permutation(void **state)
{
    const struct sampler s = {
        .n = 1000, .batch = 7, .shuffle = 1, .keep_last = 1, .seed = 5};
    int moved = 0, differs = 0;

    (void)state;
    assert_int_equal(sampler_steps(&s), 143);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        char seen[1000] = {0};

        for (int64_t i = 0; i < 143 * 7; i++) {
            const int64_t at = sampler_at(&s, epoch, i / 7, i % 7);

            if (i >= 1000) {
                assert_int_equal(at, -1);
                continue;
            }
            assert_in_range(at, 0, 999);
            assert_false(seen[at]++);
            moved += at != i;
            differs += at != sampler_at(&s, epoch + 1, i / 7, i % 7);
        }
    }
    assert_true(moved > 2900 && differs > 2900);
}

static void seed_and_epoch_alone_decide(void **state)
{
    const struct sampler a = {.n = 64, .batch = 8, .shuffle = 1, .seed = 1};
    const struct sampler b = {.n = 64, .batch = 16, .shuffle = 1, .seed = 1};
    const struct sampler c = {.n = 64, .batch = 8, .shuffle = 1, .seed = 2};
    int differs = 0;

    (void)state;
    for (int64_t i = 0; i < 64; i++) {
        /* the batch cuts the order, it does not make it */
        assert_int_equal(sampler_at(&a, 3, i / 8, i % 8),
                         sampler_at(&b, 3, i / 16, i % 16));
        differs +=
            sampler_at(&a, 3, i / 8, i % 8) != sampler_at(&c, 3, i / 8, i % 8);
    }
    assert_true(differs > 48);
}

static void in_order_without_shuffling(void **state)
{
    const struct sampler s = {.n = 10, .batch = 4, .keep_last = 1, .seed = 9};

    (void)state;
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(sampler_at(&s, 2, i / 4, i % 4), i);
}

static void last_batch(void **state)
{
    static const struct {
        int64_t n, batch;
        int shuffle, keep;
        int64_t steps;
    } t[] = {
        {10, 5, 1, 0, 2}, {10, 5, 1, 1, 2}, {11, 5, 1, 0, 2},
        {11, 5, 1, 1, 2}, /* one sample is no batch when training */
        {11, 5, 0, 1, 3}, /* but is never lost when evaluating */
        {12, 5, 1, 1, 3}, {12, 5, 0, 0, 2}, {3, 5, 1, 0, 0},
        {3, 5, 1, 1, 1},  {3, 1, 1, 1, 3},  {0, 5, 0, 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const struct sampler s = {.n = t[i].n,
                                  .batch = t[i].batch,
                                  .shuffle = t[i].shuffle,
                                  .keep_last = t[i].keep};

        assert_int_equal(sampler_steps(&s), t[i].steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_epoch_is_a_permutation),
        cmocka_unit_test(seed_and_epoch_alone_decide),
        cmocka_unit_test(in_order_without_shuffling),
        cmocka_unit_test(last_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
