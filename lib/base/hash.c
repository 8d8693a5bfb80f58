/* hash.c -- see hash.h.
 * SPDX-License-Identifier: MIT  */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/err.h"
#include "base/mem.h"

static const char *hex(char text[HASH_TEXT], XXH128_hash_t h)
{
    static const char digit[] = "0123456789abcdef";
    XXH128_canonical_t c;

    XXH128_canonicalFromHash(&c, h);
    for (size_t i = 0; i < sizeof c.digest; i++) {
        text[2 * i] = digit[c.digest[i] >> 4];
        text[2 * i + 1] = digit[c.digest[i] & 15];
    }
    text[HASH_TEXT - 1] = 0;
    return text;
}

const char *hash_bytes(char text[HASH_TEXT], const void *p, size_t n)
{
    return hex(text, XXH3_128bits(p, n));
}

uint64_t hash_u64(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

uint64_t hash_name(const char *s)
{
    return XXH3_64bits(s, strlen(s));
}

struct hasher {
    XXH3_state_t *state;
};

struct hasher *hasher_new(void)
{
    struct hasher *h = xmalloc(sizeof *h);

    h->state = XXH3_createState();
    if (!h->state)
        xmalloc(SIZE_MAX); /* says so and ends */
    XXH3_128bits_reset(h->state);
    return h;
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
    XXH3_128bits_update(h->state, p, n);
}

void hasher_add_str(struct hasher *h, const char *s)
{
    hasher_add(h, s, strlen(s) + 1);
}

const char *hasher_text(const struct hasher *h, char text[HASH_TEXT])
{
    return hex(text, XXH3_128bits_digest(h->state));
}

void hasher_free(struct hasher *h)
{
    if (h)
        XXH3_freeState(h->state);
    free(h);
}

/* The slot where NAME stands or would be put.  The seed is the table's
 * address: a file cannot know which names collide.  */
static struct name_slot *find(const struct name_map *m, const char *name)
{
    const uint64_t mask = (uint64_t)m->cap - 1;
    uint64_t i =
        XXH3_64bits_withSeed(name, strlen(name), (uint64_t)(uintptr_t)m->slot);

    for (i &= mask; m->slot[i].name; i = (i + 1) & mask)
        if (!strcmp(m->slot[i].name, name))
            break;
    return &m->slot[i];
}

static void grow(struct name_map *m)
{
    struct name_map wide = {.n = m->n, .cap = m->cap ? m->cap * 2 : 16};

    wide.slot = xcalloc((size_t)wide.cap, sizeof *wide.slot);
    for (int64_t i = 0; i < m->cap; i++)
        if (m->slot[i].name)
            *find(&wide, m->slot[i].name) = m->slot[i];
    free(m->slot);
    *m = wide;
}

int64_t name_map_put(struct name_map *m, const char *name, int64_t value)
{
    struct name_slot *s;

    if (value < 0)
        BUG("name_map_put(%s, %lld)", name, (long long)value);
    if (m->n >= m->cap / 2)
        grow(m);
    s = find(m, name);
    if (s->name)
        return s->value;
    *s = (struct name_slot){name, value};
    m->n++;
    return -1;
}

int64_t name_map_get(const struct name_map *m, const char *name)
{
    const struct name_slot *s = m->cap ? find(m, name) : NULL;

    return s && s->name ? s->value : -1;
}

void name_map_release(struct name_map *m)
{
    free(m->slot);
    *m = (struct name_map){0};
}
