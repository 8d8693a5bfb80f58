/* maxpool2d.c -- the largest number under a sliding window.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,C,P,Q], P and Q as in window.h
 *   extra: argmax [N,C,P,Q] i32, h W + w within the plane.
 * Padding never wins; of equals the first in row order does; a NaN wins.
 * Backward keeps argmax: dx is the sum of the dy that it feeds.  ONNX
 * MaxPool.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/window.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    struct window w;
    if (rule_data(n, 0, 4, 4, e) < 0 || window_infer(&w, n, &y, e) < 0 ||
        window_pool(&w, e) < 0)
        return -1;
    y.dim[2] = w.out[0];
    y.dim[3] = w.out[1];
    if (w.in[0] > INT32_MAX / w.in[1])
        return err_set(e, ERR_SHAPE, "input %s is too large",
                       ST(&n->in[0]->shape));
    if (rule_out(n, 0, DTYPE_F32, &y, e) < 0 ||
        rule_out(n, 1, DTYPE_I32, &y, e) < 0)
        return -1;
    return rule_work(n, w.kernel[0] * w.kernel[1], e);
}

static struct op_cost cost(const struct node *n)
{
    int count;
    const int64_t *k = attr_ints(n, "kernel", &count);
    return (struct op_cost){.flop = shape_count(&n->out[0]->shape) *
                                    (k[0] * k[1] - 1)};
}

static int32_t winner(const struct window *w, const real *x, int64_t p,
                      int64_t q)
{
    int64_t h0, r0, r1, w0, s0, s1;
    int64_t best = -1;
    window_taps(w, 0, p, &h0, &r0, &r1);
    window_taps(w, 1, q, &w0, &s0, &s1);
    for (int64_t r = r0; r < r1; r++)
        for (int64_t s = s0; s < s1; s++) {
            const int64_t at = (h0 + r) * w->in[1] + w0 + s;
            if (best < 0 || x[at] > x[best] ||
                (isnan(x[at]) && !isnan(x[best])))
                best = at;
        }
    return (int32_t)best;
}

static void forward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape;
    const struct window w = window_of(a->node, xs, &a->out[0].shape);
    const int64_t planes = xs->dim[0] * xs->dim[1];
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    int32_t *argmax = a->out[1].data;
    for (int64_t i = 0; i < planes; i++, x += w.in[0] * w.in[1])
        for (int64_t p = 0; p < w.out[0]; p++)
            for (int64_t q = 0; q < w.out[1]; q++) {
                const int32_t at = winner(&w, x, p, q);
                *y++ = x[at];
                if (argmax)
                    *argmax++ = at;
            }
}

static void backward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape, *ys = &a->dout[0].shape;
    const int64_t planes = xs->dim[0] * xs->dim[1];
    const int64_t in_area = xs->dim[2] * xs->dim[3];
    const int64_t out_area = ys->dim[2] * ys->dim[3];
    const int32_t *argmax = a->out[1].data;
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)(planes * in_area) * sizeof *dx);
    for (int64_t i = 0; i < planes * out_area; i++)
        dx[i / out_area * in_area + argmax[i]] += dy[i];
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"kernel", 'v', NULL, "height and width of the window"},
    {"stride", 'v', "0", "step down and across; 0: as the window"},
    {"pad", 'v', "0", "border at top, left, bottom, right that never wins"},
    {"ceil_mode", 'b', "no", "let the last window hang over the edge"},
    {0}};

static const char *const onnx[] = {"kernel",    "kernel_shape", "stride",
                                   "strides",   "pad",          "pads",
                                   "ceil_mode", "ceil_mode",    NULL};

const struct op op_maxpool2d = {
    .name = "maxpool2d",
    .alias = "maxpool",
    .brief = "take the largest number under a sliding window",
    .in = in,
    .n_out = 1,
    .n_aux = 1,
    .keep_out = 1 << 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"MaxPool", 10, onnx},
};
