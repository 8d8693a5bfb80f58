/* cut_tokens.c -- see cut_tokens.h.
 * SPDX-License-Identifier: MIT  */
#include "pass/cut_tokens.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/match.h"

enum { TOKENS = 1, NUMBER = 24 };

/* The run of tokens that N keeps.  */
struct run {
    int64_t start, length;
};

static int is_cut(const struct node *n, struct run *r)
{
    if (!match_op(n, "slice|select") || n->in[0]->shape.rank != 3 ||
        attr_int(n, "axis") != TOKENS)
        return 0;
    *r = match_op(n, "select")
             ? (struct run){attr_int(n, "index"), 1}
             : (struct run){attr_int(n, "start"), attr_int(n, "length")};
    return r->length < n->in[0]->shape.dim[TOKENS];
}

static int has_shape_of_result(const struct node *n)
{
    for (int i = 0; i < n->n_join; i++)
        if (!shape_equal(&n->in[i]->shape, &n->out[0]->shape))
            return 0;
    return 1;
}

/* N computes each token of its result from that token of its operands.  */
static int is_by_token(const struct node *n)
{
    for (int i = 1; n && i < n->n_out; i++)
        if (n->out[i]->n_use)
            return 0;
    if (!n || n->dir != DIR_FORWARD || n->train || n->out[0]->shape.rank != 3)
        return 0;
    return match_op(n, "linear") ||
           (match_op(n, "layernorm") && attr_int(n, "axis") == 2) ||
           ((n->op->flags & OP_ELEMENTWISE || match_op(n, "add|mul")) &&
            has_shape_of_result(n));
}

/* The run R of V: one that is there already, or a new one.  */
static struct value *cut(struct graph *g, struct value *v, const struct run *r,
                         struct err *e)
{
    char start[NUMBER], length[NUMBER];
    const struct attr_text attr[] = {
        {"axis", "1"}, {"start", start}, {"length", length}, {0}};
    struct node *n;
    struct run other;

    for (int i = 0; i < v->n_use; i++) {
        n = v->use[i].node;
        if (match_op(n, "slice") && is_cut(n, &other) &&
            other.start == r->start && other.length == r->length)
            return n->out[0];
    }
    snprintf(start, sizeof start, "%lld", (long long)r->start);
    snprintf(length, sizeof length, "%lld", (long long)r->length);
    n = graph_add(
        g, op_find("slice"),
        graph_name_free(g, arena_printf(&g->arena, "%s.slice", v->name)), &v, 1,
        attr, e);
    return n ? n->out[0] : NULL;
}

/* The only token that is left, in the place of select N.  */
static int select_left(struct graph *g, struct node *n, struct err *e)
{
    const struct attr_text attr[] = {{"axis", "1"}, {"index", "0"}, {0}};
    const char *name = n->name;
    struct node *s =
        graph_add(g, n->op, graph_name_free(g, name), n->in, 1, attr, e);

    if (!s)
        return -1;
    graph_replace(g, n->out[0], s->out[0]);
    graph_remove(g, n);
    value_rename(g, s->out[0], name);
    return 0;
}

int cut_tokens(struct graph *g, struct node *n, struct err *e)
{
    struct node *by = n->n_in ? n->in[0]->node : NULL;
    struct run r;

    if (!is_cut(n, &r) || match_reader(g, n->in[0]) != n || !is_by_token(by))
        return 0;
    for (int i = 0; i < by->n_join; i++) {
        struct value *v = cut(g, by->in[i], &r, e);

        if (!v)
            return -1;
        node_set_in(by, i, v);
    }
    if (by->op->infer(by, e) < 0)
        return -1;
    if (match_op(n, "select"))
        return select_left(g, n, e) < 0 ? -1 : 1;
    graph_replace(g, n->out[0], by->out[0]);
    graph_remove(g, n);
    return 1;
}
