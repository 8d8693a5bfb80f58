/* metric.h -- how well logits match labels.
 * SPDX-License-Identifier: MIT
 *
 * Ties are broken towards the lower class, and a NaN logit never counts as
 * right.  Everything is counted in integers or added in sample order, so the
 * figures depend neither on batches nor on threads.  */
#ifndef ADZE_TRAIN_METRIC_H
#define ADZE_TRAIN_METRIC_H

#include <stdint.h>

enum { METRIC_BINS = 15 };

struct metric {
    int64_t k;          /* classes */
    int64_t n;          /* samples */
    int64_t top1, top5; /* right among the first 1, 5 */
    int64_t nonfinite;  /* samples with a logit that is not finite */
    double loss;        /* sum of cross-entropies, natural log */
    /* [k * k]: true row, predicted column; a sample whose logits are all NaN
     * is in no cell */
    int64_t *confusion;
    int64_t bin_n[METRIC_BINS]; /* calibration: by confidence */
    int64_t bin_right[METRIC_BINS];
    double bin_confidence[METRIC_BINS];
    float *score;   /* [n * k] softmax, kept if asked: for AP */
    int64_t *label; /* [n] */
    int64_t cap;
    int keep;
};

void metric_init(struct metric *m, int64_t classes, int keep_scores);
void metric_release(struct metric *m);

/* Add one sample: K logits and its label in [0, K).  */
void metric_add(struct metric *m, const float *logits, int64_t label);

double metric_top1(const struct metric *m); /* shares, 0 with no sample */
double metric_top5(const struct metric *m);
double metric_loss(const struct metric *m); /* mean */
/* Expected calibration error over 15 bins (Guo et al., 2017).  */
double metric_ece(const struct metric *m);

struct metric_class {
    int64_t n, right, predicted;
    double precision, recall, f1, ap; /* NaN where undefined */
};
/* AP: area under precision over recall, each sample a step, ties by index;
 * needs keep_scores.  */
struct metric_class metric_class(const struct metric *m, int64_t c);

#endif
