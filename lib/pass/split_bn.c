/* split_bn.c -- batch normalisation while training in parts: see pass.h.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

/* Operands and results of batchnorm2d, and where its backward node has them. */
enum { X, WEIGHT, BIAS, RUNNING_MEAN, IN = 5 };
enum { Y, MEAN, INVSTD, OUT };
enum { APPLY_BIAS = 4 };
enum { BACK_MEAN = IN + MEAN, BACK_INVSTD = IN + INVSTD, BACK_DY = IN + OUT };

static int is_bn(const struct node *n, enum dir d)
{
    return n->dir == d && n->train && n->op == op_find("batchnorm2d");
}

static struct node *add(struct graph *g, const char *op, const struct node *n,
                        const char *part, struct value *const *in, int n_in,
                        struct err *e)
{
    const char *stem = arena_printf(&g->arena, "%s.%s", n->name, part);
    struct node *to = graph_add_like(g, op_find(op), graph_name_free(g, stem),
                                     in, n_in, NULL, e);

    if (to && attr_index(to->op, "affine") >= 0)
        attr_set_int(to, "affine", attr_int(n, "affine"));
    return to;
}

static int split_forward(struct graph *g, struct node *n, struct err *e)
{
    struct value *const x[] = {n->in[X], n->in[RUNNING_MEAN]};
    struct node *stats = add(g, "bnstats", n, "stats", x, 2, e), *apply;

    if (!stats)
        return -1;
    attr_set_real(stats, "eps", attr_real(n, "eps"));
    struct value *const in[] = {n->in[X], stats->out[0], stats->out[1],
                                n->in[WEIGHT], n->in[BIAS]};
    apply = add(g, "bnapply", n, "apply", in, 5, e);
    if (!apply)
        return -1;
    graph_replace(g, n->out[Y], apply->out[0]);
    graph_replace(g, n->out[MEAN], stats->out[0]);
    graph_replace(g, n->out[INVSTD], stats->out[1]);
    return 0;
}

/* Backward keeps no bias: that of the node which applies the statistics.  */
static struct value *bias_of(const struct value *mean)
{
    const struct op *apply = op_find("bnapply");

    for (int i = 0; i < mean->n_use; i++)
        if (mean->use[i].node->op == apply)
            return mean->use[i].node->in[APPLY_BIAS];
    return NULL;
}

static int split_backward(struct graph *g, struct node *n, struct err *e)
{
    struct value *const *f = n->in;
    struct value *const in[] = {f[X],           f[BACK_MEAN],
                                f[BACK_INVSTD], f[BACK_DY],
                                f[WEIGHT],      bias_of(f[BACK_MEAN])};
    struct node *sums = add(g, "bnsums", n, "sums", in, 6, e), *grad;

    if (!sums)
        return -1;
    if (n->out[BIAS])
        graph_replace(g, n->out[BIAS], sums->out[0]);
    if (n->out[WEIGHT])
        graph_replace(g, n->out[WEIGHT], sums->out[1]);
    if (!n->out[X])
        return 0;
    struct value *const all[] = {f[X],      f[BACK_MEAN], f[BACK_INVSTD],
                                 f[WEIGHT], sums->out[0], sums->out[1],
                                 f[BACK_DY]};
    grad = add(g, "bngrad", n, "grad", all, 7, e);
    if (!grad)
        return -1;
    graph_replace(g, n->out[X], grad->out[0]);
    return 0;
}

struct graph *pass_split_bn(const struct graph *in, struct err *e)
{
    struct graph *g = graph_copy(in);
    const int n_node = g->n_node;
    int bad = 0;

    for (int i = 0; i < n_node && !bad; i++)
        bad = is_bn(g->node[i], DIR_FORWARD) ? split_forward(g, g->node[i], e)
              : is_bn(g->node[i], DIR_BACKWARD)
                  ? split_backward(g, g->node[i], e)
                  : 0;
    for (int i = n_node - 1; i >= 0 && !bad; i--)
        if (is_bn(g->node[i], DIR_FORWARD) || is_bn(g->node[i], DIR_BACKWARD))
            graph_remove(g, g->node[i]);
    if (!bad) {
        graph_sort(g);
        bad = graph_check(g, e);
    }
    if (!bad)
        return g;
    graph_free(g);
    return NULL;
}
