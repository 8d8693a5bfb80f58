/* ask.c -- asking a graph: see graph.h, "asking".
 * SPDX-License-Identifier: MIT  */
#include "graph/graph.h"

#include <string.h>

/* ---- a graph, by names ---- */

struct value *graph_value(const struct graph *g, const char *name)
{
    const int64_t i = name_map_get(&g->names, name);

    return i < 0 ? NULL : g->value[i];
}

struct value *graph_scope_value(const struct graph *g, const char *name)
{
    const size_t n = strlen(name);
    struct value *v = graph_value(g, name);

    for (int i = g->n_node - 1; !v && i >= 0; i--)
        if (g->node[i]->dir == DIR_FORWARD &&
            !strncmp(g->node[i]->name, name, n) && g->node[i]->name[n] == '.')
            v = g->node[i]->out[0];
    return v;
}

struct value *graph_output_value(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_output; i++)
        if (!strcmp(g->output[i].name, name))
            return g->output[i].value;
    return NULL;
}

const char *graph_answer(const struct graph *g)
{
    if (graph_output_value(g, "logits"))
        return "logits";
    return g->n_output ? g->output[0].name : "";
}

const char *graph_name_free(struct graph *g, const char *stem)
{
    const char *name = stem;

    for (int i = 2; name_map_get(&g->names, name) >= 0; i++)
        name = arena_printf(&g->arena, "%s_%d", stem, i);
    return name;
}

/* ---- a node ---- */

int node_is(const struct node *n, const char *names)
{
    while (n && *names) {
        const size_t len = strcspn(names, "|");

        if (!strncmp(n->op->name, names, len) && !n->op->name[len])
            return 1;
        names += len + (names[len] == '|');
    }
    return 0;
}

int node_op_in(const struct node *n)
{
    int count = 0;

    while (n->op->in[count].name)
        count++;
    return count + n->n_join - 1;
}

/* How many results an op has that lets an attribute decide.  */
static int result_count(const struct node *n)
{
    int count;

    if (n->op->n_out >= 0)
        return n->op->n_out;
    attr_ints(n, "sizes", &count);
    return count;
}

int node_op_out(const struct node *n)
{
    return result_count(n) + n->op->n_aux;
}

const struct op_in *node_in_info(const struct node *n, int i)
{
    return &n->op->in[i < n->n_join ? 0 : i - n->n_join + 1];
}

int node_in_index(const struct node *n, const char *name)
{
    for (int i = 0; n->op->in[i].name; i++)
        if (!strcmp(n->op->in[i].name, name))
            return i ? i + n->n_join - 1 : 0;
    return -1;
}

const struct node *node_dequantize(const struct node *n, int i)
{
    const struct node *d = n->in[i] ? n->in[i]->node : NULL;

    return node_is(d, "dequantize") && d->dir == DIR_FORWARD ? d : NULL;
}

struct op_cost node_cost(const struct node *n)
{
    if (n->op->cost)
        return n->op->cost(n);
    return (struct op_cost){
        n->op->flags & OP_VIEW ? 0 : shape_count(&n->out[0]->shape), 0};
}

int64_t node_mac(const struct node *n)
{
    const struct value *v;
    int64_t gradients = 0;

    if (n->dir == DIR_FORWARD)
        return node_cost(n).mac;
    if (n->dir == DIR_UPDATE)
        return 0;
    v = graph_value(n->graph, n->origin);
    for (int k = 0; k < n->n_out; k++)
        gradients += n->out[k] && n->out[k]->shape.rank > 1;
    return v && v->node ? gradients * node_cost(v->node).mac : 0;
}

/* ---- a value ---- */

int value_is_tensor(const struct value *v)
{
    return v && v->kind != VALUE_NODE && v->kind != VALUE_INPUT;
}

int value_is_learned(const struct value *v)
{
    if (v->kind == VALUE_PARAM)
        return 1;
    for (int i = 0; value_is_tensor(v) && i < v->n_use; i++)
        if (v->use[i].in == 0 && node_is(v->use[i].node, "dequantize"))
            return 1;
    return 0;
}

int value_is_output(const struct graph *g, const struct value *v)
{
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].value == v)
            return 1;
    return 0;
}
