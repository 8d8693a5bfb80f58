/* network.c -- see network.h: files, their bases, parameters, inputs and
 * outputs.
 * SPDX-License-Identifier: MIT  */
#include "format/network.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/convform.h"
#include "format/head.h"
#include "format/model.h"
#include "format/netname.h"
#include "format/preprocess.h"
#include "format/stepname.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "format/zoo.h"
#include "graph/graph.h"
#include "graph/print.h"

enum {
    BASES = 8,
    LIBRARIES = 16,
    PARAMS = 256,
    OUTPUTS = 1000,
    LIMIT_NODES = 100000,
    FUZZ_NODES = 1000,
    TEXT_BYTES = 16 << 20,
    EMBEDDING = 65536
};

static const char *const keys[] = {
    "network",    "with",  "input",   "blocks", "body", "outputs", "base",
    "preprocess", "paper", "weights", "top1",   "use",  NULL};
static const char *const library_keys[] = {"blocks", NULL};

/* Parameters that every network has besides its own; what they do is done to
 * the whole network when it stands.  */
static const char *const common[] = {"conv", "embedding", NULL};

/* A file and those it is based on, nearest first.  */
struct file {
    struct arena arena;
    const struct yaml *doc[BASES];
    int n;
    const struct yaml *library[LIBRARIES]; /* what they use */
    int n_library;
    int bound; /* the options were sound, so far as they are known */
    struct err *e;
};

/* ---- files ---- */

static int is_path(const char *name)
{
    return strchr(name, '/') || str_ends(name, ".yaml");
}

static const char *stem_of(struct arena *a, const char *file)
{
    const char *slash = strrchr(file, '/'), *s = slash ? slash + 1 : file;

    return str_ends(s, ".yaml") ? arena_strndup(a, s, strlen(s) - 5)
                                : arena_strdup(a, s);
}

/* WHAT ("a network") has only the keys of LIST.  */
static int check_keys(struct file *f, const struct yaml *y, const char *what,
                      const char *const *list)
{
    if (y->kind != YAML_MAP)
        return yaml_err(y, f->e, ERR_FORMAT, "%s is a mapping", what);
    for (const struct yaml *c = y->child; c; c = c->next)
        if (str_index(c->key->text, list) < 0)
            return yaml_err(c->key, f->e, ERR_FORMAT, "%s has no key '%s'%s",
                            what, Q(c->key->text), NEAR(c->key->text, list));
    return 0;
}

static int add_text(struct file *f, const char *name, const char *text,
                    size_t n, const char *dir);

static int add_path(struct file *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dir =
        slash ? arena_strndup(&f->arena, path, (size_t)(slash - path + 1)) : "";
    struct bytes b;
    int rc;

    if (str_ends(path, ".onnx"))
        return err_set(f->e, ERR_UNSUPPORTED,
                       "'%s' is ONNX, not a network file: adze-import makes a "
                       "model of it",
                       Q(path));
    if (bytes_read(&b, path, TEXT_BYTES, f->e) < 0)
        return -1;
    rc = add_text(f, path, (const char *)b.data, b.n, dir);
    bytes_release(&b);
    return rc;
}

static int add_zoo(struct file *f, const char *name)
{
    const char *text = zoo_find(name);

    return add_text(f, name, text, strlen(text), NULL);
}

/* `base' is sought beside the file, then built in.  */
static int add_base(struct file *f, const struct yaml *y, const char *dir)
{
    const char *path;

    if (y->kind != YAML_SCALAR || !*y->text)
        return yaml_err(y, f->e, ERR_FORMAT, "'base' names one file");
    if (f->n == BASES)
        return yaml_err(y, f->e, ERR_FORMAT,
                        "more than 8 files based on each "
                        "other");
    path = dir && *y->text != '/'
               ? arena_printf(&f->arena, "%s%s", dir, y->text)
               : y->text;
    if (dir && access(path, F_OK) == 0)
        return add_path(f, path);
    if (zoo_find(y->text))
        return add_zoo(f, y->text);
    return yaml_err(y, f->e, ERR_INPUT,
                    "base '%s' is neither beside this file nor built in",
                    Q(y->text));
}

/* ---- libraries of blocks ---- */

static int add_library(struct file *f, const char *name, const char *text,
                       size_t n)
{
    const struct yaml *y = yaml_parse(&f->arena, name, text, n, f->e);

    if (!y || check_keys(f, y, "a library of blocks", library_keys) < 0)
        return -1;
    f->library[f->n_library++] = y;
    return 0;
}

static int add_library_path(struct file *f, const char *path)
{
    struct bytes b;
    int rc;

    if (bytes_read(&b, path, TEXT_BYTES, f->e) < 0)
        return -1;
    rc = add_library(f, path, (const char *)b.data, b.n);
    bytes_release(&b);
    return rc;
}

static int no_library(struct file *f, const struct yaml *y)
{
    const char **list;
    int n = 0;

    while (zoo_files[n].name)
        n++;
    list = ARENA_NEWS(&f->arena, n + 1, const char *);
    n = 0;
    for (const struct zoo_file *z = zoo_files; z->name; z++)
        if (str_starts(z->name, ZOO_LIBRARY))
            list[n++] = stem_of(&f->arena, z->name);
    return yaml_err(y, f->e, ERR_FORMAT,
                    "no library of blocks is called '%s'%s (a file is written "
                    "with '/' or '.yaml')",
                    Q(y->text), NEAR(y->text, list));
}

/* One of `use': a library that is compiled in, or a file beside this one.  */
static int add_use(struct file *f, const struct yaml *y, const char *dir)
{
    const char *text;

    if (y->kind != YAML_SCALAR || !*y->text)
        return yaml_err(y, f->e, ERR_FORMAT,
                        "'use' is a list of libraries of blocks");
    if (f->n_library == LIBRARIES)
        return yaml_err(y, f->e, ERR_FORMAT, "more than 16 libraries");
    if (dir && is_path(y->text))
        return add_library_path(
            f, *y->text == '/' ? y->text
                               : arena_printf(&f->arena, "%s%s", dir, y->text));
    text = zoo_find(arena_printf(&f->arena, ZOO_LIBRARY "%s.yaml", y->text));
    return text ? add_library(f, y->text, text, strlen(text))
                : no_library(f, y);
}

static int add_uses(struct file *f, const struct yaml *y, const char *dir)
{
    if (y->kind != YAML_LIST)
        return add_use(f, y, dir);
    for (const struct yaml *c = y->child; c; c = c->next)
        if (add_use(f, c, dir) < 0)
            return -1;
    return 0;
}

static int add_text(struct file *f, const char *name, const char *text,
                    size_t n, const char *dir)
{
    const struct yaml *y = yaml_parse(&f->arena, name, text, n, f->e), *base;
    const struct yaml *use;

    if (!y || check_keys(f, y, "a network", keys) < 0)
        return -1;
    f->doc[f->n++] = y;
    use = yaml_get(y, "use");
    if (use && add_uses(f, use, dir) < 0)
        return -1;
    base = yaml_get(y, "base");
    return base ? add_base(f, base, dir) : 0;
}

static int add_name(struct file *f, const char *name)
{
    const char *file = arena_printf(&f->arena, "%s.yaml", name);

    if (is_path(name))
        return add_path(f, name);
    if (zoo_find(file))
        return add_zoo(f, file);
    return err_set(
        f->e, ERR_USAGE,
        "no built-in network is called '%s'%s (a file is written "
        "with '/' or '.yaml')",
        Q(name),
        netname_suggest((char[STR_SUGGEST]){0}, name, network_names()));
}

/* Library file NAME of models/blocks; NULL on error.  */
static const struct yaml *library(struct file *f, const char *name)
{
    const char *file = arena_printf(&f->arena, ZOO_LIBRARY "%s.yaml", name);
    const char *text = zoo_find(file);

    if (!text)
        BUG("no library '%s' is built in", name);
    return yaml_parse(&f->arena, file, text, strlen(text), f->e);
}

/* The nearest file's value of KEY.  */
static const struct yaml *get(const struct file *f, const char *key)
{
    for (int i = 0; i < f->n; i++) {
        const struct yaml *y = yaml_get(f->doc[i], key);

        if (y)
            return y;
    }
    return NULL;
}

/* ---- parameters ---- */

/* The `with' of the family: that of the last file that has one.  */
static const struct yaml *family(const struct file *f)
{
    const struct yaml *with = NULL;

    for (int i = 0; i < f->n; i++) {
        const struct yaml *y = yaml_get(f->doc[i], "with");

        with = y ? y : with;
    }
    return with;
}

static int no_param(struct file *f, const struct yaml *at, const char *name,
                    size_t n)
{
    const struct yaml *with = family(f);
    const char *list[PARAMS + COUNT(common)];
    char *key = arena_strndup(&f->arena, name, n);
    int k = 0;

    for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
        list[k++] = c->key->text;
    for (int i = 0; common[i]; i++)
        list[k++] = common[i];
    list[k] = NULL;
    err_set(f->e, at ? ERR_FORMAT : ERR_USAGE,
            "the network has no parameter '%s'%s", Q(key), NEAR(key, list));
    return at ? yaml_in(at, f->e) : -1;
}

static int check_with(struct file *f)
{
    const struct yaml *known = family(f);

    for (int i = f->n - 1; i >= 0; i--) {
        const struct yaml *with = yaml_get(f->doc[i], "with");

        if (with && (with->kind != YAML_MAP || with->n_child > PARAMS))
            return yaml_err(with, f->e, ERR_FORMAT,
                            "'with' is a mapping of at most 256 parameters");
        for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
            if (!yaml_get(known, c->key->text) &&
                str_index(c->key->text, common) < 0)
                return no_param(f, c->key, c->key->text, strlen(c->key->text));
    }
    return 0;
}

static int check_opts(struct file *f, const char *const *opts)
{
    const struct yaml *with = family(f);

    for (; opts && *opts; opts++) {
        const char *eq = strchr(*opts, '=');
        const size_t n = eq ? (size_t)(eq - *opts) : strlen(*opts);
        const char *key = arena_strndup(&f->arena, *opts, n);

        if (!eq)
            return err_set(f->e, ERR_USAGE, "'%s' is not KEY=VALUE", Q(*opts));
        if ((!with || !yaml_get(with, key)) && str_index(key, common) < 0)
            return no_param(f, NULL, *opts, n);
    }
    return 0;
}

/* The override of KEY as YAML: the last one counts.  0 where none is.  */
static int from_opts(struct file *f, const char *const *opts, const char *key,
                     const struct yaml **y)
{
    const size_t n = strlen(key);
    const char *found = NULL;

    for (; opts && *opts; opts++)
        if (!strncmp(*opts, key, n) && (*opts)[n] == '=')
            found = *opts;
    if (!found)
        return 0;
    if (!found[n + 1])
        return err_set(f->e, ERR_USAGE, "-o %s gives no value", Q(found));
    *y = yaml_parse(&f->arena, arena_printf(&f->arena, "-o %s", found),
                    found + n + 1, strlen(found + n + 1), f->e);
    if (!*y)
        return err_blame(f->e, ERR_USAGE);
    if ((*y)->kind == YAML_MAP)
        return err_set(f->e, ERR_USAGE, "-o %s: a value or list is wanted",
                       Q(found));
    return 0;
}

static const struct yaml *from_files(const struct file *f, const char *key)
{
    for (int i = 0; i < f->n; i++) {
        const struct yaml *with = yaml_get(f->doc[i], "with");
        const struct yaml *y = with ? yaml_get(with, key) : NULL;

        if (y)
            return y;
    }
    return NULL;
}

/* Put KEY in front of ENV where an option or a file says its value.  */
static int bind_one(struct file *f, const char *const *opts, const char *key,
                    const struct expr_env **env)
{
    const struct yaml *y = from_files(f, key);
    struct expr_env *b = ARENA_NEW(&f->arena, struct expr_env);

    if (from_opts(f, opts, key, &y) < 0)
        return -1;
    if (!y)
        return 0;
    if (y->kind == YAML_SCALAR && !*y->text)
        return yaml_err(y, f->e, ERR_USAGE,
                        "the network needs its parameter '%s'", Q(key));
    *b = (struct expr_env){.up = *env, .name = key};
    if (expr_yaml(&b->value, y, *env, &f->arena, f->e) < 0)
        return -1;
    *env = b;
    return 0;
}

/* The environment of the network's parameters, in the family's order, and of
 * those of every network that are given.  */
static int bind(struct file *f, const char *const *opts,
                const struct expr_env **env)
{
    const struct yaml *with = family(f);

    *env = NULL;
    if (check_with(f) < 0 || check_opts(f, opts) < 0)
        return -1;
    for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
        if (bind_one(f, opts, c->key->text, env) < 0)
            return -1;
    for (int i = 0; common[i]; i++)
        if (!(with && yaml_get(with, common[i])) &&
            bind_one(f, opts, common[i], env) < 0)
            return -1;
    return 0;
}

static const struct expr *param(const struct steps *st, const char *name)
{
    for (const struct expr_env *b = st->params; b; b = b->up)
        if (!strcmp(b->name, name))
            return &b->value;
    return NULL;
}

/* ---- inputs ---- */

/* "64", "N", "64N"  */
static int read_dim(const struct yaml *y, const char *text, struct shape *s,
                    struct err *e)
{
    const size_t n = strlen(text);
    const int batch = n && text[n - 1] == 'N';
    char num[24] = "1";
    int64_t *d = &s->dim[s->rank];

    if (n < sizeof num && !(batch && n == 1)) {
        memcpy(num, text, n - (size_t)batch);
        num[n - (size_t)batch] = 0;
    }
    if (n >= sizeof num || parse_i64(num, 1, INT32_MAX, d) < 0)
        return yaml_err(y, e, ERR_FORMAT,
                        "'%s' is not a size such as 64, N or 64N", Q(text));
    s->batch |= (uint8_t)(batch << s->rank++);
    return 0;
}

static int read_dims(struct steps *st, const struct yaml *y, struct shape *s)
{
    struct expr v;
    int64_t count;

    if (expr_yaml(&v, y, st->params, st->arena, st->e) < 0)
        return -1;
    if (v.kind != EXPR_LIST || v.n < 1 || s->rank + v.n > SHAPE_MAX)
        return yaml_err(y, st->e, ERR_FORMAT,
                        "a list of 1 to 8 sizes is "
                        "wanted");
    for (int i = 0; i < v.n; i++) {
        struct str text = {0};
        int rc;

        expr_print(&text, &v.item[i]);
        rc = read_dim(y, str_text(&text), s, st->e);
        str_release(&text);
        if (rc < 0)
            return -1;
    }
    return shape_check(s, 8, &count, st->e) < 0 ? yaml_in(y, st->e) : 0;
}

static int read_picture(struct steps *st, const struct yaml *y)
{
    struct shape s = {.rank = 1, .dim = {1}, .batch = 1};

    if (read_dims(st, y, &s) < 0)
        return -1;
    if (s.rank != 4 || s.batch != 1)
        return yaml_err(y, st->e, ERR_FORMAT, "'size' is [C, H, W]");
    for (int i = 1; i < 4; i++)
        if (s.dim[i] > 65535)
            return yaml_err(y, st->e, ERR_FORMAT, "a size of more than 65535");
    graph_input(st->g, "image", DTYPE_F32, &s);
    return 0;
}

static int read_named(struct steps *st, const struct yaml *y)
{
    const struct yaml *shape = yaml_get(y, "shape"),
                      *dtype = yaml_get(y, "dtype");
    struct shape s = {0};
    int dt = DTYPE_F32;

    if (!shape)
        return yaml_err(y, st->e, ERR_FORMAT, "input '%s' has no 'shape'",
                        Q(y->key->text));
    if (stepname_check(st, y->key, y->key->text) < 0 ||
        read_dims(st, shape, &s) < 0)
        return -1;
    if (dtype && (dt = dtype_by_name(dtype->text)) < 0)
        return yaml_err(dtype, st->e, ERR_FORMAT,
                        "no element type is called '%s'", Q(dtype->text));
    graph_input(st->g, y->key->text, (enum dtype)dt, &s);
    return 0;
}

static int read_input(struct steps *st, const struct yaml *y)
{
    if (!y || y->kind != YAML_MAP || !y->n_child)
        return err_set(st->e, ERR_FORMAT,
                       "the network does not say 'input: {size: [C, H, W]}'");
    if (yaml_get(y, "size"))
        return y->n_child == 1
                   ? read_picture(st, yaml_get(y, "size"))
                   : yaml_err(y, st->e, ERR_FORMAT,
                              "'size' is the only key of a picture's input");
    for (const struct yaml *c = y->child; c; c = c->next)
        if (read_named(st, c) < 0)
            return -1;
    return 0;
}

/* ---- outputs ---- */

static const char *const output_keys[] = {"from", "train", "loss", "when",
                                          NULL};

/* Y is a value, or a mapping that says which.  */
static const struct yaml *output_from(struct steps *st, const struct yaml *y)
{
    const struct yaml *from = y->kind == YAML_MAP ? yaml_get(y, "from") : y;

    if (!from || from->kind != YAML_SCALAR) {
        yaml_err(y, st->e, ERR_FORMAT,
                 "an output is a value, or {from: VALUE, train: yes}");
        return NULL;
    }
    for (const struct yaml *c = y->child; c; c = c->next)
        if (str_index(c->key->text, output_keys) < 0) {
            stepname_unknown(st, c->key, "an output has no key", c->key->text,
                             output_keys);
            return NULL;
        }
    return from;
}

/* The truth of KEY of the output Y in *B, which stays where it is not said.  */
static int output_truth(struct steps *st, const struct yaml *y, const char *key,
                        int *b)
{
    const struct yaml *t = y->kind == YAML_MAP ? yaml_get(y, key) : NULL;
    struct expr v;

    if (!t)
        return 0;
    return expr_yaml(&v, t, st->params, st->arena, st->e) < 0
               ? -1
               : expr_truth(&v, t, b, st->e);
}

static int output_loss(struct steps *st, const struct yaml *y, double *loss)
{
    const struct yaml *t = y->kind == YAML_MAP ? yaml_get(y, "loss") : NULL;
    struct expr v;

    *loss = 0;
    if (!t)
        return 0;
    if (!strcmp(y->key->text, "logits"))
        return yaml_err(t, st->e, ERR_FORMAT, "the loss of 'logits' counts 1");
    return expr_yaml(&v, t, st->params, st->arena, st->e) < 0
               ? -1
               : expr_real(&v, t, 0, 1e6, loss, st->e);
}

static int read_output(struct steps *st, const struct yaml *y)
{
    const struct yaml *from = output_from(st, y);
    const char *name;
    struct value *v;
    int train = 0, when = 1;
    double loss;

    if (!from || output_truth(st, y, "when", &when) < 0)
        return -1;
    if (!when)
        return 0;
    name = expr_template(from, st->params, st->arena, st->e);
    if (!name || stepname_check(st, y->key, y->key->text) < 0 ||
        output_truth(st, y, "train", &train) < 0 ||
        output_loss(st, y, &loss) < 0)
        return -1;
    v = stepname_find(st, "", name);
    if (!v)
        v = graph_scope_value(st->g, name);
    if (!v)
        return stepname_no_value(st, from, name);
    graph_output(st->g, y->key->text, v, train)->loss = loss;
    return 0;
}

static int read_outputs(struct steps *st, const struct yaml *y,
                        struct value *last)
{
    if (!y) {
        graph_output(st->g, "logits", last, 0);
        return 0;
    }
    if (y->kind != YAML_MAP || !y->n_child || y->n_child > OUTPUTS)
        return yaml_err(y, st->e, ERR_FORMAT,
                        "'outputs' is a mapping of 1 to 1000 names");
    for (const struct yaml *c = y->child; c; c = c->next)
        if (read_output(st, c) < 0)
            return -1;
    for (int i = 0; i < st->g->n_output; i++)
        if (!st->g->output[i].train)
            return 0;
    return yaml_err(y, st->e, ERR_FORMAT,
                    "'outputs' are for training alone: one is the network's "
                    "answer, 'logits'");
}

/* ---- the parameters of every network ---- */

/* The text of parameter NAME, or NULL.  */
static const char *param_text(struct steps *st, const char *name)
{
    const struct expr *v = param(st, name);
    struct str s = {0};
    const char *text;

    if (!v)
        return NULL;
    expr_print(&s, v);
    text = arena_strdup(st->arena, str_text(&s));
    str_release(&s);
    return text;
}

static int form_convolutions(struct file *f, struct steps *st)
{
    const char *form = param_text(st, "conv");
    const struct yaml *lib;

    if (!form || !strcmp(form, "plain"))
        return 0;
    lib = library(f, "conv");
    return lib ? convform_apply(st, lib, form) : -1;
}

static int has_no_classes(struct steps *st)
{
    const char *classes = param_text(st, "classes");

    return classes && !strcmp(classes, "0");
}

/* The head as `classes=0' and `embedding' want it.  */
static int finish_head(struct steps *st)
{
    const char *text = param_text(st, "embedding");
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

static int build(struct file *f, struct steps *st)
{
    const struct yaml *body = get(f, "body");
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
    if (read_input(st, get(f, "input")) < 0)
        return -1;
    top.x = st->g->value[0];
    top.env = st->params;
    st->no_classes = has_no_classes(st);
    if (steps_run(st, body, &top, &last) < 0 ||
        read_outputs(st, get(f, "outputs"), last) < 0 || finish_head(st) < 0 ||
        form_convolutions(f, st) < 0)
        return -1;
    return graph_check(st->g, f->e);
}

static const char *name_of(struct file *f)
{
    const struct yaml *y = yaml_get(f->doc[0], "network");

    if (!y)
        return stem_of(&f->arena, f->doc[0]->file);
    if (y->kind == YAML_SCALAR && *y->text && !strchr(y->text, '$'))
        return y->text;
    yaml_err(y, f->e, ERR_FORMAT, "'network' is a name");
    return NULL;
}

static struct graph *expand(struct file *f, const char *const *opts,
                            int64_t limit)
{
    const char *name = name_of(f);
    const struct yaml *pre = get(f, "preprocess");
    struct preprocess unused;
    struct steps st;
    struct graph *g;

    preprocess_init(&unused, 3, 224, 224);
    if (!name || (pre && preprocess_yaml(&unused, pre, f->e) < 0))
        return NULL;
    g = graph_new(name);
    steps_init(&st, g, &f->arena, limit, f->e);
    f->bound = bind(f, opts, &st.params) == 0;
    if (!f->bound || build(f, &st) < 0) {
        graph_free(g);
        g = NULL;
    }
    steps_release(&st);
    return g;
}

/* The options OPTS, which are sound by themselves, are to blame for an error
 * of the network if there is none without them: name them.  */
static void blame_opts(struct file *f, const char *const *opts)
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
static void in_built_in(struct file *f, const char *name)
{
    struct str bases = {0};

    for (int i = 1; i < f->n; i++)
        str_printf(&bases, "%s%s", i > 1 ? ", " : " (base ",
                   stem_of(&f->arena, f->doc[i]->file));
    err_in(f->e, "built-in network '%s'%s%s", name, str_text(&bases),
           bases.len ? ")" : "");
    str_release(&bases);
}

struct network {
    struct file f;
    const char *name;
};

struct network *network_open(const char *name, struct err *e)
{
    struct network *n = xcalloc(1, sizeof *n);

    n->f.e = e;
    n->name = arena_strdup(&n->f.arena, name);
    if (add_name(&n->f, name) == 0)
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
    if (!g && !is_path(n->name))
        in_built_in(&n->f, n->name);
    if (!g && n->f.bound && opts && *opts)
        blame_opts(&n->f, opts);
    return g;
}

int network_preprocess(struct network *n, struct preprocess *p, struct err *e)
{
    const struct yaml *y = get(&n->f, "preprocess");

    return y ? preprocess_yaml(p, y, e) : 0;
}

const char *network_about(struct network *n, const char *key)
{
    const struct yaml *y = get(&n->f, key);

    return y && y->kind == YAML_SCALAR && *y->text ? y->text : NULL;
}

const char *network_default(struct network *n, const char *key)
{
    for (int i = 0; i < n->f.n; i++) {
        const struct yaml *with = yaml_get(n->f.doc[i], "with");
        const struct yaml *y = with ? yaml_get(with, key) : NULL;

        if (y)
            return y->kind == YAML_SCALAR ? y->text : NULL;
    }
    return NULL;
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
    struct file f = {.e = e};
    struct graph *g = NULL;

    if (add_text(&f, name, text, n, dir) == 0)
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
