/* deformconv2d.c -- deformable convolution: each tap of the filter reads the
 * picture where an offset of its own sends it.
 * SPDX-License-Identifier: MIT
 *
 *     y[n,k,p,q] = bias[k] + sum over c, r, s of
 *                  w[k,c,r,s] m x[n, g C/G + c](p sh - top + r dh + dy,
 *                                               q sw - left + s dw + dx)
 *
 * with x[n,c](h, w) between pixels by bilinear weights, 0 outside; g the group
 * of k, and (dy, dx) and m those of tap t = r S + s in the offset group o of
 * channel c, O groups of C/O channels each:
 *     dy = offset[n, (o R S + t) 2,     p, q]
 *     dx = offset[n, (o R S + t) 2 + 1, p, q]
 *     m  = mask[n, o R S + t, p, q], 1 without a mask.
 *   x [N,C,H,W]  offset [N,2 O R S,P,Q]  mask [N,O R S,P,Q]
 *   weight [K,C/G,R,S]  bias [K]  y [N,K,P,Q], P and Q as of conv2d
 * Backward keeps x, offset, mask and weight.  Where a tap meets a pixel the
 * slope towards the next one counts.  Dai et al., "Deformable convolutional
 * networks", ICCV 2017, equations 2 to 4; with a mask: Zhu et al., "Deformable
 * ConvNets v2", CVPR 2019, equation 1.  ONNX DeformConv.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/deform.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, OFFSET, MASK, WEIGHT, BIAS };

/* Outputs that are summed side by side, so that a sample serves them all.  */
enum { WIDE = 64 };

/* Operand I is [N, CHANNELS, P, Q] beside the result Y.  */
static int check_plane(const struct node *n, int i, int64_t channels,
                       const struct shape *y, struct err *e)
{
    struct shape want = *y;
    if (!n->in[i])
        return 0;
    want.dim[1] = channels;
    if (rule_data(n, i, 4, 4, e) < 0)
        return -1;
    if (!shape_equal(&n->in[i]->shape, &want))
        return err_set(e, ERR_SHAPE, "%s %s does not fit input %s: needs %s",
                       node_in_info(n, i)->name, ST(&n->in[i]->shape),
                       ST(&n->in[X]->shape), ST(&want));
    return 0;
}

static int check_groups(const struct node *n, int64_t c, int64_t k,
                        struct err *e)
{
    static const char *const names[] = {"groups", "offset_groups"};
    for (int i = 0; i < 2; i++) {
        const int64_t g = attr_int(n, names[i]);
        if (rule_int(n, names[i], 1, INT32_MAX, e) < 0)
            return -1;
        if (c % g || (i == 0 && k % g))
            return err_set(e, ERR_SHAPE,
                           "%s = %lld does not divide input %s and %lld "
                           "outputs",
                           names[i], (long long)g, ST(&n->in[X]->shape),
                           (long long)k);
    }
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    struct window w;
    struct shape y = *x;
    if (rule_data(n, X, 4, 4, e) < 0 || window_infer(&w, n, x, e) < 0 ||
        rule_int(n, "out", 1, INT32_MAX, e) < 0 ||
        check_groups(n, x->dim[1], attr_int(n, "out"), e) < 0)
        return -1;
    const int64_t k = attr_int(n, "out"), taps = w.kernel[0] * w.kernel[1];
    const int64_t o = attr_int(n, "offset_groups");
    const int64_t weight[] = {k, x->dim[1] / attr_int(n, "groups"), w.kernel[0],
                              w.kernel[1]};
    y.dim[1] = k;
    y.dim[2] = w.out[0];
    y.dim[3] = w.out[1];
    if (rule_weight(n, WEIGHT, 4, weight, e) < 0 ||
        rule_weight(n, BIAS, 1, &k, e) < 0 ||
        check_plane(n, OFFSET, 2 * o * taps, &y, e) < 0 ||
        check_plane(n, MASK, o * taps, &y, e) < 0 ||
        rule_out(n, 0, DTYPE_F32, &y, e) < 0)
        return -1;
    return rule_work(n, weight[1] * taps, e);
}

/* A sample takes 7 flop, and as many for its place.  */
static struct op_cost cost(const struct node *n)
{
    const struct shape *w = &n->in[WEIGHT]->shape;
    const struct shape *y = &n->out[0]->shape;
    const int64_t out = shape_count(y), taps = w->dim[2] * w->dim[3];
    const int64_t samples =
        n->in[X]->shape.dim[1] * taps * y->dim[2] * y->dim[3];
    return (struct op_cost){
        .flop = out * (2 * w->dim[1] * taps - 1) + (n->in[BIAS] ? out : 0) +
                14 * samples,
        .mac = out * w->dim[1] * taps,
    };
}

static struct deform geometry(const struct op_args *a)
{
    return deform_of(a->node, &a->in[X].shape, &a->out[0].shape);
}

/* What is read of plane X, before the mask.  */
static double sample(const struct deform_spot *s, const real *x)
{
    return bilinear_sum(&s->b, s->b.part, x);
}

/* ---- the result ---- */

/* Outputs [K, K + COUNT) of one group at output I of image N.  */
static void sums(const struct deform *g, const struct op_args *a, int64_t n,
                 int64_t i, int64_t k, int64_t count, double *sum)
{
    const real *w = (const real *)a->in[WEIGHT].data + k * g->cg * g->pw;
    const real *mask = a->in[MASK].data, *bias = a->in[BIAS].data;
    const real *offset =
        (const real *)a->in[OFFSET].data + n * 2 * g->o * g->pw * g->py;
    const int64_t c0 = k / g->kg * g->cg, size = g->cg * g->pw;
    const real *x = (const real *)a->in[X].data + (n * g->c + c0) * g->px;
    mask = mask ? mask + n * g->o * g->pw * g->py : NULL;
    for (int64_t j = 0; j < count; j++)
        sum[j] = bias ? bias[k + j] : 0;
    for (int64_t c = 0; c < g->cg; c++)
        for (int64_t t = 0; t < g->pw; t++) {
            const struct deform_spot s =
                deform_spot(g, offset, mask, (c0 + c) / g->co, t, i);
            const double v = s.mask * sample(&s, x + c * g->px);
            for (int64_t j = 0; j < count; j++)
                sum[j] += v * w[j * size + c * g->pw + t];
        }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void forward(const struct op_args *a)
{
    const struct deform g = geometry(a);
    real *y = a->out[0].data;
    double sum[WIDE];
    for (int64_t n = 0; n < g.n; n++)
        for (int64_t group = 0; group < g.k; group += g.kg)
            for (int64_t k = 0; k < g.kg; k += WIDE)
                for (int64_t i = 0; i < g.py; i++) {
                    const int64_t count = least(WIDE, g.kg - k);
                    sums(&g, a, n, i, group + k, count, sum);
                    for (int64_t j = 0; j < count; j++)
                        y[(n * g.k + group + k + j) * g.py + i] = (real)sum[j];
                }
}

/* ---- gradients ---- */

/* Of the masked sample of channel C by tap T at output I; DY is that of the
 * image.  */
static double of_sample(const struct deform *g, const real *w, const real *dy,
                        int64_t c, int64_t t, int64_t i)
{
    const int64_t k0 = c / g->cg * g->kg, size = g->cg * g->pw;
    const int64_t at = c % g->cg * g->pw + t;
    double sum = 0;
    for (int64_t k = k0; k < k0 + g->kg; k++)
        sum += (double)w[k * size + at] * dy[k * g->py + i];
    return sum;
}

/* What one tap at one output of an image hands back.  */
struct back {
    const real *x, *w, *dy, *offset, *mask;
    real *dx, *doffset, *dmask; /* NULL: not wanted */
};

static void tap_backward(const struct deform *g, const struct back *b,
                         int64_t o, int64_t t, int64_t i)
{
    const struct deform_spot s = deform_spot(g, b->offset, b->mask, o, t, i);
    const int64_t j = o * g->pw + t;
    double down = 0, right = 0, mask = 0;
    for (int64_t c = o * g->co; c < (o + 1) * g->co; c++) {
        const double d = of_sample(g, b->w, b->dy, c, t, i);
        const real *x = b->x + c * g->px;
        if (b->dx)
            bilinear_back(&s.b, d * s.mask, b->dx + c * g->px);
        down += d * s.mask * bilinear_sum(&s.b, s.b.down, x);
        right += d * s.mask * bilinear_sum(&s.b, s.b.right, x);
        mask += d * sample(&s, x);
    }
    if (b->doffset) {
        b->doffset[2 * j * g->py + i] = (real)down;
        b->doffset[(2 * j + 1) * g->py + i] = (real)right;
    }
    if (b->dmask)
        b->dmask[j * g->py + i] = (real)mask;
}

static real *image(const struct tensor *t, int64_t i)
{
    const int64_t size = t->data ? tensor_count(t) / t->shape.dim[0] : 0;
    return t->data ? (real *)t->data + i * size : NULL;
}

/* Those of x, offset and mask.  */
static void backward_image(const struct deform *g, const struct op_args *a,
                           int64_t n)
{
    const struct back b = {.x = image(&a->in[X], n),
                           .w = a->in[WEIGHT].data,
                           .dy = image(&a->dout[0], n),
                           .offset = image(&a->in[OFFSET], n),
                           .mask = image(&a->in[MASK], n),
                           .dx = image(&a->din[X], n),
                           .doffset = image(&a->din[OFFSET], n),
                           .dmask = image(&a->din[MASK], n)};
    for (int64_t i = 0; b.dx && i < g->c * g->px; i++)
        b.dx[i] = 0;
    for (int64_t o = 0; o < g->o; o++)
        for (int64_t t = 0; t < g->pw; t++)
            for (int64_t i = 0; i < g->py; i++)
                tap_backward(g, &b, o, t, i);
}

/* dweight of tap T between channel C and the outputs [K, K + COUNT).  */
static void correlate(const struct deform *g, const struct op_args *a,
                      int64_t c, int64_t t, int64_t k, int64_t count,
                      double *sum)
{
    for (int64_t j = 0; j < count; j++)
        sum[j] = 0;
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t i = 0; i < g->py; i++) {
            const struct deform_spot s =
                deform_spot(g, image(&a->in[OFFSET], n), image(&a->in[MASK], n),
                            c / g->co, t, i);
            const double v =
                s.mask * sample(&s, image(&a->in[X], n) + c * g->px);
            const real *dy = image(&a->dout[0], n) + k * g->py + i;
            for (int64_t j = 0; j < count; j++)
                sum[j] += v * dy[j * g->py];
        }
}

static void backward_w(const struct deform *g, const struct op_args *a,
                       real *dw)
{
    double sum[WIDE];
    for (int64_t c = 0; c < g->c; c++)
        for (int64_t t = 0; t < g->pw; t++)
            for (int64_t k = 0; k < g->kg; k += WIDE) {
                const int64_t k0 = c / g->cg * g->kg + k;
                const int64_t count = least(WIDE, g->kg - k);
                correlate(g, a, c, t, k0, count, sum);
                for (int64_t j = 0; j < count; j++)
                    dw[((k0 + j) * g->cg + c % g->cg) * g->pw + t] =
                        (real)sum[j];
            }
}

static void backward(const struct op_args *a)
{
    const struct deform g = geometry(a);
    if (a->din[X].data || a->din[OFFSET].data || a->din[MASK].data)
        for (int64_t n = 0; n < g.n; n++)
            backward_image(&g, a, n);
    if (a->din[WEIGHT].data)
        backward_w(&g, a, a->din[WEIGHT].data);
    if (a->din[BIAS].data)
        channel_bias_grad(&a->dout[0], 1, a->din[BIAS].data);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "offset"},
    {.name = "mask", .when = "mask"},
    {.name = "weight", .role = ROLE_PARAM, .init = "fan"},
    {.name = "bias", .role = ROLE_PARAM, .when = "bias", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"out", 'i', NULL, "output channels"},
    {"kernel", 'v', NULL, "height and width of the filter"},
    {"stride", 'v', "1", "step down and across"},
    {"pad", 'v', "0", "zeros at top, left, bottom, right"},
    {"dilation", 'v', "1", "distance of taps down and across"},
    {"groups", 'i', "1", "channels are cut into so many separate groups"},
    {"offset_groups", 'i', "1",
     "so many groups of channels have offsets of "
     "their own"},
    {"mask", 'b', "no", "weigh each sample by a third operand"},
    {"bias", 'b', "no", "add a learned number per output channel"},
    {0}};

const struct op op_deformconv2d = {
    .name = "deformconv2d",
    .alias = "deformconv",
    .brief = "convolve images with filters whose taps are moved",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << OFFSET | 1 << MASK | 1 << WEIGHT,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
