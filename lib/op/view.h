/* view.h -- what ops share whose result is their operand with another shape:
 * they copy, or do nothing where the plan gave both the same memory.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_VIEW_H
#define ADZE_OP_VIEW_H

#include "graph/op.h"

struct op_cost view_cost(const struct node *n); /* nothing */
void view_forward(const struct op_args *a);
void view_backward(const struct op_args *a);

/* infer with the result's shape Y: as many elements as operand 0, and if
 * that counts the batch, Y gets the batch where the same number of elements
 * stand in front of it; ERR_SHAPE if there is no such place.  */
int view_infer(struct node *n, struct shape *y, struct err *e);

#endif
