/* crossentropy.c -- tests of lib/op/crossentropy.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>
#include <string.h>

static const struct op_case cases[] = {
    {"crossentropy", "", "2*N,5 i64%5:2*N", "1", 0, 2},
    {"crossentropy", "", "2*N,5 2*N,5", "1", 0, 2},
    {"crossentropy", "smoothing=0.2", "N,3 i64%3:N", "1"},
    {"crossentropy", "smoothing=0.2 smoothing_rule=k-1", "N,3 i64%3:N", "1"},
    {"crossentropy", "smoothing=0.2 smoothing_rule=k-1", "N,3 N,3", "1"},
    {"crossentropy", "", "N,1 i64%1:N", "1"},
};

static const struct op_bad bad[] = {
    {{"crossentropy", "smoothing_rule=n", "N,3 i64:N"},
     ERR_USAGE,
     "none of: k, k-1"},
    {{"crossentropy", "", "N,3 i64:2*N"},
     ERR_SHAPE,
     "target [2*N] does not fit input [N,3]"},
    {{"crossentropy", "", "N,3 i32:N"}, ERR_SHAPE, "i32"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Rows of one 1 give the bits of class numbers, smoothed or not.  */
static void check_one_hot(void **state)
{
    static const char *const attr[] = {"", "smoothing=0.1",
                                       "smoothing=0.1 smoothing_rule=k-1"};
    (void)state;
    for (size_t k = 0; k < COUNT(attr); k++) {
        const struct op_case h = {"crossentropy", attr[k], "4*N,7 i64%7:4*N",
                                  NULL,           0,       3};
        const struct op_case s = {"crossentropy", attr[k], "4*N,7 4*N,7",
                                  NULL,           0,       3};
        struct trial hard, soft;
        trial_init(&hard, &h, 0);
        trial_init(&soft, &s, 0);
        for (int64_t i = 0; i < tensor_count(&soft.in[1]); i++)
            trial_set(&soft.in[1], i,
                      trial_get(&hard.in[1], i / 7) == (double)(i % 7));
        trial_forward(&hard);
        trial_forward(&soft);
        trial_backward(&hard, 1);
        trial_backward(&soft, 1);
        assert_memory_equal(hard.out[0].data, soft.out[0].data, sizeof(float));
        assert_memory_equal(hard.din[0].data, soft.din[0].data,
                            (size_t)tensor_count(&hard.din[0]) * sizeof(float));
        trial_release(&hard);
        trial_release(&soft);
    }
}

/* The gradient vanishes where softmax(z) is the smoothed target: for the rule
 * k-1 where z_true - z_other = log((K-1)(1-s)/s).  */
static void check_optimum(void **state)
{
    static const struct {
        const char *attr;
        double wrong; /* the target of each wrong class, K = 5, s = .1 */
    } rule[] = {{"smoothing=0.1 smoothing_rule=k-1", .1 / 4},
                {"smoothing=0.1 smoothing_rule=k", .1 / 5}};
    (void)state;
    for (size_t k = 0; k < COUNT(rule); k++) {
        const struct op_case c = {"crossentropy", rule[k].attr, "1,5 i64:1"};
        struct trial t;
        trial_init(&t, &c, 1);
        trial_set(&t.in[1], 0, 2);
        for (int64_t i = 0; i < 5; i++)
            trial_set(&t.in[0], i,
                      i == 2 ? log((1 - 4 * rule[k].wrong) / rule[k].wrong)
                             : 0);
        if (k == 0) /* the known answer */
            assert_float_equal(trial_get(&t.in[0], 2), log(4 * .9 / .1), 1e-6);
        trial_forward(&t);
        trial_backward(&t, 1);
        assert_true(trial_scale(&t.din[0]) < 1e-15);
        trial_release(&t);
    }
}

/* KL(p|q) = CE(p, q) - H(p) */
static void check_divergence(void **state)
{
    const struct op_case c = {"crossentropy", "", "1,3 1,3"};
    const double p[] = {.5, .25, .25}, z[] = {1, -1, .5};
    double sum = 0, kl = 0, entropy = 0;
    struct trial t;
    (void)state;
    trial_init(&t, &c, 1);
    trial_put(&t.in[0], z);
    trial_put(&t.in[1], p);
    trial_forward(&t);
    for (int i = 0; i < 3; i++)
        sum += exp(z[i]);
    for (int i = 0; i < 3; i++) {
        kl += p[i] * log(p[i] / (exp(z[i]) / sum));
        entropy -= p[i] * log(p[i]);
    }
    assert_true(fabs(trial_get(&t.out[0], 0) - entropy - kl) < 1e-14);
    trial_release(&t);
}

/* Rows of class -1, or without any target, count for nothing.  */
static void check_padding(void **state)
{
    const struct op_case two = {"crossentropy", "smoothing=0.1", "2,4 i64:2"};
    const struct op_case four = {"crossentropy", "smoothing=0.1", "4,4 i64:4"};
    const struct op_case soft = {"crossentropy", "smoothing=0.1", "4,4 4,4"};
    struct trial a, b, c;
    (void)state;
    trial_init(&a, &two, 0);
    trial_init(&b, &four, 0);
    trial_init(&c, &soft, 0);
    trial_put(&a.in[1], (double[]){3, 1});
    trial_put(&b.in[1], (double[]){3, 1, -1, -1});
    for (int64_t i = 0; i < 16; i++)
        trial_set(&c.in[1], i, i == 3 || i == 5);
    trial_forward(&a);
    trial_forward(&b);
    trial_forward(&c);
    assert_memory_equal(a.out[0].data, b.out[0].data, sizeof(float));
    assert_memory_equal(a.out[0].data, c.out[0].data, sizeof(float));
    trial_backward(&b, 1);
    for (int64_t i = 8; i < 16; i++)
        assert_true(trial_get(&b.din[0], i) == 0);
    trial_put(&b.in[1], (double[]){-1, -1, -1, -1});
    trial_forward(&b);
    assert_true(trial_get(&b.out[0], 0) == 0);
    trial_release(&a);
    trial_release(&b);
    trial_release(&c);
}

/* A class that does not exist reads no memory and is not silent.  */
static void check_wild(void **state)
{
    const struct op_case c = {"crossentropy", "", "2,4 i64:2"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[1], (double[]){0, 4});
    t.args.node = t.node;
    t.args.in = t.in;
    t.args.out = t.out;
    t.op->forward(&t.args);
    assert_true(isnan(trial_get(&t.out[0], 0)));
    trial_release(&t);
}

/* Logits far apart neither overflow nor lose the small loss.  */
static void check_extreme(void **state)
{
    const struct op_case c = {"crossentropy", "", "1,2 i64:1"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){1000, -1000});
    trial_put(&t.in[1], (double[]){1});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 2000);
    trial_put(&t.in[1], (double[]){0});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 0);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(check_bad),     cmocka_unit_test(check_one_hot),
        cmocka_unit_test(check_optimum), cmocka_unit_test(check_divergence),
        cmocka_unit_test(check_padding), cmocka_unit_test(check_wild),
        cmocka_unit_test(check_extreme),
    };
    return op_check_main("crossentropy", cases, COUNT(cases), more,
                         COUNT(more));
}
