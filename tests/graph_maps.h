/* graph_maps.h -- graphs of maps that are joined and cut, whose values may lie
 * within each other: for tests of plans.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../graph_maps.h".  What fails, fails the running cmocka test. */
#ifndef ADZE_TESTS_GRAPH_MAPS_H
#define ADZE_TESTS_GRAPH_MAPS_H

#include <stdint.h>

#include "base/rng.h"
#include "graph/graph.h"

enum { MAPS_KEPT = 32 };

struct maps {
    struct graph *g;
    struct rng r;
    uint64_t at;
    struct value *v[MAPS_KEPT]; /* what may be read: maps of one size */
    int n;
};

/* A node of OP over IN; its results may be read.  */
struct node *graph_maps_add(struct maps *d, const char *op, struct value **in,
                            int n, const struct attr_text *attr);
struct value *graph_maps_conv(struct maps *d, struct value *x, const char *out);
/* Z may be NULL.  */
struct value *graph_maps_concat(struct maps *d, struct value *x,
                                struct value *y, struct value *z);
/* N as the text of an attribute.  */
const char *graph_maps_number(struct maps *d, int64_t n);

/* The graph of SEED: input `image' [N,C,5,W]; convolutions, activations, sums,
 * shuffles, and much concat, slice and split; output `logits' [N,5], and often
 * one of the maps.  Every parameter has data.  */
struct graph *graph_maps_random(uint64_t seed);

#endif
