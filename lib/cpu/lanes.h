/* lanes.h -- reading and finishing vectors of blocked values: what reader.h and
 * writer.h say.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_LANES_H
#define ADZE_CPU_LANES_H

#include "cpu/biasgrad.h"
#include "cpu/reader.h"
#include "cpu/vec.h"
#include "cpu/writer.h"

/* Activations other than clipping are long, and kept out of the way.  */
static __attribute__((noinline, cold)) vf lanes_curve(int act, vf v, float lo, float hi)
{
    return vf_act((enum act)act, v, VF1(lo), VF1(hi));
}

/* Number AT of an operand, in channel LANE on.  */
INLINE vf lanes_read(const struct reader *r, int64_t at, int64_t lane)
{
    const vf x = vf_load(r->x + at);

    if (r->kind == READ_PLAIN)
        return x;
    const vf d = x - vf_load(r->mean + lane), scale = vf_load(r->scale + lane);
    const vf shift = vf_load(r->shift + lane);

    if (r->kind == READ_GRAD)
        return vf_fma(d, vf_load(r->slope + lane), vf_fma(vf_load(r->dy + at), scale, shift));
    const vf y = vf_fma(d, scale, shift);

    if (r->act == ACT_CLIP)
        return vf_min(VF1(r->hi), vf_max(VF1(r->lo), y));
    return r->act ? lanes_curve(r->act, y, r->lo, r->hi) : y;
}

/* N pixels of group GROUP, from number AT on and STEP pixels apart, to TO.  */
static inline void lanes_line(const struct reader *r, int64_t at, int64_t group, int64_t n,
                              int64_t step, float *to)
{
    for (int64_t v = 0; v < LANES; v += VL) {
        const int64_t lane = group * LANES + v;

        if (r->kind == READ_PLAIN)
            for (int64_t i = 0; i < n; i++)
                vf_store(to + i * LANES + v, vf_load(r->x + at + i * step * LANES + v));
        else if (r->kind == READ_APPLY && r->act == ACT_CLIP) {
            const vf mean = vf_load(r->mean + lane), scale = vf_load(r->scale + lane);
            const vf shift = vf_load(r->shift + lane), lo = VF1(r->lo), hi = VF1(r->hi);

            for (int64_t i = 0; i < n; i++) {
                const vf d = vf_load(r->x + at + i * step * LANES + v) - mean;

                vf_store(to + i * LANES + v, vf_min(hi, vf_max(lo, vf_fma(d, scale, shift))));
            }
        } else
            for (int64_t i = 0; i < n; i++)
                vf_store(to + i * LANES + v, lanes_read(r, at + i * step * LANES + v, lane));
    }
}

static __attribute__((noinline, cold)) vf lanes_slope(const struct writer *w, int64_t at,
                                                      int64_t lane, vf v)
{
    return vf_slope((enum act)w->slope, lanes_read(&w->of, at, lane), v, VF1(w->f.lo),
                    VF1(w->f.hi));
}

/* What is stored for V at number AT of the result.  */
INLINE vf lanes_finish(const struct writer *w, int64_t at, int64_t lane, vf v)
{
    v = vf_fma(v, vf_load(w->f.scale + lane), vf_load(w->f.shift + lane));
    if (w->add.x)
        v = v + lanes_read(&w->add, at, lane);
    if (w->f.act == ACT_CLIP)
        v = vf_min(VF1(w->f.hi), vf_max(VF1(w->f.lo), v));
    else if (w->f.act)
        v = lanes_curve(w->f.act, v, w->f.lo, w->f.hi);
    if (w->slope == ACT_CLIP)
        v = vf_slope(ACT_CLIP, lanes_read(&w->of, at, lane), v, VF1(w->f.lo), VF1(w->f.hi));
    else if (w->slope)
        v = lanes_slope(w, at, lane, v);
    return v;
}

/* Add V, stored at number AT, to the sums of side K.  */
INLINE void lanes_count(const struct writer *w, int k, int64_t at, int64_t lane, vf v, vf *sum)
{
    const vf mean = vf_load(w->side[k].mean + lane);
    const vf d = (w->side[k].x ? vf_load(w->side[k].x + at) : v) - mean;

    sum[0] = sum[0] + (w->side[k].x ? v : d);
    sum[1] = vf_fma(d, w->side[k].x ? v : d, sum[1]);
}

/* SUM of side K to row ROW.  */
static inline void lanes_sums(const struct writer *w, int64_t row, int k, int64_t lane,
                              const vf *sum)
{
    float t[VL];

    for (int j = 0; j < WRITER_SUMS; j++) {
        double *to = writer_row(w, row, k, lane) + j * w->lanes;

        vf_store(t, sum[j]);
        for (int i = 0; i < VL; i++)
            to[i] += t[i];
    }
}

/* A task of bias_grad_run(): one group of channels.  */
static inline void lanes_bias(void *grad, int64_t group, int thread)
{
    const struct bias_grad *g = grad;
    double sum[LANES] = {0};
    float t[VL];

    (void)thread;
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t v = 0; v < LANES; v += VL) {
            vf a = VF0;

            for (int64_t i = 0; i < g->area; i++)
                a = a + lanes_read(&g->dy, ((n * g->groups + group) * g->area + i) * LANES + v,
                                   group * LANES + v);
            vf_store(t, a);
            for (int i = 0; i < VL; i++)
                sum[v + i] += t[i];
        }
    for (int64_t o = group * LANES; o < (group + 1) * LANES && o < g->o; o++)
        g->db[o] = (float)sum[o % LANES];
}

#endif
