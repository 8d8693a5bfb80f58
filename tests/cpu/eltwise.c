/* eltwise.c -- tests of the kernels that work element by element.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../kernel_check.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "op/ops.h"

enum { S = KERNEL_SPECIAL };

static const struct kernel_case cases[] = {
    {"relu", "", "2,3,5,7", NULL, 0, 0, 0},
    {"relu6", "", "2,19,6,130", NULL, 0, 0, 0},
    {"relu", "", "2,3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"relu6", "", "2,19,6,140", NULL, KERNEL_BACKWARD, 0, 0},
    {"clip", "min=-0.5 max=0.25", "2,3,5,7", NULL, 0, 0, 0},
    {"clip", "min=-0.5 max=0.25", "2,3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"hardswish", "", "2,19,6,25", NULL, 0, 1, 0},
    {"hardswish", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"hardsigmoid", "", "2,19,6,25", NULL, 0, 1, 0},
    {"hardsigmoid", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"silu", "", "2,19,6,25", NULL, 0, 1, 0},
    {"silu", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"sigmoid", "", "2,19,6,25", NULL, 0, 1, 0},
    {"sigmoid", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"tanh", "", "2,19,6,25", NULL, 0, 1, 0},
    {"tanh", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"gelu", "", "2,19,6,25", NULL, 0, 1, 0},
    {"gelu", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"gelu", "approximate=tanh", "5000", NULL, 0, 1, 0},
    {"gelu", "approximate=tanh", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"elu", "", "2,19,6,25", NULL, 0, 1, 0},
    {"elu", "", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"hardtanh", "", "5000", NULL, 0, 1, 0},
    {"leakyrelu", "slope=0.1", "2,19,6,25", NULL, 0, 1, 0},
    {"leakyrelu", "slope=0.1", "2,19,6,25", NULL, KERNEL_BACKWARD, 1, 0},
    {"mish", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"selu", "", "5000", NULL, 0, 1, 0},
    {"softplus", "beta=2", "5000", NULL, 0, 1, 0},
    {"softsign", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"exp", "", "2,19,6,25", NULL, 0, 1, 0},
    {"erf", "", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"pow", "exponent=4", "5000", NULL, KERNEL_BACKWARD, 1, 0},
    {"logsoftmax", "axis=1", "5,300,7", NULL, 0, 300, 0},
    {"add", "", "16385 16385", "gelu", 0, 1, 0},
    {"softmax", "", "2,3,50,17", NULL, 0, 17, 0},
    {"softmax", "axis=1", "5,300,7", NULL, KERNEL_BACKWARD, 300, 0},
    {"droppath", "rate=0.4", "7,20,5,11", NULL, KERNEL_TRAIN, 1, 0},
    {"droppath", "rate=0.4", "5,9000", NULL, KERNEL_TRAIN | KERNEL_BACKWARD, 1,
     0},
    {"droppath", "rate=1", "2,3", NULL, KERNEL_TRAIN, 0, 0},
    {"gridsample", "", "5,3,7,9 5,11,13,2", NULL, 0, 4, 0},
    {"gridsample", "", "5,3,7,9 5,11,13,2", NULL, KERNEL_BACKWARD, 143, 0},
    {"gridsample", "", "3,30,7,9 3,11,13,2", NULL, KERNEL_BACKWARD, 143, 2},
    {"windowpartition", "grid=5,6 size=4 shift=1", "3,30,70", NULL, 0, 0, 0},
    {"windowpartition", "grid=5,6 size=4", "3,30,70", NULL, KERNEL_BACKWARD, 0,
     0},
    {"windowreverse", "grid=5,6 size=4 shift=1", "12,16,70", NULL, 0, 0, 0},
    {"windowreverse", "grid=5,6 size=4", "12,16,70", NULL, KERNEL_BACKWARD, 0,
     0},
    {"add", "", "3,5,7 3,5,7", NULL, 0, 0, 0},
    {"add", "", "16385 16385", "relu", 0, 0, 0},
    {"add", "", "2,20,5,90 2,20,5,90", "relu", 0, 0, 0},
    {"add", "", "2,20,5,90 2,20,5,90", NULL, KERNEL_BACKWARD, 0, 0},
    {"add", "", "2,9 2,9 2,9", "relu6", 0, 2, 0},
    {"add", "", "2,9 2,9 2,9 2,9", "relu6", 0, 3, 0},
    {"add", "", "16385 16385 16385 16385 16385 16385", "relu", 0, 5, 0},
    {"add", "",
     "3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 "
     "3,5,7 3,5,7 3,5,7 3,5,7 3,5,7 3,5,7",
     NULL, 0, 15, 0},
    {"add", "", "3,5,7 1,5,7", NULL, 0, 0, 0},
    {"add", "", "2,17,1000 1,17,1000", NULL, 0, 0, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 2},
    {"gradnorm", "", "3,5,7 9000 1", NULL, 0, 4096, 0},
};

/* A NaN comes through on every instruction set.  */
static const struct kernel_case special[] = {
    {"relu", "", "1,16,9,7", NULL, S, 1, 0},
    {"relu6", "", "1,16,9,7", NULL, S, 1, 0},
    {"clip", "min=-0.5 max=0.25", "1,16,9,7", NULL, S, 1, 0},
    {"hardswish", "", "997", NULL, S, 1, 0},
    {"hardsigmoid", "", "997", NULL, S, 1, 0},
    {"sigmoid", "", "997", NULL, S, 1, 0},
    {"tanh", "", "997", NULL, S, 1, 0},
    {"gelu", "", "997", NULL, S, 1, 0},
    {"add", "", "997 997", "relu6", S, 1, 0},
    {"batchnorm2d", "", "2,5,9,7", "add relu", S, 1, 0},
};

/* gelu from -9 to 9 in steps of 2^-10, by all kernels of direction DIR;
 * backward the gradient of the result is 1.  */
enum { STEPS = 18 << 10 };

static void run_gelu(enum dir dir,
                     void (*check)(const float *x, const float *y))
{
    struct device *d = device_cpu_new(cpu_features());
    const struct shape shape = shape_make(1, (int64_t[]){STEPS});
    static float x[STEPS], y[STEPS], one[STEPS];
    struct graph *g = graph_new("gelu");
    struct value *in = graph_input(g, "x", DTYPE_F32, &shape);
    struct tensor tx = tensor_view(DTYPE_F32, &shape, x);
    struct tensor ty = tensor_view(DTYPE_F32, &shape, y);
    struct tensor tone = tensor_view(DTYPE_F32, &shape, one);
    struct err e = {0};
    struct kernel_args a = {
        .op = {.in = &tx, .out = &ty, .dout = &tone, .din = &ty}};
    int count = 0;

    a.op.node = graph_add(g, op_find("gelu"), "y", &in, 1, NULL, &e);
    for (int i = 0; i < STEPS; i++) {
        x[i] = (float)ldexp(i - STEPS / 2, -10);
        one[i] = 1;
    }
    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (str_starts((*k)->name, "eltwise_") && !strcmp((*k)->op, "gelu") &&
            (*k)->dir == dir && (*k)->reads == LAYOUT_PLAIN) {
            (*k)->run(&a);
            check(x, y);
            count++;
        }
    assert_true(count >= 1);
    graph_free(g);
    device_cpu_free(d);
}

/* Phi to 2^-23 and a rounding, one more of the product.  */
static void check_gelu(const float *x, const float *y)
{
    for (int i = 0; i < STEPS; i++) {
        const double want = x[i] * erfc(-x[i] * M_SQRT1_2) / 2;

        if (!(fabs(y[i] - want) <=
              ldexp(fabs(x[i]), -23) + ldexp(fabs(want), -23)))
            fail_msg("gelu(%g) is %.9g, not %.9g", x[i], y[i], want);
    }
}

/* x phi(x) is at most 1/4: two units of the exponential, roundings.  */
static void check_slope(const float *x, const float *y)
{
    for (int i = 0; i < STEPS; i++) {
        const double want =
            erfc(-x[i] * M_SQRT1_2) / 2 +
            x[i] * exp(-x[i] * x[i] / 2.) * M_2_SQRTPI * M_SQRT1_2 / 2;

        if (!(fabs(y[i] - want) <= 4 * ldexp(1, -23)))
            fail_msg("gelu'(%g) is %.9g, not %.9g", x[i], y[i], want);
    }
}

static void test_gelu(void **state)
{
    (void)state;
    run_gelu(DIR_FORWARD, check_gelu);
    run_gelu(DIR_BACKWARD, check_slope);
}

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
                                       cmocka_unit_test(test_special),
                                       cmocka_unit_test(test_gelu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
