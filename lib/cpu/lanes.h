/* lanes.h -- reading and finishing vectors of blocked values: what reader.h and
 * writer.h say.
 * SPDX-License-Identifier: MIT
 *
 * A run is some pixels of one vector of channels, STEP numbers apart.  Kernels
 * finish what is simple in registers, and hand runs to lanes_put() otherwise. */
#ifndef ADZE_CPU_LANES_H
#define ADZE_CPU_LANES_H

#include "cpu/biasgrad.h"
#include "cpu/elem.h"
#include "cpu/reader.h"
#include "cpu/vec.h"
#include "cpu/writer.h"

/* ---- reading ---- */

/* A run of N of NV neighbouring vectors, to TO, TO_STEP numbers apart; KIND and
 * ACT are constants where it matters.  What belongs to the channels stays in
 * registers.  */
INLINE void lanes_loop(const int nv, const enum read_kind kind, const int act,
                       const struct reader *r, int64_t at, int64_t lane, int64_t n, int64_t step,
                       float *to, int64_t to_step)
{
    const elem *x = (const elem *)r->x + at;
    const elem *dy = kind == READ_GRAD ? (const elem *)r->dy + at : NULL;
    const vf lo = VF1(r->lo), hi = VF1(r->hi);
    vf mean[LANES / VL], scale[LANES / VL], shift[LANES / VL], slope[LANES / VL];

    EACH (k, nv) {
        mean[k] = kind == READ_PLAIN ? VF0 : vf_load(r->mean + lane + k * VL);
        scale[k] = kind == READ_PLAIN ? VF0 : vf_load(r->scale + lane + k * VL);
        shift[k] = kind == READ_PLAIN ? VF0 : vf_load(r->shift + lane + k * VL);
        slope[k] = kind == READ_GRAD ? vf_load(r->slope + lane + k * VL) : VF0;
    }
    for (int64_t i = 0; i < n; i++, x += step, to += to_step)
        EACH (k, nv) {
            vf v = elem_load(x + k * VL);

            if (kind == READ_APPLY)
                v = vf_act((enum act)act, vf_fma(v - mean[k], scale[k], shift[k]), lo, hi);
            if (kind == READ_GRAD)
                v = vf_fma(v - mean[k], slope[k],
                           vf_fma(elem_load(dy + i * step + k * VL), scale[k], shift[k]));
            vf_store(to + k * VL, v);
        }
}

INLINE void lanes_kind(const int nv, const struct reader *r, int64_t at, int64_t lane, int64_t n,
                       int64_t step, float *to, int64_t to_step)
{
    if (r->kind == READ_PLAIN)
        lanes_loop(nv, READ_PLAIN, ACT_NONE, r, at, lane, n, step, to, to_step);
    else if (r->kind == READ_GRAD)
        lanes_loop(nv, READ_GRAD, ACT_NONE, r, at, lane, n, step, to, to_step);
    else if (r->act == ACT_NONE)
        lanes_loop(nv, READ_APPLY, ACT_NONE, r, at, lane, n, step, to, to_step);
    else if (r->act == ACT_CLIP)
        lanes_loop(nv, READ_APPLY, ACT_CLIP, r, at, lane, n, step, to, to_step);
    else
        lanes_loop(nv, READ_APPLY, r->act, r, at, lane, n, step, to, to_step);
}

/* A run of N, to TO, TO_STEP numbers apart.  */
static void lanes_run(const struct reader *r, int64_t at, int64_t lane, int64_t n, int64_t step,
                      float *to, int64_t to_step)
{
    lanes_kind(1, r, at, lane, n, step, to, to_step);
}

/* N pixels of group GROUP, from number AT on and STEP pixels apart, to TO: all
 * channels of one before the next, as they share a line of memory.  */
static __attribute__((unused)) void lanes_line(const struct reader *r, int64_t at, int64_t group,
                                               int64_t n, int64_t step, float *to)
{
    lanes_kind(LANES / VL, r, at, group * LANES, n, step * LANES, to, LANES);
}

/* ---- writing ----
 *
 * Results are finished in registers,
 *
 *     lanes_store()            scale, shift, add, clipping: lanes_simple(); other
 *                              activations by lanes_activate() behind it
 *     lanes_store_measured()   scale, shift, and statistics: writer.measured
 *
 * or as blocks in memory by lanes_put(), in one pass where there is one for it:
 *
 *     lanes_put_loop()         scale, shift, add, any activation: lanes_alone()
 *     lanes_once()             with one side, statistics or bnsums, and before
 *                              these the slope of clipping: lanes_once_for()
 *     lanes_finish_block()     anything, and then lanes_count() each side  */

/* Nothing but what lanes_store() does and an activation is to be done.  */
INLINE int lanes_alone(const struct writer *w)
{
    return !w->slope && !w->n_side && w->add.kind == READ_PLAIN;
}

/* The same, in registers and by lanes_activate(), which reads what is stored, so
 * that numbers of bf16 would be rounded twice.  */
INLINE int lanes_simple(const struct writer *w)
{
    return lanes_alone(w) && (sizeof(elem) == sizeof(float) || !act_is_curved(w->f.act));
}

/* What lanes_store() takes from a writer, copied: any number stored could be one
 * of the writer's own to the compiler.  */
struct lanes_end {
    const float *scale, *shift;
    const elem *add;
    elem *y;
    float lo, hi;
    int clips;
};

INLINE struct lanes_end lanes_end(const struct writer *w)
{
    return (struct lanes_end){w->f.scale, w->f.shift,          w->add.x, w->y, w->f.lo,
                              w->f.hi,    w->f.act == ACT_CLIP};
}

/* Finish N vectors, STEP numbers apart and GAP more in front of the second half,
 * the first at number AT of the result, and store them.  */
INLINE void lanes_store(const int n, const struct lanes_end *e, int64_t at, int64_t step,
                        int64_t gap, int64_t lane, vf *a)
{
    const vf scale = vf_load(e->scale + lane), shift = vf_load(e->shift + lane);
    const elem *const add = e->add ? e->add + at : NULL;
    elem *const y = e->y + at;

    EACH (i, n)
        a[i] = vf_fma(a[i], scale, shift);
    if (add)
        EACH (i, n)
            a[i] = a[i] + elem_load((i < n / 2 ? add : add + gap) + i * step);
    if (e->clips) {
        const vf lo = VF1(e->lo), hi = VF1(e->hi);

        EACH (i, n)
            a[i] = vf_min(hi, vf_max(lo, a[i]));
    }
    EACH (i, n)
        elem_store((i < n / 2 ? y : y + gap) + i * step, a[i]);
}

/* The same where W is measured, with its sums, as lanes_stats() adds them.  */
INLINE void lanes_store_measured(const int n, const struct writer *w, int64_t at, int64_t step,
                                 int64_t gap, int64_t lane, const vf *a, vf *sum)
{
    const vf scale = vf_load(w->f.scale + lane), shift = vf_load(w->f.shift + lane);
    const vf mean = vf_load(w->side[0].mean + lane);
    elem *y = (elem *)w->y + at;

    EACH (i, n) {
        const vf t = vf_fma(a[i], scale, shift);

        elem_store((i < n / 2 ? y : y + gap) + i * step, t);
        sum[0] = sum[0] + (t - mean);
        sum[1] = vf_fma(t - mean, t - mean, sum[1]);
    }
}

/* Activations other than clipping are long: they are done on N numbers just
 * stored, from number AT on.  */
static inline void lanes_activate(const struct writer *w, int64_t at, int64_t n)
{
    const struct follow f = w->f;
    elem *y = (elem *)w->y + at;

    for (int64_t i = 0; i < n; i += VL)
        elem_store(y + i, vf_act((enum act)f.act, elem_load(y + i), VF1(f.lo), VF1(f.hi)));
}

/* A block of results in one vector of channels: ROWS rows of N numbers, at most
 * LANES_BLOCK in all, the first at number AT.  */
enum { LANES_BLOCK = 16 };

struct lanes_block {
    int64_t at, lane;
    int64_t rows, n;   /* of them */
    int64_t row, step; /* numbers from one to the next */
};

static void lanes_read_block(const struct reader *r, const struct lanes_block *b, float *to)
{
    for (int64_t i = 0; i < b->rows; i++)
        lanes_run(r, b->at + i * b->row, b->lane, b->n, b->step, to + i * b->n * VL, VL);
}

/* v = act(v scale + shift + add), then times the slope.  */
static void lanes_finish_block(const struct writer *w, const struct lanes_block *b, float *v)
{
    const vf scale = vf_load(w->f.scale + b->lane), shift = vf_load(w->f.shift + b->lane);
    const vf lo = VF1(w->f.lo), hi = VF1(w->f.hi);
    const enum act act = (enum act)w->f.act, slope = (enum act)w->slope;
    const int64_t n = b->rows * b->n * VL;
    float t[LANES_BLOCK * VL];

    for (int64_t i = 0; i < n; i += VL)
        vf_store(v + i, vf_fma(vf_load(v + i), scale, shift));
    if (w->add.x) {
        lanes_read_block(&w->add, b, t);
        for (int64_t i = 0; i < n; i += VL)
            vf_store(v + i, vf_load(v + i) + vf_load(t + i));
    }
    for (int64_t i = 0; act && i < n; i += VL)
        vf_store(v + i, vf_act(act, vf_load(v + i), lo, hi));
    if (!slope)
        return;
    lanes_read_block(&w->of, b, t);
    for (int64_t i = 0; slope == ACT_CLIP && i < n; i += VL)
        vf_store(v + i, vf_slope(ACT_CLIP, vf_load(t + i), vf_load(v + i), lo, hi));
    for (int64_t i = 0; slope != ACT_CLIP && i < n; i += VL)
        vf_store(v + i, vf_slope(slope, vf_load(t + i), vf_load(v + i), lo, hi));
}

/* Add a row of the block to the sums of side K.  */
INLINE void lanes_count(const struct writer *w, int k, const struct lanes_block *b, int64_t row,
                        const float *v, vf mean, vf *sum)
{
    const elem *x = w->side[k].x ? (const elem *)w->side[k].x + b->at + row * b->row : NULL;

    v += row * b->n * VL;
    for (int64_t i = 0; x && i < b->n; i++) {
        const vf y = vf_load(v + i * VL);

        sum[0] = sum[0] + y;
        sum[1] = vf_fma(elem_load(x + i * b->step) - mean, y, sum[1]);
    }
    for (int64_t i = 0; !x && i < b->n; i++) {
        const vf d = vf_load(v + i * VL) - mean;

        sum[0] = sum[0] + d;
        sum[1] = vf_fma(d, d, sum[1]);
    }
}

/* Finish and store the block with no more than lanes_store() and ACT, a constant
 * where it matters, in one pass.  */
INLINE void lanes_put_loop(const int act, const struct writer *w, const struct lanes_block *b,
                           const float *v)
{
    const vf scale = vf_load(w->f.scale + b->lane), shift = vf_load(w->f.shift + b->lane);
    const vf lo = VF1(w->f.lo), hi = VF1(w->f.hi);
    const elem *add = (const elem *)w->add.x;
    elem *const y = (elem *)w->y;

    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t i = 0; i < b->n; i++, v += VL) {
            const int64_t at = b->at + r * b->row + i * b->step;
            vf t = vf_fma(vf_load(v), scale, shift);

            if (add)
                t = t + elem_load(add + at);
            elem_store(y + at, vf_act((enum act)act, t, lo, hi));
        }
}

static void lanes_put_curved(const struct writer *w, const struct lanes_block *b, const float *v)
{
    if (w->f.act == ACT_HARDSWISH)
        lanes_put_loop(ACT_HARDSWISH, w, b, v);
    else if (w->f.act == ACT_SILU)
        lanes_put_loop(ACT_SILU, w, b, v);
    else
        lanes_put_loop(w->f.act, w, b, v);
}

/* What most training steps want, in one pass: one side, and of STATS or of
 * bnsums; ADD what is stored; the slope of clipping, of a result that is stored
 * or computed again.  */
enum lanes_slope { SLOPE_NONE, SLOPE_STORED, SLOPE_AGAIN };

INLINE void lanes_once(const int add, const enum lanes_slope slope, const int stats,
                       const struct writer *w, const struct lanes_block *b, const float *v, vf *sum)
{
    const vf scale = vf_load(w->f.scale + b->lane), shift = vf_load(w->f.shift + b->lane);
    const vf lo = VF1(w->f.lo), hi = VF1(w->f.hi), mean = vf_load(w->side[0].mean + b->lane);
    const struct reader *of = &w->of;
    const int again = slope == SLOPE_AGAIN;
    const vf of_mean = again ? vf_load(of->mean + b->lane) : VF0;
    const vf of_scale = again ? vf_load(of->scale + b->lane) : VF0;
    const vf of_shift = again ? vf_load(of->shift + b->lane) : VF0;
    const vf of_lo = VF1(of->lo), of_hi = VF1(of->hi);
    vf s[WRITER_SUMS] = {sum[0], sum[1]};

    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t i = 0; i < b->n; i++, v += VL) {
            const int64_t at = b->at + r * b->row + i * b->step;
            vf t = vf_fma(vf_load(v), scale, shift);

            if (add)
                t = t + elem_load((const elem *)w->add.x + at);
            if (slope) {
                vf y = elem_load((const elem *)of->x + at);

                if (again)
                    y = vf_act(ACT_CLIP, vf_fma(y - of_mean, of_scale, of_shift), of_lo, of_hi);
                t = vf_slope(ACT_CLIP, y, t, lo, hi);
            }
            elem_store((elem *)w->y + at, t);
            if (stats) {
                s[0] = s[0] + (t - mean);
                s[1] = vf_fma(t - mean, t - mean, s[1]);
            } else {
                s[0] = s[0] + t;
                s[1] = vf_fma(elem_load((const elem *)w->side[0].x + at) - mean, t, s[1]);
            }
        }
    sum[0] = s[0];
    sum[1] = s[1];
}

typedef void lanes_once_fn(const struct writer *w, const struct lanes_block *b, const float *v,
                           vf *sum);

/* clang-format off */
#define LANES_ONCE(name, add, slope, stats) \
    static void name(const struct writer *w, const struct lanes_block *b, const float *v, vf *sum) \
    { \
        lanes_once(add, slope, stats, w, b, v, sum); \
    }
#define LANES_SLOPES(name, add, stats) \
    LANES_ONCE(name##_none, add, SLOPE_NONE, stats) \
    LANES_ONCE(name##_stored, add, SLOPE_STORED, stats) \
    LANES_ONCE(name##_again, add, SLOPE_AGAIN, stats)
/* clang-format on */
LANES_SLOPES(lanes_sums_of, 0, 0)
LANES_SLOPES(lanes_sums_of_added, 1, 0)
LANES_ONCE(lanes_stats, 0, SLOPE_NONE, 1)
LANES_ONCE(lanes_stats_added, 1, SLOPE_NONE, 1)

/* For W, or NULL.  */
static __attribute__((unused)) lanes_once_fn *lanes_once_for(const struct writer *w)
{
    static lanes_once_fn *const stats[2] = {lanes_stats, lanes_stats_added};
    static lanes_once_fn *const sums[2][3] = {
        {lanes_sums_of_none, lanes_sums_of_stored, lanes_sums_of_again},
        {lanes_sums_of_added_none, lanes_sums_of_added_stored, lanes_sums_of_added_again}};
    const int add = w->add.x != NULL, again = w->of.kind == READ_APPLY && w->of.act == ACT_CLIP;

    if (w->n_side != 1 || w->f.act || w->add.kind != READ_PLAIN)
        return NULL;
    if (!w->slope)
        return w->side[0].x ? sums[add][SLOPE_NONE] : stats[add];
    if (!w->side[0].x || w->slope != ACT_CLIP || (w->of.kind != READ_PLAIN && !again))
        return NULL;
    return sums[add][again ? SLOPE_AGAIN : SLOPE_STORED];
}

/* Finish the block whose vectors V lie side by side, and add it to the sums of
 * the sides.  */
static __attribute__((unused)) void lanes_put(const struct writer *w, const struct lanes_block *b,
                                              float *v, vf (*sum)[WRITER_SUMS])
{
    lanes_once_fn *once;

    if (lanes_alone(w)) {
        lanes_put_curved(w, b, v);
        return;
    }
    once = lanes_once_for(w);
    if (once) {
        once(w, b, v, sum[0]);
        return;
    }
    lanes_finish_block(w, b, v);
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t i = 0; i < b->n; i++)
            elem_store((elem *)w->y + b->at + r * b->row + i * b->step,
                       vf_load(v + (r * b->n + i) * VL));
    for (int k = 0; k < w->n_side; k++) {
        const vf mean = vf_load(w->side[k].mean + b->lane);
        vf s[WRITER_SUMS] = {sum[k][0], sum[k][1]};

        for (int64_t r = 0; r < b->rows; r++)
            lanes_count(w, k, b, r, v, mean, s);
        sum[k][0] = s[0];
        sum[k][1] = s[1];
    }
}

/* SUM of all sides to row ROW.  */
static inline void lanes_sums(const struct writer *w, int64_t row, int64_t lane,
                              vf (*sum)[WRITER_SUMS])
{
    float t[VL];

    for (int k = 0; k < w->n_side; k++)
        for (int j = 0; j < WRITER_SUMS; j++) {
            double *to = writer_row(w, row, k, lane) + j * w->lanes;

            vf_store(t, sum[k][j]);
            for (int i = 0; i < VL; i++)
                to[i] += t[i];
        }
}

/* ---- gradients of biases ---- */

/* A task of bias_grad_run(): one group of channels.  */
static inline void lanes_bias(void *grad, int64_t group, int thread)
{
    const struct bias_grad *g = grad;
    double sum[LANES] = {0};
    float t[LANES_BLOCK * LANES];

    (void)thread;
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t i = 0; i < g->area; i += LANES_BLOCK) {
            const int64_t at = ((n * g->groups + group) * g->area + i) * LANES;
            const int64_t count = g->area - i < LANES_BLOCK ? g->area - i : LANES_BLOCK;

            lanes_line(&g->dy, at, group, count, 1, t);
            for (int64_t k = 0; k < count * LANES; k++)
                sum[k % LANES] += t[k];
        }
    for (int64_t o = group * LANES; o < (group + 1) * LANES && o < g->o; o++)
        g->db[o] = (float)sum[o % LANES];
}

#endif
