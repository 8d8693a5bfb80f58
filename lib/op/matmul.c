/* matmul.c -- the product of two matrices, or of stacks of them.
 * SPDX-License-Identifier: MIT
 *
 *   a [...,M,K]  b [...,K,N]  y [...,M,N]; the sizes in front broadcast.
 * Backward keeps both: da = dy b', db = a' dy, summed over the axes along
 * which a or b was repeated.  Cost per output: K multiply-adds, 2 K - 1 flop.
 * ONNX MatMul.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/join.h"
#include "op/ops.h"
#include "op/rule.h"

enum { A, B };

/* The sizes in front of the matrices.  */
static struct shape stack(const struct shape *s)
{
    struct shape r = *s;
    r.rank -= 2;
    r.batch &= (uint8_t)((1 << r.rank) - 1);
    r.dim[r.rank] = r.dim[r.rank + 1] = 0;
    return r;
}

static int infer(struct node *n, struct err *e)
{
    const struct shape *a = &n->in[A]->shape, *b = &n->in[B]->shape;
    if (rule_float(n, A, e) < 0 || rule_float(n, B, e) < 0)
        return -1;
    if (a->rank < 2 || b->rank < 2 ||
        a->dim[a->rank - 1] != b->dim[b->rank - 2] ||
        rule_batch(a, a->rank - 1) || rule_batch(b, b->rank - 2))
        return err_set(e, ERR_SHAPE, "matrices %s and %s do not fit", ST(a),
                       ST(b));
    struct shape y = stack(a);
    const struct shape other = stack(b);
    if (join_shape(&y, &other, e) < 0)
        return -1;
    y.dim[y.rank] = a->dim[a->rank - 2];
    y.dim[y.rank + 1] = b->dim[b->rank - 1];
    y.batch |= (uint8_t)(rule_batch(a, a->rank - 2) << y.rank |
                         rule_batch(b, b->rank - 1) << (y.rank + 1));
    y.rank += 2;
    if (rule_out(n, 0, DTYPE_F32, &y, e) < 0)
        return -1;
    return rule_work(n, a->dim[a->rank - 1], e);
}

static struct op_cost cost(const struct node *n)
{
    const struct shape *a = &n->in[A]->shape;
    const int64_t out = shape_count(&n->out[0]->shape);
    const int64_t k = a->dim[a->rank - 1];
    return (struct op_cost){.flop = out * (2 * k - 1), .mac = out * k};
}

struct sizes {
    struct shape a, b, y; /* the stacks */
    int64_t m, k, n;
};

static struct sizes sizes(const struct op_args *args, const struct shape *y)
{
    const struct shape *a = &args->in[A].shape, *b = &args->in[B].shape;
    return (struct sizes){
        .a = stack(a),
        .b = stack(b),
        .y = stack(y),
        .m = a->dim[a->rank - 2],
        .k = a->dim[a->rank - 1],
        .n = b->dim[b->rank - 1],
    };
}

static void forward(const struct op_args *args)
{
    const struct sizes s = sizes(args, &args->out[0].shape);
    const int64_t count = shape_count(&s.y);
    real *y = args->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        const real *a = (const real *)args->in[A].data +
                        axis_broadcast(&s.a, &s.y, i) * s.m * s.k;
        const real *b = (const real *)args->in[B].data +
                        axis_broadcast(&s.b, &s.y, i) * s.k * s.n;
        for (int64_t m = 0; m < s.m; m++)
            for (int64_t n = 0; n < s.n; n++) {
                double sum = 0;
                for (int64_t k = 0; k < s.k; k++)
                    sum += (double)a[m * s.k + k] * b[k * s.n + n];
                *y++ = (real)sum;
            }
    }
}

/* One element of da or db: over all matrices of the stack that read it.  */
struct element {
    const struct op_args *args;
    const struct sizes *s;
    int of;           /* A or B */
    int64_t row, col; /* in that matrix */
};

static double term(const void *ctx, int64_t i)
{
    const struct element *e = ctx;
    const struct sizes *s = e->s;
    const real *dy = (const real *)e->args->dout[0].data + i * s->m * s->n;
    double sum = 0;
    if (e->of == A) {
        const real *b = (const real *)e->args->in[B].data +
                        axis_broadcast(&s->b, &s->y, i) * s->k * s->n;
        for (int64_t n = 0; n < s->n; n++)
            sum += (double)dy[e->row * s->n + n] * b[e->col * s->n + n];
    } else {
        const real *a = (const real *)e->args->in[A].data +
                        axis_broadcast(&s->a, &s->y, i) * s->m * s->k;
        for (int64_t m = 0; m < s->m; m++)
            sum += (double)dy[m * s->n + e->col] * a[m * s->k + e->row];
    }
    return sum;
}

static void gradient(const struct op_args *args, const struct sizes *s, int of)
{
    const struct shape *stacked = of == A ? &s->a : &s->b;
    const int64_t count = shape_count(stacked);
    const int64_t rows = of == A ? s->m : s->k, cols = of == A ? s->k : s->n;
    real *d = args->din[of].data;
    for (int64_t i = 0; i < count; i++)
        for (int64_t row = 0; row < rows; row++)
            for (int64_t col = 0; col < cols; col++) {
                const struct element e = {args, s, of, row, col};
                *d++ = (real)axis_sum_one(stacked, &s->y, i, term, &e);
            }
}

static void backward(const struct op_args *args)
{
    const struct sizes s = sizes(args, &args->dout[0].shape);
    for (int of = A; of <= B; of++)
        if (args->din[of].data)
            gradient(args, &s, of);
}

static const struct op_in in[] = {{.name = "a"}, {.name = "b"}, {0}};

const struct op op_matmul = {
    .name = "matmul",
    .brief = "multiply matrices",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << A | 1 << B,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"MatMul", 1, NULL},
};
