/* onnx_lower_math.c -- lowerings of arithmetic number by number, of softmax, of
 * 8 bits.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_lower.h"
#include "graph/graph.h"
#include "graph/op.h"

/* A join of any number.  */
static int lower_chain(struct onnx_build *b, const struct node *n)
{
    const char *sum = X;

    if (n->n_in == 2)
        return 0;
    if (n->n_in == 1)
        return onnx_op1(b, n, "Identity", sum, Y) != NULL;
    for (int i = 1; i < n->n_in; i++)
        sum = onnx_op2(b, n, n->op->onnx.type, sum, onnx_in(b, n, i),
                       i == n->n_in - 1 ? Y : NULL);
    return 1;
}

/* Limits are operands since opset 11.  */
static int clip(struct onnx_build *b, const struct node *n, double min,
                double max)
{
    const char *x = X;
    Onnx__NodeProto *op;

    if (b->opset >= 11)
        return 0;
    op = onnx_op(b, "Clip", &x, 1, Y);
    onnx_set_real(b, op, "min", min);
    onnx_set_real(b, op, "max", max);
    return 1;
}

static int lower_clip(struct onnx_build *b, const struct node *n)
{
    return clip(b, n, attr_real(n, "min"), attr_real(n, "max"));
}

static int lower_relu6(struct onnx_build *b, const struct node *n)
{
    return clip(b, n, 0, 6);
}

/* Until opset 13 all axes from the one that is said on are one: only the last
 * means the same.  */
static int lower_softmax(struct onnx_build *b, const struct node *n)
{
    const int rank = n->in[0]->shape.rank, axis = onnx_axis(n);
    int64_t turn[SHAPE_MAX];
    const char *x = X, *y;

    if (b->opset >= 13)
        return 0;
    for (int i = 0; i < rank; i++)
        turn[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    if (axis != rank - 1)
        x = onnx_transpose(b, n, x, turn, rank, NULL);
    y = axis == rank - 1 ? Y : onnx_temp(b, n);
    onnx_set_int(b, onnx_op(b, n->op->onnx.type, &x, 1, y), "axis", rank - 1);
    if (axis != rank - 1)
        onnx_transpose(b, n, y, turn, rank, Y);
    return 1;
}

static int lower_silu(struct onnx_build *b, const struct node *n)
{
    onnx_op2(b, n, "Mul", X, onnx_op1(b, n, "Sigmoid", X, NULL), Y);
    return 1;
}

static int lower_hardswish(struct onnx_build *b, const struct node *n)
{
    const char *x = X, *s;
    Onnx__NodeProto *op;

    if (b->opset >= 14)
        return 0;
    s = onnx_temp(b, n);
    op = onnx_op(b, "HardSigmoid", &x, 1, s);
    onnx_set_real(b, op, "alpha", 1. / 6);
    onnx_set_real(b, op, "beta", .5);
    onnx_op2(b, n, "Mul", x, s, Y);
    return 1;
}

/* x (1 + erf(x / sqrt 2)) / 2, or the form with tanh.  */
static int lower_gelu(struct onnx_build *b, const struct node *n)
{
    const char *x = X, *half, *t;

    if (b->opset >= 20)
        return 0;
    if (b->opset < 9 && strcmp(attr_str(n, "approximate"), "tanh") != 0)
        return err_set(b->e, ERR_UNSUPPORTED,
                       "op 'gelu' at '%s' needs opset 9, not %lld", Q(n->name),
                       (long long)b->opset);
    if (!strcmp(attr_str(n, "approximate"), "tanh")) {
        t = onnx_op2(b, n, "Mul", x, x, NULL);
        t = onnx_op2(b, n, "Mul", t, onnx_const_real(b, n, 0.044715), NULL);
        t = onnx_op2(b, n, "Add", t, onnx_const_real(b, n, 1), NULL);
        t = onnx_op2(b, n, "Mul", t, x, NULL);
        t = onnx_op2(b, n, "Mul", t, onnx_const_real(b, n, sqrt(2 / M_PI)),
                     NULL);
        t = onnx_op1(b, n, "Tanh", t, NULL);
    } else {
        t = onnx_op2(b, n, "Mul", x, onnx_const_real(b, n, M_SQRT1_2), NULL);
        t = onnx_op1(b, n, "Erf", t, NULL);
    }
    t = onnx_op2(b, n, "Add", t, onnx_const_real(b, n, 1), NULL);
    half = onnx_op2(b, n, "Mul", x, onnx_const_real(b, n, .5), NULL);
    onnx_op2(b, n, "Mul", half, t, Y);
    return 1;
}

/* The row has no beta.  */
static int lower_softplus(struct onnx_build *b, const struct node *n)
{
    const double beta = attr_real(n, "beta");
    const char *t;

    if (beta == 1)
        return 0;
    t = onnx_op2(b, n, "Mul", X, onnx_const_real(b, n, beta), NULL);
    t = onnx_op1(b, n, "Softplus", t, NULL);
    onnx_op2(b, n, "Mul", t, onnx_const_real(b, n, 1 / beta), Y);
    return 1;
}

static int lower_mish(struct onnx_build *b, const struct node *n)
{
    const char *t;

    if (b->opset >= 18)
        return 0;
    t = onnx_op1(b, n, "Softplus", X, NULL);
    t = onnx_op1(b, n, "Tanh", t, NULL);
    onnx_op2(b, n, "Mul", X, t, Y);
    return 1;
}

/* One slope meets all numbers, those of channels their axis.  */
static int lower_prelu(struct onnx_build *b, const struct node *n)
{
    const char *w = onnx_in(b, n, 1);

    if (attr_int(n, "per_channel"))
        w = onnx_along(b, n, w, n->in[1]->shape.dim[0], onnx_axis(n),
                       n->in[0]->shape.rank);
    onnx_op2(b, n, "PRelu", X, w, Y);
    return 1;
}

/* Into 8 bits and back.  An axis is said only where there are several scales;
 * 32-bit numbers have no zero point.  */
static int lower_pair(struct onnx_build *b, const struct node *n)
{
    const int wide = n->in[0]->dtype == DTYPE_I32;
    const char *in[] = {X, onnx_in(b, n, 1), wide ? "" : onnx_in(b, n, 2)};
    Onnx__NodeProto *op = onnx_op(b, n->op->onnx.type, in, 3, Y);

    if (n->in[1]->shape.rank)
        onnx_set_int(b, op, "axis", onnx_axis(n));
    return 1;
}

const struct onnx_lowering onnx_lower_maths[] = {
    {"add", 7, lower_chain},           {"clip", 7, lower_clip},
    {"dequantize", 13, lower_pair},    {"gelu", 7, lower_gelu},
    {"hardswish", 7, lower_hardswish}, {"hardtanh", 7, lower_clip},
    {"logsoftmax", 7, lower_softmax},  {"mish", 7, lower_mish},
    {"mul", 7, lower_chain},           {"prelu", 7, lower_prelu},
    {"quantize", 13, lower_pair},      {"relu6", 7, lower_relu6},
    {"silu", 7, lower_silu},           {"softmax", 7, lower_softmax},
    {"softplus", 7, lower_softplus},   {0},
};
