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

/* Arrays of the same layout.  */
struct ahead_arrays {
    const float *at[AHEAD_ARRAYS];
    int n;
};

/* P, unless it is there already or NULL.  */
static inline void ahead_add(struct ahead_arrays *a, const float *p)
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

/* N lines, STEP floats apart, from number FROM on.  Always inlined: gcc takes a
 * function that does nothing else to be without effect.  */
static inline __attribute__((always_inline)) void ahead_lines(const struct ahead_arrays *a,
                                                              int64_t from, int64_t n, int64_t step)
{
    for (int k = 0; k < a->n; k++)
        for (int64_t i = 0; i < n; i++)
            __builtin_prefetch(a->at[k] + from + i * step, 0, 2);
}

/* CHUNKS pieces of N floats each, STRIDE floats apart, a few lines at a time.  */
struct ahead {
    struct ahead_arrays a;
    int64_t from, n, stride, chunks;
    int64_t done, each; /* floats of the chunk at hand; lines at a time */
};

/* In CALLS calls of ahead_step().  */
static inline struct ahead ahead_of(const struct ahead_arrays *a, int64_t from, int64_t n,
                                    int64_t stride, int64_t chunks, int64_t calls)
{
    const int64_t lines = n * (int64_t)sizeof(float) / AHEAD_LINE * chunks;

    return (struct ahead){
        *a, from, n, stride, chunks, 0, calls > 0 ? (lines + calls - 1) / calls : 0};
}

static inline void ahead_step(struct ahead *h)
{
    for (int64_t i = 0; i < h->each && h->chunks; i++) {
        ahead_lines(&h->a, h->from + h->done, 1, 0);
        h->done += AHEAD_LINE / (int64_t)sizeof(float);
        if (h->done >= h->n) {
            h->done = 0;
            h->from += h->stride;
            h->chunks--;
        }
    }
}

#endif
