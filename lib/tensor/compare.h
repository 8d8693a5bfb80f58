/* compare.h -- how far two tensors are apart.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TENSOR_COMPARE_H
#define ADZE_TENSOR_COMPARE_H

#include <stdint.h>

struct err;
struct tensor;

struct compare {
    int64_t n;         /* elements compared */
    double max_abs;    /* max |a - b| */
    double max_rel;    /* max_abs / scale: relative to the largest of b */
    double max_ulp;    /* largest distance in f32 units in the last place */
    double nmse;       /* sum (a - b)^2 / sum b^2, 0 when both are 0 */
    double scale;      /* max |b| */
    int64_t at;        /* index of the largest |a - b| */
    int64_t nonfinite; /* elements where just one is not finite, or they
                          differ in sign of infinity or being NaN; then the
                          differences above are infinite */
    double sum_diff, sum_ref; /* the sums of nmse */
};

/* Compare A with the reference B, any dtypes; ERR_SHAPE if the shapes differ.
 * Not-finite elements on both sides alike are equal.  */
int compare_tensors(struct compare *c, const struct tensor *a,
                    const struct tensor *b, struct err *e);

#endif
