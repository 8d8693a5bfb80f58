/* view.c -- what ops share whose result is their operand with another shape.
 * SPDX-License-Identifier: MIT  */
#include "op/view.h"

#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/rule.h"

static void copy(real *to, const real *from, int64_t count)
{
    if (to != from)
        memcpy(to, from, (size_t)count * sizeof *to);
}

struct op_cost view_cost(const struct node *n)
{
    (void)n;
    return (struct op_cost){0, 0};
}

void view_forward(const struct op_args *a)
{
    copy(a->out[0].data, a->in[0].data, tensor_count(&a->in[0]));
}

void view_backward(const struct op_args *a)
{
    copy(a->din[0].data, a->dout[0].data, tensor_count(&a->dout[0]));
}

static int batch_bits(const struct shape *s)
{
    int bits = 0;
    for (int i = 0; i < s->rank; i++)
        bits += rule_batch(s, i);
    return bits;
}

/* Elements in front of axis I.  */
static int64_t in_front(const struct shape *s, int axis)
{
    int64_t count = 1;
    for (int i = 0; i < axis; i++)
        count *= s->dim[i];
    return count;
}

int view_infer(struct node *n, struct shape *y, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    if (rule_float(n, 0, e) < 0 || rule_size(y, e) < 0)
        return -1;
    y->batch = 0;
    if (shape_count(x) != shape_count(y))
        return err_set(e, ERR_SHAPE, "%s does not hold as much as input %s",
                       ST(y), ST(x));
    if (batch_bits(x) > 1)
        return err_set(e, ERR_SHAPE, "input %s counts the batch twice", ST(x));
    for (int b = 0; b < x->rank; b++) {
        if (!rule_batch(x, b))
            continue;
        for (int i = 0; i < y->rank && !y->batch; i++)
            if (in_front(y, i) == in_front(x, b))
                y->batch = (uint8_t)(1 << i);
        if (!y->batch)
            return err_set(e, ERR_SHAPE,
                           "%s has no place for the batch of input %s", ST(y),
                           ST(x));
    }
    return rule_out(n, 0, DTYPE_F32, y, e);
}
