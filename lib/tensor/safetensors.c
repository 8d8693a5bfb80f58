/* safetensors.c -- see safetensors.h.
 * SPDX-License-Identifier: MIT
 *
 * The header may be 100 MB from somewhere.  It is never parsed as a whole:
 * members of an object are found one by one, and only a key or a small value
 * is given to the JSON parser, so that memory stays within the size of the
 * file and nothing nests.  */
#include "tensor/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/npz.h"
#include "tensor/set.h"

enum {
    HEADER_MAX = 100000000,
    TENSORS_MAX = 1000000,
    META_MAX = 65536, /* pairs */
    NAME_MAX_BYTES = 1024,
    ENTRY_MAX = 16384,                /* bytes of one tensor's JSON value */
    KEY_MAX = 6 * NAME_MAX_BYTES + 2, /* all of it as \uXXXX, in quotes */
    ALIGN = 64
};

static const char HASHES[] = "adze.hashes", HASH[] = "adze.hash";

/* ---- members of a JSON object, one by one ---- */

/* A piece of the text; OFF is its place in the file for messages.  */
struct piece {
    const char *p;
    size_t n, off;
};

struct members {
    struct piece in; /* what is left */
    int first;
    struct piece key, value; /* the current member */
};

static void advance(struct piece *in, size_t n)
{
    in->p += n;
    in->n -= n;
    in->off += n;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct piece *in)
{
    size_t n = 0;

    while (n < in->n && is_blank(in->p[n]))
        n++;
    advance(in, n);
}

static int bad_json(struct err *e, const struct piece *at, const char *what)
{
    return err_set(e, ERR_FORMAT, "header byte %zu: %s", at->off, what);
}

/* The length of the string at IN with its quotes, 0 if it does not end.  */
static size_t string_len(const struct piece *in)
{
    for (size_t i = 1; i < in->n; i++) {
        if (in->p[i] == '"')
            return i + 1;
        if (in->p[i] == '\\')
            i++;
    }
    return 0;
}

/* The length of the value at IN: up to a comma or bracket that is not its
 * own.  What it holds is checked by who parses it.  */
static size_t value_len(const struct piece *in)
{
    struct piece at = *in;
    size_t depth = 0;

    while (at.n) {
        const char c = at.p[0];
        size_t n = c == '"' ? string_len(&at) : 1;

        if (!n || (!depth && (c == ',' || c == '}' || c == ']')))
            break;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        advance(&at, n);
    }
    return (size_t)(at.p - in->p);
}

static int take(struct piece *in, size_t n, struct piece *part)
{
    *part = (struct piece){in->p, n, in->off};
    advance(in, n);
    return n > 0;
}

/* Start on the object that TEXT is.  */
static int members_open(struct members *m, struct piece text, struct err *e)
{
    *m = (struct members){.in = text, .first = 1};
    skip_blanks(&m->in);
    if (!m->in.n || m->in.p[0] != '{')
        return bad_json(e, &m->in, "'{' expected");
    advance(&m->in, 1);
    return 0;
}

/* Behind the last member only blanks may stand.  */
static int members_end(struct members *m, struct err *e)
{
    advance(&m->in, 1);
    skip_blanks(&m->in);
    return m->in.n ? bad_json(e, &m->in, "text behind the object") : 0;
}

/* The next member: 1, 0 at the end, -1.  */
static int members_next(struct members *m, struct err *e)
{
    struct piece *in = &m->in;

    skip_blanks(in);
    if (in->n && in->p[0] == '}')
        return members_end(m, e);
    if (!m->first) {
        if (!in->n || in->p[0] != ',')
            return bad_json(e, in, "',' or '}' expected");
        advance(in, 1);
        skip_blanks(in);
    }
    m->first = 0;
    if (!in->n || in->p[0] != '"' || !take(in, string_len(in), &m->key))
        return bad_json(e, in, "a name in quotes expected");
    skip_blanks(in);
    if (!in->n || in->p[0] != ':')
        return bad_json(e, in, "':' expected");
    advance(in, 1);
    skip_blanks(in);
    if (!take(in, value_len(in), &m->value))
        return bad_json(e, in, "a value expected");
    while (is_blank(m->value.p[m->value.n - 1]))
        m->value.n--;
    return 1;
}

static json_t *parse_piece(const struct piece *v, struct err *e)
{
    json_error_t why;
    json_t *j = json_loadb(v->p, v->n, JSON_DECODE_ANY, &why);

    if (!j && strstr(why.text, "\\u0000"))
        bad_json(e, v, "a NUL byte in a string");
    else if (!j)
        err_set(e, ERR_FORMAT, "header byte %zu: %s",
                v->off + (why.position > 0 ? (size_t)why.position : 0),
                Q(why.text));
    return j;
}

/* The text of the string V in arena A; NULL on error.  */
static const char *parse_string(struct arena *a, const struct piece *v,
                                struct err *e)
{
    const char *text = NULL;
    json_t *j;

    if (v->p[0] != '"') {
        bad_json(e, v, "a string expected");
        return NULL;
    }
    j = parse_piece(v, e);
    if (j)
        text = arena_strdup(a, json_string_value(j));
    json_decref(j);
    return text;
}

/* The list V of at most MAX whole numbers >= 0 into X; how many, or -1.  */
static int parse_numbers(const struct piece *v, int max, int64_t *x,
                         struct err *e)
{
    json_t *j = parse_piece(v, e), *item;
    int n = -1;
    size_t i;

    if (!j)
        return -1;
    if (!json_is_array(j)) {
        bad_json(e, v, "a list of numbers expected");
    } else if (json_array_size(j) > (size_t)max) {
        err_set(e, ERR_FORMAT,
                "header byte %zu: a list of %zu numbers; at most %d are "
                "allowed",
                v->off, json_array_size(j), max);
    } else {
        n = (int)json_array_size(j);
        json_array_foreach(j, i, item)
        {
            if (!json_is_integer(item) || json_integer_value(item) < 0)
                n = bad_json(e, v, "a whole number of at least 0 expected");
            else if (n >= 0)
                x[i] = json_integer_value(item);
        }
    }
    json_decref(j);
    return n;
}

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
        struct set_meta pair = {parse_string(&s->arena, &m.key, e), NULL};

        if (pair.key)
            pair.value = parse_string(&s->arena, &m.value, e);
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
        return bad_json(e, v, "dtype: a string expected");
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
    x->shape.rank = parse_numbers(v, SHAPE_MAX, x->shape.dim, e);
    return x->shape.rank < 0 ? err_in(e, "shape") : 0;
}

static int parse_offsets(struct entry *x, const struct piece *v, struct err *e)
{
    int64_t span[2];
    const int n = parse_numbers(v, 2, span, e);

    if (n < 0)
        return err_in(e, "data_offsets");
    if (n != 2 || span[0] > span[1])
        return bad_json(e, v, "data_offsets: two rising numbers expected");
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
            return bad_json(e, &m->key, "this key stands twice");
        *seen |= 1u << i;
        return field[i].parse(x, &m->value, e);
    }
    return bad_json(e, &m->key, "unknown key");
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
        return bad_json(e, text, "a description too long for a tensor");
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
            return bad_json(e, &m.key, "a name longer than 1024 bytes");
        name = parse_string(&d->set->arena, &m.key, e);
        if (!name)
            return -1;
        if (strlen(name) > NAME_MAX_BYTES)
            return bad_json(e, &m.key, "a name longer than 1024 bytes");
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

/* ---- hashes ---- */

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
    const struct set_meta own = {HASHES, hashes};
    const struct set_meta **order =
        xcalloc((size_t)s->n_meta + 1, sizeof *order);
    size_t n = 0;

    for (int64_t i = 0; i < s->n_meta; i++)
        if (strcmp(s->meta[i].key, HASH) != 0 &&
            (!hashes || strcmp(s->meta[i].key, HASHES) != 0))
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

typedef char hash_text[HASH_TEXT];

/* The text of adze.hash; EACH holds the hashes of the tensors of S.  */
static void hash_all(hash_text text, const struct set *s, const char *hashes,
                     hash_text *each)
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

static hash_text *hash_each(const struct set *s)
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
    const char *name = parse_string(&a, &m->key, e);
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
    return e->code ? err_in(e, "'%s'", HASHES) : 0;
}

/* adze.hashes guards the data, adze.hash all the rest: one without the other
 * is a damaged name.  */
static int verify_set(const struct set *s, struct err *e)
{
    const char *hashes = set_meta_get(s, HASHES), *hash = set_meta_get(s, HASH);
    hash_text *each, all;

    if (!hashes && !hash)
        return 0;
    if (!hashes || !hash)
        return err_set(e, ERR_FORMAT, "'%s' without '%s': the file is damaged",
                       hash ? HASH : HASHES, hash ? HASHES : HASH);
    each = hash_each(s);
    if (verify_each(s, hashes, each, e) == 0) {
        hash_all(all, s, NULL, each);
        if (strcmp(all, hash) != 0)
            err_set(e, ERR_FORMAT, "'%s': %s", HASH, OTHER_HASH);
    }
    free(each);
    return e->code ? -1 : 0;
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
    r = verify ? verify_set(s, e) : 0;
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

/* ---- writing ---- */

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
    hash_text *each = hash_each(set);

    add_hashes(list, set, order, each);
    hash_all(all, set, str_text(list), each);
    free(each);
}

/* The metadata, new hashes behind; old ones are dropped.  Nothing if there
 * is none.  */
static int add_meta(struct str *s, const struct set *set,
                    const struct set_item **order, int hashes)
{
    int any = 0;

    for (int64_t i = 0; i < set->n_meta; i++)
        if (strcmp(set->meta[i].key, HASHES) != 0 &&
            strcmp(set->meta[i].key, HASH) != 0)
            add_pair(s, set->meta[i].key, set->meta[i].value, &any);
    if (hashes) {
        struct str list = {0};
        hash_text all;

        hash_set(&list, all, set, order);
        add_pair(s, HASHES, str_text(&list), &any);
        add_pair(s, HASH, all, &any);
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

int fuzz_safetensors(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct set s;

    if (safetensors_parse(&s, p, n, NULL, 1, &e) < 0)
        return -1;
    set_release(&s);
    return 0;
}
