/* step.h -- the inside of a plan, shared by the files that build it.
 * SPDX-License-Identifier: MIT
 *
 *   fuse.c    nodes -> steps with their kernels
 *   memory.c  steps -> offsets in one block
 *   plan.c    tensors, packed parameters, running, printing  */
#ifndef ADZE_RUN_STEP_H
#define ADZE_RUN_STEP_H

#include "base/mem.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "run/plan.h"

struct step {
    struct step_nodes nodes;
    const struct kernel *kernel; /* NULL: the op's reference */
    int view;                    /* nothing to run: the result is an operand */
    size_t scratch_bytes;
    int64_t scratch_at;
    struct kernel_args args; /* tensors bound; arrays in the plan's arena */
    double seconds;
};

/* Where a value lies.  */
struct place {
    int root;   /* the value whose memory it shares; itself otherwise */
    int64_t at; /* offset in the block, of roots that live there; -1 */
    size_t bytes;
    int first, last; /* steps; of roots: the union of all that share */
    int pinned;      /* inputs, outputs, kept values: alive throughout */
};

struct plan {
    const struct graph *graph;
    const struct device *device;
    struct params *params;
    struct plan_opts opts;
    struct arena arena;
    struct step *step;
    int n_step, cap_step;
    struct place *place; /* by value index */
    struct tensor *tensor;
    size_t bytes, value_bytes; /* of the block; without scratch */
    void *block;
    const char **touched; /* parameters that update steps write; NULL-ended */
};

/* The last node of a step: its results are the step's.  */
static inline const struct node *step_last(const struct step *s)
{
    return s->nodes.node[s->nodes.n - 1];
}

/* What step S reads as operand I of its node number K.  */
const struct value *plan_operand(const struct step *s, int k, int i);

/* Group the nodes into steps, in an order in which they can run.  */
int plan_fuse(struct plan *p, struct err *e);
/* Fill place[], scratch_at, bytes and value_bytes.  */
int plan_memory(struct plan *p, struct err *e);

#endif
