/* reader.c -- see reader.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/reader.h"

#include <string.h>

#include "cpu/follow.h"
#include "cpu/round.h"
#include "graph/graph.h"

/* Operands of bnapply and of bngrad.  */
enum { X, MEAN, INVSTD, WEIGHT, BIAS };
enum { DBIAS = 4, DWEIGHT, DY };

size_t reader_floats(int64_t c)
{
    return (size_t)(4 * lanes_of(c));
}

/* weight (x - mean) invstd + bias  */
static void set_apply(const struct tensor *in, int64_t c, float *scale, float *shift)
{
    const float *invstd = in[INVSTD].data, *weight = in[WEIGHT].data, *bias = in[BIAS].data;

    for (int64_t i = 0; i < c; i++) {
        scale[i] = (weight ? weight[i] : 1) * invstd[i];
        shift[i] = bias ? bias[i] : 0;
    }
}

/* weight invstd (dy - dbias / m - (x - mean) invstd dweight / m)  */
static void set_grad(const struct tensor *in, int64_t c, float *scale, float *shift, float *slope)
{
    const struct shape *s = &in[X].shape;
    const double m = (double)(s->dim[0] * s->dim[2] * s->dim[3]);
    const float *invstd = in[INVSTD].data, *weight = in[WEIGHT].data;
    const float *db = in[DBIAS].data, *dw = in[DWEIGHT].data;

    for (int64_t i = 0; i < c; i++) {
        const double a = (weight ? weight[i] : 1) * (double)invstd[i];

        scale[i] = (float)a;
        shift[i] = (float)(-a * db[i] / m);
        slope[i] = (float)(-a * invstd[i] * dw[i] / m);
    }
}

struct reader reader_of(const struct tensor *t, const struct lazy *l, float *table)
{
    struct reader r = {.kind = READ_PLAIN, .x = t->data};

    if (!l)
        return r;
    const int64_t c = l->in[X].shape.dim[1], lanes = lanes_of(c);

    memset(table, 0, reader_floats(c) * sizeof *table);
    r.x = l->in[X].data;
    memcpy(table, l->in[MEAN].data, (size_t)c * sizeof *table);
    r.mean = table;
    r.scale = table + lanes;
    r.shift = table + 2 * lanes;
    r.slope = table + 3 * lanes;
    if (node_is(l->head, "bngrad")) {
        r.kind = READ_GRAD;
        r.dy = l->in[DY].data;
        set_grad(l->in, c, table + lanes, table + 2 * lanes, table + 3 * lanes);
    } else {
        r.kind = READ_APPLY;
        set_apply(l->in, c, table + lanes, table + 2 * lanes);
    }
    if (l->act)
        r.act = follow_act(l->act, &r.lo, &r.hi);
    return r;
}
