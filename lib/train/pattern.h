/* pattern.h -- name patterns of recipes, and names that were meant.
 * SPDX-License-Identifier: MIT
 *
 * A pattern that matches nothing changes nothing, and nobody would see it: so
 * it is an error, which names what stands nearest.  */
#ifndef ADZE_TRAIN_PATTERN_H
#define ADZE_TRAIN_PATTERN_H

struct err;
struct graph;
struct recipe;

/* "; did you mean 'layer1*'?" or "": the parameter (or tensor of state) of G,
 * the scope of some, or with OPS the op, that is nearest to PATTERN without
 * the stars at its end.  Returns BUF.  */
enum { PATTERN_NEAR = 352 };
const char *pattern_near(char buf[PATTERN_NEAR], const char *pattern,
                         const struct graph *g, int ops);

/* ERR_USAGE at the first pattern of R's model.freeze that concerns nothing in
 * network G: no parameter, and no layer that computes otherwise in training.
 */
int pattern_check(const struct recipe *r, const struct graph *g, struct err *e);

#endif
