/* onnx_lower.c -- ops that need more than a row: several ONNX operators each.
 * SPDX-License-Identifier: MIT
 *
 * A lowering returns 1 when it wrote the node, 0 when the op's row says it,
 * and -1.  Where the batch is symbolic, a size is copied (0 in Reshape) or
 * left to be found (-1).  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_build.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "op/partition.h"

#define X onnx_in(b, n, 0)
#define Y onnx_out(b, n, 0)

/* Reshape X to the sizes DIM.  */
static const char *reshape(struct onnx_build *b, const struct node *n,
                           const char *x, const int64_t *dim, int rank,
                           const char *out)
{
    return onnx_op2(b, n, "Reshape", x, onnx_const_ints(b, n, dim, rank), out);
}

static const char *transpose(struct onnx_build *b, const struct node *n,
                             const char *x, const int64_t *perm, int rank,
                             const char *out)
{
    out = out ? out : onnx_temp(b, n);
    onnx_set_ints(b, onnx_op(b, "Transpose", &x, 1, out), "perm", perm, rank);
    return out;
}

static int axis_of_node(const struct node *n)
{
    const int64_t a = attr_int(n, "axis");

    return (int)(a < 0 ? a + n->in[0]->shape.rank : a);
}

/* Places [FROM, TO) of X along AXIS.  They are operands since opset 10.  */
static const char *cut(struct onnx_build *b, const struct node *n,
                       const char *x, int64_t axis, int64_t from, int64_t to,
                       const char *out)
{
    const char *in[4] = {x};
    Onnx__NodeProto *op;

    out = out ? out : onnx_temp(b, n);
    if (b->opset >= 10) {
        in[1] = onnx_const_ints(b, n, &from, 1);
        in[2] = onnx_const_ints(b, n, &to, 1);
        in[3] = onnx_const_ints(b, n, &axis, 1);
        onnx_op(b, "Slice", in, 4, out);
        return out;
    }
    op = onnx_op(b, "Slice", in, 1, out);
    onnx_set_ints(b, op, "axes", &axis, 1);
    onnx_set_ints(b, op, "starts", &from, 1);
    onnx_set_ints(b, op, "ends", &to, 1);
    return out;
}

/* Pad by the COUNT sizes DIM (those in front, then those behind) with VALUE.
 * They are operands since opset 11.  MODE may be NULL.  */
static const char *pad(struct onnx_build *b, const struct node *n,
                       const char *x, const int64_t *dim, int count,
                       double value, const char *mode, const char *out)
{
    const char *in[3] = {x, "", ""};
    Onnx__NodeProto *op;

    out = out ? out : onnx_temp(b, n);
    if (b->opset >= 11) {
        in[1] = onnx_const_ints(b, n, dim, count);
        in[2] = value != 0 ? onnx_const_real(b, n, value) : "";
    }
    op = onnx_op(b, "Pad", in, 3, out);
    if (mode)
        onnx_set_text(b, op, "mode", mode);
    if (b->opset >= 11)
        return out;
    onnx_set_ints(b, op, "pads", dim, count);
    onnx_set_real(b, op, "value", value);
    return out;
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

/* X cut along AXIS into the pieces PART.  Their sizes are an attribute until
 * opset 13, then an operand.  */
static void split(struct onnx_build *b, const struct node *n,
                  const int64_t *sizes, int count, int axis,
                  const char *const *part)
{
    const char *in[2] = {X};
    Onnx__NodeProto *op;

    if (b->opset >= 13)
        in[1] = onnx_const_ints(b, n, sizes, count);
    op = onnx_op(b, "Split", in, b->opset >= 13 ? 2 : 1, part[0]);
    op->n_output = (size_t)count;
    op->output = ARENA_NEWS(&b->arena, count, char *);
    for (int i = 0; i < count; i++)
        op->output[i] = (char *)(uintptr_t)part[i];
    onnx_set_int(b, op, "axis", axis);
    if (b->opset < 13)
        onnx_set_ints(b, op, "split", sizes, count);
}

/* ---- elementwise ---- */

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

/* ---- layers ---- */

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

    gemm(b, n, reshape(b, n, X, (int64_t[]){-1, in[2]}, 2, NULL), y);
    reshape(b, n, y, (int64_t[]){-1, out[1], out[2]}, 3, Y);
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
    w = transpose(b, n, onnx_in(b, n, 1), (int64_t[]){1, 0}, 2, NULL);
    y = onnx_op2(b, n, "MatMul", X, w, n->in[2] ? NULL : Y);
    if (n->in[2])
        onnx_op2(b, n, "Add", y, onnx_in(b, n, 2), Y);
    return 1;
}

/* Operands in another order.  */
static int lower_deformconv2d(struct onnx_build *b, const struct node *n)
{
    static const char *const lists[][2] = {{"kernel", "kernel_shape"},
                                           {"stride", "strides"},
                                           {"pad", "pads"},
                                           {"dilation", "dilations"}};
    const char *in[] = {X, onnx_in(b, n, 3), onnx_in(b, n, 1), onnx_in(b, n, 4),
                        onnx_in(b, n, 2)};
    Onnx__NodeProto *op;

    op = onnx_op(b, "DeformConv", in, 5, Y);
    for (size_t i = 0; i < COUNT(lists); i++) {
        int count;
        const int64_t *v = attr_ints(n, lists[i][0], &count);

        onnx_set_ints(b, op, lists[i][1], v, count);
    }
    onnx_set_int(b, op, "group", attr_int(n, "groups"));
    onnx_set_int(b, op, "offset_group", attr_int(n, "offset_groups"));
    return 1;
}

/* A scale that leads to exactly TO pixels: their number is rounded down, and
 * programs differ about whether the product is one of float or double.  */
static float scale_to(int64_t from, int64_t to)
{
    const float s = (float)to / (float)from;

    return floor((double)from * s) < (double)to ? nextafterf(s, INFINITY) : s;
}

/* Sizes would hold the batch: scales do not.  */
static int lower_upsample(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
    const struct shape four = shape_make(1, (int64_t[]){4});
    const float scale[] = {1, 1, scale_to(x->dim[2], y->dim[2]),
                           scale_to(x->dim[3], y->dim[3])};
    const int nearest = !strcmp(attr_str(n, "mode"), "nearest"), half = b->half;
    const char *in[] = {X, "", NULL};
    Onnx__NodeProto *op;

    b->half = 0; /* scales are f32, whatever the numbers are */
    in[2] = onnx_const_data(b, n, &four, scale);
    b->half = half;
    op = onnx_op(b, "Resize", in, 3, Y);
    onnx_set_text(b, op, "mode", nearest ? "nearest" : "linear");
    onnx_set_text(b, op, "coordinate_transformation_mode",
                  nearest                        ? "asymmetric"
                  : attr_int(n, "align_corners") ? "align_corners"
                                                 : "half_pixel");
    if (nearest)
        onnx_set_text(b, op, "nearest_mode", "floor");
    return 1;
}

/* The places of the outputs, (u, v, 1) each, times the matrix.  */
static int lower_affinegrid(struct onnx_build *b, const struct node *n)
{
    const struct shape *y = &n->out[0]->shape;
    const int64_t rows = y->dim[1], columns = y->dim[2], count = rows * columns;
    const int64_t size[2] = {columns, rows};
    const int align = (int)attr_int(n, "align_corners");
    const struct shape s = shape_make(2, (int64_t[]){3, count});
    float *at = ARENA_NEWS(&b->arena, 3 * count, float);
    const char *t = X;

    for (int64_t i = 0; i < count; i++) {
        const int64_t place[2] = {i % columns, i / columns};

        for (int d = 0; d < 2; d++)
            at[d * count + i] =
                !align        ? (float)(2 * place[d] + 1) / (float)size[d] - 1
                : size[d] > 1 ? 2 * (float)place[d] / (float)(size[d] - 1) - 1
                              : 0;
        at[2 * count + i] = 1;
    }
    if (attr_int(n, "residual")) {
        const float identity[] = {1, 0, 0, 0, 1, 0};
        const struct shape m = shape_make(3, (int64_t[]){1, 2, 3});

        t = onnx_op2(b, n, "Add", t, onnx_const_data(b, n, &m, identity), NULL);
    }
    t = onnx_op2(b, n, "MatMul", t, onnx_const_data(b, n, &s, at), NULL);
    t = transpose(b, n, t, (int64_t[]){0, 2, 1}, 3, NULL);
    reshape(b, n, t, (int64_t[]){0, rows, columns, 2}, 4, Y);
    return 1;
}

/* The name of the mode has changed.  */
static int lower_gridsample(struct onnx_build *b, const struct node *n)
{
    const char *in[] = {X, onnx_in(b, n, 1)};
    Onnx__NodeProto *op = onnx_op(b, "GridSample", in, 2, Y);

    onnx_set_text(b, op, "mode", b->opset >= 20 ? "linear" : "bilinear");
    onnx_set_text(b, op, "padding_mode", attr_str(n, "padding"));
    onnx_set_int(b, op, "align_corners", attr_int(n, "align_corners"));
    return 1;
}

static int lower_globalavgpool(struct onnx_build *b, const struct node *n)
{
    const char *p = onnx_op1(b, n, "GlobalAveragePool", X, NULL);

    onnx_set_int(b, onnx_op(b, "Flatten", &p, 1, Y), "axis", 1);
    return 1;
}

/* Constants of how a pooling window lies over the padded input.  */
struct hang {
    int64_t pad[4]; /* with what the last window hangs over the edge */
    int over;       /* it does */
};

static struct hang hang_of(const struct node *n)
{
    const int64_t *kernel = attr_ints(n, "kernel", NULL);
    const int64_t *stride = attr_ints(n, "stride", NULL);
    struct hang h = {{0}, 0};

    memcpy(h.pad, attr_ints(n, "pad", NULL), sizeof h.pad);
    for (int d = 0; d < 2; d++) {
        const int64_t need = (n->out[0]->shape.dim[2 + d] - 1) * stride[d] +
                             kernel[d] - h.pad[d] - n->in[0]->shape.dim[2 + d];

        if (need > h.pad[2 + d]) {
            h.pad[2 + d] = need;
            h.over = 1;
        }
    }
    return h;
}

static void pool_attrs(struct onnx_build *b, const struct node *n,
                       Onnx__NodeProto *op, const int64_t pad[4])
{
    onnx_set_ints(b, op, "kernel_shape", attr_ints(n, "kernel", NULL), 2);
    onnx_set_ints(b, op, "strides", attr_ints(n, "stride", NULL), 2);
    onnx_set_ints(b, op, "pads", pad, 4);
    if (b->opset >= 10)
        onnx_set_int(b, op, "ceil_mode", 0);
}

/* ceil_mode of ONNX lets a window begin behind the input, and runtimes differ
 * about it: the overhang is written as padding instead.  */
static int lower_maxpool2d(struct onnx_build *b, const struct node *n)
{
    const struct hang h = hang_of(n);
    const char *x = X;

    if (!attr_int(n, "ceil_mode") && b->opset >= 10)
        return 0;
    pool_attrs(b, n, onnx_op(b, "MaxPool", &x, 1, Y), h.pad);
    return 1;
}

/* The overhang never counts in a mean, the padding may.  */
static int lower_avgpool2d(struct onnx_build *b, const struct node *n)
{
    struct hang h = hang_of(n);
    const int64_t *p = attr_ints(n, "pad", NULL);
    const char *x = X;

    if (!attr_int(n, "ceil_mode") && b->opset >= 10)
        return 0;
    if (h.over && attr_int(n, "count_include_pad") &&
        (p[0] || p[1] || p[2] || p[3])) {
        x = pad(b, n, x, (int64_t[]){0, 0, p[0], p[1], 0, 0, p[2], p[3]}, 8, 0,
                "constant", NULL);
        for (int i = 0; i < 4; i++)
            h.pad[i] -= p[i];
    }
    Onnx__NodeProto *op = onnx_op(b, "AveragePool", &x, 1, Y);

    pool_attrs(b, n, op, h.pad);
    onnx_set_int(b, op, "count_include_pad",
                 !h.over && attr_int(n, "count_include_pad"));
    return 1;
}

/* Rows of weights that average the cells: y = A x B.  */
static const char *cells(struct onnx_build *b, const struct node *n,
                         int64_t from, int64_t to, int transposed)
{
    struct shape s = shape_make(2, (int64_t[]){to, from});
    float *w = ARENA_NEWS(&b->arena, from * to, float);

    for (int64_t p = 0; p < to; p++) {
        const int64_t lo = p * from / to, hi = ((p + 1) * from + to - 1) / to;

        for (int64_t i = lo; i < hi; i++)
            w[transposed ? i * to + p : p * from + i] = 1 / (float)(hi - lo);
    }
    if (transposed)
        s = shape_make(2, (int64_t[]){from, to});
    return onnx_const_data(b, n, &s, w);
}

static int lower_adaptiveavgpool2d(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
    const char *rows =
        onnx_op2(b, n, "MatMul", X, cells(b, n, x->dim[3], y->dim[3], 1), NULL);

    onnx_op2(b, n, "MatMul", cells(b, n, x->dim[2], y->dim[2], 0), rows, Y);
    return 1;
}

/* P, [C], as it multiplies along AXIS of an array of rank RANK.  */
static const char *along(struct onnx_build *b, const struct node *n,
                         const char *p, int64_t c, int axis, int rank)
{
    int64_t dim[SHAPE_MAX];

    if (axis == rank - 1)
        return p;
    for (int i = 0; i < rank - axis; i++)
        dim[i] = i ? 1 : c;
    return reshape(b, n, p, dim, rank - axis, NULL);
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
                     along(b, n, onnx_in(b, n, 1), c, axis, rank),
                     n->in[2] ? NULL : Y);
    if (n->in[2])
        onnx_op2(b, n, "Add", y, along(b, n, onnx_in(b, n, 2), c, axis, rank),
                 Y);
}

/* LayerNormalization is of the last axis and of opset 17.  */
static int lower_layernorm(struct onnx_build *b, const struct node *n)
{
    const int rank = n->in[0]->shape.rank, axis = axis_of_node(n);
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
    in[0] = reshape(b, n, X, (int64_t[]){0, groups, -1}, 3, NULL);
    in[1] = filled(b, n, groups, 1);
    in[2] = filled(b, n, groups, 0);
    onnx_set_real(b, onnx_op(b, "InstanceNormalization", in, 3, y), "epsilon",
                  attr_real(n, "eps"));
    y = reshape(b, n, y, back, x->rank, n->in[1] || n->in[2] ? NULL : Y);
    scale_shift(b, n, y, 1);
    return 1;
}

/* Operands in another order.  */
static int lower_embedding(struct onnx_build *b, const struct node *n)
{
    onnx_op2(b, n, "Gather", onnx_in(b, n, 1), X, Y);
    return 1;
}

static int lower_scale(struct onnx_build *b, const struct node *n)
{
    const int axis = axis_of_node(n);

    onnx_op2(b, n, "Mul", X,
             along(b, n, onnx_in(b, n, 1), n->in[0]->shape.dim[axis], axis,
                   n->in[0]->shape.rank),
             Y);
    return 1;
}

/* ---- elementwise ---- */

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
    const int rank = n->in[0]->shape.rank, axis = axis_of_node(n);
    int64_t turn[SHAPE_MAX];
    const char *x = X, *y;

    if (b->opset >= 13)
        return 0;
    for (int i = 0; i < rank; i++)
        turn[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    if (axis != rank - 1)
        x = transpose(b, n, x, turn, rank, NULL);
    y = axis == rank - 1 ? Y : onnx_temp(b, n);
    onnx_set_int(b, onnx_op(b, n->op->onnx.type, &x, 1, y), "axis", rank - 1);
    if (axis != rank - 1)
        transpose(b, n, y, turn, rank, Y);
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
        w = along(b, n, w, n->in[1]->shape.dim[0], axis_of_node(n),
                  n->in[0]->shape.rank);
    onnx_op2(b, n, "PRelu", X, w, Y);
    return 1;
}

/* ---- moving ---- */

/* X becomes the result by other sizes alone.  */
static int reshape_to(struct onnx_build *b, const struct node *n, const char *x)
{
    const struct shape *y = &n->out[0]->shape;
    int64_t dim[SHAPE_MAX];

    for (int i = 0; i < y->rank; i++)
        dim[i] = y->batch >> i & 1 ? -1 : y->dim[i];
    reshape(b, n, x, dim, y->rank, Y);
    return 1;
}

static int lower_reshape(struct onnx_build *b, const struct node *n)
{
    return reshape_to(b, n, X);
}

/* Slice has no steps until opset 10: the largest of one is the one.  */
static int lower_subsample(struct onnx_build *b, const struct node *n)
{
    const int64_t s = attr_int(n, "stride");
    const char *in[5] = {X};
    Onnx__NodeProto *op;

    if (b->opset >= 10) {
        in[1] = onnx_const_ints(b, n, (int64_t[]){0, 0}, 2);
        in[2] = onnx_const_ints(b, n, (int64_t[]){INT64_MAX, INT64_MAX}, 2);
        in[3] = onnx_const_ints(b, n, (int64_t[]){2, 3}, 2);
        in[4] = onnx_const_ints(b, n, (int64_t[]){s, s}, 2);
        onnx_op(b, "Slice", in, 5, Y);
        return 1;
    }
    op = onnx_op(b, "MaxPool", in, 1, Y);
    onnx_set_ints(b, op, "kernel_shape", (int64_t[]){1, 1}, 2);
    onnx_set_ints(b, op, "strides", (int64_t[]){s, s}, 2);
    onnx_set_ints(b, op, "pads", (int64_t[]){0, 0, 0, 0}, 4);
    return 1;
}

static int lower_slice(struct onnx_build *b, const struct node *n)
{
    const int64_t from = attr_int(n, "start");

    cut(b, n, X, axis_of_node(n), from, from + attr_int(n, "length"), Y);
    return 1;
}

/* Slice and drop the axis: Squeeze has changed its form, Reshape has not.  */
static int lower_select(struct onnx_build *b, const struct node *n)
{
    const int64_t from = attr_int(n, "index");

    return reshape_to(b, n,
                      cut(b, n, X, axis_of_node(n), from, from + 1, NULL));
}

/* [N,C,H,W] -> [N,C,H W] -> [N,H W,C].  */
static int lower_tokens(struct onnx_build *b, const struct node *n)
{
    const struct shape *y = &n->out[0]->shape;
    const char *flat =
        reshape(b, n, X, (int64_t[]){0, y->dim[2], y->dim[1]}, 3, NULL);

    transpose(b, n, flat, (int64_t[]){0, 2, 1}, 3, Y);
    return 1;
}

/* The first C, the second C or the last C numbers of each token as [N,HEADS,T,
 * C/HEADS], or turned by PERM otherwise.  */
static const char *head_part(struct onnx_build *b, const struct node *n,
                             const char *part, const int64_t *perm)
{
    const struct shape *y = &n->out[0]->shape;
    const int64_t heads = attr_int(n, "heads");
    const int64_t dim[] = {0, y->dim[1], heads, y->dim[2] / heads};

    return transpose(b, n, reshape(b, n, part, dim, 4, NULL), perm, 4, NULL);
}

/* Bias G is that of each Gth sample on.  */
static const char *biased(struct onnx_build *b, const struct node *n,
                          const char *scores)
{
    const struct shape *s = &n->in[1]->shape;
    const int64_t wide[] = {-1, s->dim[0], s->dim[1], s->dim[2], s->dim[3]};
    const int64_t back[] = {-1, s->dim[1], s->dim[2], s->dim[3]};

    if (s->dim[0] > 1)
        scores = reshape(b, n, scores, wide, 5, NULL);
    scores = onnx_op2(b, n, "Add", scores, onnx_in(b, n, 1), NULL);
    return s->dim[0] > 1 ? reshape(b, n, scores, back, 4, NULL) : scores;
}

/* Split, a stack of matrices each, softmax((q / sqrt D) k' + bias) v, and
 * back.  */
static int lower_attention(struct onnx_build *b, const struct node *n)
{
    const struct shape *y = &n->out[0]->shape;
    const int64_t c = y->dim[2], heads = attr_int(n, "heads");
    const int64_t forth[] = {0, 2, 1, 3}, turned[] = {0, 2, 3, 1};
    const char *part[3], *q, *k, *v, *p = onnx_temp(b, n);

    for (int i = 0; i < 3; i++)
        part[i] = onnx_temp(b, n);
    split(b, n, (int64_t[]){c, c, c}, 3, 2, part);
    q = head_part(b, n, part[0], forth);
    q = onnx_op2(b, n, "Mul", q,
                 onnx_const_real(b, n, 1 / sqrt((double)(c / heads))), NULL);
    k = head_part(b, n, part[1], turned);
    v = head_part(b, n, part[2], forth);
    q = onnx_op2(b, n, "MatMul", q, k, NULL);
    if (n->in[1])
        q = biased(b, n, q);
    onnx_set_int(b, onnx_op(b, "Softmax", &q, 1, p), "axis",
                 b->opset >= 13 ? -1 : 3); /* the last, both */
    p = onnx_op2(b, n, "MatMul", p, v, NULL);
    p = transpose(b, n, p, forth, 4, NULL);
    reshape(b, n, p, (int64_t[]){0, y->dim[1], c}, 3, Y);
    return 1;
}

/* ---- windows ---- */

/* [N,H,W,C] with zeros below and at the right, to HEIGHT x WIDTH: Pad of other
 * axes than the last two is not read.  */
static const char *fill_up(struct onnx_build *b, const struct node *n,
                           const char *x, const struct partition *p)
{
    const int64_t more[] = {0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            p->windows[0] * p->side - p->grid[0],
                            p->windows[1] * p->side - p->grid[1]};

    if (!more[6] && !more[7])
        return x;
    x = transpose(b, n, x, (int64_t[]){0, 3, 1, 2}, 4, NULL);
    x = pad(b, n, x, more, 8, 0, "constant", NULL);
    return transpose(b, n, x, (int64_t[]){0, 2, 3, 1}, 4, NULL);
}

static const char *run(struct onnx_build *b, const struct node *n,
                       const char *x, int64_t axis, int64_t from, int64_t to)
{
    const char *in[] = {x, onnx_const_ints(b, n, &from, 1),
                        onnx_const_ints(b, n, &to, 1),
                        onnx_const_ints(b, n, &axis, 1)};
    const char *y = onnx_temp(b, n);

    onnx_op(b, "Slice", in, 4, y);
    return y;
}

/* Both middle axes moved: what was at SHIFT, from the edge for negative ones,
 * comes first.  */
static const char *roll(struct onnx_build *b, const struct node *n,
                        const char *x, const struct partition *p, int64_t shift)
{
    for (int i = 0; i < 2 && shift; i++) {
        const int64_t size = p->windows[i] * p->side;
        const int64_t at = shift < 0 ? size + shift : shift;
        const char *in[] = {run(b, n, x, 1 + i, at, size),
                            run(b, n, x, 1 + i, 0, at)};

        x = onnx_temp(b, n);
        onnx_set_int(b, onnx_op(b, "Concat", in, 2, x), "axis", 1 + i);
    }
    return x;
}

static int lower_windowpartition(struct onnx_build *b, const struct node *n)
{
    const struct partition p = partition_of(n);
    const int64_t c = n->in[0]->shape.dim[2];
    const int64_t map[] = {0, p.grid[0], p.grid[1], c};
    const int64_t cut[] = {0, p.windows[0], p.side, p.windows[1], p.side, c};
    const char *x = fill_up(b, n, reshape(b, n, X, map, 4, NULL), &p);

    x = reshape(b, n, roll(b, n, x, &p, p.shift), cut, 6, NULL);
    x = transpose(b, n, x, (int64_t[]){0, 1, 3, 2, 4, 5}, 6, NULL);
    reshape(b, n, x, (int64_t[]){-1, p.tokens, c}, 3, Y);
    return 1;
}

static int lower_windowreverse(struct onnx_build *b, const struct node *n)
{
    const struct partition p = partition_of(n);
    const int64_t c = n->in[0]->shape.dim[2];
    const int64_t cut[] = {-1, p.windows[0], p.windows[1], p.side, p.side, c};
    const int64_t map[] = {0, p.windows[0] * p.side, p.windows[1] * p.side, c};
    const char *x = reshape(b, n, X, cut, 6, NULL);

    x = transpose(b, n, x, (int64_t[]){0, 1, 3, 2, 4, 5}, 6, NULL);
    x = roll(b, n, reshape(b, n, x, map, 4, NULL), &p, -p.shift);
    for (int i = 0; i < 2; i++)
        if (p.grid[i] < map[1 + i])
            x = run(b, n, x, 1 + i, 0, p.grid[i]);
    reshape(b, n, x, (int64_t[]){0, p.grid[0] * p.grid[1], c}, 3, Y);
    return 1;
}

/* A constant: the table is read at places that are fixed.  */
static int lower_windowbias(struct onnx_build *b, const struct node *n)
{
    const struct shape *s = &n->out[0]->shape;
    struct tensor out =
        tensor_view(DTYPE_F32, s, ARENA_NEWS(&b->arena, shape_count(s), float));
    const struct op_args a = {.node = n, .in = &n->in[0]->data, .out = &out};

    if (!n->in[0]->data.data)
        return err_set(b->e, ERR_UNSUPPORTED,
                       "op 'windowbias' at '%s': its table is no parameter",
                       Q(n->name));
    n->op->forward(&a);
    onnx_op1(b, n, "Identity", onnx_const_data(b, n, s, out.data), Y);
    return 1;
}

/* x behind zeros and the tokens before zeros, added: no operator repeats the
 * tokens for each sample without asking for the batch.  */
static int lower_classtoken(struct onnx_build *b, const struct node *n)
{
    const int64_t count = attr_int(n, "count");
    const int64_t front[] = {0, count, 0, 0, 0, 0};
    const int64_t behind[] = {0, 0, 0, 0, n->in[0]->shape.dim[1], 0};
    const char *x, *t;

    x = pad(b, n, X, front, 6, 0, NULL, NULL);
    t = pad(b, n, onnx_in(b, n, 1), behind, 6, 0, NULL, NULL);
    onnx_op2(b, n, "Add", x, t, Y);
    return 1;
}

static int lower_padchannels(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape;
    const int64_t more = n->out[0]->shape.dim[1] - x->dim[1];
    const int64_t front = attr_int(n, "split") ? more / 2 : 0;
    int64_t dim[2 * SHAPE_MAX] = {0};

    dim[1] = front;
    dim[x->rank + 1] = more - front;
    pad(b, n, X, dim, 2 * x->rank, 0, NULL, Y);
    return 1;
}

static int lower_pad(struct onnx_build *b, const struct node *n)
{
    const int64_t *p = attr_ints(n, "pad", NULL);

    pad(b, n, X, (int64_t[]){0, 0, p[0], p[1], 0, 0, p[2], p[3]}, 8,
        attr_real(n, "value"), attr_str(n, "mode"), Y);
    return 1;
}

/* [N,C,...] as [N,G,C/G,...], the two turned, and back.  */
static int lower_channelshuffle(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape;
    const int64_t g = attr_int(n, "groups");
    int64_t wide[SHAPE_MAX + 1] = {0, g, x->dim[1] / g};
    int64_t back[SHAPE_MAX] = {0, x->dim[1]};
    int64_t perm[SHAPE_MAX + 1] = {0, 2, 1};
    const char *y;

    for (int i = 2; i < x->rank; i++) {
        back[i] = wide[i + 1] = x->dim[i];
        perm[i + 1] = i + 1;
    }
    y = reshape(b, n, X, wide, x->rank + 1, NULL);
    y = transpose(b, n, y, perm, x->rank + 1, NULL);
    reshape(b, n, y, back, x->rank, Y);
    return 1;
}

static int lower_split(struct onnx_build *b, const struct node *n)
{
    int count;
    const int64_t *sizes = attr_ints(n, "sizes", &count);
    const char **part = ARENA_NEWS(&b->arena, count, const char *);

    for (int i = 0; i < count; i++)
        part[i] = onnx_out(b, n, i);
    split(b, n, sizes, count, axis_of_node(n), part);
    return 1;
}

/* ---- 8 bits ---- */

/* An axis is said only where there are several scales; 32-bit numbers have no
 * zero point.  */
static int lower_pair(struct onnx_build *b, const struct node *n)
{
    const int wide = n->in[0]->dtype == DTYPE_I32;
    const char *in[] = {X, onnx_in(b, n, 1), wide ? "" : onnx_in(b, n, 2)};
    Onnx__NodeProto *op = onnx_op(b, n->op->onnx.type, in, 3, Y);

    if (n->in[1]->shape.rank)
        onnx_set_int(b, op, "axis", axis_of_node(n));
    return 1;
}

static const struct {
    const char *op;
    int since; /* lowest opset of the operators used */
    onnx_lower_fn *lower;
} lowerings[] = {
    {"adaptiveavgpool2d", 7, lower_adaptiveavgpool2d},
    {"add", 7, lower_chain},
    {"affinegrid", 9, lower_affinegrid},
    {"attention", 7, lower_attention},
    {"avgpool2d", 7, lower_avgpool2d},
    {"batchnorm2d", 7, lower_batchnorm2d},
    {"channelshuffle", 5, lower_channelshuffle},
    {"classtoken", 7, lower_classtoken},
    {"clip", 7, lower_clip},
    {"deformconv2d", 19, lower_deformconv2d},
    {"dequantize", 13, lower_pair},
    {"embedding", 7, lower_embedding},
    {"gelu", 7, lower_gelu},
    {"globalavgpool", 7, lower_globalavgpool},
    {"gridsample", 16, lower_gridsample},
    {"groupnorm", 7, lower_groupnorm},
    {"hardtanh", 7, lower_clip},
    {"hardswish", 7, lower_hardswish},
    {"instancenorm", 7, lower_instancenorm},
    {"layernorm", 7, lower_layernorm},
    {"linear", 7, lower_linear},
    {"logsoftmax", 7, lower_softmax},
    {"maxpool2d", 7, lower_maxpool2d},
    {"mish", 7, lower_mish},
    {"mul", 7, lower_chain},
    {"pad", 7, lower_pad},
    {"padchannels", 7, lower_padchannels},
    {"prelu", 7, lower_prelu},
    {"quantize", 13, lower_pair},
    {"reduce", 11, lower_reduce},
    {"relu6", 7, lower_relu6},
    {"reshape", 5, lower_reshape},
    {"scale", 7, lower_scale},
    {"select", 7, lower_select},
    {"silu", 7, lower_silu},
    {"slice", 7, lower_slice},
    {"softmax", 7, lower_softmax},
    {"softplus", 7, lower_softplus},
    {"split", 7, lower_split},
    {"subsample", 7, lower_subsample},
    {"tokens", 5, lower_tokens},
    {"upsample", 13, lower_upsample},
    {"windowbias", 1, lower_windowbias},
    {"windowpartition", 11, lower_windowpartition},
    {"windowreverse", 10, lower_windowreverse},
};

onnx_lower_fn *onnx_lower_find(const char *op, int *since)
{
    for (size_t i = 0; i < COUNT(lowerings); i++)
        if (!strcmp(lowerings[i].op, op)) {
            *since = lowerings[i].since;
            return lowerings[i].lower;
        }
    return NULL;
}
