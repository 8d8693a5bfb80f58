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
    int is_signed;
    double min, max; /* of the type */
};

struct quant quant_of(const struct op_args *a);
/* Those of element I of x; quant_zero() needs the zero point kept.  */
real quant_scale(const struct quant *q, int64_t i);
int quant_zero(const struct quant *q, int64_t i);

#endif
