/* simplify.c -- what a graph does not need is removed: see pass.h.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "pass/cut_tokens.h"
#include "pass/match.h"
#include "pass/pass.h"

static int same_shape(const struct node *n)
{
    return shape_equal(&n->in[0]->shape, &n->out[0]->shape);
}

static int is_view(const struct node *n)
{
    return n && n->dir == DIR_FORWARD && match_op(n, "reshape|flatten");
}

/* What views before N began with, if N gives its shape again; else NULL.  */
static struct value *seen_before(const struct node *n)
{
    for (const struct node *v = n; is_view(v); v = v->in[0]->node)
        if (shape_equal(&v->in[0]->shape, &n->out[0]->shape))
            return v->in[0];
    return NULL;
}

static int not_training(const struct node *n)
{
    return !n->train;
}

static int always(const struct node *n)
{
    (void)n;
    return 1;
}

static int one_operand(const struct node *n)
{
    return n->n_in == 1 && same_shape(n);
}

static int every_one(const struct node *n)
{
    return attr_int(n, "stride") == 1;
}

/* perm is 0, 1, 2 ...: equal sizes do not say so.  */
static int no_move(const struct node *n)
{
    int count;
    const int64_t *perm = attr_ints(n, "perm", &count);

    for (int i = 0; i < count; i++)
        if (perm[i] != i)
            return 0;
    return 1;
}

/* Ops that do nothing, and when.  */
static const struct {
    const char *op;
    int (*is_identity)(const struct node *n);
} identities[] = {
    {"identity", always},        {"dropout", not_training},
    {"droppath", not_training},  {"pad", same_shape},
    {"padchannels", same_shape}, {"subsample", every_one},
    {"transpose", no_move},      {"add", one_operand},
    {"mul", one_operand},        {"concat", one_operand},
};

static int is_identity(const struct node *n)
{
    if (n->dir != DIR_FORWARD)
        return 0;
    for (int i = 1; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->n_use)
            return 0;
    for (size_t i = 0; i < COUNT(identities); i++)
        if (!strcmp(n->op->name, identities[i].op))
            return identities[i].is_identity(n);
    return 0;
}

static void cut_train_outputs(struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_output; i++)
        if (!g->output[i].train)
            g->output[n++] = g->output[i];
    g->n_output = n;
}

/* Weights in 8 bits stay so: their dequantize tells kernels and ONNX.  */
static int is_constant(const struct node *n)
{
    if (n->dir != DIR_FORWARD || n->op->flags & OP_RANDOM || !n->n_in ||
        match_op(n, "dequantize"))
        return 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && (n->in[i]->kind != VALUE_CONST || !n->in[i]->data.data))
            return 0;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->shape.batch)
            return 0;
    return 1;
}

enum { OPERAND_MAX = 64 };

/* Run N and put constants in the place of its outputs, under their names.  */
static int fold_constant(struct graph *g, struct node *n, struct err *e)
{
    struct tensor in[OPERAND_MAX] = {{0}}, out[OPERAND_MAX] = {{0}};
    const char *name[OPERAND_MAX];
    const struct op_args a = {.node = n, .in = in, .out = out};
    int bad = 0;

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i])
            in[i] = n->in[i]->data;
    for (int i = 0; i < n->n_out && !bad; i++)
        bad = tensor_new(&out[i], n->out[i]->dtype, &n->out[i]->shape, e) < 0;
    if (!bad) {
        n->op->forward(&a);
        for (int i = 0; i < n->n_out; i++) {
            struct value *c = graph_tensor(g, graph_name_free(g, n->name),
                                           VALUE_CONST, NULL, &out[i]);

            name[i] = n->out[i]->name;
            graph_replace(g, n->out[i], c);
            n->out[i]->name = c->name; /* swap names: both stay unique */
            c->name = name[i];
        }
        graph_remove(g, n);
    }
    for (int i = 0; i < n->n_out; i++)
        tensor_unref(&out[i]);
    return bad ? -1 : 0;
}

/* Until nothing moves any more: a cut ends where tokens meet or where others
 * read them whole.  */
static int cut_all(struct graph *g, struct err *e)
{
    int moved = 0;

    for (int i = 0; i < g->n_node;) {
        const int done = cut_tokens(g, g->node[i], e);

        if (done < 0)
            return -1;
        moved |= done;
        i = done ? 0 : i + 1;
    }
    if (moved)
        graph_sort(g);
    return 0;
}

struct graph *pass_simplify(const struct graph *in, struct err *e)
{
    struct graph *g = graph_copy(in);
    int bad = 0;

    cut_train_outputs(g);
    graph_prune(g);
    for (int i = 0; i < g->n_node && !bad;) {
        struct node *n = g->node[i];
        struct value *same = is_identity(n) ? n->in[0] : seen_before(n);

        if (same) {
            graph_replace(g, n->out[0], same);
            graph_remove(g, n);
        } else if (is_constant(n) && n->n_in <= OPERAND_MAX &&
                   n->n_out <= OPERAND_MAX) {
            bad = fold_constant(g, n, e) < 0;
        } else {
            i++;
        }
    }
    graph_prune(g);
    bad = bad || cut_all(g, e) < 0;
    if (bad || graph_check(g, e) < 0) {
        graph_free(g);
        return NULL;
    }
    return g;
}
