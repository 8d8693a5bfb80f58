/* top.h -- the largest of a row of scores; softmax.
 * SPDX-License-Identifier: MIT
 *
 * One order for all who name a best class: the higher score first, ties to
 * the lower index, NaN last.  */
#ifndef ADZE_TENSOR_TOP_H
#define ADZE_TENSOR_TOP_H

#include <stdint.h>

/* SCORE[a] comes before SCORE[b].  */
int top_before(const float *score, int64_t a, int64_t b);

/* The first N of K scores, as indices in BEST.  */
void top_find(const float *score, int64_t k, int64_t n, int64_t *best);

/* The logarithm of the sum of e^x; a NaN if the largest of X is not finite.  */
double top_log_sum(const float *x, int64_t k);
/* Y[k] = softmax of K logits, in double.  */
void top_softmax(const float *logits, int64_t k, float *y);

#endif
