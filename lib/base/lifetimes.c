/* lifetimes.c -- see lifetimes.h.
 * SPDX-License-Identifier: MIT  */
#include "base/lifetimes.h"

#include <stdlib.h>

#include "base/mem.h"

static int larger_first(const void *a, const void *b)
{
    const struct lifetime *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? x->first - y->first
                                : (x->where > y->where) - (x->where < y->where);
}

static int lower_first(const void *a, const void *b)
{
    const struct lifetime *const *x = a, *const *y = b;

    return ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

/* The lowest offset at which X overlaps no placed item that lives beside it.
 */
static int64_t lowest(struct lifetime *const *placed, int n,
                      const struct lifetime *x)
{
    int64_t at = 0;

    for (int i = 0; i < n; i++) {
        const struct lifetime *q = placed[i];

        if (q->last < x->first || q->first > x->last)
            continue;
        if (q->at >= at + (int64_t)x->bytes)
            break;
        if (q->at + (int64_t)q->bytes > at)
            at = q->at + (int64_t)q->bytes;
    }
    return at;
}

static void insert(struct lifetime **placed, int n, struct lifetime *x)
{
    int i = n;

    while (i && lower_first(&placed[i - 1], &x) > 0) {
        placed[i] = placed[i - 1];
        i--;
    }
    placed[i] = x;
}

size_t lifetimes_place(struct lifetime *item, int n)
{
    struct lifetime **placed = xcalloc((size_t)n + 1, sizeof *placed);
    size_t total = 0;

    qsort(item, (size_t)n, sizeof *item, larger_first);
    for (int i = 0; i < n; i++) {
        item[i].at = *item[i].where = lowest(placed, i, &item[i]);
        insert(placed, i, &item[i]);
        if ((size_t)item[i].at + item[i].bytes > total)
            total = (size_t)item[i].at + item[i].bytes;
    }
    free(placed);
    return total;
}
