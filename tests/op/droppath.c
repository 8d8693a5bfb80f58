/* droppath.c -- tests of lib/op/droppath.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"droppath", "rate=0.3", "8*N,3,2", "8*N,3,2", CASE_TRAIN},
    {"droppath", "rate=0.3", "8*N,3,2", "8*N,3,2"},
    {"droppath", "rate=0", "N,3", "N,3", CASE_TRAIN},
    {"droppath", "rate=1", "N,3", "N,3", CASE_TRAIN},
};

static const struct op_bad bad[] = {
    {{"droppath", "rate=1.5", "N,4"}, ERR_USAGE, "rate = 1.5"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* The mask is that of the node's stream, the share about the rate; what
 * stays is scaled by 1 / (1 - rate).  */
static void check_mask(void **state)
{
    const struct op_case c = {"droppath", "rate=0.25", "512,8", NULL,
                              CASE_TRAIN};
    int64_t dropped = 0;
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_forward(&t);
    for (int64_t i = 0; i < 4096; i++) {
        const double x = trial_get(&t.in[0], i), y = trial_get(&t.out[0], i);
        const uint64_t at = (uint64_t)i / 8;
        if (rng_uniform(&t.args.rng, at) < .25f) {
            assert_true(y == 0);
            dropped++;
        } else {
            assert_true(y == (float)(x / .75));
        }
    }
    assert_in_range(dropped, 1024 - 800, 1024 + 800);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_mask)};
    return op_check_main("droppath", cases, COUNT(cases), more, COUNT(more));
}
