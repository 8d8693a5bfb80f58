/* plan.c -- see plan.h: binding the tensors of the steps.
 * SPDX-License-Identifier: MIT  */
#include "run/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "run/params.h"
#include "run/plan_parts.h"

const char *const plan_precisions[] = {"fp32", "bf16", "fp16", NULL};

/* ---- binding ---- */

/* Place SLOT holds V, or a copy of it.  */
static void bind_slot(struct plan *p, int slot, const struct value *v)
{
    struct tensor *t = &p->tensor[slot];
    const int root = plan_root(p, slot);
    const int64_t shift = plan_shift(p, slot);

    t->dtype = layout_dtype(plan_layout(p, slot), v->dtype);
    t->shape = shape_bind(v->shape, p->opts.batch);
    if (p->place[root].at >= 0)
        t->data = (char *)p->block + p->place[root].at + shift;
    else if (root < p->graph->n_value && value_is_tensor(p->graph->value[root]))
        t->data =
            params_on_device(p->params, p->graph->value[root]->name)->data;
}

/* The tensor of V; without data if V is absent or an extra nobody reads.  */
static struct tensor operand(const struct plan *p, const struct value *v)
{
    return v ? p->tensor[v->index] : (struct tensor){0};
}

/* Operand I of node K of step S, where and how the step reads it.  */
static struct tensor step_operand(const struct plan *p, const struct step *s,
                                  int k, int i)
{
    const struct value *v = plan_operand(s, k, i);
    struct tensor t = {0};
    struct lazy l;

    if (plan_chain(p, v, &l))
        return operand(p, l.head->in[0]); /* what it begins with */
    if (v)
        t = p->tensor[plan_slot(p, s, k, i)];
    if (v && s->kernel && s->kernel->any_layout && t.shape.rank == 4 &&
        !value_is_tensor(v))
        t.shape = layout_shape(s->reads, &t.shape);
    return t;
}

/* A result of the step, likewise.  */
static struct tensor step_result(const struct step *s, struct tensor t)
{
    if (s->kernel && s->kernel->any_layout && t.shape.rank == 4)
        t.shape = layout_shape(s->writes, &t.shape);
    return t;
}

static struct tensor result(const struct plan *p, const struct node *n, int i)
{
    struct tensor t = operand(p, n->out[i]);

    if (n->out[i] && i && i >= node_op_out(n) - n->op->n_aux &&
        !n->out[i]->n_use && !p->opts.keep_values)
        t.data = NULL;
    return t;
}

static struct tensor *tensors(struct plan *p, int n)
{
    return ARENA_NEWS(&p->arena, n ? n : 1, struct tensor);
}

static void bind_forward(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    struct tensor *in = tensors(p, n->n_in);

    for (int i = 0; i < n->n_in; i++)
        in[i] = step_operand(p, s, 0, i);
    s->args.op.in = in;
    s->args.op.out = tensors(p, n->n_out);
    for (int i = 0; i < n->n_out; i++)
        s->args.op.out[i] = result(p, n, i);
    s->args.op.out[0] = step_result(s, result(p, last, 0));
    if (last->n_out && last->out[0])
        s->args.pitch = p->place[last->out[0]->index].pitch;
}

/* How to compute operand I of node K; NULL: it is stored.  */
static const struct lazy *bind_lazy(struct plan *p, const struct step *s, int k,
                                    int i)
{
    struct lazy l, *to;
    struct tensor *in;

    if (!plan_chain(p, plan_operand(s, k, i), &l))
        return NULL;
    l.in = in = tensors(p, l.head->n_in);
    for (int j = 0; j < l.head->n_in; j++)
        in[j] = operand(p, l.head->in[j]);
    to = ARENA_NEW(&p->arena, struct lazy);
    *to = l;
    return to;
}

static void bind_follow(struct plan *p, struct step *s)
{
    const struct lazy **lazy;
    struct tensor *t;
    int count = 0;

    for (int k = 1; k < s->nodes.n; k++)
        count += s->nodes.node[k]->n_in - 1;
    s->args.follow = t = tensors(p, count);
    lazy = ARENA_NEWS(&p->arena, count + 1, const struct lazy *);
    s->args.lazy_follow = lazy;
    for (int k = 1; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (i != s->nodes.link[k]) {
                *t++ = step_operand(p, s, k, i);
                *lazy++ = bind_lazy(p, s, k, i);
            }
}

static void bind_sides(struct plan *p, struct step *s)
{
    struct op_args *a = ARENA_NEWS(&p->arena, STEP_SIDES, struct op_args);

    for (int k = 0; k < s->nodes.n_side; k++) {
        const struct node *n = s->nodes.side[k];
        struct tensor *in = tensors(p, n->n_in);

        a[k] = (struct op_args){.node = n, .in = in};
        a[k].out = tensors(p, n->n_out);
        for (int i = 0; i < n->n_in; i++)
            in[i] = operand(p, n->in[i]);
        for (int i = 0; i < n->n_out; i++)
            a[k].out[i] = result(p, n, i);
    }
    s->args.side = a;
}

/* Operand I of a BACKWARD or UPDATE node; absent ones have a shape.  */
static struct tensor derived(const struct plan *p, const struct step *s, int i)
{
    const struct node *n = s->nodes.node[0];
    struct tensor t = step_operand(p, s, 0, i);

    if (!n->in[i] && n->in_shape)
        t.shape = shape_bind(n->in_shape[i], p->opts.batch);
    return t;
}

/* BACKWARD and UPDATE nodes list in[], out[], and dout[] in a row.  */
static void bind_derived(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0];
    const int n_in = n->dir == DIR_BACKWARD ? n->n_out : node_op_in(n);
    const int n_out = n->op->n_out || n->op->n_aux ? node_op_out(n) : 0;
    struct tensor *in = tensors(p, n_in);
    struct tensor *dout = tensors(p, n_out);

    s->args.op.out = tensors(p, n_out);
    s->args.op.din = tensors(p, n_in);
    for (int i = 0; i < n_in; i++) {
        in[i] = derived(p, s, i);
        if (n->dir == DIR_BACKWARD && n->out[i])
            s->args.op.din[i] = step_result(s, operand(p, n->out[i]));
    }
    for (int i = 0; i < n_out && n_in + i < n->n_in; i++)
        s->args.op.out[i] = derived(p, s, n_in + i);
    for (int i = 0; n_in + n_out + i < n->n_in; i++)
        dout[i] = derived(p, s, n_in + n_out + i);
    s->args.op.in = in;
    s->args.op.dout = dout;
    if (n->dir == DIR_BACKWARD)
        s->args.lazy_dy = bind_lazy(p, s, 0, n_in + n_out);
    if (s->nodes.n > 1)
        s->args.op.din[0] = step_result(s, operand(p, step_last(s)->out[0]));
}

static int bind_packed(struct plan *p, struct step *s, struct err *e)
{
    const struct node *n = s->nodes.node[0];
    const int count = n->dir == DIR_BACKWARD ? n->n_out : n->n_in;
    const void **packed =
        ARENA_NEWS(&p->arena, count ? count : 1, const void *);

    for (int i = 0; i < count; i++) {
        const struct value *v = plan_operand(s, 0, i);

        if (!value_is_tensor(v) || !s->kernel->pack_bytes ||
            !s->kernel->pack_bytes(&s->nodes, i))
            continue;
        packed[i] =
            params_packed(p->params, v->name, s->kernel, &s->nodes, i, e);
        if (!packed[i])
            return err_in(e, "packing '%s'", Q(v->name));
    }
    s->args.packed = (void *const *)packed;
    return 0;
}

/* Room for tables of the outputs of a layer.  */
static struct kept *bind_kept(struct plan *p, const struct node *n)
{
    struct kept *k;
    int64_t lanes;

    if (!params_are_shared(p->params) || n->dir != DIR_FORWARD ||
        !(node_is(n, "conv2d") || node_is(n, "linear")))
        return NULL;
    lanes = (n->in[1]->shape.dim[0] + LANES - 1) / LANES * LANES;
    k = ARENA_NEW(&p->arena, struct kept);
    k->table = ARENA_NEWS(&p->arena, KEPT_WORDS * lanes, float);
    return k;
}

/* A copy reads the value where its producer left it.  */
static void bind_copy(struct plan *p, struct step *s)
{
    const struct copy *c = &p->copy[s->copy - 1];
    struct tensor *t = tensors(p, 2);

    t[0] = p->tensor[c->value->index];
    t[1] = p->tensor[p->graph->n_value + s->copy - 1];
    s->reads = p->layout[c->value->index];
    s->writes = c->layout;
    s->args.op.in = &t[0];
    s->args.op.out = &t[1];
}

static int bind_step(struct plan *p, struct step *s, struct err *e)
{
    if (s->copy) {
        bind_copy(p, s);
        return 0;
    }
    s->args.op.node = s->nodes.node[0];
    s->args.step = &s->nodes;
    s->args.pool = p->opts.pool;
    s->args.scratch = (char *)p->block + s->scratch_at;
    if (s->nodes.node[0]->dir == DIR_FORWARD)
        bind_forward(p, s);
    else
        bind_derived(p, s);
    if (s->nodes.node[0]->n_in)
        s->args.lazy_x = bind_lazy(p, s, 0, 0);
    bind_follow(p, s);
    s->args.kept = bind_kept(p, s->nodes.node[0]);
    bind_sides(p, s);
    return s->kernel && !s->view ? bind_packed(p, s, e) : 0;
}

/* ---- steps that are done together ---- */

static const struct together *together_of(const struct step *s)
{
    return s->kernel ? s->kernel->together : NULL;
}

/* How many steps from I on are done at once.  */
static int neighbours(const struct plan *p, int i)
{
    const struct step *s = &p->step[i];
    const struct together *t = together_of(s);
    int n = 1;

    while (t && i + n < p->n_step &&
           (t->siblings
                ? s[n].joined
                : (!t->most || n < t->most) && together_of(&s[n]) == t &&
                      s[n].nodes.node[0]->dir == s->nodes.node[0]->dir))
        n++;
    return n;
}

static int prepare(struct plan *p, int i, int n, struct err *e)
{
    struct step *s = &p->step[i];
    const struct together *t = together_of(s);
    const struct kernel_args **a;

    if (!t || (n == 1 && t->siblings && s->kernel->run))
        return 0;
    a = ARENA_NEWS(&p->arena, n, const struct kernel_args *);
    for (int k = 0; k < n; k++) {
        a[k] = &s[k].args;
        s[k].joined = k > 0;
    }
    s->prepared = t->prepare(a, n, e);
    return s->prepared ? 0 : -1;
}

static int prepare_all(struct plan *p, struct err *e)
{
    for (int i = 0, n; i < p->n_step; i += n) {
        n = neighbours(p, i);
        if (prepare(p, i, n, e) < 0)
            return -1;
    }
    return 0;
}

static void list_touched(struct plan *p)
{
    int n = 0;

    p->touched = ARENA_NEWS(&p->arena, p->graph->n_value + 1, const char *);
    for (int i = 0; i < p->graph->n_value; i++) {
        const struct value *v = p->graph->value[i];
        int written = 0;

        for (int u = 0; v->kind == VALUE_PARAM && u < v->n_use; u++)
            written |= v->use[u].node->dir == DIR_UPDATE;
        if (written)
            p->touched[n++] = v->name;
    }
}

/* What the host fills and reads, where the device has memory of its own.  */
static int mirror(struct plan *p, struct err *e)
{
    const int places = p->graph->n_value + p->n_copy;

    if (!p->device->put)
        return 0;
    p->mirror = ARENA_NEWS(&p->arena, places + 1, struct tensor);
    p->left = ARENA_NEWS(&p->arena, places + 1, char);
    for (int i = 0; i < places; i++) {
        const struct tensor *t = &p->tensor[i];

        p->mirror[i] = *t;
        p->mirror[i].data = NULL;
        if (p->place[i].pinned && t->data &&
            tensor_new(&p->mirror[i], t->dtype, &t->shape, e) < 0)
            return -1;
    }
    return 0;
}

/* What values take grows with the batch: which one would have fitted.  */
static int too_large(const struct plan *p, struct err *e)
{
    const double room =
        p->device->room ? (double)p->device->room(p->device) : 0;
    const int64_t batch =
        (int64_t)((double)p->opts.batch * room / (double)(p->bytes + 1));

    if (batch < 1)
        return err_in(e, "'%s' at batch %lld", Q(p->graph->name),
                      (long long)p->opts.batch);
    return err_in(e, "'%s' at batch %lld, where batch %lld would fit",
                  Q(p->graph->name), (long long)p->opts.batch,
                  (long long)batch);
}

static int build(struct plan *p, struct err *e)
{
    const struct graph *g = p->graph;

    if (plan_fuse(p, e) < 0 || plan_memory(p, e) < 0)
        return -1;
    p->block = p->device->alloc(p->device, p->bytes ? p->bytes : 1, e);
    if (!p->block)
        return too_large(p, e);
    p->tensor =
        ARENA_NEWS(&p->arena, g->n_value + p->n_copy + 1, struct tensor);
    for (int i = 0; i < g->n_value; i++)
        bind_slot(p, i, g->value[i]);
    for (int i = 0; i < p->n_copy; i++)
        bind_slot(p, g->n_value + i, p->copy[i].value);
    for (int i = 0; i < p->n_step; i++)
        if (bind_step(p, &p->step[i], e) < 0)
            return -1;
    if (prepare_all(p, e) < 0)
        return -1;
    if (p->opts.profile && p->device->marking &&
        !(p->marks =
              p->device->marking->marks_new(p->device, p->n_step + 1, e)))
        return -1;
    list_touched(p);
    return mirror(p, e);
}

struct plan *plan_new(const struct graph *g, const struct device *d,
                      struct params *ps, const struct plan_opts *o,
                      struct err *e)
{
    struct plan *p = xcalloc(1, sizeof *p);

    p->graph = g;
    p->device = d;
    p->params = ps;
    p->opts = *o;
    if (d->put)
        p->opts.pool = NULL; /* it computes; others may use the pool */
    tuning_init(&p->tuning);
    if (o->tuning)
        p->tuning = *o->tuning;
    p->opts.tuning = &p->tuning;
    if (build(p, e) < 0) {
        plan_free(p);
        return NULL;
    }
    return p;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (int i = 0; i < 2; i++)
        plan_forget(p, &p->work[i]);
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].prepared)
            together_of(&p->step[i])->forget(p->step[i].prepared);
    if (p->marks)
        p->device->marking->marks_free(p->marks);
    if (p->block)
        p->device->release(p->device, p->block, p->bytes ? p->bytes : 1);
    free(p->step);
    free(p->copy);
    for (int i = 0; p->mirror && i < p->graph->n_value + p->n_copy; i++)
        tensor_unref(&p->mirror[i]);
    arena_release(&p->arena);
    free(p);
}

/* ---- asking ---- */

/* A place as the host sees it.  */
static struct tensor *seen(const struct plan *p, int slot)
{
    return p->mirror ? &p->mirror[slot] : &p->tensor[slot];
}

struct tensor *plan_find(struct plan *p, const char *name)
{
    const struct value *v = graph_value(p->graph, name);
    const int slot = v ? plan_slot_in(p, v, LAYOUT_PLAIN) : -1;

    return slot < 0 ? NULL : seen(p, slot);
}

struct tensor *plan_value(struct plan *p, const char *name)
{
    const struct value *v = graph_value(p->graph, name);
    struct tensor *t = plan_find(p, name);

    if (!t || !t->data || (v->kind == VALUE_NODE && !p->place[v->index].pinned))
        BUG("the plan of '%s' keeps no value '%s'", p->graph->name, name);
    return t;
}

void plan_leave(struct plan *p, const char *name)
{
    plan_value(p, name);
    if (p->mirror)
        p->left[graph_value(p->graph, name)->index] = 1;
}

struct tensor *plan_feed(struct plan *p, const char *name)
{
    struct tensor *host = plan_value(p, name);

    plan_leave(p, name);
    return p->mirror ? &p->tensor[graph_value(p->graph, name)->index] : host;
}

int plan_fetch(struct plan *p, const char *name, struct err *e)
{
    struct tensor *host = plan_value(p, name);
    const int i = graph_value(p->graph, name)->index;

    if (!p->mirror)
        return 0;
    return p->device->get(p->device, host->data, p->tensor[i].data,
                          tensor_bytes(host), e) < 0
               ? -1
               : plan_finish(p, e);
}

struct tensor *plan_output(struct plan *p, const char *name)
{
    const struct value *v = graph_output_value(p->graph, name);

    if (!v)
        BUG("graph '%s' has no output '%s'", p->graph->name, name);
    return seen(p, plan_slot_in(p, v, LAYOUT_PLAIN));
}

size_t plan_bytes(const struct plan *p)
{
    return p->bytes;
}

size_t plan_value_bytes(const struct plan *p)
{
    return p->value_bytes;
}
