/* gridsample.c -- images read at the places of a grid.
 * SPDX-License-Identifier: MIT
 *
 *     y[n,c,p,q] = x[n,c](h, w),  (u, v) = grid[n,p,q],
 *     w = ((u + 1) W - 1) / 2, with align_corners (u + 1) (W - 1) / 2;
 *     h likewise by v and H
 *
 * with x between pixels by bilinear weights; outside 0, or with padding
 * `border' the nearest pixel.
 *   x [N,C,H,W]  grid [N,P,Q,2]  y [N,C,P,Q]
 * Backward keeps both; where a place is a pixel's the slope towards the next
 * one counts, and 0 where the border stops it.  Jaderberg et al., "Spatial
 * transformer networks", 2015, equations 5 to 7.  ONNX GridSample.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/bilinear.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, GRID };

static const char *const paddings[] = {"zeros", "border", NULL};

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape, *g = &n->in[GRID]->shape;
    struct shape y = *x;
    if (rule_data(n, X, 4, 4, e) < 0 || rule_data(n, GRID, 4, 4, e) < 0 ||
        rule_choice(n, "padding", paddings, e) < 0)
        return -1;
    if (g->dim[3] != 2 || g->dim[0] != x->dim[0] || g->batch != x->batch)
        return err_set(e, ERR_SHAPE,
                       "grid %s does not fit input %s: is "
                       "[N,P,Q,2]",
                       ST(g), ST(x));
    y.dim[2] = g->dim[1];
    y.dim[3] = g->dim[2];
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 7 * shape_count(&n->out[0]->shape)};
}

/* SIZE pixels; SLOPE: how the place changes with the grid.  */
struct side {
    int64_t size;
    int align, border;
};

static struct side side_of(const struct op_args *a, int d)
{
    return (struct side){a->in[X].shape.dim[2 + d],
                         (int)attr_int(a->node, "align_corners"),
                         !strcmp(attr_str(a->node, "padding"), "border")};
}

/* The place that U means, and how it changes with U.  */
static double place(const struct side *s, double u, double *slope)
{
    const double last = (double)(s->size - 1);
    const double at =
        s->align ? (u + 1) * last / 2 : ((u + 1) * (double)s->size - 1) / 2;
    *slope = (s->align ? last : (double)s->size) / 2;
    if (!s->border || (at > 0 && at < last))
        return at;
    *slope = 0;
    return at >= last ? last : 0;
}

static int64_t count_of(const struct shape *s)
{
    return s->dim[1] * s->dim[2];
}

static void forward(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape, *g = &a->in[GRID].shape;
    const struct side h = side_of(a, 0), w = side_of(a, 1);
    const int64_t plane = h.size * w.size, count = count_of(g);
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t i = 0; i < count; i++) {
            const real *at =
                (const real *)a->in[GRID].data + 2 * (n * count + i);
            double slope;
            const struct bilinear b =
                bilinear_at(place(&h, at[1], &slope), place(&w, at[0], &slope),
                            h.size, w.size);
            for (int64_t c = n * x->dim[1]; c < (n + 1) * x->dim[1]; c++)
                ((real *)a->out[0].data)[c * count + i] = (real)bilinear_sum(
                    &b, b.part, (const real *)a->in[X].data + c * plane);
        }
}

/* Of one place of image N; its channels are [C, END).  */
static void place_backward(const struct op_args *a, int64_t at, int64_t c,
                           int64_t end)
{
    const struct side h = side_of(a, 0), w = side_of(a, 1);
    const int64_t plane = h.size * w.size, count = count_of(&a->in[GRID].shape);
    const real *grid = (const real *)a->in[GRID].data + 2 * at;
    const real *dy = (const real *)a->dout[0].data + at % count;
    real *dx = a->din[X].data, *dgrid = a->din[GRID].data;
    double sh, sw, down = 0, right = 0;
    const double ph = place(&h, grid[1], &sh), pw = place(&w, grid[0], &sw);
    const struct bilinear b = bilinear_at(ph, pw, h.size, w.size);
    for (; c < end; c++) {
        const double d = dy[c * count];
        const real *x = (const real *)a->in[X].data + c * plane;
        if (dx)
            bilinear_back(&b, d, dx + c * plane);
        down += d * bilinear_sum(&b, b.down, x);
        right += d * bilinear_sum(&b, b.right, x);
    }
    if (dgrid) {
        dgrid[2 * at] = (real)(right * sw);
        dgrid[2 * at + 1] = (real)(down * sh);
    }
}

static void backward(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape;
    const int64_t count = count_of(&a->in[GRID].shape);
    real *dx = a->din[X].data;
    for (int64_t i = 0; dx && i < tensor_count(&a->din[X]); i++)
        dx[i] = 0;
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t i = 0; i < count; i++)
            place_backward(a, n * count + i, n * x->dim[1],
                           (n + 1) * x->dim[1]);
}

static const struct op_in in[] = {{.name = "x"}, {.name = "grid"}, {0}};

static const struct op_attr attr[] = {
    {"padding", 's', "zeros", "what lies outside; or border"},
    {"align_corners", 'b', "no", "-1 and 1 are centres of pixels, not edges"},
    {0}};

const struct op op_gridsample = {
    .name = "gridsample",
    .brief = "read images at the places of a grid",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << GRID,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
