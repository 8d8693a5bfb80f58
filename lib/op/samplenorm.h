/* samplenorm.h -- the body of normalisations over groups of channels of each
 * sample.
 * SPDX-License-Identifier: MIT
 *
 *     y = weight[c] (x - mean) invstd + bias[c],  invstd = 1 / sqrt(var + eps)
 *
 * with mean and var (biased) over the C / GROUPS channels of a group and all
 * that lies behind the channels, in two passes of double sums.
 *   x, y [N,C,...]  weight, bias [C], absent without AFFINE
 *   extras: mean, invstd [N,GROUPS]
 * Backward keeps x, weight and the extras; with h = (x - mean) invstd and
 * g = weight dy, and means over a group:
 *     dx = invstd (g - mean(g) - h mean(g h)), dbias = sum dy,
 *     dweight = sum dy h.  */
#ifndef ADZE_OP_SAMPLENORM_H
#define ADZE_OP_SAMPLENORM_H

#include "graph/op.h"

struct err;
struct node;

enum { SAMPLENORM_X, SAMPLENORM_WEIGHT, SAMPLENORM_BIAS }; /* operands */
enum { SAMPLENORM_Y, SAMPLENORM_MEAN, SAMPLENORM_INVSTD }; /* results */

/* For a record: what backward keeps.  */
#define SAMPLENORM_KEEP_IN  (1 << SAMPLENORM_X | 1 << SAMPLENORM_WEIGHT)
#define SAMPLENORM_KEEP_OUT (1 << SAMPLENORM_MEAN | 1 << SAMPLENORM_INVSTD)

/* The attributes are eps and affine.  ERR_USAGE, ERR_SHAPE.  */
int samplenorm_infer(struct node *n, int64_t groups, struct err *e);
struct op_cost samplenorm_cost(const struct node *n);
void samplenorm_forward(const struct op_args *a, int64_t groups);
void samplenorm_backward(const struct op_args *a, int64_t groups);

#endif
