/* graph.c -- see graph.h: building and copying.
 * SPDX-License-Identifier: MIT  */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/build.h"

struct graph *graph_new(const char *name)
{
    struct graph *g = xcalloc(1, sizeof *g);

    g->name = arena_strdup(&g->arena, name);
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->n_value; i++) {
        tensor_unref(&g->value[i]->data);
        free(g->value[i]->use);
    }
    free(g->node);
    free(g->value);
    free(g->output);
    name_map_release(&g->names);
    arena_release(&g->arena);
    free(g);
}

/* ---- values, and who reads them ---- */

struct value *graph_new_value(struct graph *g, const char *name,
                              enum value_kind kind)
{
    struct value *v = ARENA_NEW(&g->arena, struct value);

    v->name = arena_strdup(&g->arena, name);
    v->kind = kind;
    v->shape.rank = -1;
    v->index = g->n_value;
    if (name_map_put(&g->names, v->name, v->index) >= 0)
        BUG("two values named '%s'", name);
    ARRAY_GROW(g->value, g->n_value, g->cap_value);
    g->value[g->n_value++] = v;
    return v;
}

struct value *graph_input(struct graph *g, const char *name, enum dtype dt,
                          const struct shape *s)
{
    struct value *v = graph_new_value(g, name, VALUE_INPUT);

    v->dtype = dt;
    v->shape = *s;
    return v;
}

struct value *graph_tensor(struct graph *g, const char *name,
                           enum value_kind kind, const struct shape *s,
                           const struct tensor *t)
{
    struct value *v = graph_new_value(g, name, kind);

    v->dtype = DTYPE_F32;
    if (s)
        v->shape = *s;
    if (t)
        value_set_data(v, t);
    return v;
}

void value_set_data(struct value *v, const struct tensor *t)
{
    const struct tensor share = tensor_ref(t);

    tensor_unref(&v->data);
    v->data = share;
    v->dtype = t->dtype;
    v->shape = t->shape;
}

static void add_use(struct value *v, struct node *n, int in)
{
    if (!v)
        return;
    ARRAY_GROW(v->use, v->n_use, v->cap_use);
    v->use[v->n_use++] = (struct use){n, in};
}

static void drop_use(struct value *v, const struct node *n, int in)
{
    int i = 0;

    if (!v)
        return;
    while (i < v->n_use && !(v->use[i].node == n && v->use[i].in == in))
        i++;
    if (i == v->n_use)
        BUG("value '%s' has no use by '%s'", v->name, n->name);
    memmove(v->use + i, v->use + i + 1,
            (size_t)(--v->n_use - i) * sizeof *v->use);
}

void node_set_in(struct node *n, int i, struct value *v)
{
    drop_use(n->in[i], n, i);
    n->in[i] = v;
    add_use(v, n, i);
}

/* ---- nodes of a network ---- */

struct node *graph_new_node(struct graph *g, const struct op *op,
                            const char *name, enum dir dir,
                            struct value *const *in, int n_in)
{
    struct node *n = ARENA_NEW(&g->arena, struct node);

    n->name = arena_strdup(&g->arena, name);
    n->op = op;
    n->dir = dir;
    n->graph = g;
    n->n_join = 1;
    n->n_in = n_in;
    n->in = ARENA_NEWS(&g->arena, n_in ? n_in : 1, struct value *);
    n->index = g->n_node;
    for (int i = 0; i < n_in; i++) {
        n->in[i] = in[i];
        add_use(in[i], n, i);
    }
    ARRAY_GROW(g->node, g->n_node, g->cap_node);
    g->node[g->n_node++] = n;
    return n;
}

/* Names come from files: one that is taken is an error, not a bug.  */
static int check_free(const struct graph *g, const char *name, struct err *e)
{
    if (graph_value(g, name))
        return err_set(e, ERR_USAGE, "two values are named '%s'", Q(name));
    return 0;
}

static int make_outputs(struct node *n, int count, struct err *e)
{
    struct graph *g = n->graph;

    n->n_out = count;
    n->out = ARENA_NEWS(&g->arena, count ? count : 1, struct value *);
    for (int i = 0; i < count; i++) {
        const char *name =
            i ? arena_printf(&g->arena, "%s/%d", n->name, i) : n->name;

        if (check_free(g, name, e) < 0)
            return -1;
        n->out[i] = graph_new_value(g, name, VALUE_NODE);
        n->out[i]->node = n;
        n->out[i]->out = i;
    }
    return 0;
}

static int is_tensor_role(enum role r)
{
    return r == ROLE_PARAM || r == ROLE_STATE;
}

/* Make the parameters that the caller did not give.  */
static int make_params(struct node *n, int given, struct err *e)
{
    struct graph *g = n->graph;

    for (int i = given; i < n->n_in; i++) {
        const struct op_in *info = node_in_info(n, i);
        const char *name;
        struct value *v;

        if (!is_tensor_role(info->role) ||
            (info->when && !attr_int(n, info->when)))
            continue;
        name = arena_printf(&g->arena, "%s.%s", n->name, info->name);
        if (check_free(g, name, e) < 0)
            return -1;
        v = graph_tensor(g, name,
                         info->role == ROLE_PARAM ? VALUE_PARAM : VALUE_STATE,
                         NULL, NULL);
        v->init = info->init;
        node_set_in(n, i, v);
    }
    return 0;
}

static int check_operands(const struct node *n, struct err *e)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct op_in *info = node_in_info(n, i);

        if (!n->in[i] && !info->when)
            return err_set(e, ERR_USAGE, "op '%s' at '%s' needs input '%s'",
                           n->op->name, Q(n->name), info->name);
        if (info->when && !is_tensor_role(info->role) &&
            !n->in[i] != !attr_int(n, info->when))
            return err_set(e, ERR_USAGE, "op '%s' at '%s' %s input '%s'",
                           n->op->name, Q(n->name),
                           n->in[i] ? "is not to have" : "needs", info->name);
        if (n->in[i] && n->in[i]->shape.rank < 0 && !is_tensor_role(info->role))
            BUG("operand %d of '%s' has no shape", i, n->name);
    }
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    if (n->op->infer(n, e) < 0)
        return err_in(e, "'%s' (%s)", Q(n->name), n->op->name);
    return 0;
}

/* COUNT operands: those that were not given are absent.  */
static void complete(struct node *n, int count)
{
    struct value **all = ARENA_NEWS(&n->graph->arena, count, struct value *);

    memcpy(all, n->in, (size_t)n->n_in * sizeof *all);
    n->in = all;
    n->n_in = count;
}

struct node *graph_add(struct graph *g, const struct op *op, const char *name,
                       struct value *const *in, int n_in,
                       const struct attr_text *attr, struct err *e)
{
    int n_op = 0, data = 0, join = 1;
    struct node *n;

    for (; op->in[n_op].name; n_op++)
        data += !is_tensor_role(op->in[n_op].role) && !op->in[n_op].when;
    if (op->flags & OP_JOIN) {
        join = n_in;
        if (n_in < 1) {
            err_set(e, ERR_USAGE, "op '%s' at '%s' needs an input", op->name,
                    Q(name));
            return NULL;
        }
    } else if (n_in < data || n_in > n_op) {
        err_set(e, ERR_USAGE, "op '%s' at '%s' takes %d inputs, not %d",
                op->name, Q(name), data, n_in);
        return NULL;
    }
    n = graph_new_node(g, op, name, DIR_FORWARD, in, n_in);
    n->n_join = join;
    complete(n, n_op + join - 1);
    if (attr_read_all(n, attr, e) < 0) {
        err_in(e, "'%s'", Q(name));
        return NULL;
    }
    if (make_params(n, n_in, e) < 0 || make_outputs(n, node_op_out(n), e) < 0 ||
        check_operands(n, e) < 0 || infer(n, e) < 0)
        return NULL;
    return n;
}

struct node *graph_add_like(struct graph *g, const struct op *op,
                            const char *name, struct value *const *in, int n_in,
                            const struct node *like, struct err *e)
{
    struct node *n = graph_new_node(g, op, name, DIR_FORWARD, in, n_in);

    if (op->flags & OP_JOIN)
        n->n_join += n_in - node_op_in(n);
    if (like) {
        attr_copy_all(n, like);
        n->train = like->train;
    } else if (attr_read_all(n, NULL, e) < 0) {
        return NULL;
    }
    if (make_outputs(n, node_op_out(n), e) < 0 || check_operands(n, e) < 0 ||
        infer(n, e) < 0)
        return NULL;
    return n;
}

struct node *graph_add_step(struct graph *g, const struct op *op,
                            const char *name, struct value *const *in, int n_in,
                            const struct attr_text *attr, struct err *e)
{
    struct node *n = graph_new_node(g, op, name, DIR_UPDATE, in, n_in);

    if (n_in < node_op_in(n))
        complete(n, node_op_in(n));
    if (op->flags & OP_JOIN)
        n->n_join += n_in - node_op_in(n);
    if (attr_read_all(n, attr, e) < 0 || check_operands(n, e) < 0 ||
        infer(n, e) < 0)
        return NULL;
    return n;
}

/* ---- outputs ---- */

struct output *graph_output(struct graph *g, const char *name, struct value *v,
                            int train)
{
    struct output *o;

    ARRAY_GROW(g->output, g->n_output, g->cap_output);
    o = &g->output[g->n_output++];
    *o = (struct output){arena_strdup(&g->arena, name), v, train, 0};
    return o;
}

/* ---- a copy ---- */

static void copy_node(struct graph *g, const struct node *from)
{
    struct value **in =
        ARENA_NEWS(&g->arena, from->n_in ? from->n_in : 1, struct value *);
    struct node *n;

    for (int i = 0; i < from->n_in; i++)
        in[i] = from->in[i] ? g->value[from->in[i]->index] : NULL;
    n = graph_new_node(g, from->op, from->name, from->dir, in, from->n_in);
    attr_copy_all(n, from);
    n->n_join = from->n_join;
    n->train = from->train;
    if (from->origin)
        n->origin = arena_strdup(&g->arena, from->origin);
    if (from->in_shape) {
        n->in_shape = ARENA_NEWS(&g->arena, n->n_in, struct shape);
        memcpy(n->in_shape, from->in_shape,
               (size_t)n->n_in * sizeof *n->in_shape);
    }
    n->n_out = from->n_out;
    n->out = ARENA_NEWS(&g->arena, n->n_out ? n->n_out : 1, struct value *);
    for (int i = 0; i < n->n_out; i++)
        if (from->out[i]) {
            n->out[i] = g->value[from->out[i]->index];
            n->out[i]->node = n;
        }
}

struct graph *graph_copy(const struct graph *from)
{
    struct graph *g = graph_new(from->name);

    for (int i = 0; i < from->n_value; i++) {
        const struct value *f = from->value[i];
        struct value *v = graph_new_value(g, f->name, f->kind);

        v->dtype = f->dtype;
        v->shape = f->shape;
        v->out = f->out;
        v->data = tensor_ref(&f->data);
        v->init = f->init ? arena_strdup(&g->arena, f->init) : NULL;
        v->frozen = f->frozen;
    }
    for (int i = 0; i < from->n_node; i++)
        copy_node(g, from->node[i]);
    for (int i = 0; i < from->n_output; i++) {
        const struct output *o = &from->output[i];

        graph_output(g, o->name, g->value[o->value->index], o->train)->loss =
            o->loss;
    }
    return g;
}
