/* mix.c -- each sample of a batch joined with another one.
 * SPDX-License-Identifier: MIT
 *
 *     y[n] = s x[n] + (1 - s) x[pair[n]],  s = share[n]
 *
 * With a box that holds for the pixels [TOP, BOTTOM) x [LEFT, RIGHT) of the
 * sample alone; the others are those of x[n].
 *   x, y [N,...]  pair [N] i64  share [N]  box [N,4] i64: top, left, bottom,
 * right, for x [N,C,H,W]
 * A pair outside [0, N) is the sample itself; a box is cut at the edges.
 * Backward keeps all:
 *     dx[m] = s dy[m] + the sum of (1 - s) dy[n], pair[n] = m
 *     dshare[n] = the sum of dy[n] (x[n] - x[pair[n]])
 * Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018,
 * equation 1; Yun et al., "CutMix", ICCV 2019, equation 1.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, PAIR, SHARE, BOX };

static int check_operand(const struct node *n, int i, enum dtype dt, int rank,
                         struct err *e)
{
    const struct value *v = n->in[i];
    struct shape want = n->in[X]->shape;
    want.rank = rank;
    want.dim[1] = 4;
    if (v->dtype != dt || !shape_equal(&v->shape, &want))
        return err_set(e, ERR_SHAPE, "operand %s is %s %s, not %s %s",
                       n->op->in[i].name, dtype_name(v->dtype), ST(&v->shape),
                       dtype_name(dt), ST(&want));
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    const int box = (int)attr_int(n, "box");
    if (rule_data(n, X, box ? 4 : 1, box ? 4 : SHAPE_MAX, e) < 0 ||
        check_operand(n, PAIR, DTYPE_I64, 1, e) < 0 ||
        check_operand(n, SHARE, DTYPE_F32, 1, e) < 0 ||
        (box && check_operand(n, BOX, DTYPE_I64, 2, e) < 0))
        return -1;
    return rule_out(n, 0, DTYPE_F32, &n->in[X]->shape, e);
}

/* The samples [COUNT] of one batch, each of SIZE numbers; planes of H x W.  */
struct batch {
    int64_t count, size, h, w;
    const int64_t *pair, *box;
    const real *share;
};

static struct batch batch_of(const struct op_args *a, const struct shape *x)
{
    const int boxed = (int)attr_int(a->node, "box");
    const int64_t n = x->dim[0];
    struct batch b = {.count = n, .size = n ? shape_count(x) / n : 0};
    b.h = boxed ? x->dim[2] : 1;
    b.w = boxed ? x->dim[3] : 1;
    b.pair = a->in[PAIR].data;
    b.share = a->in[SHARE].data;
    b.box = boxed ? a->in[BOX].data : NULL;
    return b;
}

/* Number I of sample N lies in its box.  */
static int is_inside(const struct batch *b, int64_t n, int64_t i)
{
    const int64_t row = i / b->w % b->h, column = i % b->w;
    if (!b->box)
        return 1;
    const int64_t *box = b->box + 4 * n;
    return row >= box[0] && column >= box[1] && row < box[2] && column < box[3];
}

static int64_t pair_of(const struct batch *b, int64_t n)
{
    return b->pair[n] >= 0 && b->pair[n] < b->count ? b->pair[n] : n;
}

static void forward(const struct op_args *a)
{
    const struct batch b = batch_of(a, &a->in[X].shape);
    const real *x = a->in[X].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < b.count; n++) {
        const real *own = x + n * b.size, *other = x + pair_of(&b, n) * b.size;
        const real s = b.share[n], rest = 1 - s;
        for (int64_t i = 0; i < b.size; i++)
            *y++ = is_inside(&b, n, i)
                       ? (real)((double)s * own[i] + (double)rest * other[i])
                       : own[i];
    }
}

static void backward_x(const struct batch *b, const real *dy, real *dx)
{
    for (int64_t m = 0; m < b->count; m++)
        for (int64_t i = 0; i < b->size; i++) {
            const int64_t at = m * b->size + i;
            double sum = is_inside(b, m, i) ? b->share[m] * dy[at] : dy[at];
            for (int64_t n = 0; n < b->count; n++)
                if (pair_of(b, n) == m && is_inside(b, n, i))
                    sum += (1 - b->share[n]) * dy[n * b->size + i];
            dx[at] = (real)sum;
        }
}

static void backward_share(const struct batch *b, const real *x, const real *dy,
                           real *ds)
{
    for (int64_t n = 0; n < b->count; n++) {
        const real *own = x + n * b->size, *other = x + pair_of(b, n) * b->size;
        double sum = 0;
        for (int64_t i = 0; i < b->size; i++)
            if (is_inside(b, n, i))
                sum += dy[n * b->size + i] * ((double)own[i] - other[i]);
        ds[n] = (real)sum;
    }
}

static void backward(const struct op_args *a)
{
    const struct batch b = batch_of(a, &a->dout[0].shape);
    const real *dy = a->dout[0].data;
    if (a->din[X].data)
        backward_x(&b, dy, a->din[X].data);
    if (a->din[SHARE].data)
        backward_share(&b, a->in[X].data, dy, a->din[SHARE].data);
}

static const struct op_in in[] = {{.name = "x"},
                                  {.name = "pair"},
                                  {.name = "share"},
                                  {.name = "box", .when = "box"},
                                  {0}};

static const struct op_attr attr[] = {
    {"box", 'b', "no", "a part of each picture alone"}, {0}};

const struct op op_mix = {
    .name = "mix",
    .brief = "join each sample of a batch with another one",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << PAIR | 1 << SHARE | 1 << BOX,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
