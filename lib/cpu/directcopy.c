/* directcopy.c -- see directcopy.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/directcopy.h"

#include "cpu/conv2d_direct.h"

static void fill(uint32_t *to, uint32_t v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = v;
}

/* The columns of remainder F of the row at number AT of blocked x.  */
static void copy_columns(const struct direct_copy *c, int64_t at, int64_t group, int64_t f,
                         uint32_t *to)
{
    const struct direct *d = c->d;
    const int64_t step = d->stride[1], before = d->pad[1] - f;
    int64_t j = before > 0 ? (before + step - 1) / step : 0, n, w;

    j = j < d->each[1] ? j : d->each[1];
    fill(to, c->pad, j * d->pixel);
    w = j * step - before;
    n = w < d->in[1] ? (d->in[1] - w + step - 1) / step : 0;
    n = n < d->each[1] - j ? n : d->each[1] - j;
    c->line(c->ctx, at + w * LANES, group, n, step, to + j * d->pixel);
    for (int64_t i = (j - 1) * d->pixel; c->beside && j && n && i < j * d->pixel; i++)
        to[i] |= to[i + d->pixel] << 16;
    fill(to + (j + n) * d->pixel, c->pad, (d->each[1] - j - n) * d->pixel);
}

static void copy_row(const struct direct_copy *c, int64_t at, int64_t group, uint32_t *to)
{
    const struct direct *d = c->d;

    if (d->planar) {
        c->plain(c->ctx, d, at, to);
        return;
    }
    for (int64_t f = 0; f < d->remainders[1]; f++, to += d->each[1] * d->pixel)
        copy_columns(c, at, group, f, to);
}

void direct_copy_band(const struct direct_copy *c, int64_t at, int64_t group, int64_t first,
                      int64_t n, uint32_t *to)
{
    const struct direct *d = c->d;
    const int64_t row = d->in[1] * (d->planar ? 1 : LANES);

    for (int64_t g = group; g < group + n; g++, at += d->in[0] * row)
        for (int64_t f = 0; f < d->remainders[0]; f++)
            for (int64_t i = 0; i < d->each[0]; i++, to += d->row) {
                const int64_t h = (first + i) * d->stride[0] + f - d->pad[0];

                if (h < 0 || h >= d->in[0])
                    fill(to, c->pad, d->row);
                else
                    copy_row(c, at + h * row, g, to);
            }
}

/* Pixels [FIRST, FIRST + N) of those that are a stride apart.  */
static void copy_apart(const struct direct_copy *c, int64_t at, int64_t group, int64_t first,
                       int64_t n, uint32_t *to)
{
    const struct direct *d = c->d;

    for (int64_t p = first, m; p < first + n; p += m, to += m * d->pixel) {
        const int64_t w = p % d->out[1], h = p / d->out[1];

        m = d->out[1] - w < first + n - p ? d->out[1] - w : first + n - p;
        c->line(c->ctx, at + (h * d->stride[0] * d->in[1] + w * d->stride[1]) * LANES, group, m,
                d->stride[1], to);
        for (int64_t i = -d->pixel; c->beside && p > first && i < 0; i++)
            to[i] |= to[i + d->pixel] << 16;
    }
}

void direct_copy_flat(const struct direct_copy *c, int64_t at, int64_t group, int64_t first,
                      int64_t n, int64_t count, uint32_t *to)
{
    const struct direct *d = c->d;

    for (int64_t g = 0; g < count; g++, to += d->plane)
        if (d->in[0] == d->out[0] && d->in[1] == d->out[1])
            c->line(c->ctx, at + (g * d->in[0] * d->in[1] + first) * LANES, group + g, n, 1, to);
        else
            copy_apart(c, at + g * d->in[0] * d->in[1] * LANES, group + g, first, n, to);
}
