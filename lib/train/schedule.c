/* schedule.c -- see schedule.h.
 * SPDX-License-Identifier: MIT  */
#include "train/schedule.h"

#include <math.h>

#include "train/recipe.h"

struct place {
    double step, epoch, warmup, total, peak;
};

static double constant(const struct recipe *r, const struct place *p)
{
    (void)r;
    return p->peak;
}

static double stepped(const struct recipe *r, const struct place *p)
{
    double lr = p->peak;

    for (int i = 0; i < r->n_milestones; i++)
        if (p->epoch >= r->milestones[i])
            lr *= r->gamma;
    return lr;
}

static double cosine(const struct recipe *r, const struct place *p)
{
    const double pi = 3.14159265358979323846;
    const double left = p->total - p->warmup;
    const double t = left > 0 ? (p->step - p->warmup) / left : 1;

    return r->lr_end + (p->peak - r->lr_end) * 0.5 * (1 + cos(pi * t));
}

static double (*const kinds[])(const struct recipe *, const struct place *) = {
    [SCHEDULE_CONSTANT] = constant,
    [SCHEDULE_STEP] = stepped,
    [SCHEDULE_COSINE] = cosine,
};

double schedule_lr(const struct recipe *r, int64_t step, int64_t steps)
{
    const struct place p = {
        .step = (double)step,
        .epoch = (double)(step / steps),
        .warmup = r->warmup.steps ? r->warmup.n : r->warmup.n * (double)steps,
        .total = (double)(r->epochs * steps),
        .peak = r->lr.per > 0 ? r->lr.rate * (double)r->batch / r->lr.per
                              : r->lr.rate,
    };

    if (p.step < p.warmup)
        return p.peak * (p.step + 1) / ceil(p.warmup);
    return kinds[r->schedule](r, &p);
}

double schedule_ema(const struct recipe *r, int64_t step)
{
    const double early = (1 + (double)step) / (10 + (double)step);

    return 1 - fmin(r->ema, early);
}
