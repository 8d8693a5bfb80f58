/* reparam.c -- parallel linear branches into one convolution: see pass.h.
 * SPDX-License-Identifier: MIT
 *
 * A branch is a convolution, or nothing, with or without batch normalisation
 * behind it.  Branches of one value that end in one add are one convolution
 * if the taps of each fall on taps of the largest: with padding p and dilation
 * d, tap j reads the input at output stride - p + j d.  Ding et al., "RepVGG",
 * CVPR 2021; the weights are named as timm names them after its
 * reparameterize_model(): SCOPE.reparam_conv.weight.  */
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "pass/fold.h"
#include "pass/match.h"
#include "pass/pass.h"

struct branch {
    struct value *source;
    struct node *conv, *bn; /* either may be NULL */
    int64_t top, left;      /* its first tap among those of the base */
};

enum { BRANCH_MAX = 64 };

/* The branches of one add that become one: at[0] is the base.  */
struct group {
    struct node *add;
    int n, at[BRANCH_MAX]; /* operands of the add */
    struct branch branch[BRANCH_MAX];
};

static struct branch branch_of(const struct graph *g, struct value *v)
{
    struct branch b = {.source = v};
    struct node *bn = match_source(g, v, "batchnorm2d");

    if (bn && !bn->train && v->shape.rank == 4) {
        b.bn = bn;
        b.source = bn->in[0];
    }
    b.conv = match_source(g, b.source, "conv2d");
    if (b.conv)
        b.source = b.conv->in[0];
    return b;
}

/* Geometry along one direction.  */
struct taps {
    int64_t kernel, stride, dilation, pad;
};

static struct taps taps_of(const struct node *conv, int d)
{
    if (!conv)
        return (struct taps){1, 1, 1, 0};
    return (struct taps){
        attr_ints(conv, "kernel", NULL)[d], attr_ints(conv, "stride", NULL)[d],
        attr_ints(conv, "dilation", NULL)[d], attr_ints(conv, "pad", NULL)[d]};
}

/* The tap of BASE on which the first tap of B falls, or -1.  */
static int64_t tap_at(const struct node *base, const struct node *b, int d)
{
    const struct taps s = taps_of(base, d), t = taps_of(b, d);
    const int64_t off = s.pad - t.pad;

    if (s.stride != t.stride || off < 0 || off % s.dilation ||
        off / s.dilation > s.kernel - t.kernel ||
        (t.kernel > 1 && t.dilation != s.dilation))
        return -1;
    return off / s.dilation;
}

static int fits(const struct branch *base, struct branch *b)
{
    if (b->source != base->source)
        return 0;
    if (b->conv &&
        attr_int(b->conv, "groups") != attr_int(base->conv, "groups"))
        return 0;
    b->top = tap_at(base->conv, b->conv, 0);
    b->left = tap_at(base->conv, b->conv, 1);
    return b->top >= 0 && b->left >= 0;
}

static int64_t kernel_area(const struct branch *b)
{
    return b->conv ? taps_of(b->conv, 0).kernel * taps_of(b->conv, 1).kernel
                   : 0;
}

/* Fill G with the branches that go with operand BASE.  */
static void collect(struct group *g, const struct branch *all, int n, int base)
{
    g->n = 1;
    g->at[0] = base;
    g->branch[0] = all[base];
    for (int i = 0; i < n; i++) {
        struct branch b = all[i];

        if (i != base && fits(&all[base], &b)) {
            g->at[g->n] = i;
            g->branch[g->n++] = b;
        }
    }
}

/* The largest kernel that has company, or is all of the sum, becomes the base;
 * 0 if there is none.  */
static int find_group(const struct graph *graph, struct node *add,
                      struct group *best)
{
    struct branch all[BRANCH_MAX];
    int64_t area = 0;

    if (!match_op(add, "add") || add->n_in > BRANCH_MAX)
        return 0;
    for (int i = 0; i < add->n_in; i++) {
        if (!shape_equal(&add->in[i]->shape, &add->out[0]->shape))
            return 0;
        all[i] = branch_of(graph, add->in[i]);
    }
    for (int i = 0; i < add->n_in; i++) {
        struct group g;

        if (kernel_area(&all[i]) <= area)
            continue;
        collect(&g, all, add->n_in, i);
        if (g.n > 1 || add->n_in == 1) {
            *best = g;
            best->add = add;
            area = kernel_area(&all[i]);
        }
    }
    return area > 0;
}

static int load(struct fold *f, const struct branch *b, const struct node *base,
                struct err *e)
{
    struct affine a = {0};
    int bad = b->conv ? fold_load(f, b->conv, e) < 0
                      : fold_identity(f, b->source->shape.dim[1],
                                      attr_int(base, "groups"), e) < 0;

    if (!bad && b->bn) {
        bad = affine_load(&a, b->bn, e) < 0;
        if (!bad)
            fold_absorb(f, &a);
        affine_release(&a);
    }
    return bad ? -1 : 0;
}

static int sum(struct fold *f, const struct group *g, struct err *e)
{
    const struct node *base = g->branch[0].conv;

    if (load(f, &g->branch[0], base, e) < 0)
        return -1;
    for (int i = 1; i < g->n; i++) {
        const struct branch *b = &g->branch[i];
        struct fold one = {0};
        const int bad = load(&one, b, base, e) < 0;

        if (!bad)
            fold_add(f, &one, b->top, b->left);
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

/* Where the new weights belong.  */
static const char *stem_of(struct graph *g, const struct group *gr)
{
    const char *name = gr->add->name, *stem;
    size_t n = strlen(name);

    for (int i = 0; i < gr->n; i++) {
        const struct branch *b = &gr->branch[i];
        const struct node *end = b->bn ? b->bn : b->conv;

        if (end)
            n = common_scope(name, n, end->name);
    }
    stem = arena_printf(&g->arena, "%.*sreparam_conv", (int)n, name);
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
    struct node *add = gr->add, *base = gr->branch[0].conv;
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
    struct node *base = gr->branch[0].conv;
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
