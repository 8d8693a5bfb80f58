/* ahead.h -- asking memory for what is read next while something is computed.
 * SPDX-License-Identifier: MIT
 *
 * Reading and computing take turns within a task, so that without this one of
 * memory and arithmetic always waits.  A hint only: nothing depends on it.  */
#ifndef ADZE_CPU_AHEAD_H
#define ADZE_CPU_AHEAD_H

#include <stdint.h>

#include "cpu/reader.h"
#include "cpu/writer.h"

enum { AHEAD_LINE = 64, AHEAD_ARRAYS = 8 };

/* Arrays of the same layout, of numbers of SIZE bytes.  */
struct ahead_arrays {
    const char *at[AHEAD_ARRAYS];
    int n;
    int64_t size;
};

/* P, unless it is there already or NULL.  */
static inline void ahead_add(struct ahead_arrays *a, const void *p)
{
    int known = !p;

    for (int i = 0; i < a->n; i++)
        known |= a->at[i] == p;
    if (!known)
        a->at[a->n++] = p;
}

static inline void ahead_reader(struct ahead_arrays *a, const struct reader *r)
{
    ahead_add(a, r->x);
    ahead_add(a, r->dy);
}

/* What is written, and what is read for it.  */
static inline void ahead_writer(struct ahead_arrays *a, const struct writer *w)
{
    ahead_add(a, w->y);
    ahead_reader(a, &w->add);
    ahead_reader(a, &w->of);
    for (int k = 0; k < w->n_side; k++)
        ahead_add(a, w->side[k].x);
}

/* N numbers side by side from number FROM on.  Always inlined: gcc takes a
 * function that does nothing else to be without effect.  */
static inline __attribute__((always_inline)) void ahead_numbers(const struct ahead_arrays *a,
                                                                int64_t from, int64_t n)
{
    for (int k = 0; k < a->n; k++)
        for (int64_t i = 0; i < n * a->size; i += AHEAD_LINE)
            __builtin_prefetch(a->at[k] + from * a->size + i, 0, 2);
}

/* Memory that is read next, a few lines at a time between products: no more than
 * it can bring meanwhile.  N places, each STEP bytes behind the one before.  */
struct ahead_lines {
    const char *at, *end; /* of the first */
    int64_t each, n, step;
};

/* BYTES of one place, in CALLS calls of ahead_some(); without calls nothing.  */
static inline struct ahead_lines ahead_lines_of(const void *from, int64_t bytes, int64_t calls)
{
    const int64_t lines = (bytes + AHEAD_LINE - 1) / AHEAD_LINE;
    const char *at = from;

    if (calls <= 0)
        return (struct ahead_lines){0};
    return (struct ahead_lines){at, at + bytes, (lines + calls - 1) / calls, 1, 0};
}

/* There are at most MOST places.  */
static inline __attribute__((always_inline)) void ahead_some(const int most, struct ahead_lines *l)
{
    const int64_t n = most == 1 ? 1 : l->n;

    for (int64_t i = 0; i < l->each && l->at < l->end; i++, l->at += AHEAD_LINE)
        for (int64_t k = 0; k < n; k++)
            __builtin_prefetch(l->at + k * l->step, 0, 2);
}

/* CHUNKS pieces of memory of each array, a few lines at a time.  */
struct ahead {
    const char *at[AHEAD_ARRAYS];
    int n;
    int64_t bytes, stride, chunks;
    int64_t done, each; /* bytes of the chunk at hand; lines at a time */
};

/* Of N numbers each, STRIDE numbers apart, from number FROM on; in CALLS calls
 * of ahead_step().  */
static inline struct ahead ahead_of(const struct ahead_arrays *a, int64_t from, int64_t n,
                                    int64_t stride, int64_t chunks, int64_t calls)
{
    struct ahead h = {.n = a->n, .bytes = n * a->size, .stride = stride * a->size};
    const int64_t lines = (h.bytes + AHEAD_LINE - 1) / AHEAD_LINE * chunks;

    for (int k = 0; k < a->n; k++)
        h.at[k] = a->at[k] + from * a->size;
    h.chunks = a->n && calls > 0 ? chunks : 0;
    h.each = h.chunks ? (lines + calls - 1) / calls : 0;
    return h;
}

static inline void ahead_step(struct ahead *h)
{
    for (int64_t i = 0; i < h->each && h->chunks; i++) {
        for (int k = 0; k < h->n; k++)
            __builtin_prefetch(h->at[k] + h->done, 0, 2);
        h->done += AHEAD_LINE;
        if (h->done < h->bytes)
            continue;
        h->done = 0;
        h->chunks--;
        for (int k = 0; k < h->n; k++)
            h->at[k] += h->stride;
    }
}

#endif
