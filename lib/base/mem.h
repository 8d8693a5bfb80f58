/* mem.h -- host memory: small allocations that cannot fail, arenas, and
 * size arithmetic that cannot wrap.
 * SPDX-License-Identifier: MIT
 *
 * The xmalloc family ends the program with one line and status 4 when the
 * system has no more memory; it is for small things.  Memory for tensors
 * and files is taken through tensor_new() and friends, which report
 * ERR_NOMEM.  An arena is a bag of small objects freed at once.  */
#ifndef ADZE_BASE_MEM_H
#define ADZE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes);
/* N elements of BYTES each, the product checked.  */
void *xrealloc(void *p, size_t n, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* Grow the array P of N elements (capacity *CAP) so that one more fits.
 *     ARRAY_GROW(g->node, g->n_node, g->cap_node);
 *     g->node[g->n_node++] = x;  */
#define ARRAY_GROW(p, n, cap)                           \
    ((n) < (cap) ? (void)0                              \
                 : (void)((cap) = (cap) ? (cap)*2 : 16, \
                          (p) = xrealloc((p), (size_t)(cap), sizeof *(p))))

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Zero-initialised is empty.  */
struct arena {
    struct arena_block *head;
};

/* BYTES zeroed bytes, aligned for any type, alive until arena_release().  */
void *arena_alloc(struct arena *a, size_t bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void arena_release(struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_NEWS(a, n, type) \
    ((type *)arena_alloc((a), mem_mul((size_t)(n), sizeof(type))))

/* X * Y; BUG() on overflow: for sizes that were checked before.  */
size_t mem_mul(size_t x, size_t y);

/* *R = X * Y or X + Y for sizes from outside: -1 if it overflows, or if a
 * factor is negative.  */
int i64_mul(int64_t x, int64_t y, int64_t *r);
int i64_add(int64_t x, int64_t y, int64_t *r);

#endif
