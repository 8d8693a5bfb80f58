/* evaluate.c -- see evaluate.h.
 * SPDX-License-Identifier: MIT  */
#include "train/evaluate.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "run/plan.h"
#include "train/metric.h"

struct evaluator {
    struct plan *plan;
    struct loader *loader;
    struct evaluate_opts opts;
    struct sampler sampler;
    int64_t *target;
};

struct evaluator *evaluator_new(const struct graph *g, const struct device *d,
                                struct params *p, const struct dataset *data,
                                const struct evaluate_opts *o, struct err *e)
{
    struct evaluator *ev = xcalloc(1, sizeof *ev);
    struct loader_opts lo = {
        .pre = o->pre,
        .sampler = {.n = dataset_count(data),
                    .batch = o->batch,
                    .keep_last = 1},
        .bad = o->bad,
        .max_bad = o->max_bad,
    };

    ev->opts = *o;
    ev->sampler = lo.sampler;
    ev->target = xcalloc((size_t)o->batch, sizeof *ev->target);
    ev->plan =
        plan_new(g, d, p,
                 &(struct plan_opts){
                     .batch = o->batch, .pool = o->pool, .narrow = o->narrow},
                 e);
    if (!ev->plan) {
        evaluator_free(ev);
        return NULL;
    }
    ev->loader = loader_new(data, &lo);
    return ev;
}

void evaluator_free(struct evaluator *ev)
{
    if (!ev)
        return;
    loader_free(ev->loader);
    plan_free(ev->plan);
    free(ev->target);
    free(ev);
}

int evaluator_run(struct evaluator *ev, struct metric *m, evaluate_fn *f,
                  void *ctx, struct err *e)
{
    float *image = plan_value(ev->plan, "image")->data;
    const float *logits = plan_output(ev->plan, "logits")->data;
    const int64_t steps = sampler_steps(&ev->sampler);

    for (int64_t s = 0; s < steps; s++) {
        int64_t count;

        if (loader_batch(ev->loader, 0, s, image, ev->target, &count,
                         ev->opts.pool, e) < 0 ||
            plan_run(ev->plan, NULL, e) < 0)
            return -1;
        for (int64_t i = 0; i < count; i++) {
            const float *row = logits + i * m->k;

            metric_add(m, row, ev->target[i]);
            if (f)
                f(ctx, sampler_at(&ev->sampler, 0, s, i), row, m->k);
        }
    }
    return 0;
}

int64_t evaluator_bad(const struct evaluator *ev)
{
    const int64_t *index;
    const char *const *reason;

    return loader_bad(ev->loader, &index, &reason);
}
