/* windowbias.c -- what attention within windows adds to likeness: a learned
 * number for how far two tokens are apart, and a mask.
 * SPDX-License-Identifier: MIT
 *
 *   x [(2 SIZE - 1)^2,HEADS]  y [G,HEADS,T,T], T = SIZE SIZE
 *     y[g,h,t,u] = x[(dy + SIZE - 1) (2 SIZE - 1) + dx + SIZE - 1, h] + mask
 * with dy, dx the rows and columns from token u to token t.  G is 1; or, if
 * the picture was moved (partition.h), the number of windows, and mask is -100
 * where t and u are not neighbours in the picture, else 0.
 * dx[r,h] is the sum of the dy that read it.  Liu et al., "Swin transformer",
 * ICCV 2021, equation 4 and figure 4.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/partition.h"
#include "op/rule.h"

enum { MASK = -100 };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    if (rule_data(n, 0, 2, 2, e) < 0 || partition_check(n, e) < 0)
        return -1;
    const struct partition p = partition_of(n);
    const int64_t rows = (2 * p.side - 1) * (2 * p.side - 1);
    if (x->batch || x->dim[0] != rows)
        return err_set(e, ERR_SHAPE,
                       "input %s does not have %lld rows, one for each "
                       "distance within a window of %lld",
                       ST(x), (long long)rows, (long long)p.side);
    const struct shape y = shape_make(
        4, (int64_t[]){p.shift ? p.count : 1, x->dim[1], p.tokens, p.tokens});
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* One window, [HEADS,T,T], of X without a mask.  */
static void spread(const struct partition *p, const real *x, int64_t heads,
                   real *y)
{
    const int64_t side = p->side, wide = 2 * side - 1;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t t = 0; t < p->tokens; t++)
            for (int64_t u = 0; u < p->tokens; u++) {
                const int64_t down = t / side - u / side;
                const int64_t across = t % side - u % side;
                *y++ =
                    x[((down + side - 1) * wide + across + side - 1) * heads +
                      h];
            }
}

/* The part of the picture that token T of window W comes from.  */
static int part(const struct partition *p, int64_t w, int64_t t)
{
    return 3 * partition_part(p, 0, w / p->windows[1], t / p->side) +
           partition_part(p, 1, w % p->windows[1], t % p->side);
}

static void mask(const struct partition *p, int64_t w, int64_t heads, real *y)
{
    const int64_t table = p->tokens * p->tokens;
    for (int64_t i = 0; i < table; i++)
        if (part(p, w, i / p->tokens) != part(p, w, i % p->tokens))
            for (int64_t h = 0; h < heads; h++)
                y[h * table + i] += MASK;
}

/* The last windows, down or across, hold what does not belong together.  */
static int is_mixed(const struct partition *p, int64_t w)
{
    return p->shift && (w / p->windows[1] == p->windows[0] - 1 ||
                        w % p->windows[1] == p->windows[1] - 1);
}

static void forward(const struct op_args *a)
{
    const struct partition p = partition_of(a->node);
    const struct shape *s = &a->out[0].shape;
    const int64_t heads = s->dim[1], size = heads * p.tokens * p.tokens;
    real *y = a->out[0].data;
    spread(&p, a->in[0].data, heads, y);
    for (int64_t w = 1; w < s->dim[0]; w++)
        memcpy(y + w * size, y, (size_t)size * sizeof *y);
    for (int64_t w = 0; w < s->dim[0]; w++)
        if (is_mixed(&p, w))
            mask(&p, w, heads, y + w * size);
}

/* The sum of DY, [T,T], over the tokens that are DOWN rows and ACROSS columns
 * apart.  */
static double sum_apart(const struct partition *p, const real *dy, int64_t down,
                        int64_t across)
{
    double sum = 0;
    for (int64_t t = 0; t < p->tokens; t++) {
        const int64_t i = t / p->side - down, j = t % p->side - across;
        if (i >= 0 && i < p->side && j >= 0 && j < p->side)
            sum += dy[t * p->tokens + i * p->side + j];
    }
    return sum;
}

static void backward(const struct op_args *a)
{
    const struct partition p = partition_of(a->node);
    const struct shape *s = &a->dout[0].shape;
    const int64_t heads = s->dim[1], wide = 2 * p.side - 1;
    const int64_t table = p.tokens * p.tokens;
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t r = 0; r < wide * wide; r++)
        for (int64_t h = 0; h < heads; h++) {
            double sum = 0;
            for (int64_t g = 0; g < s->dim[0]; g++)
                sum += sum_apart(&p, dy + (g * heads + h) * table,
                                 r / wide - p.side + 1, r % wide - p.side + 1);
            dx[r * heads + h] = (real)sum;
        }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"size", 'i', NULL, "height and width of a window"},
    {"grid", 'v', "[1, 1]", "height and width of the picture"},
    {"shift", 'i', "0", "how far the picture was moved"},
    {0}};

const struct op op_windowbias = {
    .name = "windowbias",
    .alias = "window_bias",
    .brief = "spread a table over pairs of tokens by how far they are apart",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
