/* quant8.c -- see quant8.h.
 * SPDX-License-Identifier: MIT  */
#include "op/quant8.h"

#include <math.h>
#include <string.h>

#include "graph/attr.h"
#include "graph/graph.h"

enum { SCALE = 1, ZERO = 2 };

#define LIMITS "relu|relu6|clip"
#define CURVES "hardswish|hardsigmoid|silu|sigmoid|tanh"

const char *const quant8_follow[] = {LIMITS, "quantize", NULL};
const char *const quant8_layer_follow[] = {
    LIMITS "|" CURVES, "quantize", "dequantize", "add", LIMITS,
    "quantize",        NULL};

/* The data of a constant of COUNT elements, or NULL.  */
static const void *constant(const struct value *v, enum dtype dt, int64_t count)
{
    const int fits =
        v && v->kind == VALUE_CONST && v->dtype == dt && v->data.data;

    return fits && tensor_count(&v->data) == count ? v->data.data : NULL;
}

int grid8_of(const struct node *n, struct grid8 *g)
{
    const float *scale;
    const uint8_t *zero;

    if (!node_is(n, "quantize|dequantize"))
        return -1;
    scale = constant(n->in[SCALE], DTYPE_F32, 1);
    zero = constant(n->in[ZERO], DTYPE_U8, 1);
    if (!scale || !zero)
        return -1;
    *g = (struct grid8){*scale, *zero};
    return 0;
}

int grid8_operand(const struct node *n, int i, struct grid8 *g)
{
    return grid8_of(node_dequantize(n, i), g);
}

/* D gives COUNT rows of type DT along axis 0, zero points 0.  */
static int is_symmetric(const struct node *d, enum dtype dt, int64_t count)
{
    const int64_t n = d ? shape_count(&d->in[SCALE]->shape) : 0;
    const void *zero = d ? constant(d->in[ZERO], dt, n) : NULL;
    static const char none[8];

    if (!zero || !constant(d->in[SCALE], DTYPE_F32, n) ||
        d->in[0]->dtype != dt || d->in[0]->kind != VALUE_CONST ||
        (n != 1 && (n != count || attr_int(d, "axis") != 0)))
        return 0;
    for (int64_t i = 0; i < n; i++)
        if (memcmp((const char *)zero + (size_t)i * dtype_size(dt), none,
                   dtype_size(dt)))
            return 0;
    return 1;
}

int quant8_layer(const struct node *n, int x, int weight, int bias)
{
    const struct value *b = n->in[bias];
    struct grid8 g;
    int64_t rows;

    if (grid8_operand(n, x, &g) < 0 || !node_dequantize(n, weight))
        return 0;
    rows = n->in[weight]->shape.dim[0];
    if (!is_symmetric(node_dequantize(n, weight), DTYPE_I8, rows))
        return 0;
    return !b || b->kind == VALUE_PARAM || b->kind == VALUE_CONST ||
           is_symmetric(node_dequantize(n, bias), DTYPE_I32, rows);
}

int quant8_is_7(const struct node *n, int weight)
{
    enum { AT_ONCE = 256 };
    const struct tensor *t = &node_dequantize(n, weight)->in[0]->data;
    const int8_t *w = t->data;
    const int64_t count = w ? tensor_count(t) : 0;

    for (int64_t i = 0; i < count; i += AT_ONCE) {
        const int64_t end = i + AT_ONCE < count ? i + AT_ONCE : count;
        uint8_t most = 0;

        for (int64_t j = i; j < end; j++) {
            const uint8_t far = (uint8_t)(w[j] + QUANT8_MOST_7);

            most = most > far ? most : far;
        }
        if (most > 2 * QUANT8_MOST_7)
            return 0;
    }
    return w != NULL;
}

static float scale_at(const struct node *d, int64_t o)
{
    const float *scale = d->in[SCALE]->data.data;

    return scale[shape_count(&d->in[SCALE]->shape) == 1 ? 0 : o];
}

/* The bias of output O, of tensor T.  */
static float bias_of(const struct node *n, int bias, const struct tensor *t,
                     int64_t o)
{
    if (!t->data)
        return 0;
    if (t->dtype == DTYPE_F32)
        return ((const float *)t->data)[o];
    return (float)((double)((const int32_t *)t->data)[o] *
                   scale_at(node_dequantize(n, bias), o));
}

static int read_act(const struct node *n, int curved, struct requant *r)
{
    if (node_is(n, CURVES)) {
        r->curve = n;
        return curved ? 0 : -1;
    }
    if (!node_is(n, LIMITS))
        return -1;
    r->lo = node_is(n, "clip") ? (float)attr_real(n, "min") : 0;
    if (node_is(n, "relu6|clip"))
        r->hi = node_is(n, "clip") ? (float)attr_real(n, "max") : 6;
    return 0;
}

static void read_grid(const struct grid8 *g, struct requant *r)
{
    r->zero = (float)g->zero;
    r->to_u8 = 1;
    r->lo = fmaxf(r->lo / g->scale, 0 - r->zero);
    r->hi = fminf(r->hi / g->scale, 255 - r->zero);
    if (r->curve)
        r->step = g->scale;
    else
        r->scale = g->scale;
}

/* The nodes [FROM, END) of S.  */
static int read_nodes(const struct step_nodes *s, int from, int end, int curved,
                      struct requant *r)
{
    *r = (struct requant){
        .lo = -INFINITY, .hi = INFINITY, .scale = 1, .step = 1};
    for (int i = from; i < end; i++) {
        const struct node *n = s->node[i];
        struct grid8 g;

        if (!node_is(n, "quantize")) {
            if (i > from || read_act(n, curved, r) < 0)
                return -1;
            continue;
        }
        if (i != end - 1 || s->link[i] != 0 || grid8_of(n, &g) < 0)
            return -1;
        read_grid(&g, r);
    }
    return 0;
}

int quant8_requant(const struct step_nodes *s, struct requant *r)
{
    return read_nodes(s, 1, s->n, 0, r);
}

struct sum8 quant8_sum(const struct grid8 *a, const struct grid8 *b,
                       const struct requant *q)
{
    return (struct sum8){a->scale / q->scale,
                         b->scale / q->scale,
                         (float)a->zero,
                         (float)b->zero,
                         {q->lo, q->hi, q->zero}};
}

/* The add at place I of S, whose operands are u8.  */
static int read_add(const struct step_nodes *s, int i, struct layer_follow *f)
{
    const struct node *n = s->node[i];
    struct requant q;
    struct grid8 a, b;

    if (i >= s->n || !node_is(n, "add") || n->n_join != 2 || !f->q.to_u8 ||
        f->q.curve || grid8_operand(n, 0, &a) < 0 ||
        grid8_operand(n, 1, &b) < 0 ||
        !shape_equal(&n->in[0]->shape, &n->in[1]->shape) ||
        read_nodes(s, i + 1, s->n, 0, &q) < 0 || !q.to_u8)
        return -1;
    f->sum = quant8_sum(&a, &b, &q);
    f->add = i;
    f->is_first = s->link[i] == 0;
    return 0;
}

int quant8_layer_requant(const struct step_nodes *s, struct layer_follow *f)
{
    int end = 1;

    *f = (struct layer_follow){0};
    while (end < s->n && !node_is(s->node[end], "dequantize"))
        end++;
    if (read_nodes(s, 1, end, 1, &f->q) < 0)
        return -1;
    return end < s->n ? read_add(s, end + 1, f) : 0;
}

const struct tensor *quant8_added(const struct kernel_args *a,
                                  const struct layer_follow *f)
{
    const struct tensor *t = a->follow;

    for (int i = 1; i < f->add; i++)
        t += a->step->node[i]->n_in - 1;
    return t;
}

int quant8_map(const struct grid8 *from, const struct requant *to,
               uint8_t map[256])
{
    int same = 1;

    for (int i = 0; i < 256; i++) {
        const float v = (float)(i - from->zero) * from->scale / to->scale;

        map[i] = (uint8_t)(rintf(fminf(to->hi, fmaxf(to->lo, v))) + to->zero);
        same &= map[i] == i;
    }
    return same;
}

struct outputs8 quant8_outputs(const struct kernel_args *a,
                               const struct requant *q, int64_t n,
                               int64_t lanes, const int32_t *sums, void *table)
{
    const struct node *head = a->step->node[0],
                      *weight = node_dequantize(head, 1);
    int32_t *base = a->kept ? a->kept->table : table;
    float *scale = (float *)(base + lanes), *shift = scale + lanes;
    struct grid8 x = {0};

    if (a->kept && a->kept->made)
        return (struct outputs8){base, scale, shift};
    grid8_operand(head, 0, &x);
    memset(base, 0, (size_t)(3 * lanes) * sizeof *base);
    for (int64_t o = 0; o < n; o++) {
        base[o] = -x.zero * sums[o];
        scale[o] = x.scale * scale_at(weight, o) / q->scale;
        shift[o] = bias_of(head, 2, &a->op.in[2], o) / q->scale;
    }
    if (a->kept)
        a->kept->made = 1;
    return (struct outputs8){base, scale, shift};
}
