/* fuse_bn.c -- batch normalisation into the layer in front: see pass.h.
 * SPDX-License-Identifier: MIT
 *
 * The layer keeps its parameters' names and takes the value name of the
 * batch normalisation, so that a name means the same values before and after
 * (ranges, --features, comparisons node by node).  */
#include "base/err.h"
#include "graph/graph.h"
#include "pass/fold.h"
#include "pass/match.h"
#include "pass/pass.h"

/* The layer whose channels BN normalises, or NULL.  */
static struct node *layer_of(const struct graph *g, const struct node *bn)
{
    if (!match_op(bn, "batchnorm2d") || bn->train)
        return NULL;
    for (int i = 1; i < bn->n_out; i++)
        if (bn->out[i] && bn->out[i]->n_use)
            return NULL;
    /* Behind a matrix the channels are the last axis: that of batchnorm2d
     * only where the value has two.  */
    if (bn->in[0]->shape.rank != 2)
        return match_source(g, bn->in[0], "conv2d|deformconv2d");
    return match_source(g, bn->in[0], "linear");
}

static int fuse(struct graph *g, struct node *layer, struct node *bn,
                struct err *e)
{
    const char *stem = match_stem(g, layer), *name = bn->name;
    const int w = node_in_index(layer, "weight");
    struct tensor weight = {0}, bias = {0};
    struct affine a = {0};
    struct fold f = {0};
    int bad = affine_load(&a, bn, e) < 0 || fold_load(&f, layer, e) < 0;

    if (!bad) {
        fold_absorb(&f, &a);
        bad = fold_store(&f, &layer->in[w]->shape, &weight, &bias, bn->name,
                         e) < 0;
    }
    if (!bad) {
        match_set_param(g, layer, "weight", stem, &weight);
        match_set_param(g, layer, "bias", stem, &bias);
        graph_replace(g, bn->out[0], layer->out[0]);
        graph_remove(g, bn);
        value_rename(g, layer->out[0], name);
    }
    tensor_unref(&weight);
    tensor_unref(&bias);
    affine_release(&a);
    fold_release(&f);
    return bad ? -1 : 0;
}

struct graph *pass_fuse_bn(const struct graph *in, struct err *e)
{
    struct graph *g = graph_copy(in);
    int bad = 0;

    for (int i = 0; i < g->n_node && !bad;) {
        struct node *bn = g->node[i], *layer = layer_of(g, bn);

        if (layer)
            bad = fuse(g, layer, bn, e) < 0; /* the next node is at i now */
        else
            i++;
    }
    if (!bad) {
        graph_prune(g);
        bad = graph_check(g, e) < 0;
    }
    if (bad) {
        graph_free(g);
        return NULL;
    }
    return g;
}
