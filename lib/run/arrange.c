/* arrange.c -- where steps find what they read: see plan_parts.h.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "run/plan_parts.h"

const struct value *plan_operand(const struct step *s, int k, int i)
{
    const struct node *n = s->nodes.node[k];
    const struct node *d =
        s->kernel && s->kernel->quantised ? node_dequantize(n, i) : NULL;

    return d ? d->in[0] : n->in[i];
}

int plan_stands_for(const struct node *n, int i)
{
    return n->dir == DIR_FORWARD || i < node_op_in(n) ? i : -1;
}

/* What a node gives besides its results: statistics of rows, say.  */
static int is_extra(const struct value *v)
{
    const struct node *n = v->node;

    return n && n->dir == DIR_FORWARD &&
           v->out >= node_op_out(n) - n->op->n_aux;
}

static int has_layout(const struct device *d, const struct value *v)
{
    return v->shape.rank == 4 ||
           (d->sequences && v->shape.rank > 2 && v->shape.batch &&
            v->dtype == DTYPE_F32 && !is_extra(v));
}

int plan_is_activation(const struct device *d, const struct node *n,
                       const struct value *v, int i)
{
    return v && !value_is_tensor(v) && has_layout(d, v) &&
           n->dir != DIR_UPDATE &&
           (i < 0 || node_in_info(n, i)->role == ROLE_DATA);
}

unsigned plan_lazy_bit(const struct step *s, int k, int i)
{
    const struct node *n = s->nodes.node[k];

    if (k)
        return LAZY_FOLLOW;
    if (n->dir == DIR_BACKWARD && i == node_op_in(n) + node_op_out(n))
        return LAZY_DY;
    return plan_stands_for(n, i) == 0 ? LAZY_X : 0;
}

int plan_chain(const struct plan *p, const struct value *v, struct lazy *l)
{
    if (!v || !p->lazy[v->index])
        return 0;
    l->act = v->node->op->flags & OP_ELEMENTWISE ? v->node : NULL;
    l->head = l->act ? l->act->in[0]->node : v->node;
    return 1;
}

/* ---- layouts ---- */

int plan_slot_in(const struct plan *p, const struct value *v, enum layout l)
{
    const struct shape s = shape_bind(v->shape, p->opts.batch);

    if (value_is_tensor(v) || layout_same(p->layout[v->index], l, &s))
        return v->index;
    for (int i = 0; i < p->n_copy; i++)
        if (p->copy[i].value == v && p->copy[i].layout == l)
            return p->graph->n_value + i;
    return -1;
}

enum layout plan_layout(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;

    return i < 0 ? p->layout[slot] : p->copy[i].layout;
}

/* The layout in which step S reads operand I of its node K.  */
static enum layout wanted(const struct step *s, int k, int i)
{
    const struct node *n = s->nodes.node[k];
    const int of = plan_stands_for(n, i);

    if (!plan_is_activation(s->nodes.device, n, plan_operand(s, k, i), of) ||
        (!k && s->kernel && of >= 0 && of < 32 && s->kernel->plain >> of & 1))
        return LAYOUT_PLAIN;
    return k ? s->writes : s->reads;
}

int plan_slot(const struct plan *p, const struct step *s, int k, int i)
{
    return plan_slot_in(p, plan_operand(s, k, i), wanted(s, k, i));
}

/* ---- what steps read and write ---- */

static void read_all(const struct node *n, plan_visit *f, void *ctx)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i])
            f(ctx, n->in[i]->index);
}

void plan_reads(const struct plan *p, const struct step *s, plan_visit *f,
                void *ctx)
{
    struct lazy l;

    if (s->copy)
        f(ctx, p->copy[s->copy - 1].value->index);
    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++) {
            if (!s->nodes.node[k]->in[i] || (k && i == s->nodes.link[k]))
                continue;
            if (plan_chain(p, plan_operand(s, k, i), &l))
                read_all(l.head, f, ctx);
            else
                f(ctx, plan_slot(p, s, k, i));
        }
    for (int i = 0; i < s->nodes.n_side; i++)
        for (int k = 0; k < s->nodes.side[i]->n_in; k++)
            if (s->nodes.side[i]->in[k] &&
                s->nodes.side[i]->in[k] != step_last(s)->out[0])
                f(ctx, s->nodes.side[i]->in[k]->index);
}

static void write_all(const struct node *n, int from, plan_visit *f, void *ctx)
{
    for (int i = from; i < n->n_out; i++)
        if (n->out[i])
            f(ctx, n->out[i]->index);
}

void plan_writes(const struct plan *p, const struct step *s, plan_visit *f,
                 void *ctx)
{
    if (s->copy) {
        f(ctx, p->graph->n_value + s->copy - 1);
        return;
    }
    write_all(step_last(s), 0, f, ctx);
    if (s->nodes.n > 1) /* further results of the head */
        write_all(s->nodes.node[0], 1, f, ctx);
    for (int i = 0; i < s->nodes.n_side; i++)
        write_all(s->nodes.side[i], 0, f, ctx);
}

/* ---- copies ---- */

static void append(struct plan *p, struct step s)
{
    ARRAY_GROW(p->step, p->n_step, p->cap_step);
    p->step[p->n_step++] = s;
}

/* A step in front that copies V, if it does not lie in layout L.  */
static void want_layout(struct plan *p, const struct value *v, enum layout l)
{
    if (!v || p->lazy[v->index] || plan_slot_in(p, v, l) >= 0)
        return;
    ARRAY_GROW(p->copy, p->n_copy, p->cap_copy);
    p->copy[p->n_copy++] = (struct copy){v, l};
    append(p, (struct step){.copy = p->n_copy});
}

static void want_operands(struct plan *p, const struct step *s)
{
    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (!(k && i == s->nodes.link[k]))
                want_layout(p, plan_operand(s, k, i), wanted(s, k, i));
}

void plan_append(struct plan *p, const struct step *s)
{
    want_operands(p, s);
    append(p, *s);
}

void plan_want_outputs(struct plan *p)
{
    for (int i = 0; i < p->graph->n_output; i++)
        want_layout(p, p->graph->output[i].value, LAYOUT_PLAIN);
    for (int i = 0; p->opts.keep_values && i < p->graph->n_value; i++)
        if (p->graph->value[i]->kind == VALUE_NODE)
            want_layout(p, p->graph->value[i], LAYOUT_PLAIN);
}
