/* set.c -- see set.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/set.h"

#include <stdlib.h>
#include <string.h>

void set_init(struct set *s)
{
    *s = (struct set){0};
}

void set_release(struct set *s)
{
    for (int64_t i = 0; i < s->n; i++)
        tensor_unref(&s->item[i].t);
    free(s->item);
    free(s->meta);
    name_map_release(&s->index);
    arena_release(&s->arena);
    *s = (struct set){0};
}

int set_put(struct set *s, const char *name, const struct tensor *t)
{
    if (name_map_get(&s->index, name) >= 0)
        return -1;
    name = arena_strdup(&s->arena, name);
    name_map_put(&s->index, name, s->n);
    ARRAY_GROW(s->item, s->n, s->cap);
    s->item[s->n++] = (struct set_item){name, tensor_ref(t)};
    return 0;
}

const struct tensor *set_get(const struct set *s, const char *name)
{
    const int64_t i = name_map_get(&s->index, name);

    return i < 0 ? NULL : &s->item[i].t;
}

static struct set_meta *find_meta(const struct set *s, const char *key)
{
    for (int64_t i = 0; i < s->n_meta; i++)
        if (!strcmp(s->meta[i].key, key))
            return &s->meta[i];
    return NULL;
}

void set_meta_put(struct set *s, const char *key, const char *value)
{
    struct set_meta *m = find_meta(s, key);

    if (!m) {
        ARRAY_GROW(s->meta, s->n_meta, s->cap_meta);
        m = &s->meta[s->n_meta++];
        m->key = arena_strdup(&s->arena, key);
    }
    m->value = arena_strdup(&s->arena, value);
}

const char *set_meta_get(const struct set *s, const char *key)
{
    const struct set_meta *m = find_meta(s, key);

    return m ? m->value : NULL;
}
