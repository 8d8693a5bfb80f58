/* channel.c -- see channel.h.
 * SPDX-License-Identifier: MIT  */
#include "op/channel.h"

void channel_moments(const struct axis *s, const real *x, int64_t c,
                     double *mean, double *var)
{
    const double m = (double)(s->outer * s->inner);
    double sum = 0, square = 0;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++)
            sum += x[(o * s->size + c) * s->inner + i];
    *mean = sum / m;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++) {
            const double d = x[(o * s->size + c) * s->inner + i] - *mean;
            square += d * d;
        }
    *var = square / m;
}

void channel_sums(const struct axis *s, const real *x, const real *dy,
                  int64_t c, double mean, double invstd, double *db, double *dw)
{
    *db = *dw = 0;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++) {
            const int64_t at = (o * s->size + c) * s->inner + i;
            *db += dy[at];
            *dw += dy[at] * (x[at] - mean) * invstd;
        }
}

void channel_bias_grad(const struct tensor *dy, int axis, real *db)
{
    const struct axis s = axis_of(&dy->shape, axis);
    const real *d = dy->data;
    for (int64_t c = 0; c < s.size; c++) {
        double sum = 0;
        for (int64_t o = 0; o < s.outer; o++)
            for (int64_t i = 0; i < s.inner; i++)
                sum += d[(o * s.size + c) * s.inner + i];
        db[c] = (real)sum;
    }
}
