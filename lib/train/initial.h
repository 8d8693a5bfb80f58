/* initial.h -- the numbers that a network begins with.
 * SPDX-License-Identifier: MIT
 *
 * Each tensor draws from a stream of its own, named by seed and tensor, so
 * that one does not depend on another.  With n_in, n_out the fans of a weight
 * (of a convolution: per group, times the filter's size):
 *
 *     zeros  ones  constant C
 *     identity         a matrix, or a 1x1 convolution with groups, that
 *                      passes its input on
 *     uniform A        in [-A, A)
 *     normal S         of standard deviation S
 *     trunc_normal S   the same, drawn again outside of 2 S
 *     xavier           uniform, A = sqrt(6 / (n_in + n_out))
 *     xavier_normal    S = sqrt(2 / (n_in + n_out))
 *     lecun            uniform, A = sqrt(3 / n_in)
 *     kaiming          S = sqrt(2 / n_out); kaiming_in: sqrt(2 / n_in)
 *     kaiming_uniform  A = sqrt(6 / n_in)
 *     fan              kaiming for convolutions, xavier for the rest
 *
 * Glorot, Bengio, AISTATS 2010; He et al., ICCV 2015.  */
#ifndef ADZE_TRAIN_INITIAL_H
#define ADZE_TRAIN_INITIAL_H

#include <stdint.h>

struct err;
struct graph;
struct str;
struct yaml;

/* Fill every PARAM and STATE of G that has no data.  RULES is a mapping of
 * initialisers, NULL for none: a key is a pattern of tensor names
 * ("layer?.*.bn2.weight"), or the name or alias of an op, which then sets the
 * weights that are `fan' else.  Patterns win over ops, later ones over
 * earlier ones, both over what the network and the op say.  A rule that
 * concerns no tensor is ERR_USAGE.  */
int initial_fill(struct graph *g, uint64_t seed, const struct yaml *rules,
                 struct err *e);

#endif
