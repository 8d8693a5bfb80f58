/* reshape.c -- the same elements with other sizes.
 * SPDX-License-Identifier: MIT
 *
 * SHAPE gives the sizes per unit of the batch; one of them may be -1: what
 * remains.  The size that counts the batch is the first one in front of which
 * as many elements stand as in the input:
 *   x [N,3136,96], shape [64,49,96]: y [64*N,49,96]
 *   x [N,768], shape [1,12,64]: y [N,12,64].  */
#include "base/err.h"
#include "base/mem.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

/* Put what remains of COUNT elements in place of a -1.  */
static int fill(struct shape *y, int64_t count, struct err *e)
{
    int64_t known = 1;
    int free_at = -1;
    for (int i = 0; i < y->rank; i++) {
        if (y->dim[i] < 0) {
            if (y->dim[i] != -1 || free_at >= 0)
                return err_set(e, ERR_USAGE,
                               "attribute shape has more than one size to "
                               "find");
            free_at = i;
        } else if (i64_mul(known, y->dim[i], &known) < 0) {
            return err_set(e, ERR_SHAPE, "attribute shape is too large");
        }
    }
    if (free_at >= 0)
        y->dim[free_at] = known ? count / known : 0;
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    int rank;
    const int64_t *dim = attr_ints(n, "shape", &rank);
    if (rank < 1 || rank > SHAPE_MAX)
        return err_set(e, ERR_USAGE,
                       "attribute shape has %d sizes, not 1 to "
                       "%d",
                       rank, SHAPE_MAX);
    struct shape y = shape_make(rank, dim);
    if (fill(&y, shape_count(&n->in[0]->shape), e) < 0)
        return -1;
    return view_infer(n, &y, e);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"shape", 'v', NULL, "sizes per unit of the batch, one may be -1"}, {0}};

const struct op op_reshape = {
    .name = "reshape",
    .brief = "give the same numbers other sizes",
    .in = in,
    .n_out = 1,
    .flags = OP_VIEW,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = view_forward,
    .backward = view_backward,
};
