/* onnx_lower_move.c -- lowerings of what moves numbers and computes none.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_lower.h"
#include "graph/graph.h"

/* X becomes the result by other sizes alone.  */
static int reshape_to(struct onnx_build *b, const struct node *n, const char *x)
{
    const struct shape *y = &n->out[0]->shape;
    int64_t dim[SHAPE_MAX];

    for (int i = 0; i < y->rank; i++)
        dim[i] = y->batch >> i & 1 ? -1 : y->dim[i];
    onnx_reshape(b, n, x, dim, y->rank, Y);
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

    onnx_slice(b, n, X, onnx_axis(n), from, from + attr_int(n, "length"), Y);
    return 1;
}

/* Slice and drop the axis: Squeeze has changed its form, Reshape has not.  */
static int lower_select(struct onnx_build *b, const struct node *n)
{
    const int64_t from = attr_int(n, "index");

    return reshape_to(b, n,
                      onnx_slice(b, n, X, onnx_axis(n), from, from + 1, NULL));
}

static int lower_padchannels(struct onnx_build *b, const struct node *n)
{
    const struct shape *x = &n->in[0]->shape;
    const int64_t more = n->out[0]->shape.dim[1] - x->dim[1];
    const int64_t front = attr_int(n, "split") ? more / 2 : 0;
    int64_t dim[2 * SHAPE_MAX] = {0};

    dim[1] = front;
    dim[x->rank + 1] = more - front;
    onnx_pad(b, n, X, dim, 2 * x->rank, 0, NULL, Y);
    return 1;
}

static int lower_pad(struct onnx_build *b, const struct node *n)
{
    const int64_t *p = attr_ints(n, "pad", NULL);

    onnx_pad(b, n, X, (int64_t[]){0, 0, p[0], p[1], 0, 0, p[2], p[3]}, 8,
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
    y = onnx_reshape(b, n, X, wide, x->rank + 1, NULL);
    y = onnx_transpose(b, n, y, perm, x->rank + 1, NULL);
    onnx_reshape(b, n, y, back, x->rank, Y);
    return 1;
}

static int lower_split(struct onnx_build *b, const struct node *n)
{
    int count;
    const int64_t *sizes = attr_ints(n, "sizes", &count);
    const char **part = ARENA_NEWS(&b->arena, count, const char *);

    for (int i = 0; i < count; i++)
        part[i] = onnx_out(b, n, i);
    onnx_split(b, n, sizes, count, onnx_axis(n), part);
    return 1;
}

const struct onnx_lowering onnx_lower_moves[] = {
    {"channelshuffle", 5, lower_channelshuffle},
    {"pad", 7, lower_pad},
    {"padchannels", 7, lower_padchannels},
    {"reshape", 5, lower_reshape},
    {"select", 7, lower_select},
    {"slice", 7, lower_slice},
    {"split", 7, lower_split},
    {"subsample", 7, lower_subsample},
    {0},
};
