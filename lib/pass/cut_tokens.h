/* cut_tokens.h -- parts of a simplification: what only some tokens are wanted
 * of is computed of those alone.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_PASS_CUT_TOKENS_H
#define ADZE_PASS_CUT_TOKENS_H

struct err;
struct graph;
struct node;

/* If N is a slice or a select of tokens [N,T,C] that are computed one by one
 * (linear, layernorm, activations, sums) for N alone, cut the operands of that
 * step instead: a vision transformer classifies by one of its tokens, and its
 * last layers then work on that one.  1 when the graph changed: nodes are out
 * of order then and shapes are set; 0; -1 with E filled.  */
int cut_tokens(struct graph *g, struct node *n, struct err *e);

#endif
