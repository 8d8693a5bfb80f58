/* join.c -- a network and its loss as one training graph: see pass.h.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "pass/match.h"
#include "pass/pass.h"

static void set_train(struct graph *g, const char *const *frozen)
{
    for (int i = 0; i < g->n_node; i++) {
        struct node *n = g->node[i];

        n->train = (n->op->flags & (OP_TRAIN | OP_RANDOM)) &&
                   !match_name(n->name, frozen);
    }
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM &&
            match_name(g->value[i]->name, frozen))
            g->value[i]->frozen = 1;
}

/* The value of G that stands for value V of the loss graph.  */
static struct value *joined(struct graph *g, const struct value *v,
                            struct value **map, struct err *e)
{
    struct value *to;

    if (map[v->index])
        return map[v->index];
    to = graph_output_value(g, v->name);
    if (v->kind == VALUE_INPUT && to) {
        if (!shape_equal(&to->shape, &v->shape)) {
            err_set(e, ERR_SHAPE, "output '%s' is %s, the loss takes %s",
                    Q(v->name), ST(&to->shape), ST(&v->shape));
            return NULL;
        }
    } else if (v->kind == VALUE_INPUT) {
        to = graph_input(g, graph_name_free(g, v->name), v->dtype, &v->shape);
    } else {
        to = graph_tensor(g, graph_name_free(g, v->name), v->kind, &v->shape,
                          v->data.data ? &v->data : NULL);
        to->dtype = v->dtype;
    }
    return map[v->index] = to;
}

static int join_node(struct graph *g, const struct node *n, struct value **map,
                     struct err *e)
{
    struct value **in = ARENA_NEWS(&g->arena, n->n_in, struct value *);
    struct node *to;

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && !(in[i] = joined(g, n->in[i], map, e)))
            return -1;
    to = graph_add_like(g, n->op, graph_name_free(g, n->name), in, n->n_in, n,
                        e);
    for (int i = 0; to && i < n->n_out; i++)
        map[n->out[i]->index] = to->out[i];
    return to ? 0 : -1;
}

struct graph *pass_join(const struct graph *network, const struct graph *loss,
                        const char *const *frozen, struct err *e)
{
    struct graph *g = graph_copy(network);
    struct value **map = xcalloc((size_t)loss->n_value, sizeof *map);
    int bad = 0;

    set_train(g, frozen);
    for (int i = 0; i < loss->n_node && !bad; i++)
        bad = join_node(g, loss->node[i], map, e) < 0;
    for (int i = 0; i < loss->n_output && !bad; i++)
        graph_output(g, loss->output[i].name, map[loss->output[i].value->index],
                     1);
    free(map);
    if (bad || graph_check(g, e) < 0) {
        graph_free(g);
        return NULL;
    }
    return g;
}
