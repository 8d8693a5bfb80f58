/* plan_check.c -- see plan_check.h.
 * SPDX-License-Identifier: MIT  */
#include "plan_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "run/params.h"
#include "run/plan_parts.h"

/* ---- plans ---- */

struct plan_bound plan_check_bind(const struct graph *g, unsigned isa,
                                  int threads, struct plan_opts o)
{
    struct err e = {0};
    struct plan_bound b = {.d = device_cpu_new(isa), .pool = pool_new(threads)};
    const struct rng r = rng_at(7, RNG_TEST, 2, 0);
    struct tensor *t;

    o.batch = o.batch ? o.batch : 1;
    o.pool = b.pool;
    b.ps = params_new(g, b.d, &e);
    b.p = b.ps ? plan_new(g, b.d, b.ps, &o, &e) : NULL;
    if (!b.p)
        fail_msg("%s", e.msg);
    t = plan_value(b.p, "image");
    for (int64_t i = 0; i < tensor_count(t); i++)
        ((float *)t->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    if (plan_find(b.p, "target"))
        *(int64_t *)plan_value(b.p, "target")->data = 1;
    for (int i = 0; i < 2; i++) /* over what the first run left */
        assert_int_equal(plan_run(b.p, NULL, &e), 0);
    return b;
}

void plan_check_unbind(struct plan_bound *b)
{
    plan_free(b->p);
    params_free(b->ps);
    b->d->free(b->d);
    pool_free(b->pool);
}

void plan_check_same(const struct graph *g, struct plan_bound *a,
                     struct plan_bound *b)
{
    for (int i = 0; i < g->n_output; i++) {
        const struct tensor *x = plan_output(a->p, g->output[i].name);
        const struct tensor *y = plan_output(b->p, g->output[i].name);

        assert_memory_equal(x->data, y->data, tensor_bytes(x));
    }
}

/* ---- what lies where, step by step ---- */

/* Which value's numbers stand in each 16 bytes of the block; and what a value
 * had there when it was complete.  */
struct memory {
    const struct plan *p;
    int *now, **then;
    int wrong; /* 1 + the place of what was read; 0 */
};

enum { GRAIN = 16 };

static int64_t grains(const struct plan *p, int slot)
{
    return (int64_t)(p->place[slot].bytes + GRAIN - 1) / GRAIN;
}

static int *now_at(struct memory *m, int slot)
{
    const int64_t at = m->p->place[plan_root(m->p, slot)].at;

    return at < 0 ? NULL : m->now + (at + plan_shift(m->p, slot)) / GRAIN;
}

static void check_read(void *ctx, int slot)
{
    struct memory *m = ctx;
    const int *now = now_at(m, slot);

    if (now && m->then[slot] &&
        memcmp(now, m->then[slot], (size_t)grains(m->p, slot) * sizeof *now))
        m->wrong = slot + 1;
}

static void complete(void *ctx, int slot)
{
    struct memory *m = ctx;
    const int *now = now_at(m, slot);
    const size_t bytes = (size_t)grains(m->p, slot) * sizeof *now;

    if (now && !m->then[slot])
        m->then[slot] = memcpy(xcalloc(1, bytes + 1), now, bytes);
}

static void check_write(void *ctx, int slot)
{
    struct memory *m = ctx;
    int *now = now_at(m, slot);

    for (int64_t i = 0; now && i < grains(m->p, slot); i++)
        now[i] = slot + 1;
    complete(m, slot);
}

/* PART begins at channel C of WHOLE, and lies there.  */
static int in_place(const struct plan *p, int part, int whole, int64_t c)
{
    const struct shape *s = &p->tensor[whole].shape;
    const struct shape stored = layout_shape(plan_layout(p, whole), s);
    const int64_t bytes = (int64_t)p->place[whole].bytes / stored.dim[1] * c;

    return plan_root(p, part) == plan_root(p, whole) &&
           plan_shift(p, part) == plan_shift(p, whole) + bytes;
}

/* N channels of the first image at SLOT, from C on, and of each group they are
 * in.  */
static void write_part(struct memory *m, int slot, int64_t c, int64_t n)
{
    const struct shape *s = &m->p->tensor[slot].shape;
    const enum layout l = plan_layout(m->p, slot);
    const struct shape stored = layout_shape(l, s);
    const int64_t per = l == LAYOUT_PLAIN ? 1 : LANES;
    const int64_t bytes =
        (int64_t)m->p->place[slot].bytes / (s->dim[0] * stored.dim[1]);
    int *now = now_at(m, slot);

    for (int64_t i = c / per * per * bytes / GRAIN;
         now && i * GRAIN < (c + n + per - 1) / per * per * bytes; i++)
        now[i] = slot + 1;
}

/* Concat and split write what is not there yet.  */
static void write_parts(struct memory *m, const struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    const int joins = node_is(n, "concat");
    int64_t c = 0;

    for (int i = 0; i < (joins ? n->n_join : n->n_out); i++) {
        const int part = joins ? plan_slot(m->p, s, 0, i) : n->out[i]->index;
        const int whole =
            joins ? last->out[0]->index : plan_slot(m->p, s, 0, 0);
        const int64_t size = m->p->tensor[part].shape.dim[1];

        if (!in_place(m->p, part, whole, c))
            write_part(m, joins ? whole : part, joins ? c : 0, size);
        c += size;
    }
    plan_writes(m->p, s, complete, m);
}

static void run_step(struct memory *m, const struct step *s)
{
    plan_reads(m->p, s, check_read, m);
    if (s->view)
        plan_writes(m->p, s, complete, m);
    else if (!s->copy && s->nodes.node[0]->dir == DIR_FORWARD &&
             node_is(s->nodes.node[0], "concat|split"))
        write_parts(m, s);
    else
        plan_writes(m->p, s, check_write, m);
}

static void check_complete(void *ctx, int slot)
{
    struct memory *m = ctx;

    if (now_at(m, slot) && !m->then[slot])
        m->wrong = slot + 1;
    check_read(m, slot);
}

/* The steps [I, END) at once: what they read is there before the first, and
 * still behind the last.  */
static void run_together(struct memory *m, int i, int end)
{
    const struct step *s = m->p->step;

    for (int k = i; k < end; k++)
        plan_reads(m->p, &s[k], check_complete, m);
    for (int k = i; k < end; k++)
        run_step(m, &s[k]);
    for (int k = i; end - i > 1 && k < end; k++)
        plan_reads(m->p, &s[k], check_read, m);
}

static const char *value_name(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;

    return i < 0 ? p->graph->value[slot]->name : p->copy[i].value->name;
}

static int is_kept(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;
    const struct value *v = i < 0 ? p->graph->value[slot] : p->copy[i].value;

    return plan_layout(p, slot) == LAYOUT_PLAIN &&
           (v->kind == VALUE_INPUT || value_is_output(p->graph, v));
}

void plan_check_memory(const struct plan *p)
{
    const int places = p->graph->n_value + p->n_copy;
    struct memory m = {.p = p};

    m.now = xcalloc(p->bytes / GRAIN + 1, sizeof *m.now);
    m.then = xcalloc((size_t)places + 1, sizeof *m.then);
    for (int i = 0; i < places; i++)
        if (i < p->graph->n_value && p->graph->value[i]->kind == VALUE_INPUT)
            check_write(&m, i);
    for (int i = 0, end; i < p->n_step; i = end) {
        for (end = i + 1; end < p->n_step && p->step[end].joined; end++)
            ;
        run_together(&m, i, end);
    }
    for (int i = 0; i < places; i++) {
        if (is_kept(p, i))
            check_read(&m, i);
        free(m.then[i]);
    }
    free(m.then);
    free(m.now);
    if (m.wrong) {
        struct str text = {0};

        plan_print(&text, p);
        fail_msg("%s is overwritten before it is read:\n%s",
                 value_name(p, m.wrong - 1), str_text(&text));
    }
}
