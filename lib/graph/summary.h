/* summary.h -- what a network costs, layer by layer, for one unit of batch.
 * SPDX-License-Identifier: MIT
 *
 * Nodes that only train-only outputs need are not counted.  A parameter that
 * several nodes share is counted at the first.  */
#ifndef ADZE_GRAPH_SUMMARY_H
#define ADZE_GRAPH_SUMMARY_H

#include "base/mem.h"
#include "tensor/shape.h"

struct graph;

struct summary_row {
    const char *name, *op; /* op: NULL for several nodes */
    struct shape shape;    /* of the last result */
    int64_t params, state; /* elements: value_is_learned(), other tensors */
    int64_t flop, mac;
    int64_t bytes; /* of operands and results, each touched once */
};

struct summary {
    struct arena arena;
    struct summary_row *row;
    int n, cap;
    struct summary_row total;
    int width; /* most nodes that could run at the same time */
};

/* One row a node; with DEPTH > 0 one for all whose names begin with the same
 * DEPTH parts.  */
void summary_init(struct summary *s, const struct graph *g, int depth);
void summary_release(struct summary *s);

#endif
