/* reparam.c -- parallel linear branches into one convolution: see pass.h.
 * SPDX-License-Identifier: MIT
 *
 * Branches of one value that end in one add (branch.h) are one convolution if
 * one of them is a convolution on whose taps those of each other one fall.
 * Ding et al., "RepVGG", CVPR 2021; the weights are named as timm names them
 * after its reparameterize_model(), SCOPE.reparam_conv.weight, or where the
 * branches are the parts of a layer, as that layer's: LAYER.weight.  */
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "pass/branch.h"
#include "pass/fold.h"
#include "pass/match.h"
#include "pass/pass.h"

enum { BRANCH_MAX = 64 };

/* The branches of one add that become one: the first is the base.  */
struct group {
    struct node *add;
    int n, at[BRANCH_MAX]; /* operands of the add */
    struct branch branch[BRANCH_MAX];
    int64_t top[BRANCH_MAX], left[BRANCH_MAX]; /* the first tap of each among
                                                  those of the base */
};

static const struct node *conv_of(const struct branch *base)
{
    return base->part[0];
}

/* The tap of BASE on which the first tap of B falls, or -1.  */
static int64_t tap_at(const struct branch *base, const struct branch *b, int d)
{
    const struct taps s = base->taps[d], t = b->taps[d];
    const int64_t off = s.pad - t.pad;

    if (s.stride != t.stride || off < 0 || off % s.dilation ||
        off / s.dilation > s.kernel - t.kernel ||
        (t.kernel > 1 && t.dilation != s.dilation))
        return -1;
    return off / s.dilation;
}

static int64_t kernel_area(const struct branch *b)
{
    return b->taps[0].kernel * b->taps[1].kernel;
}

/* B is branch number I of G's add.  */
static void put(struct group *g, int i, const struct branch *b)
{
    const struct branch *base = g->n ? &g->branch[0] : b;
    const int64_t top = tap_at(base, b, 0), left = tap_at(base, b, 1);

    if (top < 0 || left < 0 ||
        !branch_has_groups(b, attr_int(conv_of(base), "groups")))
        return;
    g->at[g->n] = i;
    g->branch[g->n] = *b;
    g->top[g->n] = top;
    g->left[g->n++] = left;
}

/* Fill G with the branches of ADD that go with its operand I, a convolution
 * (which leaves it empty where it is none).  */
static void collect(struct group *g, const struct graph *graph,
                    struct node *add, int i)
{
    struct branch b;

    g->add = add;
    g->n = 0;
    if (!branch_conv(&b, graph, add->in[i]))
        return;
    put(g, i, &b);
    for (int k = 0; k < add->n_in; k++)
        if (k != i && branch_find(&b, graph, add->in[k], g->branch[0].source))
            put(g, k, &b);
}

/* The largest kernel that has company, or is all of the sum, becomes the base;
 * 0 if there is none.  */
static int find_group(const struct graph *graph, struct node *add,
                      struct group *best)
{
    int64_t area = 0;

    if (!match_op(add, "add") || add->n_in > BRANCH_MAX)
        return 0;
    for (int i = 0; i < add->n_in; i++)
        if (!shape_equal(&add->in[i]->shape, &add->out[0]->shape))
            return 0;
    for (int i = 0; i < add->n_in; i++) {
        struct group g;

        collect(&g, graph, add, i);
        if (g.n > (add->n_in > 1) && kernel_area(&g.branch[0]) > area) {
            *best = g;
            area = kernel_area(&g.branch[0]);
        }
    }
    return area > 0;
}

static int sum(struct fold *f, const struct group *g, struct err *e)
{
    const int64_t groups = attr_int(conv_of(&g->branch[0]), "groups");

    if (branch_load(&g->branch[0], f, groups, e) < 0)
        return -1;
    for (int i = 1; i < g->n; i++) {
        struct fold one;
        const int bad = branch_load(&g->branch[i], &one, groups, e) < 0;

        if (!bad)
            fold_add(f, &one, g->top[i], g->left[i]);
        fold_release(&one);
        if (bad)
            return -1;
    }
    return 0;
}

/* How much of A is a scope that B has too: up to the last common dot.  */
static size_t common_scope(const char *a, size_t n, const char *b)
{
    size_t last = 0;

    for (size_t i = 0; i < n && a[i] == b[i]; i++)
        if (a[i] == '.')
            last = i + 1;
    return last;
}

/* The scope that all layers of GR are in, N bytes at the beginning of the
 * name of the first one; *DIRECT: none is in a scope further inside.  */
static size_t scope_of(const struct group *gr, int *direct)
{
    const char *name = conv_of(&gr->branch[0])->name;
    size_t n = strlen(name);

    for (int i = 0; i < gr->n; i++)
        for (int k = 0; k < gr->branch[i].n; k++)
            n = common_scope(name, n, gr->branch[i].part[k]->name);
    *direct = 1;
    for (int i = 0; i < gr->n; i++)
        for (int k = 0; k < gr->branch[i].n; k++)
            *direct &= !strchr(gr->branch[i].part[k]->name + n, '.');
    return n;
}

/* Where the new weights belong.  */
static const char *stem_of(struct graph *g, const struct group *gr)
{
    const char *name = gr->add->name, *stem;
    const char *layer = conv_of(&gr->branch[0])->name;
    int direct;
    size_t n = scope_of(gr, &direct);

    if (n && direct && gr->n > 1 && strncmp(name, layer, n) != 0) {
        stem = arena_strndup(&g->arena, layer, n - 1);
    } else {
        n = common_scope(name, strlen(name),
                         arena_strndup(&g->arena, layer, n));
        stem = arena_printf(&g->arena, "%.*sreparam_conv", (int)n, name);
    }
    if (n && graph_value(g, arena_printf(&g->arena, "%s.weight", stem)) == NULL)
        return stem;
    return name;
}

/* A parameter of its own for BASE, whoever reads the old one.  */
static void new_param(struct graph *g, struct node *base, const char *name,
                      const char *stem, const struct tensor *t)
{
    const int i = node_in_index(base, name);
    const int frozen = base->in[i] && base->in[i]->frozen;
    const char *want = arena_printf(&g->arena, "%s.%s", stem, name);
    struct value *v =
        graph_tensor(g, graph_name_free(g, want), VALUE_PARAM, NULL, t);

    v->init = node_in_info(base, i)->init;
    v->frozen = frozen;
    node_set_in(base, i, v);
}

static int in_group(const struct group *gr, int operand)
{
    for (int i = 0; i < gr->n; i++)
        if (gr->at[i] == operand)
            return 1;
    return 0;
}

/* Put the base in the place of its group among the operands of the add.  */
static int rewire(struct graph *g, const struct group *gr, const char *stem,
                  struct err *e)
{
    struct node *add = gr->add, *base = gr->branch[0].part[0];
    const char *name = add->name;
    struct value *left[BRANCH_MAX], *sum_of = base->out[0];
    int n = 0;

    left[n++] = base->out[0];
    for (int i = 0; i < add->n_in; i++)
        if (!in_group(gr, i))
            left[n++] = add->in[i];
    if (n > 1) {
        const char *temp = graph_name_free(g, name);
        const struct node *rest =
            graph_add_like(g, add->op, temp, left, n, add, e);

        if (!rest)
            return -1;
        sum_of = rest->out[0];
    }
    graph_replace(g, add->out[0], sum_of);
    graph_remove(g, add);
    if (n > 1)
        value_rename(g, base->out[0], graph_name_free(g, stem));
    value_rename(g, sum_of, name);
    graph_sort(g);
    graph_prune(g);
    return 0;
}

static int merge(struct graph *g, const struct group *gr, struct err *e)
{
    struct node *base = gr->branch[0].part[0];
    const char *stem = stem_of(g, gr);
    const int w = node_in_index(base, "weight");
    struct tensor weight = {0}, bias = {0};
    struct fold f = {0};
    int bad = sum(&f, gr, e) < 0 || fold_store(&f, &base->in[w]->shape, &weight,
                                               &bias, gr->add->name, e) < 0;

    if (!bad) {
        new_param(g, base, "weight", stem, &weight);
        new_param(g, base, "bias", stem, &bias);
        attr_set_int(base, "bias", 1);
        bad = rewire(g, gr, stem, e) < 0;
    }
    tensor_unref(&weight);
    tensor_unref(&bias);
    fold_release(&f);
    return bad ? -1 : 0;
}

struct graph *pass_reparam(const struct graph *in, struct err *e)
{
    struct graph *g = graph_copy(in);
    int bad = 0;

    /* A merged group can be a branch of another add, and indices change:
     * begin anew after each.  */
    for (int i = 0; i < g->n_node && !bad; i++) {
        struct group gr;

        if (find_group(g, g->node[i], &gr)) {
            bad = merge(g, &gr, e) < 0;
            i = -1;
        }
    }
    if (!bad)
        bad = graph_check(g, e) < 0;
    if (bad) {
        graph_free(g);
        return NULL;
    }
    return g;
}
