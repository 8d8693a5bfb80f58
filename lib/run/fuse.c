/* fuse.c -- nodes into steps: each takes the first offer of the device that
 * accepts it, with as many of the nodes behind it as the offer takes over.
 * SPDX-License-Identifier: MIT
 *
 * Some results are not stored: those that are cheap to compute again and whose
 * readers can do that as they read (normalisation while training, and its
 * gradient).  Such a node is left to its readers until one comes that cannot;
 * then it gets a step of its own after all, for all of them.  */
#include "run/fuse.h"

#include <stdlib.h>

#include "base/err.h"

/* ---- layouts of results ---- */

/* The result of a view op is its input; so is the gradient of its input.  */
static int is_view(const struct node *n)
{
    return (n->op->flags & OP_VIEW) && n->dir != DIR_UPDATE;
}

/* The device's own, of f32, if one of N's activations is not plain: the others
 * are rearranged then.  */
static enum layout common_layout(const struct plan *p, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (plan_is_activation(p->device, n, n->in[i], plan_stands_for(n, i)) &&
            fuse_layout(p, n->in[i]) != LAYOUT_PLAIN)
            return p->device->common;
    return LAYOUT_PLAIN;
}

/* Of sequences the layouts are one but for how numbers are kept.  */
static enum layout result_layout(const struct step *s, const struct value *v)
{
    if (v->shape.rank == 4)
        return s->writes;
    return layout_is_narrow(s->writes)
               ? layout_nhwc(layout_precision(s->writes))
               : LAYOUT_PLAIN;
}

static void set_result(struct plan *p, const struct step *s,
                       const struct node *n, int i)
{
    const int of = n->dir == DIR_BACKWARD ? i : -1;

    if (plan_is_activation(p->device, n, n->out[i], of) &&
        !(of >= 0 && of < 32 && s->kernel && s->kernel->plain_grads >> of & 1))
        p->layout[n->out[i]->index] = result_layout(s, n->out[i]);
}

/* A view of V: one that changes no shape takes it as it lies, another row by
 * row.  */
static enum layout view_layout(const struct plan *p, const struct node *n,
                               const struct value *v)
{
    const struct value *y = n->out[0];

    if (shape_equal(&v->shape, &y->shape))
        return fuse_layout(p, v);
    return p->device->sequences && layout_is_narrow(fuse_layout(p, v)) &&
                   plan_is_activation(p->device, n, y, -1)
               ? layout_plain(layout_precision(fuse_layout(p, v)))
               : LAYOUT_PLAIN;
}

/* Steps that work wherever their operands lie take those as they come.  */
static void set_layouts(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    const struct value *v = fuse_leader(p->device, s->kernel, n);

    if (s->kernel) {
        s->reads = s->kernel->reads;
        s->writes = s->kernel->writes;
    }
    if (v && s->kernel && s->kernel->any_layout && s->reads == LAYOUT_PLAIN)
        s->reads = s->writes = common_layout(p, n);
    else if (v && s->view)
        s->reads = s->writes = view_layout(p, last, v);
    for (int i = 0; i < last->n_out; i++)
        set_result(p, s, last, i);
}

/* ---- results that are left to their readers ---- */

/* Everything that N reads is stored, its activations in layout L.  */
static int all_stored(const struct plan *p, const struct node *n, enum layout l)
{
    for (int i = 0; i < n->n_in; i++)
        if (fuse_is_lazy(p, n->in[i]) ||
            (plan_is_activation(p->device, n, n->in[i], i) &&
             fuse_layout(p, n->in[i]) != l))
            return 0;
    return 1;
}

/* S can compute operand I of its node K as it reads, from values that lie in
 * layout L: what is computed so is not rearranged.  */
static int computes(const struct step *s, int k, int i, enum layout l)
{
    return s->kernel && s->kernel->lazy & plan_lazy_bit(s, k, i) &&
           (k ? s->writes : s->reads) == l;
}

/* What uses a value that would lie in layout L can compute it, as far as is
 * known.  */
static int can_compute(const struct fuse *f, const struct use *u, enum layout l)
{
    const int owner = f->owner[u->node->index];
    const struct step *s = &f->at[owner < 0 ? 0 : owner];

    for (int k = 0; owner >= 0 && k < s->nodes.n; k++)
        if (s->nodes.node[k] == u->node)
            return computes(s, k, u->in, l);
    return owner < 0;
}

/* Only what is element by element may be left, and only where it would not be
 * part of a larger step.  */
static int may_be_left(const struct fuse *f, const struct step *s)
{
    const struct plan *p = f->p;
    const struct node *n = s->nodes.node[0];

    if (!s->kernel || !s->kernel->defer || fuse_alone(p) ||
        s->writes == LAYOUT_PLAIN || value_is_output(p->graph, n->out[0]))
        return 0;
    for (int k = 1; k < s->nodes.n; k++)
        if (!(s->nodes.node[k]->op->flags & OP_ELEMENTWISE))
            return 0;
    for (int i = 0; i < n->out[0]->n_use; i++)
        if (!can_compute(f, &n->out[0]->use[i], s->writes))
            return 0;
    if (s->kernel->defer == DEFER_HEAD)
        return all_stored(p, n, s->writes);
    return fuse_is_lazy(p, n->in[0]) &&
           !(n->in[0]->node->op->flags & OP_ELEMENTWISE);
}

static int build_demanded(struct fuse *f, const struct node *n);

/* V gets a step after all; one with what it is computed from, if it may.  */
static int store(struct fuse *f, const struct value *v)
{
    const struct node *n = v->node;

    f->p->lazy[v->index] = 0;
    f->owner[n->index] = FUSE_FREE;
    if (n->op->flags & OP_ELEMENTWISE && fuse_is_lazy(f->p, n->in[0]) &&
        store(f, n->in[0]) < 0)
        return -1;
    return fuse_is_taken(f, n) ? 0 : build_demanded(f, n);
}

/* Store what the step reads and cannot compute itself: 1 if there was
 * something.  */
static int demand(struct fuse *f, const struct step *s)
{
    int some = 0;

    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++) {
            const struct value *v = s->nodes.node[k]->in[i];

            if ((k && i == s->nodes.link[k]) || !fuse_is_lazy(f->p, v) ||
                computes(s, k, i, fuse_layout(f->p, v)))
                continue;
            if (store(f, v) < 0)
                return -1;
            some = 1;
        }
    return some;
}

/* ---- steps ---- */

static int has_reference(const struct node *n)
{
    return n->dir == DIR_FORWARD    ? n->op->forward != NULL
           : n->dir == DIR_BACKWARD ? n->op->backward != NULL
                                    : n->op->update != NULL;
}

static int check(const struct fuse *f, const struct step *s)
{
    static const char *const dir[] = {"forward", "backward", "update"};
    const struct node *n = s->nodes.node[0];

    if (s->kernel || s->view || (f->p->device->reference && has_reference(n)))
        return 0;
    return err_set(f->e, ERR_UNSUPPORTED,
                   "op '%s' at '%s' has no %s kernel on %s", n->op->name,
                   Q(n->name), dir[n->dir], f->p->device->name);
}

static void take(struct fuse *f, const struct step *s)
{
    for (int k = 0; k < s->nodes.n; k++)
        f->owner[s->nodes.node[k]->index] = step_last(s)->index;
}

static void set_step(const struct fuse *f, const struct node *n, struct step *s)
{
    *s = (struct step){.view = is_view(n)};
    s->kernel = fuse_choose(f, n, &s->nodes);
    if (s->view) {
        s->nodes.n = 1;
        s->kernel = NULL;
    }
    set_layouts(f->p, s);
}

static int keep(struct fuse *f, struct step *s)
{
    if (check(f, s) < 0)
        return -1;
    take(f, s);
    fuse_add_sides(f, s);
    f->at[step_last(s)->index] = *s;
    return 0;
}

/* A step for N, which a reader asks for.  Its nodes are taken first, so that
 * what it reads, and asks for in turn, leaves them alone.  */
static int build_demanded(struct fuse *f, const struct node *n)
{
    struct step s;

    set_step(f, n, &s);
    take(f, &s);
    return demand(f, &s) < 0 ? -1 : keep(f, &s);
}

static void leave(struct fuse *f, const struct node *n, const struct step *s)
{
    f->p->lazy[n->out[0]->index] = 1;
    set_result(f->p, s, n, 0);
    f->owner[n->index] = FUSE_LEFT;
}

/* A step for N, or it is left to its readers.  What it must read stored gets
 * steps first, which may take N too, or change what N's own would be.  */
static int build(struct fuse *f, const struct node *n)
{
    struct step s;

    while (!fuse_is_taken(f, n)) {
        int some;

        set_step(f, n, &s);
        if (may_be_left(f, &s)) {
            leave(f, n, &s);
            return 0;
        }
        some = demand(f, &s);
        if (some <= 0)
            return some < 0 ? -1 : keep(f, &s);
    }
    return 0;
}

/* ---- dequantize ---- */

/* A dequantize step that all readers look past is not needed.  */
static int is_passed(const struct fuse *f, const struct node *n)
{
    const struct value *v = n->n_out ? n->out[0] : NULL;

    if (n->dir != DIR_FORWARD || !node_is(n, "dequantize") ||
        value_is_output(f->p->graph, v))
        return 0;
    for (int i = 0; i < v->n_use; i++) {
        const int owner = f->owner[v->use[i].node->index];
        int passed = 0;

        for (int k = 0; owner >= 0 && k < f->at[owner].nodes.n; k++)
            if (f->at[owner].nodes.node[k] == v->use[i].node)
                passed = plan_operand(&f->at[owner], k, v->use[i].in) != v;
        if (!passed)
            return 0;
    }
    return 1;
}

static void drop_passed(const struct fuse *f)
{
    for (int i = 0; i < f->p->graph->n_node; i++)
        if (f->at[i].nodes.n == 1 && is_passed(f, f->at[i].nodes.node[0]))
            f->at[i].nodes.n = 0;
}

/* ---- all of them ---- */

int plan_fuse(struct plan *p, struct err *e)
{
    const struct graph *g = p->graph;
    struct fuse f = {.p = p, .e = e};
    int bad = 0;

    f.at = xcalloc((size_t)g->n_node + 1, sizeof *f.at);
    f.owner = xcalloc((size_t)g->n_node + 1, sizeof *f.owner);
    f.there = xcalloc((size_t)g->n_node + 1, sizeof *f.there);
    for (int i = 0; i < g->n_node; i++)
        f.owner[i] = FUSE_FREE;
    p->layout = ARENA_NEWS(&p->arena, g->n_value + 1, enum layout);
    p->lazy = ARENA_NEWS(&p->arena, g->n_value + 1, char);
    /* kept values lie plain where plain kernels are */
    p->blocked =
        p->device->rearrange && !(p->opts.keep_values && p->device->reference);
    for (int i = 0; i < g->n_node && !bad; i++)
        bad = build(&f, g->node[i]) < 0;
    if (!bad) {
        drop_passed(&f);
        fuse_order(&f);
    }
    free(f.at);
    free(f.owner);
    free(f.there);
    return bad ? -1 : 0;
}
