/* onnx_lower.h -- ops that need more than a row: several ONNX operators each,
 * or one whose form depends on the opset.  What the files of lowerings share.
 * SPDX-License-Identifier: MIT
 *
 * A lowering (onnx_lower_fn in onnx_build.h) returns 1 when it wrote the node,
 * 0 when the op's row says it, and -1.  Where the batch is symbolic, a size is
 * copied (0 in Reshape) or left to be found (-1).
 *
 * What a function below appends is on N's way; it returns the name of the
 * result, which is OUT or, if that is NULL, a new one.  Names and constants
 * live in the build's arena; nothing here fails.  */
#ifndef ADZE_FORMAT_ONNX_LOWER_H
#define ADZE_FORMAT_ONNX_LOWER_H

#include "format/onnx_build.h"

/* The first operand and the first result of node N of build B.  */
#define X onnx_in(b, n, 0)
#define Y onnx_out(b, n, 0)

struct onnx_lowering {
    const char *op; /* NULL ends a table */
    int since;      /* lowest opset of the operators used */
    onnx_lower_fn *lower;
};

/* onnx_lower_layers.c, onnx_lower_math.c, onnx_lower_move.c,
 * onnx_lower_picture.c, onnx_lower_token.c  */
extern const struct onnx_lowering onnx_lower_layers[], onnx_lower_maths[],
    onnx_lower_moves[], onnx_lower_pictures[], onnx_lower_tokens[];

/* The attribute `axis' of N, from the front.  */
int onnx_axis(const struct node *n);

/* X with the RANK sizes DIM; with its RANK axes in the order PERM.  */
const char *onnx_reshape(struct onnx_build *b, const struct node *n,
                         const char *x, const int64_t *dim, int rank,
                         const char *out);
const char *onnx_transpose(struct onnx_build *b, const struct node *n,
                           const char *x, const int64_t *perm, int rank,
                           const char *out);

/* Places [FROM, TO) of X along AXIS.  They are operands since opset 10.  */
const char *onnx_slice(struct onnx_build *b, const struct node *n,
                       const char *x, int64_t axis, int64_t from, int64_t to,
                       const char *out);

/* Pad by the COUNT sizes DIM (those in front, then those behind) with VALUE.
 * They are operands since opset 11.  MODE may be NULL.  */
const char *onnx_pad(struct onnx_build *b, const struct node *n, const char *x,
                     const int64_t *dim, int count, double value,
                     const char *mode, const char *out);

/* The first operand cut along AXIS into the COUNT pieces PART of SIZES places.
 * They are an attribute until opset 13, then an operand.  */
void onnx_split(struct onnx_build *b, const struct node *n,
                const int64_t *sizes, int count, int axis,
                const char *const *part);

/* P, [C], as it multiplies along AXIS of an array of rank RANK.  */
const char *onnx_along(struct onnx_build *b, const struct node *n,
                       const char *p, int64_t c, int axis, int rank);

#endif
