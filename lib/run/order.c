/* order.c -- steps into the order in which they run, those that may be done at
 * once side by side: see fuse.h.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "run/fuse.h"

/* Which operands are left to the step, and its scratch, can be told when all
 * are built.  */
static void finish(const struct plan *p, struct step *s)
{
    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (fuse_is_lazy(p, plan_operand(s, k, i)))
                s->nodes.lazy |= plan_lazy_bit(s, k, i);
    if (s->kernel && s->kernel->scratch)
        s->scratch_bytes =
            s->kernel->scratch(&s->nodes, pool_threads(p->opts.pool));
}

static void append(struct fuse *f, struct step *s)
{
    finish(f->p, s);
    plan_append(f->p, s);
    f->there[step_last(s)->index] = f->p->n_step;
}

/* V is there in front of the step that ends with node LAST.  */
static int is_before(const struct fuse *f, const struct value *v,
                     const struct node *last)
{
    const int own = v && v->node ? f->owner[v->node->index] : FUSE_FREE;

    return !v || !v->node ||
           (own >= 0 && f->there[own] && f->there[own] < f->there[last->index]);
}

/* All that S reads, but for what its own nodes compute, is there in front of
 * the step FIRST.  */
static int is_ready(const struct fuse *f, const struct step *s,
                    const struct step *first)
{
    const struct node *end = step_last(first);
    int yes = 1;

    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            yes &= (k && i == s->nodes.link[k]) ||
                   is_before(f, plan_operand(s, k, i), end);
    for (int k = 0; k < s->nodes.n_side; k++)
        for (int i = 0; i < s->nodes.side[k]->n_in; i++)
            yes &= s->nodes.side[k]->in[i] == step_last(s)->out[0] ||
                   is_before(f, s->nodes.side[k]->in[i], end);
    return yes;
}

/* What may be done at once with S, the last that was appended, is appended
 * behind it.  */
static void append_siblings(struct fuse *f, const struct step *s)
{
    const struct together *t = s->kernel ? s->kernel->together : NULL;
    const struct value *x =
        t && t->siblings && !fuse_alone(f->p) && !f->p->opts.no_siblings
            ? plan_operand(s, 0, 0)
            : NULL;
    int most = t && t->most ? t->most : f->p->graph->n_node;

    for (int i = step_last(s)->index + 1; x && i < f->p->graph->n_node; i++) {
        struct step *b = &f->at[i];

        if (b->nodes.n && !f->there[i] && b->kernel == s->kernel && most > 1 &&
            plan_operand(b, 0, 0) == x && is_ready(f, b, s) &&
            t->siblings(&s->nodes, &b->nodes)) {
            const int steps = f->p->n_step;

            append(f, b);
            most--;
            f->p->step[f->p->n_step - 1].joined = f->p->n_step == steps + 1;
        }
    }
}

void fuse_order(struct fuse *f)
{
    const struct graph *g = f->p->graph;
    int updates = 0;

    for (int i = 0; i < g->n_node; i++)
        if (f->at[i].nodes.n && !f->there[i]) {
            if (g->node[i]->dir == DIR_UPDATE && !updates++)
                plan_want_outputs(f->p); /* what is read behind plan_run() */
            append(f, &f->at[i]);
            append_siblings(f, &f->at[i]);
        }
    if (!updates)
        plan_want_outputs(f->p);
}
