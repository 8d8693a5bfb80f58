/* store_8.c -- see store_8.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/store_8.h"

#include "cpu/round.h"

int64_t store8_table(int64_t o)
{
    return 3 * lanes_of(o);
}

struct store8 store8_of(const struct kernel_args *a, int64_t o, const int32_t *sums, void *table)
{
    struct store8 s = {.y = a->op.out[0].data};

    quant8_layer_requant(a->step, &s.f);
    s.curve = follow_act_of(s.f.q.curve);
    s.levels = (struct levels){s.f.q.lo, s.f.q.hi, s.f.q.zero};
    s.add = s.f.add ? quant8_added(a, &s.f)->data : NULL;
    s.out = quant8_outputs(a, &s.f.q, o, lanes_of(o), sums, table);
    return s;
}
