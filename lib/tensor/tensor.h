/* tensor.h -- an array: type, shape, and counted storage.
 * SPDX-License-Identifier: MIT
 *
 * A struct tensor is a small value: pass it by const pointer, copy it freely
 * as a borrowed view.  A tensor that owns a share of its storage is made by
 * tensor_new(), tensor_convert() or tensor_ref() and given up by
 * tensor_unref().  Elements are always contiguous in row-major order.
 *
 *     struct tensor t;
 *     if (tensor_new(&t, DTYPE_F32, &shape, &e) < 0) ...
 *     float *p = t.data;
 *     tensor_unref(&t);  */
#ifndef ADZE_TENSOR_TENSOR_H
#define ADZE_TENSOR_TENSOR_H

#include "tensor/dtype.h"
#include "tensor/shape.h"

struct err;
struct storage; /* counted memory; atomic counts */

struct tensor {
    enum dtype dtype;
    struct shape shape; /* bound: no batch bits */
    void *data;
    struct storage *own; /* NULL: borrowed */
};

/* Zeroed storage for SHAPE, aligned to 64 bytes, with a share for *T.
 * ERR_SHAPE if the size overflows, ERR_NOMEM with the bytes asked for.  */
int tensor_new(struct tensor *t, enum dtype dt, const struct shape *s,
               struct err *e);

/* Memory that something else owns (a mapped file): RELEASE(ctx) is called
 * when the last share is given up.  The tensors over it are tensor_view()s.
 */
struct storage *storage_wrap(void (*release)(void *ctx), void *ctx);
void storage_ref(struct storage *s);
void storage_unref(struct storage *s);

/* Another share of T's storage, same view.  */
struct tensor tensor_ref(const struct tensor *t);
void tensor_unref(struct tensor *t); /* T may be zero; zeroes it */

/* A borrowed view of DATA.  */
struct tensor tensor_view(enum dtype dt, const struct shape *s, void *data);
/* Rows [FROM, FROM + N) along the first dimension, borrowed.  */
struct tensor tensor_rows(const struct tensor *t, int64_t from, int64_t n);

int64_t tensor_count(const struct tensor *t);
size_t tensor_bytes(const struct tensor *t);

/* A copy with storage of its own, converted to DT.  */
int tensor_convert(struct tensor *to, const struct tensor *from, enum dtype dt,
                   struct err *e);

/* All elements finite (integers always are).  */
int tensor_finite(const struct tensor *t);

#endif
