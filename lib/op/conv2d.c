/* conv2d.c -- two-dimensional convolution (cross-correlation).
 * SPDX-License-Identifier: MIT
 *
 *     y[n,k,p,q] = bias[k] + sum over c, r, s of
 *                  w[k,c,r,s] x[n, g C/G + c, p sh - top + r dh,
 *                                             q sw - left + s dw]
 *
 * with g = k / (K/G) the group of k; x is 0 outside.
 *   x [N,C,H,W]  weight [K,C/G,R,S]  bias [K]  y [N,K,P,Q]
 *   P = (H + top + bottom - dh (R-1) - 1) / sh + 1, rounded down.
 * Backward keeps x and weight.  Cost per output: C/G R S multiply-adds, which
 * are 2 C/G R S - 1 flop, one more with a bias.  ONNX Conv.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };

struct geometry {
    struct window w;
    int64_t n, c, k;    /* images, channels in and out */
    int64_t cg, kg;     /* the same of one group */
    int64_t px, pw, py; /* elements of a plane of x, weight, y */
};

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    struct window w;
    struct shape y = *x;
    if (rule_data(n, X, 4, 4, e) < 0 || window_infer(&w, n, x, e) < 0 ||
        rule_int(n, "out", 1, INT32_MAX, e) < 0 ||
        rule_int(n, "groups", 1, INT32_MAX, e) < 0)
        return -1;
    const int64_t k = attr_int(n, "out"), g = attr_int(n, "groups");
    if (x->dim[1] % g || k % g)
        return err_set(e, ERR_SHAPE,
                       "%lld groups do not divide input %s and %lld outputs",
                       (long long)g, ST(x), (long long)k);
    const int64_t weight[] = {k, x->dim[1] / g, w.kernel[0], w.kernel[1]};
    y.dim[1] = k;
    y.dim[2] = w.out[0];
    y.dim[3] = w.out[1];
    if (rule_weight(n, WEIGHT, 4, weight, e) < 0 ||
        rule_weight(n, BIAS, 1, &k, e) < 0 ||
        rule_out(n, 0, DTYPE_F32, &y, e) < 0)
        return -1;
    return rule_work(n, weight[1] * weight[2] * weight[3], e);
}

static struct op_cost cost(const struct node *n)
{
    const struct shape *w = &n->in[WEIGHT]->shape;
    const int64_t out = shape_count(&n->out[0]->shape);
    const int64_t taps = w->dim[1] * w->dim[2] * w->dim[3];
    return (struct op_cost){
        .flop = out * (2 * taps - 1) + (n->in[BIAS] ? out : 0),
        .mac = out * taps,
    };
}

static struct geometry geometry(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape, *y = &a->out[0].shape;
    struct geometry g = {.w = window_of(a->node, x, y)};
    const int64_t groups = attr_int(a->node, "groups");
    g.n = x->dim[0];
    g.c = x->dim[1];
    g.k = y->dim[1];
    g.cg = g.c / groups;
    g.kg = g.k / groups;
    g.px = g.w.in[0] * g.w.in[1];
    g.pw = g.w.kernel[0] * g.w.kernel[1];
    g.py = g.w.out[0] * g.w.out[1];
    return g;
}

/* One output: X and W are those of the group's first channel.  */
static double dot(const struct geometry *g, const real *x, const real *w,
                  int64_t p, int64_t q)
{
    int64_t h0, r0, r1, w0, s0, s1;
    double sum = 0;
    window_taps(&g->w, 0, p, &h0, &r0, &r1);
    window_taps(&g->w, 1, q, &w0, &s0, &s1);
    for (int64_t c = 0; c < g->cg; c++, x += g->px, w += g->pw)
        for (int64_t r = r0; r < r1; r++) {
            const real *row = x + (h0 + r * g->w.dilation[0]) * g->w.in[1];
            for (int64_t s = s0; s < s1; s++)
                sum += (double)w[r * g->w.kernel[1] + s] *
                       row[w0 + s * g->w.dilation[1]];
        }
    return sum;
}

static void forward(const struct op_args *a)
{
    const struct geometry g = geometry(a);
    const real *x = a->in[X].data, *w = a->in[WEIGHT].data;
    const real *bias = a->in[BIAS].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < g.n; n++)
        for (int64_t k = 0; k < g.k; k++) {
            const real *xg = x + (n * g.c + k / g.kg * g.cg) * g.px;
            const double b = bias ? bias[k] : 0;
            for (int64_t p = 0; p < g.w.out[0]; p++)
                for (int64_t q = 0; q < g.w.out[1]; q++)
                    *y++ = (real)(b + dot(&g, xg, w + k * g.cg * g.pw, p, q));
        }
}

/* The output that reads input H through tap R along direction D, or -1.  */
static int64_t reader(const struct window *w, int d, int64_t h, int64_t r)
{
    const int64_t from = h + w->pad[d] - r * w->dilation[d];
    if (from < 0 || from % w->stride[d])
        return -1;
    const int64_t p = from / w->stride[d];
    return p < w->out[d] ? p : -1;
}

/* The gradient of one input: DY and W are those of the group's first output,
 * W already at the input's channel.  */
static double gather(const struct geometry *g, const real *dy, const real *w,
                     int64_t h, int64_t i)
{
    double sum = 0;
    for (int64_t r = 0; r < g->w.kernel[0]; r++) {
        const int64_t p = reader(&g->w, 0, h, r);
        if (p < 0)
            continue;
        for (int64_t s = 0; s < g->w.kernel[1]; s++) {
            const int64_t q = reader(&g->w, 1, i, s);
            if (q < 0)
                continue;
            for (int64_t k = 0; k < g->kg; k++)
                sum += (double)w[k * g->cg * g->pw + r * g->w.kernel[1] + s] *
                       dy[k * g->py + p * g->w.out[1] + q];
        }
    }
    return sum;
}

static void backward_x(const struct geometry *g, const real *dy, const real *w,
                       real *dx)
{
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t c = 0; c < g->c; c++) {
            const int64_t k0 = c / g->cg * g->kg;
            const real *wc = w + (k0 * g->cg + c % g->cg) * g->pw;
            const real *dyg = dy + (n * g->k + k0) * g->py;
            for (int64_t h = 0; h < g->w.in[0]; h++)
                for (int64_t i = 0; i < g->w.in[1]; i++)
                    *dx++ = (real)gather(g, dyg, wc, h, i);
        }
}

/* The gradient of the weight at tap (R, S) between input channel C and
 * output channel K.  */
static double correlate(const struct geometry *g, const real *x, const real *dy,
                        int64_t k, int64_t c, int64_t r, int64_t s)
{
    double sum = 0;
    for (int64_t n = 0; n < g->n; n++) {
        const real *xp = x + (n * g->c + c) * g->px;
        const real *dp = dy + (n * g->k + k) * g->py;
        for (int64_t p = 0; p < g->w.out[0]; p++) {
            const int64_t h =
                p * g->w.stride[0] - g->w.pad[0] + r * g->w.dilation[0];
            if (h < 0 || h >= g->w.in[0])
                continue;
            for (int64_t q = 0; q < g->w.out[1]; q++) {
                const int64_t i =
                    q * g->w.stride[1] - g->w.pad[1] + s * g->w.dilation[1];
                if (i >= 0 && i < g->w.in[1])
                    sum += (double)xp[h * g->w.in[1] + i] *
                           dp[p * g->w.out[1] + q];
            }
        }
    }
    return sum;
}

static void backward_w(const struct geometry *g, const real *x, const real *dy,
                       real *dw)
{
    for (int64_t k = 0; k < g->k; k++)
        for (int64_t c = 0; c < g->cg; c++)
            for (int64_t r = 0; r < g->w.kernel[0]; r++)
                for (int64_t s = 0; s < g->w.kernel[1]; s++)
                    *dw++ = (real)correlate(g, x, dy, k, k / g->kg * g->cg + c,
                                            r, s);
}

static void backward(const struct op_args *a)
{
    const struct geometry g = geometry(a);
    const real *dy = a->dout[0].data;
    if (a->din[X].data)
        backward_x(&g, dy, a->in[WEIGHT].data, a->din[X].data);
    if (a->din[WEIGHT].data)
        backward_w(&g, a->in[X].data, dy, a->din[WEIGHT].data);
    if (a->din[BIAS].data)
        channel_bias_grad(&a->dout[0], 1, a->din[BIAS].data);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .init = "fan"},
    {.name = "bias", .role = ROLE_PARAM, .when = "bias", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"out", 'i', NULL, "output channels"},
    {"kernel", 'v', NULL, "height and width of the filter"},
    {"stride", 'v', "1", "step down and across"},
    {"pad", 'v', "0", "zeros at top, left, bottom, right"},
    {"dilation", 'v', "1", "distance of taps down and across"},
    {"groups", 'i', "1", "channels are cut into so many separate groups"},
    {"bias", 'b', "no", "add a learned number per output channel"},
    {0}};

static const char *const onnx[] = {
    "kernel",   "kernel_shape", "stride", "strides", "pad", "pads",
    "dilation", "dilations",    "groups", "group",   NULL};

const struct op op_conv2d = {
    .name = "conv2d",
    .alias = "conv",
    .brief = "convolve images with learned filters",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << WEIGHT,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Conv", 1, onnx},
};
