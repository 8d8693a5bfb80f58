/* onnx_lower_layers.c -- lowerings of linear layers, normalisation, and what is
 * measured along axes.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "format/onnx_lower.h"
#include "graph/graph.h"

/* [COUNT] of V.  */
static const char *filled(struct onnx_build *b, const struct node *n,
                          int64_t count, float v)
{
    const struct shape s = shape_make(1, &count);
    float *p = ARENA_NEWS(&b->arena, count, float);

    for (int64_t i = 0; i < count; i++)
        p[i] = v;
    return onnx_const_data(b, n, &s, p);
}

/* Without a scale: ones and zeros.  */
static int lower_batchnorm2d(struct onnx_build *b, const struct node *n)
{
    const int64_t c = n->in[3]->shape.dim[0];
    const char *in[5];

    if (n->in[1] && n->in[2])
        return 0;
    for (int i = 0; i < 5; i++)
        in[i] = onnx_in(b, n, i);
    if (!n->in[1])
        in[1] = filled(b, n, c, 1);
    if (!n->in[2])
        in[2] = filled(b, n, c, 0);
    onnx_set_real(b, onnx_op(b, "BatchNormalization", in, 5, Y), "epsilon",
                  attr_real(n, "eps"));
    return 1;
}

/* Until opset 11 the third operand must be there.  */
static void gemm(struct onnx_build *b, const struct node *n, const char *x,
                 const char *y)
{
    const char *in[3] = {x, onnx_in(b, n, 1), onnx_in(b, n, 2)};

    if (!n->in[2])
        in[2] = filled(b, n, n->in[1]->shape.dim[0], 0);
    onnx_set_int(b, onnx_op(b, "Gemm", in, 3, y), "transB", 1);
}

/* Tokens in 8 bits by Gemm, too: its weight and its bias come straight from
 * their pairs, and the sum is one of integers for whoever reads the file, as
 * it is here.  */
static void gemm_tokens(struct onnx_build *b, const struct node *n)
{
    const int64_t *in = n->in[0]->shape.dim, *out = n->out[0]->shape.dim;
    const char *y = onnx_temp(b, n);

    gemm(b, n, onnx_reshape(b, n, X, (int64_t[]){-1, in[2]}, 2, NULL), y);
    onnx_reshape(b, n, y, (int64_t[]){-1, out[1], out[2]}, 3, Y);
}

/* Gemm takes two axes.  */
static int lower_linear(struct onnx_build *b, const struct node *n)
{
    const char *w, *y;

    if (n->in[0]->shape.rank == 2) {
        if (b->opset < 11)
            gemm(b, n, X, Y);
        return b->opset < 11;
    }
    if (n->in[0]->shape.rank == 3 && n->in[0]->shape.batch == 1 &&
        n->in[1]->node && node_is(n->in[1]->node, "dequantize")) {
        gemm_tokens(b, n);
        return 1;
    }
    w = onnx_transpose(b, n, onnx_in(b, n, 1), (int64_t[]){1, 0}, 2, NULL);
    y = onnx_op2(b, n, "MatMul", X, w, n->in[2] ? NULL : Y);
    if (n->in[2])
        onnx_op2(b, n, "Add", y, onnx_in(b, n, 2), Y);
    return 1;
}

/* How the axes of a reduction are said: an attribute until opset SINCE, then
 * an operand.  */
static Onnx__NodeProto *reduction(struct onnx_build *b, const struct node *n,
                                  const char *type, int since, const char *x,
                                  const int64_t *axes, int count, const char *y)
{
    const char *in[2] = {x};
    Onnx__NodeProto *op;

    if (b->opset >= since)
        in[1] = onnx_const_ints(b, n, axes, count);
    op = onnx_op(b, type, in, b->opset >= since ? 2 : 1, y);
    if (b->opset < since)
        onnx_set_ints(b, op, "axes", axes, count);
    return op;
}

static const char *mean(struct onnx_build *b, const struct node *n,
                        const char *x, int axis)
{
    const int64_t a = axis;
    const char *y = onnx_temp(b, n);

    reduction(b, n, "ReduceMean", 18, x, &a, 1, y);
    return y;
}

static int lower_reduce(struct onnx_build *b, const struct node *n)
{
    static const struct {
        const char *kind, *type;
        int since;
    } kinds[] = {{"mean", "ReduceMean", 18},
                 {"sum", "ReduceSum", 13},
                 {"max", "ReduceMax", 18}};
    int count;
    const int64_t *axes = attr_ints(n, "axes", &count);

    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(attr_str(n, "kind"), kinds[i].kind))
            onnx_set_int(b,
                         reduction(b, n, kinds[i].type, kinds[i].since, X, axes,
                                   count, Y),
                         "keepdims", attr_int(n, "keep"));
    return 1;
}

/* Y by the scales and shifts of places along AXIS, if there are any.  */
static void scale_shift(struct onnx_build *b, const struct node *n,
                        const char *y, int axis)
{
    const int rank = n->in[0]->shape.rank;
    const int64_t c = n->in[0]->shape.dim[axis];

    if (n->in[1])
        y = onnx_op2(b, n, "Mul", y,
                     onnx_along(b, n, onnx_in(b, n, 1), c, axis, rank),
                     n->in[2] ? NULL : Y);
    if (n->in[2])
        onnx_op2(b, n, "Add", y,
                 onnx_along(b, n, onnx_in(b, n, 2), c, axis, rank), Y);
}

/* LayerNormalization is of the last axis and of opset 17.  */
static int lower_layernorm(struct onnx_build *b, const struct node *n)
{
    const int rank = n->in[0]->shape.rank, axis = onnx_axis(n);
    const char *d, *v, *y;

    if (b->opset >= 17 && axis == rank - 1 && n->in[1])
        return 0;
    d = onnx_op2(b, n, "Sub", X, mean(b, n, X, axis), NULL);
    v = mean(b, n, onnx_op2(b, n, "Mul", d, d, NULL), axis);
    v = onnx_op2(b, n, "Add", v, onnx_const_real(b, n, attr_real(n, "eps")),
                 NULL);
    v = onnx_op1(b, n, "Sqrt", v, NULL);
    y = onnx_op2(b, n, "Div", d, v, n->in[1] || n->in[2] ? NULL : Y);
    scale_shift(b, n, y, axis);
    return 1;
}

static int lower_instancenorm(struct onnx_build *b, const struct node *n)
{
    const int64_t c = n->in[0]->shape.dim[1];
    const char *in[] = {X, n->in[1] ? onnx_in(b, n, 1) : filled(b, n, c, 1),
                        n->in[2] ? onnx_in(b, n, 2) : filled(b, n, c, 0)};

    onnx_set_real(b, onnx_op(b, "InstanceNormalization", in, 3, Y), "epsilon",
                  attr_real(n, "eps"));
    return 1;
}

/* The groups as channels, and back; then the scale and shift of channels.  */
static int lower_groupnorm(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape;
    const int64_t groups = attr_int(n, "groups");
    int64_t back[SHAPE_MAX] = {0};
    const char *in[3], *y = onnx_temp(b, n);

    for (int i = 1; i < x->rank; i++)
        back[i] = x->dim[i];
    in[0] = onnx_reshape(b, n, X, (int64_t[]){0, groups, -1}, 3, NULL);
    in[1] = filled(b, n, groups, 1);
    in[2] = filled(b, n, groups, 0);
    onnx_set_real(b, onnx_op(b, "InstanceNormalization", in, 3, y), "epsilon",
                  attr_real(n, "eps"));
    y = onnx_reshape(b, n, y, back, x->rank, n->in[1] || n->in[2] ? NULL : Y);
    scale_shift(b, n, y, 1);
    return 1;
}

static int lower_scale(struct onnx_build *b, const struct node *n)
{
    const int axis = onnx_axis(n);

    onnx_op2(b, n, "Mul", X,
             onnx_along(b, n, onnx_in(b, n, 1), n->in[0]->shape.dim[axis], axis,
                        n->in[0]->shape.rank),
             Y);
    return 1;
}

const struct onnx_lowering onnx_lower_layers[] = {
    {"batchnorm2d", 7, lower_batchnorm2d},
    {"groupnorm", 7, lower_groupnorm},
    {"instancenorm", 7, lower_instancenorm},
    {"layernorm", 7, lower_layernorm},
    {"linear", 7, lower_linear},
    {"reduce", 11, lower_reduce},
    {"scale", 7, lower_scale},
    {0},
};
