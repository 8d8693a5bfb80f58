/* match.h -- finding pieces of a graph: the hands that all passes share.
 * SPDX-License-Identifier: MIT
 *
 *     struct node *bn = match_reader(g, conv->out[0]);
 *     if (bn && match_op(bn, "batchnorm2d") && !bn->train) ...  */
#ifndef ADZE_PASS_MATCH_H
#define ADZE_PASS_MATCH_H

struct graph;
struct node;
struct tensor;
struct value;

/* N is not NULL and a forward node of one of the ops in NAMES, which are
 * separated by '|': "conv2d|linear".  */
int match_op(const struct node *n, const char *names);

/* The node that alone reads V, once; NULL if several do, or none, or if V is
 * an output of the graph.  */
struct node *match_reader(const struct graph *g, const struct value *v);

/* The node that computes V if it is one of NAMES and nobody but one operand
 * reads V; else NULL.  */
struct node *match_source(const struct graph *g, const struct value *v,
                          const char *names);

/* Operand NAME ("weight") of N becomes a parameter with data T.  The value that
 * stands there keeps its name and gets the data, unless others read it too;
 * else one named STEM.NAME is made (or STEM.NAME_2 ...).  A yes/no attribute
 * that says whether the operand is there becomes yes.  */
void match_set_param(struct graph *g, struct node *n, const char *name,
                     const char *stem, const struct tensor *t);

/* What stands in front of ".weight" in the name of N's weight, else N's name:
 * where its other parameters belong.  Text of the graph's arena.  */
const char *match_stem(struct graph *g, const struct node *n);

/* NAME matches one of the NULL-ended patterns (with '*' and '?'); LIST may be
 * NULL.  */
int match_name(const char *name, const char *const *list);

#endif
