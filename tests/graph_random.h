/* graph_random.h -- random small networks for property tests.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_GRAPH_RANDOM_H
#define ADZE_TESTS_GRAPH_RANDOM_H

#include <stdint.h>

struct graph;

/* The network of SEED: input `image' [N,C,H,W], output `logits' [N,K]; between
 * them STEPS of: convolutions (groups, strides, dilations, paddings), batch
 * normalisation, activations, pooling, residual adds, concatenations, and
 * parallel linear branches, some of which fit each other.  Every parameter
 * has data; running variances are positive.  */
struct graph *graph_random(uint64_t seed, int steps);

/* Data for every tensor of G that has none, drawn from SEED and its name.  */
void graph_random_fill(struct graph *g, uint64_t seed);

#endif
