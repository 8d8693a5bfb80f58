/* onnx_fold_move.c -- constants in another order and of other sizes, while
 * reading.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_fold.h"
#include "op/join.h"

/* ---- another order ---- */

/* Element of the operand that an element of a result of shape Y is.  */
struct strided {
    struct shape y;
    int64_t from, step[SHAPE_MAX];
};

static int64_t source(const struct strided *v, int64_t i)
{
    int64_t at = v->from;

    for (int d = v->y.rank - 1; d >= 0; d--) {
        at += i % v->y.dim[d] * v->step[d];
        i /= v->y.dim[d];
    }
    return at;
}

static int fold_strided(struct import *r, const onode *o, const struct slot *s,
                        const struct strided *v, struct err *e)
{
    const size_t size = dtype_size(s->t.dtype);
    struct tensor t;
    uint64_t batch = 0;

    if (onnx_fold_new(r, o, &t, s->t.dtype, &v->y, e) < 0)
        return -1;
    const int64_t n = tensor_count(&t);

    for (int64_t i = 0; i < n; i++) {
        const int64_t at = source(v, i);

        memcpy((char *)t.data + i * (int64_t)size, onnx_fold_at(&s->t, at),
               size);
        if (i < FOLD_FLAGS && at < FOLD_FLAGS)
            batch |= (s->batch >> at & 1) << i;
    }
    return onnx_fold_done(r, o, &t, batch, e);
}

/* The steps of S as it lies.  */
static void contiguous(struct strided *v, const struct shape *s)
{
    int64_t step = 1;

    *v = (struct strided){.y = *s};
    for (int d = s->rank - 1; d >= 0; d--) {
        v->step[d] = step;
        step *= s->dim[d];
    }
}

static int fold_transpose(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided whole, v;
    unsigned seen = 0;

    if (!onnx_fold_operand(r, o, 0, &s))
        return 0;
    const int rank = s.t.shape.rank;
    const Onnx__AttributeProto *p = import_attr(o, "perm");

    if (p && p->n_ints != (size_t)rank)
        return 0;
    contiguous(&whole, &s.t.shape);
    v = whole;
    for (int i = 0; i < rank; i++) {
        const int64_t from = p ? p->ints[i] : rank - 1 - i;

        if (from < 0 || from >= rank || seen >> from & 1)
            return 0;
        seen |= 1u << from;
        v.y.dim[i] = whole.y.dim[from];
        v.step[i] = whole.step[from];
    }
    return fold_strided(r, o, &s, &v, e);
}

static int fold_slice(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided v;
    int n = 0, count[4] = {0};
    const int64_t *list[4] = {import_list(r, o, "starts", 1, &count[0]),
                              import_list(r, o, "ends", 2, &count[1]),
                              import_list(r, o, "axes", 3, &count[2]),
                              import_ints(r, o, 4, &count[3], NULL)};

    if (!onnx_fold_operand(r, o, 0, &s) || !list[0] || !list[1])
        return 0;
    n = count[0];
    if (n > SHAPE_MAX || count[1] != n || (list[2] && count[2] != n) ||
        (list[3] && count[3] != n))
        return 0;
    contiguous(&v, &s.t.shape);
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(list[2] ? list[2][i] : i, v.y.rank);
        const int64_t step = list[3] ? list[3][i] : 1;
        int64_t from;

        if (axis < 0 || !step || step < -INT32_MAX || step > INT32_MAX)
            return 0;
        onnx_fold_run(v.y.dim[axis], list[0][i], list[1][i], step, &from,
                      &v.y.dim[axis]);
        v.from += from * v.step[axis];
        v.step[axis] *= step;
    }
    return fold_strided(r, o, &s, &v, e);
}

/* Along sizes that count the batch the constant stays as it is, of size 1.  */
static int fold_expand(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided v;
    struct shape to = {0};
    struct err no = {0};
    uint64_t batch = 0;
    int n = 0;
    const int64_t *dim = import_ints(r, o, 1, &n, &batch);

    if (!onnx_fold_operand(r, o, 0, &s) || !dim || n > SHAPE_MAX)
        return 0;
    to.rank = n;
    for (int i = 0; i < n; i++)
        to.dim[i] = batch >> i & 1 ? 1 : dim[i];
    contiguous(&v, &s.t.shape);
    if (join_shape(&to, &s.t.shape, &no) < 0)
        return 0;
    const int front = to.rank - v.y.rank;

    for (int i = to.rank - 1; i >= 0; i--) {
        const int at = i - front;

        v.step[i] = at < 0 || v.y.dim[at] == 1 ? 0 : v.step[at];
    }
    v.y = to;
    return fold_strided(r, o, &s, &v, e);
}

/* ---- the same numbers, other sizes ---- */

static int with_shape(struct import *r, const onode *o, const struct slot *s,
                      const struct shape *to, struct err *e)
{
    struct tensor t;

    if (shape_count(to) != tensor_count(&s->t))
        return 0;
    t = tensor_ref(&s->t);
    t.shape = *to;
    return onnx_fold_done(r, o, &t, s->batch, e);
}

static int fold_reshape(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int64_t known = 1, total;
    int n = 0, open = -1;
    const int64_t *dim = import_list(r, o, "shape", 1, &n);

    if (!onnx_fold_operand(r, o, 0, &s) || !dim || n > SHAPE_MAX)
        return 0;
    total = tensor_count(&s.t);
    to.rank = n;
    for (int i = 0; i < n; i++) {
        to.dim[i] = dim[i];
        if (!dim[i] && i < s.t.shape.rank &&
            !import_attr_int(o, "allowzero", 0))
            to.dim[i] = s.t.shape.dim[i];
        if (dim[i] == -1 && open < 0)
            open = i;
        else if (dim[i] < 0 || i64_mul(known, to.dim[i], &known) < 0)
            return 0;
    }
    if (open >= 0 && known)
        to.dim[open] = total / known;
    return with_shape(r, o, &s, &to, e);
}

static int fold_unsqueeze(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    unsigned ones = 0;

    if (!onnx_fold_operand(r, o, 0, &s) || !axes ||
        n + s.t.shape.rank > SHAPE_MAX)
        return 0;
    to.rank = n + s.t.shape.rank;
    for (int i = 0; i < n; i++)
        ones |= import_axis(axes[i], to.rank) < 0
                    ? 0
                    : 1u << import_axis(axes[i], to.rank);
    for (int i = 0, k = 0; i < to.rank; i++)
        to.dim[i] = ones >> i & 1        ? 1
                    : k < s.t.shape.rank ? s.t.shape.dim[k++]
                                         : 0;
    return with_shape(r, o, &s, &to, e);
}

static int fold_squeeze(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    unsigned gone = 0;

    if (!onnx_fold_operand(r, o, 0, &s) || (!axes && import_has(o, 1)))
        return 0;
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(axes[i], s.t.shape.rank);

        gone |= axis < 0 ? 0 : 1u << axis;
    }
    for (int i = 0; i < s.t.shape.rank; i++)
        if (axes ? !(gone >> i & 1) : s.t.shape.dim[i] != 1)
            to.dim[to.rank++] = s.t.shape.dim[i];
    return with_shape(r, o, &s, &to, e);
}

const struct onnx_fold onnx_fold_moves[] = {
    {"Expand", fold_expand},
    {"Reshape", fold_reshape},
    {"Slice", fold_slice},
    {"Squeeze", fold_squeeze},
    {"Transpose", fold_transpose},
    {"Unsqueeze", fold_unsqueeze},
    {0},
};
