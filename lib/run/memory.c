/* memory.c -- one block for all values of a plan, by lifetimes.
 * SPDX-License-Identifier: MIT
 *
 * Views share their operand's memory, parts that of the whole (alias.c); an
 * elementwise step writes over an operand that nobody reads later.  The rest
 * is placed by lifetimes_place().  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/lifetimes.h"
#include "run/plan_parts.h"

enum { ALIGN = 64 };

static size_t value_bytes(const struct plan *p, const struct value *v,
                          enum layout l)
{
    const struct shape plain = shape_bind(v->shape, p->opts.batch);
    const struct shape s = layout_shape(l, &plain);

    return mem_mul((size_t)shape_count(&s),
                   dtype_size(layout_dtype(l, v->dtype)));
}

/* Roots may be copies, whose places stand behind those of the values.  */
int plan_is_tensor(const struct plan *p, int root)
{
    return root < p->graph->n_value && value_is_tensor(p->graph->value[root]);
}

static void extend(struct place *r, int step)
{
    if (step < r->first)
        r->first = step;
    if (step > r->last)
        r->last = step;
}

/* What a step reads or writes lives while it runs, and those that are done
 * with it.  */
struct touch {
    struct plan *p;
    int first, last;
};

static void touch(void *ctx, int slot)
{
    const struct touch *t = ctx;
    struct place *r = &t->p->place[plan_root(t->p, slot)];

    extend(r, t->first);
    extend(r, t->last);
}

static struct touch touch_of(struct plan *p, int s)
{
    struct touch t = {p, s, s};

    while (p->step[t.first].joined)
        t.first--;
    while (t.last + 1 < p->n_step && p->step[t.last + 1].joined)
        t.last++;
    return t;
}

/* Is V read, at a step behind AT, or kept to the end?  */
static int read_later(const struct plan *p, int root, int at)
{
    return p->place[root].last > at || p->place[root].pinned;
}

void plan_share(struct plan *p, int v, int with, int64_t shift)
{
    struct place *r = &p->place[plan_root(p, with)], *q = &p->place[v];

    extend(r, q->first);
    extend(r, q->last);
    r->pinned |= q->pinned;
    q->shift = shift + plan_shift(p, with);
    q->root = plan_root(p, with);
}

/* The operand that a step may overwrite with its result, or -1.  In forward
 * any data operand of an elementwise op or an add; in backward the gradient
 * of the result.  */
static int overwritable(const struct plan *p, int at, const struct value *out)
{
    const struct step *s = &p->step[at];
    const struct node *n = s->nodes.node[0];
    const int adds = node_is(n, "add") && n->dir == DIR_FORWARD;
    int from = 0, to = n->n_join;

    if (s->nodes.n > 1 || s->nodes.lazy || p->opts.keep_values ||
        (s->kernel && s->kernel->quantised) ||
        !(adds || n->op->flags & OP_ELEMENTWISE) || n->dir == DIR_UPDATE)
        return -1;
    if (n->dir == DIR_BACKWARD) {
        from = n->n_in - 1;
        to = n->n_in;
    }
    for (int i = from; i < to; i++) {
        const struct value *v = n->in[i];
        const int root = v ? plan_root(p, v->index) : -1;

        if (v && v->kind == VALUE_NODE && shape_equal(&v->shape, &out->shape) &&
            v->dtype == out->dtype && plan_slot(p, s, 0, i) == v->index &&
            !plan_is_tensor(p, root) && !read_later(p, root, at) &&
            p->place[root].bytes == p->place[out->index].bytes)
            return v->index;
    }
    return -1;
}

static void find_lifetimes(struct plan *p)
{
    const struct graph *g = p->graph;

    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];

        p->place[i] = (struct place){
            .root = i,
            .at = -1,
            .bytes = value_is_tensor(v) ? 0 : value_bytes(p, v, p->layout[i]),
            .first = v->kind == VALUE_INPUT ? 0 : p->n_step,
            .last = -1,
            .pinned = v->kind == VALUE_INPUT || value_is_output(g, v) ||
                      (p->opts.keep_values && v->kind == VALUE_NODE),
        };
    }
    for (int i = 0; i < p->n_copy; i++)
        p->place[g->n_value + i] = (struct place){
            .root = g->n_value + i,
            .at = -1,
            .bytes = value_bytes(p, p->copy[i].value, p->copy[i].layout),
            .first = p->n_step,
            .last = -1,
            .pinned =
                p->copy[i].layout == LAYOUT_PLAIN &&
                (p->opts.keep_values || value_is_output(g, p->copy[i].value)),
        };
    for (int s = 0; s < p->n_step; s++) {
        struct touch t = touch_of(p, s);

        plan_writes(p, &p->step[s], touch, &t);
        plan_reads(p, &p->step[s], touch, &t);
    }
    for (int i = 0; i < g->n_value + p->n_copy; i++)
        if (p->place[i].pinned)
            p->place[i].last = p->n_step;
}

static void share_memory(struct plan *p)
{
    for (int s = 0; s < p->n_step; s++) {
        const struct node *n = step_last(&p->step[s]);
        int with;

        if (!n || n->n_out < 1 || !n->out[0])
            continue;
        if (p->step[s].view) {
            const int i = n->dir == DIR_BACKWARD ? n->n_in - 1 : 0;

            plan_share(p, n->out[0]->index, plan_slot(p, &p->step[s], 0, i), 0);
        } else if ((with = overwritable(p, s, n->out[0])) >= 0) {
            plan_share(p, n->out[0]->index, with, 0);
        } else {
            plan_alias(p, &p->step[s]);
        }
    }
}

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

int plan_memory(struct plan *p, struct err *e)
{
    const struct graph *g = p->graph;
    const int places = g->n_value + p->n_copy;
    struct lifetime *item =
        xcalloc((size_t)(places + p->n_step + 1), sizeof *item);
    int n = 0;

    (void)e;
    p->place = ARENA_NEWS(&p->arena, places + 1, struct place);
    find_lifetimes(p);
    share_memory(p);
    for (int i = 0; i < places; i++) {
        struct place *q = &p->place[i];

        if (q->root == i && !plan_is_tensor(p, i) && q->last >= q->first)
            item[n++] = (struct lifetime){round_up(q->bytes), q->first, q->last,
                                          0, &q->at};
    }
    p->value_bytes = lifetimes_place(item, n);
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].scratch_bytes) {
            const struct touch t = touch_of(p, i);

            item[n++] =
                (struct lifetime){round_up(p->step[i].scratch_bytes), t.first,
                                  t.last, 0, &p->step[i].scratch_at};
        }
    p->bytes = lifetimes_place(item, n);
    free(item);
    return 0;
}
