/* init.c -- make a model of a network: its initial weights, or those of a
 * file.
 * SPDX-License-Identifier: MIT  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/classfile.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "format/head.h"
#include "format/model.h"
#include "format/netname.h"
#include "format/network.h"
#include "format/preprocess.h"
#include "format/weights.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "graph/summary.h"
#include "op/window.h"
#include "pass/pass.h"
#include "tensor/safetensors.h"
#include "train/initial.h"
#include "train/recipe.h"

static const char *class_names, *config, *output, *print;
static struct opt_list set, from;
static int64_t seed = -1;
static int list, head, partial;

static const char *const heads[] = {"keep", "new", NULL};

static const struct opt options[] = {
    {0, "list", OPT_FLAG, &list, NULL,
     "list the built-in networks with their parameters and inputs"},
    {0, "print", OPT_TEXT, &print, "NAME", "print the text of a network"},
    {0, "classes", OPT_TEXT, &class_names, "FILE",
     "names of the classes, one a line; - is standard input"},
    OPT_CONFIG(&config),
    OPT_SET(&set),
    OPT_SEED(&seed, "the recipe's, or 1"),
    {0, "from", OPT_LIST, &from, "[SCOPE=]FILE",
     "take the weights of a model or safetensors file, by name; may be "
     "repeated"},
    {0, "head", OPT_CHOICE, &head, "WHICH",
     "of the file's or model's head: keep it, or make a new one",
     .choices = heads, .def = "keep"},
    {0, "partial", OPT_FLAG, &partial, NULL,
     "take what fits, initialise the rest"},
    OPT_OUTPUT(&output),
    OPT_COMMON,
    {0},
};

static const char *const examples[] = {
    "adze-init resnet20 -o classes=10 -O new.st",
    "adze-init resnet20 -o conv=dbb -O branches.st   # see adze-networks(7)",
    "adze-init --list",
    "adze-init resnet18 --from=resnet18.safetensors --head=new -o classes=37",
    "adze-init imported.st --head=new -o classes=37 -O mine.st",
    "adze-init ./both.yaml --from=left=a.st --from=right=b.st -O both.st",
    NULL,
};

static const struct command cmd = {
    .name = "init",
    .brief = "make a model of a network",
    .usage =
        "[--list] [--print=NAME] [-c RECIPE] [-o KEY=VALUE] [-s N] "
        "[--from=[SCOPE=]FILE] [--head=keep|new] [--partial] [--classes=FILE] "
        "[-O FILE] [network | model]",
    .options = options,
    .examples = examples,
    .max_args = 1,
};

/* ---- what there is ---- */

static int64_t parameters(const struct graph *g)
{
    struct summary s;
    int64_t n;

    summary_init(&s, g, 0);
    n = s.total.params;
    summary_release(&s);
    return n;
}

static int print_list(struct err *e)
{
    struct table t = {0};

    table_head(&t, "network|>parameters|input");
    for (const char *const *name = network_names(); *name; name++) {
        struct graph *g = network_read(*name, NULL, e);

        if (!g)
            break;
        table_cell(&t, "%s", *name);
        table_cell(&t, "%lld", (long long)parameters(g));
        table_cell(&t, "%s", ST(&g->value[0]->shape));
        graph_free(g);
    }
    if (e->code)
        table_release(&t);
    else
        table_print(&t);
    return e->code ? -1 : 0;
}

static int print_network(struct err *e)
{
    const char *text = network_source(print);

    if (!text)
        return err_set(
            e, ERR_USAGE, "no built-in network is called '%s'%s", Q(print),
            netname_suggest((char[STR_SUGGEST]){0}, print, network_names()));
    fputs(text, stdout);
    return 0;
}

/* ---- weights of a file ---- */

enum { NAMES = 16 }; /* that one notice has */

static void note_names(const char *what, const char *const *name, int n)
{
    struct str s = {0};

    for (int i = 0; i < n && i < NAMES; i++)
        str_printf(&s, " '%s'", Q(name[i]));
    if (n > NAMES)
        str_printf(&s, " and %d more", n - NAMES);
    if (n)
        cli_note("%s %d:%s", what, n, str_text(&s));
    str_release(&s);
}

/* Names with both shapes, [3,4] in the file but [5,4] here.  */
static void note_shapes(const struct modelname_diff *d)
{
    struct str s = {0};

    for (int i = 0; i < d->n_shape; i++)
        str_printf(&s, " '%s' %s, not %s", Q(d->shape[i]),
                   ST(&set_get(d->s, d->shape[i])->shape),
                   ST(&graph_value(d->g, d->shape[i])->shape));
    if (d->n_shape)
        cli_note("of another shape, initialised %d:%s", d->n_shape,
                 str_text(&s));
    str_release(&s);
}

static void report(const struct weights *w)
{
    cli_note("took %d tensors with %lld parameters", w->n_taken,
             (long long)w->taken_params);
    note_names("left in the file", w->diff.unexpected, w->diff.n_unexpected);
    note_names("not in the file, initialised", w->diff.missing,
               w->diff.n_missing);
    note_shapes(&w->diff);
    note_names("new head", w->head, w->n_head);
}

/* How the file's pictures were prepared, at our size; plain weights are taken
 * as those of torchvision and timm, which never turn pictures.  */
static int take_preprocess(struct model *m, const struct set *s, struct err *e)
{
    const char *text = set_meta_get(s, "adze.preprocess");
    struct preprocess p;

    if (!text) {
        m->pre.exif = 0;
        return 0;
    }
    if (preprocess_parse(&p, text, e) < 0)
        return err_in(e, "'adze.preprocess'");
    if (p.channels == m->pre.channels) {
        if (memcmp(p.size, m->pre.size, sizeof p.size) != 0) {
            memcpy(p.size, m->pre.size, sizeof p.size);
            p.resize = m->pre.resize;
            p.resize_px = m->pre.resize_px;
        }
        m->pre = p;
    }
    return 0;
}

/* Instead of the names that do not fit: what took them away, if the file's
 * history says so.  */
static void explain(const struct set *s, struct err *e)
{
    static const char *const passes[] = {"quantize", "reparam", "fuse-bn"};
    const char *history = set_meta_get(s, "adze.history");

    for (size_t i = 0; i < COUNT(passes); i++)
        if (model_history_has(history, passes[i])) {
            *e = (struct err){0};
            err_set(e, ERR_FORMAT,
                    "adze-%s has changed its tensors, which are no longer "
                    "those of the network: take the model that it was made of",
                    passes[i]);
            return;
        }
}

static int take_weights(struct model *m, const struct set *s, struct err *e)
{
    const struct weights_opts o = {.new_head = head, .partial = partial};
    const char *classes = head ? NULL : set_meta_get(s, "adze.classes");
    struct weights w;
    int rc = weights_take(&w, m->graph, s, &o, e);

    if (rc == 0)
        report(&w);
    else if (e->code == ERR_FORMAT)
        explain(s, e);
    weights_release(&w);
    if (rc == 0)
        rc = take_preprocess(m, s, e);
    return rc == 0 && classes ? model_read_classes(m, classes, e) : rc;
}

/* Without what wrappers put in front of the names.  */
static int take_stripped(struct model *m, const struct set *file, struct err *e)
{
    struct weights_strip cut;
    struct set s;
    int rc;

    weights_strip(&s, file, m->graph, &cut);
    if (cut.n)
        cli_note("without the prefix '%s' of %d names", Q(cut.prefix), cut.n);
    rc = take_weights(m, &s, e);
    set_release(&s);
    return rc;
}

/* The `=' behind the scope of an item of --from; NULL if it has none.  */
static const char *scope_end(const char *item)
{
    const char *eq = strchr(item, '=');

    return eq && eq > item && !memchr(item, '/', (size_t)(eq - item)) ? eq
                                                                      : NULL;
}

/* A part of the network has no classes or history of the whole; its pictures
 * are those of all parts.  */
static void join_meta(struct set *all, const struct set *s, int part,
                      const char *path)
{
    static const char key[] = "adze.preprocess";
    const char *was = set_meta_get(all, key), *is = set_meta_get(s, key);

    for (int64_t i = 0; !part && i < s->n_meta; i++)
        set_meta_put(all, s->meta[i].key, s->meta[i].value);
    if (was && is && strcmp(was, is) != 0)
        cli_note("'%s' prepares pictures otherwise than a file before it%s",
                 Q(path), part ? ", whose way is kept" : "");
    if (part && !was && is)
        set_meta_put(all, key, is);
}

/* Put the tensors of a file under the N bytes at SCOPE.  */
static int join_tensors(struct set *all, const struct set *s, const char *scope,
                        int n, struct err *e)
{
    struct arena a = {0};
    int bad = 0;

    for (int64_t i = 0; i < s->n && !bad; i++) {
        const char *name = s->item[i].name;

        if (n && str_starts(name, "adze:"))
            continue; /* what only training needs */
        if (n)
            name = arena_printf(&a, "%.*s.%s", n, scope, name);
        if (set_put(all, name, &s->item[i].t) < 0)
            bad = err_set(e, ERR_FORMAT,
                          "'%s' is in a file before it, too: put one of them "
                          "under a scope, --from=SCOPE=FILE",
                          Q(name));
    }
    arena_release(&a);
    return bad;
}

static int join(struct set *all, const char *item, struct err *e)
{
    const char *eq = scope_end(item), *path = eq ? eq + 1 : item;
    struct set s;
    int rc;

    if (safetensors_read(&s, path, e) < 0)
        return -1;
    join_meta(all, &s, eq != NULL, path);
    rc = join_tensors(all, &s, item, eq ? (int)(eq - item) : 0, e);
    set_release(&s);
    return rc < 0 ? err_in(e, "'%s'", Q(path)) : 0;
}

static int read_weights(struct model *m, char hash[HASH_TEXT], struct err *e)
{
    const int alone = from.n == 1 && !scope_end(from.item[0]);
    struct set all;
    int rc = 0;

    set_init(&all);
    for (int i = 0; i < from.n && rc == 0; i++)
        rc = join(&all, from.item[i], e);
    if (rc == 0 && take_stripped(m, &all, e) < 0)
        rc = alone ? err_in(e, "'%s'", Q(from.item[0])) : -1;
    if (rc == 0)
        safetensors_hash(&all, hash);
    set_release(&all);
    return rc;
}

/* ---- the model ---- */

/* There is a head, and no parameter of it came from the file.  */
static int head_is_new(const struct graph *g)
{
    int some = 0;

    for (int i = 0; i < g->n_value; i++) {
        if (!value_is_tensor(g->value[i]) || !head_has(g, g->value[i]))
            continue;
        if (g->value[i]->data.data)
            return 0;
        some = 1;
    }
    return some;
}

struct pairs {
    const char **item; /* ends with NULL */
    int n, cap;
};

static void add_pair(struct pairs *p, const char *name, const char *value)
{
    const char *const item[] = {name, value, NULL};

    for (int i = 0; i < 3; i++) {
        ARRAY_GROW(p->item, p->n, p->cap);
        p->item[p->n++] = item[i];
    }
    p->n--;
}

/* The parameters of -o, the last of each.  */
static void add_set(struct model *m, struct pairs *p)
{
    for (int i = 0; i < set.n; i++) {
        const char *eq = strchr(set.item[i], '=');
        const size_t n = (size_t)(eq + 1 - set.item[i]);
        int last = 1;

        for (int k = i + 1; k < set.n; k++)
            last &= strncmp(set.item[k], set.item[i], n) != 0;
        if (last)
            add_pair(
                p,
                arena_printf(&m->arena, "with.%.*s", (int)n - 1, set.item[i]),
                eq + 1);
    }
}

/* What can change the result; HASH is of what weights came from, or empty.  */
static void add_history(struct model *m, const struct yaml *rules, int new_head,
                        const char *hash)
{
    struct pairs p = {0};

    add_pair(&p, "network", m->graph->name);
    add_pair(&p, "seed", arena_printf(&m->arena, "%lld", (long long)seed));
    if (*hash && new_head)
        add_pair(&p, "head", "new");
    if (partial)
        add_pair(&p, "partial", "yes");
    add_set(m, &p);
    for (const struct yaml *y = rules ? rules->child : NULL; y; y = y->next)
        add_pair(&p, arena_printf(&m->arena, "init.%s", y->key->text), y->text);
    model_history_add(m, "init", p.item,
                      (const char *[]){*hash ? "from" : NULL, hash, NULL});
    free(p.item);
}

/* Pictures come with one channel or three; a model that no picture fits could
 * not be read again.  */
static int check_input(const struct model *m, struct err *e)
{
    const struct value *x = graph_value(m->graph, "image");

    if (!x || x->shape.rank != 4 || x->shape.dim[1] == m->pre.channels)
        return 0;
    if (x->shape.dim[1] != 1 && x->shape.dim[1] != 3)
        return err_set(e, ERR_SHAPE,
                       "the input %s has %lld channels: pictures have 1 or 3",
                       ST(&x->shape), (long long)x->shape.dim[1]);
    return err_set(e, ERR_SHAPE,
                   "the input %s has %lld channels, 'preprocess' says %d",
                   ST(&x->shape), (long long)x->shape.dim[1], m->pre.channels);
}

static int fill(struct model *m, struct network *n, const struct yaml *rules,
                struct err *e)
{
    char hash[HASH_TEXT] = "";
    int new_head;

    if (io_check_output(output, e) < 0 ||
        network_preprocess(n, &m->pre, e) < 0 || check_input(m, e) < 0 ||
        (from.n && read_weights(m, hash, e) < 0) ||
        (class_names && classfile_read(m, class_names, e) < 0))
        return -1;
    new_head = head_is_new(m->graph);
    if (initial_fill(m->graph, (uint64_t)seed, rules, e) < 0)
        return -1;
    add_history(m, rules, new_head, hash);
    cli_detail("%s: %lld parameters", m->graph->name,
               (long long)parameters(m->graph));
    return io_write_model(m, output, e);
}

/* Is the network without option I of -o the same, TEXT.  */
static int is_idle(struct network *n, int i, const char *text)
{
    const char **others = xcalloc((size_t)set.n + 1, sizeof *others);
    struct str s = {0};
    struct err e = {0};
    struct graph *g;
    int k = 0, same;

    for (int j = 0; j < set.n; j++)
        if (j != i)
            others[k++] = set.item[j];
    g = network_graph(n, others, &e);
    if (g)
        graph_print(&s, g);
    same = g && !strcmp(str_text(&s), text);
    graph_free(g);
    str_release(&s);
    free(others);
    return same;
}

/* The last option behind I that sets the same key, KEY; 0 if none does.  */
static int set_again(int i, const char *key)
{
    const size_t n = strlen(key);

    for (int j = set.n; --j > i;)
        if (!strncmp(set.item[j], key, n) && set.item[j][n] == '=')
            return j;
    return 0;
}

/* Say which options changed nothing, but for those that are so anyway.  */
static void note_idle(struct network *n, const struct graph *g)
{
    struct arena a = {0};
    struct str text = {0};

    graph_print(&text, g);
    for (int i = 0; i < set.n; i++) {
        const char *eq = strchr(set.item[i], '=');
        const char *key =
            arena_strndup(&a, set.item[i], (size_t)(eq - set.item[i]));
        const char *def = network_default(n, key);

        if (set_again(i, key))
            cli_note("-o %s is overridden by -o %s", Q(set.item[i]),
                     Q(set.item[set_again(i, key)]));
        else if (!(def && !strcmp(def, eq + 1)) &&
                 is_idle(n, i, str_text(&text)))
            cli_note("-o %s changes nothing in this network", Q(set.item[i]));
    }
    str_release(&text);
    arena_release(&a);
}

/* Say where patches of the picture, which lie side by side, leave a rest of it
 * unread: it is of no size that they fit.  */
static void note_rest(const struct graph *g)
{
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = g->node[i];
        struct window w;

        if (!node_is(n, "conv2d") || n->in[0]->kind != VALUE_INPUT)
            continue;
        w = window_of(n, &n->in[0]->shape, &n->out[0]->shape);
        for (int d = 0; d < 2; d++)
            if (w.kernel[d] == w.stride[d] && !w.pad[d] && !w.pad[d + 2] &&
                w.in[d] % w.stride[d]) {
                cli_note("'%s' takes patches of %lld pixels: of %lld the last "
                         "%lld are never read",
                         Q(n->name), (long long)w.kernel[d], (long long)w.in[d],
                         (long long)(w.in[d] % w.stride[d]));
                return;
            }
    }
}

static int make(const char *name, struct err *e)
{
    struct recipe r = {0};
    struct network *n = NULL;
    struct graph *g;
    struct model *m;
    int rc = -1;

    if (!config || recipe_read(&r, config, NULL, e) == 0)
        n = network_open(name, e);
    g = n ? network_graph(n, set.item, e) : NULL;
    if (seed < 0)
        seed = config ? r.seed : 1;
    if (g) {
        note_idle(n, g);
        note_rest(g);
        m = model_new(g);
        rc = fill(m, n, config ? r.init : NULL, e);
        model_free(m);
    }
    network_close(n);
    recipe_release(&r);
    return rc;
}

/* ---- another head for a model ---- */

/* With --head alone any file is meant but one of a network.  */
static int is_model(const char *operand)
{
    if (!operand)
        return 0;
    return str_ends(operand, ".st") || str_ends(operand, ".safetensors") ||
           (head && !from.n && !str_ends(operand, ".yaml") &&
            access(operand, F_OK) == 0);
}

/* The K of -o classes=K, the one key that a model takes.  */
static int read_classes(const char *path, int64_t *k, struct err *e)
{
    static const char key[] = "classes=";

    *k = 0;
    for (int i = 0; i < set.n; i++)
        if (!str_starts(set.item[i], key))
            return err_set(e, ERR_USAGE,
                           "'%s' is a model, whose network stays but for its "
                           "head: it takes no -o %s",
                           Q(path), Q(set.item[i]));
        else if (parse_i64(set.item[i] + strlen(key), 1, INT32_MAX, k) < 0)
            return err_set(e, ERR_USAGE, "-o %s: not a number of classes",
                           Q(set.item[i]));
    if (head && *k && !from.n)
        return 0;
    return err_set(e, ERR_USAGE,
                   "'%s' is a model: --head=new -o classes=K makes a new head "
                   "for it; weights of it go to a network by --from",
                   Q(path));
}

static void note_new(const struct graph *g)
{
    struct arena a = {0};
    const char **name = ARENA_NEWS(&a, g->n_value + 1, const char *);
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]) && !g->value[i]->data.data)
            name[n++] = g->value[i]->name;
    note_names("new head", name, n);
    arena_release(&a);
}

/* M with a new head: names of classes and the old head are gone.  */
static int renew_head(struct model *m, const char *path, int64_t k,
                      const struct yaml *rules, struct err *e)
{
    struct graph *g =
        pass_need_float(m->graph, e) < 0 ? NULL : head_renew(m->graph, k, e);
    char hash[HASH_TEXT];

    if (!g)
        return err_in(e, "'%s'", Q(path));
    if (model_fingerprint(m, hash, e) < 0) {
        graph_free(g);
        return -1;
    }
    model_replace_graph(m, g);
    model_set_classes(m, NULL, 0);
    if (class_names && classfile_read(m, class_names, e) < 0)
        return -1;
    note_new(g);
    if (initial_fill(g, (uint64_t)seed, rules, e) < 0)
        return -1;
    add_history(m, rules, 1, hash);
    return io_write_model(m, output, e);
}

static int renew(const char *path, struct err *e)
{
    struct recipe r = {0};
    struct model *m = NULL;
    int64_t k;
    int rc = -1;

    if (read_classes(path, &k, e) == 0 && io_check_output(output, e) == 0 &&
        (!config || recipe_read(&r, config, NULL, e) == 0))
        m = io_plain_model(path, e);
    if (seed < 0)
        seed = config ? r.seed : 1;
    if (m)
        rc = renew_head(m, path, k, config ? r.init : NULL, e);
    model_free(m);
    recipe_release(&r);
    return rc;
}

/* What would be without effect.  */
static int check_options(const char *operand, struct err *e)
{
    if (list && print)
        return err_set(e, ERR_USAGE, "--list and --print: one at a time");
    if ((list || print) && operand)
        return err_set(e, ERR_USAGE, "--%s takes no network: '%s'",
                       list ? "list" : "print", Q(operand));
    if ((list || print) && output)
        return err_set(e, ERR_USAGE, "-O is for a model: --%s prints",
                       list ? "list" : "print");
    if (!from.n && ((head && !is_model(operand)) || partial))
        return err_set(e, ERR_USAGE, "--%s is for the weights of --from",
                       partial ? "partial" : "head");
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const int at = cli_start(&cmd, argc, argv);

    if (check_options(at < argc ? argv[at] : NULL, &e) < 0)
        return cli_end(&cmd, &e);
    if (list)
        print_list(&e);
    else if (print)
        print_network(&e);
    else if (at == argc)
        err_set(&e, ERR_USAGE, "which network? 'adze-init --list' names them");
    else if (is_model(argv[at]))
        renew(argv[at], &e);
    else
        make(argv[at], &e);
    return cli_end(&cmd, &e);
}
