/* onnx_turns.c -- arithmetic between channels last, done with channels first.
 * SPDX-License-Identifier: MIT
 *
 * Keras has its channels last and turns every picture to what Conv reads and
 * back.  A turn to channels last, [0,2,3,1], is moved behind what computes
 * number by number or joins, until it meets the turn back and both are gone.
 * One that only moves sizes of 1 is a reshape: [N,1,1,C] to [N,C,1,1].  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"
#include "tensor/tensor.h"

enum { RANK = 4 };

static const int64_t last[RANK] = {0, 2, 3, 1}, first[RANK] = {0, 3, 1, 2};

struct turns {
    struct graph *g;
    int64_t left; /* bytes for constants that are turned */
};

static const int64_t *perm_of(const struct value *v)
{
    int n = 0;
    const int64_t *perm =
        v->node && v->node->dir == DIR_FORWARD && node_is(v->node, "transpose")
            ? attr_ints(v->node, "perm", &n)
            : NULL;

    return n == RANK ? perm : NULL;
}

static int is_turn(const struct value *v, const int64_t *to)
{
    const int64_t *perm = perm_of(v);

    return perm && !memcmp(perm, to, sizeof last);
}

/* ---- constants ---- */

/* The shape of S, sizes of 1 in front of it, with channels first.  */
static struct shape turned_shape(const struct shape *s)
{
    struct shape y = {.rank = RANK};

    for (int i = 0; i < RANK; i++) {
        const int at = (int)first[i] - (RANK - s->rank);

        y.dim[i] = at < 0 ? 1 : s->dim[at];
    }
    return y;
}

static void turn(float *y, const float *x, const struct shape *to)
{
    const int64_t *d = to->dim, c = d[1], plane = d[2] * d[3];

    for (int64_t n = 0; n < d[0]; n++)
        for (int64_t k = 0; k < c * plane; k++)
            y[(n * c + k % c) * plane + k / c] = x[n * c * plane + k];
}

static struct value *turned_const(struct turns *t, struct value *v,
                                  struct err *e)
{
    const struct shape to = turned_shape(&v->shape);
    struct tensor y;
    struct value *made;

    if (tensor_new(&y, DTYPE_F32, &to, e) < 0)
        return NULL;
    turn(y.data, v->data.data, &to);
    made =
        graph_tensor(t->g, graph_name_free(t->g, v->name), v->kind, NULL, &y);
    tensor_unref(&y);
    t->left -= 4 * shape_count(&to);
    return made;
}

/* ---- operands ---- */

static int can_turn(const struct turns *t, const struct value *v)
{
    return value_is_tensor(v) && v->data.data && v->dtype == DTYPE_F32 &&
           v->shape.rank <= RANK && 4 * shape_count(&v->shape) <= t->left;
}

/* All that N reads has channels first behind a turn, or is constant; at least
 * one is the former.  */
static int can_move(const struct turns *t, const struct node *n)
{
    const int joins = node_is(n, "add|mul|concat");
    int turns = 0;

    if (n->dir != DIR_FORWARD || n->n_out != 1 || n->train ||
        (!joins && (!(n->op->flags & OP_ELEMENTWISE) || n->n_in != 1)))
        return 0;
    for (int i = 0; i < n->n_in; i++) {
        const int here = is_turn(n->in[i], last);

        if (!here && (node_is(n, "concat") || !joins || !can_turn(t, n->in[i])))
            return 0;
        turns += here;
    }
    return turns > 0;
}

/* The operand V as it is with channels first.  */
static struct value *operand(struct turns *t, struct value *v, struct err *e)
{
    if (is_turn(v, last))
        return v->node->in[0];
    return shape_count(&v->shape) == 1 ? v : turned_const(t, v, e);
}

/* ---- moving ---- */

static struct node *add_turn(struct graph *g, const char *name, struct value *v,
                             struct err *e)
{
    static const struct attr_text a[] = {{"perm", "[0, 2, 3, 1]"}, {0}};

    return graph_add(g, op_find("transpose"), graph_name_free(g, name), &v, 1,
                     a, e);
}

/* N over IN, called NAME.  */
static struct node *again(struct graph *g, const struct node *n,
                          const char *name, struct value *const *in,
                          struct err *e)
{
    struct attr_text a[] = {{"axis", NULL}, {0}};

    if (!node_is(n, "concat"))
        return graph_add_like(g, n->op, name, in, n->n_in, n, e);
    a[0].text =
        arena_printf(&g->arena, "%lld", (long long)last[attr_int(n, "axis")]);
    return graph_add(g, n->op, name, in, n->n_in, a, e);
}

static int move(struct turns *t, struct node *n, struct err *e)
{
    struct value **in = ARENA_NEWS(&t->g->arena, n->n_in, struct value *);
    struct value *old = n->out[0];
    const char *name = old->name;
    struct node *made;

    for (int i = 0; i < n->n_in; i++)
        if (!(in[i] = operand(t, n->in[i], e)))
            return -1;
    value_rename(t->g, old, graph_name_free(t->g, name));
    made = again(t->g, n, name, in, e);
    made = made ? add_turn(t->g, name, made->out[0], e) : NULL;
    if (!made)
        return -1;
    graph_replace(t->g, old, made->out[0]);
    return 0;
}

/* A turn back of what is turned is nothing.  */
static void meet(struct graph *g, struct node *n)
{
    if (n->dir == DIR_FORWARD && is_turn(n->out[0], first) &&
        is_turn(n->in[0], last))
        graph_replace(g, n->out[0], n->in[0]->node->in[0]);
}

/* ---- turns that move nothing ---- */

/* Axes of more than one place keep their order, the batch in front.  */
static int moves_nothing(const struct node *n)
{
    const int64_t *perm = n->dir == DIR_FORWARD ? perm_of(n->out[0]) : NULL;
    const struct shape *s = perm ? &n->in[0]->shape : NULL;
    int64_t before = 0;

    if (!perm || s->batch != 1 || perm[0])
        return 0;
    for (int i = 1; i < RANK; i++) {
        if (s->dim[perm[i]] != 1 && perm[i] < before)
            return 0;
        if (s->dim[perm[i]] != 1)
            before = perm[i];
    }
    return 1;
}

static int reshape_instead(struct graph *g, const struct node *n, struct err *e)
{
    struct value *old = n->out[0], *x = n->in[0];
    const int64_t *d = old->shape.dim;
    const char *name = old->name;
    const struct attr_text a[] = {
        {"shape",
         arena_printf(&g->arena, "[%lld, %lld, %lld, %lld]", (long long)d[0],
                      (long long)d[1], (long long)d[2], (long long)d[3])},
        {0}};
    struct node *made;

    if (x->node && x->node->dir == DIR_FORWARD && node_is(x->node, "reshape") &&
        x->node->in[0]->shape.batch == 1)
        x = x->node->in[0];
    value_rename(g, old, graph_name_free(g, name));
    made = graph_add(g, op_find("reshape"), name, &x, 1, a, e);
    if (!made)
        return -1;
    graph_replace(g, old, made->out[0]);
    return 0;
}

static int reshape_all(struct graph *g, struct err *e)
{
    const int count = g->n_node;

    for (int i = 0; i < count; i++)
        if (moves_nothing(g->node[i]) && reshape_instead(g, g->node[i], e) < 0)
            return -1;
    graph_sort(g);
    graph_prune(g);
    return 0;
}

/* ---- all of them ---- */

static int count_turns(const struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        n += node_is(g->node[i], "transpose");
    return n;
}

static int move_all(struct graph *g, struct err *e)
{
    struct turns t = {.g = g};
    const int count = g->n_node;

    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            t.left += 8 * shape_count(&g->value[i]->shape);
    for (int i = 0; i < count; i++) {
        struct node *n = g->node[i];

        if (node_is(n, "transpose"))
            meet(g, n);
        else if (can_move(&t, n) && move(&t, n, e) < 0)
            return -1;
    }
    graph_sort(g);
    graph_prune(g);
    return 0;
}

int import_turns(struct graph **g, struct err *e)
{
    const int before = count_turns(*g);
    struct graph *moved = before ? graph_copy(*g) : NULL;

    if (!moved)
        return 0;
    if (move_all(moved, e) < 0 || reshape_all(moved, e) < 0) {
        graph_free(moved);
        return -1;
    }
    if (count_turns(moved) < before) {
        graph_free(*g);
        *g = moved;
    } else {
        graph_free(moved);
    }
    return 0;
}
