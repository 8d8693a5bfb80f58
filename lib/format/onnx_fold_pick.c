/* onnx_fold_pick.c -- constants joined, and some of their numbers chosen, while
 * reading.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_fold.h"
#include "op/axis.h"
#include "op/join.h"

/* Behind AXIS of T from place AT on: the numbers of S.  */
static void insert(struct tensor *t, uint64_t *batch, const struct slot *s,
                   int axis, int64_t at)
{
    const struct axis to = axis_of(&t->shape, axis);
    const struct axis from = axis_of(&s->t.shape, axis);
    const int64_t run = from.size * from.inner;
    const size_t size = dtype_size(t->dtype);

    for (int64_t i = 0; i < from.outer; i++) {
        const int64_t j = (i * to.size + at) * to.inner;

        memcpy((char *)t->data + j * (int64_t)size,
               onnx_fold_at(&s->t, i * run), (size_t)run * size);
        for (int64_t k = 0; k < run && i * run + k < FOLD_FLAGS && s->batch;
             k++)
            *batch |= (s->batch >> (i * run + k) & 1) << (j + k);
    }
}

/* Whether the constants of O fit along AXIS; Y is what they make.  */
static int join_sizes(struct import *r, const onode *o, struct shape *y,
                      enum dtype *dt, int *axis)
{
    struct slot s;
    uint64_t batch = 0;

    for (size_t i = 0; i < o->n_input; i++) {
        struct shape one;

        if (!onnx_fold_operand(r, o, i, &s))
            return 0;
        one = s.t.shape;
        if (!i) {
            *y = one;
            *dt = s.t.dtype;
            *axis = import_axis(import_attr_int(o, "axis", 0), y->rank);
            y->dim[*axis < 0 ? 0 : *axis] = 0;
        }
        if (*axis < 0 || one.rank != y->rank || s.t.dtype != *dt)
            return 0;
        const int64_t more = one.dim[*axis];

        one.dim[*axis] = y->dim[*axis];
        if (!shape_equal(&one, y) ||
            i64_add(more, one.dim[*axis], &y->dim[*axis]) < 0)
            return 0;
        batch |= s.batch;
    }
    return o->n_input && (!batch || shape_count(y) <= FOLD_FLAGS);
}

static int fold_concat(struct import *r, const onode *o, struct err *e)
{
    struct shape y;
    enum dtype dt;
    struct tensor t;
    struct slot s;
    uint64_t batch = 0;
    int64_t at = 0;
    int axis;

    if (!join_sizes(r, o, &y, &dt, &axis))
        return 0;
    if (onnx_fold_new(r, o, &t, dt, &y, e) < 0)
        return -1;
    for (size_t i = 0; i < o->n_input && onnx_fold_operand(r, o, i, &s); i++) {
        if (tensor_count(&s.t))
            insert(&t, &batch, &s, axis, at);
        at += s.t.shape.dim[axis];
    }
    return onnx_fold_done(r, o, &t, batch, e);
}

/* ---- choosing ---- */

/* The shape of DATA with axis AXIS replaced by that of INDEX.  */
static int gather_shape(struct shape *y, const struct shape *data, int axis,
                        const struct shape *index)
{
    int n = 0;

    if (data->rank - 1 + index->rank > SHAPE_MAX)
        return -1;
    for (int i = 0; i < axis; i++)
        y->dim[n++] = data->dim[i];
    for (int i = 0; i < index->rank; i++)
        y->dim[n++] = index->dim[i];
    for (int i = axis + 1; i < data->rank; i++)
        y->dim[n++] = data->dim[i];
    y->rank = n;
    y->batch = 0;
    return 0;
}

static int gather(struct tensor *t, uint64_t *batch, const struct slot *s,
                  const struct slot *index, int axis)
{
    const struct axis a = axis_of(&s->t.shape, axis);
    const int64_t n = tensor_count(&index->t);
    const size_t run = (size_t)a.inner * dtype_size(s->t.dtype);

    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t k = 0; k < n; k++) {
            const int64_t i = onnx_fold_get(index, k).i;
            const int64_t from = o * a.size + (i < 0 ? i + a.size : i);

            if (i < -a.size || i >= a.size)
                return -1;
            memcpy((char *)t->data + (size_t)(o * n + k) * run,
                   (const char *)s->t.data + (size_t)from * run, run);
            if (a.inner == 1 && o * n + k < FOLD_FLAGS && from < FOLD_FLAGS)
                *batch |= (s->batch >> from & 1) << (o * n + k);
        }
    return 0;
}

static int fold_gather(struct import *r, const onode *o, struct err *e)
{
    struct slot s, index;
    struct shape y;
    struct tensor t;
    uint64_t batch = 0;

    if (!onnx_fold_operand(r, o, 0, &s) ||
        !onnx_fold_operand(r, o, 1, &index) || index.batch ||
        !onnx_fold_whole(index.t.dtype))
        return 0;
    const int axis = import_axis(import_attr_int(o, "axis", 0), s.t.shape.rank);

    if (axis < 0 || gather_shape(&y, &s.t.shape, axis, &index.t.shape) < 0)
        return 0;
    if (onnx_fold_new(r, o, &t, s.t.dtype, &y, e) < 0)
        return -1;
    if (gather(&t, &batch, &s, &index, axis) == 0)
        return onnx_fold_done(r, o, &t, batch, e);
    tensor_unref(&t);
    return import_no(o, "an index is out of range", e);
}

static int fold_where(struct import *r, const onode *o, struct err *e)
{
    struct slot c, s[2];
    struct shape y;
    struct tensor t;
    struct err no = {0};
    uint64_t batch = 0;

    if (!onnx_fold_operand(r, o, 0, &c) || !onnx_fold_operand(r, o, 1, &s[0]) ||
        !onnx_fold_operand(r, o, 2, &s[1]) || s[0].t.dtype != s[1].t.dtype)
        return 0;
    y = c.t.shape;
    if (join_shape(&y, &s[0].t.shape, &no) < 0 ||
        join_shape(&y, &s[1].t.shape, &no) < 0 ||
        ((s[0].batch || s[1].batch) && shape_count(&y) > FOLD_FLAGS))
        return 0;
    if (onnx_fold_new(r, o, &t, s[0].t.dtype, &y, e) < 0)
        return -1;
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        const struct slot *from =
            &s[!onnx_fold_get(&c, axis_broadcast(&c.t.shape, &y, i)).i];

        onnx_fold_put(
            &t, &batch, i,
            onnx_fold_get(from, axis_broadcast(&from->t.shape, &y, i)));
    }
    return onnx_fold_done(r, o, &t, batch, e);
}

/* Each row of INDEX names a block of T, which becomes that of MORE.  */
static int scatter(struct tensor *t, const struct slot *index,
                   const struct tensor *more)
{
    const struct shape *s = &index->t.shape;
    const int depth = (int)s->dim[s->rank - 1];
    const int64_t rows = tensor_count(&index->t) / (depth ? depth : 1);
    const struct axis a = axis_of(&t->shape, depth);
    const int64_t block = a.size * a.inner;
    const size_t run = (size_t)block * dtype_size(t->dtype);

    if (tensor_count(more) != rows * block)
        return -1;
    for (int64_t k = 0; k < rows; k++) {
        int64_t at = 0;

        for (int d = 0; d < depth; d++) {
            const int64_t i = onnx_fold_get(index, k * depth + d).i,
                          n = t->shape.dim[d];

            if (i < -n || i >= n)
                return -1;
            at = at * n + (i < 0 ? i + n : i);
        }
        memcpy((char *)t->data + (size_t)at * run,
               (const char *)more->data + (size_t)k * run, run);
    }
    return 0;
}

static int fold_scatter(struct import *r, const onode *o, struct err *e)
{
    struct slot s, index, more;
    struct tensor t;

    if (!onnx_fold_operand(r, o, 0, &s) ||
        !onnx_fold_operand(r, o, 1, &index) ||
        !onnx_fold_operand(r, o, 2, &more) || s.batch || index.batch ||
        more.batch ||
        (o->n_attribute && !import_attr_is(o, "reduction", "none")) ||
        s.t.dtype != more.t.dtype || !onnx_fold_whole(index.t.dtype) ||
        index.t.shape.rank < 1 ||
        index.t.shape.dim[index.t.shape.rank - 1] > s.t.shape.rank ||
        !tensor_count(&index.t))
        return 0;
    if (onnx_fold_new(r, o, &t, s.t.dtype, &s.t.shape, e) < 0)
        return -1;
    memcpy(t.data, s.t.data, tensor_bytes(&t));
    if (scatter(&t, &index, &more.t) == 0)
        return onnx_fold_done(r, o, &t, 0, e);
    tensor_unref(&t);
    return import_no(o, "an index is out of range", e);
}

const struct onnx_fold onnx_fold_picks[] = {
    {"Concat", fold_concat},
    {"Gather", fold_gather},
    {"ScatterND", fold_scatter},
    {"Where", fold_where},
    {0},
};
