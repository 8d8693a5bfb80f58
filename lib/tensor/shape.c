/* shape.c -- see shape.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct shape shape_make(int rank, const int64_t *dim)
{
    struct shape s = {.rank = rank};

    if (rank < 0 || rank > SHAPE_MAX)
        BUG("shape of rank %d", rank);
    for (int i = 0; i < rank; i++)
        s.dim[i] = dim[i];
    return s;
}

struct shape shape_bind(struct shape s, int64_t n)
{
    for (int i = 0; i < s.rank; i++)
        if (s.batch >> i & 1 && i64_mul(s.dim[i], n, &s.dim[i]) < 0)
            BUG("batch %lld is too large for dimension %d", (long long)n, i);
    s.batch = 0;
    return s;
}

int shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->rank != b->rank || a->batch != b->batch)
        return 0;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return 0;
    return 1;
}

int64_t shape_count(const struct shape *s)
{
    int64_t n = 1;

    for (int i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}

int shape_check(const struct shape *s, int64_t element_bytes, int64_t *count,
                struct err *e)
{
    int64_t n = 1, bytes, zero = 0;

    if (s->rank < 0 || s->rank > SHAPE_MAX)
        return err_set(e, ERR_SHAPE, "%d dimensions; at most %d are allowed",
                       s->rank, SHAPE_MAX);
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0)
            return err_set(e, ERR_SHAPE, "shape %s has a negative dimension",
                           ST(s));
        /* a zero hides no overflow of the others */
        if (s->dim[i] == 0)
            zero = 1;
        else if (i64_mul(n, s->dim[i], &n) < 0)
            return err_set(e, ERR_SHAPE, "shape %s is too large", ST(s));
    }
    if (i64_mul(n, element_bytes, &bytes) < 0)
        return err_set(e, ERR_SHAPE, "shape %s is too large", ST(s));
    *count = zero ? 0 : n;
    return 0;
}

const char *shape_text(char buf[SHAPE_TEXT], const struct shape *s)
{
    size_t n = 0;

    buf[n++] = '[';
    for (int i = 0; i < s->rank; i++) {
        const int batch = s->batch >> i & 1;

        if (i)
            buf[n++] = ',';
        if (!batch || s->dim[i] != 1)
            n += (size_t)snprintf(buf + n, 21, "%lld", (long long)s->dim[i]);
        if (batch && s->dim[i] != 1)
            buf[n++] = '*';
        if (batch)
            buf[n++] = 'N';
    }
    buf[n++] = ']';
    buf[n] = 0;
    return buf;
}
