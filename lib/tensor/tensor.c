/* tensor.c -- see tensor.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/tensor.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/mem.h"

struct storage {
    _Atomic int64_t refs;
    void (*release)(void *ctx);
    void *ctx;
    size_t mapped; /* bytes at CTX that came from mmap */
};

struct storage *storage_wrap(void (*release)(void *ctx), void *ctx)
{
    struct storage *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    s->release = release;
    s->ctx = ctx;
    return s;
}

void storage_ref(struct storage *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void storage_unref(struct storage *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (s->mapped)
        munmap(s->ctx, s->mapped);
    else
        s->release(s->ctx);
    free(s);
}

/* BYTES of zeros.  Large blocks come as pages that cost nothing until they
 * are touched, so that a file that lies about its size does no harm.  */
static struct storage *zeroed(size_t bytes)
{
    enum { MAP_FROM = 1 << 20, ALIGN = 64 };
    const int large = bytes >= MAP_FROM;
    struct storage *s;
    void *p;

    if (large) {
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p = p == MAP_FAILED ? NULL : p;
    } else {
        bytes = (bytes + ALIGN) / ALIGN * ALIGN; /* never 0 */
        p = aligned_alloc(ALIGN, bytes);
        if (p)
            memset(p, 0, bytes);
    }
    if (!p)
        return NULL;
    s = storage_wrap(free, p);
    s->mapped = large ? bytes : 0;
    return s;
}

int tensor_new(struct tensor *t, enum dtype dt, const struct shape *s,
               struct err *e)
{
    const size_t size = dtype_size(dt);
    int64_t n;

    *t = (struct tensor){0};
    if (s->batch)
        BUG("tensor of the unbound shape %s", ST(s));
    if (shape_check(s, (int64_t)size, &n, e) < 0)
        return -1;
    t->own = zeroed((size_t)n * size);
    if (!t->own)
        return err_set(e, ERR_NOMEM,
                       "no memory for a tensor of shape %s: cannot get %llu "
                       "bytes",
                       ST(s), (unsigned long long)n * size);
    t->dtype = dt;
    t->shape = *s;
    t->data = t->own->ctx;
    return 0;
}

struct tensor tensor_ref(const struct tensor *t)
{
    storage_ref(t->own);
    return *t;
}

void tensor_unref(struct tensor *t)
{
    storage_unref(t->own);
    *t = (struct tensor){0};
}

struct tensor tensor_view(enum dtype dt, const struct shape *s, void *data)
{
    return (struct tensor){.dtype = dt, .shape = *s, .data = data};
}

struct tensor tensor_rows(const struct tensor *t, int64_t from, int64_t n)
{
    struct tensor r = *t;
    struct shape one = t->shape;

    if (!t->shape.rank || from < 0 || n < 0 || from > t->shape.dim[0] - n)
        BUG("rows %lld + %lld of %s", (long long)from, (long long)n,
            ST(&t->shape));
    one.dim[0] = 1;
    r.shape.dim[0] = n;
    r.data = (char *)t->data +
             (size_t)(from * shape_count(&one)) * dtype_size(t->dtype);
    r.own = NULL;
    return r;
}

int64_t tensor_count(const struct tensor *t)
{
    return shape_count(&t->shape);
}

size_t tensor_bytes(const struct tensor *t)
{
    return (size_t)tensor_count(t) * dtype_size(t->dtype);
}

int tensor_convert(struct tensor *to, const struct tensor *from, enum dtype dt,
                   struct err *e)
{
    if (tensor_new(to, dt, &from->shape, e) < 0)
        return -1;
    dtype_convert(dt, to->data, from->dtype, from->data, tensor_count(from));
    return 0;
}

/* ---- finite ---- */

/* A float is finite if not all bits of MASK, its exponent, are set.  */
static int finite_16(const uint16_t *p, int64_t n, unsigned mask)
{
    int bad = 0;

    for (int64_t i = 0; i < n; i++)
        bad |= (p[i] & mask) == mask;
    return !bad;
}

static int finite_32(const uint32_t *p, int64_t n)
{
    int bad = 0;

    for (int64_t i = 0; i < n; i++)
        bad |= (p[i] & 0x7f800000) == 0x7f800000;
    return !bad;
}

static int finite_64(const uint64_t *p, int64_t n)
{
    const uint64_t mask = (uint64_t)0x7ff << 52;
    int bad = 0;

    for (int64_t i = 0; i < n; i++)
        bad |= (p[i] & mask) == mask;
    return !bad;
}

int tensor_finite(const struct tensor *t)
{
    const int64_t n = tensor_count(t);

    if (t->dtype == DTYPE_F32)
        return finite_32(t->data, n);
    if (t->dtype == DTYPE_F64)
        return finite_64(t->data, n);
    if (t->dtype == DTYPE_F16)
        return finite_16(t->data, n, 0x7c00);
    return t->dtype != DTYPE_BF16 || finite_16(t->data, n, 0x7f80);
}
