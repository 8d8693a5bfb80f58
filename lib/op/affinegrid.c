/* affinegrid.c -- where each output of gridsample reads, by a matrix.
 * SPDX-License-Identifier: MIT
 *
 *     (x, y) = y[n,p,q] = theta[n] (u, v, 1)',
 *     u = (2 q + 1) / Q - 1, with align_corners 2 q / (Q - 1) - 1; v likewise
 *
 *   theta [N,2,3], with RESIDUAL a difference from ((1,0,0), (0,1,0))
 *   like [N,C,P,Q] gives P and Q, else SIZE  y [N,P,Q,2]
 * Backward keeps nothing.  Jaderberg et al., "Spatial transformer networks",
 * 2015, equation 1.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { THETA, LIKE };

static int infer(struct node *n, struct err *e)
{
    const struct shape *theta = &n->in[THETA]->shape;
    int64_t size[2];
    if (rule_data(n, THETA, 3, 3, e) < 0 ||
        rule_picture(n, LIKE, "size", size, e) < 0)
        return -1;
    if (theta->dim[1] != 2 || theta->dim[2] != 3)
        return err_set(e, ERR_SHAPE, "theta is [N,2,3], not %s", ST(theta));
    if (!size[0] || !size[1])
        return err_set(e, ERR_USAGE,
                       "attribute size is wanted: 'size: [H, W]' "
                       "or 'like: yes' and a second operand");
    struct shape y = {.rank = 4, .dim = {theta->dim[0], size[0], size[1], 2}};
    y.batch = theta->batch;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->out[0]->shape)};
}

/* Place I of COUNT in [-1, 1].  */
static double place(int64_t i, int64_t count, int align)
{
    if (align)
        return count > 1 ? 2 * (double)i / (double)(count - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)count - 1;
}

static void forward(const struct op_args *a)
{
    const struct shape *s = &a->out[0].shape;
    const int align = (int)attr_int(a->node, "align_corners");
    const int more = (int)attr_int(a->node, "residual");
    const real *t = a->in[THETA].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < s->dim[0]; n++, t += 6)
        for (int64_t p = 0; p < s->dim[1]; p++)
            for (int64_t q = 0; q < s->dim[2]; q++) {
                const double u = place(q, s->dim[2], align);
                const double v = place(p, s->dim[1], align);
                *y++ = (real)(t[0] * u + t[1] * v + t[2] + more * u);
                *y++ = (real)(t[3] * u + t[4] * v + t[5] + more * v);
            }
}

static void image_backward(const struct shape *s, int align, const real *dy,
                           real *dtheta)
{
    double sum[6] = {0};
    for (int64_t p = 0; p < s->dim[1]; p++)
        for (int64_t q = 0; q < s->dim[2]; q++, dy += 2) {
            const double u = place(q, s->dim[2], align);
            const double v = place(p, s->dim[1], align);
            for (int i = 0; i < 2; i++) {
                sum[3 * i] += dy[i] * u;
                sum[3 * i + 1] += dy[i] * v;
                sum[3 * i + 2] += dy[i];
            }
        }
    for (int i = 0; i < 6; i++)
        dtheta[i] = (real)sum[i];
}

static void backward(const struct op_args *a)
{
    const struct shape *s = &a->dout[0].shape;
    const int align = (int)attr_int(a->node, "align_corners");
    real *dtheta = a->din[THETA].data, *none = a->din[LIKE].data;
    for (int64_t n = 0; dtheta && n < s->dim[0]; n++)
        image_backward(s, align,
                       (const real *)a->dout[0].data +
                           n * 2 * s->dim[1] * s->dim[2],
                       dtheta + 6 * n);
    for (int64_t i = 0; none && i < tensor_count(&a->din[LIKE]); i++)
        none[i] = 0;
}

static const struct op_in in[] = {
    {.name = "theta"}, {.name = "like", .when = "like"}, {0}};

static const struct op_attr attr[] = {
    {"size", 'v', "0", "height and width of the result"},
    {"like", 'b', "no", "they are those of a second operand"},
    {"align_corners", 'b', "no", "-1 and 1 are centres of pixels, not edges"},
    {"residual", 'b', "no", "theta is added to the identity"},
    {0}};

const struct op op_affinegrid = {
    .name = "affinegrid",
    .brief = "places to read at, by a matrix for each image",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
