/* benchmark.c -- adze-benchmark: models -> table of latencies.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "cpu/peak.h"
#include "format/model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/params.h"
#include "run/plan.h"

enum { LIST_MAX = 64 };
enum { TABLE, CSV, JSONL };

static const char *const formats[] = {"table", "csv", "jsonl", NULL};
static const char *batches = "1", *each_threads;
static const char *device_name = "cpu";
static double seconds = 1;
static int format, profile, json;

static const struct opt options[] = {
    {'b', "batch", OPT_TEXT, &batches, "LIST", "batches, separated by commas",
     .def = "1"},
    OPT_DEVICE(&device_name),
    {0, "each-threads", OPT_TEXT, &each_threads, "LIST",
     "measure with each of these numbers of threads instead of -j"},
    OPT_FORMAT(&format, formats, "table"),
    {0, "json", OPT_FLAG, &json, NULL, "same as -f jsonl"},
    {0, "profile", OPT_FLAG, &profile, NULL,
     "the time of each step instead of the whole"},
    {0, "seconds", OPT_REAL, &seconds, "S", "measure at least S seconds a row",
     .min = 0.01, .max = 3600, .def = "1"},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-benchmark model.st", "adze-benchmark -b 1,8 float.st int8.st -f csv",
    NULL};

static const struct command cmd = {
    .name = "benchmark",
    .brief = "measure how fast models run",
    .usage = "[-b LIST] [-f FORMAT] [--each-threads=LIST] [MODEL ...]",
    .options = options,
    .examples = examples,
    .max_args = -1,
};

static int parse_list(const char *option, const char *text, int64_t *list,
                      int64_t max, int *n, struct err *e)
{
    char *copy = xstrdup(text), *p = copy;
    int bad = 0;

    for (*n = 0; p && !bad; (*n)++) {
        char *item = strsep(&p, ",");

        if (*n == LIST_MAX || parse_i64(item, 1, max, &list[*n]) < 0)
            bad = err_set(e, ERR_USAGE,
                          "option '%s' needs a list of numbers from 1 to "
                          "%lld such as 1,8, not '%s'",
                          option, (long long)max, Q(text));
    }
    free(copy);
    return bad;
}

/* ---- a row ---- */

struct row {
    const char *model, *dtype;
    int64_t batch, threads, params, mac;
    struct bench_result r;
    double load_s, memory;
    double peak[2]; /* before and after the run: clocks rise and fall */
    int saves;      /* fewer multiply-adds than MAC were needed */
};

struct cell {
    const char *name;
    int width; /* in a table; 0: it has no room for it */
    const char *text;
    double value; /* if there is no text */
    int digits;
};

enum { CELLS = 18 };

static double gflops_of(const struct row *w)
{
    return w->r.min_s > 0
               ? 2e-9 * (double)w->mac * (double)w->batch / w->r.min_s
               : 0;
}

static double share_of(const struct row *w)
{
    const double peak = fmax(w->peak[0], w->peak[1]);

    return peak > 0 ? gflops_of(w) / peak : 0;
}

static void fill(struct cell c[CELLS], const struct row *w)
{
    const double b = (double)w->batch, med = w->r.median_s;
    const struct cell list[CELLS] = {
        {"model", 24, w->model, 0, 0},
        {"dtype", 5, w->dtype, 0, 0},
        {"batch", 5, NULL, b, 0},
        {"threads", 7, NULL, (double)w->threads, 0},
        {"params", 10, NULL, (double)w->params, 0},
        {"mmac", 9, NULL, 1e-6 * (double)w->mac, 2},
        {"min_ms", 9, NULL, 1e3 * w->r.min_s, 3},
        {"median_ms", 9, NULL, 1e3 * med, 3},
        {"p90_ms", 9, NULL, 1e3 * w->r.p90_s, 3},
        {"p99_ms", 9, NULL, 1e3 * w->r.p99_s, 3},
        {"images_s", 9, NULL, med > 0 ? b / med : 0, 1},
        {"first_ms", 9, NULL, 1e3 * w->load_s, 1},
        {"memory_mb", 9, NULL, 1e-6 * w->memory, 1},
        {"gflops", 8, NULL, gflops_of(w), 1},
        {"peak", 8, NULL, fmax(w->peak[0], w->peak[1]), 1},
        {"share", 6, NULL, share_of(w), 3},
        {"peak_before", 0, NULL, w->peak[0], 1},
        {"peak_after", 0, NULL, w->peak[1], 1},
    };

    memcpy(c, list, sizeof list);
}

static void print_head(void)
{
    struct cell c[CELLS];

    fill(c, &(struct row){0});
    for (int i = 0; format != JSONL && i < CELLS; i++)
        if (format == CSV)
            printf("%s%s", i ? "," : "", c[i].name);
        else if (c[i].width)
            printf("%s%*s", i ? " " : "# ", i ? c[i].width : -c[i].width,
                   c[i].name);
    if (format != JSONL)
        putchar('\n');
}

/* A field of CSV or JSON: quoted, and never one that a spreadsheet takes for
 * a formula.  */
static void print_quoted(const char *s)
{
    putchar('"');
    if (format == CSV && strchr("=+-@", *s) && *s)
        putchar('\'');
    for (; *s; s++) {
        if (*s == '"' || (format == JSONL && *s == '\\'))
            putchar(format == CSV ? '"' : '\\');
        putchar(*s);
    }
    putchar('"');
}

static void print_cell(const struct cell *c, int i)
{
    char num[64];

    if (format == TABLE && !c->width)
        return;
    snprintf(num, sizeof num, "%.*f", c->digits, c->value);
    if (format == TABLE) {
        printf("%s%*s", i ? " " : "  ", i ? c->width : -c->width,
               c->text ? Q(c->text) : num);
        return;
    }
    printf("%s", i ? format == CSV ? "," : ", " : format == JSONL ? "{" : "");
    if (format == JSONL)
        printf("\"%s\": ", c->name);
    if (c->text)
        print_quoted(Q(c->text));
    else
        fputs(num, stdout);
}

static void print_row(const struct row *w)
{
    struct cell c[CELLS];

    fill(c, w);
    for (int i = 0; i < CELLS; i++)
        print_cell(&c[i], i);
    puts(format == JSONL ? "}" : "");
    fflush(stdout);
    if (share_of(w) > 1)
        cli_note("the share of '%s' is above 1: %s", Q(w->model),
                 strcmp(w->dtype, "f32")
                     ? "the peak is that of fp32, and 8 bits can be faster"
                 : w->saves
                     ? "Winograd's transforms need fewer multiply-adds than "
                       "are counted"
                     : "the machine was faster during the run than before and "
                       "after it; measure again, without other load");
}

/* ---- measuring ---- */

struct job {
    struct model *m;
    struct graph *g;
    struct device *dev;
    struct params *params;
    double load_s;
    struct row row;
};

static void count(struct job *j)
{
    j->row.dtype = pass_quantized(j->g) ? "int8" : "f32";
    for (int i = 0; i < j->g->n_value; i++) {
        const struct value *v = j->g->value[i];

        if (v->kind == VALUE_PARAM ||
            (v->kind == VALUE_CONST && v->dtype == DTYPE_I8)) /* quantised */
            j->row.params += shape_count(&v->shape);
    }
    for (int i = 0; i < j->g->n_node; i++)
        j->row.mac += node_cost(j->g->node[i]).mac;
}

static void noise(struct tensor *t)
{
    const struct rng r = rng_at(1, RNG_BENCH, 0, 0);
    float *p = t->data;

    for (int64_t i = 0; t->dtype == DTYPE_F32 && i < tensor_count(t); i++)
        p[i] = (float)rng_normal(&r, (uint64_t)i);
}

static void print_profile(struct plan *p, int runs)
{
    char num[FMT_NUM];

    printf("# node\tkernel\tms\tgflops\n");
    for (int i = 0; i < plan_steps(p); i++) {
        const struct plan_step_info s = plan_step(p, i);
        const double each = s.seconds / runs;

        printf("%s\t%s\t%.4f\t%s\n", Q(s.node), s.kernel, 1e3 * each,
               s.mac ? fmt_f32(num, (float)(2e-9 * (double)s.mac / each))
                     : "-");
    }
}

static int saves(const struct plan *p)
{
    for (int i = 0; i < plan_steps(p); i++)
        if (plan_step(p, i).saves)
            return 1;
    return 0;
}

static int measure(struct job *j, int64_t batch, int64_t threads, struct err *e)
{
    const struct bench_opts o = {0.2 * seconds, seconds, 5 * seconds};
    struct pool *pool = pool_new((int)threads);
    const struct plan_opts po = {
        .batch = batch, .pool = pool, .profile = profile};
    const double start = clock_now();
    struct plan *p = plan_new(j->g, j->dev, j->params, &po, e);
    int bad = !p;

    if (p) {
        noise(plan_value(p, "image"));
        j->row.batch = batch;
        j->row.saves = saves(p);
        j->row.threads = pool_threads(pool);
        j->row.load_s = j->load_s + clock_now() - start;
        j->row.peak[0] = profile ? 0 : peak_gflops(cpu_features(), pool);
        bad = bench_plan(p, &o, &j->row.r, e);
        j->row.peak[1] = profile ? 0 : peak_gflops(cpu_features(), pool);
        j->row.load_s += j->row.r.first_s;
        j->row.memory = bench_peak_memory();
    }
    if (!bad && profile)
        print_profile(p, j->row.r.runs);
    else if (!bad)
        print_row(&j->row);
    plan_free(p);
    pool_free(pool);
    return bad;
}

static int open_job(struct job *j, const char *path, struct err *e)
{
    const double start = clock_now();

    j->m = io_plain_model(path, e);
    j->g = j->m ? pass_simplify(j->m->graph, e) : NULL;
    j->dev = j->g ? io_device(device_name, e) : NULL;
    j->params = j->dev ? params_new(j->g, j->dev, e) : NULL;
    if (!j->params)
        return j->m ? err_in(e, "'%s'", Q(path)) : -1;
    j->load_s = clock_now() - start;
    j->row.model = path;
    count(j);
    return 0;
}

static void close_job(struct job *j)
{
    params_free(j->params);
    io_device_free(j->dev);
    graph_free(j->g);
    model_free(j->m);
}

static int all_of(const char *path, const int64_t *batch, int n_batch,
                  const int64_t *threads, int n_threads, struct err *e)
{
    struct job j = {0};
    int bad = open_job(&j, path, e);

    for (int t = 0; t < n_threads && !bad; t++)
        for (int b = 0; b < n_batch && !bad; b++)
            bad = measure(&j, batch[b], threads[t], e);
    close_job(&j);
    return bad;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const int rest = cli_start(&cmd, argc, argv);
    int64_t batch[LIST_MAX], threads[LIST_MAX] = {cli.threads};
    int n_batch, n_threads = 1, bad;

    if (profile && (json || format))
        err_set(&e, ERR_USAGE, "--profile has one form, that of a table");
    if (json)
        format = JSONL;
    bad = e.code ||
          parse_list("--batch", batches, batch, 1000000, &n_batch, &e) < 0 ||
          (each_threads && parse_list("--each-threads", each_threads, threads,
                                      1024, &n_threads, &e) < 0);
    if (!bad && !profile)
        print_head();
    for (int i = rest; i < argc && !bad; i++)
        if (all_of(argv[i], batch, n_batch, threads, n_threads, &e) < 0)
            cli_fail(&e);
    if (!bad && rest == argc)
        all_of("-", batch, n_batch, threads, n_threads, &e);
    return cli_end(&cmd, &e);
}
