/* calibration.c -- see calibration.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/calibration.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/progress.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "run/parity.h"

/* Pictures through a model's preprocessing, in a random order.  */
struct source {
    struct dataset *d;
    struct loader *l;
    int64_t n; /* pictures to take */
    int64_t target[PARITY_BATCH];
    struct progress progress;
};

static int source_open(struct source *s, const struct calibration *c,
                       const struct model *m, struct err *e)
{
    const struct dataset_opts o = {.unlabelled = 1};
    struct loader_opts lo = {.pre = m->pre};
    char *train = NULL, *val = NULL;
    const int split = dataset_split_dir(c->data, &train, &val);

    *s = (struct source){.d = dataset_open(split ? train : c->data, &o, e)};
    free(train);
    free(val);
    if (!s->d)
        return -1;
    s->n = dataset_count(s->d);
    if (!s->n)
        return err_set(e, ERR_INPUT, "'%s' holds no picture", Q(c->data));
    lo.sampler = (struct sampler){.n = s->n,
                                  .batch = PARITY_BATCH,
                                  .shuffle = 1,
                                  .keep_last = 1,
                                  .seed = (uint64_t)c->seed};
    s->n = s->n < c->samples ? s->n : c->samples;
    s->l = loader_new(s->d, &lo);
    return 0;
}

static void source_close(struct source *s)
{
    loader_free(s->l);
    dataset_free(s->d);
}

static int fill(void *ctx, int64_t from, int64_t n, float *image, struct err *e)
{
    struct source *s = ctx;
    int64_t count;

    (void)n;
    return loader_batch(s->l, 0, from / PARITY_BATCH, image, s->target, &count,
                        cli_pool(), e);
}

static void progress(void *ctx, int64_t done, int64_t total)
{
    struct source *s = ctx;

    if (!s->progress.what)
        progress_start(&s->progress, "calibrate", "pictures", total);
    progress_show(&s->progress, done, NULL);
}

static void describe(struct ranges *r, const struct calibration *c,
                     const struct source *s)
{
    char hash[HASH_TEXT], num[FMT_NUM];

    dataset_fingerprint(s->d, hash);
    r->data = arena_strdup(&r->arena, hash);
    r->options = arena_printf(
        &r->arena, "{\"count\":%lld,\"method\":\"%s\",%s%s%s\"seed\":%lld}",
        (long long)s->n, observe_methods[c->method],
        c->method == OBSERVE_PERCENTILE ? "\"percentile\":" : "",
        c->method == OBSERVE_PERCENTILE ? fmt_f64(num, c->percentile) : "",
        c->method == OBSERVE_PERCENTILE ? "," : "", (long long)c->seed);
}

static int observe(struct ranges *r, const struct calibration *c,
                   struct source *s, const struct graph *g, struct err *e)
{
    const struct observe_opts o = {.method = (enum observe_method)c->method,
                                   .percentile = c->percentile,
                                   .samples = s->n,
                                   .batch = PARITY_BATCH,
                                   .pool = cli_pool(),
                                   .fill = fill,
                                   .ctx = s,
                                   .progress = progress};
    struct device *d = io_device(c->device, e);
    const int bad = !d || observe_run(r->range, r->n, g, d, &o, e) < 0;

    if (s->progress.what)
        progress_end(&s->progress);
    io_device_free(d);
    return bad ? -1 : 0;
}

int calibration_settle(struct calibration *c, struct err *e)
{
    if (c->percentile > 0 && c->method != OBSERVE_PERCENTILE)
        return err_set(e, ERR_USAGE, "--percentile is for --method=percentile");
    c->method = c->method < 0 ? OBSERVE_MINMAX : c->method;
    c->percentile = c->percentile > 0 ? c->percentile : 99.99;
    return 0;
}

int calibration_check(const struct calibration *c, const struct graph *g,
                      struct err *e)
{
    const struct quantize_opts q = {.skip = c->skip.item};
    const char *unknown = pass_quantize_unknown(g, &q);

    if (pass_need_float(g, e) < 0)
        return -1;
    return unknown ? err_set(e, ERR_USAGE, "--skip: no node matches '%s'",
                             Q(unknown))
                   : 0;
}

int calibration_run(struct ranges *r, const struct calibration *c,
                    const struct model *m, const struct graph *g, struct err *e)
{
    const struct quantize_opts q = {.skip = c->skip.item};
    const char **names = pass_quantize_wants(g, &q);
    char hash[HASH_TEXT];
    struct source s = {0};
    int bad;

    ranges_init(r, names);
    free(names);
    bad = model_fingerprint(m, hash, e) < 0 || source_open(&s, c, m, e) < 0 ||
          observe(r, c, &s, g, e) < 0;
    if (!bad) {
        r->model = arena_strdup(&r->arena, hash);
        describe(r, c, &s);
    }
    source_close(&s);
    if (bad)
        ranges_release(r);
    return bad ? -1 : 0;
}

void calibration_note(const struct model *m)
{
    if (!model_trained(m))
        cli_note("the model's head was never trained: train it with "
                 "adze-train, then begin here again");
}

/* The same behind calibration, which has its own line.  */
static int fill_check(void *ctx, int64_t from, int64_t n, float *image,
                      struct err *e)
{
    struct source *s = ctx;

    if (!s->progress.what)
        progress_start(&s->progress, "check", "pictures", s->n);
    progress_show(&s->progress, from, NULL);
    return fill(ctx, from, n, image, e);
}

int calibration_compare(struct parity *p, const struct calibration *c,
                        const struct model *m, const struct graph *a,
                        const struct graph *b, struct err *e)
{
    struct source s = {0};
    struct parity_opts o = {.seed = (uint64_t)c->seed, .pool = cli_pool()};
    struct device *d = io_device(c->device, e);
    int bad = !d || (c->data && source_open(&s, c, m, e) < 0);

    if (c->data) {
        o.samples = s.n;
        o.fill = fill_check;
        o.ctx = &s;
    }
    bad = bad || parity_run(p, a, b, d, &o, e) < 0;
    if (s.progress.what)
        progress_end(&s.progress);
    source_close(&s);
    io_device_free(d);
    return bad ? -1 : 0;
}
