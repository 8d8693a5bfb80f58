/* arrays.cuh -- many arrays in one launch.
 * SPDX-License-Identifier: MIT
 *
 * A network has hundreds of parameters, most of them small.  Items describe one
 * each and have a `count'; a block takes a piece of one:
 *
 *     __global__ void work(const struct item *item, const struct piece *piece)
 *     {
 *         const struct item x = item[piece[blockIdx.x].item];
 *         const struct range p = range_of(piece[blockIdx.x], x.count);
 *
 *     t = arrays_new(d, items, n, e);     when the plan is made
 *     if (t->pieces)
 *         launch(d, work, dim3(t->pieces), THREADS, t->item, t->piece);  */
#ifndef ADZE_CUDA_ARRAYS_CUH
#define ADZE_CUDA_ARRAYS_CUH

#include <stdlib.h>
#include <string.h>

#include "cuda/cuda.cuh"

extern "C" {
#include "base/mem.h"
}

enum { ARRAYS_CHUNK = 4096 };

/* What a block takes: chunk number `chunk' of an item.  */
struct piece {
    int item, chunk;
};

/* Items, each with `count' elements, and all their pieces, in memory of the
 * device; and a sum for each piece, for those who make one.  */
template <class I> struct arrays {
    const struct device *device;
    I *item;
    struct piece *piece;
    double *part;
    int items;
    unsigned pieces;
    size_t bytes; /* from `item' on */
};

template <class I> static void list_pieces(const I *item, int n, struct piece *p)
{
    for (int i = 0; i < n; i++)
        for (int64_t c = 0; c * ARRAYS_CHUNK < item[i].count; c++)
            *p++ = (struct piece){i, (int)c};
}

template <class I> static void arrays_free(void *prepared)
{
    struct arrays<I> *t = (struct arrays<I> *)prepared;

    t->device->release(t->device, t->item, t->bytes);
    free(t);
}

/* Takes a copy of the N items; NULL and ERR_NOMEM.  */
template <class I>
static struct arrays<I> *arrays_new(const struct device *d, const I *item, int n, struct err *e) {
    struct arrays<I> *t = (struct arrays<I> *)xcalloc(1, sizeof *t);
    const size_t items = (size_t)n * sizeof *item;
    int64_t pieces = 0;
    char *image;
    int bad;

    for (int i = 0; i < n; i++)
        pieces += div_up(item[i].count, ARRAYS_CHUNK);
    t->bytes = items + (size_t)pieces * (sizeof *t->piece + sizeof *t->part);
    image = (char *)xcalloc(1, t->bytes);
    memcpy(image, item, items);
    list_pieces(item, n, (struct piece *)(image + items));
    t->device = d;
    t->items = n;
    t->pieces = (unsigned)pieces;
    t->item = (I *)d->alloc(d, t->bytes, e);
    bad = !t->item || d->put(d, t->item, image, t->bytes, e) < 0;
    free(image);
    if (bad) {
        arrays_free<I>(t);
        return NULL;
    }
    t->piece = (struct piece *)((char *)t->item + items);
    t->part = (double *)(t->piece + pieces);
    return t;
}

/* Elements [from, end) of its item for this block.  */
struct range {
    int64_t from, end;
};

__device__ __forceinline__ struct range range_of(const struct piece &p, int64_t count)
{
    const int64_t from = (int64_t)p.chunk * ARRAYS_CHUNK;

    return {from, from + ARRAYS_CHUNK < count ? from + ARRAYS_CHUNK : count};
}

#endif
