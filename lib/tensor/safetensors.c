/* safetensors.c -- see safetensors.h: reading.
 * SPDX-License-Identifier: MIT
 *
 * The header may be 100 MB from somewhere.  It is never parsed as a whole:
 * members.h.  */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/members.h"
#include "tensor/npz.h"
#include "tensor/safetensors_parts.h"
#include "tensor/set.h"

enum {
    ENTRY_MAX = 16384,                /* bytes of one tensor's JSON value */
    KEY_MAX = 6 * NAME_MAX_BYTES + 2, /* all of it as \uXXXX, in quotes */
};

/* ---- the header ---- */

/* One tensor as the header says it.  */
struct entry {
    const char *name;
    enum dtype dtype;
    struct shape shape;
    int64_t from, to; /* bytes of the data */
};

struct doc {
    struct set *set; /* metadata; arena of all names */
    struct entry *entry;
    int64_t n, cap;
    struct name_map names;
    int metas; /* how often __metadata__ came */
};

static void doc_release(struct doc *d)
{
    free(d->entry);
    name_map_release(&d->names);
}

static int parse_meta(struct doc *d, const struct piece *text, struct err *e)
{
    struct set *s = d->set;
    struct name_map seen = {0};
    struct members m;
    int r = -1;

    if (d->metas++)
        return err_set(e, ERR_FORMAT, "'__metadata__' stands twice");
    if (members_open(&m, *text, e) < 0)
        return err_in(e, "'__metadata__'");
    while ((r = members_next(&m, e)) > 0) {
        struct set_meta pair = {members_string(&s->arena, &m.key, e), NULL};

        if (pair.key)
            pair.value = members_string(&s->arena, &m.value, e);
        if (pair.value && name_map_put(&seen, pair.key, 0) >= 0)
            err_set(e, ERR_FORMAT, "key '%s' stands twice", Q(pair.key));
        else if (s->n_meta >= META_MAX)
            err_set(e, ERR_FORMAT, "more than %d pairs", META_MAX);
        if (e->code)
            break;
        ARRAY_GROW(s->meta, s->n_meta, s->cap_meta);
        s->meta[s->n_meta++] = pair;
    }
    name_map_release(&seen);
    return e->code ? err_in(e, "'__metadata__'") : r;
}

static int parse_dtype(struct entry *x, const struct piece *v, struct err *e)
{
    int t;

    if (v->p[0] != '"')
        return members_bad(e, v, "dtype: a string expected");
    t = dtype_by_st_name(v->p + 1, v->n > 1 ? v->n - 2 : 0);
    if (t < 0) {
        char name[32] = "";

        memcpy(name, v->p + 1, v->n > 33 ? 31 : v->n - 2);
        return err_set(e, ERR_UNSUPPORTED,
                       "dtype '%s' is not read here; convert it to F32 first",
                       Q(name));
    }
    x->dtype = (enum dtype)t;
    return 0;
}

static int parse_shape(struct entry *x, const struct piece *v, struct err *e)
{
    x->shape = (struct shape){0};
    x->shape.rank = members_numbers(v, SHAPE_MAX, x->shape.dim, e);
    return x->shape.rank < 0 ? err_in(e, "shape") : 0;
}

static int parse_offsets(struct entry *x, const struct piece *v, struct err *e)
{
    int64_t span[2];
    const int n = members_numbers(v, 2, span, e);

    if (n < 0)
        return err_in(e, "data_offsets");
    if (n != 2 || span[0] > span[1])
        return members_bad(e, v, "data_offsets: two rising numbers expected");
    x->from = span[0];
    x->to = span[1];
    return 0;
}

static const struct field {
    const char *key; /* with quotes */
    int (*parse)(struct entry *x, const struct piece *v, struct err *e);
} field[] = {{"\"dtype\"", parse_dtype},
             {"\"shape\"", parse_shape},
             {"\"data_offsets\"", parse_offsets}};

static int parse_field(struct entry *x, const struct members *m, unsigned *seen,
                       struct err *e)
{
    for (size_t i = 0; i < COUNT(field); i++) {
        if (strlen(field[i].key) != m->key.n ||
            memcmp(field[i].key, m->key.p, m->key.n) != 0)
            continue;
        if (*seen >> i & 1)
            return members_bad(e, &m->key, "this key stands twice");
        *seen |= 1u << i;
        return field[i].parse(x, &m->value, e);
    }
    return members_bad(e, &m->key, "unknown key");
}

/* The bytes of X agree with its dtype and shape.  */
static int check_span(const struct entry *x, struct err *e)
{
    const int64_t size = (int64_t)dtype_size(x->dtype);
    int64_t n;

    if (shape_check(&x->shape, size, &n, e) < 0)
        return -1;
    if (n * size == x->to - x->from)
        return 0;
    return err_set(e, ERR_FORMAT, "%s %s needs %lld bytes, has %lld",
                   dtype_st_name(x->dtype), ST(&x->shape),
                   (long long)(n * size), (long long)(x->to - x->from));
}

static int parse_entry(struct entry *x, const struct piece *text, struct err *e)
{
    unsigned seen = 0;
    struct members m;
    int r;

    if (text->n > ENTRY_MAX)
        return members_bad(e, text, "a description too long for a tensor");
    if (members_open(&m, *text, e) < 0)
        return -1;
    while ((r = members_next(&m, e)) > 0)
        if (parse_field(x, &m, &seen, e) < 0)
            return -1;
    if (r < 0)
        return -1;
    for (size_t i = 0; i < COUNT(field); i++)
        if (!(seen >> i & 1))
            return err_set(e, ERR_FORMAT, "no %s", field[i].key);
    return check_span(x, e);
}

static int add_entry(struct doc *d, const char *name, const struct piece *text,
                     struct err *e)
{
    struct entry x = {.name = name};

    if (name_map_put(&d->names, name, d->n) >= 0)
        err_set(e, ERR_FORMAT, "the name stands twice");
    else if (d->n >= TENSORS_MAX)
        err_set(e, ERR_FORMAT, "more than %d tensors", TENSORS_MAX);
    else
        parse_entry(&x, text, e);
    if (e->code)
        return err_in(e, "tensor '%s'", Q(name));
    ARRAY_GROW(d->entry, d->n, d->cap);
    d->entry[d->n++] = x;
    return 0;
}

/* All members of the header of N bytes at P.  */
static int parse_header(struct doc *d, const unsigned char *p, size_t n,
                        struct err *e)
{
    const struct piece text = {(const char *)p, n, 8};
    struct members m;
    int r;

    if (members_open(&m, text, e) < 0)
        return -1;
    while ((r = members_next(&m, e)) > 0) {
        const char *name;

        if (m.key.n > KEY_MAX)
            return members_bad(e, &m.key, "a name longer than 1024 bytes");
        name = members_string(&d->set->arena, &m.key, e);
        if (!name)
            return -1;
        if (strlen(name) > NAME_MAX_BYTES)
            return members_bad(e, &m.key, "a name longer than 1024 bytes");
        if (!strcmp(name, "__metadata__"))
            r = parse_meta(d, &m.value, e);
        else
            r = add_entry(d, name, &m.value, e);
        if (r < 0)
            return -1;
    }
    return r;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a;
    const struct entry *y = *(const struct entry *const *)b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* The spans lie one behind the other from 0; *END is where the last ends.  */
static int check_cover(const struct doc *d, int64_t *end, struct err *e)
{
    const struct entry **order = xcalloc((size_t)d->n, sizeof *order);
    int64_t i;

    *end = 0;
    for (i = 0; i < d->n; i++)
        order[i] = &d->entry[i];
    if (d->n)
        qsort(order, (size_t)d->n, sizeof *order, by_place);
    for (i = 0; i < d->n && order[i]->from == *end; i++)
        *end = order[i]->to;
    if (i < d->n)
        err_set(e, ERR_FORMAT,
                "tensor '%s': data_offsets leave %s at data byte %lld",
                Q(order[i]->name),
                order[i]->from > *end ? "a hole" : "an overlap",
                (long long)(order[i]->from > *end ? *end : order[i]->from));
    free(order);
    return e->code ? -1 : 0;
}

static uint64_t read_u64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

/* Field 1, the version of the format, which has come to 13, then a text or a
 * number.  */
static int is_onnx(const unsigned char *p)
{
    return p[0] == 8 && p[1] > 2 && p[1] < 32 && p[2] > 8 && p[2] < 128;
}

/* P: the first eight bytes, the length of the header N.  */
static int check_header_len(const unsigned char *p, uint64_t *n, struct err *e)
{
    if (!memcmp(p, "PK\3\4", 4))
        return err_set(e, ERR_FORMAT,
                       "this is a zip, not a safetensors file (if it is "
                       "PyTorch's, save its weights as safetensors)");
    *n = read_u64(p);
    if (*n > HEADER_MAX && p[0] == 0x1f && p[1] == 0x8b)
        return err_set(e, ERR_FORMAT,
                       "this is gzip data, not a safetensors file: unpack it "
                       "first, as in: gzip -dc FILE | adze-...");
    if (*n > HEADER_MAX && *p == '{')
        return err_set(e, ERR_FORMAT,
                       "this is JSON, not a safetensors file (if it is an "
                       "index of shards, join them to one file)");
    if (*n > HEADER_MAX && is_onnx(p))
        return err_set(e, ERR_FORMAT,
                       "this is ONNX, not a safetensors file (adze-import "
                       "makes a model of it)");
    if (*n > HEADER_MAX)
        return err_set(e, ERR_FORMAT,
                       "this is text or other data, not a safetensors file");
    return *n < 2 ? err_set(e, ERR_FORMAT, "the header is empty") : 0;
}

/* ---- tensors ---- */

static int check_bools(const struct tensor *t, struct err *e)
{
    const unsigned char *const p = t->data;
    const int64_t n = t->dtype == DTYPE_BOOL ? tensor_count(t) : 0;

    for (int64_t i = 0; i < n; i++)
        if (p[i] > 1)
            return err_set(e, ERR_FORMAT, "element %lld of a BOOL tensor is %d",
                           (long long)i, p[i]);
    return 0;
}

/* Put the tensor X, whose data starts at DATA, into S.  */
static int put_tensor(struct set *s, const struct entry *x,
                      const unsigned char *data, struct storage *own,
                      struct err *e)
{
    /* views are writable where their owner's memory is */
    void *const at = (void *)(uintptr_t)(data + x->from);
    struct tensor t = tensor_view(x->dtype, &x->shape, at), copy;

    if (check_bools(&t, e) < 0)
        return -1;
    if ((uintptr_t)at % dtype_size(x->dtype)) {
        if (tensor_new(&copy, x->dtype, &x->shape, e) < 0)
            return -1;
        if (x->to > x->from)
            memcpy(copy.data, at, (size_t)(x->to - x->from));
        set_put(s, x->name, &copy);
        tensor_unref(&copy);
        return 0;
    }
    t.own = own;
    set_put(s, x->name, &t);
    return 0;
}

/* ---- reading ---- */

static int put_all(struct set *s, const struct doc *d,
                   const unsigned char *data, struct storage *own,
                   struct err *e)
{
    for (int64_t i = 0; i < d->n; i++)
        if (put_tensor(s, &d->entry[i], data, own, e) < 0)
            return err_in(e, "tensor '%s'", Q(d->entry[i].name));
    return 0;
}

static int parse_doc(struct set *s, const unsigned char *p, size_t n,
                     struct storage *own, int verify, struct err *e)
{
    struct doc d = {.set = s};
    uint64_t header;
    int64_t end;
    int r = -1;

    if (n < 8)
        return err_set(e, ERR_FORMAT,
                       "%zu bytes are too few for a safetensors file", n);
    if (check_header_len(p, &header, e) < 0)
        return -1;
    if (header > n - 8)
        return err_set(e, ERR_FORMAT,
                       "the file ends after %zu of %llu header bytes", n - 8,
                       (unsigned long long)header);
    if (parse_header(&d, p + 8, (size_t)header, e) < 0 ||
        check_cover(&d, &end, e) < 0)
        goto out;
    if ((uint64_t)end != n - 8 - header) {
        err_set(e, ERR_FORMAT, "%zu bytes of data where the header says %lld",
                n - 8 - (size_t)header, (long long)end);
        goto out;
    }
    if (put_all(s, &d, p + 8 + header, own, e) < 0)
        goto out;
    r = verify ? safetensors_verify(s, e) : 0;
out:
    doc_release(&d);
    return r;
}

int safetensors_parse(struct set *s, const unsigned char *p, size_t n,
                      struct storage *own, int verify, struct err *e)
{
    set_init(s);
    if (parse_doc(s, p, n, own, verify, e) < 0) {
        set_release(s);
        return -1;
    }
    return 0;
}

static void release_bytes(void *ctx)
{
    bytes_release(ctx);
    free(ctx);
}

/* ---- what PyTorch itself saves ---- */

/* A zip, or the older stream of a pickle.  */
static int is_pickle(const unsigned char *p, size_t n)
{
    if (n > 8 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5)
        return read_u64(p) > HEADER_MAX;
    return n >= 4 && !memcmp(p, "PK\3\4", 4);
}

static int is_named_pickle(const char *path)
{
    static const char *const ends[] = {".pt", ".pth", ".th"};

    for (size_t i = 0; i < COUNT(ends); i++)
        if (str_ends(path, ends[i]))
            return 1;
    return 0;
}

/* PATH with another ending, which is not PATH itself.  */
static const char *converted(char to[256], const char *path)
{
    const char *dot = strrchr(path, '.');
    const int stem =
        (int)(dot && dot > path && !strchr(dot, '/') ? (size_t)(dot - path)
                                                     : strlen(path));

    snprintf(to, 256, "%.*s%s.safetensors", stem, path,
             str_ends(path, ".safetensors") ? ".converted" : "");
    return to;
}

/* Which can hold programs as well as numbers; Python's own reader knows how to
 * read tensors without running them, a whole module not.  SCRIPT: it is
 * TorchScript.  */
static int refuse_pickle(const char *path, int script, struct err *e)
{
    const char *name = Q(path);
    char to[256];

    *e = (struct err){0};
    return err_set(
        e, ERR_UNSUPPORTED,
        "'%.200s' is %s, which is not read; convert it: "
        "python3 -c \"import torch, safetensors.torch as s; "
        "d = torch.%s('%.200s', 'cpu'%s; %s"
        "s.save_file({k: v.clone() for k, v in d.items()}, '%.200s')\"%s",
        name, script ? "TorchScript" : "a pickle of PyTorch",
        script ? "jit.load" : "load", name,
        script ? ").state_dict()" : ", weights_only=True)",
        script ? "" : "d = d.get('state_dict', d.get('model', d)); ",
        Q(converted(to, path)),
        script ? ""
               : " (where it is a whole module, save its state_dict() where "
                 "it was made)");
}

static int is_empty(const char *path, struct err *e)
{
    if (strcmp(path, "-") != 0)
        return err_set(e, ERR_FORMAT, "'%s' is empty", Q(path));
    return err_set(e, ERR_FORMAT,
                   "standard input is empty: did the command before it fail?");
}

int safetensors_read(struct set *s, const char *path, struct err *e)
{
    struct bytes *b = xcalloc(1, sizeof *b);
    struct storage *own;
    size_t n;
    int r, pickle, script;

    set_init(s);
    if (bytes_read(b, path, INT64_MAX, e) < 0) {
        free(b);
        return -1;
    }
    n = b->n;
    own = storage_wrap(release_bytes, b);
    if (npz_is(b->data, n))
        r = npz_parse(s, b->data, n, e);
    else
        r = n ? safetensors_parse(s, b->data, n, own, 1, e) : is_empty(path, e);
    pickle = r < 0 && n && e->code == ERR_FORMAT && !npz_is(b->data, n) &&
             (is_pickle(b->data, n) || is_named_pickle(path));
    script = pickle && memmem(b->data, n, "constants.pkl", 13) != NULL;
    storage_unref(own);
    if (r == 0 || !n)
        return r;
    if (pickle)
        return refuse_pickle(path, script, e);
    return strcmp(path, "-") ? err_in(e, "'%s'", Q(path))
                             : err_in(e, "standard input");
}

/* ---- from a stream ---- */

/* How many bytes of data follow the header of N bytes at P.  */
static int data_len(const unsigned char *p, size_t n, int64_t *end,
                    struct err *e)
{
    struct set s;
    struct doc d = {.set = &s};
    int r;

    set_init(&s);
    r = parse_header(&d, p, n, e);
    if (!r)
        r = check_cover(&d, end, e);
    doc_release(&d);
    set_release(&s);
    return r;
}

static int read_doc(struct in_block *b, struct in *in, struct err *e)
{
    uint64_t header;
    int64_t end;

    if (in_append(in, b, 8, e) < 0)
        return -1;
    if (check_header_len(b->p, &header, e) < 0 ||
        in_append(in, b, (size_t)header, e) < 0 ||
        data_len(b->p + 8, (size_t)header, &end, e) < 0)
        return -1;
    return in_append(in, b, (size_t)end, e);
}

int safetensors_read_next(struct set *s, struct in *in, struct err *e)
{
    const int64_t start = in->offset;
    const unsigned char *first;
    struct in_block b = {0};
    struct storage *own;
    int64_t there;
    int r;

    set_init(s);
    there = in_peek(in, &first, 1, e);
    if (there <= 0)
        return (int)there;
    r = read_doc(&b, in, e);
    if (!r) {
        own = storage_wrap(free, b.p);
        r = safetensors_parse(s, b.p, b.n, own, 1, e);
        storage_unref(own);
    } else {
        free(b.p);
    }
    if (r < 0)
        return err_in(e, "document at offset %lld", (long long)start);
    return 1;
}

int fuzz_safetensors(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct set s;

    if (safetensors_parse(&s, p, n, NULL, 1, &e) < 0)
        return -1;
    set_release(&s);
    return 0;
}
