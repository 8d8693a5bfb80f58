/* benchmark.c -- adze-benchmark: models -> table of times.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/benchrow.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/profile.h"
#include "run/tune.h"
#include "train/feed.h"
#include "train/graph.h"
#include "train/lossscale.h"
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

/* ---- a model ---- */

struct job {
    struct model *m;
    struct graph *g; /* what runs; NULL: nothing */
    struct device *dev;
    struct params *params;
    struct recipe *recipe;
    const struct tuning *tuning;
    struct pool *pool; /* of tune() */
    struct dataset *data;
    double load_s;
    int narrow; /* enum precision */
    struct benchrow row;
    int *rows; /* printed, of all jobs */
    int saves; /* fewer multiply-adds than row.mac are needed */
    int told;  /* what a share above 1 means */
};

/* A job at one batch, with what its runs work on.  */
struct work {
    struct job *job;
    struct pool *pool;
    struct params *params; /* the job's, but see tune_bind() */
    struct plan *plan;
    struct feed feed;
    float *image;
    int64_t *target;
    int64_t step; /* runs so far */
    struct lossscale scale;
};

/* Noise, or labels of the network's classes.  */
static void noise(struct tensor *t, int64_t classes)
{
    const struct rng r = rng_at(1, RNG_BENCH, 0, 0);

    for (int64_t i = 0; i < tensor_count(t); i++)
        if (t->dtype == DTYPE_F32)
            ((float *)t->data)[i] = (float)rng_normal(&r, (uint64_t)i);
        else
            ((int64_t *)t->data)[i] =
                (int64_t)rng_below(&r, (uint64_t)i, (uint64_t)classes);
}

/* Noise in the input NAME, which stays on the device: what sends pictures does
 * so beside the work.  */
static int fill_input(struct work *w, const char *name, int64_t classes,
                      struct err *e)
{
    const struct device *d = w->job->dev;
    struct tensor *host = plan_value(w->plan, name);
    struct tensor *there = plan_feed(w->plan, name);

    noise(host, classes);
    return d->put ? d->put(d, there->data, host->data, tensor_bytes(host), e)
                  : 0;
}

/* ---- inference ---- */

static struct graph *infer_graph(const struct job *j, struct err *e)
{
    return pass_simplify(j->m->graph, e);
}

static int infer_prepare(struct work *w, struct err *e)
{
    w->scale = lossscale_new(w->job->recipe);
    return fill_input(w, "image", 0, e);
}

static int infer(void *ctx, struct err *e)
{
    struct work *w = ctx;

    return plan_run(w->plan, NULL, e);
}

/* ---- training ---- */

static struct graph *training_graph(const struct job *j, struct err *e)
{
    return train_graph(j->m->graph, j->recipe, e);
}

static int train_prepare(struct work *w, struct err *e)
{
    w->scale = lossscale_new(w->job->recipe);
    return fill_input(w, "image", 0, e) < 0
               ? -1
               : fill_input(w, "target", model_head(w->job->m), e);
}

/* At rate 0 all is done that a step does, and the numbers stay as they are:
 * many steps on one batch of noise could end in some that are none.  */
static int train(void *ctx, struct err *e)
{
    struct work *w = ctx;
    const struct run_step rs = {(uint64_t)w->job->recipe->seed,
                                (uint64_t)w->step++};
    char loss[FMT_NUM], norm[FMT_NUM];
    struct train_result r;
    int bad;

    do
        bad = train_step(w->plan, &rs,
                         (struct train_rates){.scale = w->scale.value}, &r, e);
    while (bad > 0 && isfinite(r.loss) && lossscale_halve(&w->scale));
    if (bad > 0)
        return err_set(e, ERR_NONFINITE, "loss %s, gradient norm %s",
                       fmt_f32(loss, (float)r.loss),
                       fmt_f32(norm, (float)r.norm));
    return bad;
}

/* ---- reading pictures ---- */

static int load_prepare(struct work *w, struct err *e)
{
    struct job *j = w->job;
    const struct preprocess *pre = &j->m->pre;
    const struct feed_opts fo = {.pre = *pre, .batch = "-b"};
    const size_t batch = (size_t)j->row.batch;

    j->recipe->batch = j->row.batch;
    j->recipe->last = 0; /* every batch is full */
    if (feed_open(&w->feed, j->data, &fo, j->recipe, e) < 0)
        return -1;
    w->image = xcalloc(mem_mul(batch, (size_t)(pre->channels * pre->size[0]) *
                                          (size_t)pre->size[1]),
                       sizeof *w->image);
    w->target = xcalloc(batch, sizeof *w->target);
    return 0;
}

static int load(void *ctx, struct err *e)
{
    struct work *w = ctx;
    const int64_t steps = w->feed.steps, at = w->step++;
    int64_t count;

    return loader_batch(w->feed.loader, at / steps, at % steps, w->image,
                        w->target, &count, w->pool, e);
}

/* ---- measuring ---- */

static const struct mode {
    struct graph *(*graph)(const struct job *, struct err *); /* NULL: none */
    struct plan *(*plan)(const struct graph *, const struct device *,
                         struct params *, const struct plan_opts *,
                         struct err *);
    int (*prepare)(struct work *, struct err *);
    bench_fn *once;
} mode_infer = {infer_graph, plan_new, infer_prepare, infer},
  mode_train = {training_graph, train_plan, train_prepare, train},
  mode_load = {NULL, NULL, load_prepare, load};

static const struct mode *mode(void)
{
    return training ? &mode_train : pictures ? &mode_load : &mode_infer;
}

static void count(struct job *j)
{
    static const char *const dtype[] = {"f32", "bf16", "f16"};

    j->row.dtype = j->g && pass_quantized(j->g) ? "int8" : dtype[j->narrow];
    for (int i = 0; j->g && i < j->g->n_value; i++)
        if (value_is_learned(j->g->value[i]))
            j->row.params += shape_count(&j->g->value[i]->shape);
    for (int i = 0; j->g && i < j->g->n_node; i++)
        j->row.mac += node_mac(j->g->node[i]);
}

static void print_profile(const struct work *w)
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
static double peak(const struct work *w)
{
    static const enum peak of[] = {PEAK_F32, PEAK_BF16, PEAK_F16};
    const struct job *j = w->job;
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
static void tell_share(struct job *j)
{
    const struct benchrow *w = &j->row;

    if (benchrow_share(w) <= 1 || j->told)
        return;
    j->told = 1;
    cli_note("the share of '%s' is above 1: %s", Q(w->model),
             j->saves ? "Winograd's transforms need fewer multiply-adds than "
                        "are counted"
                      : "the machine was faster during the run than before and "
                        "after it; measure again, without other load");
}

/* The head comes with the first row: where nothing is measured there is
 * none.  */
static void add_row(struct job *j)
{
    if (!(*j->rows)++)
        benchrow_head((enum benchrow_form)format);
    benchrow_print((enum benchrow_form)format, &j->row);
    tell_share(j);
}

static int take_turn(struct work *w, int n, struct err *e)
{
    struct job *j = w->job;
    const struct bench_opts o = how_long(n);

    j->row.peak[0] = peak(w);
    if (bench_run(mode()->once, w, &o, &j->row.r, e) < 0)
        return -1;
    j->row.peak[1] = peak(w);
    j->row.load_s += j->row.r.first_s;
    j->row.memory = bench_peak_memory();
    j->row.device_memory =
        j->dev && j->dev->most ? (double)j->dev->most(j->dev) : 0;
    if (profile)
        print_profile(w);
    else
        add_row(j);
    return 0;
}

static int bind(struct work *w, const struct tuning *t, struct err *e)
{
    struct job *j = w->job;
    const struct plan_opts po = {.batch = j->row.batch,
                                 .pool = w->pool,
                                 .profile = profile,
                                 .narrow = j->narrow,
                                 .tuning = t};

    if (j->g && !(w->plan = mode()->plan(j->g, j->dev, w->params, &po, e)))
        return -1;
    return mode()->prepare(w, e);
}

static void release(struct work *w)
{
    feed_close(&w->feed);
    plan_free(w->plan);
    pool_free(w->pool);
    free(w->image);
    free(w->target);
}

static int measure(struct job *j, int64_t batch, int64_t threads, struct err *e)
{
    const double start = clock_now();
    struct work w = {
        .job = j, .pool = pool_new((int)threads), .params = j->params};
    int bad;

    j->row.batch = batch;
    j->row.threads = pool_threads(w.pool);
    bad = bind(&w, j->tuning, e);
    if (w.plan)
        io_detail_plan(w.plan);
    j->saves = w.plan && saves(w.plan);
    j->row.load_s = j->load_s + clock_now() - start;
    for (int n = 0; !bad && next_turn(n); n++)
        bad = take_turn(&w, n, e);
    release(&w);
    return bad;
}

/* ---- tuning ---- */

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

static void tune_release(void *work)
{
    struct work *w = work;

    plan_free(w->plan);
    if (w->params != w->job->params)
        params_free(w->params);
    free(w);
}

/* While training packed forms are made again each step: of the kernels of this
 * plan alone, so it has parameters of its own.  */
static void *tune_bind(void *job, const struct tuning *t, struct err *e)
{
    struct job *j = job;
    struct work *w = xcalloc(1, sizeof *w);

    w->job = j;
    w->pool = j->pool;
    w->params = training ? params_new(j->g, j->dev, e) : j->params;
    if (w->params && bind(w, t, e) == 0)
        return w;
    tune_release(w);
    return NULL;
}

static int tune_same(const void *a, const void *b)
{
    const struct plan *p = ((const struct work *)a)->plan;
    const struct plan *q = ((const struct work *)b)->plan;

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

/* Constants for this model as it is run here, into the file.  */
static int tune(struct job *j, const struct asked *a, struct err *e)
{
    const struct tune_target g = {j, tune_bind, mode()->once, tune_same,
                                  tune_release};
    const struct tune_opts o = {seconds, training, tune_tried, NULL};
    struct tuning t = *j->tuning;
    struct str note = {0};
    int bad;

    j->row.batch = a->batch.item[0];
    j->pool = pool_new((int)a->threads.item[0]);
    printf("# %-22s %10s %9s %6s %5s\n", "constant", "value", "ms", "ratio",
           "taken");
    bad = tune_search(&g, &o, &t, e);
    str_printf(&note, "%s of '%s', batch %lld, %d threads, %s",
               training ? "training" : "inference", Q(j->row.model),
               (long long)j->row.batch, pool_threads(j->pool), j->row.dtype);
    bad = bad || planfile_save(&t, str_text(&note), tune_path, e) < 0;
    if (!bad)
        tell_tuned(&t);
    str_release(&note);
    pool_free(j->pool);
    return bad ? -1 : 0;
}

static int open_graph(struct job *j, struct err *e)
{
    if (!mode()->graph)
        return 0;
    if (training && precision)
        j->recipe->precision = precision;
    j->g = mode()->graph(j, e);
    j->params = !j->g      ? NULL
                : training ? params_new(j->g, j->dev, e)
                           : params_share(j->g, j->dev, e);
    if (!j->params)
        return -1;
    j->narrow =
        io_narrow(training ? j->recipe->precision : precision, j->g, j->dev, e);
    return j->narrow < 0 ? -1 : 0;
}

static int open_job(struct job *j, const char *path, struct err *e)
{
    const struct dataset_opts any = {.unlabelled = 1};
    const double start = clock_now();

    j->m = io_plain_model(path, e);
    if (!j->m)
        return -1;
    if (mode()->graph && !(j->dev = io_device(device_name, e)))
        return -1;
    if (open_graph(j, e) < 0)
        return err_in(e, "'%s'", Q(path));
    if (pictures && !(j->data = dataset_open(pictures, &any, e)))
        return -1;
    j->load_s = clock_now() - start;
    j->row.model = path;
    j->row.reads = pictures != NULL;
    count(j);
    return 0;
}

static void close_job(struct job *j)
{
    dataset_free(j->data);
    params_free(j->params);
    io_device_free(j->dev);
    graph_free(j->g);
    model_free(j->m);
}

/* ---- what was asked for ---- */

static int all_of(const char *path, struct asked *a, struct err *e)
{
    struct job j = {
        .recipe = &a->recipe, .tuning = &a->plan.tuning, .rows = &a->rows};
    int bad = open_job(&j, path, e);

    a->no_device = bad && j.m && mode()->graph && !j.dev;
    if (tune_path && !bad) {
        bad = tune(&j, a, e);
        close_job(&j);
        return bad;
    }
    for (int t = 0; t < a->threads.n && !bad; t++)
        for (int b = 0; b < a->batch.n && !bad; b++)
            bad = measure(&j, a->batch.item[b], a->threads.item[t], e);
    close_job(&j);
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
