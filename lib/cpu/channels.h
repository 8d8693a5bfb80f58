/* channels.h -- blocked values put together, cut, padded and shuffled along their
 * channels; for files that are compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * All are copies: the channels of the results, one tensor behind the other,
 * come from those of the sources, one behind the other, by a rule.  Whole
 * groups of 16 are copied as they lie; the lanes of others come from a few
 * groups, each of which is read once.  */
#ifndef ADZE_CPU_CHANNELS_H
#define ADZE_CPU_CHANNELS_H

#include <string.h>

#include "base/thread.h"
#include "cpu/vec.h"
#include "graph/device.h"
#include "graph/layout.h"

struct channels {
    const struct tensor *from, *to;
    int n_from, n_to;
    const struct tensor *sizes; /* of results, some of which are not wanted */
    /* The source of channel c: (c - skip) % groups per + (c - skip) / groups,
     * none below 0 or beyond the last.  */
    int64_t skip, groups, per, last;
    int64_t area;
    size_t size; /* bytes of a number: 1, 2 or 4 */
};

/* The lanes of a group that come from one group of a source.  */
struct origin {
    const char *from; /* its first pixel */
    uint8_t lane[LANES];
    uint32_t taken; /* a bit for each lane of the result */
};

static int64_t groups_of(const struct tensor *t)
{
    return (t->shape.dim[1] + LANES - 1) / LANES;
}

static int64_t source(const struct channels *j, int64_t c)
{
    const int64_t k = c - j->skip;

    return k < 0 || k >= j->last ? -1 : k % j->groups * j->per + k / j->groups;
}

/* The group of image N that channel *C of all sources lies in, NULL where the
 * source is absent; *C becomes its lane.  */
static const char *group_at(const struct channels *j, int64_t n, int64_t *c)
{
    const struct tensor *t = j->from;
    int64_t group;

    while (*c >= t->shape.dim[1])
        *c -= (t++)->shape.dim[1];
    if (!t->data)
        return NULL;
    group = n * groups_of(t) + *c / LANES;
    *c %= LANES;
    return (const char *)t->data + (size_t)(group * j->area * LANES) * j->size;
}

/* Where N lanes of a group whose first channel is C of all results come from:
 * how many groups.  */
static int parts_of(const struct channels *j, int64_t image, int64_t c, int64_t n,
                    struct origin *part)
{
    int count = 0;

    for (int i = 0; i < n; i++) {
        int64_t lane = source(j, c + i);
        const char *from = lane < 0 ? NULL : group_at(j, image, &lane);
        int k = 0;

        if (!from)
            continue;
        while (k < count && part[k].from != from)
            k++;
        if (k == count)
            part[count++] = (struct origin){.from = from};
        part[k].lane[i] = (uint8_t)lane;
        part[k].taken |= 1u << i;
    }
    return count;
}

/* The lanes that are taken come from the same of one group.  */
static int is_straight(const struct origin *part, int n)
{
    for (int i = 0; i < LANES && n == 1; i++)
        if (part->taken >> i & 1 && part->lane[i] != i)
            return 0;
    return n == 1;
}

/* ---- AREA pixels from N groups; SIZE is a constant ---- */

#if defined(__AVX512BW__)
/* As many pixels at once as a vector holds.  */
struct moves {
    vi lane;
    uint64_t taken;
};

INLINE vi moved(vi v, const struct moves *m, vi x, const size_t size)
{
    if (size == 1)
        return _mm512_mask_shuffle_epi8(v, m->taken, x, m->lane);
    if (size == 2)
        return _mm512_mask_permutexvar_epi16(v, (__mmask32)m->taken, m->lane, x);
    return _mm512_mask_permutexvar_epi32(v, (__mmask16)m->taken, m->lane, x);
}

/* The same lanes in each pixel of a vector: places in it, bytes within 16.  */
INLINE struct moves moves_of(const struct origin *part, const size_t size)
{
    uint8_t at[sizeof(vi)] = {0};
    struct moves m = {.taken = 0};

    for (size_t i = 0; i < sizeof(vi) / size; i++) {
        const size_t pixel = size == 1 ? 0 : i / LANES * LANES;

        at[i * size] = (uint8_t)(part->lane[i % LANES] + pixel);
        m.taken |= (uint64_t)(part->taken >> i % LANES & 1) << i;
    }
    memcpy(&m.lane, at, sizeof at);
    return m;
}

INLINE void mix(char *to, const struct origin *part, int n, int64_t area, const size_t size)
{
    const size_t all = (size_t)area * LANES * size;
    struct moves m[LANES];

    for (int k = 0; k < n; k++)
        m[k] = moves_of(&part[k], size);
    for (size_t p = 0; p < all; p += sizeof(vi)) {
        const uint64_t inside = all - p < sizeof(vi) ? (1ull << (all - p)) - 1 : ~0ull;
        vi v = VI1(0);

        for (int k = 0; k < n; k++)
            v = moved(v, &m[k], _mm512_maskz_loadu_epi8(inside, part[k].from + p), size);
        _mm512_mask_storeu_epi8(to + p, inside, v);
    }
}
#else
INLINE void mix(char *to, const struct origin *part, int n, int64_t area, const size_t size)
{
    const char none[sizeof(float)] = {0}, *from[LANES];
    size_t step[LANES] = {0};

    for (int i = 0; i < LANES; i++) {
        from[i] = none;
        for (int k = 0; k < n; k++)
            if (part[k].taken >> i & 1) {
                from[i] = part[k].from + part[k].lane[i] * size;
                step[i] = LANES * size;
            }
    }
    for (int64_t p = 0; p < area; p++)
        for (int i = 0; i < LANES; i++, to += size)
            memcpy(to, from[i] + (size_t)p * step[i], size);
}
#endif

static void group(const struct channels *j, const struct tensor *t, int64_t n, int64_t g, int64_t c)
{
    const size_t plane = (size_t)j->area * LANES * j->size;
    const int64_t left = t->shape.dim[1] - g * LANES;
    char *to = (char *)t->data + (size_t)(n * groups_of(t) + g) * plane;
    struct origin part[LANES];
    const int count = parts_of(j, n, c, left < LANES ? left : LANES, part);

    if (is_straight(part, count) && part->from == to)
        return; /* the plan has put it there */
    if (is_straight(part, count) && part->taken == (1u << LANES) - 1)
        memcpy(to, part->from, plane);
    else if (j->size == sizeof(float))
        mix(to, part, count, j->area, sizeof(float));
    else if (j->size == sizeof(uint16_t))
        mix(to, part, count, j->area, sizeof(uint16_t));
    else
        mix(to, part, count, j->area, 1);
}

/* Groups of all results; those of image N come one behind the other.  */
static int64_t groups_of_all(const struct channels *j)
{
    int64_t groups = 0;

    for (int k = 0; k < j->n_to; k++)
        groups += groups_of(&j->sizes[k]);
    return groups;
}

static void channels_task(void *job, int64_t task, int thread)
{
    const struct channels *j = job;
    const int64_t all = groups_of_all(j);
    int64_t g = task % all, c = 0;
    int k = 0;

    (void)thread;
    for (; g >= groups_of(&j->sizes[k]); c += j->sizes[k++].shape.dim[1])
        g -= groups_of(&j->sizes[k]);
    if (j->to[k].data)
        group(j, &j->to[k], task / all, g, c + g * LANES);
}

/* Complete J, whose numbers have SIZE bytes.  */
static void channels_of(struct channels *j, size_t size)
{
    const struct shape *s = &j->from[0].shape;

    if (!j->groups)
        j->groups = 1;
    if (!j->sizes)
        j->sizes = j->to;
    for (int k = 0; k < j->n_from; k++)
        j->last += j->from[k].shape.dim[1];
    j->area = s->dim[2] * s->dim[3];
    j->size = size;
}

#endif
