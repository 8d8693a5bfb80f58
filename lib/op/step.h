/* step.h -- what the optimiser updates share.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_STEP_H
#define ADZE_OP_STEP_H

struct err;
struct node;

/* infer: operand 0 is the parameter; those before operand ONE and behind it
 * have its shape (states get it); operand ONE has one element.  */
int step_infer(struct node *n, int one, struct err *e);

#endif
