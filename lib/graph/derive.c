/* derive.c -- nodes that are made of a forward node: its gradient, its update.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "base/str.h"
#include "graph/build.h"

/* Does backward read operand I (a result if OUT)?  */
static int kept(const struct node *n, int i, int out)
{
    const struct op *op = n->op;

    if (out)
        return op->keep_out >> (i < 31 ? i : 31) & 1;
    return op->keep_in >> (i < n->n_join ? 0 : i - n->n_join + 1) & 1;
}

static struct node *add_derived(struct graph *g, const struct node *n,
                                const char *suffix, enum dir dir,
                                struct value **in, int n_in)
{
    const char *stem = arena_printf(&g->arena, "%s%s", n->name, suffix);
    struct node *d =
        graph_new_node(g, n->op, graph_name_free(g, stem), dir, in, n_in);

    attr_copy_all(d, n);
    d->n_join = n->n_join;
    d->train = n->train;
    d->origin = arena_strdup(&g->arena, n->name);
    return d;
}

/* The shapes of all operands of D, also of those it does not have.  */
static void note_shapes(struct node *d, const struct node *n)
{
    int k = 0;

    d->in_shape = ARENA_NEWS(&d->graph->arena, d->n_in, struct shape);
    for (int i = 0; i < n->n_in; i++, k++)
        if (n->in[i])
            d->in_shape[k] = n->in[i]->shape;
    for (int i = 0; i < n->n_out; i++)
        d->in_shape[k++] = n->out[i]->shape;
    for (int i = 0; k < d->n_in; i++)
        d->in_shape[k++] = n->out[i]->shape;
}

struct node *graph_add_backward(struct graph *g, const struct node *n,
                                struct value *const *dout, const int *want,
                                struct err *e)
{
    const int results = node_op_out(n) - n->op->n_aux;
    const int n_in = n->n_in + n->n_out + results;
    struct value **in = ARENA_NEWS(&g->arena, n_in, struct value *);
    struct node *b;
    int k = 0;

    if (!n->op->backward) {
        err_set(e, ERR_UNSUPPORTED, "op '%s' at '%s' has no gradient",
                n->op->name, Q(n->name));
        return NULL;
    }
    for (int i = 0; i < n->n_in; i++)
        in[k++] = kept(n, i, 0) ? n->in[i] : NULL;
    for (int i = 0; i < n->n_out; i++)
        in[k++] = kept(n, i, 1) ? n->out[i] : NULL;
    for (int i = 0; i < results; i++)
        in[k++] = dout[i];
    b = add_derived(g, n, "'", DIR_BACKWARD, in, n_in);
    note_shapes(b, n);
    b->n_out = n->n_in;
    b->out = ARENA_NEWS(&g->arena, n->n_in, struct value *);
    for (int i = 0; i < n->n_in; i++) {
        if (!want[i])
            continue;
        const char *stem = arena_printf(&g->arena, "d(%s)", n->in[i]->name);

        b->out[i] = graph_new_value(g, graph_name_free(g, stem), VALUE_NODE);
        b->out[i]->node = b;
        b->out[i]->out = i;
        b->out[i]->dtype = DTYPE_F32; /* also of quantised values */
        b->out[i]->shape = n->in[i]->shape;
    }
    return b;
}

struct node *graph_add_update(struct graph *g, const struct node *n,
                              struct err *e)
{
    const int n_in = n->n_in + n->n_out;
    struct value **in = ARENA_NEWS(&g->arena, n_in, struct value *);
    struct node *u;

    if (!n->op->update) {
        err_set(e, ERR_UNSUPPORTED, "op '%s' at '%s' has no update",
                n->op->name, Q(n->name));
        return NULL;
    }
    for (int i = 0; i < n->n_in; i++)
        if (node_in_info(n, i)->role != ROLE_DATA)
            in[i] = n->in[i];
    for (int i = n->n_out - n->op->n_aux; i < n->n_out; i++)
        in[n->n_in + i] = n->out[i];
    u = add_derived(g, n, "!", DIR_UPDATE, in, n_in);
    note_shapes(u, n);
    return u;
}
