/* transform.c -- see transform.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/transform.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/io.h"
#include "format/model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "graph/summary.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/params.h"
#include "run/parity.h"
#include "run/plan.h"

/* ---- what a graph costs ---- */

/* For one picture.  */
struct transform_cost {
    int64_t params, flop, mac;
    size_t value_bytes, plan_bytes; /* planned peak: values, with scratch */
    double latency_s;               /* median */
};

static void count(struct transform_cost *c, const struct graph *g)
{
    struct summary s;

    summary_init(&s, g, 0);
    c->params = s.total.params;
    c->flop = s.total.flop;
    c->mac = s.total.mac;
    summary_release(&s);
}

static int time_plan(struct transform_cost *c, struct plan *p, struct err *e)
{
    static const struct bench_opts quick = {0.05, 0.2, 1, 3, 10};
    const struct rng r = rng_at(1, RNG_BENCH, 0, 0);
    struct tensor *x = plan_value(p, "image");
    struct bench_result b;

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    if (bench_plan(p, &quick, &b, e) < 0)
        return -1;
    c->value_bytes = plan_value_bytes(p);
    c->plan_bytes = plan_bytes(p);
    c->latency_s = b.median_s;
    return 0;
}

/* Of G as it runs (simplified first), with the threads of -j.  */
static int measure(struct transform_cost *c, const struct graph *in,
                   const struct device *d, struct err *e)
{
    const struct plan_opts po = {.batch = 1, .pool = cli_pool()};
    struct graph *g = pass_simplify(in, e);
    struct params *ps = g ? params_share(g, d, e) : NULL;
    struct plan *p = ps ? plan_new(g, d, ps, &po, e) : NULL;
    int bad;

    if (p)
        io_detail_plan(p);
    bad = !p || time_plan(c, p, e) < 0;

    if (!bad)
        count(c, g);
    plan_free(p);
    params_free(ps);
    graph_free(g);
    return bad ? -1 : 0;
}

/* ---- the report ---- */

static int same_form(const struct graph *a, const struct graph *b)
{
    struct str s = {0}, t = {0};
    int same;

    graph_print(&s, a);
    graph_print(&t, b);
    same = !strcmp(str_text(&s), str_text(&t));
    str_release(&s);
    str_release(&t);
    return same;
}

static json_t *cost_json(const struct transform_cost *c)
{
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:f}", "params", (json_int_t)c->params, "flop",
        (json_int_t)c->flop, "mac", (json_int_t)c->mac, "value_bytes",
        (json_int_t)c->value_bytes, "plan_bytes", (json_int_t)c->plan_bytes,
        "latency_ms", 1e3 * c->latency_s);
}

/* JSON has no infinity: null stands for it.  */
static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static void report_json(const struct parity *r, int changed,
                        const struct transform_cost *a,
                        const struct transform_cost *b)
{
    json_t *o = json_pack(
        "{s:o,s:o,s:I,s:f,s:b,s:o,s:o}", "max_abs", real(r->max_abs), "max_rel",
        real(r->max_rel), "samples", (json_int_t)r->samples, "top1_agreement",
        (double)r->agree / (double)r->samples, "changed", changed, "before",
        cost_json(a), "after", cost_json(b));
    char *text = json_dumps(o, JSON_REAL_PRECISION(17) | JSON_COMPACT);

    cli_line(text);
    free(text);
    json_decref(o);
}

/* What R found and the costs before and after.  */
static void report_text(const struct parity *r, const struct transform_cost *a,
                        const struct transform_cost *b)
{
    cli_note("outputs differ by %.3g, %.3g of the largest, on %lld inputs",
             r->max_abs, r->max_rel, (long long)r->samples);
    cli_note("parameters %lld -> %lld, MFLOP %.6g -> %.6g, latency %.3f -> "
             "%.3f ms",
             (long long)a->params, (long long)b->params, 1e-6 * (double)a->flop,
             1e-6 * (double)b->flop, 1e3 * a->latency_s, 1e3 * b->latency_s);
    cli_note("planned peak of values %.6g -> %.6g MB, with scratch %.6g -> "
             "%.6g MB",
             1e-6 * (double)a->value_bytes, 1e-6 * (double)b->value_bytes,
             1e-6 * (double)a->plan_bytes, 1e-6 * (double)b->plan_bytes);
}

/* Write to standard error what the pass did: notices (not with -q), or with
 * JSON one line of it.  */
static int report(const struct transform *t, const struct parity *r,
                  const struct graph *before, const struct graph *after,
                  const struct device *d, struct err *e)
{
    const int changed = !same_form(before, after);
    struct transform_cost a = {0}, b = {0};

    if (!changed && !t->json)
        cli_note("%s", t->nothing);
    if (!t->json && (cli.quiet || !changed))
        return 0;
    if (measure(&a, before, d, e) < 0 || measure(&b, after, d, e) < 0)
        return -1;
    if (t->json)
        report_json(r, changed, &a, &b);
    else
        report_text(r, &a, &b);
    return 0;
}

/* ---- exact passes ---- */

static int prove(const struct transform *t, const struct graph *before,
                 const struct graph *after, struct err *e)
{
    const struct parity_opts po = {.seed = 1, .pool = cli_pool()};
    struct device *d = io_device(t->device ? t->device : "cpu", e);
    struct parity r = {0};
    const int bad = !d || parity_run(&r, before, after, d, &po, e) < 0 ||
                    report(t, &r, before, after, d, e) < 0 ||
                    parity_exact(&r, e) < 0;

    parity_release(&r);
    io_device_free(d);
    return bad ? -1 : 0;
}

int transform_exact(const struct transform *t,
                    struct graph *(*pass)(const struct graph *in,
                                          struct err *e),
                    struct err *e)
{
    const int can = cli_streams(t->model, t->output, e) == 0 &&
                    io_check_file(t->output, e) == 0;
    struct model *m = can ? io_plain_model(t->model, e) : NULL;
    const int is_float = m && pass_need_float(m->graph, e) == 0;
    struct graph *g = is_float ? pass(m->graph, e) : NULL;
    char from[HASH_TEXT];
    int bad =
        !g || prove(t, m->graph, g, e) < 0 || model_fingerprint(m, from, e) < 0;

    if (bad) {
        graph_free(g);
    } else {
        model_replace_graph(m, g);
        model_history_add(m, cli.name, NULL,
                          (const char *[]){"model", from, NULL});
        bad = io_write_model(m, t->output, e) < 0;
    }
    model_free(m);
    return bad ? -1 : 0;
}
