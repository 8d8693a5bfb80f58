/* upsample.c -- tests of lib/op/upsample.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"upsample", "", "N,2,3,2", "N,2,6,4"},
    {"upsample", "scale=[1,3] mode=bilinear", "N,2,3,2", "N,2,3,6"},
    {"upsample", "size=[2,7] mode=bilinear", "N,1,5,3", "N,1,2,7"},
    {"upsample", "size=[4,5]", "N,1,3,7", "N,1,4,5"},
    {"upsample", "size=[4,1] mode=bilinear align_corners=yes", "N,1,3,4",
     "N,1,4,1"},
    {"upsample", "like=yes mode=bilinear", "N,2,2,3 N,1,3,3", "N,2,3,3"},
};

static const struct op_bad bad[] = {
    {{"upsample", "mode=cubic", "N,1,2,2"}, ERR_USAGE, "nearest, bilinear"},
    {{"upsample", "scale=65536", "N,1,900000,900000"}, ERR_SHAPE, "too large"},
    {{"upsample", "like=yes", "N,1,2,2"}, ERR_USAGE, "needs input 'like'"},
    {{"upsample", "", "N,1,2,2 N,1,2,2"},
     ERR_USAGE,
     "not to have input 'like'"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("upsample", cases, COUNT(cases), more, COUNT(more));
}
