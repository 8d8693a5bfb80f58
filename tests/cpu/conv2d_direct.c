/* conv2d_direct.c -- tests of convolution on blocked values.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"
#include "cpu/conv2d_direct.h"
#include "cpu/round.h"

#define C "conv2d"

static const struct kernel_case forward[] = {
    {C, "out=32 kernel=3 pad=1", "2,32,14,14", NULL, 0, 288, 0},
    {C, "out=16 kernel=3 pad=1", "2,3,32,32", NULL, 0, 27, 0},
    {C, "out=48 kernel=1", "2,40,9,11", NULL, 0, 40, 0},
    {C, "out=70 kernel=1", "1,130,7,7", NULL, 0, 130, 0},
    {C, "out=20 kernel=3 pad=1", "3,17,8,8", NULL, 0, 153, 0},
    {C, "out=33 kernel=3 pad=1 stride=2", "2,18,16,15", NULL, 0, 162, 0},
    {C, "out=24 kernel=1 stride=2", "2,16,14,13", NULL, 0, 16, 0},
    {C, "out=64 kernel=7 pad=3 stride=2 bias=yes", "1,3,40,57", NULL, 0, 147,
     0},
    {C, "out=9 kernel=5 pad=2 stride=3", "1,21,13,17", NULL, 0, 525, 0},
    {C, "out=5 kernel=[1,5] pad=[0,2]", "2,6,6,11", NULL, 0, 30, 0},
    {C, "out=5 kernel=3 dilation=2 pad=2", "1,9,12,17", NULL, 0, 81, 0},
    {C, "out=5 kernel=3 dilation=2 stride=3 pad=[0,1,3,2]", "2,5,12,17", NULL,
     0, 45, 0},
    {C, "out=5 kernel=3 dilation=3 stride=2 pad=[0,1,3,2]", "2,4,12,17", NULL,
     0, 36, 0},
    {C, "out=130 kernel=1", "1,300,1,1", NULL, 0, 300, 0},
    {C, "out=16 kernel=3 pad=1", "1,520,7,7", NULL, 0, 4680, 0},
    {C, "out=2 kernel=2 stride=4", "1,2,9,9", NULL, 0, 8, 0},
    {C, "out=17 kernel=3 pad=1", "1,1,9,50", NULL, 0, 9, 0},
    {C, "out=17 kernel=3 pad=2 dilation=[2,1]", "1,2,9,51", NULL, 0, 18, 0},
    {C, "out=40 kernel=5 pad=2 stride=2", "1,4,9,49", NULL, 0, 100, 0},
};

static const struct kernel_case followed[] = {
    {C, "out=16 kernel=3 pad=1", "2,16,16,16", "batchnorm2d add relu", 0, 144,
     0},
    {C, "out=9 kernel=3 pad=1 bias=yes", "2,5,7,9", "batchnorm2d relu6", 0, 144,
     0},
    {C, "out=9 kernel=3 pad=1 bias=yes", "1,4,7,9", "add", 0, 144, 0},
    {C, "out=40 kernel=1", "1,24,7,9", "add silu", 0, 24, 0},
    {C, "out=40 kernel=1", "1,24,7,9", "batchnorm2d hardswish", 0, 24, 0},
};

static const struct kernel_case backward[] = {
    /* dx is taller than dy, and both gradients are made at once */
    {C, "out=20 kernel=3", "2,16,7,9", NULL, KERNEL_BACKWARD, 320, 0},
    {C, "out=16 kernel=3 pad=1", "3,16,16,16", NULL, KERNEL_BACKWARD, 768, 0},
    {C, "out=16 kernel=3 pad=1 bias=yes", "17,3,8,8", NULL, KERNEL_BACKWARD,
     1088, 0},
    {C, "out=20 kernel=3 pad=1 stride=2", "2,8,16,16", NULL, KERNEL_BACKWARD,
     180, 0},
    {C, "out=20 kernel=3 pad=1 stride=2", "2,8,15,13", NULL, KERNEL_BACKWARD,
     180, 0},
    {C, "out=20 kernel=1 stride=2", "2,9,15,14", NULL, KERNEL_BACKWARD, 112, 0},
    {C, "out=40 kernel=1 bias=yes", "2,9,7,7", NULL, KERNEL_BACKWARD, 98, 0},
    {C, "out=20 kernel=3 pad=1", "2,40,7,9", NULL, KERNEL_BACKWARD, 180, 0},
    {C, "out=40 kernel=1 stride=2", "3,50,8,7", NULL, KERNEL_BACKWARD, 60, 0},
    {C, "out=6 kernel=5 stride=3 dilation=2 pad=3", "2,5,17,16", NULL,
     KERNEL_BACKWARD, 150, 0},
    {C, "out=6 kernel=3 stride=[2,3] dilation=[3,2] pad=[1,0,2,3]", "2,5,17,16",
     NULL, KERNEL_BACKWARD, 54, 0},
    {C, "out=6 kernel=2 stride=4", "2,3,9,10", NULL, KERNEL_BACKWARD, 24, 0},
    {C, "out=2 kernel=1 stride=4", "1,3,2,3", NULL, KERNEL_BACKWARD, 24, 0},
    {C, "out=12 kernel=3 groups=3 pad=1", "2,6,9,10", NULL, KERNEL_BACKWARD,
     180, 0},
    {C, "out=12 kernel=3 groups=6 pad=1 bias=yes", "2,6,9,10", NULL,
     KERNEL_BACKWARD, 180, 0},
    {C, "out=16 kernel=7 stride=2 pad=3", "2,3,33,31", NULL, KERNEL_BACKWARD,
     800, 2},
    {C, "out=16 kernel=3 pad=1", "2,3,9,9", NULL, KERNEL_BACKWARD, 162, 1},
    {C, "out=17 kernel=3 pad=2 dilation=[2,1]", "1,2,9,51", NULL,
     KERNEL_BACKWARD, 506, 0},
    {C, "out=17 kernel=5 pad=2 stride=2", "1,4,9,49", NULL, KERNEL_BACKWARD,
     125, 0},
    {C, "out=17 kernel=3 pad=1", "1,24,80,80", NULL, KERNEL_BACKWARD, 6400, 2},
};

/* Groups of fewer channels than lanes, of more, of numbers that divide
 * nothing; more outputs than channels and fewer; 1x1 where x lies.  */
static const struct kernel_case grouped[] = {
    {C, "out=32 kernel=3 groups=8 pad=1", "2,32,9,11", NULL, 0, 36, 0},
    {C, "out=96 kernel=3 groups=4 pad=1 stride=2", "1,96,8,7", NULL, 0, 216, 0},
    {C, "out=60 kernel=1 groups=3", "2,30,5,9", NULL, 0, 10, 0},
    {C, "out=15 kernel=[1,5] groups=5 pad=[0,2] bias=yes", "1,35,3,11",
     "batchnorm2d add relu", 0, 35, 0},
    {C, "out=36 kernel=3 groups=18 dilation=2 pad=2", "1,18,9,8", "silu", 0, 9,
     0},
    {C, "out=32 kernel=3 groups=8 pad=1", "3,32,9,11", NULL, KERNEL_BACKWARD,
     297, 0},
    {C, "out=96 kernel=3 groups=4 pad=1 stride=2 bias=yes", "2,96,9,7", NULL,
     KERNEL_BACKWARD, 216, 0},
    {C, "out=60 kernel=1 groups=3", "2,30,5,9", NULL, KERNEL_BACKWARD, 90, 0},
    {C, "out=14 kernel=3 groups=7 stride=2 dilation=2 pad=2", "2,35,9,8", NULL,
     KERNEL_BACKWARD, 45, 0},
    {C, "out=240 kernel=1 groups=5 stride=2", "2,80,7,5", NULL, KERNEL_BACKWARD,
     48, 0},
};

static void test_grouped(void **state)
{
    (void)state;
    kernel_check_all(grouped, COUNT(grouped));
}

static void test_forward(void **state)
{
    (void)state;
    kernel_check_all(forward, COUNT(forward));
}

static void test_followed(void **state)
{
    (void)state;
    kernel_check_all(followed, COUNT(followed));
}

static void test_backward(void **state)
{
    (void)state;
    kernel_check_all(backward, COUNT(backward));
}

/* A 1 x 1 convolution of SIDE x SIDE pixels.  */
static struct direct flat(int64_t c, int64_t o, int64_t side)
{
    struct direct d = {
        .n = 1, .c = c, .o = o, .groups = 1, .per = 1, .flat = 1};

    for (int i = 0; i < 2; i++) {
        d.in[i] = d.out[i] = side;
        d.kernel[i] = d.stride[i] = d.dil[i] = 1;
    }
    d.panels = up(o, LANES);
    d.planes = up(c, LANES);
    d.pixel = LANES;
    d.k = c;
    return d;
}

struct extent {
    int64_t least, most;
};

static void extend(struct extent *e, int64_t n)
{
    e->least = n < e->least ? n : e->least;
    e->most = n > e->most ? n : e->most;
}

static void check_cut(const struct direct_isa *isa, struct direct d)
{
    struct extent units = {INT64_MAX, 0}, tiles = units;
    int64_t done = 0;

    direct_cut(isa, &d, 2);
    for (int64_t i = 0; i < d.bands * d.parts; i++) {
        const struct direct_task t = direct_task_of(&d, i);

        extend(&units, up(t.rows, d.unit));
        extend(&tiles, up(t.end - t.panel, d.tile));
        done += t.rows * (t.end - t.panel);
    }
    assert_int_equal(done, d.out[0] * d.out[1] * d.panels);
    assert_true(d.bands * d.parts >= 8);
    assert_true(units.most - units.least <= 1 && tiles.most - tiles.least <= 1);
}

/* Tasks do all, and differ by a tile of pixels or of panels: threads that take
 * as many of them have as much to do.  */
static void test_cut(void **state)
{
    static const struct direct_isa isa[] = {{.mr = 6, .panels = 1},
                                            {.mr = 14, .panels = 2}};

    (void)state;
    for (size_t i = 0; i < COUNT(isa); i++) {
        check_cut(&isa[i], flat(96, 576, 14));
        check_cut(&isa[i], flat(576, 96, 14));
        check_cut(&isa[i], flat(576, 160, 7));
        check_cut(&isa[i], flat(960, 320, 7));
        check_cut(&isa[i], flat(24, 144, 56));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward), cmocka_unit_test(test_followed),
        cmocka_unit_test(test_grouped), cmocka_unit_test(test_backward),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
