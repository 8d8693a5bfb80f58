/* training_check.h -- plans of training graphs against the ops' definitions.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../training_check.h".  Truth is interp.h's, in double.  */
#ifndef ADZE_TESTS_TRAINING_CHECK_H
#define ADZE_TESTS_TRAINING_CHECK_H

struct device;
struct graph;
struct interp;
struct params;
struct plan;
struct pool;
struct str;
struct tensor;
struct tuning;

enum { TRAINING_BATCH = 3 };

/* Layers BODY as lists of steps behind an input of SIZE "[C, H, W]", a mean, 3
 * classes, the loss; and back.  */
struct graph *training_check_graph(const char *size, const char *body);

/* Its plan, with the inputs of INPUTS.  */
struct plan *training_check_plan(const struct graph *g,
                                 const struct device *dev, struct params *p,
                                 struct pool *pool, int narrow,
                                 const struct tuning *tuning,
                                 struct interp *inputs);

/* The largest error of T relative to the largest element of TRUTH; the length
 * of the error relative to that of the truth.  */
double training_check_far(const struct tensor *truth, const struct tensor *t);
double training_check_off(const struct tensor *truth, const struct tensor *t);

/* A hash of each output of P.  */
void training_check_bits(struct plan *p, const struct graph *g, struct str *s);

#endif
