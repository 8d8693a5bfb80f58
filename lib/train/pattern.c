/* pattern.c -- see pattern.h.
 * SPDX-License-Identifier: MIT  */
#include "train/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "train/recipe.h"

struct names {
    struct arena arena;
    const char **item; /* NULL-ended */
    int n, cap;
};

static void add(struct names *l, const char *name)
{
    ARRAY_GROW(l->item, l->n, l->cap);
    l->item[l->n++] = name;
}

/* NAME, and the scopes that it stands in: layer1.0.conv1, layer1.0, layer1. */
static void add_scopes(struct names *l, const char *name)
{
    add(l, name);
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
        add(l, arena_strndup(&l->arena, name, (size_t)(dot - name)));
}

static int is_scope(const char *name, const struct graph *g, int ops)
{
    const struct value *v = graph_value(g, name);

    return !(v && value_is_tensor(v)) && !(ops && op_find(name));
}

const char *pattern_near(char buf[PATTERN_NEAR], const char *pattern,
                         const struct graph *g, int ops)
{
    struct names l = {0};
    size_t n = strlen(pattern);
    const char *near;

    while (n && strchr("*.", pattern[n - 1]))
        n--;
    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            add_scopes(&l, g->value[i]->name);
    for (int i = 0; ops && op_all[i]; i++) {
        add(&l, op_all[i]->name);
        if (op_all[i]->alias)
            add(&l, op_all[i]->alias);
    }
    add(&l, NULL);
    near = str_nearest(arena_strndup(&l.arena, pattern, n), l.item);
    buf[0] = 0;
    if (near)
        snprintf(buf, PATTERN_NEAR, "; did you mean '%.256s%s'?", Q(near),
                 is_scope(near, g, ops) ? "*" : "");
    free(l.item);
    arena_release(&l.arena);
    return buf;
}

static int concerns(const char *pattern, const struct graph *g)
{
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM &&
            str_match(pattern, g->value[i]->name))
            return 1;
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op->flags & (OP_TRAIN | OP_RANDOM) &&
            str_match(pattern, g->node[i]->name))
            return 1;
    return 0;
}

int pattern_check(const struct recipe *r, const struct graph *g, struct err *e)
{
    const struct yaml *list = recipe_yaml(r, "model.freeze");

    for (const struct yaml *y = list->child; y; y = y->next)
        if (!concerns(y->text, g))
            return yaml_err(
                y, e, ERR_USAGE, "'%s' in model.freeze matches no parameter%s",
                Q(y->text),
                pattern_near((char[PATTERN_NEAR]){0}, y->text, g, 0));
    return 0;
}
