/* moments.h -- mean and variance of many numbers, piece by piece.
 * SPDX-License-Identifier: MIT
 *
 * Each piece has its own mean and the squares around it; merging them (Chan,
 * Golub, LeVeque, "Updating formulae and a pairwise algorithm", 1979) loses no
 * digits where the mean is far from zero.  */
#ifndef ADZE_CPU_MOMENTS_H
#define ADZE_CPU_MOMENTS_H

/* Mean and squares around it; in backward the sums of dy and dy (x - mean).  */
struct moments {
    double a, b;
};

/* Add M numbers of mean A and squares B around it to N numbers in S.  */
static inline void moments_merge(struct moments *s, double n, double m, double a, double b)
{
    const double d = a - s->a;

    s->a += d * m / (n + m);
    s->b += b + d * d * n * m / (n + m);
}

#endif
