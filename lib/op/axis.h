/* axis.h -- an array seen as [outer, size, inner] around one of its axes, and
 * as one array broadcast over another.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_AXIS_H
#define ADZE_OP_AXIS_H

#include "base/real.h"
#include "graph/op.h"

struct axis {
    int64_t outer, size, inner;
};

/* Of a bound shape.  AXIS == rank gives [count, 1, 1].  */
struct axis axis_of(const struct shape *s, int axis);

/* Where row R of the S->outer S->inner rows along the axis begins; its
 * numbers lie S->inner apart.  */
int64_t axis_row(const struct axis *s, int64_t r);

/* S without axis AXIS.  */
struct shape axis_without(const struct shape *s, int axis);

/* Element I of an array of shape Y, as it is read by X that is broadcast over
 * it (axes aligned at the end, sizes equal or 1): the index into X.  */
int64_t axis_broadcast(const struct shape *x, const struct shape *y, int64_t i);

/* The sum of TERM(ctx, i) over the elements i of an array of shape Y that
 * read element J of an array of shape X broadcast over it; a double sum in a
 * fixed order.  */
typedef double axis_term(const void *ctx, int64_t i);
double axis_sum_one(const struct shape *x, const struct shape *y, int64_t j,
                    axis_term *term, const void *ctx);

/* DX, of shape X: that sum for each element.  */
void axis_sum(real *dx, const struct shape *x, const struct shape *y,
              axis_term *term, const void *ctx);

#endif
