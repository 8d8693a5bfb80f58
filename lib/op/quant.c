/* quant.c -- what quantize and dequantize share: the scales.
 * SPDX-License-Identifier: MIT  */
#include "op/quant.h"

#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/rule.h"

/* Operand I has ONE or MORE elements.  */
static int fits(struct node *n, int i, int64_t one, int64_t more, struct err *e)
{
    struct value *v = n->in[i];
    if (v->shape.rank < 0)
        v->shape = shape_make(0, NULL);
    const int64_t count = shape_count(&v->shape);
    if (v->shape.batch || v->shape.rank > 1 || (count != one && count != more))
        return err_set(e, ERR_SHAPE, "%s %s does not fit input %s",
                       node_in_info(n, i)->name, ST(&v->shape),
                       ST(&n->in[QUANT_X]->shape));
    return 0;
}

int quant_infer(struct node *n, enum dtype dt, struct err *e)
{
    const struct shape *x = &n->in[QUANT_X]->shape;
    struct value *zero = n->in[QUANT_ZERO];
    const int64_t axis = attr_int(n, "axis");
    const int usable = axis >= 0 && axis < x->rank && !rule_batch(x, (int)axis);
    if (zero->shape.rank < 0)
        zero->dtype = dt;
    if (rule_float(n, QUANT_SCALE, e) < 0 ||
        fits(n, QUANT_SCALE, 1, usable ? x->dim[axis] : 1, e) < 0)
        return -1;
    const int64_t scales = shape_count(&n->in[QUANT_SCALE]->shape);
    if (fits(n, QUANT_ZERO, scales, scales, e) < 0)
        return -1;
    if (zero->dtype != dt)
        return err_set(e, ERR_SHAPE, "operand zero_point is %s, not %s",
                       dtype_name(zero->dtype), dtype_name(dt));
    return 0;
}

struct quant quant_of(const struct op_args *a)
{
    const struct tensor *scale = &a->in[QUANT_SCALE];
    const struct axis s =
        axis_of(&a->in[QUANT_X].shape, (int)attr_int(a->node, "axis"));
    const enum dtype type = a->in[QUANT_ZERO].dtype;
    return (struct quant){
        .inner = s.inner,
        .count = tensor_count(scale),
        .scale = scale->data,
        .zero = a->in[QUANT_ZERO].data,
        .type = type,
        .min = type == DTYPE_I8 ? -128 : 0,
        .max = type == DTYPE_I8 ? 127 : 255,
    };
}

real quant_scale(const struct quant *q, int64_t i)
{
    return q->scale[i / q->inner % q->count];
}

int64_t quant_number(enum dtype t, const void *data, int64_t i)
{
    return t == DTYPE_U8   ? ((const uint8_t *)data)[i]
           : t == DTYPE_I8 ? ((const int8_t *)data)[i]
                           : ((const int32_t *)data)[i];
}

int64_t quant_zero(const struct quant *q, int64_t i)
{
    return quant_number(q->type, q->zero, i / q->inner % q->count);
}
