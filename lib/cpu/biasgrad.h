/* biasgrad.h -- gradients of biases: the sums of dy over a channel.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_BIASGRAD_H
#define ADZE_CPU_BIASGRAD_H

#include "base/thread.h"
#include "cpu/reader.h"
#include "graph/device.h"

struct bias_grad {
    struct reader dy; /* [N][O/16][area][16] */
    int64_t n, o, groups, area;
    float *db;
};

/* The gradient of operand 2 of A's node, which is wanted, from DY in groups of
 * channels: a task sums a group over images and pixels in their order, so that
 * the bits do not depend on threads.  TASK, of the including kernel's
 * instruction set, is lanes_bias().  */
static inline void bias_grad_run(pool_fn *task, const struct kernel_args *a,
                                 const struct reader *dy)
{
    enum { BIAS = 2 };
    const struct shape *s = &a->op.dout[0].shape;
    struct bias_grad g = {*dy,
                          s->dim[0],
                          s->dim[1],
                          (s->dim[1] + LANES - 1) / LANES,
                          s->dim[2] * s->dim[3],
                          a->op.din[BIAS].data};

    pool_run(a->pool, g.groups, task, &g);
}

#endif
