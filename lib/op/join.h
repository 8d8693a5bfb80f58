/* join.h -- what add, mul, max and div share: operands that are broadcast.
 * SPDX-License-Identifier: MIT
 *
 * Axes are aligned at the end; along each the sizes are equal or 1.  A size
 * that counts the batch goes with the same multiple of it, or with 1.  */
#ifndef ADZE_OP_JOIN_H
#define ADZE_OP_JOIN_H

#include "base/real.h"
#include "graph/op.h"
#include "op/axis.h"

int join_infer(struct node *n, struct err *e);

/* S becomes the shape that both S and X broadcast to.  */
int join_shape(struct shape *s, const struct shape *x, struct err *e);

/* One flop for each operand but the first.  */
struct op_cost join_cost(const struct node *n);

/* What operand K gives to element I of a result of shape Y.  */
real join_at(const struct op_args *a, int k, const struct shape *y, int64_t i);

/* The gradient of each operand: the sum of TERM(ctx, i) over the elements i of
 * dy that read it; ctx is a struct join_term.  */
struct join_term {
    const struct op_args *a;
    int of; /* the operand */
};
void join_backward(const struct op_args *a, axis_term *term);

#endif
