/* safetensors_hash.c -- the hashes in a file of safetensors.h, made and
 * compared.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/members.h"
#include "tensor/safetensors_parts.h"
#include "tensor/set.h"

static int meta_by_key(const void *a, const void *b)
{
    return strcmp((*(const struct set_meta *const *)a)->key,
                  (*(const struct set_meta *const *)b)->key);
}

static int item_by_name(const void *a, const void *b)
{
    return strcmp((*(const struct set_item *const *)a)->name,
                  (*(const struct set_item *const *)b)->name);
}

static void hash_count(struct hasher *h, int64_t n)
{
    struct str s = {0};

    str_printf(&s, "%lld", (long long)n);
    hasher_add_str(h, str_text(&s));
    str_release(&s);
}

/* All pairs but adze.hash itself, by key; HASHES replaces adze.hashes if it
 * is not NULL.  */
static void hash_meta(struct hasher *h, const struct set *s, const char *hashes)
{
    const struct set_meta own = {SAFETENSORS_HASHES, hashes};
    const struct set_meta **order =
        xcalloc((size_t)s->n_meta + 1, sizeof *order);
    size_t n = 0;

    for (int64_t i = 0; i < s->n_meta; i++)
        if (strcmp(s->meta[i].key, SAFETENSORS_HASH) != 0 &&
            (!hashes || strcmp(s->meta[i].key, SAFETENSORS_HASHES) != 0))
            order[n++] = &s->meta[i];
    if (hashes)
        order[n++] = &own;
    qsort(order, n, sizeof *order, meta_by_key);
    hash_count(h, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        hasher_add_str(h, order[i]->key);
        hasher_add_str(h, order[i]->value);
    }
    free(order);
}

void safetensors_hash_all(hash_text text, const struct set *s,
                          const char *hashes, hash_text *each)
{
    const struct set_item **order = xcalloc((size_t)s->n + 1, sizeof *order);
    struct hasher *h = hasher_new();

    hash_meta(h, s, hashes);
    for (int64_t i = 0; i < s->n; i++)
        order[i] = &s->item[i];
    qsort(order, (size_t)s->n, sizeof *order, item_by_name);
    hash_count(h, s->n);
    for (int64_t i = 0; i < s->n; i++) {
        const struct tensor *t = &order[i]->t;

        hasher_add_str(h, order[i]->name);
        hasher_add_str(h, dtype_st_name(t->dtype));
        hasher_add_str(h, ST(&t->shape));
        hasher_add_str(h, each[order[i] - s->item]);
    }
    hasher_text(h, text);
    hasher_free(h);
    free(order);
}

hash_text *safetensors_hash_each(const struct set *s)
{
    hash_text *each = xcalloc((size_t)s->n + 1, sizeof *each);

    for (int64_t i = 0; i < s->n; i++)
        hash_bytes(each[i], s->item[i].t.data, tensor_bytes(&s->item[i].t));
    return each;
}

static const char OTHER_HASH[] =
    "the stored hash is another: the file is damaged";

/* One member of the list of hashes.  SEEN: which tensors came already.  */
static int verify_one(const struct set *s, const struct members *m,
                      hash_text *each, unsigned char *seen, struct err *e)
{
    struct arena a = {0};
    const char *name = members_string(&a, &m->key, e);
    const int64_t i = name ? name_map_get(&s->index, name) : -1;
    const char *const v = m->value.p;

    if (name && i < 0)
        err_set(e, ERR_FORMAT, "tensor '%s' is not there", Q(name));
    else if (name && seen[i]++)
        err_set(e, ERR_FORMAT, "tensor '%s' stands twice", Q(name));
    else if (name && (m->value.n != HASH_TEXT + 1 || v[0] != '"' ||
                      memcmp(v + 1, each[i], HASH_TEXT - 1) != 0))
        err_set(e, ERR_FORMAT, "tensor '%s': %s", Q(name), OTHER_HASH);
    arena_release(&a);
    return e->code ? -1 : 0;
}

/* The list TEXT names each tensor of S once, with its hash.  */
static int verify_each(const struct set *s, const char *text, hash_text *each,
                       struct err *e)
{
    const struct piece in = {text, strlen(text), 0};
    unsigned char *seen = xcalloc((size_t)s->n + 1, 1);
    struct members m;
    int64_t n = 0;
    int r = members_open(&m, in, e);

    while (!r && members_next(&m, e) > 0) {
        r = verify_one(s, &m, each, seen, e);
        n++;
    }
    free(seen);
    if (!e->code && n != s->n)
        err_set(e, ERR_FORMAT, "%lld hashes for %lld tensors", (long long)n,
                (long long)s->n);
    return e->code ? err_in(e, "'%s'", SAFETENSORS_HASHES) : 0;
}

int safetensors_verify(const struct set *s, struct err *e)
{
    const char *hashes = set_meta_get(s, SAFETENSORS_HASHES),
               *hash = set_meta_get(s, SAFETENSORS_HASH);
    hash_text *each, all;

    if (!hashes && !hash)
        return 0;
    if (!hashes || !hash)
        return err_set(e, ERR_FORMAT, "'%s' without '%s': the file is damaged",
                       hash ? SAFETENSORS_HASH : SAFETENSORS_HASHES,
                       hash ? SAFETENSORS_HASHES : SAFETENSORS_HASH);
    each = safetensors_hash_each(s);
    if (verify_each(s, hashes, each, e) == 0) {
        safetensors_hash_all(all, s, NULL, each);
        if (strcmp(all, hash) != 0)
            err_set(e, ERR_FORMAT, "'%s': %s", SAFETENSORS_HASH, OTHER_HASH);
    }
    free(each);
    return e->code ? -1 : 0;
}
