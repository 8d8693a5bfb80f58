/* quantize.c -- numbers to 8 bits.
 * SPDX-License-Identifier: MIT
 *
 *     y = saturate(round(x / scale) + zero_point)
 *
 * Half rounds to even; saturate limits to [0, 255] (u8) or [-128, 127] (i8); a
 * NaN gives the zero point.
 *   x: any shape  scale, zero_point: one number each, or one per place along
 *   AXIS  y: as x, of DTYPE, which is zero_point's.
 * Backward keeps x, scale and zero_point and goes straight through: dx =
 * dy / scale where nothing was limited, else 0; dy is f32.  Jacob et al.,
 * "Quantization and training of neural networks", 2018.  ONNX QuantizeLinear.
 */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/quant.h"
#include "op/rule.h"

static const char *const types[] = {"u8", "i8", NULL};

static int infer(struct node *n, struct err *e)
{
    if (rule_float(n, QUANT_X, e) < 0 || rule_choice(n, "dtype", types, e) < 0)
        return -1;
    const enum dtype dt = (enum dtype)dtype_by_name(attr_str(n, "dtype"));
    if (quant_infer(n, dt, e) < 0)
        return -1;
    return rule_out(n, 0, dt, &n->in[QUANT_X]->shape, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 3 * shape_count(&n->out[0]->shape)};
}

/* x / scale + zero, not yet limited; real division, as the peers do it.  */
static double level(real x, real scale, int64_t zero)
{
    const real q = x / scale;
    return isnan(q) ? (double)zero : rint((double)q) + (double)zero;
}

static void forward(const struct op_args *a)
{
    const struct quant q = quant_of(a);
    const int64_t count = tensor_count(&a->in[QUANT_X]);
    const real *x = a->in[QUANT_X].data;
    for (int64_t i = 0; i < count; i++) {
        const double v = level(x[i], quant_scale(&q, i), quant_zero(&q, i));
        const double r = v < q.min ? q.min : v > q.max ? q.max : v;
        if (q.type == DTYPE_I8)
            ((int8_t *)a->out[0].data)[i] = (int8_t)r;
        else
            ((uint8_t *)a->out[0].data)[i] = (uint8_t)r;
    }
}

static void backward(const struct op_args *a)
{
    const struct quant q = quant_of(a);
    const int64_t count = tensor_count(&a->dout[0]);
    const real *x = a->in[QUANT_X].data, *dy = a->dout[0].data;
    real *dx = a->din[QUANT_X].data;
    for (int64_t i = 0; i < count; i++) {
        const real scale = quant_scale(&q, i);
        const double v = level(x[i], scale, quant_zero(&q, i));
        dx[i] = v < q.min || v > q.max ? 0 : dy[i] / scale;
    }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "scale", .role = ROLE_STATE, .init = "ones"},
    {.name = "zero_point", .role = ROLE_STATE, .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"dtype", 's', "u8", "u8 or i8"},
    {"axis", 'i', "1", "the axis of several scales"},
    {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_quantize = {
    .name = "quantize",
    .brief = "round numbers to 8 bits",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << QUANT_X | 1 << QUANT_SCALE | 1 << QUANT_ZERO,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"QuantizeLinear", 13, onnx},
};
