/* linear.c -- y = x W' + b.
 * SPDX-License-Identifier: MIT
 *
 *   x [...,C]  weight [K,C]  bias [K]  y [...,K]
 * Backward keeps x and weight: dx = dy W, dW = dy' x, db = sum dy.  Cost per
 * output: C multiply-adds, 2 C - 1 flop, one more with a bias.  ONNX Gemm for
 * x of two sizes.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, WEIGHT, BIAS };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    const int64_t k = attr_int(n, "out");
    struct shape y = *x;
    if (rule_float(n, X, e) < 0 || rule_int(n, "out", 1, INT32_MAX, e) < 0)
        return -1;
    if (x->rank < 1 || rule_batch(x, x->rank - 1))
        return err_set(e, ERR_SHAPE,
                       "input %s has no constant number of features", ST(x));
    const int64_t weight[] = {k, x->dim[x->rank - 1]};
    y.dim[y.rank - 1] = k;
    if (rule_weight(n, WEIGHT, 2, weight, e) < 0 ||
        rule_weight(n, BIAS, 1, &k, e) < 0 ||
        rule_out(n, 0, DTYPE_F32, &y, e) < 0)
        return -1;
    return rule_work(n, weight[1], e);
}

static struct op_cost cost(const struct node *n)
{
    const int64_t out = shape_count(&n->out[0]->shape);
    const int64_t c = n->in[WEIGHT]->shape.dim[1];
    return (struct op_cost){
        .flop = out * (2 * c - 1) + (n->in[BIAS] ? out : 0),
        .mac = out * c,
    };
}

struct sizes {
    int64_t rows, c, k;
};

static struct sizes sizes(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape, *y = &a->out[0].shape;
    const int64_t c = x->dim[x->rank - 1], k = y->dim[y->rank - 1];
    return (struct sizes){.rows = shape_count(y) / k, .c = c, .k = k};
}

static void forward(const struct op_args *a)
{
    const struct sizes s = sizes(a);
    const real *x = a->in[X].data, *w = a->in[WEIGHT].data;
    const real *b = a->in[BIAS].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < s.rows; n++)
        for (int64_t k = 0; k < s.k; k++) {
            double sum = b ? b[k] : 0;
            for (int64_t c = 0; c < s.c; c++)
                sum += (double)x[n * s.c + c] * w[k * s.c + c];
            y[n * s.k + k] = (real)sum;
        }
}

static void backward_x(const struct sizes *s, const real *dy, const real *w,
                       real *dx)
{
    for (int64_t n = 0; n < s->rows; n++)
        for (int64_t c = 0; c < s->c; c++) {
            double sum = 0;
            for (int64_t k = 0; k < s->k; k++)
                sum += (double)dy[n * s->k + k] * w[k * s->c + c];
            dx[n * s->c + c] = (real)sum;
        }
}

static void backward_w(const struct sizes *s, const real *x, const real *dy,
                       real *dw)
{
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t c = 0; c < s->c; c++) {
            double sum = 0;
            for (int64_t n = 0; n < s->rows; n++)
                sum += (double)dy[n * s->k + k] * x[n * s->c + c];
            dw[k * s->c + c] = (real)sum;
        }
}

static void backward(const struct op_args *a)
{
    const struct sizes s = sizes(a);
    const real *dy = a->dout[0].data;
    if (a->din[X].data)
        backward_x(&s, dy, a->in[WEIGHT].data, a->din[X].data);
    if (a->din[WEIGHT].data)
        backward_w(&s, a->in[X].data, dy, a->din[WEIGHT].data);
    if (a->din[BIAS].data)
        channel_bias_grad(&a->dout[0], a->dout[0].shape.rank - 1,
                          a->din[BIAS].data);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .init = "fan"},
    {.name = "bias", .role = ROLE_PARAM, .when = "bias", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"out", 'i', NULL, "output features"},
    {"bias", 'b', "yes", "add a learned number per output feature"},
    {0}};

static const char *const onnx[] = {"=1", "transB", NULL};

const struct op op_linear = {
    .name = "linear",
    .brief = "multiply the last axis with a learned matrix",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << WEIGHT,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Gemm", 11, onnx},
};
