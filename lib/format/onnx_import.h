/* onnx_import.h -- a file of ONNX operators on its way into a graph: what the
 * readers of operators share.
 * SPDX-License-Identifier: MIT
 *
 * Each name of the file stands for a value of the graph or for a constant.
 * Constants are tensors; whole numbers among them may count multiples of the
 * batch ([N,3,224,224] is a constant whose first number does), which is how
 * arithmetic on sizes is evaluated while reading.  A constant becomes a value
 * of the graph when an op first asks for it.
 *
 * Readers of operators return 0, or -1 with E filled; import_no() says that a
 * form is not read here.  What they allocate lives in the graph's arena.  */
#ifndef ADZE_FORMAT_ONNX_IMPORT_H
#define ADZE_FORMAT_ONNX_IMPORT_H

#include "base/hash.h"
#include "format/onnx.pb-c.h"
#include "format/onnx_tensor.h"
#include "graph/graph.h"

typedef Onnx__NodeProto onode;

enum { IMPORT_ATTRS = 16, IMPORT_OPERANDS = 4096 };

struct slot {
    const char *name;
    const Onnx__TensorProto *file; /* an initialiser that is not loaded yet */
    struct tensor t;               /* a constant, if IS_CONST */
    uint64_t batch;                /* bit i: number i of t counts batches */
    int is_const;
    struct value *v; /* in the graph; NULL: not there (yet) */
    int merged;      /* axis of v, the batch, that the file has as one with the
                        axis before it: [T,N,C] for [T N,C]; 0: none */
    int from;        /* the operator that computes it; -1: none */
    int needed;      /* by an operator that is read, or as an output */
};

struct import {
    const Onnx__GraphProto *m;
    struct graph *g;
    struct onnx_beside beside;
    int64_t opset;
    int64_t batch;         /* as the file fixes it; 0: symbolic */
    const int64_t *size;   /* [2] for inputs that do not say; NULL */
    int64_t bytes_left;    /* for constants that are computed */
    struct name_map names; /* -> index of slot */
    struct slot *slot;
    int n_slot, cap_slot;
    struct name_map stems; /* of names -> index of taken: how many have it */
    int *taken, n_stem, cap_stem;
    struct match **match; /* [n_node]: onnx_pattern.c */
    char *skip;           /* [n_node]: folded, or nobody reads it */
};

/* "ONNX operator 'X' at 'NODE': WHAT", ERR_UNSUPPORTED.  Returns -1.  */
int import_no(const onode *o, const char *what, struct err *e);

/* ---- operands and results ---- */

/* Operand I is there.  */
int import_has(const onode *o, size_t i);
/* The slot of operand I, loaded if it is an initialiser; NULL with an error. */
struct slot *import_slot(struct import *r, const onode *o, size_t i,
                         struct err *e);
/* The slot called NAME; NULL if there is none.  */
struct slot *import_find(const struct import *r, const char *name);
/* The slot called NAME, new or waiting for its value; NULL with ERR_FORMAT if
 * it has one.  */
struct slot *import_new(struct import *r, const char *name, struct err *e);

/* Operand I as a value of the graph; a constant becomes one of KIND, of f32
 * if it is of another float type.  */
struct value *import_value(struct import *r, const onode *o, size_t i,
                           enum value_kind kind, struct err *e);
/* The same, merged or not: *MERGED as in struct slot.  */
struct value *import_merged(struct import *r, const onode *o, size_t i,
                            int *merged, struct err *e);
/* The same of what is called NAME.  */
struct value *import_named(struct import *r, const char *name,
                           enum value_kind kind, struct err *e);
/* The constant NAME of C numbers, [C] or with sizes of 1 around it, as a
 * parameter [C]; NULL if it is none.  */
struct value *import_vector(struct import *r, const char *name, int64_t c,
                            struct err *e);
/* Operand I as a constant without batches in it; NULL if it is none.  */
const struct tensor *import_const(struct import *r, const onode *o, size_t i);
/* As whole numbers, at most IMPORT_OPERANDS; *BATCH says which of the first
 * 64 count batches, NULL: none may.  NULL if it is no such constant.  */
const int64_t *import_ints(struct import *r, const onode *o, size_t i,
                           int *count, uint64_t *batch);
/* As one number; -1 if it is none.  */
int import_real(struct import *r, const onode *o, size_t i, double *v);

/* Result I of O is V (NULL: -1, as after an error), or the constant *T (taken,
 * also on error).  */
int import_put(struct import *r, const onode *o, size_t i, struct value *v,
               struct err *e);
void import_set_merged(struct import *r, const onode *o, int merged);
int import_put_const(struct import *r, const onode *o, size_t i,
                     struct tensor *t, uint64_t batch, struct err *e);
/* Result 0 of O is what S stands for.  */
int import_alias(struct import *r, const onode *o, const struct slot *s,
                 struct err *e);

/* A constant of the graph named after STEM, with a share of T.  */
struct value *import_tensor(struct import *r, const char *stem,
                            enum value_kind kind, const struct tensor *t);
/* f32 constants: of N copies of V; of shape [1].  NULL with an error.  */
struct value *import_fill(struct import *r, const char *stem,
                          enum value_kind kind, const struct shape *s, float v,
                          struct err *e);

/* Take BYTES for a computed constant: -1 if there would be too many.  */
int import_spend(struct import *r, const onode *o, int64_t bytes,
                 struct err *e);

/* ---- attributes of the file ---- */

const Onnx__AttributeProto *import_attr(const onode *o, const char *name);
int64_t import_attr_int(const onode *o, const char *name, int64_t def);
double import_attr_real(const onode *o, const char *name, double def);
int import_attr_is(const onode *o, const char *name, const char *text);
/* The list NAME of O, or DEF if it is not there; NULL unless it has N.  */
const int64_t *import_attr_ints(const onode *o, const char *name, size_t n,
                                const int64_t *def);
/* A list that is an attribute or operand I.  NULL if it is neither.  */
const int64_t *import_list(struct import *r, const onode *o, const char *name,
                           size_t i, int *count);

/* ---- adding ops ---- */

/* Attributes for graph_add().  */
struct attrs {
    struct attr_text item[IMPORT_ATTRS + 1];
    int n;
};

void import_set(struct attrs *a, const char *name, const char *text);
void import_set_int(struct import *r, struct attrs *a, const char *name,
                    int64_t v);
void import_set_real(struct import *r, struct attrs *a, const char *name,
                     double v);
void import_set_ints(struct import *r, struct attrs *a, const char *name,
                     const int64_t *v, int count);

/* Op OP over IN, for the operator O: named by its parameters (conv1.weight:
 * conv1), or by O's first result.  NULL with an error.  A may be NULL.  */
struct node *import_add(struct import *r, const onode *o, const char *op,
                        struct value *const *in, int n_in,
                        const struct attrs *a, struct err *e);
/* The same over X alone; the result.  */
struct value *import_add1(struct import *r, const onode *o, const char *op,
                          struct value *x, const struct attrs *a,
                          struct err *e);
struct value *import_add2(struct import *r, const onode *o, const char *op,
                          struct value *x, struct value *y, struct err *e);
/* O is op OP over its first N_IN operands.  */
int import_as(struct import *r, const onode *o, const char *op, int n_in,
              const struct attrs *a, struct err *e);
/* The results of N are those of O.  */
int import_results(struct import *r, const onode *o, const struct node *n,
                   struct err *e);

/* X with the sizes of S, whose batch stands where S has it (S without one:
 * where it falls); with its axes in the order PERM; a run of places.  NULL
 * with an error.  */
struct value *import_view(struct import *r, const onode *o, struct value *x,
                          const struct shape *s, struct err *e);
struct value *import_turn(struct import *r, const onode *o, struct value *x,
                          const int64_t *perm, struct err *e);
struct value *import_cut(struct import *r, const onode *o, struct value *x,
                         int axis, int64_t start, int64_t length,
                         struct err *e);

/* IN, one behind the other along the axis of O; what is the same for all
 * samples as tokens in front.  NULL with an error.  */
struct value *import_join(struct import *r, const onode *o,
                          struct value *const *in, int n, struct err *e);

/* AXIS of something of rank RANK, from the front; -1 if it is none.  */
int import_axis(int64_t axis, int rank);

/* ---- the other files ---- */

/* onnx_read_row.c: O by the row of an op, backwards.  1: read, 0: no row says
 * it, -1.  */
int import_row(struct import *r, const onode *o, struct err *e);

/* Operators that need a function: onnx_read_layers.c, _math.c and so on.  */
typedef int import_fn(struct import *r, const onode *o, struct err *e);

struct import_op {
    const char *type;
    size_t min, max; /* operands */
    import_fn *read;
    int moves; /* numbers, or chooses among them, and computes none: what is in
                  8 bits stays so (import_eight()) */
};

extern const struct import_op import_joins[], import_layers[], import_maths[],
    import_parts[], import_pictures[], import_quants[], import_sizes[];

/* onnx_read_layers.c: O, a Conv over pictures; ADD, if it is not NULL, puts the
 * constant BIAS to it, one number a channel.  */
int import_conv(struct import *r, const onode *o, const onode *add,
                const char *bias, struct err *e);

/* onnx_read_layers.c: O, a MatMul with a constant matrix, and operand AT of
 * ADD, which may be NULL, as a linear layer.  */
int import_linear(struct import *r, const onode *o, const onode *add, size_t at,
                  struct err *e);

/* onnx_read_math.c: the result of O is the mean of each picture of X, [N,C], or
 * [N,C,1,1] if KEEP.  */
int import_global_mean(struct import *r, const onode *o, struct value *x,
                       int keep, struct err *e);

/* onnx_read_conv1d.c: O, a Conv whose weight has three sizes.  */
int import_conv1d(struct import *r, const onode *o, struct err *e);

/* The function for O, or NULL.  */
const struct import_op *import_op_find(const onode *o);

/* onnx_read_quant.c: OP, which moves, reads O in floating point where its
 * operand is in 8 bits.  1: read, 0: it is not, -1.  */
int import_eight(struct import *r, const onode *o, const struct import_op *op,
                 struct err *e);

/* onnx_fold.c: evaluate O if all that it reads is constant, or it asks for
 * sizes.  1: done, 0: not one of those, -1.  */
int import_fold(struct import *r, const onode *o, struct err *e);

/* onnx_pattern.c: see which operators are needed, and which of them are parts
 * of one op.  */
void import_match(struct import *r);
/* Read the op that operator AT ends.  1: it was one, 0, -1.  */
int import_matched(struct import *r, size_t at, struct err *e);

/* onnx_attention.c: softmax between products of parts of one value is
 * attention, where the numbers lie so.  */
int import_attention(struct graph *g, struct err *e);

/* onnx_turns.c: *G with arithmetic on channels first instead of last, where
 * that leaves fewer turns; it may be another graph then.  */
int import_turns(struct graph **g, struct err *e);

#endif
