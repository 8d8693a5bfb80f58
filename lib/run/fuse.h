/* fuse.h -- how nodes become steps, for the files that do it.
 * SPDX-License-Identifier: MIT
 *
 *   choose.c  the offer for a node, and what it takes over
 *   fuse.c    plan_fuse(): steps, where their results lie, and which results
 *             are left to their readers
 *   order.c   the steps of the plan, siblings together  */
#ifndef ADZE_RUN_FUSE_H
#define ADZE_RUN_FUSE_H

#include "run/plan_parts.h"

/* Owners of nodes that no step has.  */
enum {
    FUSE_FREE = -1, /* nothing is settled */
    FUSE_LEFT = -2  /* to its readers */
};

struct fuse {
    struct plan *p;
    struct step *at; /* by the index of the last node */
    int *owner;      /* by node: the step that has it; FUSE_FREE, _LEFT */
    int *there;      /* by the index of the last node: steps up to it; 0 */
    struct err *e;
};

static inline int fuse_is_taken(const struct fuse *f, const struct node *n)
{
    return f->owner[n->index] != FUSE_FREE;
}

/* V is left to its readers; NULL is not.  */
static inline int fuse_is_lazy(const struct plan *p, const struct value *v)
{
    return v && p->lazy[v->index];
}

/* Every node by itself, its operands as they are.  */
static inline int fuse_alone(const struct plan *p)
{
    return p->opts.no_fuse || p->opts.keep_values;
}

/* How V lies, as far as its step is known.  */
static inline enum layout fuse_layout(const struct plan *p,
                                      const struct value *v)
{
    return v && !value_is_tensor(v) ? p->layout[v->index] : LAYOUT_PLAIN;
}

/* The value whose layout decides for N: its first data operand; backward the
 * gradient of the result.  NULL if that is no activation.  */
const struct value *fuse_leader(const struct device *d, const struct kernel *k,
                                const struct node *n);

/* The first offer for N, NULL if there is none; *S is N with those behind it
 * that the offer takes over, none of them taken yet.  */
const struct kernel *fuse_choose(const struct fuse *f, const struct node *n,
                                 struct step_nodes *s);

/* Nodes that read what S makes, and are done beside it, are its own then.  */
void fuse_add_sides(struct fuse *f, struct step *s);

/* Append all steps to the plan: each where its last node stands, or with a
 * sibling in front of it; there all operands are ready.  */
void fuse_order(struct fuse *f);

#endif
