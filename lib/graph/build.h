/* build.h -- nodes and values as they are before anything is known of them:
 * for the files that build graphs (graph.c, derive.c).
 * SPDX-License-Identifier: MIT
 *
 * What they return is the graph's, appended.  Everybody else builds with what
 * graph.h has, which checks and infers.  */
#ifndef ADZE_GRAPH_BUILD_H
#define ADZE_GRAPH_BUILD_H

#include "graph/graph.h"

/* A value without type and shape (rank -1).  BUG() if NAME is taken.  */
struct value *graph_new_value(struct graph *g, const char *name,
                              enum value_kind kind);

/* A node that reads IN; no attributes, no results, n_join 1.  */
struct node *graph_new_node(struct graph *g, const struct op *op,
                            const char *name, enum dir dir,
                            struct value *const *in, int n_in);

#endif
