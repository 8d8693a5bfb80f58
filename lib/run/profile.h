/* profile.h -- where the time of a plan goes, beside what its device could do.
 * SPDX-License-Identifier: MIT
 *
 * A step must move its operands and results, and do its multiply-adds; neither
 * can take less time than the measured ceiling allows for it, so the larger of
 * the two times is a bound, and its share of the time that was taken says what
 * is left to gain: the roofline of Williams, Waterman and Patterson,
 * "Roofline: an insightful visual performance model for multicore
 * architectures", 2009.
 *
 *     struct plan *p = plan_new(g, dev, params,
 *                               &(struct plan_opts){.profile = 1, ...}, &e);
 *     ...run it...
 *     profile_measure(&c, p, pool);
 *     profile_steps(&text, p, &c);
 *     profile_classes(&text, p, &c);  */
#ifndef ADZE_RUN_PROFILE_H
#define ADZE_RUN_PROFILE_H

#include "graph/device.h"

struct plan;
struct pool;
struct str;

/* In a second, by enum peak; 0: not known.  */
struct ceilings {
    double at[PEAKS];
};

/* What the device of P does at best, of all that its steps ask for.  */
void profile_measure(struct ceilings *c, const struct plan *p,
                     struct pool *pool);

/* Lines, each below a head: columns separated by tabs, "-" where there is
 * nothing to say.
 *
 * A line for each step: node, kernel, ms; gflops and gb_s, what it did in a
 * second; roof, the share as above.  */
void profile_steps(struct str *out, const struct plan *p,
                   const struct ceilings *c);

/* A line for each class of layers and pass (forward, backward, update), the
 * slowest first, and one for all: class, pass, how many steps, ms, share of the
 * time; mb and mflop, what it must move and do (a multiply-add counts two);
 * gflops, gb_s; which of the two ceilings is the lower for it (bound:
 * "memory" or "compute"); roof.  The ceilings stand above.  */
void profile_classes(struct str *out, const struct plan *p,
                     const struct ceilings *c);

#endif
