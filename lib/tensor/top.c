/* top.c -- see top.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/top.h"

#include <math.h>
#include <string.h>

int top_before(const float *score, int64_t a, int64_t b)
{
    if (isnan(score[a]) || isnan(score[b]))
        return !isnan(score[a]) && isnan(score[b]);
    return score[a] > score[b] || (score[a] == score[b] && a < b);
}

void top_find(const float *score, int64_t k, int64_t n, int64_t *best)
{
    int64_t count = 0;

    for (int64_t i = 0; i < k; i++) {
        int64_t at = count;

        while (at && top_before(score, i, best[at - 1]))
            at--;
        if (at == n)
            continue;
        count += count < n;
        memmove(best + at + 1, best + at,
                (size_t)(count - 1 - at) * sizeof *best);
        best[at] = i;
    }
}

double top_log_sum(const float *x, int64_t k)
{
    double max = -INFINITY, sum = 0;

    for (int64_t i = 0; i < k; i++)
        max = x[i] > max ? x[i] : max;
    if (!isfinite(max))
        return NAN;
    for (int64_t i = 0; i < k; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

void top_softmax(const float *logits, int64_t k, float *y)
{
    const double lse = top_log_sum(logits, k);

    for (int64_t i = 0; i < k; i++)
        y[i] = (float)exp(logits[i] - lse);
}
