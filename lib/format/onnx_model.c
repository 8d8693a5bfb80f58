/* onnx_model.c -- see onnx_model.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/model.h"
#include "format/onnx.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

/* ---- names ---- */

/* The folder of PATH; NULL for standard input.  */
static char *folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!strcmp(path, "-"))
        return NULL;
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/")
                         : xstrndup(path, (size_t)(slash - path));
}

/* The network is called as the file: exporters call all of theirs alike.  */
static void name_graph(struct graph *g, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);

    if (strcmp(path, "-") != 0 && str_utf8(name, n))
        g->name = arena_strndup(&g->arena, name, n);
    else if (!str_utf8(g->name, strlen(g->name)))
        g->name = "onnx";
}

/* ---- the end ---- */

/* The output `logits', else the first, alone; it is called `logits', unless it
 * says that it is `features'.  */
static int one_output(struct graph *g, struct onnx_report *rep, struct err *e)
{
    struct output *first = g->output;

    if (!g->n_output)
        return err_set(e, ERR_FORMAT, "it has no output");
    for (int i = 0; i < g->n_output; i++)
        if (!strcmp(g->output[i].name, "logits"))
            first = &g->output[i];
    rep->outputs = g->n_output - 1;
    g->output[0] = *first;
    if (strcmp(first->name, "features") != 0) /* of a network without a head */
        g->output[0].name = "logits";
    g->n_output = 1;
    return 0;
}

/* Over the last axis, or over the only one that is not 1.  */
static int is_last_softmax(const struct node *n)
{
    if (!n || !node_is(n, "softmax"))
        return 0;
    const struct shape *s = &n->out[0]->shape;

    return s->dim[attr_int(n, "axis")] == shape_count(s);
}

/* [N,K,1,1] as [N,K].  */
static int flat_output(struct graph *g, struct err *e)
{
    struct value *v = g->output[0].value;
    struct node *n;

    if (v->shape.rank < 2 || v->shape.batch != 1 || v->shape.dim[0] != 1 ||
        v->shape.dim[1] != shape_count(&v->shape))
        return err_set(e, ERR_UNSUPPORTED,
                       "its output %s is not one number a class",
                       ST(&v->shape));
    if (v->shape.rank == 2)
        return 0;
    n = graph_add(g, op_find("flatten"), graph_name_free(g, "flatten"), &v, 1,
                  NULL, e);
    if (!n)
        return -1;
    g->output[0].value = n->out[0];
    return 0;
}

static void cut_softmax(struct graph *g, struct onnx_report *rep)
{
    struct value *v = g->output[0].value;

    while (v->node && node_is(v->node, "flatten|reshape|identity"))
        v = v->node->in[0];
    if (!is_last_softmax(v->node))
        return;
    g->output[0].value = v->node->in[0];
    rep->softmax = 1;
}

static int check_input(const struct graph *g, struct err *e)
{
    const struct value *x = graph_value(g, "image");
    const struct shape *s = x ? &x->shape : NULL;

    if (!x || x->kind != VALUE_INPUT)
        return err_set(e, ERR_UNSUPPORTED, "it has no input of pictures");
    if (s->rank == 4 && s->batch == 1 && s->dim[0] == 1 &&
        (s->dim[1] == 1 || s->dim[1] == 3) && s->dim[2] <= 65535 &&
        s->dim[3] <= 65535)
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "its input %s is not pictures of 1 or 3 channels", ST(s));
}

/* G as a classifier: freed here; NULL with an error.  */
static struct graph *classifier(struct graph *g, const char *path,
                                struct onnx_report *rep, struct err *e)
{
    struct graph *simple = NULL;

    name_graph(g, path);
    if (one_output(g, rep, e) == 0) {
        cut_softmax(g, rep);
        if (flat_output(g, e) == 0 && check_input(g, e) == 0)
            simple = pass_simplify(g, e);
    }
    graph_free(g);
    return simple;
}

/* ---- metadata ---- */

static int read_meta(struct model *m, const struct onnx_file *f,
                     struct onnx_report *rep, struct err *e)
{
    const char *pre = onnx_meta_get(f, "adze.preprocess");
    struct preprocess p;

    m->pre.exif = 0; /* as others prepare pictures */
    if (pre && preprocess_parse(&p, pre, e) < 0)
        return err_in(e, "'adze.preprocess'");
    if (pre && (p.channels != m->pre.channels ||
                memcmp(p.size, m->pre.size, sizeof p.size) != 0))
        return err_set(e, ERR_FORMAT,
                       "'adze.preprocess' makes pictures of "
                       "another size than the input's");
    if (pre)
        m->pre = p;
    rep->preprocess = pre != NULL;
    if (model_read_history(m, onnx_meta_get(f, "adze.history"), e) < 0)
        return -1;
    return model_read_classes(m, onnx_meta_get(f, "adze.classes"), e);
}

static struct model *read_open(const struct onnx_file *f, const char *path,
                               const struct onnx_source *src,
                               struct onnx_report *rep, struct err *e)
{
    struct graph *g = onnx_graph(f, src, e);
    struct model *m;

    g = g ? classifier(g, path, rep, e) : NULL;
    if (!g)
        return NULL;
    rep->operators = onnx_operators(f);
    m = model_new(g);
    if (read_meta(m, f, rep, e) == 0)
        return m;
    model_free(m);
    return NULL;
}

/* The whole again from the form in which it is written, so that what our files
 * cannot hold is seen now.  */
static struct model *written(struct model *m, struct err *e)
{
    struct model *back = NULL;
    struct set s;

    if (model_to_set(m, &s, e) == 0) {
        back = model_from_set(&s, e);
        set_release(&s);
    }
    model_free(m);
    if (!back)
        err_in(e, "as a model");
    return back;
}

enum { BYTES_MAX = INT32_MAX }; /* of protobuf */

struct model *onnx_model_read(const char *path, const int64_t *size,
                              struct onnx_report *rep, struct err *e)
{
    char *dir = folder(path);
    struct onnx_source src = {.dir = dir, .pictures = 1};
    struct onnx_report none, *to = rep ? rep : &none;
    struct onnx_file f = {0};
    struct model *m = NULL;
    struct bytes b = {0};

    *to = (struct onnx_report){0};
    if (size)
        memcpy(src.size, size, sizeof src.size);
    if (bytes_read(&b, path, BYTES_MAX, e) < 0) {
        free(dir);
        return NULL;
    }
    if (onnx_open(&f, b.data, b.n, e) == 0)
        m = read_open(&f, path, &src, to, e);
    if (m) {
        hash_bytes(to->hash, b.data, b.n);
        m = written(m, e);
    }
    onnx_close(&f);
    bytes_release(&b);
    free(dir);
    if (!m)
        err_in(e, "'%s'", strcmp(path, "-") ? Q(path) : "standard input");
    return m;
}
