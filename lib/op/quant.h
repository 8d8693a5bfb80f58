/* quant.h -- what quantize and dequantize share: the scales.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_QUANT_H
#define ADZE_OP_QUANT_H

#include "base/real.h"
#include "graph/op.h"

struct err;
struct node;

enum { QUANT_X, QUANT_SCALE, QUANT_ZERO };

/* infer: scale and zero point have one element, or as many as x along axis;
 * those without a shape get one element; zero_point is of type DT.  */
int quant_infer(struct node *n, enum dtype dt, struct err *e);

struct quant {
    int64_t inner, count; /* element i has scale number i / inner % count */
    const real *scale;
    const void *zero;
    enum dtype type; /* of the zero point: u8, i8 or i32 */
    double min, max; /* of the type, if it has 8 bits */
};

struct quant quant_of(const struct op_args *a);
/* Those of element I of x; quant_zero() needs the zero point kept.  */
real quant_scale(const struct quant *q, int64_t i);
int64_t quant_zero(const struct quant *q, int64_t i);
/* Element I of DATA, which is of type T (u8, i8 or i32).  */
int64_t quant_number(enum dtype t, const void *data, int64_t i);

#endif
