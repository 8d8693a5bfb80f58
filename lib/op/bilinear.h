/* bilinear.h -- reading a plane between its pixels.
 * SPDX-License-Identifier: MIT
 *
 *     struct bilinear b = bilinear_at(h, w, H, W);
 *     value = bilinear_sum(&b, b.part, plane);
 *
 * Outside the plane everything is 0.  */
#ifndef ADZE_OP_BILINEAR_H
#define ADZE_OP_BILINEAR_H

#include <stdint.h>

#include "base/real.h"

struct bilinear {
    int64_t at[4];   /* the pixels around the place; -1: outside */
    double part[4];  /* their weights */
    double down[4];  /* how these change with h */
    double right[4]; /* and with w */
};

/* The place (H, W) in a plane of ROWS times COLUMNS.  At a pixel the slope is
 * that towards the next one.  */
struct bilinear bilinear_at(double h, double w, int64_t rows, int64_t columns);

/* The sum of the pixels of plane X, each times its WEIGHT (part, down or
 * right of B).  */
double bilinear_sum(const struct bilinear *b, const double *weight,
                    const real *x);

/* Add G times the weights to plane DX: what the pixels get back.  */
void bilinear_back(const struct bilinear *b, double g, real *dx);

#endif
