/* mem.c -- see mem.h.
 * SPDX-License-Identifier: MIT  */
#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

/* Memory runs out for all threads at once; one of them says so.  */
static _Noreturn void out_of_memory(size_t bytes)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    static _Thread_local int ending;

    if (ending) /* again, while the program ends */
        _exit(err_exit(ERR_NOMEM));
    while (atomic_flag_test_and_set(&said))
        pause();
    ending = 1;
    fprintf(stderr, "adze: out of memory: cannot get %zu bytes\n", bytes);
    exit(err_exit(ERR_NOMEM));
}

static void *checked(void *p, size_t bytes)
{
    if (!p && bytes)
        out_of_memory(bytes);
    return p;
}

size_t mem_mul(size_t x, size_t y)
{
    size_t r;

    if (__builtin_mul_overflow(x, y, &r))
        BUG("size %zu * %zu overflows", x, y);
    return r;
}

int i64_mul(int64_t x, int64_t y, int64_t *r)
{
    return x < 0 || y < 0 || __builtin_mul_overflow(x, y, r) ? -1 : 0;
}

int i64_add(int64_t x, int64_t y, int64_t *r)
{
    return x < 0 || y < 0 || __builtin_add_overflow(x, y, r) ? -1 : 0;
}

void *xmalloc(size_t bytes)
{
    return checked(malloc(bytes), bytes);
}

void *xcalloc(size_t n, size_t bytes)
{
    return checked(calloc(n, bytes), mem_mul(n, bytes));
}

void *xrealloc(void *p, size_t n, size_t bytes)
{
    const size_t total = mem_mul(n, bytes);

    return checked(realloc(p, total ? total : 1), total);
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xmalloc(n + 1);

    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char data[];
};

static struct arena_block *block_new(struct arena *a, size_t bytes)
{
    const size_t size = bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES;
    struct arena_block *b = xcalloc(1, sizeof *b + size);

    b->size = size;
    if (a->head && size != BLOCK_BYTES) { /* keep filling the current one */
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return b;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    struct arena_block *b = a->head;
    void *p;

    if (bytes > SIZE_MAX - ALIGN - sizeof *b)
        BUG("arena_alloc of %zu bytes", bytes);
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!b || b->size - b->used < bytes)
        b = block_new(a, bytes);
    p = b->data + b->used;
    b->used += bytes;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);

    memcpy(p, s, n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *p;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        BUG("bad format '%s'", fmt);
    p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void arena_release(struct arena *a)
{
    while (a->head) {
        struct arena_block *b = a->head;

        a->head = b->next;
        free(b);
    }
}
