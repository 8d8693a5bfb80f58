/* band.h -- reading and writing maps for sweeps (conv2d_gemm.h): rows with
 * their padding, and results with what follows.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_BAND_H
#define ADZE_CPU_BAND_H

#include "cpu/conv2d_gemm.h"
#include "cpu/vec.h"

/* N floats; may write up to VL - 1 more.  */
INLINE void copy_over(float *to, const float *from, int64_t n)
{
    int64_t i = 0;

    for (; i + VL <= n; i += VL)
        vf_store(to + i, vf_load(from + i));
    if (i < n)
        vf_store(to + i, vf_load_n(from + i, n - i));
}

INLINE void fill_over(float *to, float v, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        vf_store(to + i, VF1(v));
}

/* The columns of remainder F in one row: [*A, *B) lie inside x.  */
INLINE void columns(const struct sweep *s, int64_t f, int64_t *a, int64_t *b)
{
    const int64_t low = s->t[1].low, step = s->step[1];
    const int64_t first = -low - f, end = s->in[1] - low - f;

    *a = first > 0 ? (first + step - 1) / step : 0;
    *b = end > 0 ? (end + step - 1) / step : 0;
    *b = *b < s->phase ? *b : s->phase;
    *a = *a < *b ? *a : *b;
}

INLINE void copy_row_1(const struct sweep *s, const float *x, float *to)
{
    int64_t a, b;

    columns(s, 0, &a, &b);
    fill_over(to, 0, a);
    copy_over(to + a, x + s->t[1].low + a, b - a);
    fill_over(to + b, 0, s->phase - b);
}

/* Columns [FROM, END) of remainder F.  */
INLINE void copy_columns(const struct sweep *s, const float *x, int64_t f, int64_t from,
                         int64_t end, float *to)
{
    for (int64_t i = from; i < end; i++)
        to[i] = x[s->t[1].low + f + i * s->step[1]];
}

INLINE void copy_row_2(const struct sweep *s, const float *x, float *to)
{
    float *odd = to + s->phase;
    int64_t a, b, c, d;

    columns(s, 0, &a, &b);
    columns(s, 1, &c, &d);
    for (int64_t i = 0; i < a; i++)
        to[i] = 0;
    for (int64_t i = b; i < s->phase; i++)
        to[i] = 0;
    for (int64_t i = 0; i < c; i++)
        odd[i] = 0;
    for (int64_t i = d; i < s->phase; i++)
        odd[i] = 0;
    int64_t i = a > c ? a : c;
    const int64_t end = b < d ? b : d;
    copy_columns(s, x, 0, a, i < b ? i : b, to);
    copy_columns(s, x, 1, c, i < d ? i : d, odd);
    for (; i + VL <= end; i += VL) {
        const float *p = x + s->t[1].low + 2 * i;
        const vf u = vf_load(p), v = vf_load(p + VL);

        vf_store(to + i, vf_even(u, v));
        vf_store(odd + i, vf_odd(u, v));
    }
    copy_columns(s, x, 0, i, b, to);
    copy_columns(s, x, 1, i, d, odd);
}

INLINE void copy_row_n(const struct sweep *s, const float *x, float *to)
{
    for (int64_t f = 0; f < s->step[1]; f++, to += s->phase) {
        int64_t a, b;

        columns(s, f, &a, &b);
        fill_over(to, 0, a);
        copy_columns(s, x, f, a, b, to);
        fill_over(to + b, 0, s->phase - b);
    }
}

/* One row with its padding, columns by remainder of the step.  */
static inline void copy_row(const struct sweep *s, const float *x, float *to)
{
    if (s->step[1] == 1)
        copy_row_1(s, x, to);
    else if (s->step[1] == 2)
        copy_row_2(s, x, to);
    else
        copy_row_n(s, x, to);
}

/* The rows that the grid's rows from FIRST on read.  */
static inline void copy_band(const struct sweep *s, const float *x, int64_t first, float *to)
{
    const int64_t h0 = first * s->step[0] + s->t[0].low;

    for (int64_t c = 0; c < s->c; c++, x += s->in[0] * s->in[1])
        for (int64_t u = 0; u < s->rows; u++, to += s->row) {
            const int64_t h = h0 + u;

            if (h < 0 || h >= s->in[0])
                fill_over(to, 0, s->row);
            else
                copy_row(s, x + h * s->in[1], to);
        }
}

INLINE vf finish(const struct follow *f, vf v, float scale, float shift, vf add)
{
    if (f->scale)
        v = vf_fma(v, VF1(scale), VF1(shift));
    if (f->add)
        v = v + add;
    return vf_act((enum act)f->act, v, VF1(f->lo), VF1(f->hi));
}

/* N neighbouring pixels.  */
INLINE void store_row(const struct follow *f, const float *acc, int64_t n, float *y,
                      const float *add, float scale, float shift)
{
    int64_t i = 0;

    for (; i + VL <= n; i += VL)
        vf_store(y + i, finish(f, vf_load(acc + i), scale, shift, add ? vf_load(add + i) : VF0));
    if (i < n)
        vf_store_n(y + i,
                   finish(f, vf_load(acc + i), scale, shift, add ? vf_load_n(add + i, n - i) : VF0),
                   n - i);
}

/* The same on a coarser grid of the map: gradients, so nothing follows.  */
static inline void spread(const struct sweep *s, const float *acc, int64_t p, int64_t n, float *y)
{
    const int64_t step = s->map_step[1];

    while (n) {
        const int64_t r = p / s->out[1], q = p % s->out[1];
        const int64_t m = s->out[1] - q < n ? s->out[1] - q : n;
        float *to = y + (s->map_at[0] + r * s->map_step[0]) * s->map[1] + s->map_at[1] + q * step;

        int64_t i = 0;

        for (; step == 2 && i + VL <= m; i += VL)
            vf_store_2(to + 2 * i, vf_load(acc + i));
        for (; i < m; i++)
            to[i * step] = acc[i];
        acc += m;
        p += m;
        n -= m;
    }
}

#endif
