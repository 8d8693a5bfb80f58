/* differentiate.c -- backward steps as ordinary nodes: see pass.h.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

struct state {
    struct graph *g;
    int n_value;          /* values of the forward graph */
    char *wanted;         /* [n_value]: reaches a trained parameter */
    struct value ***part; /* [n_value]: gradients to be added */
    int *n_part, *cap_part;
};

static int is_trained(const struct value *v)
{
    return v->kind == VALUE_PARAM && !v->frozen;
}

/* Forward sweep: which values depend on a parameter that is trained.  */
static void mark_wanted(struct state *s)
{
    for (int i = 0; i < s->n_value; i++)
        s->wanted[i] = (char)is_trained(s->g->value[i]);
    for (int i = 0; i < s->g->n_node; i++) {
        const struct node *n = s->g->node[i];
        int any = 0;

        if (n->dir != DIR_FORWARD || !n->op->backward)
            continue;
        for (int k = 0; k < n->n_in; k++)
            any |= n->in[k] && s->wanted[n->in[k]->index];
        for (int k = 0; k < n->n_out - n->op->n_aux; k++)
            s->wanted[n->out[k]->index] = (char)any;
    }
}

static void add_part(struct state *s, const struct value *v, struct value *d)
{
    const int i = v->index;

    ARRAY_GROW(s->part[i], s->n_part[i], s->cap_part[i]);
    s->part[i][s->n_part[i]++] = d;
}

/* The whole gradient of V: its parts added; NULL if it has none.  */
static struct value *gradient(struct state *s, const struct value *v,
                              struct err *e)
{
    const int i = v->index;
    const char *stem = arena_printf(&s->g->arena, "d(%s)+", v->name);
    struct node *n;

    if (s->n_part[i] < 2)
        return s->n_part[i] ? s->part[i][0] : NULL;
    n = graph_add(s->g, op_find("add"), graph_name_free(s->g, stem), s->part[i],
                  s->n_part[i], NULL, e);
    if (!n)
        return NULL;
    s->part[i][0] = n->out[0];
    s->n_part[i] = 1;
    return n->out[0];
}

/* Is the gradient of operand K that of the result?  */
static int passes_on(const struct node *n, int k)
{
    return n->op->flags & OP_SUM &&
           shape_equal(&n->in[k]->shape, &n->out[0]->shape);
}

static int backward(struct state *s, const struct node *n, struct err *e)
{
    const int results = n->n_out - n->op->n_aux;
    struct value **dout = ARENA_NEWS(&s->g->arena, results, struct value *);
    int *want = ARENA_NEWS(&s->g->arena, n->n_in, int);
    int any_out = 0, any_in = 0;
    struct node *b;

    for (int k = 0; k < results; k++) {
        dout[k] = gradient(s, n->out[k], e);
        any_out |= dout[k] != NULL;
        if (e->code)
            return -1;
    }
    for (int k = 0; k < n->n_in; k++) {
        const enum role r = node_in_info(n, k)->role;

        want[k] = n->in[k] && s->wanted[n->in[k]->index] &&
                  (r == ROLE_DATA || r == ROLE_PARAM);
        if (want[k] && any_out && passes_on(n, k)) {
            add_part(s, n->in[k], dout[0]);
            want[k] = 0;
        }
        any_in |= want[k];
    }
    if (!any_out || !any_in)
        return 0;
    b = graph_add_backward(s->g, n, dout, want, e);
    for (int k = 0; b && k < n->n_in; k++)
        if (b->out[k])
            add_part(s, n->in[k], b->out[k]);
    return b ? 0 : -1;
}

/* The gradient of the loss: an input, or 1.  */
static struct value *seed(struct graph *g, const char *factor, struct err *e)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct value *v;
    struct tensor t;

    if (factor)
        return graph_input(g, factor, DTYPE_F32, &one);
    if (tensor_new(&t, DTYPE_F32, &one, e) < 0)
        return NULL;
    *(float *)t.data = 1;
    v = graph_tensor(g, graph_name_free(g, "d(loss)"), VALUE_CONST, NULL, &t);
    tensor_unref(&t);
    return v;
}

static int sweep_back(struct state *s, const char *loss, const char *factor,
                      int n_node, struct err *e)
{
    struct value *v = graph_output_value(s->g, loss), *one;

    if (!v)
        return err_set(e, ERR_USAGE, "the graph has no output '%s'", Q(loss));
    if (shape_count(&v->shape) != 1 || v->shape.batch)
        return err_set(e, ERR_SHAPE, "loss '%s' is %s, not [1]", Q(loss),
                       ST(&v->shape));
    one = seed(s->g, factor, e);
    if (!one)
        return -1;
    add_part(s, v, one);
    for (int i = n_node - 1; i >= 0; i--)
        if (s->g->node[i]->dir == DIR_FORWARD &&
            s->wanted[s->g->node[i]->out[0]->index] &&
            backward(s, s->g->node[i], e) < 0)
            return -1;
    return 0;
}

static int finish(struct state *s, int n_node, struct err *e)
{
    for (int i = 0; i < s->n_value; i++) {
        struct value *v = s->g->value[i], *d;

        if (!is_trained(v))
            continue;
        d = gradient(s, v, e);
        if (e->code)
            return -1;
        if (d)
            graph_output(s->g, arena_printf(&s->g->arena, "d(%s)", v->name), d,
                         1);
    }
    for (int i = 0; i < n_node; i++) {
        const struct node *n = s->g->node[i];

        if (n->dir == DIR_FORWARD && n->op->update && n->train &&
            !graph_add_update(s->g, n, e))
            return -1;
    }
    graph_sort(s->g);
    return graph_check(s->g, e);
}

struct graph *pass_differentiate(const struct graph *in, const char *loss,
                                 const char *factor, struct err *e)
{
    const size_t count = (size_t)in->n_value;
    struct state s = {.g = graph_copy(in), .n_value = in->n_value};
    int bad;

    s.wanted = xcalloc(count, 1);
    s.part = xcalloc(count, sizeof *s.part);
    s.n_part = xcalloc(count, sizeof *s.n_part);
    s.cap_part = xcalloc(count, sizeof *s.cap_part);
    mark_wanted(&s);
    bad = sweep_back(&s, loss, factor, in->n_node, e) < 0 ||
          finish(&s, in->n_node, e) < 0;
    for (int i = 0; i < s.n_value; i++)
        free(s.part[i]);
    free(s.wanted);
    free(s.part);
    free(s.n_part);
    free(s.cap_part);
    if (bad) {
        graph_free(s.g);
        return NULL;
    }
    return s.g;
}
