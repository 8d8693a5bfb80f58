/* nearest.c -- see nearest.h.
 * SPDX-License-Identifier: MIT  */
#include "train/nearest.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "tensor/tensor.h"

struct nearest {
    const float *x;
    int64_t width, classes;
    const int64_t *label;
    double *mean;   /* [classes, width] */
    int64_t *count; /* [classes] */
    char *hit;      /* [samples] */
};

static void find_means(struct nearest *m, int64_t samples)
{
    for (int64_t i = 0; i < samples; i++) {
        double *to = m->mean + m->label[i] * m->width;

        m->count[m->label[i]]++;
        for (int64_t k = 0; k < m->width; k++)
            to[k] += (double)m->x[i * m->width + k];
    }
    for (int64_t c = 0; c < m->classes; c++)
        for (int64_t k = 0; m->count[c] && k < m->width; k++)
            m->mean[c * m->width + k] /= (double)m->count[c];
}

static double distance(const float *x, const double *y, int64_t n)
{
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
    return sum;
}

static void try_sample(void *ctx, int64_t i, int thread)
{
    const struct nearest *m = ctx;
    double least = INFINITY;
    int64_t best = -1;

    (void)thread;
    for (int64_t c = 0; c < m->classes; c++) {
        const double far =
            distance(m->x + i * m->width, m->mean + c * m->width, m->width);

        if (m->count[c] && far < least) {
            least = far;
            best = c;
        }
    }
    m->hit[i] = best == m->label[i];
}

int64_t nearest_mean(const struct tensor *x, const int64_t *label,
                     int64_t classes, struct pool *pool)
{
    const int64_t n = x->shape.dim[0], width = x->shape.dim[1];
    struct nearest m = {
        .x = x->data,
        .width = width,
        .classes = classes,
        .label = label,
        .mean = xcalloc((size_t)classes, (size_t)width * sizeof(double)),
        .count = xcalloc((size_t)classes, sizeof(int64_t)),
        .hit = xcalloc((size_t)n, 1),
    };
    int64_t hits = 0;

    find_means(&m, n);
    pool_run(pool, n, try_sample, &m);
    for (int64_t i = 0; i < n; i++)
        hits += m.hit[i];
    free(m.mean);
    free(m.count);
    free(m.hit);
    return hits;
}
