/* join.c -- see join.h.
 * SPDX-License-Identifier: MIT  */
#include "op/join.h"

#include "base/err.h"
#include "graph/graph.h"
#include "op/rule.h"

static void set_dim(struct shape *s, int i, int64_t dim, int batch)
{
    s->dim[i] = dim;
    s->batch = (uint8_t)((s->batch & ~(1 << i)) | batch << i);
}

int join_shape(struct shape *s, const struct shape *x, struct err *e)
{
    const struct shape a = *s;
    const int rank = a.rank > x->rank ? a.rank : x->rank;
    *s = (struct shape){.rank = rank};
    for (int d = 1; d <= rank; d++) {
        const int i = a.rank - d, j = x->rank - d, k = rank - d;
        const int64_t p = i < 0 ? 1 : a.dim[i], q = j < 0 ? 1 : x->dim[j];
        const int pb = i >= 0 && rule_batch(&a, i);
        const int qb = j >= 0 && rule_batch(x, j);
        if (p == q && pb == qb)
            set_dim(s, k, p, pb);
        else if (p == 1 && !pb)
            set_dim(s, k, q, qb);
        else if (q == 1 && !qb)
            set_dim(s, k, p, pb);
        else
            return err_set(e, ERR_SHAPE, "operands %s and %s do not fit",
                           ST(&a), ST(x));
    }
    return 0;
}

int join_infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    for (int i = 0; i < n->n_join; i++)
        if (rule_float(n, i, e) < 0 ||
            (i && join_shape(&y, &n->in[i]->shape, e) < 0))
            return -1;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

struct op_cost join_cost(const struct node *n)
{
    return (struct op_cost){.flop = (n->n_join - 1) *
                                    shape_count(&n->out[0]->shape)};
}

real join_at(const struct op_args *a, int k, const struct shape *y, int64_t i)
{
    const real *x = a->in[k].data;
    return x[axis_broadcast(&a->in[k].shape, y, i)];
}

void join_backward(const struct op_args *a, axis_term *term)
{
    for (int k = 0; k < a->node->n_join; k++) {
        const struct join_term t = {a, k};
        if (a->din[k].data)
            axis_sum(a->din[k].data, &a->din[k].shape, &a->dout[0].shape, term,
                     &t);
    }
}
