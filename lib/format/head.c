/* head.c -- see head.h.
 * SPDX-License-Identifier: MIT  */
#include "format/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/network.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "op/ops.h"

enum { CLASSIFIERS = 16 };

/* The classifiers of a graph, and how many there are.  */
struct heads {
    struct node *node[CLASSIFIERS];
    int n;
};

static int has_params(const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->kind == VALUE_PARAM)
            return 1;
    return 0;
}

static void add_head(struct heads *h, struct node *n)
{
    for (int i = 0; i < h->n; i++)
        if (h->node[i] == n)
            return;
    if (h->n < CLASSIFIERS)
        h->node[h->n++] = n;
}

static int is_layer(const struct node *n)
{
    return node_is(n, "linear|conv2d");
}

/* Nodes stand in order: from the last one back, mark what the logits read
 * through nodes without parameters.  Of features only the layer that gives
 * them is one.  */
static struct heads find(const struct graph *g)
{
    const char *answer = graph_answer(g);
    const struct value *v = graph_output_value(g, answer);
    char *wanted = xcalloc((size_t)g->n_value + 1, 1);
    struct heads h = {.n = 0};

    if (v && (strcmp(answer, "features") || (v->node && is_layer(v->node))))
        wanted[v->index] = 1;
    for (int i = g->n_node - 1; i >= 0; i--) {
        struct node *n = g->node[i];

        if (!n->out[0] || !wanted[n->out[0]->index])
            continue;
        if (has_params(n))
            add_head(&h, n);
        else
            for (int k = 0; k < n->n_in; k++)
                if (n->in[k])
                    wanted[n->in[k]->index] = 1;
    }
    free(wanted);
    return h;
}

static int reads(const struct node *n, const struct value *v)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] == v)
            return 1;
    return 0;
}

int head_has(const struct graph *g, const struct value *v)
{
    const struct heads h = find(g);

    for (int i = 0; i < h.n; i++) {
        const struct node *front = h.node[i]->in[0]->node;

        if (reads(h.node[i], v) || (front && is_layer(front) &&
                                    reads(front, v) && is_layer(h.node[i])))
            return 1;
    }
    return 0;
}

struct value *head_input(const struct graph *g)
{
    const struct heads h = find(g);

    return h.n ? h.node[h.n - 1]->in[0] : NULL;
}

/* A layer of OP, linear or a 1x1 convolution, behind V.  */
static struct node *layer(struct graph *g, const struct op *op, struct value *v,
                          int64_t width, struct err *e)
{
    char out[24];
    const struct attr_text attr[] = {
        {"out", out},
        {"bias", "yes"},
        {attr_index(op, "kernel") < 0 ? NULL : "kernel", "1"},
        {0}};

    snprintf(out, sizeof out, "%lld", (long long)width);
    return graph_add(g, op, graph_name_free(g, "embedding"), &v, 1, attr, e);
}

static int in_front_of(struct graph *g, struct node *head, int64_t width,
                       struct err *e)
{
    const int first = g->n_node, w = node_in_index(head, "weight");
    struct node *n;

    if (!is_layer(head))
        return err_set(e, ERR_FORMAT,
                       "the network ends in '%s' (%s): there is no embedding "
                       "in front of that",
                       Q(head->name), head->op->name);
    n = layer(g, head->op, head->in[0], width, e);
    if (!n)
        return -1;
    graph_move(g, first, head->index);
    node_set_in(head, 0, n->out[0]);
    head->in[w]->shape.rank = -1; /* infer sets it anew */
    return head->op->infer(head, e) < 0 ? err_in(e, "'%s'", Q(head->name)) : 0;
}

static int behind_features(struct graph *g, int64_t width, struct err *e)
{
    struct value *v = graph_output_value(g, "features");
    struct node *n = layer(g, op_find("linear"), v, width, e);

    if (!n)
        return -1;
    graph_replace(g, v, n->out[0]);
    node_set_in(n, 0, v);
    return 0;
}

int head_embed(struct graph *g, int64_t width, struct err *e)
{
    struct heads h;

    if (graph_output_value(g, "features"))
        return behind_features(g, width, e);
    h = find(g);
    for (int i = h.n - 1; i >= 0; i--) /* in the order of the network */
        if (in_front_of(g, h.node[i], width, e) < 0)
            return -1;
    return 0;
}

/* It has classifiers, and no others for training alone.  */
static int check_heads(const struct graph *g, const struct heads *h,
                       struct err *e)
{
    if (!h->n || !strcmp(graph_answer(g), "features"))
        return err_set(e, ERR_UNSUPPORTED, "it has no classifier");
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].train)
            return err_set(e, ERR_UNSUPPORTED,
                           "'%s' is a head for training alone: take its "
                           "weights into a network of other classes, --from",
                           Q(g->output[i].name));
    return 0;
}

/* The text of G with other classifiers.  */
static int print_wider(struct str *text, const struct graph *g, int64_t classes,
                       struct err *e)
{
    struct graph *copy = graph_copy(g);
    const struct heads h = find(copy);
    int bad = check_heads(g, &h, e);

    for (int i = 0; i < h.n && !bad; i++)
        if (is_layer(h.node[i]))
            attr_set_int(h.node[i], "out", classes);
        else
            bad = err_set(e, ERR_UNSUPPORTED,
                          "it ends in '%s' (%s), which is no classifier",
                          Q(h.node[i]->name), h.node[i]->op->name);
    if (!bad)
        graph_print(text, copy);
    graph_free(copy);
    return bad;
}

/* TO gets the tensors of FROM but those of the classifiers.  */
static int share_tensors(struct graph *to, const struct graph *from,
                         struct err *e)
{
    for (int i = 0; i < to->n_value; i++) {
        struct value *v = to->value[i], *was;

        if (!value_is_tensor(v) || head_has(to, v))
            continue;
        was = graph_value(from, v->name);
        if (!was || !shape_equal(&was->shape, &v->shape))
            return err_set(e, ERR_UNSUPPORTED,
                           "'%s' changes with the number of classes",
                           Q(v->name));
        value_set_data(v, &was->data);
    }
    return 0;
}

static int64_t width(const struct graph *g)
{
    const struct shape *s = &graph_output_value(g, graph_answer(g))->shape;

    return s->rank ? s->dim[s->rank - 1] : 0;
}

struct graph *head_renew(const struct graph *g, int64_t classes, struct err *e)
{
    struct str text = {0};
    struct graph *to = NULL;

    if (print_wider(&text, g, classes, e) == 0)
        to = network_parse("the network with another head", str_text(&text),
                           text.len, NULL, NULL, e);
    str_release(&text);
    if (!to) {
        err_blame(e, ERR_UNSUPPORTED); /* the model itself is sound */
        return NULL;
    }
    if (share_tensors(to, g, e) < 0 ||
        (width(to) != classes &&
         err_set(e, ERR_UNSUPPORTED,
                 "behind the classifier it makes %lld numbers of %lld",
                 (long long)width(to), (long long)classes) < 0)) {
        graph_free(to);
        return NULL;
    }
    return to;
}

void head_cut(struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_output; i++) {
        struct output *o = &g->output[i];

        if (o->train)
            continue;
        if (!strcmp(o->name, "logits"))
            o->name = "features";
        g->output[n++] = *o;
    }
    g->n_output = n;
    graph_prune(g);
}
