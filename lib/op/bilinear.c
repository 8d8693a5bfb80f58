/* bilinear.c -- see bilinear.h.
 * SPDX-License-Identifier: MIT  */
#include "op/bilinear.h"

#include <math.h>

struct bilinear bilinear_at(double h, double w, int64_t rows, int64_t columns)
{
    struct bilinear b = {{-1, -1, -1, -1}, {0}, {0}, {0}};
    if (!(h >= -1 && h < (double)rows && w >= -1 && w < (double)columns))
        return b;
    const double top = floor(h), left = floor(w);
    for (int i = 0; i < 4; i++) {
        const int64_t r = (int64_t)top + i / 2, c = (int64_t)left + i % 2;
        const double ph = i / 2 ? h - top : 1 - (h - top);
        const double pw = i % 2 ? w - left : 1 - (w - left);
        if (r >= 0 && r < rows && c >= 0 && c < columns)
            b.at[i] = r * columns + c;
        b.part[i] = ph * pw;
        b.down[i] = i / 2 ? pw : -pw;
        b.right[i] = i % 2 ? ph : -ph;
    }
    return b;
}

double bilinear_sum(const struct bilinear *b, const double *weight,
                    const real *x)
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        if (b->at[i] >= 0)
            sum += weight[i] * x[b->at[i]];
    return sum;
}

void bilinear_back(const struct bilinear *b, double g, real *dx)
{
    for (int i = 0; i < 4; i++)
        if (b->at[i] >= 0)
            dx[b->at[i]] += (real)(g * b->part[i]);
}
