/* pad.c -- a border around pictures.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,C,top+H+bottom,left+W+right]
 * The border holds VALUE (constant), the picture mirrored at its outermost
 * row or column (reflect), or that row or column again (edge).  Errors:
 * reflect needs a border smaller than the picture.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static const char *const modes[] = {"constant", "reflect", "edge", NULL};

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 4, 4, e) < 0 || rule_choice(n, "mode", modes, e) < 0 ||
        attr_expand(n, "pad", 4, 0, INT32_MAX, e) < 0)
        return -1;
    const int64_t *pad = attr_ints(n, "pad", NULL);
    for (int i = 0; i < 4; i++)
        if (!strcmp(attr_str(n, "mode"), "reflect") &&
            pad[i] >= n->in[0]->shape.dim[2 + i % 2])
            return err_set(e, ERR_SHAPE,
                           "a border of %lld is too large to mirror input %s",
                           (long long)pad[i], ST(&n->in[0]->shape));
    y.dim[2] += pad[0] + pad[2];
    y.dim[3] += pad[1] + pad[3];
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* Where in [0, SIZE) place I outside it takes its number; -1: the constant. */
static int64_t inside(const char *mode, int64_t i, int64_t size)
{
    if (i >= 0 && i < size)
        return i;
    if (!strcmp(mode, "constant"))
        return -1;
    if (!strcmp(mode, "reflect"))
        return i < 0 ? -i : 2 * (size - 1) - i;
    return i < 0 ? 0 : size - 1;
}

/* The element of x that element I of y takes, or -1.  */
static int64_t source(const struct op_args *a, const struct shape *x,
                      const struct shape *y, int64_t i)
{
    const char *mode = attr_str(a->node, "mode");
    const int64_t *pad = attr_ints(a->node, "pad", NULL);
    const int64_t q = i % y->dim[3], p = i / y->dim[3] % y->dim[2];
    const int64_t plane = i / y->dim[3] / y->dim[2];
    const int64_t h = inside(mode, p - pad[0], x->dim[2]);
    const int64_t w = inside(mode, q - pad[1], x->dim[3]);
    return h < 0 || w < 0 ? -1 : (plane * x->dim[2] + h) * x->dim[3] + w;
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->out[0]);
    const real value = (real)attr_real(a->node, "value");
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = source(a, &a->in[0].shape, &a->out[0].shape, i);
        y[i] = at < 0 ? value : x[at];
    }
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)tensor_count(&a->din[0]) * sizeof *dx);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = source(a, &a->din[0].shape, &a->dout[0].shape, i);
        if (at >= 0)
            dx[at] += dy[i];
    }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"pad", 'v', NULL, "border at top, left, bottom, right"},
    {"mode", 's', "constant", "constant, reflect or edge"},
    {"value", 'f', "0", "what a constant border holds"},
    {0}};

const struct op op_pad = {
    .name = "pad",
    .brief = "put a border around pictures",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
