/* deform.c -- see deform.h.
 * SPDX-License-Identifier: MIT  */
#include "op/deform.h"

#include "graph/attr.h"
#include "graph/graph.h"

struct deform deform_of(const struct node *n, const struct shape *x,
                        const struct shape *y)
{
    struct deform g = {.w = window_of(n, x, y)};
    g.n = x->dim[0];
    g.c = x->dim[1];
    g.k = y->dim[1];
    g.cg = g.c / attr_int(n, "groups");
    g.kg = g.k / attr_int(n, "groups");
    g.o = attr_int(n, "offset_groups");
    g.co = g.c / g.o;
    g.px = g.w.in[0] * g.w.in[1];
    g.pw = g.w.kernel[0] * g.w.kernel[1];
    g.py = g.w.out[0] * g.w.out[1];
    return g;
}

struct deform_spot deform_spot(const struct deform *g, const real *offset,
                               const real *mask, int64_t o, int64_t t,
                               int64_t i)
{
    const int64_t j = o * g->pw + t, p = i / g->w.out[1], q = i % g->w.out[1];
    const double h = (double)(p * g->w.stride[0] - g->w.pad[0] +
                              t / g->w.kernel[1] * g->w.dilation[0]) +
                     offset[2 * j * g->py + i];
    const double w = (double)(q * g->w.stride[1] - g->w.pad[1] +
                              t % g->w.kernel[1] * g->w.dilation[1]) +
                     offset[(2 * j + 1) * g->py + i];
    return (struct deform_spot){bilinear_at(h, w, g->w.in[0], g->w.in[1]),
                                mask ? mask[j * g->py + i] : 1};
}
