/* upsample.c -- pictures of another size, by the nearest pixel or between four.
 * SPDX-License-Identifier: MIT
 *
 *     nearest:   y[p,q] = x[floor(p H / P), floor(q W / Q)]
 *     bilinear:  y[p,q] = x(h, w), h = max((p + 1/2) H / P - 1/2, 0), or with
 *                align_corners h = p (H - 1) / (P - 1); w likewise
 *
 * with x between pixels by bilinear weights, at the edge the last pixel.
 *   x [N,C,H,W]  like [N,C',P,Q] gives P and Q  y [N,C,P,Q]
 * Without LIKE, P and Q are SIZE, or SCALE times H and W where SIZE is 0.
 * Backward keeps nothing.  ONNX Resize.  */
#include "op/upsample.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, LIKE };

static const char *const modes[] = {"nearest", "bilinear", NULL};

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    struct shape y = *x;
    int64_t size[2];
    if (rule_data(n, X, 4, 4, e) < 0 || rule_choice(n, "mode", modes, e) < 0 ||
        attr_expand(n, "scale", 2, 1, 1 << 16, e) < 0 ||
        rule_picture(n, LIKE, "size", size, e) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (size[i])
            y.dim[2 + i] = size[i];
        else if (i64_mul(x->dim[2 + i], attr_ints(n, "scale", NULL)[i],
                         &y.dim[2 + i]) < 0)
            return err_set(e, ERR_SHAPE, "input %s cannot grow so much", ST(x));
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    const int nearest = !strcmp(attr_str(n, "mode"), "nearest");
    return (struct op_cost){
        .flop = nearest ? 0 : 7 * shape_count(&n->out[0]->shape)};
}

struct upsample_tap upsample_tap(const struct upsample_side *s, int64_t i)
{
    const double at =
        s->align
            ? (s->out > 1 ? (double)(i * (s->in - 1)) / (double)(s->out - 1)
                          : 0)
            : ((double)i + .5) * (double)s->in / (double)s->out - .5;
    struct upsample_tap t = {i * s->in / s->out, 0, 0};
    if (!s->nearest) {
        t.lo = at > 0 ? (int64_t)at : 0;
        t.part = at > 0 ? at - (double)t.lo : 0;
    }
    t.hi = t.lo + (t.part > 0 && t.lo + 1 < s->in);
    return t;
}

struct upsample_side upsample_side(const struct node *n, const struct shape *x,
                                   const struct shape *y, int d)
{
    return (struct upsample_side){x->dim[2 + d], y->dim[2 + d],
                                  !strcmp(attr_str(n, "mode"), "nearest"),
                                  (int)attr_int(n, "align_corners")};
}

static void plane(const struct upsample_side *h, const struct upsample_side *w,
                  const real *x, real *y)
{
    for (int64_t p = 0; p < h->out; p++) {
        const struct upsample_tap r = upsample_tap(h, p);
        for (int64_t q = 0; q < w->out; q++) {
            const struct upsample_tap c = upsample_tap(w, q);
            const real *lo = x + r.lo * w->in, *hi = x + r.hi * w->in;
            *y++ =
                (real)((1 - r.part) *
                           ((1 - c.part) * lo[c.lo] + c.part * lo[c.hi]) +
                       r.part * ((1 - c.part) * hi[c.lo] + c.part * hi[c.hi]));
        }
    }
}

static void plane_backward(const struct upsample_side *h,
                           const struct upsample_side *w, const real *dy,
                           real *dx)
{
    for (int64_t i = 0; i < h->in * w->in; i++)
        dx[i] = 0;
    for (int64_t p = 0; p < h->out; p++) {
        const struct upsample_tap r = upsample_tap(h, p);
        for (int64_t q = 0; q < w->out; q++, dy++) {
            const struct upsample_tap c = upsample_tap(w, q);
            real *lo = dx + r.lo * w->in, *hi = dx + r.hi * w->in;
            lo[c.lo] += (real)(*dy * (1 - r.part) * (1 - c.part));
            lo[c.hi] += (real)(*dy * (1 - r.part) * c.part);
            hi[c.lo] += (real)(*dy * r.part * (1 - c.part));
            hi[c.hi] += (real)(*dy * r.part * c.part);
        }
    }
}

static void forward(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape, *y = &a->out[0].shape;
    const struct upsample_side h = upsample_side(a->node, x, y, 0),
                               w = upsample_side(a->node, x, y, 1);
    for (int64_t i = 0; i < x->dim[0] * x->dim[1]; i++)
        plane(&h, &w, (const real *)a->in[X].data + i * h.in * w.in,
              (real *)a->out[0].data + i * h.out * w.out);
}

static void backward(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape, *y = &a->dout[0].shape;
    const struct upsample_side h = upsample_side(a->node, x, y, 0),
                               w = upsample_side(a->node, x, y, 1);
    real *dx = a->din[X].data, *none = a->din[LIKE].data;
    for (int64_t i = 0; dx && i < x->dim[0] * x->dim[1]; i++)
        plane_backward(&h, &w,
                       (const real *)a->dout[0].data + i * h.out * w.out,
                       dx + i * h.in * w.in);
    for (int64_t i = 0; none && i < tensor_count(&a->din[LIKE]); i++)
        none[i] = 0;
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "like", .when = "like"}, {0}};

static const struct op_attr attr[] = {
    {"scale", 'v', "2", "times the height and width of x"},
    {"size", 'v', "0", "height and width of the result; 0: by scale"},
    {"like", 'b', "no", "they are those of a second operand"},
    {"mode", 's', "nearest", "or bilinear"},
    {"align_corners", 'b', "no", "the pixels in the corners stay in place"},
    {0}};

const struct op op_upsample = {
    .name = "upsample",
    .brief = "make images larger or smaller",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
