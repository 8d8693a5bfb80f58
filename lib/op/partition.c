/* partition.c -- a picture of tokens in windows.
 * SPDX-License-Identifier: MIT  */
#include "op/partition.h"

#include <string.h>

#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/rule.h"

enum { SIDE_MAX = 1024 };

int partition_check(const struct node *n, struct err *e)
{
    int count;
    const int64_t *grid = attr_ints(n, "grid", &count);
    if (count != 2)
        return err_set(e, ERR_USAGE,
                       "attribute grid has %d sizes, not 2 (height, width)",
                       count);
    for (int i = 0; i < 2; i++)
        if (grid[i] < 1 || grid[i] > INT32_MAX)
            return err_set(e, ERR_USAGE, "attribute grid: %lld is no size",
                           (long long)grid[i]);
    if (rule_int(n, "size", 1, SIDE_MAX, e) < 0)
        return -1;
    return rule_int(n, "shift", 0, attr_int(n, "size") - 1, e);
}

struct partition partition_of(const struct node *n)
{
    const int64_t *grid = attr_ints(n, "grid", NULL);
    struct partition p = {{grid[0], grid[1]},
                          attr_int(n, "size"),
                          attr_int(n, "shift"),
                          {0},
                          1,
                          0};
    for (int i = 0; i < 2; i++) {
        p.windows[i] = (p.grid[i] + p.side - 1) / p.side;
        p.count *= p.windows[i];
    }
    p.tokens = p.side * p.side;
    return p;
}

/* The row or column of the picture that AT of window W along AXIS is; -1 where
 * it was filled up.  */
static int64_t place(const struct partition *p, int axis, int64_t w, int64_t at)
{
    const int64_t i =
        (w * p->side + at + p->shift) % (p->windows[axis] * p->side);
    return i < p->grid[axis] ? i : -1;
}

/* The token of the picture that is number T of window W; -1.  */
static int64_t token(const struct partition *p, int64_t w, int64_t t)
{
    const int64_t i = place(p, 0, w / p->windows[1], t / p->side);
    const int64_t j = place(p, 1, w % p->windows[1], t % p->side);
    return i < 0 || j < 0 ? -1 : i * p->grid[1] + j;
}

void partition_cut(const struct partition *p, int64_t n, int64_t c,
                   const real *from, real *to)
{
    const size_t bytes = (size_t)c * sizeof *to;
    for (int64_t k = 0; k < n; k++, from += p->grid[0] * p->grid[1] * c)
        for (int64_t i = 0; i < p->count * p->tokens; i++, to += c) {
            const int64_t t = token(p, i / p->tokens, i % p->tokens);
            if (t < 0)
                memset(to, 0, bytes);
            else
                memcpy(to, from + t * c, bytes);
        }
}

void partition_put(const struct partition *p, int64_t n, int64_t c,
                   const real *from, real *to)
{
    for (int64_t k = 0; k < n; k++, to += p->grid[0] * p->grid[1] * c)
        for (int64_t i = 0; i < p->count * p->tokens; i++, from += c) {
            const int64_t t = token(p, i / p->tokens, i % p->tokens);
            if (t >= 0)
                memcpy(to + t * c, from, (size_t)c * sizeof *to);
        }
}

int partition_part(const struct partition *p, int axis, int64_t w, int64_t at)
{
    const int64_t end = p->windows[axis] * p->side, i = w * p->side + at;
    return (i >= end - p->side) + (p->shift && i >= end - p->shift);
}
