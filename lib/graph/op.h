/* op.h -- what an op is.  One constant record per op, one file per record
 * (lib/op/NAME.c).  Everything that must know about an op asks its record:
 * shape inference, the planner, gradients, adze-benchmark's flop column,
 * ONNX in both directions, the tests, and the table in adze-ops(7).
 * SPDX-License-Identifier: MIT
 *
 * The plain C functions of a record are its definition: loops over plain
 * row-major arrays of `real', double accumulators.  Kernels of a device are
 * faster, never different.
 *
 * Directions.  A node runs an op in one of three directions:
 *
 *   forward   reads its inputs, writes only its outputs.
 *   backward  reads what the forward node kept and the gradients of its
 *             results, writes the gradients of those inputs that need one.
 *             Gradients are written, not added to.
 *   update    run once a step, after everything else: writes inputs of role
 *             STATE or PARAM in place (running statistics, the optimiser).
 *             Of a forward node it reads those and the extras; of the DATA
 *             and results it knows the shapes alone, so that neither lives
 *             on for its sake.
 */
#ifndef ADZE_GRAPH_OP_H
#define ADZE_GRAPH_OP_H

#include <stdint.h>

#include "base/rng.h"
#include "tensor/tensor.h"

struct err;
struct node;

enum dir { DIR_FORWARD, DIR_BACKWARD, DIR_UPDATE };

enum role {
    ROLE_DATA,  /* an activation */
    ROLE_PARAM, /* learned; has a gradient */
    ROLE_STATE, /* kept between steps, not learned: running mean */
};

struct op_in {
    const char *name; /* "x"; for PARAM and STATE the suffix in the state
                         dict: "weight" */
    enum role role;
    const char *when; /* the yes/no attribute that says whether it is there;
                         NULL: always */
    const char *init; /* PARAM, STATE: "ones", "zeros", or "fan" (by layer
                         type: kaiming for conv2d, xavier for linear) */
};

struct op_attr {
    const char *name; /* "stride" */
    char kind;        /* i integer, f real, s string, b yes/no, v integers */
    const char *def;  /* default as text, NULL if it must be given */
    const char *help; /* one line */
};

struct op_cost {
    int64_t flop; /* conv: Cout M M (2 (Cin/groups) K K - 1), + bias */
    int64_t mac;  /* multiply-adds */
};

/* The ONNX operator that means the same, as data; what needs more than a row
 * is in a table of format/onnx_lower_X.c.  attrs: ours, theirs, ours, theirs,
 * NULL; ours may be a number ("=6"), theirs a scalar operand ("@2").  */
struct op_onnx {
    const char *type; /* "Conv"; NULL: no single ONNX op says this */
    int since;        /* lowest opset that means the same */
    const char *const *attrs;
};

/* What a reference function gets.  in and out have the operands of the
 * FORWARD node: in[n_in], out[n_out + n_aux].  An absent operand (optional,
 * not kept for backward, or an extra that nobody reads) has data == NULL; its
 * shape is set if its gradient is wanted or if it is a result.  */
struct op_args {
    const struct node *node;   /* attributes, train flag, n_in of a join */
    const struct tensor *in;   /* [n_in] */
    struct tensor *out;        /* [n_out + n_aux]; read-only in backward */
    const struct tensor *dout; /* backward: [n_out] */
    struct tensor *din;        /* backward: [n_in]; data NULL: not wanted */
    struct rng rng;            /* of (seed, step, node); OP_RANDOM only */
};

enum {
    OP_JOIN = 1 << 0,        /* any number of ROLE_DATA inputs (at least 1) in
                                place of in[0]; the other inputs follow */
    OP_ELEMENTWISE = 1 << 1, /* one input, one output of its shape, y[i] a
                                function of x[i] alone */
    OP_RANDOM = 1 << 2,      /* draws from a->rng when node->train */
    OP_TRAIN = 1 << 3,       /* node->train changes what forward does */
    OP_VIEW = 1 << 4,        /* output is input with another shape */
    OP_LOSS = 1 << 5,        /* first output is a loss [1] to be minimised */
    OP_INTERNAL = 1 << 6,    /* made by passes and plans; not for networks */
    OP_SUM = 1 << 7,         /* the gradient of an operand that has the shape
                                of the result is that of the result */
};

struct op {
    const char *name;       /* "conv2d" = file = test */
    const char *alias;      /* "conv": a short name for network files, NULL */
    const char *brief;      /* one line for adze-ops(7) */
    const struct op_in *in; /* ended by a NULL name */
    int n_out;              /* results; -1: as many as the attribute `sizes'
                               has numbers (split) */
    int n_aux;              /* outputs behind them that only backward and
                               update read (argmax, mean); made when
                               node->train or a backward node needs them */
    uint32_t keep_in;       /* bit i: backward reads input i (for a join, bit
                               0 stands for all of them) */
    uint32_t keep_out;      /* bit i: backward reads output i, extras too */
    uint32_t flags;
    const struct op_attr *attr; /* ended by a NULL name; NULL: none */

    /* Check the inputs and attributes, complete the attributes (a stride of
     * one number becomes two), set dtype and shape of every output, extras
     * included, and of every PARAM and STATE input whose rank is -1; one
     * that has a shape must agree.  ERR_SHAPE shows both shapes.  */
    int (*infer)(struct node *n, struct err *e);

    /* For one unit of batch.  NULL: one flop an output element, 0 mac.  */
    struct op_cost (*cost)(const struct node *n);

    void (*forward)(const struct op_args *a);
    void (*backward)(const struct op_args *a); /* NULL: not differentiable */
    void (*update)(const struct op_args *a);   /* NULL: changes nothing */
    struct op_onnx onnx;
};

#endif
