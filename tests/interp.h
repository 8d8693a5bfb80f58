/* interp.h -- run a graph node by node with the ops' reference functions, and
 * bound what rounding does to it.
 * SPDX-License-Identifier: MIT
 *
 *     struct interp r;
 *     interp_run(&r, g, 2, seed);
 *     const float *y = interp_output(&r, "logits")->data;
 *     interp_release(&r);  */
#ifndef ADZE_TESTS_INTERP_H
#define ADZE_TESTS_INTERP_H

#include <stdint.h>

#include "tensor/tensor.h"

struct graph;
struct str;

struct interp {
    const struct graph *g;
    int64_t batch;
    int wide;             /* f32 values are f64, ops compiled with double */
    struct tensor *value; /* [n_value] */
};

/* Inputs are drawn N(0,1) from (SEED, name), integers below 2; then every
 * node runs once.  Tensors of the graph are copied: an update step does not
 * reach the graph.  */
void interp_run(struct interp *r, const struct graph *g, int64_t batch,
                uint64_t seed);
/* The same in steps: fill (WIDE in double), change interp_value() at will,
 * go.  */
void interp_fill(struct interp *r, const struct graph *g, int64_t batch,
                 uint64_t seed, int wide);
void interp_go(struct interp *r);
struct tensor *interp_value(struct interp *r, const char *name);
struct tensor *interp_output(struct interp *r, const char *name);
void interp_release(struct interp *r);

/* A bound, element by element, of what f32 rounding can do to output NAME of
 * R (which has run): each node hands on the errors of its operands by the
 * absolute values of its weights, and adds U times its reduction length times
 * the same sum over the absolute values of its operands; U = 2^-24.  For
 * graphs of linear ops, relu, relu6, and maximum or average pooling.  */
void interp_bound(struct tensor *bound, struct interp *r, const char *name);

/* Everything about G as text: nodes, attributes, operands, outputs, and a
 * hash of each tensor.  */
void interp_dump(struct str *s, const struct graph *g);

#endif
