/* classtoken.c -- learned tokens in front of those of each sample.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,T,C]  token [1,K,C]  y [N,K+T,C], K the attribute COUNT.
 * dtoken is the sum over the samples.  Devlin et al., "BERT", 2019;
 * Dosovitskiy et al., "An image is worth 16x16 words", 2021, equation 1.  */
#include <string.h>

#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

enum { X, TOKEN };

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[X]->shape;
    if (rule_data(n, X, 3, 3, e) < 0 ||
        rule_int(n, "count", 1, INT32_MAX, e) < 0)
        return -1;
    const int64_t token[] = {1, attr_int(n, "count"), y.dim[2]};
    if (rule_weight(n, TOKEN, 3, token, e) < 0)
        return -1;
    y.dim[1] += token[1];
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* Samples; numbers of the tokens, of a sample of x.  */
struct sizes {
    int64_t n, front, rest;
};

static struct sizes sizes(const struct node *n, const struct shape *y)
{
    const int64_t front = attr_int(n, "count") * y->dim[2];
    return (struct sizes){y->dim[0], front, y->dim[1] * y->dim[2] - front};
}

static void forward(const struct op_args *a)
{
    const struct sizes s = sizes(a->node, &a->out[0].shape);
    const real *x = a->in[X].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < s.n; n++, x += s.rest, y += s.front + s.rest) {
        memcpy(y, a->in[TOKEN].data, (size_t)s.front * sizeof *y);
        memcpy(y + s.front, x, (size_t)s.rest * sizeof *y);
    }
}

static void backward(const struct op_args *a)
{
    const struct sizes s = sizes(a->node, &a->dout[0].shape);
    const int64_t step = s.front + s.rest;
    const real *dy = a->dout[0].data;
    real *dx = a->din[X].data, *dtoken = a->din[TOKEN].data;
    for (int64_t n = 0; dx && n < s.n; n++)
        memcpy(dx + n * s.rest, dy + n * step + s.front,
               (size_t)s.rest * sizeof *dx);
    for (int64_t i = 0; dtoken && i < s.front; i++) {
        double sum = 0;
        for (int64_t n = 0; n < s.n; n++)
            sum += dy[n * step + i];
        dtoken[i] = (real)sum;
    }
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "token", .role = ROLE_PARAM, .init = "zeros"}, {0}};

static const struct op_attr attr[] = {
    {"count", 'i', "1", "how many tokens are put in front"}, {0}};

const struct op op_classtoken = {
    .name = "classtoken",
    .brief = "put learned tokens in front of a sequence",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
