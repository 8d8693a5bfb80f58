/* directpack.c -- weights in the order in which conv2d_direct.h multiplies by them.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "cpu/conv2d_direct.h"
#include "cpu/round.h"

/* The numbers of W at one tap, from one output, and one channel, to the next. */
struct taps {
    const float *w;
    int64_t output, channel;
};

static struct taps taps_of(const struct direct *d, const float *w, int64_t tap)
{
    const int64_t r = d->first[0] + tap / d->kernel[1] * d->skip[0];
    const int64_t s = d->first[1] + tap % d->kernel[1] * d->skip[1];
    const int64_t filter = d->filter[0] * d->filter[1];

    return (struct taps){w + r * d->filter[1] + s, d->turned ? filter : d->c / d->groups * filter,
                         d->turned ? d->o / d->groups * filter : filter};
}

/* The weights of the 16 outputs from O on and the 16 channels from C on: zeros
 * where they are not of one group.  */
static void spread(const struct direct *d, const struct taps *t, int64_t o, int64_t c,
                   float to[LANES][LANES])
{
    const int64_t outputs = d->o / d->groups, channels = d->c / d->groups;

    memset(to, 0, sizeof(float[LANES][LANES]));
    for (int64_t i = o; i < least(o + LANES, d->o); i++) {
        const int64_t first = i / outputs * channels, end = least(first + channels, c + LANES);

        for (int64_t j = most(first, c); j < end; j++)
            to[i - o][j - c] = d->turned ? t->w[i % outputs * t->output + j * t->channel]
                                         : t->w[i * t->output + j % channels * t->channel];
    }
}

/* The same of groups: [o/16][c/16 of these][r][s][c][o].  */
static void pack_groups(const struct direct_isa *isa, const struct direct *d, const float *w,
                        float *to)
{
    const int64_t taps = d->kernel[0] * d->kernel[1];
    float dense[LANES][LANES];

    for (int64_t panel = 0; panel < d->panels; panel++)
        for (int64_t b = 0; b < d->blocks; b++, to += d->kn * LANES) {
            const struct taps t = taps_of(d, w, b % taps);

            spread(d, &t, panel * LANES, (direct_first(d, panel) + b / taps) * LANES, dense);
            isa->pack(dense[0], LANES, 1, LANES, LANES, to);
        }
}

int64_t direct_plain_weight(const struct direct *d, int64_t r, int64_t k)
{
    const int64_t c = k % d->c, s = k / d->c;

    return s < d->kernel[1] ? (c * d->kernel[0] + r) * d->kernel[1] + s : -1;
}

/* The same for plain x: [o/16][r][s][c][o].  */
static void pack_plain(const struct direct_isa *isa, const struct direct *d, const float *w,
                       float *to)
{
    const int64_t filter = d->c * d->kernel[0] * d->kernel[1], numbers = d->kn * d->per;
    float dense[LANES][LANES];

    for (int64_t o = 0; o < d->panels * LANES; o += LANES)
        for (int64_t r = 0; r < d->kernel[0]; r++)
            for (int64_t k = 0, n; k < numbers; k += n, to += n / d->per * LANES) {
                n = least(numbers - k, LANES);
                memset(dense, 0, sizeof dense);
                for (int64_t i = o; i < least(o + LANES, d->o); i++)
                    for (int64_t j = 0; j < n; j++) {
                        const int64_t at = direct_plain_weight(d, r, k + j);

                        dense[i - o][j] = at < 0 ? 0 : w[i * filter + at];
                    }
                isa->pack(dense[0], LANES, 1, LANES, n, to);
            }
}

/* W[o][c][r][s] as [o/16][c/16][r][s][c][o].  */
void direct_pack(const struct direct_isa *isa, const struct direct *d, const float *w, float *to)
{
    const int64_t taps = d->kernel[0] * d->kernel[1];

    if (d->planar) {
        pack_plain(isa, d, w, to);
        return;
    }
    if (d->groups > 1) {
        pack_groups(isa, d, w, to);
        return;
    }
    for (int64_t o = 0; o < d->panels * LANES; o += LANES)
        for (int64_t c = 0; c < d->c; c += LANES)
            for (int64_t tap = 0; tap < taps; tap++) {
                const struct taps t = taps_of(d, w, tap);
                const int64_t n = least(LANES, d->c - c);

                isa->pack(t.w + o * t.output + c * t.channel, t.output, t.channel,
                          least(LANES, d->o - o), n, to);
                to += up(n, d->per) * LANES;
            }
}
