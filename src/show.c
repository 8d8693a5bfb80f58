/* show.c -- what a model file holds: layers and their cost, tensors, graph,
 * plan, history.
 * SPDX-License-Identifier: MIT  */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/catalog.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "graph/summary.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/safetensors.h"
#include "tensor/stats.h"

static const char *path, *plan_path, *device_name = "cpu";
static int64_t batch = 1, depth;
static int json, state, graph, dot, plan, history, check, precision;
static int zoo, latency;

static const struct opt options[] = {
    OPT_MODEL(&path),
    {0, "depth", OPT_INT, &depth, "N",
     "one row for all layers whose names share N parts", .min = 1, .max = 100},
    {0, "state", OPT_FLAG, &state, NULL, "list the tensors"},
    {0, "graph", OPT_FLAG, &graph, NULL, "print the network in its flat form"},
    {0, "dot", OPT_FLAG, &dot, NULL, "print the network for Graphviz"},
    {0, "plan", OPT_FLAG, &plan, NULL, "print how the network would be run"},
    {0, "plan-file", OPT_TEXT, &plan_path, "FILE",
     "with --plan: constants of the planner, from adze-benchmark --tune"},
    OPT_PRECISION(&precision, "with --plan: compute in fp32, bf16 or fp16"),
    {0, "history", OPT_FLAG, &history, NULL, "list what made the model"},
    {0, "check", OPT_FLAG, &check, NULL,
     "verify hashes and that all numbers are finite"},
    {0, "zoo", OPT_FLAG, &zoo, NULL,
     "list the built-in networks with what each costs"},
    {0, "latency", OPT_FLAG, &latency, NULL,
     "with --zoo: time one picture in each, which takes minutes"},
    OPT_BATCH(&batch, "1"),
    OPT_DEVICE(&device_name),
    OPT_JSON(&json),
    OPT_COMMON,
    {0},
};

static const char *const examples[] = {
    "adze-show -m model.st",
    "adze-init resnet50 | adze-show --depth=1",
    "adze-show --state -m model.st",
    "adze-show --zoo",
    NULL,
};

static const struct command cmd = {
    .name = "show",
    .brief = "show what a model file holds",
    .usage = "[-m FILE] [--depth=N | --state | --graph | --dot | --plan | "
             "--history | --check | --zoo] [-b N] [-D NAME] "
             "[--plan-file=FILE] [--precision=FORM] [--latency] [--json] "
             "[model]",
    .options = options,
    .examples = examples,
    .max_args = 1,
};

struct job {
    struct set s;
    struct model *m;
    struct planfile plan;
};

static int put_json(json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));

    json_decref(o);
    if (!text)
        BUG("text that is not UTF-8 in a model");
    puts(text);
    free(text);
    return 0;
}

/* [N, 3, 32, 32]: numbers, and texts where the batch counts.  */
static json_t *shape_json(const struct shape *s)
{
    json_t *list = json_array();

    for (int i = 0; i < s->rank; i++) {
        char text[32];

        snprintf(text, sizeof text, s->dim[i] == 1 ? "N" : "%lldN",
                 (long long)s->dim[i]);
        json_array_append_new(list, s->batch >> i & 1
                                        ? json_string(text)
                                        : json_integer(s->dim[i]));
    }
    return list;
}

/* ---- plan ---- */

struct bound {
    struct graph *g;
    struct device *d;
    struct params *params;
    struct plan *plan;
};

static void unbind(struct bound *b)
{
    plan_free(b->plan);
    params_free(b->params);
    io_device_free(b->d);
    graph_free(b->g);
}

/* An error of a device is none of the model.  */
static int bind(struct bound *b, const struct job *j, struct err *e)
{
    struct plan_opts o = {
        .batch = batch, .pool = cli_pool(), .tuning = &j->plan.tuning};

    *b = (struct bound){0};
    b->g = pass_simplify(j->m->graph, e);
    b->d = b->g ? io_device(device_name, e) : NULL;
    b->params = b->d ? params_share(b->g, b->d, e) : NULL;
    o.narrow = b->params ? io_narrow(precision, b->g, b->d, e) : 0;
    b->plan = b->params && o.narrow >= 0
                  ? plan_new(b->g, b->d, b->params, &o, e)
                  : NULL;
    if (!b->plan)
        unbind(b);
    return b->plan ? 0 : -1;
}

static int show_plan(const struct job *j, struct err *e)
{
    struct str s = {0};
    struct bound b;

    if (bind(&b, j, e) < 0)
        return -1;
    plan_print_tuning(&s, b.plan);
    plan_print(&s, b.plan);
    fputs(str_text(&s), stdout);
    str_release(&s);
    unbind(&b);
    return 0;
}

static int peak_bytes(const struct job *j, size_t *bytes, struct err *e)
{
    struct bound b;

    if (bind(&b, j, e) < 0)
        return -1;
    *bytes = plan_bytes(b.plan);
    unbind(&b);
    return 0;
}

/* ---- layers ---- */

static void add_row(struct table *t, const struct summary_row *r)
{
    table_cell(t, "%s", Q(r->name));
    table_cell(t, "%s", r->op ? r->op : "-");
    table_cell(t, "%s", ST(&r->shape));
    table_cell(t, "%lld", (long long)r->params);
    table_cell(t, "%lld", (long long)r->flop);
    table_cell(t, "%lld", (long long)r->mac);
    table_cell(t, "%lld", (long long)r->bytes);
    table_cell(t, "%.2f", r->bytes ? (double)r->flop / (double)r->bytes : 0);
}

static void print_layers(const struct job *j, struct summary *s, size_t peak)
{
    const struct graph *g = j->m->graph;
    struct table t = {0};

    printf("# network %s: %lld parameters, %lld numbers of state, input %s\n",
           Q(g->name), (long long)s->total.params, (long long)s->total.state,
           ST(&g->value[0]->shape));
    printf("# planned memory for a batch of %lld: %zu bytes; at most %d layers "
           "at the same time\n",
           (long long)batch, peak, s->width);
    table_head(&t, "layer|op|output|>parameters|>flop|>mac|>bytes|>flop/byte");
    for (int i = 0; i < s->n; i++)
        add_row(&t, &s->row[i]);
    add_row(&t, &s->total);
    table_print(&t);
}

static json_t *row_json(const struct summary_row *r)
{
    return json_pack("{s:s,s:s?,s:o,s:I,s:I,s:I,s:I,s:I}", "name", r->name,
                     "op", r->op, "output", shape_json(&r->shape), "parameters",
                     (json_int_t)r->params, "state", (json_int_t)r->state,
                     "flop", (json_int_t)r->flop, "mac", (json_int_t)r->mac,
                     "bytes", (json_int_t)r->bytes);
}

static int layers_json(const struct job *j, const struct summary *s,
                       size_t peak)
{
    json_t *rows = json_array();

    for (int i = 0; i < s->n; i++)
        json_array_append_new(rows, row_json(&s->row[i]));
    return put_json(json_pack(
        "{s:s,s:s,s:o,s:o,s:I,s:I,s:i,s:o}", "network", j->m->graph->name,
        "kind", j->m->kind, "input", shape_json(&j->m->graph->value[0]->shape),
        "total", row_json(&s->total), "batch", (json_int_t)batch,
        "planned_bytes", (json_int_t)peak, "width", s->width, "layers", rows));
}

static int show_layers(const struct job *j, struct err *e)
{
    struct summary s;
    size_t peak;

    if (peak_bytes(j, &peak, e) < 0)
        return -1;
    summary_init(&s, j->m->graph, (int)depth);
    if (json)
        layers_json(j, &s, peak);
    else
        print_layers(j, &s, peak);
    summary_release(&s);
    return 0;
}

/* ---- tensors ---- */

static const char *kind_name(const struct graph *g, const char *name)
{
    const struct value *v = graph_value(g, name);

    return !v                       ? "training"
           : v->kind == VALUE_PARAM ? "parameter"
           : v->kind == VALUE_STATE ? "state"
                                    : "constant";
}

/* The last training left NAME as it was: a pattern of its recipe's
 * model.freeze matches.  */
static int is_frozen(const json_t *frozen, const char *name)
{
    for (size_t i = 0; i < json_array_size(frozen); i++)
        if (str_match(json_string_value(json_array_get(frozen, i)), name))
            return 1;
    return 0;
}

/* The patterns of `[a, "b"]' as the history of the last training has them. */
static json_t *frozen_patterns(const struct model *m)
{
    json_t *all = json_loads(m->history, 0, NULL), *list = json_array();
    const char *text = NULL;

    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *s = json_string_value(
            json_object_get(json_object_get(json_array_get(all, i), "options"),
                            "model.freeze"));

        text = s ? s : text;
    }
    while (text && *text) {
        const size_t n = strcspn(text += strspn(text, "[]\", "), "]\",");

        if (n)
            json_array_append_new(list, json_stringn(text, n));
        text += n;
    }
    json_decref(all);
    return list;
}

static void print_tensor(struct table *t, const struct set_item *x,
                         const char *kind, const struct stats *s, int frozen)
{
    table_cell(t, "%s", Q(x->name));
    table_cell(t, "%s", kind);
    table_cell(t, "%s", dtype_name(x->t.dtype));
    table_cell(t, "%s", ST(&x->t.shape));
    table_cell(t, "%.6g", s->mean);
    table_cell(t, "%.6g", s->std);
    table_cell(t, "%.6g", s->min);
    table_cell(t, "%.6g", s->max);
    table_cell(t, "%s", frozen ? "yes" : "no");
}

static json_t *tensor_json(const struct set_item *x, const char *kind,
                           const struct stats *s, int frozen)
{
    return json_pack("{s:s,s:s,s:s,s:o,s:f,s:f,s:f,s:f,s:b}", "name", x->name,
                     "kind", kind, "dtype", dtype_name(x->t.dtype), "shape",
                     shape_json(&x->t.shape), "mean", s->mean, "std", s->std,
                     "min", s->min, "max", s->max, "frozen", frozen);
}

static int show_state(const struct job *j, struct err *e)
{
    json_t *frozen = frozen_patterns(j->m), *list = json_array();
    struct table t = {0};

    (void)e;
    table_head(&t, "tensor|kind|dtype|shape|>mean|>std|>min|>max|frozen");
    for (int64_t i = 0; i < j->s.n; i++) {
        const struct set_item *x = &j->s.item[i];
        const char *kind = kind_name(j->m->graph, x->name);
        const int still = is_frozen(frozen, x->name);
        struct stats s;

        stats_of(&s, &x->t);
        if (json)
            json_array_append_new(list, tensor_json(x, kind, &s, still));
        else
            print_tensor(&t, x, kind, &s, still);
    }
    json_decref(frozen);
    if (json) {
        table_release(&t);
        return put_json(list);
    }
    json_decref(list);
    table_print(&t);
    return 0;
}

/* ---- texts ---- */

static int show_graph(const struct job *j, struct err *e)
{
    struct str s = {0};

    (void)e;
    (dot ? graph_print_dot : graph_print)(&s, j->m->graph);
    fputs(str_text(&s), stdout);
    str_release(&s);
    return 0;
}

static void print_pairs(const json_t *o)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)o, key, v)
    {
        const char *text = json_string_value(v);

        printf(" %s=%s", Q(key), text ? Q(text) : "?");
    }
}

static int show_history(const struct job *j, struct err *e)
{
    json_t *list = json_loads(j->m->history, 0, NULL);

    (void)e;
    if (json)
        return put_json(list);
    printf("# command version options inputs\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *command = json_string_value(json_object_get(o, "command"));
        const char *version = json_string_value(json_object_get(o, "version"));

        printf("%s %s", command ? Q(command) : "?", version ? Q(version) : "?");
        print_pairs(json_object_get(o, "options"));
        print_pairs(json_object_get(o, "inputs"));
        putchar('\n');
    }
    json_decref(list);
    return 0;
}

/* Everything else was checked when the file was read.  */
static int show_check(const struct job *j, struct err *e)
{
    const int hashed = set_meta_get(&j->s, "adze.hash") != NULL;

    for (int64_t i = 0; i < j->s.n; i++)
        if (!tensor_finite(&j->s.item[i].t))
            return err_set(e, ERR_NO,
                           "tensor '%s' holds a number that is not finite",
                           Q(j->s.item[i].name));
    if (json)
        return put_json(json_pack("{s:b,s:s,s:I,s:b}", "ok", 1, "kind",
                                  j->m->kind, "tensors", (json_int_t)j->s.n,
                                  "hashes", hashed));
    printf("ok: %s, %lld tensors, %s\n", j->m->kind, (long long)j->s.n,
           hashed ? "hashes verified" : "no hashes to verify");
    return 0;
}

/* ---- the zoo ---- */

static int show_zoo(const struct job *j, struct err *e)
{
    struct device *d = latency ? io_device(device_name, e) : NULL;
    const struct catalog_opts o = {json, d, cli_pool()};
    const int bad = (latency && !d) || catalog_print(&o, e) < 0;

    (void)j;
    io_device_free(d);
    return bad ? -1 : 0;
}

/* ---- */

static const struct view {
    const int *wanted;
    int json; /* there is a form for it */
    int (*show)(const struct job *j, struct err *e);
    const char *name;
} views[] = {
    {&state, 1, show_state, "state"},
    {&graph, 0, show_graph, "graph"},
    {&dot, 0, show_graph, "dot"},
    {&plan, 0, show_plan, "plan"},
    {&history, 1, show_history, "history"},
    {&check, 1, show_check, "check"},
    {&zoo, 1, show_zoo, "zoo"},
};

static const struct view layers = {NULL, 1, show_layers, "depth"};

static const struct view *choose(struct err *e)
{
    const struct view *v = depth ? &layers : NULL;

    for (size_t i = 0; i < COUNT(views); i++) {
        if (!*views[i].wanted)
            continue;
        if (v) {
            err_set(e, ERR_USAGE, "--%s and --%s: one at a time", v->name,
                    views[i].name);
            return NULL;
        }
        v = &views[i];
    }
    if (plan_path && !plan) {
        err_set(e, ERR_USAGE, "--plan-file is for --plan");
        return NULL;
    }
    if (precision && !plan) {
        err_set(e, ERR_USAGE, "--precision is for --plan");
        return NULL;
    }
    if (latency && !zoo) {
        err_set(e, ERR_USAGE, "--latency is for --zoo");
        return NULL;
    }
    if (zoo && path) {
        err_set(e, ERR_USAGE, "--zoo shows no model: '%s'", Q(path));
        return NULL;
    }
    if (v && json && !v->json) {
        err_set(e, ERR_USAGE, "--%s has no JSON form", v->name);
        return NULL;
    }
    return v ? v : &layers;
}

static int run(struct err *e)
{
    const struct view *v = choose(e);
    const char *from = path ? path : "-";
    struct job j = {0};
    int rc;

    if (v && v->show == show_zoo)
        return v->show(NULL, e);
    if (!v || cli_streams(from, "", e) < 0 ||
        io_plan(&j.plan, plan_path, e) < 0 ||
        safetensors_read(&j.s, from, e) < 0)
        return -1;
    j.m = model_from_set(&j.s, e);
    rc = j.m ? v->show(&j, e) : -1;
    if (rc < 0 && e->code != ERR_USAGE && e->code != ERR_DEVICE)
        err_in(e, "'%s'", strcmp(from, "-") ? Q(from) : "standard input");
    model_free(j.m);
    set_release(&j.s);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};

    const int rest = cli_start(&cmd, argc, argv);

    if (rest < argc && path)
        err_set(&e, ERR_USAGE, "'%s' and '%s': one model at a time", Q(path),
                Q(argv[rest]));
    path = rest < argc ? argv[rest] : path;
    if (!e.code)
        run(&e);
    return cli_end(&cmd, &e);
}
