/* feed.c -- see feed.h.
 * SPDX-License-Identifier: MIT  */
#include "train/feed.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "data/loader.h"
#include "train/recipe.h"

static int too_few(int64_t n, const struct recipe *r, const char *key,
                   struct err *e)
{
    int64_t batch = 1;

    while (2 * batch <= n)
        batch *= 2;
    return err_set(e, ERR_USAGE,
                   "a batch of %lld needs more than the %lld pictures there "
                   "are: lower it (%s) to %lld",
                   (long long)r->batch, (long long)n, key ? key : "train.batch",
                   (long long)batch);
}

/* KEY: as feed_opts.batch.  */
static int set_sampler(struct feed *f, int64_t n, const struct recipe *r,
                       const char *key, struct err *e)
{
    f->sampler = (struct sampler){.n = n,
                                  .batch = r->batch,
                                  .shuffle = 1,
                                  .keep_last = r->last,
                                  .seed = (uint64_t)r->seed};
    f->steps = sampler_steps(&f->sampler);
    return f->steps < 1 ? too_few(n, r, key, e) : 0;
}

int feed_open(struct feed *f, const struct dataset *d,
              const struct feed_opts *o, const struct recipe *r, struct err *e)
{
    const int64_t n = dataset_count(d);
    struct loader_opts lo = {
        .pre = o->pre,
        .augment = &f->augment,
        .bad = (enum bad_policy)r->bad,
        .max_bad = (int64_t)ceil(r->max_bad * (double)n),
        .ragged = 1,
        .device = o->device,
        .fast_decode = r->decode,
        .on_bad = o->on_bad,
        .ctx = o->ctx,
    };

    if (set_sampler(f, n, r, o->batch, e) < 0)
        return -1;
    lo.sampler = f->sampler;
    f->augment = r->augment;
    memcpy(f->augment.size, o->pre.size, sizeof o->pre.size);
    f->loader = loader_new(d, &lo);
    return 0;
}

void feed_close(struct feed *f)
{
    loader_free(f->loader);
    f->loader = NULL;
}
