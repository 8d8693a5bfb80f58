/* graph.c -- see graph.h: building and asking.
 * SPDX-License-Identifier: MIT  */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

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

static struct value *new_value(struct graph *g, const char *name,
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
    struct value *v = new_value(g, name, VALUE_INPUT);

    v->dtype = dt;
    v->shape = *s;
    return v;
}

struct value *graph_tensor(struct graph *g, const char *name,
                           enum value_kind kind, const struct shape *s,
                           const struct tensor *t)
{
    struct value *v = new_value(g, name, kind);

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

static struct node *new_node(struct graph *g, const struct op *op,
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

static int attr_count(const struct op *op)
{
    int n = 0;

    while (op->attr && op->attr[n].name)
        n++;
    return n;
}

/* Which names an op takes, for messages.  */
static int unknown_attr(const struct op *op, const char *name, struct err *e)
{
    const char *list[64] = {0};

    for (int i = 0; i < attr_count(op) && i < 63; i++)
        list[i] = op->attr[i].name;
    return err_set(e, ERR_USAGE, "op '%s' has no attribute '%s'%s", op->name,
                   Q(name), NEAR(name, list));
}

static int read_attrs(struct node *n, const struct attr_text *t, struct err *e)
{
    const struct op *op = n->op;
    const int count = attr_count(op);
    struct arena *a = &n->graph->arena;

    n->attr = ARENA_NEWS(a, count ? count : 1, struct attr);
    for (const struct attr_text *p = t; p && p->name; p++)
        if (attr_index(op, p->name) < 0)
            return unknown_attr(op, p->name, e);
    for (int i = 0; i < count; i++) {
        const char *text = op->attr[i].def;

        for (const struct attr_text *p = t; p && p->name; p++)
            if (!strcmp(p->name, op->attr[i].name))
                text = p->text;
        if (!text)
            return err_set(e, ERR_USAGE, "op '%s' needs attribute '%s'",
                           op->name, op->attr[i].name);
        if (attr_parse(&n->attr[i], &op->attr[i], text, a, e) < 0)
            return -1;
    }
    return 0;
}

static void copy_attrs(struct node *to, const struct node *from)
{
    const int count = attr_count(from->op);
    struct arena *a = &to->graph->arena;

    to->attr = ARENA_NEWS(a, count ? count : 1, struct attr);
    for (int i = 0; i < count; i++) {
        const char kind = from->op->attr[i].kind;
        const struct attr *f = &from->attr[i];

        to->attr[i] = *f;
        if (kind == 's')
            to->attr[i].s = arena_strdup(a, f->s);
        if (kind == 'v') {
            to->attr[i].v = ARENA_NEWS(a, f->n ? f->n : 1, int64_t);
            memcpy(to->attr[i].v, f->v, (size_t)f->n * sizeof *f->v);
        }
    }
}

static int in_count(const struct op *op)
{
    int n = 0;

    while (op->in[n].name)
        n++;
    return n;
}

int node_is(const struct node *n, const char *names)
{
    while (n && *names) {
        const size_t len = strcspn(names, "|");

        if (!strncmp(n->op->name, names, len) && !n->op->name[len])
            return 1;
        names += len + (names[len] == '|');
    }
    return 0;
}

const struct op_in *node_in_info(const struct node *n, int i)
{
    return &n->op->in[i < n->n_join ? 0 : i - n->n_join + 1];
}

int node_in_index(const struct node *n, const char *name)
{
    for (int i = 0; n->op->in[i].name; i++)
        if (!strcmp(n->op->in[i].name, name))
            return i ? i + n->n_join - 1 : 0;
    return -1;
}

int node_op_in(const struct node *n)
{
    return in_count(n->op) + n->n_join - 1;
}

/* How many results an op has that lets an attribute decide.  */
static int result_count(const struct node *n)
{
    int count;

    if (n->op->n_out >= 0)
        return n->op->n_out;
    attr_ints(n, "sizes", &count);
    return count;
}

int node_op_out(const struct node *n)
{
    return result_count(n) + n->op->n_aux;
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
        n->out[i] = new_value(g, name, VALUE_NODE);
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
    const int n_op = in_count(op);
    int data = 0, join = 1;
    struct node *n;

    for (int i = 0; i < n_op; i++)
        data += !is_tensor_role(op->in[i].role) && !op->in[i].when;
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
    n = new_node(g, op, name, DIR_FORWARD, in, n_in);
    n->n_join = join;
    complete(n, n_op + join - 1);
    if (read_attrs(n, attr, e) < 0) {
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
    struct node *n = new_node(g, op, name, DIR_FORWARD, in, n_in);

    n->n_join = op->flags & OP_JOIN ? n_in - in_count(op) + 1 : 1;
    if (like) {
        copy_attrs(n, like);
        n->train = like->train;
    } else if (read_attrs(n, NULL, e) < 0) {
        return NULL;
    }
    if (make_outputs(n, node_op_out(n), e) < 0 || check_operands(n, e) < 0 ||
        infer(n, e) < 0)
        return NULL;
    return n;
}

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
        new_node(g, n->op, graph_name_free(g, stem), dir, in, n_in);

    copy_attrs(d, n);
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

        b->out[i] = new_value(g, graph_name_free(g, stem), VALUE_NODE);
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

struct node *graph_add_step(struct graph *g, const struct op *op,
                            const char *name, struct value *const *in, int n_in,
                            const struct attr_text *attr, struct err *e)
{
    struct node *n = new_node(g, op, name, DIR_UPDATE, in, n_in);

    if (n_in < in_count(op))
        complete(n, in_count(op));
    n->n_join = op->flags & OP_JOIN ? n_in - in_count(op) + 1 : 1;
    if (read_attrs(n, attr, e) < 0 || check_operands(n, e) < 0 ||
        infer(n, e) < 0)
        return NULL;
    return n;
}

struct output *graph_output(struct graph *g, const char *name, struct value *v,
                            int train)
{
    struct output *o;

    ARRAY_GROW(g->output, g->n_output, g->cap_output);
    o = &g->output[g->n_output++];
    *o = (struct output){arena_strdup(&g->arena, name), v, train, 0};
    return o;
}

struct value *graph_value(const struct graph *g, const char *name)
{
    const int64_t i = name_map_get(&g->names, name);

    return i < 0 ? NULL : g->value[i];
}

struct value *graph_scope_value(const struct graph *g, const char *name)
{
    const size_t n = strlen(name);
    struct value *v = graph_value(g, name);

    for (int i = g->n_node - 1; !v && i >= 0; i--)
        if (g->node[i]->dir == DIR_FORWARD &&
            !strncmp(g->node[i]->name, name, n) && g->node[i]->name[n] == '.')
            v = g->node[i]->out[0];
    return v;
}

struct value *graph_output_value(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_output; i++)
        if (!strcmp(g->output[i].name, name))
            return g->output[i].value;
    return NULL;
}

const char *graph_answer(const struct graph *g)
{
    if (graph_output_value(g, "logits"))
        return "logits";
    return g->n_output ? g->output[0].name : "";
}

const char *graph_name_free(struct graph *g, const char *stem)
{
    const char *name = stem;

    for (int i = 2; name_map_get(&g->names, name) >= 0; i++)
        name = arena_printf(&g->arena, "%s_%d", stem, i);
    return name;
}

int value_is_tensor(const struct value *v)
{
    return v && v->kind != VALUE_NODE && v->kind != VALUE_INPUT;
}

int value_is_learned(const struct value *v)
{
    if (v->kind == VALUE_PARAM)
        return 1;
    for (int i = 0; value_is_tensor(v) && i < v->n_use; i++)
        if (v->use[i].in == 0 && node_is(v->use[i].node, "dequantize"))
            return 1;
    return 0;
}

int value_is_output(const struct graph *g, const struct value *v)
{
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].value == v)
            return 1;
    return 0;
}

const struct node *node_dequantize(const struct node *n, int i)
{
    const struct node *d = n->in[i] ? n->in[i]->node : NULL;

    return node_is(d, "dequantize") && d->dir == DIR_FORWARD ? d : NULL;
}

struct op_cost node_cost(const struct node *n)
{
    if (n->op->cost)
        return n->op->cost(n);
    return (struct op_cost){
        n->op->flags & OP_VIEW ? 0 : shape_count(&n->out[0]->shape), 0};
}

int64_t node_mac(const struct node *n)
{
    const struct value *v;
    int64_t gradients = 0;

    if (n->dir == DIR_FORWARD)
        return node_cost(n).mac;
    if (n->dir == DIR_UPDATE)
        return 0;
    v = graph_value(n->graph, n->origin);
    for (int k = 0; k < n->n_out; k++)
        gradients += n->out[k] && n->out[k]->shape.rank > 1;
    return v && v->node ? gradients * node_cost(v->node).mac : 0;
}

static void copy_node(struct graph *g, const struct node *from)
{
    struct value **in =
        ARENA_NEWS(&g->arena, from->n_in ? from->n_in : 1, struct value *);
    struct node *n;

    for (int i = 0; i < from->n_in; i++)
        in[i] = from->in[i] ? g->value[from->in[i]->index] : NULL;
    n = new_node(g, from->op, from->name, from->dir, in, from->n_in);
    copy_attrs(n, from);
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
        struct value *v = new_value(g, f->name, f->kind);

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
