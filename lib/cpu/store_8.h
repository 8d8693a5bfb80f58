/* store_8.h -- what is done to the sums of a layer of 8 bits before they are
 * stored, in layout c16: a scale, an activation, the levels of the result, and
 * an addition behind them.  The arithmetic is in store_8.inc.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_STORE_8_H
#define ADZE_CPU_STORE_8_H

#include "cpu/follow.h"
#include "op/quant8.h"

struct store8 {
    void *y; /* u8 or f32 */
    struct outputs8 out;
    struct layer_follow f;
    struct levels levels;
    struct follow_act curve;
    const uint8_t *add; /* NULL: none */
};

/* Numbers of 32 bits that a table for O outputs has.  */
int64_t store8_table(int64_t o);
/* For the O outputs of A's step, whose weights have these SUMS; it refers to
 * TABLE.  */
struct store8 store8_of(const struct kernel_args *a, int64_t o, const int32_t *sums, void *table);

/* Limits and rounding alone.  */
static inline int store8_is_simple(const struct store8 *s)
{
    return s->f.q.to_u8 && !s->f.q.curve && !s->add;
}

#endif
