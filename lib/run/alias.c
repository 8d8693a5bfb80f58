/* alias.c -- values whose memory lies within that of others: see plan_parts.h.
 * SPDX-License-Identifier: MIT
 *
 * What slice and split cut out lies in their operand already, and what concat
 * puts together can be written where it will stand, as long as each part is one
 * run of bytes: nothing but sizes of 1 in front of the axis, and in blocked
 * layouts whole groups of channels.  Each value keeps the 64 bytes of
 * alignment that it has by itself.
 *
 * Where channels stand last (on a GPU), some of them are no run: there a kernel
 * that can leave room between its rows (`spaced') writes them into what concat
 * makes, if nobody else reads them.
 *
 * Other kernels need not know: they get tensors, and those of concat and split
 * leave alone what stands in its place.  Memory is overwritten only by steps
 * behind the last that reads any part of it (memory.c).  */
#include <string.h>

#include "run/plan_parts.h"

enum { ALIGN = 64 };

/* ---- where a part lies ---- */

static const struct value *value_at(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;

    return i < 0 ? p->graph->value[slot] : p->copy[i].value;
}

static int64_t size_along(const struct plan *p, int slot, int axis)
{
    return shape_bind(value_at(p, slot)->shape, p->opts.batch).dim[axis];
}

/* The byte at which the places from START on along AXIS begin in what lies at
 * SLOT, if those in front of them are one run; else -1.  */
static int64_t offset_in(const struct plan *p, int slot, int axis,
                         int64_t start)
{
    const struct value *v = value_at(p, slot);
    const struct shape s = shape_bind(v->shape, p->opts.batch);
    const enum layout l = plan_layout(p, slot);
    int64_t bytes = start * (int64_t)dtype_size(layout_dtype(l, v->dtype));

    int k = 0;

    for (; layout_axis(l, s.rank, k) != axis; k++)
        if (s.dim[layout_axis(l, s.rank, k)] != 1)
            return -1;
    while (++k < s.rank)
        bytes *= s.dim[layout_axis(l, s.rank, k)];
    return (layout_is_grouped(l) && (axis != 1 || start % LANES)) ||
                   bytes % ALIGN
               ? -1
               : bytes;
}

/* What lies at A and B is kept alike.  */
static int alike(const struct plan *p, int a, int b)
{
    return plan_layout(p, a) == plan_layout(p, b) &&
           value_at(p, a)->dtype == value_at(p, b)->dtype;
}

/* Place A begins SHIFT bytes behind place B.  */
static int lies_at(const struct plan *p, int a, int b, int64_t shift)
{
    return plan_root(p, a) == plan_root(p, b) &&
           plan_shift(p, a) == plan_shift(p, b) + shift;
}

/* ---- cutting ---- */

static void cut(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0];
    const int axis = (int)attr_int(n, "axis"), from = plan_slot(p, s, 0, 0);
    int64_t start = node_is(n, "slice") ? attr_int(n, "start") : 0;

    if (plan_is_tensor(p, plan_root(p, from)))
        return;
    s->view = 1;
    for (int i = 0; i < n->n_out; i++) {
        const int to = (i ? n : step_last(s))->out[i]->index;
        const int64_t at = offset_in(p, from, axis, start);

        if (at < 0 || !alike(p, from, to))
            s->view = 0;
        else
            plan_share(p, to, from, at);
        start += size_along(p, to, axis);
    }
}

/* ---- putting together ---- */

/* An operand, and where it lies in the result; at is -1 if it cannot.  */
struct part {
    int slot;
    int64_t at;
};

static void find_parts(const struct plan *p, const struct step *s, int to,
                       struct part *part)
{
    const struct node *n = s->nodes.node[0];
    const int axis = (int)attr_int(n, "axis");
    int64_t start = 0;

    for (int i = 0; i < n->n_join; i++) {
        const int slot = plan_slot(p, s, 0, i);
        const int64_t end = start + size_along(p, slot, axis);
        const int whole =
            i == n->n_join - 1 || offset_in(p, to, axis, end) >= 0;

        part[i] = (struct part){slot, -1};
        if (whole && alike(p, slot, to) &&
            !plan_is_tensor(p, plan_root(p, slot)))
            part[i].at = offset_in(p, to, axis, start);
        start = end;
    }
}

/* How many of the N parts lie one behind the other as they shall.  */
static int together(const struct plan *p, const struct part *part, int n)
{
    int i = 0;

    while (i < n && part[i].at >= 0 &&
           lies_at(p, part[i].slot, part[0].slot, part[i].at - part[0].at))
        i++;
    return i;
}

/* The memory of the first of the N parts, if they are all there is in it, goes
 * to their place in the result.  */
static void move(struct plan *p, const struct part *part, int n, int to)
{
    const int root = plan_root(p, part->slot), last = part[n - 1].slot;
    const int64_t end = plan_shift(p, last) + (int64_t)p->place[last].bytes;

    if (root != plan_root(p, to) && !p->place[root].pinned &&
        !plan_shift(p, part->slot) && end == (int64_t)p->place[root].bytes)
        plan_share(p, root, to, part->at);
}

/* ---- channels among others ---- */

static const struct step *writer_of(const struct plan *p, int slot)
{
    for (int i = 0; slot < p->graph->n_value && i < p->n_step; i++) {
        const struct node *n = step_last(&p->step[i]);

        if (n && n->n_out && n->out[0] == p->graph->value[slot])
            return &p->step[i];
    }
    return NULL;
}

/* SLOT is written by a step that can leave room, and read once.  */
static int may_be_spaced(const struct plan *p, int slot, int to)
{
    const struct step *s =
        value_at(p, slot)->n_use == 1 ? writer_of(p, slot) : NULL;

    return s && s->kernel && s->kernel->spaced && !s->view &&
           !p->place[slot].pinned && plan_root(p, slot) == slot &&
           alike(p, slot, to);
}

/* All N operands as channels of the result.  */
static int space(struct plan *p, const struct step *s, int n, int to)
{
    const int64_t all = size_along(p, to, 1);
    const size_t size =
        dtype_size(layout_dtype(plan_layout(p, to), value_at(p, to)->dtype));
    int64_t start = 0;

    if (attr_int(s->nodes.node[0], "axis") != 1 ||
        value_at(p, to)->shape.rank != 4 ||
        layout_axis(plan_layout(p, to), 4, 3) != 1)
        return 0;
    for (int i = 0; i < n; i++)
        if (!may_be_spaced(p, plan_slot(p, s, 0, i), to))
            return 0;
    for (int i = 0; i < n; i++) {
        const int slot = plan_slot(p, s, 0, i);

        p->place[slot].pitch = all;
        plan_share(p, slot, to, start * (int64_t)size);
        start += size_along(p, slot, 1);
    }
    return 1;
}

static void join(struct plan *p, struct step *s)
{
    const int n = s->nodes.node[0]->n_join, to = step_last(s)->out[0]->index;
    struct part *part = ARENA_NEWS(&p->arena, n, struct part);

    if (space(p, s, n, to)) {
        s->view = 1;
        return;
    }
    find_parts(p, s, to, part);
    s->view = together(p, part, n) == n;
    if (s->view) {
        plan_share(p, to, part->slot, 0);
        return;
    }
    s->view = 1;
    for (int i = 0, some; i < n; i += some ? some : 1)
        if ((some = together(p, part + i, n - i)))
            move(p, part + i, some, to);
    for (int i = 0; i < n; i++)
        s->view &= part[i].at >= 0 && lies_at(p, part[i].slot, to, part[i].at);
}

/* ---- steps ---- */

/* A and B are the same constant.  */
static int same_constant(const struct value *a, const struct value *b)
{
    return a->kind == VALUE_CONST && b->kind == VALUE_CONST && a->data.data &&
           b->data.data && a->dtype == b->dtype &&
           shape_equal(&a->shape, &b->shape) &&
           !memcmp(a->data.data, b->data.data, tensor_bytes(&a->data));
}

/* The step reads all that it puts together with the scale and zero point with
 * which it writes: levels stay what they are.  */
static int keeps_levels(const struct step *s)
{
    const struct node *n = s->nodes.node[0], *q = step_last(s);

    if (s->nodes.n != 2 || !node_is(q, "quantize"))
        return 0;
    for (int i = 0; i < n->n_join; i++) {
        const struct node *d = node_dequantize(n, i);

        if (!d || !same_constant(d->in[1], q->in[1]) ||
            !same_constant(d->in[2], q->in[2]))
            return 0;
    }
    return 1;
}

void plan_alias(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0];
    const int only_moves = s->kernel && s->kernel->quantised
                               ? keeps_levels(s)
                               : s->nodes.n == 1 && n->dir == DIR_FORWARD;

    if (!only_moves || s->nodes.lazy || s->nodes.n_side || p->opts.no_alias)
        return;
    if (node_is(n, "concat"))
        join(p, s);
    else if (node_is(n, "slice|split"))
        cut(p, s);
}
