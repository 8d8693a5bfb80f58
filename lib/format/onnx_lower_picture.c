/* onnx_lower_picture.c -- lowerings of what is done to pictures: pooling, other
 * sizes, grids, convolution with offsets.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "format/onnx_lower.h"
#include "graph/graph.h"

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

/* ---- other sizes, grids ---- */

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
    t = onnx_transpose(b, n, t, (int64_t[]){0, 2, 1}, 3, NULL);
    onnx_reshape(b, n, t, (int64_t[]){0, rows, columns, 2}, 4, Y);
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

/* ---- pooling ---- */

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
        x = onnx_pad(b, n, x, (int64_t[]){0, 0, p[0], p[1], 0, 0, p[2], p[3]},
                     8, 0, "constant", NULL);
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

const struct onnx_lowering onnx_lower_pictures[] = {
    {"adaptiveavgpool2d", 7, lower_adaptiveavgpool2d},
    {"affinegrid", 9, lower_affinegrid},
    {"avgpool2d", 7, lower_avgpool2d},
    {"deformconv2d", 19, lower_deformconv2d},
    {"globalavgpool", 7, lower_globalavgpool},
    {"gridsample", 16, lower_gridsample},
    {"maxpool2d", 7, lower_maxpool2d},
    {"upsample", 13, lower_upsample},
    {0},
};
