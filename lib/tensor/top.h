/* top.h -- the largest of a row of scores.
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

#endif
