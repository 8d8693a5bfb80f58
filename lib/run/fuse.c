/* fuse.c -- nodes into steps: each takes the first offer of the device that
 * accepts it, with as many of the nodes behind it as the offer takes over.
 * SPDX-License-Identifier: MIT
 *
 * Some results are not stored: those that are cheap to compute again and whose
 * readers can do that as they read (normalisation while training, and its
 * gradient).  Such a node is left to its readers until one comes that cannot;
 * then it gets a step of its own after all, for all of them.  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/thread.h"
#include "run/step.h"

enum { FREE = -1, LEFT = -2 };

struct fuse {
    struct plan *p;
    struct step *at; /* by the index of the last node */
    int *owner;      /* by node: the step that has it; FREE; LEFT to readers */
    int *there;      /* by the index of the last node: steps up to it; 0 */
    struct err *e;
};

static int is_taken(const struct fuse *f, const struct node *n)
{
    return f->owner[n->index] != FREE;
}

/* ---- which offer ---- */

/* N's op is one of the names in LIST, which '|' separates; backward nodes have
 * a ' behind the name.  */
static int named(const char *list, const struct node *n)
{
    const size_t len = strlen(n->op->name),
                 all = len + (n->dir == DIR_BACKWARD);

    for (const char *p = list; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (!strncmp(p, n->op->name, len) && (all == len || p[len] == '\'') &&
            (p[all] == 0 || p[all] == '|'))
            return 1;
    }
    return 0;
}

/* A backward node that follows reads the gradient of its result.  */
static int follows_as(const struct node *f, int link)
{
    return f->dir == DIR_FORWARD ||
           (f->dir == DIR_BACKWARD && link == f->n_in - 1);
}

/* The only reader of N's first result, if it may be taken over: no other step
 * has it, and nobody reads more of it than its result.  */
static const struct node *follower(const struct fuse *f, const struct node *n,
                                   int *link)
{
    const struct value *v = n->out[0];
    const struct node *to;

    if (!v || v->n_use != 1 || value_is_output(f->p->graph, v))
        return NULL;
    to = v->use[0].node;
    *link = v->use[0].in;
    if (!follows_as(to, *link) || to->n_out < 1 || is_taken(f, to))
        return NULL;
    for (int i = 1; i < to->n_out; i++)
        if (to->out[i] &&
            (to->out[i]->n_use || value_is_output(f->p->graph, to->out[i])))
            return NULL;
    return to;
}

static void match_epilogue(const struct fuse *f, const struct kernel *k,
                           struct step_nodes *s)
{
    for (const char *const *place = k->epilogue; place && *place; place++) {
        const struct node *n;
        int link;

        if (s->n == STEP_NODES)
            return;
        n = follower(f, s->node[s->n - 1], &link);
        if (n && named(*place, n)) {
            s->link[s->n] = link;
            s->node[s->n++] = n;
        }
    }
}

static const struct value *operand(const struct kernel *k, const struct node *n,
                                   int i)
{
    const struct step s = {.kernel = k, .nodes = {.n = 1, .node = {n}}};

    return plan_operand(&s, 0, i);
}

static int dtypes_fit(const struct kernel *k, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = operand(k, n, i);

        if (v && !(k->dtypes >> v->dtype & 1))
            return 0;
    }
    return 1;
}

/* Packed forms are made once, of tensors: an operand that is computed (by
 * dequantize, say) has none.  */
static int packs_computed(const struct kernel *k, const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    for (int i = 0; k->pack_bytes && i < n->n_in && n->dir == DIR_FORWARD; i++)
        if (n->in[i] && n->in[i]->kind == VALUE_NODE && k->pack_bytes(s, i) &&
            !(k->dtypes >> DTYPE_I8 & 1))
            return 1;
    return 0;
}

static int accepted(const struct kernel *k, struct step_nodes *s)
{
    if (packs_computed(k, s))
        return 0;
    while (k->accepts && !k->accepts(s))
        if (--s->n == 0)
            return 0;
    return 1;
}

/* The first data operand; of several that are joined, the first of the largest,
 * as factors may stand in front of what they multiply.  */
static int first_operand(const struct node *n)
{
    int most = 0;

    for (int i = 1; i < n->n_join; i++)
        if (shape_count(&n->in[i]->shape) > shape_count(&n->in[most]->shape))
            most = i;
    return most;
}

/* The value whose layout decides for N: its first data operand; backward the
 * gradient of the result.  */
static const struct value *leader(const struct device *d,
                                  const struct kernel *k, const struct node *n)
{
    const int i = n->dir == DIR_FORWARD ? first_operand(n) : n->n_in - 1;
    const struct value *v = n->n_in ? operand(k, n, i) : NULL;

    return plan_is_activation(d, n, v, plan_stands_for(n, i)) ? v : NULL;
}

static enum layout layout_of(const struct plan *p, const struct value *v)
{
    return v && !value_is_tensor(v) ? p->layout[v->index] : LAYOUT_PLAIN;
}

/* What lies in layout L may be read in layout READS: it does, or needs no other
 * numbers.  */
static int takes(enum layout reads, enum layout l)
{
    return l == reads ||
           (layout_is_narrow(l) && l == layout_plain(layout_precision(reads)));
}

static int layout_fits(const struct plan *p, const struct kernel *k,
                       const struct node *n)
{
    const struct value *v = leader(p->device, k, n);

    if (k->reads == LAYOUT_PLAIN && k->writes == LAYOUT_PLAIN)
        return 1;
    return p->blocked && (k->pulls || (v && takes(k->reads, layout_of(p, v))));
}

/* Every node by itself, its operands as they are.  */
static int alone(const struct plan *p)
{
    return p->opts.no_fuse || p->opts.keep_values;
}

static struct step_nodes alone_of(const struct plan *p, const struct node *n)
{
    return (struct step_nodes){.n = 1,
                               .node = {n},
                               .batch = p->opts.batch,
                               .tuning = p->opts.tuning,
                               .device = p->device};
}

static int is_lazy(const struct plan *p, const struct value *v)
{
    return v && p->lazy[v->index];
}

/* R reads the last result of the step, everything else that it reads is there
 * by then, and lies as the step's own operands do.  */
static int may_be_beside(const struct fuse *f, const struct step *s,
                         const struct node *r)
{
    const struct node *last = step_last(s);

    if (is_taken(f, r) || r->dir != DIR_FORWARD || !named(s->kernel->side, r))
        return 0;
    for (int i = 0; i < r->n_in; i++) {
        const struct value *v = r->in[i];

        if (v == last->out[0])
            continue;
        if (is_lazy(f->p, v) ||
            (v && v->node && v->node->index > last->index) ||
            (plan_is_activation(f->p->device, r, v, i) &&
             layout_of(f->p, v) != s->writes))
            return 0;
    }
    return 1;
}

/* Whether K would have a node beside NODES.  */
static int has_side(const struct fuse *f, const struct kernel *k,
                    const struct step_nodes *nodes)
{
    const struct step s = {.kernel = k, .nodes = *nodes, .writes = k->writes};
    const struct node *last = step_last(&s);
    const struct value *v = last->n_out ? last->out[0] : NULL;

    for (int i = 0; v && !alone(f->p) && i < v->n_use; i++)
        if (may_be_beside(f, &s, v->use[i].node))
            return 1;
    return 0;
}

/* The first offer of one form of numbers.  */
static const struct kernel *choose_form(const struct fuse *f,
                                        const struct node *n,
                                        enum precision form,
                                        struct step_nodes *s)
{
    const struct plan *p = f->p;

    for (const struct kernel *const *k = p->device->kernels; k && *k; k++) {
        if ((*k)->dir != n->dir || strcmp((*k)->op, n->op->name) ||
            kernel_precision(*k) != form || !layout_fits(p, *k, n) ||
            !dtypes_fit(*k, n) || ((*k)->quantised && alone(p)))
            continue;
        *s = alone_of(p, n);
        if (!alone(p))
            match_epilogue(f, *k, s);
        if (accepted(*k, s) && (!(*k)->sided || has_side(f, *k, s)))
            return *k;
    }
    *s = alone_of(p, n);
    return NULL;
}

/* Offers for 16 bits come first where the plan asks for that.  */
static const struct kernel *choose(const struct fuse *f, const struct node *n,
                                   struct step_nodes *s)
{
    const enum precision asked = f->p->opts.narrow;
    const struct kernel *k = asked ? choose_form(f, n, asked, s) : NULL;

    return k ? k : choose_form(f, n, PRECISION_FP32, s);
}

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
            layout_of(p, n->in[i]) != LAYOUT_PLAIN)
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
        return layout_of(p, v);
    return p->device->sequences && layout_is_narrow(layout_of(p, v)) &&
                   plan_is_activation(p->device, n, y, -1)
               ? layout_plain(layout_precision(layout_of(p, v)))
               : LAYOUT_PLAIN;
}

/* Steps that work wherever their operands lie take those as they come.  */
static void set_layouts(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    const struct value *v = leader(p->device, s->kernel, n);

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
        if (is_lazy(p, n->in[i]) ||
            (plan_is_activation(p->device, n, n->in[i], i) &&
             layout_of(p, n->in[i]) != l))
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

    if (!s->kernel || !s->kernel->defer || alone(p) ||
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
    return is_lazy(p, n->in[0]) &&
           !(n->in[0]->node->op->flags & OP_ELEMENTWISE);
}

static int build_demanded(struct fuse *f, const struct node *n);

/* V gets a step after all; one with what it is computed from, if it may.  */
static int store(struct fuse *f, const struct value *v)
{
    const struct node *n = v->node;

    f->p->lazy[v->index] = 0;
    f->owner[n->index] = FREE;
    if (n->op->flags & OP_ELEMENTWISE && is_lazy(f->p, n->in[0]) &&
        store(f, n->in[0]) < 0)
        return -1;
    return is_taken(f, n) ? 0 : build_demanded(f, n);
}

/* Store what the step reads and cannot compute itself: 1 if there was
 * something.  */
static int demand(struct fuse *f, const struct step *s)
{
    int some = 0;

    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++) {
            const struct value *v = s->nodes.node[k]->in[i];

            if ((k && i == s->nodes.link[k]) || !is_lazy(f->p, v) ||
                computes(s, k, i, layout_of(f->p, v)))
                continue;
            if (store(f, v) < 0)
                return -1;
            some = 1;
        }
    return some;
}

/* ---- side nodes ---- */

static void add_sides(struct fuse *f, struct step *s)
{
    const struct value *v = step_last(s)->n_out ? step_last(s)->out[0] : NULL;

    for (int i = 0; v && s->kernel && s->kernel->side && i < v->n_use; i++) {
        const struct node *r = v->use[i].node;

        if (s->nodes.n_side == STEP_SIDES || alone(f->p) ||
            !may_be_beside(f, s, r))
            continue;
        s->nodes.side[s->nodes.n_side++] = r;
        f->owner[r->index] = step_last(s)->index;
    }
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
    s->kernel = choose(f, n, &s->nodes);
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
    add_sides(f, s);
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
    f->owner[n->index] = LEFT;
}

/* A step for N, or it is left to its readers.  What it must read stored gets
 * steps first, which may take N too, or change what N's own would be.  */
static int build(struct fuse *f, const struct node *n)
{
    struct step s;

    while (!is_taken(f, n)) {
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

    if (n->dir != DIR_FORWARD || strcmp(n->op->name, "dequantize") ||
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

/* Which operands are left to the step, and its scratch, can be told when all
 * are built.  */
static void finish(const struct plan *p, struct step *s)
{
    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (is_lazy(p, plan_operand(s, k, i)))
                s->nodes.lazy |= plan_lazy_bit(s, k, i);
    if (s->kernel && s->kernel->scratch)
        s->scratch_bytes =
            s->kernel->scratch(&s->nodes, pool_threads(p->opts.pool));
}

/* ---- the order ---- */

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
    const int own = v && v->node ? f->owner[v->node->index] : FREE;

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
        t && t->siblings && !alone(f->p) && !f->p->opts.no_siblings
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

/* A step runs where its last node stands, or with a sibling in front of it:
 * there all operands are ready.  */
int plan_fuse(struct plan *p, struct err *e)
{
    const struct graph *g = p->graph;
    struct fuse f = {.p = p, .e = e};
    int bad = 0, updates = 0;

    f.at = xcalloc((size_t)g->n_node + 1, sizeof *f.at);
    f.owner = xcalloc((size_t)g->n_node + 1, sizeof *f.owner);
    f.there = xcalloc((size_t)g->n_node + 1, sizeof *f.there);
    for (int i = 0; i < g->n_node; i++)
        f.owner[i] = FREE;
    p->layout = ARENA_NEWS(&p->arena, g->n_value + 1, enum layout);
    p->lazy = ARENA_NEWS(&p->arena, g->n_value + 1, char);
    /* kept values lie plain where plain kernels are */
    p->blocked =
        p->device->rearrange && !(p->opts.keep_values && p->device->reference);
    for (int i = 0; i < g->n_node && !bad; i++)
        bad = build(&f, g->node[i]) < 0;
    if (!bad)
        drop_passed(&f);
    for (int i = 0; i < g->n_node && !bad; i++)
        if (f.at[i].nodes.n && !f.there[i]) {
            if (g->node[i]->dir == DIR_UPDATE && !updates++)
                plan_want_outputs(p); /* what is read behind plan_run() */
            append(&f, &f.at[i]);
            append_siblings(&f, &f.at[i]);
        }
    if (!bad && !updates)
        plan_want_outputs(p);
    free(f.at);
    free(f.owner);
    free(f.there);
    return bad ? -1 : 0;
}
