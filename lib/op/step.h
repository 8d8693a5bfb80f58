/* step.h -- what the optimiser updates share.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_STEP_H
#define ADZE_OP_STEP_H

#include "base/real.h"

struct err;
struct node;
struct op_args;

/* infer: operand 0 is the parameter; the operands whose bit is set in ONES
 * have one element, the others the parameter's shape; states get theirs.  */
int step_infer(struct node *n, unsigned ones, struct err *e);

/* What the loss was multiplied with before it was differentiated: operand I, or
 * 1 if that is absent.  */
real step_scale(const struct op_args *a, int i);

#endif
