/* safetensors_write.c -- see safetensors.h: writing.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_parts.h"
#include "tensor/set.h"

enum { ALIGN = 64 };

static void add_json(struct str *s, const char *text)
{
    static const char plain[] = "\"\\\n\t\r\b\f", letter[] = "\"\\ntrbf";

    str_addc(s, '"');
    for (; *text; text++) {
        const char *const known = strchr(plain, *text);

        if (known)
            str_printf(s, "\\%c", letter[known - plain]);
        else if ((unsigned char)*text < 0x20)
            str_printf(s, "\\u%04x", (unsigned)*text);
        else
            str_addc(s, *text);
    }
    str_addc(s, '"');
}

/* In the order of the file, so that reading and writing gives it again.  */
static void add_hashes(struct str *s, const struct set *set,
                       const struct set_item **order, hash_text *each)
{
    str_addc(s, '{');
    for (int64_t i = 0; i < set->n; i++) {
        str_add(s, i ? "," : "");
        add_json(s, order[i]->name);
        str_printf(s, ":\"%s\"", each[order[i] - set->item]);
    }
    str_addc(s, '}');
}

static void add_pair(struct str *s, const char *key, const char *value,
                     int *any)
{
    str_add(s, *any ? "," : "{\"__metadata__\":{");
    *any = 1;
    add_json(s, key);
    str_addc(s, ':');
    add_json(s, value);
}

/* Append the text of adze.hashes to LIST; ALL becomes that of adze.hash.  */
static void hash_set(struct str *list, hash_text all, const struct set *set,
                     const struct set_item **order)
{
    hash_text *each = safetensors_hash_each(set);

    add_hashes(list, set, order, each);
    safetensors_hash_all(all, set, str_text(list), each);
    free(each);
}

/* The metadata, new hashes behind; old ones are dropped.  Nothing if there
 * is none.  */
static int add_meta(struct str *s, const struct set *set,
                    const struct set_item **order, int hashes)
{
    int any = 0;

    for (int64_t i = 0; i < set->n_meta; i++)
        if (strcmp(set->meta[i].key, SAFETENSORS_HASHES) != 0 &&
            strcmp(set->meta[i].key, SAFETENSORS_HASH) != 0)
            add_pair(s, set->meta[i].key, set->meta[i].value, &any);
    if (hashes) {
        struct str list = {0};
        hash_text all;

        hash_set(&list, all, set, order);
        add_pair(s, SAFETENSORS_HASHES, str_text(&list), &any);
        add_pair(s, SAFETENSORS_HASH, all, &any);
        str_release(&list);
    }
    str_add(s, any ? "}" : "{");
    return any;
}

/* The tensors of S by falling element size, then in their order.  */
static const struct set_item **file_order(const struct set *s)
{
    const struct set_item **order = xcalloc((size_t)s->n + 1, sizeof *order);
    int64_t n = 0;

    for (size_t size = 8; size; size /= 2)
        for (int64_t i = 0; i < s->n; i++)
            if (dtype_size(s->item[i].t.dtype) == size)
                order[n++] = &s->item[i];
    return order;
}

void safetensors_hash(const struct set *s, char text[HASH_TEXT])
{
    const struct set_item **order = file_order(s);
    struct str list = {0};

    hash_set(&list, text, s, order);
    str_release(&list);
    free(order);
}

static void add_tensor(struct str *s, const struct set_item *x, int64_t *at)
{
    const int64_t to = *at + (int64_t)tensor_bytes(&x->t);

    add_json(s, x->name);
    str_printf(s,
               ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%lld,%lld]}",
               dtype_st_name(x->t.dtype), ST(&x->t.shape), (long long)*at,
               (long long)to);
    *at = to;
}

static int check_writable(const struct set *s, struct err *e)
{
    if (s->n > TENSORS_MAX)
        return err_set(e, ERR_UNSUPPORTED,
                       "cannot write %lld tensors; at most "
                       "%d are allowed",
                       (long long)s->n, TENSORS_MAX);
    for (int64_t i = 0; i < s->n; i++) {
        const char *name = s->item[i].name;

        if (strlen(name) > NAME_MAX_BYTES || !strcmp(name, "__metadata__") ||
            !str_utf8(name, strlen(name)))
            return err_set(e, ERR_UNSUPPORTED,
                           "cannot write a tensor of the name '%s': it must "
                           "be UTF-8 of at most %d bytes",
                           Q(name), NAME_MAX_BYTES);
    }
    for (int64_t i = 0; i < s->n_meta; i++)
        if (!str_utf8(s->meta[i].key, strlen(s->meta[i].key)) ||
            !str_utf8(s->meta[i].value, strlen(s->meta[i].value)))
            return err_set(e, ERR_UNSUPPORTED,
                           "cannot write metadata '%s': it is not UTF-8",
                           Q(s->meta[i].key));
    return s->n_meta + 2 > META_MAX
               ? err_set(e, ERR_UNSUPPORTED, "cannot write %lld metadata pairs",
                         (long long)s->n_meta)
               : 0;
}

static void make_header(struct str *h, const struct set *s,
                        const struct set_item **order, int hashes)
{
    int64_t at = 0;
    int any = add_meta(h, s, order, hashes);

    for (int64_t i = 0; i < s->n; i++) {
        str_add(h, any ? "," : "");
        add_tensor(h, order[i], &at);
        any = 1;
    }
    str_addc(h, '}');
    while ((8 + h->len) % ALIGN)
        str_addc(h, ' ');
}

static int write_doc(const struct str *header, const struct set_item **order,
                     int64_t n, struct out *o, struct err *e)
{
    unsigned char len[8];

    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)((uint64_t)header->len >> (8 * i));
    if (out_write(o, len, sizeof len, e) < 0 ||
        out_write(o, header->data, header->len, e) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++)
        if (out_write(o, order[i]->t.data, tensor_bytes(&order[i]->t), e) < 0)
            return -1;
    return 0;
}

int safetensors_write(const struct set *s, struct out *o, int hashes,
                      struct err *e)
{
    const struct set_item **order;
    struct str header = {0};
    int r;

    if (check_writable(s, e) < 0)
        return -1;
    order = file_order(s);
    make_header(&header, s, order, hashes);
    if (header.len > HEADER_MAX)
        r = err_set(e, ERR_UNSUPPORTED,
                    "cannot write a header of %zu bytes; at most %d are "
                    "allowed",
                    header.len, HEADER_MAX);
    else
        r = write_doc(&header, order, s->n, o, e);
    str_release(&header);
    free(order);
    return r;
}

int safetensors_save(const struct set *s, const char *path, struct err *e)
{
    struct out o;

    if (out_open(&o, path, e) < 0)
        return -1;
    if (safetensors_write(s, &o, 1, e) < 0)
        return out_abort(&o);
    return out_commit(&o, e);
}
