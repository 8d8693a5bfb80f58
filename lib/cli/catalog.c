/* catalog.c -- see catalog.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/catalog.h"

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/table.h"
#include "format/network.h"
#include "graph/graph.h"
#include "graph/summary.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/initial.h"

/* A minimum needs few runs; large networks take a second each.  */
static const struct bench_opts bench = {
    .warmup_s = 0.02, .min_s = 0.1, .max_s = 0.5, .warm_runs = 1, .runs = 3};

struct entry {
    const char *name;
    struct network *network;
    struct graph *graph;
    struct summary_row cost;
    double seconds; /* 0: not measured */
};

static int time_plan(const struct graph *g, const struct catalog_opts *o,
                     double *seconds, struct err *e)
{
    const struct plan_opts po = {.batch = 1, .pool = o->pool};
    struct params *params = params_share(g, o->measure, e);
    struct plan *p = params ? plan_new(g, o->measure, params, &po, e) : NULL;
    struct bench_result r = {0};
    const int bad = !p || bench_plan(p, &bench, &r, e) < 0;

    *seconds = r.min_s;
    plan_free(p);
    params_free(params);
    return bad ? -1 : 0;
}

static int measure(struct entry *n, const struct catalog_opts *o, struct err *e)
{
    struct graph *g;
    int bad;

    if (initial_fill(n->graph, 1, NULL, e) < 0)
        return -1;
    g = pass_simplify(n->graph, e);
    bad = !g || time_plan(g, o, &n->seconds, e) < 0;
    graph_free(g);
    return bad ? -1 : 0;
}

static int entry_open(struct entry *n, const char *name,
                      const struct catalog_opts *o, struct err *e)
{
    struct summary s;

    *n = (struct entry){.name = name, .network = network_open(name, e)};
    n->graph = n->network ? network_graph(n->network, NULL, e) : NULL;
    if (!n->graph)
        return -1;
    summary_init(&s, n->graph, 0);
    n->cost = s.total;
    summary_release(&s);
    return o->measure ? measure(n, o, e) : 0;
}

static void entry_close(struct entry *n)
{
    graph_free(n->graph);
    network_close(n->network);
}

static const char *about(const struct entry *n, const char *key)
{
    const char *text = network_about(n->network, key);

    return text ? text : "-";
}

static void add_row(struct table *t, const struct entry *n)
{
    table_cell(t, "%s", n->name);
    table_cell(t, "%lld", (long long)n->cost.params);
    table_cell(t, "%lld", (long long)n->cost.mac);
    table_cell(t, "%lld", (long long)n->cost.flop);
    table_cell(t, "%lld", (long long)n->cost.bytes);
    if (n->seconds > 0)
        table_cell(t, "%.2f", n->seconds * 1e3);
    else
        table_cell(t, "-");
    table_cell(t, "%s", ST(&n->graph->value[0]->shape));
    table_cell(t, "%s", about(n, "top1"));
    table_cell(t, "%s", about(n, "weights"));
    table_cell(t, "%s", about(n, "paper"));
}

/* A number, as all figures are; NULL where there is none.  */
static json_t *top1_json(const struct entry *n)
{
    const char *text = network_about(n->network, "top1");
    double v;

    return text && parse_f64(text, 0, 100, &v) == 0 ? json_real(v) : NULL;
}

static json_t *row_json(const struct entry *n)
{
    const struct shape *in = &n->graph->value[0]->shape;
    json_t *o =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:o*,s:s*,s:s*}", "network", n->name,
                  "parameters", (json_int_t)n->cost.params, "mac",
                  (json_int_t)n->cost.mac, "flop", (json_int_t)n->cost.flop,
                  "bytes", (json_int_t)n->cost.bytes, "top1", top1_json(n),
                  "weights", network_about(n->network, "weights"), "paper",
                  network_about(n->network, "paper"));
    json_t *size = json_array();

    for (int i = 1; i < in->rank; i++)
        json_array_append_new(size, json_integer(in->dim[i]));
    json_object_set_new(o, "input", size);
    if (n->seconds > 0)
        json_object_set_new(o, "latency_ms", json_real(n->seconds * 1e3));
    return o;
}

int catalog_print(const struct catalog_opts *o, struct err *e)
{
    json_t *list = json_array();
    struct table t = {0};
    int bad = 0;

    table_head(&t, "network|>parameters|>mac|>flop|>bytes|>latency "
                   "ms|input|>top-1 %|weights|paper");
    for (const char *const *name = network_names(); *name && !bad; name++) {
        struct entry n;

        bad = entry_open(&n, *name, o, e) < 0;
        if (!bad && o->json)
            json_array_append_new(list, row_json(&n));
        else if (!bad)
            add_row(&t, &n);
        entry_close(&n);
    }
    if (!bad && o->json) {
        json_dumpf(list, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    if (!bad && !o->json)
        table_print(&t);
    else
        table_release(&t);
    json_decref(list);
    return bad ? -1 : 0;
}
