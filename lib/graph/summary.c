/* summary.c -- see summary.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/summary.h"

#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

struct work {
    const struct graph *g;
    char *needed; /* by node */
    char *done;   /* tensors counted, by value */
    int *level;   /* by node: longest way from the inputs */
};

/* Mark what outputs outside training need; nodes stand in order.  */
static void mark_needed(struct work *w)
{
    for (int i = 0; i < w->g->n_output; i++) {
        const struct output *o = &w->g->output[i];

        if (!o->train && o->value->node)
            w->needed[o->value->node->index] = 1;
    }
    for (int i = w->g->n_node - 1; i >= 0; i--) {
        const struct node *n = w->g->node[i];

        for (int k = 0; w->needed[i] && k < n->n_in; k++)
            if (n->in[k] && n->in[k]->node)
                w->needed[n->in[k]->node->index] = 1;
    }
}

static int find_level(const struct work *w, const struct node *n)
{
    int level = 0;

    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] && n->in[k]->node &&
            w->level[n->in[k]->node->index] > level)
            level = w->level[n->in[k]->node->index];
    return level + 1;
}

static int find_width(struct work *w)
{
    int *count = xcalloc((size_t)w->g->n_node + 2, sizeof *count), width = 0;

    for (int i = 0; i < w->g->n_node; i++) {
        if (!w->needed[i])
            continue;
        w->level[i] = find_level(w, w->g->node[i]);
        if (++count[w->level[i]] > width)
            width = count[w->level[i]];
    }
    free(count);
    return width;
}

static int64_t bytes_of(const struct value *v)
{
    return shape_count(&v->shape) * (int64_t)dtype_size(v->dtype);
}

static void add_operand(struct work *w, struct summary_row *r,
                        const struct value *v)
{
    r->bytes += bytes_of(v);
    if (v->kind == VALUE_NODE || v->kind == VALUE_INPUT || w->done[v->index]++)
        return;
    *(value_is_learned(v) ? &r->params : &r->state) += shape_count(&v->shape);
}

static struct summary_row row_of(struct work *w, const struct node *n)
{
    const struct op_cost c = node_cost(n);
    struct summary_row r = {.name = n->name, .op = n->op->name};

    r.shape = n->out[0]->shape;
    r.flop = c.flop;
    r.mac = c.mac;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k])
            add_operand(w, &r, n->in[k]);
    for (int k = 0; k < n->n_out - n->op->n_aux; k++)
        r.bytes += bytes_of(n->out[k]);
    if (n->op->flags & OP_VIEW)
        r.bytes = 0;
    return r;
}

static void add_row(struct summary_row *to, const struct summary_row *r)
{
    to->params += r->params;
    to->state += r->state;
    to->flop += r->flop;
    to->mac += r->mac;
    to->bytes += r->bytes;
}

/* The first DEPTH parts of NAME.  */
static const char *prefix(struct summary *s, const char *name, int depth)
{
    const char *p = name;

    for (; depth > 0; depth--) {
        p = strchr(p, '.');
        if (!p)
            return name;
        p++;
    }
    return p == name ? name
                     : arena_strndup(&s->arena, name, (size_t)(p - name - 1));
}

static void put_row(struct summary *s, struct name_map *groups, int depth,
                    struct summary_row r)
{
    int64_t at;

    r.name = arena_strdup(&s->arena, prefix(s, r.name, depth));
    at = name_map_put(groups, r.name, s->n);
    if (at >= 0) {
        add_row(&s->row[at], &r);
        s->row[at].op = NULL;
        s->row[at].shape = r.shape;
        return;
    }
    ARRAY_GROW(s->row, s->n, s->cap);
    s->row[s->n++] = r;
}

void summary_init(struct summary *s, const struct graph *g, int depth)
{
    struct work w = {.g = g};
    struct name_map groups = {0};

    *s = (struct summary){.total = {.name = "total"}};
    w.needed = xcalloc((size_t)g->n_node + 1, 1);
    w.done = xcalloc((size_t)g->n_value + 1, 1);
    w.level = xcalloc((size_t)g->n_node + 1, sizeof *w.level);
    mark_needed(&w);
    s->width = find_width(&w);
    for (int i = 0; i < g->n_node; i++) {
        struct summary_row r;

        if (!w.needed[i])
            continue;
        r = row_of(&w, g->node[i]);
        add_row(&s->total, &r);
        s->total.shape = r.shape;
        put_row(s, &groups, depth, r);
    }
    name_map_release(&groups);
    free(w.needed);
    free(w.done);
    free(w.level);
}

void summary_release(struct summary *s)
{
    free(s->row);
    arena_release(&s->arena);
    *s = (struct summary){0};
}
