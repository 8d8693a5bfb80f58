/* plan_check.h -- what holds of every plan, for tests of how they are made:
 * nothing is overwritten that is read later, and no way to plan changes a bit.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../plan_check.h".  What does not hold fails the running cmocka
 * test.  */
#ifndef ADZE_TESTS_PLAN_CHECK_H
#define ADZE_TESTS_PLAN_CHECK_H

#include "run/plan.h"

struct device;
struct graph;
struct params;
struct pool;

struct plan_bound {
    struct device *d;
    struct params *ps;
    struct pool *pool;
    struct plan *p;
};

/* G on the CPU of the instruction sets ISA, as O says but for batch (1 if it is
 * 0) and threads; run twice on noise, with the label 1.  */
struct plan_bound plan_check_bind(const struct graph *g, unsigned isa,
                                  int threads, struct plan_opts o);
void plan_check_unbind(struct plan_bound *b);

/* The outputs of A and B, both of G, have the same bits.  */
void plan_check_same(const struct graph *g, struct plan_bound *a,
                     struct plan_bound *b);

/* Step by step, everything is read as it was when it was complete; what is kept
 * is so to the end.  */
void plan_check_memory(const struct plan *p);

#endif
