/* model.c -- see model.h: the model file.
 * SPDX-License-Identifier: MIT  */
#include "format/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/modelname.h"
#include "format/network.h"
#include "format/preprocess.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "tensor/safetensors.h"

enum { FORMAT = 1, CLASSES = 1000000 };

/* ---- in memory ---- */

/* The [N,C,H,W] of the first input of G that is a picture, or NULL.  */
static const struct shape *picture(const struct graph *g)
{
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT && g->value[i]->shape.rank == 4)
            return &g->value[i]->shape;
    return NULL;
}

struct model *model_new(struct graph *g)
{
    struct model *m = xcalloc(1, sizeof *m);
    const struct shape *s = picture(g);

    m->graph = g;
    m->history = xstrdup("[]");
    m->kind = "model";
    set_init(&m->extra);
    preprocess_init(&m->pre, s ? s->dim[1] : 3, s ? s->dim[2] : 224,
                    s ? s->dim[3] : 224);
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    graph_free(m->graph);
    set_release(&m->extra);
    arena_release(&m->arena);
    free(m->history);
    free(m);
}

void model_drop_state(struct model *m)
{
    m->kind = "model";
    set_release(&m->extra);
    set_init(&m->extra);
}

void model_replace_graph(struct model *m, struct graph *g)
{
    graph_free(m->graph);
    m->graph = g;
    model_drop_state(m);
}

void model_set_classes(struct model *m, const char *const *names, int n)
{
    const char **list;

    m->classes = NULL;
    m->n_classes = 0;
    if (!names)
        return;
    list = ARENA_NEWS(&m->arena, n ? n : 1, const char *);
    for (int i = 0; i < n; i++)
        list[i] = arena_strdup(&m->arena, names[i]);
    m->classes = list;
    m->n_classes = n;
}

const char *model_class_name(const struct model *m, int64_t c,
                             char buf[MODEL_CLASS])
{
    if (c < m->n_classes)
        return m->classes[c];
    snprintf(buf, MODEL_CLASS, "%lld", (long long)c);
    return buf;
}

int64_t model_head(const struct model *m)
{
    const char *answer = graph_answer(m->graph);
    const struct value *v = strcmp(answer, "features")
                                ? graph_output_value(m->graph, answer)
                                : NULL;

    return v && v->shape.rank ? v->shape.dim[v->shape.rank - 1] : 0;
}

/* ---- JSON ---- */

static char *dump(const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);

    if (!text)
        BUG("text that is not UTF-8 in a model");
    return text;
}

static json_t *load(const char *text, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &why);

    if (!o)
        err_set(e, ERR_FORMAT, "not JSON: %s", Q(why.text));
    return o;
}

static char *classes_text(const struct model *m)
{
    json_t *list = json_array();
    char *text;

    for (int i = 0; i < m->n_classes; i++)
        json_array_append_new(list, json_string(m->classes[i]));
    text = dump(list);
    json_decref(list);
    return text;
}

static int read_names(struct model *m, const json_t *list, struct err *e)
{
    const size_t n = json_array_size(list);
    const char **names;
    struct name_map seen = {0};

    if (!json_is_array(list) || n > CLASSES)
        return err_set(e, ERR_FORMAT, "not a list of names");
    names = ARENA_NEWS(&m->arena, n ? n : 1, const char *);
    for (size_t i = 0; i < n && !e->code; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        if (!names[i] || !*names[i])
            err_set(e, ERR_FORMAT, "class %zu has no name", i);
        else if (name_map_put(&seen, names[i], (int64_t)i) >= 0)
            err_set(e, ERR_FORMAT, "class '%s' stands twice", Q(names[i]));
    }
    name_map_release(&seen);
    if (e->code)
        return -1;
    model_set_classes(m, names, (int)n);
    return 0;
}

int model_read_classes(struct model *m, const char *text, struct err *e)
{
    json_t *list = text ? load(text, e) : NULL;
    int rc;

    if (!text)
        return 0;
    rc = list ? read_names(m, list, e) : -1;
    json_decref(list);
    if (rc == 0 && m->n_classes > model_head(m))
        rc = err_set(e, ERR_FORMAT, "%d names for a head of %lld classes",
                     m->n_classes, (long long)model_head(m));
    return rc < 0 ? err_in(e, "'adze.classes'") : 0;
}

/* ---- history ---- */

static json_t *history_list(const struct model *m)
{
    json_t *list = json_loads(m->history, 0, NULL);

    if (!json_is_array(list))
        BUG("the history is not a list");
    return list;
}

/* The pairs KEY, VALUE, ..., NULL as an object, by key.  */
static json_t *sorted_object(const char *const *pair)
{
    json_t *o = json_object();
    const char *(*list)[2];
    int n = 0;

    while (pair && pair[2 * n])
        n++;
    list = xcalloc((size_t)n + 1, sizeof *list);
    if (n)
        memcpy(list, pair, (size_t)n * sizeof *list);
    qsort(list, (size_t)n, sizeof *list, str_order);
    for (int i = 0; i < n; i++)
        if (json_object_set_new(o, list[i][0], json_string(list[i][1])) < 0)
            BUG("history value of '%s' is not UTF-8", list[i][0]);
    free(list);
    return o;
}

void model_history_add(struct model *m, const char *command,
                       const char *const *options, const char *const *inputs)
{
    json_t *list = history_list(m), *entry = json_object();

    json_object_set_new(entry, "command", json_string(command));
    json_object_set_new(entry, "version", json_string(ADZE_VERSION));
    json_object_set_new(entry, "options", sorted_object(options));
    json_object_set_new(entry, "inputs", sorted_object(inputs));
    json_array_append_new(list, entry);
    free(m->history);
    m->history = dump(list);
    json_decref(list);
}

static int is_text(const json_t *o, const char *key, const char *want)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s && !strcmp(s, want);
}

/* What ENTRY makes of a head that was trained (WAS) or not.  */
static int trained_after(const json_t *entry, int was)
{
    const json_t *inputs = json_object_get(entry, "inputs");
    const json_t *options = json_object_get(entry, "options");

    if (is_text(entry, "command", "train") ||
        is_text(entry, "command", "import"))
        return 1;
    if (is_text(entry, "command", "init"))
        return json_object_get(inputs, "from") &&
               !is_text(options, "head", "new");
    return was;
}

int model_trained(const struct model *m)
{
    json_t *list = history_list(m);
    int trained = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        trained = trained_after(json_array_get(list, i), trained);
    json_decref(list);
    return trained;
}

int model_history_has(const char *history, const char *command)
{
    json_t *list = history ? json_loads(history, 0, NULL) : NULL;
    int has = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        has |= is_text(json_array_get(list, i), "command", command);
    json_decref(list);
    return has;
}

int model_read_history(struct model *m, const char *text, struct err *e)
{
    json_t *list = text ? load(text, e) : json_array();
    int rc = list ? 0 : -1;

    if (rc == 0 && !json_is_array(list))
        rc = err_set(e, ERR_FORMAT, "not a list");
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        if (!json_is_object(json_array_get(list, i)))
            rc = err_set(e, ERR_FORMAT, "entry %zu is not an object", i);
    if (rc == 0) {
        free(m->history);
        m->history = dump(list);
    }
    json_decref(list);
    return rc < 0 ? err_in(e, "'adze.history'") : 0;
}

/* ---- tensors ---- */

static int put_value(const struct value *v, char *done, struct set *s,
                     struct err *e)
{
    if (!value_is_tensor(v) || done[v->index]++)
        return 0;
    if (!v->data.data)
        return err_set(e, ERR_FORMAT, "tensor '%s' has no data", Q(v->name));
    if (set_put(s, v->name, &v->data) < 0)
        BUG("two tensors named '%s'", v->name);
    return 0;
}

/* In the order in which the nodes read them, which is that of reading the
 * flat form: so that what is read is written to the same bytes.  */
static int put_tensors(const struct graph *g, struct set *s, struct err *e)
{
    char *done = xcalloc((size_t)g->n_value + 1, 1);
    int rc = 0;

    for (int i = 0; rc == 0 && i < g->n_node; i++)
        for (int k = 0; rc == 0 && k < g->node[i]->n_in; k++)
            rc = put_value(g->node[i]->in[k], done, s, e);
    for (int i = 0; rc == 0 && i < g->n_value; i++)
        rc = put_value(g->value[i], done, s, e);
    free(done);
    return rc;
}

static int take_tensors(struct model *m, const struct set *s, struct err *e)
{
    struct modelname_diff d = {0};
    struct graph *g = m->graph;

    modelname_compare(&d, g, s);
    if (d.n_missing || d.n_unexpected || d.n_shape)
        modelname_error(&d, e);
    modelname_diff_release(&d);
    for (int i = 0; !e->code && i < g->n_value; i++) {
        const struct tensor *t = set_get(s, g->value[i]->name);

        if (!value_is_tensor(g->value[i]))
            continue;
        if (t->dtype != g->value[i]->dtype)
            return err_set(e, ERR_FORMAT,
                           "tensor '%s' is %s, its graph wants "
                           "%s",
                           Q(g->value[i]->name), dtype_name(t->dtype),
                           dtype_name(g->value[i]->dtype));
        value_set_data(g->value[i], t);
    }
    return e->code ? -1 : 0;
}

/* ---- to and from a set ---- */

static void put_text(struct set *s, const char *key, char *text)
{
    set_meta_put(s, key, text);
    free(text);
}

int model_to_set(const struct model *m, struct set *s, struct err *e)
{
    struct str text = {0};

    set_init(s);
    set_meta_put(s, "adze.format", "1");
    set_meta_put(s, "adze.kind", m->kind);
    graph_print(&text, m->graph);
    set_meta_put(s, "adze.graph", str_text(&text));
    if (m->classes)
        put_text(s, "adze.classes", classes_text(m));
    str_clear(&text);
    preprocess_json(&text, &m->pre);
    set_meta_put(s, "adze.preprocess", str_text(&text));
    str_release(&text);
    set_meta_put(s, "adze.history", m->history);
    for (int64_t i = 0; i < m->extra.n_meta; i++)
        set_meta_put(s, m->extra.meta[i].key, m->extra.meta[i].value);
    if (put_tensors(m->graph, s, e) < 0) {
        set_release(s);
        return -1;
    }
    for (int64_t i = 0; i < m->extra.n; i++)
        set_put(s, m->extra.item[i].name, &m->extra.item[i].t);
    return 0;
}

static int check_format(const struct set *s, struct err *e)
{
    const char *text = set_meta_get(s, "adze.format");
    int64_t v;

    if (!text)
        return err_set(e, ERR_FORMAT, "no 'adze.format'");
    if (parse_i64(text, 1, INT64_MAX, &v) < 0)
        return err_set(e, ERR_FORMAT, "format '%s' is not a number", Q(text));
    if (v > FORMAT)
        return err_set(e, ERR_FORMAT,
                       "the file has format %lld, this adze (%s) reads up to "
                       "%d: use a newer one",
                       (long long)v, ADZE_VERSION, FORMAT);
    return 0;
}

static int check_kind(struct model *m, const struct set *s, struct err *e)
{
    static const char *const kinds[] = {"model", "checkpoint"};
    const char *kind = set_meta_get(s, "adze.kind");

    if (!kind)
        return err_set(e, ERR_FORMAT,
                       "plain weights, not a model: use 'adze-init NETWORK "
                       "--from FILE' to make one of them");
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(kind, kinds[i])) {
            m->kind = kinds[i];
            return check_format(s, e);
        }
    return err_set(e, ERR_FORMAT, "holds '%s', not a model", Q(kind));
}

/* A graph from a file that does not fit is a damaged file, whatever the
 * reader of networks calls it.  */
static int read_graph(struct model *m, const struct set *s, struct err *e)
{
    const char *text = set_meta_get(s, "adze.graph");

    if (!text)
        return err_set(e, ERR_FORMAT, "no 'adze.graph'");
    m->graph = network_parse("adze.graph", text, strlen(text), NULL, NULL, e);
    return m->graph ? 0 : err_blame(e, ERR_FORMAT);
}

static int read_preprocess(struct model *m, const struct set *s, struct err *e)
{
    const char *text = set_meta_get(s, "adze.preprocess");

    const struct shape *in = picture(m->graph);

    if (!text)
        return err_set(e, ERR_FORMAT, "no 'adze.preprocess'");
    if (preprocess_parse(&m->pre, text, e) == 0 && in &&
        (in->dim[1] != m->pre.channels || in->dim[2] != m->pre.size[0] ||
         in->dim[3] != m->pre.size[1]))
        err_set(e, ERR_FORMAT, "makes pictures of %d x %d x %d for an input %s",
                m->pre.channels, m->pre.size[0], m->pre.size[1], ST(in));
    return e->code ? err_in(e, "'adze.preprocess'") : 0;
}

/* What only checkpoints have.  */
static int read_extra(struct model *m, const struct set *s, struct err *e)
{
    const char *loop = set_meta_get(s, "adze.loop");

    if (loop)
        set_meta_put(&m->extra, "adze.loop", loop);
    for (int64_t i = 0; i < s->n; i++)
        if (str_starts(s->item[i].name, "adze:"))
            set_put(&m->extra, s->item[i].name, &s->item[i].t);
    if ((loop || m->extra.n) && strcmp(m->kind, "checkpoint") != 0)
        return err_set(e, ERR_FORMAT, "training state in a file of kind '%s'",
                       m->kind);
    return 0;
}

struct model *model_from_set(const struct set *s, struct err *e)
{
    struct model *m = xcalloc(1, sizeof *m);

    m->history = xstrdup("[]");
    set_init(&m->extra);
    if (check_kind(m, s, e) < 0 || read_graph(m, s, e) < 0 ||
        read_preprocess(m, s, e) < 0 ||
        model_read_classes(m, set_meta_get(s, "adze.classes"), e) < 0 ||
        model_read_history(m, set_meta_get(s, "adze.history"), e) < 0 ||
        read_extra(m, s, e) < 0 || take_tensors(m, s, e) < 0) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* ---- files ---- */

struct model *model_read(const char *path, struct err *e)
{
    struct set s;
    struct model *m;

    if (safetensors_read(&s, path, e) < 0)
        return NULL;
    m = model_from_set(&s, e);
    set_release(&s);
    if (!m)
        err_in(e, "'%s'", strcmp(path, "-") ? Q(path) : "standard input");
    return m;
}

int model_write(const struct model *m, struct out *o, struct err *e)
{
    struct set s;
    int rc;

    if (model_to_set(m, &s, e) < 0)
        return -1;
    rc = safetensors_write(&s, o, 1, e);
    set_release(&s);
    return rc;
}

int model_save(const struct model *m, const char *path, struct err *e)
{
    struct out o;

    if (out_open(&o, path, e) < 0)
        return -1;
    if (model_write(m, &o, e) < 0)
        return out_abort(&o);
    return out_commit(&o, e);
}

int model_fingerprint(const struct model *m, char text[HASH_TEXT],
                      struct err *e)
{
    struct set s;

    if (model_to_set(m, &s, e) < 0)
        return -1;
    safetensors_hash(&s, text);
    set_release(&s);
    return 0;
}

/* A file that is read gives the same text again when it is written.  */
static void fuzz_write(const struct model *m)
{
    struct err e = {0};
    struct set s, t;
    struct model *n;

    if (model_to_set(m, &s, &e) < 0)
        BUG("a model that was read cannot be written: %s", e.msg);
    n = model_from_set(&s, &e);
    if (!n || model_to_set(n, &t, &e) < 0)
        BUG("a model that was written cannot be read: %s", e.msg);
    if (s.n != t.n || s.n_meta != t.n_meta)
        BUG("a model that was written reads back as another");
    for (int64_t i = 0; i < s.n_meta; i++)
        if (strcmp(s.meta[i].value, t.meta[i].value) != 0)
            BUG("'%s' reads back as another", s.meta[i].key);
    model_free(n);
    set_release(&s);
    set_release(&t);
}

int fuzz_model(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct model *m;
    struct set s;

    if (safetensors_parse(&s, p, n, NULL, 1, &e) < 0)
        return -1;
    m = model_from_set(&s, &e);
    if (m)
        fuzz_write(m);
    model_free(m);
    set_release(&s);
    return m ? 0 : -1;
}
