/* onnx_fold_make.c -- where constants come from: the file states them, or they
 * are sizes of values.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_fold.h"

static int fold_constant(struct import *r, const onode *o, struct err *e)
{
    const Onnx__AttributeProto *a = import_attr(o, "value");
    struct shape s = {.rank = 0};
    struct tensor t;

    if (a && a->t) {
        if (onnx_tensor_load(&t, a->t, &r->beside, e) < 0)
            return -1;
        return onnx_fold_done(r, o, &t, 0, e);
    }
    if ((a = import_attr(o, "value_int")) && a->has_i)
        return onnx_fold_ints(r, o, &a->i, 0, 1, 0, e);
    if ((a = import_attr(o, "value_ints")) && a->n_ints <= IMPORT_OPERANDS)
        return onnx_fold_ints(r, o, a->ints, 1, (int)a->n_ints, 0, e);
    if (!(a = import_attr(o, "value_float")) || !a->has_f)
        return 0;
    if (onnx_fold_new(r, o, &t, DTYPE_F32, &s, e) < 0)
        return -1;
    *(float *)t.data = a->f;
    return onnx_fold_done(r, o, &t, 0, e);
}

static int fold_constant_of_shape(struct import *r, const onode *o,
                                  struct err *e)
{
    const Onnx__AttributeProto *a = import_attr(o, "value");
    struct shape s = {0};
    struct slot one = {0};
    struct tensor t;
    uint64_t none = 0;
    int n = 0;
    const int64_t *dim = import_ints(r, o, 0, &n, NULL);
    enum dtype dt = DTYPE_F32;

    if (!dim || n > SHAPE_MAX)
        return 0;
    s.rank = n;
    memcpy(s.dim, dim, (size_t)n * sizeof *dim);
    if (a && a->t) {
        if (onnx_tensor_load(&one.t, a->t, &r->beside, e) < 0)
            return -1;
        dt = one.t.dtype;
    }
    if (one.t.data && tensor_count(&one.t) != 1)
        import_no(o, "its value is not one number", e);
    if (e->code || onnx_fold_new(r, o, &t, dt, &s, e) < 0) {
        tensor_unref(&one.t);
        return -1;
    }
    for (int64_t i = 0; one.t.data && i < tensor_count(&t); i++)
        onnx_fold_put(&t, &none, i, onnx_fold_get(&one, 0));
    tensor_unref(&one.t);
    return onnx_fold_done(r, o, &t, 0, e);
}

static int fold_range(struct import *r, const onode *o, struct err *e)
{
    struct slot s[3];
    struct shape y = {.rank = 1};
    struct tensor t;
    uint64_t none = 0;

    for (size_t i = 0; i < 3; i++)
        if (!onnx_fold_operand(r, o, i, &s[i]) || s[i].batch ||
            tensor_count(&s[i].t) != 1 || s[i].t.dtype != s[0].t.dtype)
            return 0;
    const struct number from = onnx_fold_get(&s[0], 0),
                        step = onnx_fold_get(&s[2], 0);
    const double n = ceil((onnx_fold_get(&s[1], 0).f - from.f) / step.f);

    if (!(n < INT32_MAX))
        return 0;
    y.dim[0] = n > 0 ? (int64_t)n : 0;
    if (onnx_fold_new(r, o, &t, s[0].t.dtype, &y, e) < 0)
        return -1;
    for (int64_t i = 0; i < y.dim[0]; i++)
        onnx_fold_put(
            &t, &none, i,
            (struct number){.i = (int64_t)((uint64_t)from.i +
                                           (uint64_t)i * (uint64_t)step.i),
                            .f = from.f + (double)i * step.f});
    return onnx_fold_done(r, o, &t, 0, e);
}

/* Exporters share equal parameters so.  */
static int fold_identity(struct import *r, const onode *o, struct err *e)
{
    struct slot s;

    if (!onnx_fold_operand(r, o, 0, &s))
        return 0;
    return import_alias(r, o, &s, e) < 0 ? -1 : 1;
}

/* ---- sizes of values ---- */

/* The shape that O asks for; -1 if it is not known.  */
static int shape_of(struct import *r, const onode *o, struct shape *s)
{
    struct err e = {0};
    const struct slot *at = import_has(o, 0) ? import_slot(r, o, 0, &e) : NULL;

    if (!at)
        return -1;
    *s = at->is_const ? at->t.shape : at->v->shape;
    if (at->merged) /* [T,N,C] stands for [T N,C] */
        *s = (struct shape){2, {s->dim[0] * s->dim[1], s->dim[2]}, 1};
    return 0;
}

static int fold_shape(struct import *r, const onode *o, struct err *e)
{
    struct shape s;
    int64_t from = import_attr_int(o, "start", 0), to;

    if (shape_of(r, o, &s) < 0)
        return 0;
    to = import_attr_int(o, "end", s.rank);
    onnx_fold_run(s.rank, from, to, 1, &from, &to);
    return onnx_fold_ints(r, o, s.dim + from, 1, (int)to,
                          (uint64_t)s.batch >> from & ((1u << to) - 1), e);
}

static int fold_size(struct import *r, const onode *o, struct err *e)
{
    struct shape s;
    int64_t n;

    if (shape_of(r, o, &s) < 0 || (s.batch & (s.batch - 1)))
        return 0;
    n = shape_count(&s);
    return onnx_fold_ints(r, o, &n, 0, 1, s.batch != 0, e);
}

const struct onnx_fold onnx_fold_makes[] = {
    {"Constant", fold_constant},
    {"ConstantOfShape", fold_constant_of_shape},
    {"Identity", fold_identity},
    {"Range", fold_range},
    {"Shape", fold_shape},
    {"Size", fold_size},
    {0},
};
