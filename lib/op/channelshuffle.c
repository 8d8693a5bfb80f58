/* channelshuffle.c -- the channels of several groups, interleaved.
 * SPDX-License-Identifier: MIT
 *
 *   x, y [N,C,...]: with G groups of C/G channels, channel j of y is number
 * j / G of group j mod G.  [0..8] in 3 groups gives [0,3,6,1,4,7,2,5,8].
 * Zhang et al., "ShuffleNet", 2017, 3.1.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    if (rule_data(n, 0, 2, SHAPE_MAX, e) < 0 ||
        rule_int(n, "groups", 1, INT32_MAX, e) < 0)
        return -1;
    if (x->dim[1] % attr_int(n, "groups"))
        return err_set(e, ERR_SHAPE, "%lld groups do not divide input %s",
                       (long long)attr_int(n, "groups"), ST(x));
    return rule_same(n, e);
}

/* Y gets X with the channels of G groups interleaved.  */
static void shuffle(const struct shape *s, int64_t g, const real *x, real *y)
{
    const struct axis a = axis_of(s, 1);
    const int64_t size = a.size / g;
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t j = 0; j < a.size; j++)
            memcpy(y + (o * a.size + j) * a.inner,
                   x + (o * a.size + j % g * size + j / g) * a.inner,
                   (size_t)a.inner * sizeof *y);
}

static void forward(const struct op_args *a)
{
    shuffle(&a->in[0].shape, attr_int(a->node, "groups"), a->in[0].data,
            a->out[0].data);
}

/* Shuffling in C/G groups undoes shuffling in G.  */
static void backward(const struct op_args *a)
{
    const struct shape *s = &a->dout[0].shape;
    shuffle(s, s->dim[1] / attr_int(a->node, "groups"), a->dout[0].data,
            a->din[0].data);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"groups", 'i', NULL, "so many groups of channels are mixed"}, {0}};

const struct op op_channelshuffle = {
    .name = "channelshuffle",
    .alias = "channel_shuffle",
    .brief = "interleave the channels of several groups",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
