/* onnx_fold.h -- operators over constants, and arithmetic on sizes, evaluated
 * while reading: what the files of them share.
 * SPDX-License-Identifier: MIT
 *
 * A number is a constant, or a constant times the batch: N, 64 N.  What would
 * be neither is not evaluated, and then the operator that asks for it says so.
 *
 * A fold returns 1 when it put the result of its operator, 0 when it is none
 * that can be evaluated, and -1 with E filled.  */
#ifndef ADZE_FORMAT_ONNX_FOLD_H
#define ADZE_FORMAT_ONNX_FOLD_H

#include "format/onnx_import.h"

enum { FOLD_FLAGS = 64 }; /* numbers of a constant that may count batches */

struct onnx_fold {
    const char *type; /* NULL ends a table */
    import_fn *fold;
};

/* onnx_fold_make.c, onnx_fold_math.c, onnx_fold_move.c, onnx_fold_pick.c  */
extern const struct onnx_fold onnx_fold_makes[], onnx_fold_maths[],
    onnx_fold_moves[], onnx_fold_picks[];

/* onnx_fold_math.c: the fold of operators that are arithmetic number by number,
 * on one operand or two.  */
int onnx_fold_math(struct import *r, const onode *o, struct err *e);

/* ---- numbers ---- */

struct number {
    int64_t i; /* of a whole type */
    double f;
    int batch; /* it counts batches */
};

/* T is a type of whole numbers, or yes and no.  */
int onnx_fold_whole(enum dtype t);
/* Element I of T.  */
const void *onnx_fold_at(const struct tensor *t, int64_t i);
/* Number I of S; the same of T and *BATCH (struct slot) becomes X.  */
struct number onnx_fold_get(const struct slot *s, int64_t i);
void onnx_fold_put(struct tensor *t, uint64_t *batch, int64_t i,
                   struct number x);

/* ---- operands and results ---- */

/* The constant operand I of O: 1, 0 if it is none.  A copy, as new names move
 * the slots.  */
int onnx_fold_operand(struct import *r, const onode *o, size_t i,
                      struct slot *s);

/* Memory for a result of O, the caller's; -1 if it is too large, or there are
 * too many.  */
int onnx_fold_new(struct import *r, const onode *o, struct tensor *t,
                  enum dtype dt, const struct shape *s, struct err *e);

/* The result of O is *T (taken, also on error); or the N numbers V, as [N] or,
 * if RANK is 0, as one.  BATCH as in struct slot.  1, or -1.  */
int onnx_fold_done(struct import *r, const onode *o, struct tensor *t,
                   uint64_t batch, struct err *e);
int onnx_fold_ints(struct import *r, const onode *o, const int64_t *v, int rank,
                   int n, uint64_t batch, struct err *e);

/* Where a run along an axis of DIM places begins, how many it has.  */
void onnx_fold_run(int64_t dim, int64_t start, int64_t end, int64_t step,
                   int64_t *from, int64_t *count);

#endif
