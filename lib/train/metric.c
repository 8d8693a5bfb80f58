/* metric.c -- see metric.h.
 * SPDX-License-Identifier: MIT  */
#include "train/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/top.h"

void metric_init(struct metric *m, int64_t classes, int keep_scores)
{
    memset(m, 0, sizeof *m);
    m->k = classes;
    m->keep = keep_scores;
    m->confusion =
        xcalloc(mem_mul((size_t)classes, (size_t)classes), sizeof(int64_t));
}

void metric_release(struct metric *m)
{
    free(m->confusion);
    free(m->score);
    free(m->label);
    memset(m, 0, sizeof *m);
}

/* How many classes come before LABEL.  */
static int64_t rank_of(const float *x, int64_t k, int64_t label)
{
    int64_t r = 0;

    for (int64_t i = 0; i < k; i++)
        r += i != label && top_before(x, i, label);
    return r;
}

static void keep(struct metric *m, const float *x, int64_t label)
{
    float *to;

    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 1024;
        m->score = xrealloc(m->score, mem_mul((size_t)m->cap, (size_t)m->k),
                            sizeof *m->score);
        m->label = xrealloc(m->label, (size_t)m->cap, sizeof *m->label);
    }
    to = m->score + m->n * m->k;
    top_softmax(x, m->k, to);
    for (int64_t i = 0; i < m->k; i++)
        to[i] = isnan(to[i]) ? -1 : to[i]; /* last */
    m->label[m->n] = label;
}

void metric_add(struct metric *m, const float *x, int64_t label)
{
    const double lse = top_log_sum(x, m->k);
    int64_t best;
    int finite = 1;

    top_find(x, m->k, 1, &best);
    for (int64_t i = 0; i < m->k; i++)
        finite &= isfinite(x[i]) != 0;
    if (m->keep)
        keep(m, x, label);
    m->n++;
    m->nonfinite += !finite;
    if (!isnan(x[best])) /* nothing was predicted */
        m->confusion[label * m->k + best]++;
    m->loss += lse - x[label];
    if (!isnan(x[label])) {
        const int64_t r = rank_of(x, m->k, label);

        m->top1 += r < 1;
        m->top5 += r < 5;
    }
    if (finite) {
        const double p = exp(x[best] - lse);
        int bin = (int)ceil(p * METRIC_BINS) - 1;

        bin = bin < 0 ? 0 : bin >= METRIC_BINS ? METRIC_BINS - 1 : bin;
        m->bin_n[bin]++;
        m->bin_right[bin] += best == label;
        m->bin_confidence[bin] += p;
    }
}

static double share(int64_t a, int64_t n)
{
    return n ? (double)a / (double)n : 0;
}

double metric_top1(const struct metric *m)
{
    return share(m->top1, m->n);
}

double metric_top5(const struct metric *m)
{
    return share(m->top5, m->n);
}

double metric_loss(const struct metric *m)
{
    return m->n ? m->loss / (double)m->n : 0;
}

double metric_ece(const struct metric *m)
{
    double sum = 0;

    for (int i = 0; i < METRIC_BINS; i++)
        sum += fabs((double)m->bin_right[i] - m->bin_confidence[i]);
    return m->n ? sum / (double)m->n : 0;
}

struct scored {
    float score;
    int64_t index;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static double average_precision(const struct metric *m, int64_t c)
{
    struct scored *s = xcalloc((size_t)m->n + 1, sizeof *s);
    int64_t right = 0, total = 0;
    double sum = 0;

    for (int64_t i = 0; i < m->n; i++) {
        const float p = m->score[i * m->k + c];

        s[i] = (struct scored){isnan(p) ? -1 : p, i};
        total += m->label[i] == c;
    }
    qsort(s, (size_t)m->n, sizeof *s, by_score);
    for (int64_t i = 0; i < m->n; i++)
        if (m->label[s[i].index] == c)
            sum += (double)++right / (double)(i + 1);
    free(s);
    return total ? sum / (double)total : NAN;
}

struct metric_class metric_class(const struct metric *m, int64_t c)
{
    struct metric_class r = {.right = m->confusion[c * m->k + c]};

    for (int64_t i = 0; i < m->k; i++) {
        r.n += m->confusion[c * m->k + i];
        r.predicted += m->confusion[i * m->k + c];
    }
    r.precision = r.predicted ? share(r.right, r.predicted) : NAN;
    r.recall = r.n ? share(r.right, r.n) : NAN;
    r.f1 = r.n + r.predicted
               ? 2.0 * (double)r.right / (double)(r.n + r.predicted)
               : NAN;
    r.ap = m->keep ? average_precision(m, c) : NAN;
    return r;
}
