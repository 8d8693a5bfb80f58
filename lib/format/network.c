/* network.c -- see network.h: a network from its files, who is to blame where
 * there is none.
 * SPDX-License-Identifier: MIT  */
#include "format/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/convform.h"
#include "format/head.h"
#include "format/netends.h"
#include "format/netfile.h"
#include "format/netparam.h"
#include "format/preprocess.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "format/zoo.h"
#include "graph/graph.h"
#include "graph/print.h"

enum { LIMIT_NODES = 100000, FUZZ_NODES = 1000, EMBEDDING = 65536 };

/* ---- the parameters of every network ---- */

static int form_convolutions(struct netfile *f, struct steps *st)
{
    const char *form = netparam_text(st, "conv");
    const struct yaml *lib;

    if (!form || !strcmp(form, "plain"))
        return 0;
    lib = netfile_library(f, "conv");
    return lib ? convform_apply(st, lib, form) : -1;
}

static int has_no_classes(struct steps *st)
{
    const char *classes = netparam_text(st, "classes");

    return classes && !strcmp(classes, "0");
}

/* The head as `classes=0' and `embedding' want it.  */
static int finish_head(struct steps *st)
{
    const char *text = netparam_text(st, "embedding");
    int64_t width = 0;

    if (st->left_out)
        head_cut(st->g);
    if (text && parse_i64(text, 0, EMBEDDING, &width) < 0)
        return err_set(st->e, ERR_FORMAT,
                       "'embedding' is a whole number from 0 to %d, not '%s'",
                       EMBEDDING, Q(text));
    return width ? head_embed(st->g, width, st->e) : 0;
}

/* ---- the whole ---- */

static int build(struct netfile *f, struct steps *st)
{
    const struct yaml *body = netfile_get(f, "body");
    struct place top = {.path = ""};
    struct value *last;

    for (int i = 0; i < f->n; i++) {
        const struct yaml *blocks = yaml_get(f->doc[i], "blocks");

        if (blocks && steps_blocks(st, blocks) < 0)
            return -1;
    }
    for (int i = 0; i < f->n_library; i++)
        if (yaml_get(f->library[i], "blocks") &&
            steps_blocks(st, yaml_get(f->library[i], "blocks")) < 0)
            return -1;
    if (!body)
        return yaml_err(f->doc[0], f->e, ERR_FORMAT, "a network needs 'body'");
    if (netends_inputs(st, netfile_get(f, "input")) < 0)
        return -1;
    top.x = st->g->value[0];
    top.env = st->params;
    st->no_classes = has_no_classes(st);
    if (steps_run(st, body, &top, &last) < 0 ||
        netends_outputs(st, netfile_get(f, "outputs"), last) < 0 ||
        finish_head(st) < 0 || form_convolutions(f, st) < 0)
        return -1;
    return graph_check(st->g, f->e);
}

static const char *name_of(struct netfile *f)
{
    const struct yaml *y = yaml_get(f->doc[0], "network");

    if (!y)
        return netfile_stem(&f->arena, f->doc[0]->file);
    if (y->kind == YAML_SCALAR && *y->text && !strchr(y->text, '$'))
        return y->text;
    yaml_err(y, f->e, ERR_FORMAT, "'network' is a name");
    return NULL;
}

static struct graph *expand(struct netfile *f, const char *const *opts,
                            int64_t limit)
{
    const char *name = name_of(f);
    const struct yaml *pre = netfile_get(f, "preprocess");
    struct preprocess unused;
    struct steps st;
    struct graph *g;

    preprocess_init(&unused, 3, 224, 224);
    if (!name || (pre && preprocess_yaml(&unused, pre, f->e) < 0))
        return NULL;
    g = graph_new(name);
    steps_init(&st, g, &f->arena, limit, f->e);
    f->bound = netparam_bind(f, opts, &st.params) == 0;
    if (!f->bound || build(f, &st) < 0) {
        graph_free(g);
        g = NULL;
    }
    steps_release(&st);
    return g;
}

/* The options OPTS, which are sound by themselves, are to blame for an error
 * of the network if there is none without them: name them.  */
static void blame_opts(struct netfile *f, const char *const *opts)
{
    struct err *e = f->e, without = {0};
    struct str s = {0};
    struct graph *g;

    f->e = &without;
    g = expand(f, NULL, LIMIT_NODES);
    f->e = e;
    if (!g)
        return;
    graph_free(g);
    for (int i = 0; opts[i]; i++)
        str_printf(&s, "%s-o %s", i ? " " : "", Q(opts[i]));
    err_blame(e, ERR_USAGE);
    err_in(e, "%s", str_text(&s));
    str_release(&s);
}

/* Put in front of the error in built-in network NAME the name that its user
 * knows: its base, which he never named, is where the error may stand.  */
static void in_built_in(struct netfile *f, const char *name)
{
    struct str bases = {0};

    for (int i = 1; i < f->n; i++)
        str_printf(&bases, "%s%s", i > 1 ? ", " : " (base ",
                   netfile_stem(&f->arena, f->doc[i]->file));
    err_in(f->e, "built-in network '%s'%s%s", name, str_text(&bases),
           bases.len ? ")" : "");
    str_release(&bases);
}

struct network {
    struct netfile f;
    const char *name;
};

struct network *network_open(const char *name, struct err *e)
{
    struct network *n = xcalloc(1, sizeof *n);

    n->f.e = e;
    n->name = arena_strdup(&n->f.arena, name);
    if (netfile_open(&n->f, name) == 0)
        return n;
    network_close(n);
    return NULL;
}

struct graph *network_graph(struct network *n, const char *const *opts,
                            struct err *e)
{
    struct graph *g;

    n->f.e = e;
    g = expand(&n->f, opts, LIMIT_NODES);
    if (!g && !netfile_is_path(n->name))
        in_built_in(&n->f, n->name);
    if (!g && n->f.bound && opts && *opts)
        blame_opts(&n->f, opts);
    return g;
}

int network_preprocess(struct network *n, struct preprocess *p, struct err *e)
{
    const struct yaml *y = netfile_get(&n->f, "preprocess");

    return y ? preprocess_yaml(p, y, e) : 0;
}

const char *network_about(struct network *n, const char *key)
{
    const struct yaml *y = netfile_get(&n->f, key);

    return y && y->kind == YAML_SCALAR && *y->text ? y->text : NULL;
}

const char *network_default(struct network *n, const char *key)
{
    const struct yaml *y = netparam_stated(&n->f, key);

    return y && y->kind == YAML_SCALAR ? y->text : NULL;
}

void network_close(struct network *n)
{
    if (!n)
        return;
    arena_release(&n->f.arena);
    free(n);
}

struct graph *network_read(const char *name, const char *const *opts,
                           struct err *e)
{
    struct network *n = network_open(name, e);
    struct graph *g = n ? network_graph(n, opts, e) : NULL;

    network_close(n);
    return g;
}

static struct graph *parse(const char *name, const char *text, size_t n,
                           const char *dir, const char *const *opts,
                           int64_t limit, struct err *e)
{
    struct netfile f = {.e = e};
    struct graph *g = NULL;

    if (netfile_text(&f, name, text, n, dir) == 0)
        g = expand(&f, opts, limit);
    arena_release(&f.arena);
    return g;
}

struct graph *network_parse(const char *file, const char *text, size_t n,
                            const char *dir, const char *const *opts,
                            struct err *e)
{
    return parse(file, text, n, dir, opts, LIMIT_NODES, e);
}

const char *const *network_names(void)
{
    return zoo_networks;
}

const char *network_source(const char *name)
{
    struct arena a = {0};
    const char *text = zoo_find(arena_printf(&a, "%s.yaml", name));

    arena_release(&a);
    return text;
}

/* ---- fuzzing ---- */

/* What is read can be written and read again, and is the same.  */
static void fuzz_print(const struct graph *g)
{
    struct str s = {0}, t = {0};
    struct err e = {0};
    struct graph *h;

    graph_print(&s, g);
    h = network_parse("printed", str_text(&s), s.len, NULL, NULL, &e);
    if (!h)
        BUG("graph_print() is not read back: %s", e.msg);
    graph_print(&t, h);
    if (strcmp(str_text(&s), str_text(&t)) != 0)
        BUG("graph_print() reads back as another graph");
    graph_free(h);
    str_release(&s);
    str_release(&t);
}

/* 0, or -1 where the N bytes at P with OPTS are refused.  */
static int fuzz_opts(const uint8_t *p, size_t n, const char *const *opts)
{
    struct err e = {0};
    struct graph *g =
        parse("fuzz", (const char *)p, n, NULL, opts, FUZZ_NODES, &e);

    if (!g && !e.code)
        BUG("network_parse() fails without a reason");
    if (g)
        fuzz_print(g);
    graph_free(g);
    return g ? 0 : -1;
}

/* The length chooses the options.  */
int fuzz_network(const uint8_t *p, size_t n)
{
    static const char *const opts[][3] = {{"w=1", "w=3"}, {"w="},       {"w=3"},
                                          {"w=["},        {"w={a: 1}"}, {"w"}};

    if (fuzz_opts(p, n, NULL) < 0)
        return -1;
    fuzz_opts(p, n, opts[n % COUNT(opts)]);
    return 0;
}
