/* onnx_build.h -- an ONNX graph under construction: what onnx.c and the
 * lowerings of ops (onnx_lower.h) share.
 * SPDX-License-Identifier: MIT
 *
 *     const char *y = onnx_temp(b, n);
 *     onnx_set_int(b, onnx_op(b, "Softmax", &x, 1, y), "axis", -1);
 *
 * Everything lives in the build's arena.  */
#ifndef ADZE_FORMAT_ONNX_BUILD_H
#define ADZE_FORMAT_ONNX_BUILD_H

#include <stdint.h>

#include "base/hash.h"
#include "base/mem.h"
#include "format/onnx.pb-c.h"
#include "tensor/tensor.h"

struct err;
struct graph;
struct node;
struct value;

struct onnx_build {
    struct arena arena;
    struct err *e; /* of who writes */
    const struct graph *g;
    int64_t opset;
    int half;          /* f32 is written as f16 */
    const char **name; /* [n_value]: names in the file */
    char *used;        /* [n_value]: tensors that are read */
    struct name_map names;
    Onnx__NodeProto **node;
    int n_node, cap_node;
    Onnx__TensorProto **tensor; /* made here: sizes, limits */
    int n_tensor, cap_tensor;
};

/* Operand I of N as the file names it; "" where it is absent.  */
const char *onnx_in(struct onnx_build *b, const struct node *n, int i);
/* Result I of N.  */
const char *onnx_out(struct onnx_build *b, const struct node *n, int i);
/* A new name for a value on N's way.  */
const char *onnx_temp(struct onnx_build *b, const struct node *n);

/* Append an operator.  Its name is that of its result.  */
Onnx__NodeProto *onnx_op(struct onnx_build *b, const char *type,
                         const char *const *in, int n_in, const char *out);
/* The same with one or two operands; returns the name of the result, which
 * is OUT or, if that is NULL, a new one on N's way.  */
const char *onnx_op1(struct onnx_build *b, const struct node *n,
                     const char *type, const char *x, const char *out);
const char *onnx_op2(struct onnx_build *b, const struct node *n,
                     const char *type, const char *x, const char *y,
                     const char *out);

void onnx_set_int(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                  int64_t v);
void onnx_set_ints(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   const int64_t *v, int count);
void onnx_set_real(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   double v);
void onnx_set_text(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   const char *v);

/* A constant; returns its name.  */
const char *onnx_const_ints(struct onnx_build *b, const struct node *n,
                            const int64_t *v, int count);
const char *onnx_const_real(struct onnx_build *b, const struct node *n,
                            double v);
/* f32 data of shape S, copied.  */
const char *onnx_const_data(struct onnx_build *b, const struct node *n,
                            const struct shape *s, const float *data);

/* ---- onnx_lower.c ---- */

/* Writes node N as several operators.  1, or 0 where the row of N's op says
 * it already, or -1 with the build's error filled.  */
typedef int onnx_lower_fn(struct onnx_build *b, const struct node *n);

/* The lowering of ops named OP, or NULL; *SINCE is the opset it needs.  */
onnx_lower_fn *onnx_lower_find(const char *op, int *since);

/* The tensor type that stands for DT; -1 if there is none.  */
int onnx_type(enum dtype dt);

#endif
