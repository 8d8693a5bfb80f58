/* avgpool2d.c -- the mean under a sliding window.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,C,P,Q], P and Q as in window.h
 * The sum of what lies inside x, divided by the number of places under the
 * window inside x, or with count_include_pad also inside the padding (never
 * beyond it, where ceil_mode lets the window hang over).  Backward keeps
 * nothing.  ONNX AveragePool.  */
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
    if (rule_out(n, 0, DTYPE_F32, &y, e) < 0)
        return -1;
    return rule_work(n, w.kernel[0] * w.kernel[1], e);
}

static struct op_cost cost(const struct node *n)
{
    int count;
    const int64_t *k = attr_ints(n, "kernel", &count);
    return (struct op_cost){.flop =
                                shape_count(&n->out[0]->shape) * k[0] * k[1]};
}

/* Places along direction D that the window at P counts, given its taps.  */
static int64_t extent(const struct window *w, int d, int64_t start, int64_t lo,
                      int64_t hi, int include_pad)
{
    const int64_t end = w->in[d] + w->pad[d + 2];
    const int64_t stop =
        start + w->kernel[d] < end ? start + w->kernel[d] : end;
    return include_pad ? stop - start : hi - lo;
}

/* The window at (P, Q): its inputs are rows [H0,H1) and columns [W0,W1).  */
struct patch {
    int64_t h0, h1, w0, w1;
    double size;
};

static struct patch patch(const struct window *w, int64_t p, int64_t q,
                          int include_pad)
{
    int64_t h, r0, r1, i, s0, s1;
    window_taps(w, 0, p, &h, &r0, &r1);
    window_taps(w, 1, q, &i, &s0, &s1);
    return (struct patch){
        .h0 = h + r0,
        .h1 = h + r1,
        .w0 = i + s0,
        .w1 = i + s1,
        .size = (double)(extent(w, 0, h, r0, r1, include_pad) *
                         extent(w, 1, i, s0, s1, include_pad)),
    };
}

static void forward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape;
    const struct window w = window_of(a->node, xs, &a->out[0].shape);
    const int include_pad = (int)attr_int(a->node, "count_include_pad");
    const int64_t planes = xs->dim[0] * xs->dim[1];
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < planes; i++, x += w.in[0] * w.in[1])
        for (int64_t p = 0; p < w.out[0]; p++)
            for (int64_t q = 0; q < w.out[1]; q++) {
                const struct patch t = patch(&w, p, q, include_pad);
                double sum = 0;
                for (int64_t h = t.h0; h < t.h1; h++)
                    for (int64_t j = t.w0; j < t.w1; j++)
                        sum += x[h * w.in[1] + j];
                *y++ = (real)(sum / t.size);
            }
}

static void backward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape;
    const struct window w = window_of(a->node, xs, &a->dout[0].shape);
    const int include_pad = (int)attr_int(a->node, "count_include_pad");
    const int64_t planes = xs->dim[0] * xs->dim[1], area = w.in[0] * w.in[1];
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)(planes * area) * sizeof *dx);
    for (int64_t i = 0; i < planes; i++, dx += area)
        for (int64_t p = 0; p < w.out[0]; p++)
            for (int64_t q = 0; q < w.out[1]; q++) {
                const struct patch t = patch(&w, p, q, include_pad);
                const real d = (real)(*dy++ / t.size);
                for (int64_t h = t.h0; h < t.h1; h++)
                    for (int64_t j = t.w0; j < t.w1; j++)
                        dx[h * w.in[1] + j] += d;
            }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"kernel", 'v', NULL, "height and width of the window"},
    {"stride", 'v', "0", "step down and across; 0: as the window"},
    {"pad", 'v', "0", "zeros at top, left, bottom, right"},
    {"ceil_mode", 'b', "no", "let the last window hang over the edge"},
    {"count_include_pad", 'b', "yes", "padding counts in the mean"},
    {0}};

static const char *const onnx[] = {"kernel",
                                   "kernel_shape",
                                   "stride",
                                   "strides",
                                   "pad",
                                   "pads",
                                   "ceil_mode",
                                   "ceil_mode",
                                   "count_include_pad",
                                   "count_include_pad",
                                   NULL};

const struct op op_avgpool2d = {
    .name = "avgpool2d",
    .alias = "avgpool",
    .brief = "average under a sliding window",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"AveragePool", 10, onnx},
};
