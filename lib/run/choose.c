/* choose.c -- which offer of the device a node gets, and with how many of the
 * nodes behind and beside it: see fuse.h.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "run/fuse.h"

/* ---- the nodes behind the first ---- */

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
    if (!follows_as(to, *link) || to->n_out < 1 || fuse_is_taken(f, to))
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

/* ---- what an offer must fit ---- */

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

const struct value *fuse_leader(const struct device *d, const struct kernel *k,
                                const struct node *n)
{
    const int i = n->dir == DIR_FORWARD ? first_operand(n) : n->n_in - 1;
    const struct value *v = n->n_in ? operand(k, n, i) : NULL;

    return plan_is_activation(d, n, v, plan_stands_for(n, i)) ? v : NULL;
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
    const struct value *v = fuse_leader(p->device, k, n);

    if (k->reads == LAYOUT_PLAIN && k->writes == LAYOUT_PLAIN)
        return 1;
    return p->blocked &&
           (k->pulls || (v && takes(k->reads, fuse_layout(p, v))));
}

static struct step_nodes alone_of(const struct plan *p, const struct node *n)
{
    return (struct step_nodes){.n = 1,
                               .node = {n},
                               .batch = p->opts.batch,
                               .tuning = p->opts.tuning,
                               .device = p->device};
}

/* ---- side nodes ---- */

/* R reads the last result of the step, everything else that it reads is there
 * by then, and lies as the step's own operands do.  */
static int may_be_beside(const struct fuse *f, const struct step *s,
                         const struct node *r)
{
    const struct node *last = step_last(s);

    if (fuse_is_taken(f, r) || r->dir != DIR_FORWARD ||
        !named(s->kernel->side, r))
        return 0;
    for (int i = 0; i < r->n_in; i++) {
        const struct value *v = r->in[i];

        if (v == last->out[0])
            continue;
        if (fuse_is_lazy(f->p, v) ||
            (v && v->node && v->node->index > last->index) ||
            (plan_is_activation(f->p->device, r, v, i) &&
             fuse_layout(f->p, v) != s->writes))
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

    for (int i = 0; v && !fuse_alone(f->p) && i < v->n_use; i++)
        if (may_be_beside(f, &s, v->use[i].node))
            return 1;
    return 0;
}

void fuse_add_sides(struct fuse *f, struct step *s)
{
    const struct value *v = step_last(s)->n_out ? step_last(s)->out[0] : NULL;

    for (int i = 0; v && s->kernel && s->kernel->side && i < v->n_use; i++) {
        const struct node *r = v->use[i].node;

        if (s->nodes.n_side == STEP_SIDES || fuse_alone(f->p) ||
            !may_be_beside(f, s, r))
            continue;
        s->nodes.side[s->nodes.n_side++] = r;
        f->owner[r->index] = step_last(s)->index;
    }
}

/* ---- the offer ---- */

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
            !dtypes_fit(*k, n) || ((*k)->quantised && fuse_alone(p)))
            continue;
        *s = alone_of(p, n);
        if (!fuse_alone(p))
            match_epilogue(f, *k, s);
        if (accepted(*k, s) && (!(*k)->sided || has_side(f, *k, s)))
            return *k;
    }
    *s = alone_of(p, n);
    return NULL;
}

/* Offers for 16 bits come first where the plan asks for that.  */
const struct kernel *fuse_choose(const struct fuse *f, const struct node *n,
                                 struct step_nodes *s)
{
    const enum precision asked = f->p->opts.narrow;
    const struct kernel *k = asked ? choose_form(f, n, asked, s) : NULL;

    return k ? k : choose_form(f, n, PRECISION_FP32, s);
}
