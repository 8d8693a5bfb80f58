/* steps.h -- the steps of a network file into nodes of a graph.
 * SPDX-License-Identifier: MIT
 *
 * Private to network.c and what it is made of.  steps.c runs the control
 * steps and blocks, opstep.c adds an op or a free tensor, stepname.c finds what
 * a name stands for.  */
#ifndef ADZE_FORMAT_STEPS_H
#define ADZE_FORMAT_STEPS_H

#include <stdint.h>

#include "base/hash.h"
#include "base/mem.h"
#include "format/expr.h"

struct err;
struct graph;
struct op;
struct value;
struct yaml;

struct steps {
    struct graph *g;
    struct arena *arena; /* what lives as long as the reading */
    struct err *e;
    const struct expr_env *params; /* of the network */
    struct block {
        const struct yaml *y;
        int active;
    } * block;
    int n_block, cap_block;
    struct name_map blocks; /* name -> block */
    struct name_map scopes; /* path -> scope_value */
    struct value **scope_value;
    int n_scope, cap_scope;
    struct name_map counts; /* stem of unnamed steps -> count */
    int *count;
    int n_count, cap_count;
    int no_classes;     /* layers of no outputs are left out */
    int left_out;       /* how many were */
    int64_t nodes_left; /* ops that may still be added */
    int64_t work_left;  /* bytes of text that may still be evaluated */
};

/* Where a step stands.  */
struct place {
    const char *path; /* scope, "" at the top */
    struct value *x;  /* the current value */
    const struct expr_env *env;
    int64_t *k; /* iterations so far in the innermost `each' */
    int depth;
};

/* A step after its common arguments were read.  */
struct entry {
    const struct yaml *step, *args; /* ARGS may be NULL */
    struct place at;                /* path: the step's own if it has `as' */
    const char *outer;              /* path around the step */
    int named, go;                  /* it has `as'; its condition holds */
    struct value **from;
    int n_from;
    struct expr_env in[4]; /* $in, $in_n, $in_h, $in_w */
};

void steps_init(struct steps *s, struct graph *g, struct arena *a,
                int64_t limit_nodes, struct err *e);
void steps_release(struct steps *s);

/* Make the blocks of the mapping BLOCKS known, unless nearer ones are.  */
int steps_blocks(struct steps *s, const struct yaml *blocks);

/* Run Y, a list of steps or one step; *OUT is the value behind it.  */
int steps_run(struct steps *s, const struct yaml *y, const struct place *at,
              struct value **out);

/* Account for N bytes of text at Y.  */
int steps_spend(struct steps *s, const struct yaml *y, size_t n);

/* Add the op or free tensor of N under the name that it gives itself.  VALUES
 * are its operands.  */
int opstep_add(struct steps *s, const struct op *op, const char *name,
               const struct entry *n, struct value *const *values, int n_values,
               struct value **out);
/* "param", "state", "const": is NAME one, and add it.  */
int opstep_is_tensor(const char *name);
int opstep_tensor(struct steps *s, const char *name, const struct entry *n,
                  struct value **out);

#endif
