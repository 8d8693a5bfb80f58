/* onnx_lower.c -- see onnx_lower.h: find a lowering; operators that many write.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_lower.h"

#include <string.h>

#include "graph/graph.h"

int onnx_axis(const struct node *n)
{
    const int64_t a = attr_int(n, "axis");

    return (int)(a < 0 ? a + n->in[0]->shape.rank : a);
}

const char *onnx_reshape(struct onnx_build *b, const struct node *n,
                         const char *x, const int64_t *dim, int rank,
                         const char *out)
{
    return onnx_op2(b, n, "Reshape", x, onnx_const_ints(b, n, dim, rank), out);
}

const char *onnx_transpose(struct onnx_build *b, const struct node *n,
                           const char *x, const int64_t *perm, int rank,
                           const char *out)
{
    out = out ? out : onnx_temp(b, n);
    onnx_set_ints(b, onnx_op(b, "Transpose", &x, 1, out), "perm", perm, rank);
    return out;
}

const char *onnx_slice(struct onnx_build *b, const struct node *n,
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

const char *onnx_pad(struct onnx_build *b, const struct node *n, const char *x,
                     const int64_t *dim, int count, double value,
                     const char *mode, const char *out)
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

void onnx_split(struct onnx_build *b, const struct node *n,
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

const char *onnx_along(struct onnx_build *b, const struct node *n,
                       const char *p, int64_t c, int axis, int rank)
{
    int64_t dim[SHAPE_MAX];

    if (axis == rank - 1)
        return p;
    for (int i = 0; i < rank - axis; i++)
        dim[i] = i ? 1 : c;
    return onnx_reshape(b, n, p, dim, rank - axis, NULL);
}

onnx_lower_fn *onnx_lower_find(const char *op, int *since)
{
    static const struct onnx_lowering *const tables[] = {
        onnx_lower_layers, onnx_lower_maths, onnx_lower_moves,
        onnx_lower_pictures, onnx_lower_tokens};

    for (size_t i = 0; i < COUNT(tables); i++)
        for (const struct onnx_lowering *l = tables[i]; l->op; l++)
            if (!strcmp(l->op, op)) {
                *since = l->since;
                return l->lower;
            }
    return NULL;
}
