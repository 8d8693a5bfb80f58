/* onnx_fold.c -- see onnx_fold.h: numbers, results, who evaluates an operator.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_fold.h"

#include <string.h>

#include "base/err.h"

/* ---- numbers ---- */

int onnx_fold_whole(enum dtype t)
{
    return t != DTYPE_F32 && t != DTYPE_F64 && t != DTYPE_F16 &&
           t != DTYPE_BF16;
}

const void *onnx_fold_at(const struct tensor *t, int64_t i)
{
    return (const char *)t->data + i * (int64_t)dtype_size(t->dtype);
}

struct number onnx_fold_get(const struct slot *s, int64_t i)
{
    struct number x = {.batch = i < FOLD_FLAGS && s->batch >> i & 1};

    dtype_convert(DTYPE_F64, &x.f, s->t.dtype, onnx_fold_at(&s->t, i), 1);
    if (onnx_fold_whole(s->t.dtype))
        dtype_convert(DTYPE_I64, &x.i, s->t.dtype, onnx_fold_at(&s->t, i), 1);
    return x;
}

void onnx_fold_put(struct tensor *t, uint64_t *batch, int64_t i,
                   struct number x)
{
    void *to = (char *)t->data + i * (int64_t)dtype_size(t->dtype);

    if (onnx_fold_whole(t->dtype))
        dtype_convert(t->dtype, to, DTYPE_I64, &x.i, 1);
    else
        dtype_convert(t->dtype, to, DTYPE_F64, &x.f, 1);
    if (x.batch)
        *batch |= (uint64_t)1 << i;
}

/* ---- operands and results ---- */

int onnx_fold_operand(struct import *r, const onode *o, size_t i,
                      struct slot *s)
{
    struct err e = {0};
    const struct slot *at = import_has(o, i) ? import_slot(r, o, i, &e) : NULL;

    if (at && at->is_const)
        *s = *at;
    return at && at->is_const;
}

int onnx_fold_new(struct import *r, const onode *o, struct tensor *t,
                  enum dtype dt, const struct shape *s, struct err *e)
{
    int64_t n;

    if (shape_check(s, (int64_t)dtype_size(dt), &n, e) < 0)
        return import_no(o, "its result is too large", e);
    if (import_spend(r, o, n * (int64_t)dtype_size(dt), e) < 0)
        return -1;
    return tensor_new(t, dt, s, e);
}

int onnx_fold_done(struct import *r, const onode *o, struct tensor *t,
                   uint64_t batch, struct err *e)
{
    return import_put_const(r, o, 0, t, batch, e) < 0 ? -1 : 1;
}

int onnx_fold_ints(struct import *r, const onode *o, const int64_t *v, int rank,
                   int n, uint64_t batch, struct err *e)
{
    const struct shape s = {.rank = rank, .dim = {n}};
    struct tensor t;

    if (onnx_fold_new(r, o, &t, DTYPE_I64, &s, e) < 0)
        return -1;
    memcpy(t.data, v, (size_t)n * sizeof *v);
    return onnx_fold_done(r, o, &t, batch, e);
}

void onnx_fold_run(int64_t dim, int64_t start, int64_t end, int64_t step,
                   int64_t *from, int64_t *count)
{
    const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim;

    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    start = start < 0 ? 0 : start > high ? high : start;
    end = end < low ? low : end > dim ? dim : end;
    *from = start;
    *count = step > 0 ? (end - start + step - 1) / step
                      : (start - end - step - 1) / -step;
    if (*count < 0)
        *count = 0;
}

/* ---- operators ---- */

int import_fold(struct import *r, const onode *o, struct err *e)
{
    static const struct onnx_fold *const tables[] = {
        onnx_fold_makes, onnx_fold_maths, onnx_fold_moves, onnx_fold_picks};

    for (size_t i = 0; i < COUNT(tables); i++)
        for (const struct onnx_fold *f = tables[i]; f->type; f++)
            if (!strcmp(f->type, o->op_type))
                return f->fold(r, o, e);
    return onnx_fold_math(r, o, e);
}
