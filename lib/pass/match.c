/* match.c -- see match.h.
 * SPDX-License-Identifier: MIT  */
#include "pass/match.h"

#include <string.h>

#include "base/str.h"
#include "graph/graph.h"

int match_op(const struct node *n, const char *names)
{
    return node_is(n, names) && n->dir == DIR_FORWARD;
}

struct node *match_reader(const struct graph *g, const struct value *v)
{
    return v->n_use == 1 && !value_is_output(g, v) ? v->use[0].node : NULL;
}

struct node *match_source(const struct graph *g, const struct value *v,
                          const char *names)
{
    return v && v->out == 0 && match_op(v->node, names) && match_reader(g, v)
               ? v->node
               : NULL;
}

const char *match_stem(struct graph *g, const struct node *n)
{
    const int i = node_in_index(n, "weight");
    const char *name = i < 0 || !n->in[i] ? "" : n->in[i]->name;
    const char *dot = strrchr(name, '.');

    return dot && !strcmp(dot, ".weight")
               ? arena_strndup(&g->arena, name, (size_t)(dot - name))
               : n->name;
}

void match_set_param(struct graph *g, struct node *n, const char *name,
                     const char *stem, const struct tensor *t)
{
    const int i = node_in_index(n, name);
    const struct op_in *info = node_in_info(n, i);
    struct value *v = n->in[i];

    if (v && v->n_use == 1 && !value_is_output(g, v)) {
        value_set_data(v, t);
    } else {
        const char *want = arena_printf(&g->arena, "%s.%s", stem, name);
        const int frozen = v && v->frozen;

        v = graph_tensor(g, graph_name_free(g, want), VALUE_PARAM, NULL, t);
        v->init = info->init;
        v->frozen = frozen;
        node_set_in(n, i, v);
    }
    if (info->when)
        attr_set_int(n, info->when, 1);
}

int match_name(const char *name, const char *const *list)
{
    for (; list && *list; list++)
        if (str_match(*list, name))
            return 1;
    return 0;
}
