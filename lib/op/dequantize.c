/* dequantize.c -- numbers from 8 bits, or from the 32 of a sum.
 * SPDX-License-Identifier: MIT
 *
 *     y = (x - zero_point) scale
 *
 *   x: any shape, u8, i8 or i32  scale f32, zero_point of x's type: one number
 *   each, or one per place along AXIS  y: as x, f32.
 * Backward keeps scale: dx = dy scale, in f32.  ONNX DequantizeLinear.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/quant.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    const enum dtype dt = n->in[QUANT_X]->dtype;
    if (dt != DTYPE_U8 && dt != DTYPE_I8 && dt != DTYPE_I32)
        return err_set(e, ERR_SHAPE, "operand x is %s, not u8, i8 or i32",
                       dtype_name(dt));
    if (quant_infer(n, dt, e) < 0)
        return -1;
    return rule_out(n, 0, DTYPE_F32, &n->in[QUANT_X]->shape, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 2 * shape_count(&n->out[0]->shape)};
}

static void forward(const struct op_args *a)
{
    const struct quant q = quant_of(a);
    const int64_t count = tensor_count(&a->in[QUANT_X]);
    const void *x = a->in[QUANT_X].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(quant_number(q.type, x, i) - quant_zero(&q, i)) *
               quant_scale(&q, i);
}

static void backward(const struct op_args *a)
{
    const struct quant q = quant_of(a);
    const int64_t count = tensor_count(&a->dout[0]);
    const real *dy = a->dout[0].data;
    real *dx = a->din[QUANT_X].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = dy[i] * quant_scale(&q, i);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "scale", .role = ROLE_STATE, .init = "ones"},
    {.name = "zero_point", .role = ROLE_STATE, .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis of several scales"}, {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_dequantize = {
    .name = "dequantize",
    .brief = "turn 8 bits into numbers again",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << QUANT_SCALE,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"DequantizeLinear", 13, onnx},
};
