/* plan_parts.h -- the inside of a plan, shared by the files that build it.
 * SPDX-License-Identifier: MIT
 *
 *   fuse.c    nodes -> steps with their kernels (fuse.h)
 *   arrange.c what steps read and write, copies in other layouts
 *   memory.c  steps -> offsets in one block
 *   alias.c   values whose memory lies within that of others
 *   plan.c    tensors and packed parameters are bound
 *   replay.c, describe.c   running; printing and hashes
 *
 * They are tested by plans of whole graphs, tests/run/plan.c and those beside
 * it, and what only a GPU's plans do by tests/cuda.  */
#ifndef ADZE_RUN_PLAN_PARTS_H
#define ADZE_RUN_PLAN_PARTS_H

#include "base/mem.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "graph/tuning.h"
#include "run/plan.h"

struct step {
    struct step_nodes nodes;
    const struct kernel *kernel; /* NULL: the op's reference */
    int view;                    /* nothing to run: the result is an operand */
    enum layout reads, writes;   /* data operands; results and the operands of
                                    the nodes that follow */
    int copy;                    /* no nodes: writes copy[copy - 1] */
    size_t scratch_bytes;
    int64_t scratch_at;
    struct kernel_args args; /* tensors bound; arrays in the plan's arena */
    void *prepared;          /* for it and those behind it that are joined */
    int joined;              /* done with the step in front of it */
    double last, seconds; /* with profile: of the last run, of all that count */
};

/* A value once more in the other layout, for steps that want it so.  Its
 * place and tensor stand behind those of the values.  */
struct copy {
    const struct value *value;
    enum layout layout;
};

/* Where a value lies.  */
struct place {
    int root;      /* the place whose memory it shares; itself otherwise */
    int64_t shift; /* where in there it begins, in bytes */
    int64_t pitch; /* kernel_args.pitch of the step that writes it */
    int64_t at;    /* offset in the block, of roots that live there; -1 */
    size_t bytes;
    int first, last; /* steps; of roots: the union of all that share */
    int pinned;      /* inputs, outputs, kept values: alive throughout */
};

struct plan {
    const struct graph *graph;
    const struct device *device;
    struct params *params;
    struct plan_opts opts;
    struct tuning tuning;
    struct arena arena;
    struct step *step;
    int n_step, cap_step;
    int blocked;         /* steps may leave values in another layout */
    enum layout *layout; /* of each value, by index */
    char *lazy;          /* values that are left to those who read them */
    struct copy *copy;
    int n_copy, cap_copy;
    struct place *place; /* by value index, then of the copies */
    struct tensor *tensor;
    size_t bytes, value_bytes; /* of the block; without scratch */
    struct tensor *mirror;     /* of what is kept, in host memory; NULL: the
                              device works there */
    char *left; /* values that the host neither fills nor reads by itself */
    void *block;
    struct work {
        int runs;         /* so far */
        void *kept;       /* recorded by the device, or NULL */
        int forms;        /* when it was: params_forms() */
        int begun, timed; /* runs with profile, and those that count */
    } work[2];            /* what plan_run() does, and plan_update() */
    void *marks;          /* with profile, of devices that have such */
    const char **touched; /* parameters that update steps write; NULL-ended */
};

/* The last node of a step: its results are the step's; NULL of a copy.  */
static inline const struct node *step_last(const struct step *s)
{
    return s->nodes.n ? s->nodes.node[s->nodes.n - 1] : NULL;
}

/* What step S reads as operand I of its node number K.  */
const struct value *plan_operand(const struct step *s, int k, int i);

/* The forward node's operand that operand I of N stands for, or -1: a result
 * or a gradient of one.  */
int plan_stands_for(const struct node *n, int i);
/* V, operand I of its forward node (-1: none), is an activation or the gradient
 * of one, which may lie on device D in a layout of its own; parameters and
 * their gradients are always plain.  */
int plan_is_activation(const struct device *d, const struct node *n,
                       const struct value *v, int i);

/* The LAZY_ bit for operand I of node K of S; 0: it must be stored.  */
unsigned plan_lazy_bit(const struct step *s, int k, int i);
/* Whether V is left to its readers; then how they compute it.  */
int plan_chain(const struct plan *p, const struct value *v, struct lazy *l);

/* The place whose memory place V shares.  */
static inline int plan_root(const struct plan *p, int v)
{
    while (p->place[v].root != v)
        v = p->place[v].root;
    return v;
}

/* Where in the memory of its root place V begins.  */
static inline int64_t plan_shift(const struct plan *p, int v)
{
    int64_t shift = 0;

    for (; p->place[v].root != v; v = p->place[v].root)
        shift += p->place[v].shift;
    return shift;
}

/* The layout of what lies at a place.  */
enum layout plan_layout(const struct plan *p, int slot);

/* Where step S finds operand I of its node number K: the index of the value's
 * place, or of a copy's.  */
int plan_slot(const struct plan *p, const struct step *s, int k, int i);
/* The place of V in layout L, or -1.  */
int plan_slot_in(const struct plan *p, const struct value *v, enum layout l);

/* F(ctx, place) for each place that S reads, and for each that it writes.  */
typedef void plan_visit(void *ctx, int slot);
void plan_reads(const struct plan *p, const struct step *s, plan_visit *f,
                void *ctx);
void plan_writes(const struct plan *p, const struct step *s, plan_visit *f,
                 void *ctx);

/* Add S behind the steps that are there, and in front of it copies of operands
 * that it reads in another layout; the same for outputs of the graph and kept
 * values.  */
void plan_append(struct plan *p, const struct step *s);
void plan_want_outputs(struct plan *p);

/* Wait for the device.  */
int plan_finish(const struct plan *p, struct err *e);
/* What the device keeps of W.  */
void plan_forget(const struct plan *p, struct work *w);
/* The first of the update steps, which are sorted last.  */
int plan_first_update(const struct plan *p);

/* Group the nodes into steps, in an order in which they can run.  */
int plan_fuse(struct plan *p, struct err *e);
/* Fill place[], scratch_at, bytes and value_bytes.  */
int plan_memory(struct plan *p, struct err *e);
/* Root V has the memory of WITH from its byte SHIFT on.  */
void plan_share(struct plan *p, int v, int with, int64_t shift);
/* ROOT is not in the block: a parameter.  */
int plan_is_tensor(const struct plan *p, int root);
/* Results of S that are parts of its operand, and operands that can be parts
 * of its result, share its memory; S is a view if all do.  */
void plan_alias(struct plan *p, struct step *s);

#endif
