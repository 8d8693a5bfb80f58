/* lanes.h -- finishing one vector of a blocked result: what follow.h says.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_LANES_H
#define ADZE_CPU_LANES_H

#include "cpu/follow.h"
#include "cpu/vec.h"

/* V belongs at number AT of the result, in channel LANE on.  Other activations
 * than clipping, which are long, are kept out of the way.  */
INLINE vf lanes_finish(const struct follow *f, int64_t at, int64_t lane, vf v)
{
    v = vf_fma(v, vf_load(f->scale + lane), vf_load(f->shift + lane));
    if (f->add)
        v = v + vf_load(f->add + at);
    if (f->act == ACT_CLIP)
        v = vf_min(VF1(f->hi), vf_max(VF1(f->lo), v));
    return v;
}

/* Activations other than clipping, of N numbers just stored.  */
static inline void lanes_activate(const struct follow *f, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        vf_store(y + i, vf_act((enum act)f->act, vf_load(y + i), VF1(f->lo), VF1(f->hi)));
}

#endif
