/* pointwise.h -- the body of ops that compute each number from one number:
 * y[i] = f(x[i]).
 * SPDX-License-Identifier: MIT
 *
 * Such an op is two functions of a number, its value and its slope, and a
 * record:
 *
 *     static double value(double x, const double *p)
 *     {
 *         return x > 0 ? x : p[0] * x;
 *     }
 *     static void forward(const struct op_args *a)
 *     {
 *         pointwise_forward(a, value);
 *     }
 */
#ifndef ADZE_OP_POINTWISE_H
#define ADZE_OP_POINTWISE_H

#include "graph/op.h"

/* P: the op's attributes of kind f in the order of its table.  */
typedef double point_fn(double v, const double *p);

enum { POINT_PARAMS = 4 };

/* y[i] = VALUE(x[i]).  */
void pointwise_forward(const struct op_args *a, point_fn *value);

/* dx[i] = dy[i] SLOPE(v[i]), v what the record keeps: x or y.  Where the
 * slope is 0, dx is too, whatever dy is.  */
void pointwise_backward(const struct op_args *a, point_fn *slope);

/* Every number of T becomes V.  */
void pointwise_fill(const struct tensor *t, double v);

/* For cost(): FLOP for each number.  */
struct op_cost pointwise_cost(const struct node *n, int flop);

#endif
