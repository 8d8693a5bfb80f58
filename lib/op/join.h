/* join.h -- what add and mul share: any number of operands, broadcast.
 * SPDX-License-Identifier: MIT
 *
 * Axes are aligned at the end; along each the sizes are equal or 1.  A size
 * that counts the batch goes with the same multiple of it, or with 1.  */
#ifndef ADZE_OP_JOIN_H
#define ADZE_OP_JOIN_H

#include "graph/op.h"

int join_infer(struct node *n, struct err *e);

/* S becomes the shape that both S and X broadcast to.  */
int join_shape(struct shape *s, const struct shape *x, struct err *e);

#endif
