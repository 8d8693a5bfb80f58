/* benchmark.c -- adze-benchmark: models -> table of times.
 * SPDX-License-Identifier: MIT  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/benchjob.h"
#include "cli/benchrow.h"
#include "cli/benchtune.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/plan.h"
#include "run/profile.h"
#include "train/recipe.h"

enum { LIST_MAX = 64 };

static const char *batches = "1", *each_threads, *recipe_name, *pictures,
                  *plan_path, *tune_path;
static const char *device_name = "cpu";
static struct opt_list overrides;
static double seconds = 1;
static int format, precision, profile, json, training, turns;

static const struct opt options[] = {
    {'b', "batch", OPT_TEXT, &batches, "LIST", "batches, separated by commas",
     .def = "1"},
    OPT_CONFIG(&recipe_name),
    OPT_DEVICE(&device_name),
    {0, "each-threads", OPT_TEXT, &each_threads, "LIST",
     "measure with each of these numbers of threads instead of -j"},
    OPT_FORMAT(&format, benchrow_forms, "table"),
    {0, "json", OPT_FLAG, &json, NULL, "same as -f jsonl"},
    {0, "load", OPT_TEXT, &pictures, "DATA",
     "read, augment and stack the pictures of DATA, and compute nothing"},
    OPT_SET(&overrides),
    OPT_PLAN(&plan_path),
    OPT_PRECISION(&precision, "compute in fp32, bf16 or fp16"),
    {0, "profile", OPT_FLAG, &profile, NULL,
     "the time of each step, and of classes of layers beside the ceilings of "
     "the device, instead of the whole"},
    {0, "seconds", OPT_REAL, &seconds, "S", "measure at least S seconds a row",
     .min = 0.01, .max = 3600, .def = "1"},
    {0, "train", OPT_FLAG, &training, NULL,
     "steps of training on random pictures instead of inference"},
    {0, "tune", OPT_TEXT, &tune_path, "FILE",
     "try other constants of the planner, write what is faster for --plan"},
    {0, "turns", OPT_FLAG, &turns, NULL,
     "measure once more for each line of standard input"},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-benchmark model.st", "adze-benchmark -b 1,8 float.st int8.st -f csv",
    "adze-benchmark --train -b 128 model.st",
    "adze-benchmark --tune fast.plan model.st", NULL};

static const struct command cmd = {
    .name = "benchmark",
    .brief = "measure how fast models run",
    .usage = "[-b LIST] [-f FORMAT] [--each-threads=LIST] "
             "[--train | --load=DATA] [-c RECIPE] [-o KEY=VALUE ...] "
             "[--turns | --tune=FILE] [--plan=FILE] [MODEL ...]",
    .options = options,
    .examples = examples,
    .max_args = -1,
};

/* ---- measuring ---- */

/* A model, and what is said of it.  */
struct measured {
    struct benchjob job;
    int *rows; /* printed, of all models */
    int saves; /* fewer multiply-adds than row.mac are needed */
    int told;  /* what a share above 1 means */
};

static void print_profile(const struct benchjob_work *w)
{
    const struct benchrow *r = &w->job->row;
    struct ceilings c;
    struct str s = {0};

    str_printf(&s, "# '%s', batch %lld, %d threads, %s%s\n", Q(r->model),
               (long long)r->batch, pool_threads(w->pool), r->dtype,
               training ? ", training" : "");
    profile_measure(&c, w->plan, w->pool);
    profile_steps(&s, w->plan, &c);
    profile_classes(&s, w->plan, &c);
    fputs(str_text(&s), stdout);
    str_release(&s);
}

static int saves(const struct plan *p)
{
    for (int i = 0; i < plan_steps(p); i++)
        if (plan_step(p, i).saves)
            return 1;
    return 0;
}

/* GFLOP/s.  */
static double peak(const struct benchjob_work *w)
{
    static const enum peak of[] = {PEAK_F32, PEAK_BF16, PEAK_F16};
    const struct benchjob *j = w->job;
    const struct device *d = j->dev;

    if (!w->plan || profile || !d->peak)
        return 0;
    return 1e-9 *
           d->peak(d, pass_quantized(j->g) ? PEAK_I8 : of[j->narrow], w->pool);
}

/* Is there a turn N: a line of standard input, or the only one.  */
static int next_turn(int n)
{
    int c;

    if (!turns)
        return n == 0;
    while ((c = getchar()) != EOF && c != '\n')
        ;
    return c == '\n';
}

/* In turns with others the time is what was asked for, as nearly as the runs
 * allow, and only the first turn is warmed up.  */
static struct bench_opts how_long(int turn)
{
    const struct bench_opts alone = {0.2 * seconds, seconds, 5 * seconds,
                                     bench_default.warm_runs,
                                     bench_default.runs};
    const struct bench_opts first = {0.2 * seconds, seconds, seconds, 1, 2};
    const struct bench_opts later = {0, seconds, seconds, 0, 2};

    return !turns ? alone : turn ? later : first;
}

/* Once for a model is enough.  */
static void tell_share(struct measured *m)
{
    const struct benchrow *w = &m->job.row;

    if (benchrow_share(w) <= 1 || m->told)
        return;
    m->told = 1;
    cli_note("the share of '%s' is above 1: %s", Q(w->model),
             m->saves ? "Winograd's transforms need fewer multiply-adds than "
                        "are counted"
                      : "the machine was faster during the run than before and "
                        "after it; measure again, without other load");
}

/* The head comes with the first row: where nothing is measured there is
 * none.  */
static void add_row(struct measured *m)
{
    if (!(*m->rows)++)
        benchrow_head((enum benchrow_form)format);
    benchrow_print((enum benchrow_form)format, &m->job.row);
    tell_share(m);
}

static int take_turn(struct measured *m, struct benchjob_work *w, int n,
                     struct err *e)
{
    struct benchjob *j = &m->job;
    const struct bench_opts o = how_long(n);

    j->row.peak[0] = peak(w);
    if (bench_run(benchjob_once, w, &o, &j->row.r, e) < 0)
        return -1;
    j->row.peak[1] = peak(w);
    j->row.load_s += j->row.r.first_s;
    j->row.memory = bench_peak_memory();
    j->row.device_memory =
        j->dev && j->dev->most ? (double)j->dev->most(j->dev) : 0;
    if (profile)
        print_profile(w);
    else
        add_row(m);
    return 0;
}

static int measure(struct measured *m, int64_t batch, int64_t threads,
                   const struct tuning *t, struct err *e)
{
    const double start = clock_now();
    struct benchjob *j = &m->job;
    struct benchjob_work w = {
        .job = j, .pool = pool_new((int)threads), .params = j->params};
    int bad;

    j->row.batch = batch;
    j->row.threads = pool_threads(w.pool);
    bad = benchjob_bind(&w, t, e);
    if (w.plan)
        io_detail_plan(w.plan);
    m->saves = w.plan && saves(w.plan);
    j->row.load_s = j->load_s + clock_now() - start;
    for (int n = 0; !bad && next_turn(n); n++)
        bad = take_turn(m, &w, n, e);
    benchjob_release(&w);
    pool_free(w.pool);
    return bad;
}

/* ---- what was asked for ---- */

struct list {
    int64_t item[LIST_MAX];
    int n;
};

struct asked {
    struct recipe recipe;
    struct planfile plan;
    struct list batch, threads;
    int rows;      /* printed, of all models */
    int no_device; /* it cannot be opened */
};

/* The one batch and number of threads that --tune needs.  */
static int tune(struct benchjob *j, const struct asked *a, struct err *e)
{
    j->row.batch = a->batch.item[0];
    return benchtune_run(j, (int)a->threads.item[0], seconds, &a->plan.tuning,
                         tune_path, e);
}

static int all_of(const char *path, struct asked *a, struct err *e)
{
    const struct benchjob_opts o = {.training = training,
                                    .pictures = pictures,
                                    .device = device_name,
                                    .precision = precision,
                                    .profile = profile,
                                    .recipe = &a->recipe};
    struct measured m = {.rows = &a->rows};
    struct benchjob *j = &m.job;
    int bad = benchjob_open(j, path, &o, e);

    a->no_device = bad && j->m && !pictures && !j->dev;
    if (tune_path && !bad) {
        bad = tune(j, a, e);
        benchjob_close(j);
        return bad;
    }
    for (int t = 0; t < a->threads.n && !bad; t++)
        for (int b = 0; b < a->batch.n && !bad; b++)
            bad = measure(&m, a->batch.item[b], a->threads.item[t],
                          &a->plan.tuning, e);
    benchjob_close(j);
    return bad;
}

static int parse_list(const char *option, const char *text, int64_t max,
                      struct list *l, struct err *e)
{
    char *copy = xstrdup(text), *p = copy;
    int bad = 0;

    for (l->n = 0; p && !bad; l->n++) {
        char *item = strsep(&p, ",");

        if (l->n == LIST_MAX || parse_i64(item, 1, max, &l->item[l->n]) < 0)
            bad = err_set(e, ERR_USAGE,
                          "option '%s' needs a list of numbers from 1 to "
                          "%lld such as 1,8, not '%s'",
                          option, (long long)max, Q(text));
    }
    free(copy);
    return bad;
}

/* Options that exclude each other.  */
static int settle(char **path, int models, const struct asked *a, struct err *e)
{
    if (json && format && format != BENCHROW_JSONL)
        return err_set(e, ERR_USAGE, "--json and -f: one at a time");
    if (profile && (json || format))
        return err_set(e, ERR_USAGE, "--profile has one form, that of a table");
    if (training && pictures)
        return err_set(e, ERR_USAGE, "--train and --load: one at a time");
    if (pictures && (precision || plan_path || strcmp(device_name, "cpu") != 0))
        return err_set(e, ERR_USAGE,
                       "--load computes nothing: it goes without --precision, "
                       "--plan and -D");
    if (profile && (pictures || turns))
        return err_set(e, ERR_USAGE, "--profile and %s: one at a time",
                       pictures ? "--load" : "--turns");
    if ((recipe_name || overrides.n) && !training && !pictures)
        return err_set(e, ERR_USAGE, "-c and -o are for --train and --load");
    if ((turns || tune_path) && (models != 1 || a->batch.n * a->threads.n != 1))
        return err_set(e, ERR_USAGE,
                       "--%s needs one named model, one batch and one "
                       "number of threads",
                       turns ? "turns" : "tune");
    if (tune_path && cli_not_model(path[0], tune_path, "--tune", e) < 0)
        return -1;
    if (tune_path && (turns || pictures || profile || json || format))
        return err_set(e, ERR_USAGE,
                       "--tune prints a table of what it tries: it goes with "
                       "none of --turns, --load, --profile, --json and -f");
    return 0;
}

static int parse(char **path, int models, struct asked *a, struct err *e)
{
    a->threads = (struct list){{cli.threads}, 1};
    if (parse_list("--batch", batches, 1000000, &a->batch, e) < 0 ||
        (each_threads &&
         parse_list("--each-threads", each_threads, 1024, &a->threads, e) < 0))
        return -1;
    if (settle(path, models, a, e) < 0 || io_check_file(tune_path, e) < 0)
        return -1;
    return io_plan(&a->plan, plan_path, e);
}

/* A device that is missing is said once, not for each of the N models PATH.  */
static void all_models(char **path, int n, struct asked *a, struct err *e)
{
    for (int i = 0; i < n && !a->no_device; i++)
        if (all_of(path[i], a, e) < 0)
            cli_fail(e);
    if (!n)
        all_of("-", a, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const int rest = cli_start(&cmd, argc, argv);
    struct asked a = {0};

    if (parse(argv + rest, argc - rest, &a, &e) < 0 ||
        recipe_read(&a.recipe, recipe_name, overrides.n ? overrides.item : NULL,
                    &e) < 0)
        return cli_end(&cmd, &e);
    if (json)
        format = BENCHROW_JSONL;
    all_models(argv + rest, argc - rest, &a, &e);
    recipe_release(&a.recipe);
    return cli_end(&cmd, &e);
}
