/* opcase.h -- the text of cases: attributes and operands of an op.
 * SPDX-License-Identifier: MIT
 *
 *     "out=4 kernel=[3,1]"     attributes
 *     "N,3,5,7 i64%10:64*N"    operands: sizes, with N for the batch; "i64%10:"
 *                              has whole numbers below 10; "-" is rank 0
 *
 * Texts lie in the graph's arena.  */
#ifndef ADZE_TESTS_OPCASE_H
#define ADZE_TESTS_OPCASE_H

struct attr_text;
struct graph;
struct value;

enum { OPCASE_MAX = 24 };

/* The attributes in TEXT, behind them one without a name, into ATTR, which has
 * room for OPCASE_MAX.  */
void opcase_attrs(struct graph *g, const char *text, struct attr_text *attr);

/* Inputs x0, x1 ... of G as TEXT has them; how many.  MODULUS, if it is not
 * NULL, becomes what the numbers of each are below; 0: nothing is said.  */
int opcase_inputs(struct graph *g, const char *text,
                  struct value *in[OPCASE_MAX], int modulus[OPCASE_MAX]);

#endif
