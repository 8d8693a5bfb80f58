/* attention.c -- each token as a mean of all tokens, by likeness.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,T,3 C]  bias (optional) [G,HEADS,T,T]  y [N,T,C]
 *   extra: lse [N,HEADS,T]
 * The last axis of x is cut into queries q, keys k and values v of C numbers
 * each, those into HEADS parts of D = C / HEADS.  For each sample and head
 *     S = q k' / sqrt D + bias,  lse = log sum exp of each row of S,
 *     P = exp(S - lse),          y = P v.
 * Sample n takes bias n mod G: places that are near, or a mask of large
 * negative numbers.  Backward keeps x, bias, y and lse, not P:
 *     dv = P' dy,  dS = P (dy v' - dy y' by rows),
 *     dq = dS k / sqrt D,  dk = dS' q / sqrt D,  dbias = sum dS.
 * Cost: 2 T T C multiply-adds, 4 flop more for each number of P.
 * Vaswani et al., "Attention is all you need", 2017, 3.2; the projections are
 * linear layers around it.  Dao et al., "FlashAttention", 2022, for the form
 * of backward.  Liu et al., "Swin transformer", 2021, equation 4 (bias).  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, BIAS };
enum { Y, LSE };
enum { QUERY, KEY, VALUE, PARTS };

static int infer_bias(struct node *n, int64_t heads, struct err *e)
{
    const struct shape *x = &n->in[X]->shape, *b = &n->in[BIAS]->shape;
    const struct shape want =
        shape_make(4, (int64_t[]){b->dim[0], heads, x->dim[1], x->dim[1]});
    if (rule_float(n, BIAS, e) < 0)
        return -1;
    if (!shape_equal(b, &want) || !b->dim[0] || x->dim[0] % b->dim[0])
        return err_set(e, ERR_SHAPE,
                       "operand bias %s does not fit input %s: needs "
                       "[G,%lld,%lld,%lld], G a divisor of the samples",
                       ST(b), ST(x), (long long)heads, (long long)x->dim[1],
                       (long long)x->dim[1]);
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    const int64_t heads = attr_int(n, "heads");
    if (rule_data(n, 0, 3, 3, e) < 0 ||
        rule_int(n, "heads", 1, INT32_MAX, e) < 0)
        return -1;
    if (x->dim[2] % PARTS || x->dim[2] / PARTS % heads)
        return err_set(e, ERR_SHAPE,
                       "the last size of input %s is not three times a "
                       "multiple of %lld heads",
                       ST(x), (long long)heads);
    if (n->in[BIAS] && infer_bias(n, heads, e) < 0)
        return -1;
    struct shape y = *x, lse = *x;
    y.dim[2] /= PARTS;
    lse.dim[1] = heads;
    lse.dim[2] = x->dim[1];
    if (rule_out(n, Y, DTYPE_F32, &y, e) < 0 ||
        rule_out(n, LSE, DTYPE_F32, &lse, e) < 0)
        return -1;
    return rule_work(n, 2 * x->dim[1], e);
}

static struct op_cost cost(const struct node *n)
{
    const struct shape *y = &n->out[Y]->shape;
    const int64_t t = y->dim[1], mac = 2 * t * shape_count(y);
    return (struct op_cost){.flop = 2 * mac + 4 * t * t * attr_int(n, "heads"),
                            .mac = mac};
}

/* One head of one sample.  */
struct head {
    int64_t t, c, d;
    const real *x;      /* the sample, from the head's queries on */
    const real *bias;   /* [t][t], or NULL */
    const real *y, *dy; /* the sample, from the head on */
    const real *lse;    /* [t] */
    double scale;
};

/* That of head HEAD of sample N.  */
static const real *bias_of(const struct op_args *a, int64_t n, int64_t head,
                           int64_t t)
{
    const struct shape *s = &a->in[BIAS].shape;
    const real *b = a->in[BIAS].data;
    return b ? b + (n % s->dim[0] * s->dim[1] + head) * t * t : NULL;
}

static struct head head_of(const struct op_args *a, const struct shape *x,
                           int64_t i)
{
    const int64_t heads = attr_int(a->node, "heads"), c = x->dim[2] / PARTS;
    const int64_t n = i / heads, d = c / heads, at = i % heads * d;
    struct head h = {.t = x->dim[1], .c = c, .d = d};
    h.x = (const real *)a->in[X].data + n * h.t * PARTS * c + at;
    h.bias = bias_of(a, n, i % heads, h.t);
    if (a->dout) {
        h.y = (const real *)a->out[Y].data + n * h.t * c + at;
        h.dy = (const real *)a->dout[0].data + n * h.t * c + at;
        h.lse = (const real *)a->out[LSE].data + i * h.t;
    }
    h.scale = 1 / sqrt((double)d);
    return h;
}

/* Part PART of token T.  */
static const real *token(const struct head *h, int part, int64_t t)
{
    return h->x + (t * PARTS + part) * h->c;
}

static double dot(const real *a, const real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static double score(const struct head *h, int64_t t, int64_t u)
{
    const double s = dot(token(h, QUERY, t), token(h, KEY, u), h->d);
    return h->scale * s + (h->bias ? h->bias[t * h->t + u] : 0);
}

static double row_lse(const struct head *h, int64_t t)
{
    double max = score(h, t, 0), sum = 0;
    for (int64_t u = 1; u < h->t; u++)
        max = fmax(max, score(h, t, u));
    for (int64_t u = 0; u < h->t; u++)
        sum += exp(score(h, t, u) - max);
    return max + log(sum);
}

static void row_forward(const struct head *h, int64_t t, double lse, real *y)
{
    for (int64_t i = 0; i < h->d; i++) {
        double sum = 0;
        for (int64_t u = 0; u < h->t; u++)
            sum += exp(score(h, t, u) - lse) * token(h, VALUE, u)[i];
        y[i] = (real)sum;
    }
}

static void forward(const struct op_args *a)
{
    const struct shape *x = &a->in[0].shape;
    const int64_t heads = attr_int(a->node, "heads");
    real *y = a->out[Y].data, *lses = a->out[LSE].data;
    for (int64_t i = 0; i < x->dim[0] * heads; i++) {
        const struct head h = head_of(a, x, i);
        for (int64_t t = 0; t < h.t; t++) {
            const double lse = row_lse(&h, t);
            row_forward(&h, t, lse,
                        y + (i / heads * h.t + t) * h.c + i % heads * h.d);
            if (lses)
                lses[i * h.t + t] = (real)lse;
        }
    }
}

/* P and dS of query T and key U.  */
static double share(const struct head *h, int64_t t, int64_t u)
{
    return exp(score(h, t, u) - h->lse[t]);
}

static double slope(const struct head *h, int64_t t, int64_t u)
{
    const real *y = h->y + t * h->c, *dy = h->dy + t * h->c;
    return share(h, t, u) *
           (dot(dy, token(h, VALUE, u), h->d) - dot(dy, y, h->d));
}

/* The gradients of number I of query, key and value T.  */
static void element_backward(const struct head *h, int64_t t, int64_t i,
                             real *dx)
{
    double dq = 0, dk = 0, dv = 0;
    for (int64_t u = 0; u < h->t; u++) {
        dq += slope(h, t, u) * token(h, KEY, u)[i];
        dk += slope(h, u, t) * token(h, QUERY, u)[i];
        dv += share(h, u, t) * h->dy[u * h->c + i];
    }
    dx[(t * PARTS + QUERY) * h->c + i] = (real)(h->scale * dq);
    dx[(t * PARTS + KEY) * h->c + i] = (real)(h->scale * dk);
    dx[(t * PARTS + VALUE) * h->c + i] = (real)dv;
}

/* Bias G of head HEAD is read by every sample n with n mod COUNT = G.  */
static void bias_backward(const struct op_args *a, int64_t count, int64_t g,
                          int64_t head, real *db)
{
    const struct shape *x = &a->in[X].shape;
    const int64_t heads = attr_int(a->node, "heads"), t = x->dim[1];
    for (int64_t i = 0; i < t * t; i++) {
        double sum = 0;
        for (int64_t n = g; n < x->dim[0]; n += count) {
            const struct head h = head_of(a, x, n * heads + head);
            sum += slope(&h, i / t, i % t);
        }
        db[i] = (real)sum;
    }
}

static void x_backward(const struct op_args *a)
{
    const struct shape *x = &a->in[X].shape;
    const int64_t heads = attr_int(a->node, "heads");
    for (int64_t k = 0; k < x->dim[0] * heads; k++) {
        const struct head h = head_of(a, x, k);
        real *dx = (real *)a->din[X].data + (h.x - (const real *)a->in[X].data);
        for (int64_t t = 0; t < h.t; t++)
            for (int64_t i = 0; i < h.d; i++)
                element_backward(&h, t, i, dx);
    }
}

static void backward(const struct op_args *a)
{
    const struct shape *b = &a->in[BIAS].shape;
    real *db = a->din[BIAS].data;
    if (a->din[X].data)
        x_backward(a);
    for (int64_t i = 0; db && i < b->dim[0] * b->dim[1]; i++)
        bias_backward(a, b->dim[0], i / b->dim[1], i % b->dim[1],
                      db + i * b->dim[2] * b->dim[3]);
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "bias", .when = "bias"}, {0}};

static const struct op_attr attr[] = {
    {"heads", 'i', NULL, "parts of the channels that attend on their own"},
    {"bias", 'b', "no", "a second value is added to the likeness"},
    {0}};

const struct op op_attention = {
    .name = "attention",
    .brief = "mix tokens by the likeness of queries and keys",
    .in = in,
    .n_out = 1,
    .n_aux = 1,
    .keep_in = 1 << X | 1 << BIAS,
    .keep_out = 1 << Y | 1 << LSE,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
