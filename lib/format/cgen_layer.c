/* cgen_layer.c -- ops as loops of C: windows, layers with weights, softmax.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "base/err.h"
#include "format/cgen.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/window.h"

/* ---- windows ---- */

/* Names of what a window at output `p' or `q' covers along a direction.  */
static const struct {
    const char *out, *start, *tap, *from, *to;
} sides[2] = {{"p", "h0", "r", "r0", "r1"}, {"q", "w0", "s", "s0", "s1"}};

/* Where the window begins, and which of its taps lie inside.  */
static void window_side(struct cgen *c, const struct window *w, int d)
{
    const long long step = w->dilation[d], in = w->in[d], k = w->kernel[d];
    const char *start = sides[d].start;
    const char *over = step == 1 ? "" : cgen_text(c, " / %lld", step);

    cgen_for(c, sides[d].out, w->out[d]);
    cgen_line(c, "const int32_t %s = %s - %lld;", start,
              cgen_times(c, sides[d].out, w->stride[d]), (long long)w->pad[d]);
    cgen_line(c, "const int32_t %s = %s < 0 ? (%lld - %s)%s : 0;",
              sides[d].from, start, step - 1, start, over);
    cgen_line(c, "const int32_t %s = %s > %lld ? (%lld - %s)%s : %lld;",
              sides[d].to, start, in - 1 - (k - 1) * step, in + step - 1, start,
              over, k);
}

/* Loops over planes, rows and columns of the result.  */
static void window_open(struct cgen *c, const struct window *w, int64_t planes)
{
    cgen_for(c, "k", planes);
    window_side(c, w, 0);
    window_side(c, w, 1);
}

static void taps_open(struct cgen *c)
{
    for (int d = 0; d < 2; d++)
        cgen_range(c, sides[d].tap, sides[d].from, sides[d].to);
}

/* The index of the tap in plane PLANE of the input.  */
static const char *tap(struct cgen *c, const struct window *w,
                       const char *plane)
{
    return cgen_text(c, "(%s * %lld + h0 + %s) * %lld + w0 + %s", plane,
                     (long long)w->in[0], cgen_times(c, "r", w->dilation[0]),
                     (long long)w->in[1], cgen_times(c, "s", w->dilation[1]));
}

static struct window window_of_node(const struct node *n)
{
    return window_of(n, &n->in[0]->shape, &n->out[0]->shape);
}

static int emit_maxpool(struct cgen *c, const struct cgen_step *s,
                        struct err *e)
{
    const struct node *n = s->head;
    const struct window w = window_of_node(n);

    (void)e;
    window_open(c, &w, cgen_dims(n->out[0])[1]);
    cgen_line(c, "float v = -INFINITY;");
    taps_open(c);
    cgen_line(c, "v = fmaxf(v, %s);", cgen_at(c, n->in[0], tap(c, &w, "k")));
    cgen_end(c, 2);
    cgen_tail(c, s, cgen_pixel(c, n->out[0]));
    cgen_end(c, 3);
    return 0;
}

/* How many places of a side count in the mean.  */
static const char *extent(struct cgen *c, const struct window *w, int d,
                          int include)
{
    const long long k = w->kernel[d], end = w->in[d] + w->pad[d + 2];
    const char *start = sides[d].start;

    return include ? cgen_text(c, "(%s > %lld ? %lld - %s : %lld)", start,
                               end - k, end, start, k)
                   : cgen_text(c, "(%s - %s)", sides[d].to, sides[d].from);
}

static int emit_avgpool(struct cgen *c, const struct cgen_step *s,
                        struct err *e)
{
    const struct node *n = s->head;
    const struct window w = window_of_node(n);
    const int include = (int)attr_int(n, "count_include_pad");

    (void)e;
    window_open(c, &w, cgen_dims(n->out[0])[1]);
    cgen_line(c, "float v = 0.f;");
    taps_open(c);
    cgen_line(c, "v += %s;", cgen_at(c, n->in[0], tap(c, &w, "k")));
    cgen_end(c, 2);
    cgen_line(c, "v /= (float)(%s * %s);", extent(c, &w, 0, include),
              extent(c, &w, 1, include));
    cgen_tail(c, s, cgen_pixel(c, n->out[0]));
    cgen_end(c, 3);
    return 0;
}

static int emit_globalavgpool(struct cgen *c, const struct cgen_step *s,
                              struct err *e)
{
    const struct value *x = s->head->in[0];
    const int64_t area = cgen_dims(x)[2] * cgen_dims(x)[3];

    (void)e;
    cgen_for(c, "k", cgen_dims(x)[1]);
    cgen_line(c, "float v = 0.f;");
    cgen_for(c, "i", area);
    cgen_line(c, "v += %s;",
              cgen_at(c, x, cgen_text(c, "k * %lld + i", (long long)area)));
    cgen_end(c, 1);
    cgen_line(c, "v /= %lld.f;", (long long)area);
    cgen_tail(c, s, "k");
    cgen_end(c, 1);
    return 0;
}

/* Cell `p' of OUT over IN places, from and to.  */
static void cell(struct cgen *c, const char *at, int64_t out, int64_t in,
                 const char *from, const char *to)
{
    cgen_for(c, at, out);
    cgen_line(c, "const int32_t %s = %s * %lld / %lld;", from, at,
              (long long)in, (long long)out);
    cgen_line(c, "const int32_t %s = ((%s + 1) * %lld + %lld) / %lld;", to, at,
              (long long)in, (long long)out - 1, (long long)out);
}

static int emit_adaptiveavgpool(struct cgen *c, const struct cgen_step *s,
                                struct err *e)
{
    const struct value *x = s->head->in[0], *y = s->head->out[0];

    (void)e;
    cgen_for(c, "k", cgen_dims(x)[1]);
    cell(c, "p", cgen_dims(y)[2], cgen_dims(x)[2], "h0", "h1");
    cell(c, "q", cgen_dims(y)[3], cgen_dims(x)[3], "w0", "w1");
    cgen_line(c, "float v = 0.f;");
    cgen_range(c, "h", "h0", "h1");
    cgen_range(c, "w", "w0", "w1");
    cgen_line(c, "v += %s;",
              cgen_at(c, x,
                      cgen_text(c, "(k * %lld + h) * %lld + w",
                                (long long)cgen_dims(x)[2],
                                (long long)cgen_dims(x)[3])));
    cgen_end(c, 2);
    cgen_line(c, "v /= (float)((h1 - h0) * (w1 - w0));");
    cgen_tail(c, s, cgen_pixel(c, y));
    cgen_end(c, 3);
    return 0;
}

/* ---- layers ---- */

enum { X, WEIGHT, BIAS, SCALE = 1, ZERO = 2 };

/* A layer's numbers: float, or of 8 bits with sums of 32.  */
struct layer {
    const struct value *x, *w, *b;
    const char *scale; /* of 8 bits: what a sum stands for, by output */
};

/* D gives numbers of type DT whose zero points are 0.  */
static int is_symmetric(const struct node *d, enum dtype dt)
{
    const struct value *zero = d->in[ZERO], *q = d->in[0];

    if (q->dtype != dt || !value_is_tensor(q) || !value_is_tensor(zero) ||
        !value_is_tensor(d->in[SCALE]))
        return 0;
    for (int64_t i = 0; i < tensor_count(&zero->data); i++)
        if (dt == DTYPE_I8 ? ((const int8_t *)zero->data.data)[i]
                           : ((const int32_t *)zero->data.data)[i])
            return 0;
    return 1;
}

static int no_layer(const struct node *n, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "op '%s' at '%s' mixes float and 8 bits in a way that has "
                   "no C",
                   n->op->name, Q(n->name));
}

/* Scale of X times that of each of the K outputs.  */
static const char *sum_scale(struct cgen *c, const struct cgen_value *x,
                             const struct value *scale, int64_t k)
{
    float *p = ARENA_NEWS(&c->arena, k, float);

    for (int64_t i = 0; i < k; i++)
        p[i] = x->scale *
               ((const float *)
                    scale->data.data)[tensor_count(&scale->data) == 1 ? 0 : i];
    return cgen_floats(c, p, k);
}

static int layer_of(struct cgen *c, const struct node *n, struct layer *l,
                    struct err *e)
{
    const struct cgen_value *x = &c->value[n->in[X]->index];
    const struct node *w = node_dequantize(n, WEIGHT);
    const struct node *b = n->in[BIAS] ? node_dequantize(n, BIAS) : NULL;

    *l = (struct layer){n->in[X], n->in[WEIGHT], n->in[BIAS], NULL};
    if (!w)
        return value_is_tensor(l->w) && (!l->b || value_is_tensor(l->b))
                   ? 0
                   : no_layer(n, e);
    if (!x->level || !is_symmetric(w, DTYPE_I8) || (l->b && !b) ||
        (b && !is_symmetric(b, DTYPE_I32)))
        return no_layer(n, e);
    l->w = w->in[0];
    l->b = b ? b->in[0] : NULL;
    l->scale = sum_scale(c, x, w->in[SCALE], cgen_dims(n->in[WEIGHT])[0]);
    return 0;
}

/* The sum of output `k' begins.  */
static void sum_open(struct cgen *c, const struct layer *l)
{
    cgen_line(c, "%s = %s;", l->scale ? "int32_t a" : "float v",
              l->b       ? cgen_text(c, "%s[k]", cgen_array(c, l->b))
              : l->scale ? "0"
                         : "0.f");
}

static void sum_add(struct cgen *c, const struct layer *l, const char *w,
                    const char *x)
{
    cgen_line(c, "%s += %s[%s] * %s;", l->scale ? "a" : "v",
              cgen_array(c, l->w), w,
              l->scale ? cgen_level(c, l->x, x) : cgen_at(c, l->x, x));
}

static void sum_end(struct cgen *c, const struct layer *l)
{
    if (l->scale)
        cgen_line(c, "float v = (float)a * %s[k];", l->scale);
}

/* The plane of the input that channel `c' of output `k' reads.  */
static const char *plane_of(struct cgen *c, int64_t groups, int64_t cg,
                            int64_t kg)
{
    if (groups == 1)
        return "c";
    if (cg == 1 && kg == 1)
        return "k";
    return cgen_text(c, "(k / %lld * %lld + c)", (long long)kg, (long long)cg);
}

static int emit_conv2d(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;
    const struct window w = window_of_node(n);
    const int64_t groups = attr_int(n, "groups"), k = cgen_dims(n->out[0])[1];
    const int64_t cg = cgen_dims(n->in[X])[1] / groups;
    struct layer l;

    if (layer_of(c, n, &l, e) < 0)
        return -1;
    window_open(c, &w, k);
    sum_open(c, &l);
    cgen_for(c, "c", cg);
    taps_open(c);
    sum_add(c, &l,
            cgen_text(c, "((k * %lld + c) * %lld + r) * %lld + s",
                      (long long)cg, (long long)w.kernel[0],
                      (long long)w.kernel[1]),
            tap(c, &w, plane_of(c, groups, cg, k / groups)));
    cgen_end(c, 3);
    sum_end(c, &l);
    cgen_tail(c, s, cgen_pixel(c, n->out[0]));
    cgen_end(c, 3);
    return 0;
}

static int emit_linear(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;
    const int64_t k = cgen_dims(n->in[WEIGHT])[0],
                  m = cgen_dims(n->in[WEIGHT])[1];
    struct layer l;

    if (layer_of(c, n, &l, e) < 0)
        return -1;
    cgen_for(c, "o", shape_count(&n->out[0]->shape) / k);
    cgen_for(c, "k", k);
    sum_open(c, &l);
    cgen_for(c, "c", m);
    sum_add(c, &l, cgen_text(c, "k * %lld + c", (long long)m),
            cgen_text(c, "o * %lld + c", (long long)m));
    cgen_end(c, 1);
    sum_end(c, &l);
    cgen_tail(c, s, cgen_text(c, "o * %lld + k", (long long)k));
    cgen_end(c, 2);
    return 0;
}

/* v = x a + b along an axis; B may be NULL.  */
static int emit_affine(struct cgen *c, const struct cgen_step *s, int axis,
                       const char *a, const char *b)
{
    const struct value *x = s->head->in[0];
    const struct axis along = axis_of(&x->shape, axis);
    const char *at = cgen_text(c, "(o * %lld + k) * %lld + i",
                               (long long)along.size, (long long)along.inner);

    cgen_for(c, "o", along.outer);
    cgen_for(c, "k", along.size);
    cgen_for(c, "i", along.inner);
    cgen_line(c, "float v = %s * %s[k];", cgen_at(c, x, at), a);
    if (b)
        cgen_line(c, "v += %s[k];", b);
    cgen_tail(c, s, at);
    cgen_end(c, 3);
    return 0;
}

static int emit_scale(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const int axis = (int)attr_int(s->head, "axis");

    (void)e;
    return emit_affine(c, s, axis, cgen_array(c, s->head->in[1]), NULL);
}

static int emit_batchnorm2d(struct cgen *c, const struct cgen_step *s,
                            struct err *e)
{
    const struct node *n = s->head;
    const int64_t k = cgen_dims(n->in[0])[1];
    float *a = ARENA_NEWS(&c->arena, k, float),
          *b = ARENA_NEWS(&c->arena, k, float);
    const float *w = n->in[1] ? n->in[1]->data.data : NULL;
    const float *bias = n->in[2] ? n->in[2]->data.data : NULL;
    const float *mean = n->in[3]->data.data, *var = n->in[4]->data.data;

    (void)e;
    for (int64_t i = 0; i < k; i++) {
        const double scale =
            (w ? w[i] : 1) / sqrt(var[i] + attr_real(n, "eps"));

        a[i] = (float)scale;
        b[i] = (float)((bias ? bias[i] : 0) - mean[i] * scale);
    }
    const char *scale = cgen_floats(c, a, k);

    return emit_affine(c, s, 1, scale, cgen_floats(c, b, k));
}

static int emit_softmax(struct cgen *c, const struct cgen_step *s,
                        struct err *e)
{
    const struct value *x = s->head->in[0];
    const struct axis a = axis_of(&x->shape, (int)attr_int(s->head, "axis"));
    const char *at = cgen_text(c, "(o * %lld + k) * %lld + i",
                               (long long)a.size, (long long)a.inner);
    const char *y = cgen_array(c, s->out);

    (void)e;
    cgen_for(c, "o", a.outer);
    cgen_for(c, "i", a.inner);
    cgen_line(c, "float most = -INFINITY, sum = 0.f;");
    cgen_for(c, "k", a.size);
    cgen_line(c, "most = fmaxf(most, %s);", cgen_at(c, x, at));
    cgen_end(c, 1);
    cgen_for(c, "k", a.size);
    cgen_line(c, "sum += %s[%s] = expf(%s - most);", y, at, cgen_at(c, x, at));
    cgen_end(c, 1);
    cgen_for(c, "k", a.size);
    cgen_line(c, "%s[%s] /= sum;", y, at);
    cgen_end(c, 3);
    return 0;
}

const struct cgen_op cgen_layers[] = {
    {"adaptiveavgpool2d", emit_adaptiveavgpool, 0},
    {"avgpool2d", emit_avgpool, 0},
    {"batchnorm2d", emit_batchnorm2d, 0},
    {"conv2d", emit_conv2d, 0},
    {"globalavgpool", emit_globalavgpool, 0},
    {"linear", emit_linear, 0},
    {"maxpool2d", emit_maxpool, 0},
    {"scale", emit_scale, 0},
    {"softmax", emit_softmax, 1},
    {0},
};
