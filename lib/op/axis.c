/* axis.c -- an array seen as [outer, size, inner] around one of its axes.
 * SPDX-License-Identifier: MIT  */
#include "op/axis.h"

struct axis axis_of(const struct shape *s, int axis)
{
    struct axis a = {1, 1, 1};
    for (int i = 0; i < s->rank; i++)
        *(i < axis ? &a.outer : i == axis ? &a.size : &a.inner) *= s->dim[i];
    return a;
}

int64_t axis_row(const struct axis *s, int64_t r)
{
    return r / s->inner * s->size * s->inner + r % s->inner;
}

struct shape axis_without(const struct shape *s, int axis)
{
    struct shape r = {.rank = s->rank - 1};
    for (int i = 0; i < r.rank; i++) {
        const int from = i + (i >= axis);
        r.dim[i] = s->dim[from];
        r.batch |= (uint8_t)((s->batch >> from & 1) << i);
    }
    return r;
}

int64_t axis_broadcast(const struct shape *x, const struct shape *y, int64_t i)
{
    int64_t at = 0, stride = 1;
    for (int d = 1; d <= x->rank; d++) {
        const int64_t size = y->dim[y->rank - d], mine = x->dim[x->rank - d];
        at += mine == 1 ? 0 : i % size * stride;
        stride *= mine;
        i /= size;
    }
    return at;
}

/* The first element of Y that reads element J of X.  */
static int64_t first_reader(const struct shape *x, const struct shape *y,
                            int64_t j)
{
    int64_t at = 0, stride = 1;
    for (int d = 1; d <= x->rank; d++) {
        at += j % x->dim[x->rank - d] * stride;
        j /= x->dim[x->rank - d];
        stride *= y->dim[y->rank - d];
    }
    return at;
}

/* The shape of the elements of Y that read one element of X, and by STRIDE
 * how far they lie apart.  */
static int64_t readers(const struct shape *x, const struct shape *y,
                       struct shape *rep, int64_t *stride)
{
    int64_t step = 1, count = 1;
    rep->rank = y->rank;
    for (int i = y->rank - 1; i >= 0; i--) {
        const int j = i - (y->rank - x->rank);
        rep->dim[i] = j < 0 || x->dim[j] == 1 ? y->dim[i] : 1;
        stride[i] = step;
        step *= y->dim[i];
        count *= rep->dim[i];
    }
    return count;
}

double axis_sum_one(const struct shape *x, const struct shape *y, int64_t j,
                    axis_term *term, const void *ctx)
{
    struct shape rep;
    int64_t stride[SHAPE_MAX];
    const int64_t times = readers(x, y, &rep, stride);
    const int64_t first = first_reader(x, y, j);
    double sum = 0;
    for (int64_t t = 0; t < times; t++) {
        int64_t at = first, rest = t;
        for (int i = rep.rank - 1; i >= 0; rest /= rep.dim[i--])
            at += rest % rep.dim[i] * stride[i];
        sum += term(ctx, at);
    }
    return sum;
}

void axis_sum(real *dx, const struct shape *x, const struct shape *y,
              axis_term *term, const void *ctx)
{
    const int64_t count = shape_count(x);
    for (int64_t j = 0; j < count; j++)
        dx[j] = (real)axis_sum_one(x, y, j, term, ctx);
}
