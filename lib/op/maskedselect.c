/* maskedselect.c -- the numbers where a mask is set, packed to the front.
 * SPDX-License-Identifier: MIT
 *
 *   x, mask, y [...,L]  count: as x without the last size
 * Of each row the numbers whose mask is larger than 0, in their order, then
 * zeros: shapes are known before numbers are, so that the result cannot be as
 * short as the selection.  count says how many there are.  Backward keeps mask:
 * dx = dy at the place that x moved to, else 0; that of the mask is 0.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, MASK };
enum { Y, COUNT_OF };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_float(n, X, e) < 0 || rule_float(n, MASK, e) < 0)
        return -1;
    if (x->rank < 1 || rule_batch(x, x->rank - 1))
        return err_set(e, ERR_SHAPE, "input %s has no rows", ST(x));
    if (!shape_equal(&n->in[MASK]->shape, x))
        return err_set(e, ERR_SHAPE, "mask %s does not fit input %s",
                       ST(&n->in[MASK]->shape), ST(x));
    const struct shape rest = axis_without(x, x->rank - 1);
    if (rule_out(n, COUNT_OF, DTYPE_F32, &rest, e) < 0)
        return -1;
    return rule_out(n, Y, DTYPE_F32, x, e);
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, a->in[X].shape.rank - 1);
    real *count = a->out[COUNT_OF].data;
    for (int64_t r = 0; r < s.outer; r++) {
        const real *x = (const real *)a->in[X].data + r * s.size;
        const real *mask = (const real *)a->in[MASK].data + r * s.size;
        real *y = (real *)a->out[Y].data + r * s.size;
        int64_t n = 0;
        for (int64_t i = 0; i < s.size; i++)
            if (mask[i] > 0)
                y[n++] = x[i];
        count[r] = (real)n;
        while (n < s.size)
            y[n++] = 0;
    }
}

static void backward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->dout[Y].shape, a->dout[Y].shape.rank - 1);
    real *dx = a->din[X].data, *dmask = a->din[MASK].data;
    for (int64_t r = 0; r < s.outer; r++) {
        const real *mask = (const real *)a->in[MASK].data + r * s.size;
        const real *dy = (const real *)a->dout[Y].data + r * s.size;
        for (int64_t i = 0; dx && i < s.size; i++)
            dx[r * s.size + i] = mask[i] > 0 ? *dy++ : 0;
        for (int64_t i = 0; dmask && i < s.size; i++)
            dmask[r * s.size + i] = 0;
    }
}

static const struct op_in in[] = {{.name = "x"}, {.name = "mask"}, {0}};

const struct op op_maskedselect = {
    .name = "maskedselect",
    .brief = "pack the numbers where a mask is set to the front",
    .in = in,
    .n_out = 2,
    .keep_in = 1 << MASK,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
