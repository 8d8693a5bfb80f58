/* tokens.c -- the places of a picture as a sequence of vectors.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,H W,C].  Dosovitskiy et al., "An image is worth 16x16
 * words", 2021.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    struct shape y = *x;
    if (rule_data(n, 0, 4, 4, e) < 0)
        return -1;
    y.rank = 3;
    y.dim[1] = x->dim[2] * x->dim[3];
    y.dim[2] = x->dim[1];
    y.dim[3] = 0;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* Y[i] is X[i] with its ROWS and COLS exchanged, N times.  */
static void flip(int64_t n, int64_t rows, int64_t cols, const real *x, real *y)
{
    for (int64_t i = 0; i < n; i++, x += rows * cols)
        for (int64_t c = 0; c < cols; c++)
            for (int64_t r = 0; r < rows; r++)
                *y++ = x[r * cols + c];
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[0].shape, 1);
    flip(s.outer, s.size, s.inner, a->in[0].data, a->out[0].data);
}

static void backward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->din[0].shape, 1);
    flip(s.outer, s.inner, s.size, a->dout[0].data, a->din[0].data);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_tokens = {
    .name = "tokens",
    .brief = "turn pictures into sequences",
    .in = in,
    .n_out = 1,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
