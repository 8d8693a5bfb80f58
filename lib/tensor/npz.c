/* npz.c -- see npz.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/npz.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/npy.h"
#include "tensor/set.h"

/* Signatures, and the sizes of what they begin, without names.  */
#define LOCAL  "PK\3\4"
#define ENTRY  "PK\1\2"
#define FINISH "PK\5\6"

enum {
    LOCAL_BYTES = 30,
    ENTRY_BYTES = 46,
    FINISH_BYTES = 22,
    COMMENT_MAX = 65535,
    NAME_MAX_BYTES = 1024,
    ENTRIES_MAX = 65534, /* one more means: see elsewhere (zip64) */
    VERSION = 20,        /* 2.0, of the format */
    DATE = 33            /* 1 January 1980, the first that can be said */
};

static const char suffix[] = ".npy";

/* ---- writing ---- */

/* V in N bytes, the lowest first.  */
static void put(struct str *s, uint64_t v, int n)
{
    for (; n; n--, v >>= 8)
        str_addc(s, (char)(v & 255));
}

struct entry {
    const char *name; /* without .npy */
    size_t at, bytes; /* its local header; the array */
    uint32_t crc;
};

/* What the local header and the directory say alike.  */
static void put_facts(struct str *s, const struct entry *x)
{
    put(s, VERSION, 2);
    put(s, 0, 2); /* flags */
    put(s, 0, 2); /* stored */
    put(s, 0, 2); /* time */
    put(s, DATE, 2);
    put(s, x->crc, 4);
    put(s, x->bytes, 4);
    put(s, x->bytes, 4);
    put(s, strlen(x->name) + sizeof suffix - 1, 2);
    put(s, 0, 2); /* extra */
}

static void put_local(struct str *s, const struct entry *x)
{
    str_add(s, LOCAL);
    put_facts(s, x);
    str_add(s, x->name);
    str_add(s, suffix);
}

static void put_entry(struct str *s, const struct entry *x)
{
    str_add(s, ENTRY);
    put(s, VERSION, 2);
    put_facts(s, x);
    put(s, 0, 2); /* comment */
    put(s, 0, 2); /* disk */
    put(s, 0, 6); /* attributes */
    put(s, x->at, 4);
    str_add(s, x->name);
    str_add(s, suffix);
}

static void put_finish(struct str *s, int64_t n, size_t at, size_t bytes)
{
    str_addn(s, FINISH, 4);
    put(s, 0, 4); /* disks */
    put(s, (uint64_t)n, 2);
    put(s, (uint64_t)n, 2);
    put(s, bytes, 4);
    put(s, at, 4);
    put(s, 0, 2); /* comment */
}

static int put_array(struct str *to, size_t start, const struct set_item *item,
                     struct entry *x, struct err *e)
{
    struct crc crc;
    struct str array = {0};
    struct out o;
    int bad;

    out_memory(&o, &array);
    bad = npy_write(&item->t, &o, e) < 0 || out_commit(&o, e) < 0;
    if (!bad) {
        crc_init(&crc);
        *x = (struct entry){
            item->name, to->len - start, array.len,
            crc_add(&crc, 0, (const uint8_t *)str_text(&array), array.len)};
        if (to->len - start + array.len > UINT32_MAX - (1U << 28))
            bad = err_set(e, ERR_UNSUPPORTED,
                          "more than 4 GiB of arrays: take safetensors");
        put_local(to, x);
        str_addn(to, str_text(&array), array.len);
    } else {
        out_abort(&o);
    }
    str_release(&array);
    return bad ? -1 : 0;
}

int npz_encode(struct str *to, const struct set *s, struct err *e)
{
    const size_t start = to->len;
    struct str directory = {0};
    int bad = 0;

    if (s->n > ENTRIES_MAX)
        return err_set(e, ERR_UNSUPPORTED,
                       "%lld arrays; an archive holds %d: take safetensors",
                       (long long)s->n, ENTRIES_MAX);
    for (int64_t i = 0; i < s->n && !bad; i++) {
        struct entry x;

        bad = put_array(to, start, &s->item[i], &x, e) < 0;
        if (bad)
            err_in(e, "tensor '%s'", Q(s->item[i].name));
        else
            put_entry(&directory, &x);
    }
    const size_t at = to->len - start;

    str_addn(to, str_text(&directory), directory.len);
    put_finish(to, s->n, at, directory.len);
    str_release(&directory);
    return bad ? -1 : 0;
}

/* ---- reading ---- */

static uint64_t get(const unsigned char *p, int n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | p[n];
    return v;
}

static int bad_zip(const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "NPZ archive: %s", what);
}

int npz_is(const unsigned char *p, size_t n)
{
    size_t end;

    if (n < LOCAL_BYTES || memcmp(p, LOCAL, 4) != 0)
        return n >= FINISH_BYTES && !memcmp(p, FINISH, 4);
    end = LOCAL_BYTES + (size_t)get(p + 26, 2);
    return end <= n && !memcmp(p + end - 4, suffix, 4);
}

/* The directory: where, how many bytes and entries.  */
struct directory {
    size_t at, bytes;
    uint64_t n;
};

/* Its end stands in front of a comment, which may hold anything.  */
static int find_finish(struct directory *d, const unsigned char *p, size_t n,
                       struct err *e)
{
    const size_t least =
        n > FINISH_BYTES + COMMENT_MAX ? n - FINISH_BYTES - COMMENT_MAX : 0;

    if (n < FINISH_BYTES)
        return bad_zip("it ends early", e);
    for (size_t at = n - FINISH_BYTES;; at--) {
        if (!memcmp(p + at, FINISH, 4) &&
            get(p + at + 20, 2) == n - FINISH_BYTES - at) {
            *d = (struct directory){(size_t)get(p + at + 16, 4),
                                    (size_t)get(p + at + 12, 4),
                                    get(p + at + 10, 2)};
            if (d->at > at || d->bytes > at - d->at ||
                get(p + at + 8, 2) != d->n)
                return bad_zip("its directory does not fit, or it is larger "
                               "than 4 GiB",
                               e);
            return 0;
        }
        if (at == least)
            return bad_zip("no directory: it is cut off", e);
    }
}

/* An entry of the directory: name, and where the array lies.  */
struct member {
    char name[NAME_MAX_BYTES + sizeof suffix];
    size_t at, bytes;
    uint32_t crc;
};

static int read_name(struct member *m, const unsigned char *p, size_t n,
                     struct err *e)
{
    if (n >= sizeof m->name || !str_utf8((const char *)p, n))
        return bad_zip("a name is too long or no UTF-8", e);
    memcpy(m->name, p, n);
    m->name[n] = 0;
    if (!str_ends(m->name, suffix))
        return err_set(e, ERR_FORMAT, "NPZ archive: '%s' is no array",
                       Q(m->name));
    m->name[n - (sizeof suffix - 1)] = 0;
    return 0;
}

/* The array behind the local header at AT of the N bytes at P.  */
static int find_array(struct member *m, const unsigned char *p, size_t n,
                      size_t at, struct err *e)
{
    size_t skip;

    if (at > n || n - at < LOCAL_BYTES || memcmp(p + at, LOCAL, 4) != 0)
        return bad_zip("the directory points to no entry", e);
    skip =
        LOCAL_BYTES + (size_t)get(p + at + 26, 2) + (size_t)get(p + at + 28, 2);
    if (skip > n - at || m->bytes > n - at - skip)
        return bad_zip("an array is cut off", e);
    m->at = at + skip;
    return 0;
}

/* The entry at *AT of the directory D; moves on.  */
static int read_entry(struct member *m, const struct directory *d, size_t *at,
                      const unsigned char *p, size_t n, struct err *e)
{
    const unsigned char *x = p + d->at + *at;
    const size_t left = d->bytes - *at;
    size_t name, all;

    if (left < ENTRY_BYTES || memcmp(x, ENTRY, 4) != 0)
        return bad_zip("its directory is damaged", e);
    name = (size_t)get(x + 28, 2);
    all = ENTRY_BYTES + name + (size_t)get(x + 30, 2) + (size_t)get(x + 32, 2);
    if (all > left)
        return bad_zip("its directory is damaged", e);
    *at += all;
    if (read_name(m, x + ENTRY_BYTES, name, e) < 0)
        return -1;
    if (get(x + 10, 2) || get(x + 8, 2) & 1)
        return err_set(e, ERR_UNSUPPORTED,
                       "NPZ archive: '%s' is compressed or encrypted; write it "
                       "by numpy.savez, not savez_compressed",
                       Q(m->name));
    m->crc = (uint32_t)get(x + 16, 4);
    m->bytes = (size_t)get(x + 24, 4);
    if (get(x + 20, 4) != m->bytes)
        return bad_zip("two sizes of an array differ", e);
    return find_array(m, p, n, (size_t)get(x + 42, 4), e);
}

static int put_member(struct set *s, const struct member *m,
                      const unsigned char *p, const struct crc *crc,
                      struct err *e)
{
    struct tensor t;
    int twice;

    if (crc_add(crc, 0, p + m->at, m->bytes) != m->crc)
        return err_set(e, ERR_FORMAT, "array '%s' is damaged (CRC)",
                       Q(m->name));
    if (npy_parse(&t, p + m->at, m->bytes, e) < 0)
        return err_in(e, "array '%s'", Q(m->name));
    twice = set_put(s, m->name, &t) < 0;
    tensor_unref(&t);
    return twice
               ? err_set(e, ERR_FORMAT, "two arrays are named '%s'", Q(m->name))
               : 0;
}

static int parse(struct set *s, const unsigned char *p, size_t n, struct err *e)
{
    struct directory d = {0};
    struct crc crc;
    size_t at = 0, total = 0;

    if (find_finish(&d, p, n, e) < 0)
        return -1;
    crc_init(&crc);
    for (uint64_t i = 0; i < d.n; i++) {
        struct member m;

        if (read_entry(&m, &d, &at, p, n, e) < 0)
            return -1;
        total += m.bytes;
        if (total > n)
            return bad_zip("entries share their bytes", e);
        if (put_member(s, &m, p, &crc, e) < 0)
            return -1;
    }
    return at == d.bytes ? 0 : bad_zip("its directory is damaged", e);
}

int npz_parse(struct set *s, const unsigned char *p, size_t n, struct err *e)
{
    set_init(s);
    if (parse(s, p, n, e) == 0)
        return 0;
    set_release(s);
    return -1;
}

int fuzz_npz(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct set s;
    const int r = npz_parse(&s, p, n, &e);

    if (r == 0)
        set_release(&s);
    return r;
}
