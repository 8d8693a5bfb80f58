/* eltwise.c -- tests of the kernels that work element by element.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { S = KERNEL_SPECIAL };

static const struct kernel_case cases[] = {
    {"relu", "", "2,3,5,7", NULL, 0, 0, 0},
    {"relu6", "", "40000", NULL, 0, 0, 0},
    {"relu", "", "2,3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"relu6", "", "33000", NULL, KERNEL_BACKWARD, 0, 0},
    {"clip", "min=-0.5 max=0.25", "2,3,5,7", NULL, 0, 0, 0},
    {"clip", "min=-0.5 max=0.25", "2,3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"hardswish", "", "5000", NULL, 0, 1, 0},
    {"hardswish", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"hardsigmoid", "", "5000", NULL, 0, 1, 0},
    {"hardsigmoid", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"silu", "", "5000", NULL, 0, 1, 0},
    {"silu", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"sigmoid", "", "5000", NULL, 0, 1, 0},
    {"sigmoid", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"tanh", "", "5000", NULL, 0, 1, 0},
    {"tanh", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"gelu", "", "5000", NULL, 0, 1, 0},
    {"gelu", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"softmax", "", "2,3,50,17", NULL, 0, 17, 0},
    {"softmax", "axis=1", "5,300,7", NULL, KERNEL_BACKWARD, 300, 0},
    {"add", "", "3,5,7 3,5,7", NULL, 0, 0, 0},
    {"add", "", "16385 16385", "relu", 0, 0, 0},
    {"add", "", "2,9 2,9 2,9", "relu6", 0, 2, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 2},
    {"gradnorm", "", "3,5,7 9000 1", NULL, 0, 4096, 0},
};

/* A NaN comes through on every instruction set.  */
static const struct kernel_case special[] = {
    {"relu", "", "997", NULL, S, 1, 0},
    {"relu6", "", "997", NULL, S, 1, 0},
    {"clip", "min=-0.5 max=0.25", "997", NULL, S, 1, 0},
    {"hardswish", "", "997", NULL, S, 1, 0},
    {"hardsigmoid", "", "997", NULL, S, 1, 0},
    {"sigmoid", "", "997", NULL, S, 1, 0},
    {"tanh", "", "997", NULL, S, 1, 0},
    {"add", "", "997 997", "relu6", S, 1, 0},
    {"batchnorm2d", "", "2,5,9,7", "add relu", S, 1, 0},
};

static void test_special(void **state)
{
    (void)state;
    kernel_check_all(special, COUNT(special));
}

static void test_cases(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_special)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
