/* lifetimes.c -- tests of base/lifetimes.h.
 * SPDX-License-Identifier: MIT  */
#include "base/lifetimes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

enum { N = 60, TRIALS = 200 };

static void draw(struct lifetime *item, int64_t *at, int n, int trial)
{
    const struct rng r = rng_at((uint64_t)trial, RNG_TEST, 1, 0);

    for (int i = 0; i < n; i++) {
        const uint64_t k = 4 * (uint64_t)i;

        item[i].bytes = 16 * (size_t)rng_below(&r, k, 20);
        item[i].first = (int)rng_below(&r, k + 1, 40);
        item[i].last = item[i].first + (int)rng_below(&r, k + 2, 9);
        item[i].where = &at[i];
    }
}

/* Those that live together do not overlap, all lie within the total, and it is
 * no more than their sum and no less than what lives at once.  */
static void check(const struct lifetime *item, int n, int64_t total)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++) {
        const struct lifetime *x = &item[i];
        int64_t beside = 0;

        assert_int_equal(x->at, *x->where);
        assert_int_equal(x->at % 16, 0);
        assert_true(x->at >= 0 && x->at + (int64_t)x->bytes <= total);
        for (int k = 0; k < n; k++) {
            const struct lifetime *y = &item[k];

            if (k != i && x->first <= y->last && y->first <= x->last)
                assert_true(x->at + (int64_t)x->bytes <= y->at ||
                            y->at + (int64_t)y->bytes <= x->at);
            if (y->first <= x->first && x->first <= y->last)
                beside += (int64_t)y->bytes;
        }
        assert_true(beside <= total);
        sum += (int64_t)x->bytes;
    }
    assert_true(total <= sum);
}

static void lives_do_not_meet(void **state)
{
    struct lifetime item[N];
    int64_t at[N];

    (void)state;
    for (int t = 0; t < TRIALS; t++) {
        const int n = t % N;

        draw(item, at, n, t);
        check(item, n, (int64_t)lifetimes_place(item, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
