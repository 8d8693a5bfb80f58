/* step.h -- what the optimiser updates share.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_STEP_H
#define ADZE_OP_STEP_H

struct err;
struct node;

/* infer: operand 0 is the parameter; the operands whose bit is set in ONES
 * have one element, the others the parameter's shape; states get theirs.  */
int step_infer(struct node *n, unsigned ones, struct err *e);

#endif
