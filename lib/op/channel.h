/* channel.h -- sums over one channel of [N,C,...], in double: what batch
 * normalisation and the gradients of biases are made of.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_CHANNEL_H
#define ADZE_OP_CHANNEL_H

#include "op/axis.h"

/* Mean and biased variance of channel C, in two passes.  */
void channel_moments(const struct axis *s, const real *x, int64_t c,
                     double *mean, double *var);

/* The sums of dy and of dy (x - mean) invstd over channel C.  */
void channel_sums(const struct axis *s, const real *x, const real *dy,
                  int64_t c, double mean, double invstd, double *db,
                  double *dw);

/* DB: the sum of DY for each place along AXIS.  */
void channel_bias_grad(const struct tensor *dy, int axis, real *db);

#endif
