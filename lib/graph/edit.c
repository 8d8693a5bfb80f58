/* edit.c -- changing a graph: see graph.h, "editing".
 * SPDX-License-Identifier: MIT  */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void graph_replace(struct graph *g, struct value *old, struct value *new_)
{
    if (old == new_)
        return;
    while (old->n_use)
        node_set_in(old->use[old->n_use - 1].node, old->use[old->n_use - 1].in,
                    new_);
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].value == old)
            g->output[i].value = new_;
}

/* Renumber values and rebuild the name index, without those marked dead
 * (index -1).  */
static void compact_values(struct graph *g)
{
    int n = 0;

    name_map_release(&g->names);
    memset(&g->names, 0, sizeof g->names);
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];

        if (v->index < 0) {
            tensor_unref(&v->data);
            free(v->use);
            v->use = NULL;
            continue;
        }
        v->index = n;
        g->value[n++] = v;
        if (name_map_put(&g->names, v->name, v->index) >= 0)
            BUG("two values named '%s'", v->name);
    }
    g->n_value = n;
}

static void compact_nodes(struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->index >= 0) {
            g->node[n] = g->node[i];
            g->node[n]->index = n;
            n++;
        }
    g->n_node = n;
}

/* Take N out without renumbering.  */
static void detach(struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        node_set_in(n, i, NULL);
    for (int i = 0; i < n->n_out; i++) {
        if (!n->out[i])
            continue;
        if (n->out[i]->n_use)
            BUG("'%s' is removed but read", n->out[i]->name);
        n->out[i]->index = -1;
    }
    n->index = -1;
}

void graph_remove(struct graph *g, struct node *n)
{
    detach(n);
    compact_nodes(g);
    compact_values(g);
}

void graph_move(struct graph *g, int from, int to)
{
    const int n = g->n_node - from;
    const size_t size = sizeof(struct node *);
    struct node **tail = xcalloc((size_t)n + 1, size);

    memcpy(tail, g->node + from, (size_t)n * size);
    memmove(g->node + to + n, g->node + to, (size_t)(from - to) * size);
    memcpy(g->node + to, tail, (size_t)n * size);
    for (int i = to; i < g->n_node; i++)
        g->node[i]->index = i;
    free(tail);
}

static int node_needed(const struct graph *g, const struct node *n)
{
    if (n->dir == DIR_UPDATE)
        return 1;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] && (n->out[i]->n_use || value_is_output(g, n->out[i])))
            return 1;
    return 0;
}

void graph_prune(struct graph *g)
{
    for (int i = g->n_node - 1; i >= 0; i--)
        if (!node_needed(g, g->node[i]))
            detach(g->node[i]);
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];

        if (value_is_tensor(v) && !v->n_use && !value_is_output(g, v))
            v->index = -1;
    }
    compact_nodes(g);
    compact_values(g);
}

void value_rename(struct graph *g, struct value *v, const char *name)
{
    if (!strcmp(v->name, name))
        return;
    v->name = arena_strdup(&g->arena, name);
    if (v->node && v->node->dir == DIR_FORWARD && v->out == 0) {
        v->node->name = v->name;
        for (int i = 1; i < v->node->n_out; i++)
            v->node->out[i]->name =
                arena_printf(&g->arena, "%s/%d", v->name, i);
    }
    compact_values(g);
}

/* Nodes wait for their producers; of those that are ready the one that stood
 * first goes first (a heap by old index).  UPDATE nodes wait for all others.
 */
struct heap {
    struct node **item;
    int n;
};

static int before(const struct node *a, const struct node *b)
{
    const int ua = a->dir == DIR_UPDATE, ub = b->dir == DIR_UPDATE;

    return ua != ub ? ua < ub : a->index < b->index;
}

static void heap_push(struct heap *h, struct node *x)
{
    int i = h->n++;

    for (; i && before(x, h->item[(i - 1) / 2]); i = (i - 1) / 2)
        h->item[i] = h->item[(i - 1) / 2];
    h->item[i] = x;
}

static struct node *heap_pop(struct heap *h)
{
    struct node *top = h->item[0], *x = h->item[--h->n];
    int i = 0, c;

    while ((c = 2 * i + 1) < h->n) {
        if (c + 1 < h->n && before(h->item[c + 1], h->item[c]))
            c++;
        if (!before(h->item[c], x))
            break;
        h->item[i] = h->item[c];
        i = c;
    }
    h->item[i] = x;
    return top;
}

void graph_sort(struct graph *g)
{
    const size_t count = (size_t)(g->n_node ? g->n_node : 1);
    int *wait = xcalloc(count, sizeof *wait);
    struct node **order = xcalloc(count, sizeof *order);
    struct heap h = {xcalloc(count, sizeof *h.item), 0};
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        g->node[i]->index = i;
    for (int i = 0; i < g->n_node; i++) {
        for (int k = 0; k < g->node[i]->n_in; k++)
            wait[i] += g->node[i]->in[k] && g->node[i]->in[k]->node;
        if (!wait[i])
            heap_push(&h, g->node[i]);
    }
    while (h.n) {
        struct node *x = order[n++] = heap_pop(&h);

        for (int o = 0; o < x->n_out; o++)
            for (int u = 0; x->out[o] && u < x->out[o]->n_use; u++) {
                struct node *user = x->out[o]->use[u].node;

                if (!--wait[user->index])
                    heap_push(&h, user);
            }
    }
    if (n != g->n_node)
        BUG("graph '%s' has a cycle", g->name);
    memcpy(g->node, order, (size_t)n * sizeof *order);
    for (int i = 0; i < n; i++)
        g->node[i]->index = i;
    compact_values(g);
    free(wait);
    free(order);
    free(h.item);
}
