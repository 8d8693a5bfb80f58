/* check.c -- the invariants of a graph: see graph.h.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"

static int broken(struct err *e, const char *what, const char *name)
{
    return err_set(e, ERR_FORMAT, "graph is broken: %s at '%s'", what, Q(name));
}

static int has_use(const struct value *v, const struct node *n, int in)
{
    for (int i = 0; i < v->n_use; i++)
        if (v->use[i].node == n && v->use[i].in == in)
            return 1;
    return 0;
}

static int check_inputs(const struct graph *g, const struct node *n,
                        struct err *e)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];

        if (!v) {
            if (n->dir == DIR_FORWARD && !node_in_info(n, i)->when)
                return broken(e, "an operand is missing", n->name);
            continue;
        }
        if (v->index < 0 || v->index >= g->n_value || g->value[v->index] != v)
            return broken(e, "an operand of another graph", n->name);
        if (!has_use(v, n, i))
            return broken(e, "a use is not listed", v->name);
        if (v->node && v->node->index >= n->index)
            return broken(e, "not in topological order", n->name);
        if (v->shape.rank < 0)
            return broken(e, "no shape", v->name);
    }
    return 0;
}

/* infer() on the node as it stands must change nothing.  */
static int check_shapes(struct node *n, struct err *e)
{
    struct shape old[64];
    enum dtype type[64];

    if (n->dir != DIR_FORWARD || n->n_out > 64)
        return 0;
    for (int i = 0; i < n->n_out; i++) {
        old[i] = n->out[i]->shape;
        type[i] = n->out[i]->dtype;
    }
    if (n->op->infer(n, e) < 0)
        return err_in(e, "'%s' (%s)", Q(n->name), n->op->name);
    for (int i = 0; i < n->n_out; i++)
        if (!shape_equal(&old[i], &n->out[i]->shape) ||
            type[i] != n->out[i]->dtype)
            return broken(e, "a shape is not what its op infers",
                          n->out[i]->name);
    return 0;
}

static int check_node(const struct graph *g, struct node *n, int at,
                      struct err *e)
{
    if (n->index != at || n->graph != g)
        return broken(e, "a wrong index", n->name);
    if (n->dir == DIR_FORWARD && n->n_in != node_op_in(n))
        return broken(e, "a wrong number of operands", n->name);
    if (n->dir == DIR_FORWARD && n->n_out && strcmp(n->name, n->out[0]->name))
        return broken(e, "node and value named apart", n->name);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] && (n->out[i]->node != n || n->out[i]->out != i ||
                          n->out[i]->kind != VALUE_NODE))
            return broken(e, "an output of another node", n->name);
    return check_inputs(g, n, e) < 0 ? -1 : check_shapes(n, e);
}

static int check_value(const struct graph *g, const struct value *v, int at,
                       struct err *e)
{
    if (v->index != at || graph_value(g, v->name) != v)
        return broken(e, "a wrong index or name", v->name);
    if ((v->kind == VALUE_NODE) != (v->node != NULL))
        return broken(e, "a value without its node", v->name);
    for (int i = 0; i < v->n_use; i++)
        if (v->use[i].in >= v->use[i].node->n_in ||
            v->use[i].node->in[v->use[i].in] != v)
            return broken(e, "a use that is none", v->name);
    if (v->data.data && !shape_equal(&v->data.shape, &v->shape))
        return broken(e, "data of another shape", v->name);
    return 0;
}

static int check_outputs(const struct graph *g, struct err *e)
{
    for (int i = 0; i < g->n_output; i++) {
        const struct value *v = g->output[i].value;

        if (v->index < 0 || v->index >= g->n_value || g->value[v->index] != v)
            return broken(e, "an output of another graph", g->output[i].name);
        if (graph_output_value(g, g->output[i].name) != v)
            return broken(e, "two outputs of one name", g->output[i].name);
    }
    return 0;
}

int graph_check(const struct graph *g, struct err *e)
{
    for (int i = 0; i < g->n_value; i++)
        if (check_value(g, g->value[i], i, e) < 0)
            return -1;
    for (int i = 0; i < g->n_node; i++)
        if (check_node(g, g->node[i], i, e) < 0)
            return -1;
    return check_outputs(g, e);
}
