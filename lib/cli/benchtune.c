/* benchtune.c -- see benchtune.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/benchtune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/benchjob.h"
#include "cli/common.h"
#include "format/planfile.h"
#include "graph/tuning.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/tune.h"

struct target {
    struct benchjob *job;
    struct pool *pool;
};

static void tune_release(void *work)
{
    benchjob_release(work);
    free(work);
}

/* While training packed forms are made again each step: of the kernels of this
 * plan alone, so it has parameters of its own.  */
static void *tune_bind(void *target, const struct tuning *t, struct err *e)
{
    const struct target *to = target;
    struct benchjob *j = to->job;
    struct benchjob_work *w = xcalloc(1, sizeof *w);

    w->job = j;
    w->pool = to->pool;
    w->params = j->o->training ? params_new(j->g, j->dev, e) : j->params;
    if (w->params && benchjob_bind(w, t, e) == 0)
        return w;
    tune_release(w);
    return NULL;
}

static int tune_same(const void *a, const void *b)
{
    const struct plan *p = ((const struct benchjob_work *)a)->plan;
    const struct plan *q = ((const struct benchjob_work *)b)->plan;

    if (plan_steps(p) != plan_steps(q))
        return 0;
    for (int i = 0; i < plan_steps(p); i++)
        if (strcmp(plan_step(p, i).kernel, plan_step(q, i).kernel) != 0)
            return 0;
    return 1;
}

static void tune_tried(void *ctx, const struct tune_trial *t)
{
    const char *name = t->constant < 0 ? "all" : tuning_rows[t->constant].name;

    (void)ctx;
    printf("  %-22s ", name);
    if (t->constant < 0)
        printf("%10s", "-");
    else
        printf("%10lld", (long long)t->value);
    printf(" %9.3f %6.3f %5s\n", 1e3 * t->seconds, t->ratio,
           t->taken ? "yes" : "no");
    cli_flush();
}

static void tell_tuned(const struct tuning *t)
{
    struct str s = {0};

    tuning_print(&s, t, 1);
    cli_note("%s",
             s.len ? str_text(&s) : "nothing is faster than the defaults");
    str_release(&s);
}

int benchtune_run(struct benchjob *j, int threads, double seconds,
                  const struct tuning *from, const char *path, struct err *e)
{
    struct target to = {j, pool_new(threads)};
    const struct tune_target g = {&to, tune_bind, benchjob_once, tune_same,
                                  tune_release};
    const struct tune_opts o = {seconds, j->o->training, tune_tried, NULL};
    struct tuning t = *from;
    struct str note = {0};
    int bad;

    printf("# %-22s %10s %9s %6s %5s\n", "constant", "value", "ms", "ratio",
           "taken");
    bad = tune_search(&g, &o, &t, e);
    str_printf(&note, "%s of '%s', batch %lld, %d threads, %s",
               j->o->training ? "training" : "inference", Q(j->row.model),
               (long long)j->row.batch, pool_threads(to.pool), j->row.dtype);
    bad = bad || planfile_save(&t, str_text(&note), path, e) < 0;
    if (!bad)
        tell_tuned(&t);
    str_release(&note);
    pool_free(to.pool);
    return bad ? -1 : 0;
}
