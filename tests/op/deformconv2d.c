/* deformconv2d.c -- tests of lib/op/deformconv2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"deformconv2d", "out=2 kernel=2", "N,2,3,4 N,8,2,3", "N,2,2,3"},
    {"deformconv2d", "out=4 kernel=[1,3] pad=[0,1] groups=2 bias=yes mask=yes",
     "N,4,2,3 N,6,2,3 N,3,2,3", "N,4,2,3"},
    {"deformconv2d",
     "out=2 kernel=3 pad=[1,2,0,1] stride=2 dilation=[1,2] offset_groups=2 "
     "mask=yes",
     "N,2,5,4 N,36,2,2 N,18,2,2", "N,2,2,2"},
    {"deformconv2d", "out=70 kernel=1", "N,1,2,2 N,2,2,2", "N,70,2,2"},
    /* offsets that lead far outside */
    {"deformconv2d", "out=1 kernel=2", "N,1,3,3 N,8,2,2", "N,1,2,2", 0, 4},
};

static const struct op_bad bad[] = {
    {{"deformconv2d", "out=2 kernel=2", "N,2,3,4 N,8,3,3"},
     ERR_SHAPE,
     "offset [N,8,3,3] does not fit input [N,2,3,4]: needs [N,8,2,3]"},
    {{"deformconv2d", "out=2 kernel=2 mask=yes", "N,2,3,4 N,8,2,3 N,3,2,3"},
     ERR_SHAPE,
     "mask"},
    {{"deformconv2d", "out=2 kernel=2 offset_groups=3", "N,2,3,4 N,24,2,3"},
     ERR_SHAPE,
     "offset_groups = 3"},
    {{"deformconv2d", "out=3 kernel=2 groups=2", "N,2,3,4 N,8,2,3"},
     ERR_SHAPE,
     "groups = 2"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Without offsets it is a convolution.  */
static void check_plain(void **state)
{
    static const struct op_case plain = {
        "conv2d", "out=3 kernel=3 pad=1 stride=2 bias=yes", "N,2,5,4"};
    static const struct op_case moved = {
        "deformconv2d", "out=3 kernel=3 pad=1 stride=2 bias=yes",
        "N,2,5,4 N,18,3,2"};
    struct trial a, b;

    (void)state;
    trial_init(&a, &plain, 0);
    trial_init(&b, &moved, 0);
    for (int64_t i = 0; i < tensor_count(&b.in[1]); i++)
        trial_set(&b.in[1], i, 0);
    for (int k = 3; k < 5; k++)
        for (int64_t i = 0; i < tensor_count(&b.in[k]); i++)
            trial_set(&b.in[k], i, trial_get(&a.in[k - 2], i));
    trial_forward(&a);
    trial_forward(&b);
    trial_equal(&b, "without offsets", &b.out[0], &a.out[0],
                op_tolerance(18, trial_scale(&a.out[0])));
    trial_release(&a);
    trial_release(&b);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_plain)};
    return op_check_main("deformconv2d", cases, COUNT(cases), more,
                         COUNT(more));
}
