/* graph.h -- what a network is: values, and nodes that compute them.
 * SPDX-License-Identifier: MIT
 *
 * A graph owns its nodes, values and names; tensors of parameters are shared
 * by reference between graphs.  Invariants (graph_check()):
 *   - nodes stand in topological order;
 *   - each value and each node has a name of its own; the first output of a
 *     node bears the node's name, further ones NAME/1, NAME/2;
 *   - every use list is exact; every shape and dtype is set and equal to what
 *     the op's infer() gives;
 *   - operands that an op calls optional may be NULL, no others.
 *
 * Building:
 *     struct graph *g = graph_new("net");
 *     struct value *x = graph_input(g, "image", DTYPE_F32, &shape);
 *     struct node *n = graph_add(g, op_find("relu"), "relu", &x, 1, NULL, &e);
 *     graph_output(g, "logits", n->out[0], 0);
 *
 * A pass copies a graph, edits the copy with graph_add(), graph_replace() and
 * graph_remove(), and ends with graph_sort().
 *
 * A training graph is an ordinary graph.  A node of direction BACKWARD has as
 * inputs, in fixed places, the operands of its forward node that the op keeps
 * (NULL where not kept), its outputs likewise, then the gradients of its
 * results:  in[n_in] out[n_out + n_aux] dout[n_out]; its outputs are the
 * gradients of the inputs (NULL where none is wanted).  An UPDATE node has
 * in[n_in] out[n_out + n_aux] as inputs and no outputs.  node_op_in() and
 * friends say where each part starts.  */
#ifndef ADZE_GRAPH_GRAPH_H
#define ADZE_GRAPH_GRAPH_H

#include "base/hash.h"
#include "base/mem.h"
#include "graph/attr.h"
#include "graph/op.h"

struct err;

enum value_kind {
    VALUE_NODE,  /* computed */
    VALUE_INPUT, /* given to each run */
    VALUE_PARAM, /* learned */
    VALUE_STATE, /* kept, not learned */
    VALUE_CONST  /* fixed; made by passes */
};

struct value {
    const char *name;
    enum value_kind kind;
    enum dtype dtype;
    struct shape shape; /* rank -1: not known yet */
    struct node *node;  /* VALUE_NODE: who computes it, as which output */
    int out;
    struct use {
        struct node *node;
        int in;
    } * use;
    int n_use, cap_use;
    struct tensor data; /* PARAM, STATE, CONST: a share, or data NULL */
    const char *init;   /* PARAM, STATE: op_in.init or a network's own */
    int frozen;         /* PARAM: not trained */
    int index;          /* in graph->value */
};

struct node {
    const char *name;
    const struct op *op;
    enum dir dir;
    int train;                /* batch statistics, dropout on */
    struct value **in, **out; /* entries may be NULL: see above */
    int n_in, n_out;
    int n_join;         /* OP_JOIN: how many data inputs the op has; else 1 */
    struct attr *attr;  /* parallel to op->attr */
    const char *origin; /* BACKWARD, UPDATE: name of the forward node, whose
                           random numbers they draw again; else NULL */
    struct shape *in_shape; /* BACKWARD, UPDATE of a forward node: [n_in],
                               also of entries that are NULL; else NULL */
    int index;              /* in graph->node */
    struct graph *graph;
};

struct output {
    const char *name;
    struct value *value;
    int train;   /* only while training (auxiliary heads) */
    double loss; /* so many times its cross-entropy joins the loss; 0: not */
};

struct graph {
    struct arena arena;
    const char *name;
    struct node **node;
    int n_node, cap_node;
    struct value **value;
    int n_value, cap_value;
    struct output *output;
    int n_output, cap_output;
    struct name_map names; /* of values -> index */
};

struct graph *graph_new(const char *name);
void graph_free(struct graph *g); /* gives its shares of tensors up */

/* A copy with the same order, names and indices; tensors shared.  */
struct graph *graph_copy(const struct graph *g);

/* ---- building ---- */

struct value *graph_input(struct graph *g, const char *name, enum dtype dt,
                          const struct shape *s);
/* A PARAM, STATE or CONST value; takes a share of *T if T is given (its shape
 * then), else SHAPE, or rank -1 if that is NULL (infer sets it).  */
struct value *graph_tensor(struct graph *g, const char *name,
                           enum value_kind kind, const struct shape *s,
                           const struct tensor *t);
/* Give or replace the data of a PARAM, STATE or CONST value; shape and dtype
 * become T's.  Takes a share.  */
void value_set_data(struct value *v, const struct tensor *t);

/* Append a forward node named NAME (ERR_USAGE if a value has that name).  IN
 * holds the operands given; PARAM and STATE operands behind them that the
 * caller did not give are made here as NAME.weight and so on, absent where
 * their `when' attribute is no.  Runs infer.  NULL on error (the graph is
 * then good only for graph_free()).  */
struct node *graph_add(struct graph *g, const struct op *op, const char *name,
                       struct value *const *in, int n_in,
                       const struct attr_text *attr, struct err *e);

/* The same without making operands: IN is complete, entries may be NULL.
 * For passes; copies the attributes of LIKE if that is given (same op).  */
struct node *graph_add_like(struct graph *g, const struct op *op,
                            const char *name, struct value *const *in, int n_in,
                            const struct node *like, struct err *e);

/* Append a BACKWARD node for N: want[i] says whether input i gets a gradient;
 * DOUT has N's n_out gradients.  Append an UPDATE node for N.  */
struct node *graph_add_backward(struct graph *g, const struct node *n,
                                struct value *const *dout, const int *want,
                                struct err *e);
struct node *graph_add_update(struct graph *g, const struct node *n,
                              struct err *e);
/* An op that has only update(): sgd.  Operands as given; optional ones behind
 * them are absent.  */
struct node *graph_add_step(struct graph *g, const struct op *op,
                            const char *name, struct value *const *in, int n_in,
                            const struct attr_text *attr, struct err *e);

/* The output, without a loss, until the next one is made.  */
struct output *graph_output(struct graph *g, const char *name, struct value *v,
                            int train);

/* ---- editing ---- */

/* All uses of OLD, outputs of the graph included, read NEW instead.  */
void graph_replace(struct graph *g, struct value *old, struct value *new_);
/* Operand I of N becomes V (may be NULL).  */
void node_set_in(struct node *n, int i, struct value *v);
/* Nodes FROM and all behind it stand in front of node TO (<= FROM) then.  */
void graph_move(struct graph *g, int from, int to);
/* Remove a node whose outputs have no use; its outputs go with it.  */
void graph_remove(struct graph *g, struct node *n);
/* Drop nodes that reach no output and no update, and tensors unused then.  */
void graph_prune(struct graph *g);
/* V gets the name NAME (free).  A node's name and its further outputs follow
 * its first output.  */
void value_rename(struct graph *g, struct value *v, const char *name);
/* Topological order, stable: nodes keep their order where they can; UPDATE
 * nodes last.  Renumbers.  */
void graph_sort(struct graph *g);

/* ---- asking ---- */

struct value *graph_value(const struct graph *g, const char *name);
/* NAME itself, or the last value below the scope NAME: "layer3".  */
struct value *graph_scope_value(const struct graph *g, const char *name);
struct value *graph_output_value(const struct graph *g, const char *name);
/* The output that a network is asked for: `logits', or else its first one,
 * such as `features' where it ends before its classifier; "" for none.  */
const char *graph_answer(const struct graph *g);
/* STEM, or STEM_2, STEM_3 ...: a name that no value has (arena text).  */
const char *graph_name_free(struct graph *g, const char *stem);

/* N is not NULL and runs one of the ops in NAMES, which are separated by '|',
 * whatever its direction: "conv2d|linear".  */
int node_is(const struct node *n, const char *names);
/* Operand counts of the op that N runs, whatever its direction.  */
int node_op_in(const struct node *n);  /* data and parameters of forward */
int node_op_out(const struct node *n); /* results + extras */
/* The record's entry for operand I of the forward node.  */
const struct op_in *node_in_info(const struct node *n, int i);
/* Operand I by its record name: "weight"; -1 if the op has none.  */
int node_in_index(const struct node *n, const char *name);

/* The dequantize node that computes operand I of N, or NULL.  */
const struct node *node_dequantize(const struct node *n, int i);

/* Of a FORWARD node, for one unit of batch.  */
struct op_cost node_cost(const struct node *n);
/* Multiply-adds for one unit of batch, whatever the direction: a BACKWARD
 * node does those of its forward node once for each gradient, but that of a
 * bias.  */
int64_t node_mac(const struct node *n);
/* V is a PARAM, STATE or CONST; NULL is none.  */
int value_is_tensor(const struct value *v);
/* V was learned: a PARAM, or a tensor that a dequantize makes numbers of, as
 * weights and biases are in 8 bits; not its scale and zero point.  */
int value_is_learned(const struct value *v);
int value_is_output(const struct graph *g, const struct value *v);

/* The invariants; ERR_FORMAT names the first that does not hold.  */
int graph_check(const struct graph *g, struct err *e);

#endif
