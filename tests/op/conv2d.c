/* conv2d.c -- tests of lib/op/conv2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"conv2d", "out=4 kernel=3 pad=1", "N,3,5,4", "N,4,5,4"},
    {"conv2d", "out=4 kernel=1 bias=yes", "N,3,2,3", "N,4,2,3"},
    {"conv2d", "out=2 kernel=[1,3] pad=[0,1]", "N,2,3,5", "N,2,3,5"},
    {"conv2d", "out=2 kernel=3 stride=2 pad=[0,1,2,0]", "N,2,6,5", "N,2,3,2"},
    {"conv2d", "out=2 kernel=2 stride=[3,2] dilation=[2,1]", "N,1,7,7",
     "N,2,2,3"},
    {"conv2d", "out=6 kernel=3 pad=1 groups=3 bias=yes", "N,3,4,4", "N,6,4,4"},
    {"conv2d", "out=4 kernel=3 stride=2 pad=1 groups=4", "N,4,5,5", "N,4,3,3"},
    {"conv2d", "out=4 kernel=1 groups=2", "N,6,3,2", "N,4,3,2"},
    {"conv2d", "out=3 kernel=5 pad=4", "N,1,2,2", "N,3,6,6"},
    {"conv2d", "out=1 kernel=4", "N,2,4,4", "N,1,1,1"},
    {"conv2d", "out=2 kernel=3 stride=4 pad=1", "1,1,6,6", "1,2,2,2"},
    {"conv2d", "out=2 kernel=2", "4*N,1,3,3", "4*N,2,2,2"},
};

static const struct op_bad bad[] = {
    {{"conv2d", "kernel=3", "N,3,5,5"}, ERR_USAGE, "'out'"},
    {{"conv2d", "out=0 kernel=3", "N,3,5,5"}, ERR_USAGE, "out = 0"},
    {{"conv2d", "out=4 kernel=0", "N,3,5,5"}, ERR_USAGE, "kernel"},
    {{"conv2d", "out=4 kernel=[1,2,3]", "N,3,5,5"}, ERR_USAGE, "kernel"},
    {{"conv2d", "out=4 kernel=3 pad=-1", "N,3,5,5"}, ERR_USAGE, "pad"},
    {{"conv2d", "out=4 kernel=3 groups=2", "N,3,5,5"}, ERR_SHAPE, "2 groups"},
    {{"conv2d", "out=4 kernel=6", "N,3,5,7"}, ERR_SHAPE, "[N,3,5,7]"},
    {{"conv2d", "out=4 kernel=3", "N,3,5"}, ERR_SHAPE, "[N,3,5]"},
    {{"conv2d", "out=4 kernel=3", "N,3,N,5"}, ERR_SHAPE, "counts the batch"},
    {{"conv2d", "out=4 kernel=3", "u8:N,3,5,5"}, ERR_SHAPE, "u8"},
    {{"conv2d", "out=4 kernel=1", "N,3,5,5 4,2,1,1"},
     ERR_SHAPE,
     "weight [4,2,1,1] does not fit input [N,3,5,5]"},
    {{"conv2d", "out=1048576 kernel=1", "N,1000,20000,20000"},
     ERR_SHAPE,
     "1000 multiply-adds"},
    {{"conv2d", "out=2147483647 kernel=1", "N,1,2147483647,2147483647"},
     ERR_SHAPE,
     "too large"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* A picture of two halves under a vertical edge filter.  */
static void check_edge(void **state)
{
    const struct op_case c = {"conv2d", "out=1 kernel=3", "1,1,6,6"};
    const double want[] = {0, 30, 30, 0};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    for (int64_t i = 0; i < 36; i++)
        trial_set(&t.in[0], i, i % 6 < 3 ? 10 : 0);
    for (int64_t i = 0; i < 9; i++)
        trial_set(&t.in[1], i, (double)(1 - i % 3));
    trial_forward(&t);
    for (int64_t i = 0; i < 16; i++)
        assert_true(trial_get(&t.out[0], i) == want[i % 4]);
    trial_release(&t);
}

static int64_t mac_of(const char *attr, const char *in)
{
    const struct op_case c = {"conv2d", attr, in};
    return op_check_cost(&c).mac;
}

static int64_t flop_of(const char *attr, const char *in)
{
    const struct op_case c = {"conv2d", attr, in};
    return op_check_cost(&c).flop;
}

/* The stems of ResNet (7x7) and ResNet-C (three of 3x3): .118 G and .358 G
 * multiply-adds, .235 G and .714 G flop.  */
static void check_stems(void **state)
{
    static const char *const c[][2] = {
        {"out=32 kernel=3 stride=2 pad=1", "N,3,224,224"},
        {"out=32 kernel=3 pad=1", "N,32,112,112"},
        {"out=64 kernel=3 pad=1", "N,32,112,112"},
    };
    const char *b[] = {"out=64 kernel=7 stride=2 pad=3", "N,3,224,224"};
    int64_t mac = 0, flop = 0;
    (void)state;
    assert_int_equal(mac_of(b[0], b[1]), 118013952);
    assert_int_equal(flop_of(b[0], b[1]), 112 * 112 * 64 * (2 * 147 - 1));
    for (size_t i = 0; i < COUNT(c); i++) {
        mac += mac_of(c[i][0], c[i][1]);
        flop += flop_of(c[i][0], c[i][1]);
    }
    assert_int_equal(mac, 357654528);
    assert_int_equal(flop, 2 * mac - 112 * 112 * (32 + 32 + 64));
    assert_int_equal(flop_of("out=8 kernel=1 bias=yes", "N,5,3,3"), 8 * 9 * 10);
}

/* A linear layer over all of a picture is a convolution of its size.  */
static void check_linear(void **state)
{
    const struct op_case conv = {"conv2d", "out=5 kernel=[4,3] bias=yes",
                                 "N,2,4,3"};
    const struct op_case lin = {"linear", "out=5", "N,24"};
    struct trial a, b;
    (void)state;
    trial_init(&a, &conv, 0);
    trial_init(&b, &lin, 0);
    trial_forward(&a);
    trial_forward(&b);
    trial_equal(&a, "linear", &a.out[0], &b.out[0],
                op_tolerance(24, trial_scale(&b.out[0])));
    trial_release(&a);
    trial_release(&b);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(check_bad),
        cmocka_unit_test(check_edge),
        cmocka_unit_test(check_stems),
        cmocka_unit_test(check_linear),
    };
    return op_check_main("conv2d", cases, COUNT(cases), more, COUNT(more));
}
