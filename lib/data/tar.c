/* tar.c -- see tar.h.
 * SPDX-License-Identifier: MIT
 *
 * Two programs that read one archive differently are how hostile archives
 * work (a pax size that one reader ignores, a name given twice), so whatever
 * could be read in two ways is refused: pax and header sizes that differ, two
 * long names for one member, directories with a size.  */
#include "data/tar.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/stream.h"

enum {
    BLOCK = 512,
    NAME_AT = 0,
    NAME_BYTES = 100,
    MODE_AT = 100,
    SIZE_AT = 124,
    SUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_BYTES = 155,
    LONG_NAME_MAX = 64 * 1024,
    PAX_MAX = 1 << 20
};

#define OCTAL_SIZE_MAX 077777777777ULL /* what eleven digits hold */

/* ---- numbers ---- */

/* Octal digits between blanks and a NUL or blank: -1 if there are none or
 * something else is there.  */
static int octal(const unsigned char *p, int n, uint64_t *v)
{
    int i = 0, digits = 0;

    while (i < n && p[i] == ' ')
        i++;
    for (*v = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++, digits++)
        *v = *v * 8 + (uint64_t)(p[i] - '0'); /* 12 digits cannot overflow */
    for (; i < n; i++)
        if (p[i] && p[i] != ' ')
            return -1;
    return digits ? 0 : -1;
}

/* GNU's form for large sizes: the first bit set, the rest big-endian.  */
static int base256(const unsigned char *p, int n, uint64_t *v)
{
    *v = p[0] & 0x7f;
    if (p[0] & 0x40)
        return -1; /* negative */
    for (int i = 1; i < n; i++) {
        if (*v >> 55)
            return -1;
        *v = *v << 8 | p[i];
    }
    return 0;
}

static int size_field(const unsigned char *h, uint64_t *v)
{
    const unsigned char *p = h + SIZE_AT;

    return p[0] & 0x80 ? base256(p, 12, v) : octal(p, 12, v);
}

/* ---- what a block is ---- */

/* Some writers summed signed chars; both are accepted.  */
static int sum_holds(const unsigned char *h)
{
    uint64_t stated;
    int64_t u = 8 * ' ', s = 8 * ' ';

    if (octal(h + SUM_AT, 8, &stated) < 0)
        return 0;
    for (int i = 0; i < BLOCK; i++) {
        if (i >= SUM_AT && i < SUM_AT + 8)
            continue;
        u += h[i];
        s += (signed char)h[i];
    }
    return (int64_t)stated == u || (int64_t)stated == s;
}

static int zeros(const unsigned char *p, size_t n)
{
    return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

static int has_magic(const unsigned char *h)
{
    return !memcmp(h + MAGIC_AT, "ustar", 5);
}

int tar_is(const unsigned char *p, size_t n)
{
    if (n < BLOCK)
        return 0;
    if (zeros(p, BLOCK))
        return n % BLOCK == 0; /* no members */
    return has_magic(p) || sum_holds(p);
}

/* What people give in place of a tar.  */
static const struct {
    const char *name, *hint;
    int at, n;
    const char *magic;
} foreign[] = {
    {"gzip", "unpack it first, as in: gzip -dc FILE | adze-...", 0, 2,
     "\x1f\x8b"},
    {"zstd", "unpack it first, as in: zstd -dc FILE | adze-...", 0, 4,
     "\x28\xb5\x2f\xfd"},
    {"xz", "unpack it first, as in: xz -dc FILE | adze-...", 0, 6,
     "\xfd"
     "7zXZ\0"},
    {"bzip2", "unpack it first, as in: bzip2 -dc FILE | adze-...", 0, 3, "BZh"},
    {"lz4", "unpack it first, as in: lz4 -dc FILE | adze-...", 0, 4,
     "\x04\x22\x4d\x18"},
    {"zip", "unpack it and give the folder", 0, 4, "PK\3\4"},
    {"7z", "unpack it and give the folder", 0, 6, "7z\xbc\xaf\x27\x1c"},
    {"rar", "unpack it and give the folder", 0, 4, "Rar!"},
    {"cpio", "pack it again with tar", 0, 5, "07070"},
    {"cpio", "pack it again with tar", 0, 2, "\xc7\x71"},
};

int tar_foreign(const unsigned char *p, size_t n, struct err *e)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (n >= (size_t)foreign[i].n &&
            !memcmp(p, foreign[i].magic, (size_t)foreign[i].n))
            return err_set(e, ERR_UNSUPPORTED, "%s data, not a tar: %s",
                           foreign[i].name, foreign[i].hint);
    return 0;
}

/* ---- one member ---- */

/* What has been said about the next member by the headers before it.  */
struct pending {
    int long_name, pax; /* seen */
    int pax_path, pax_size;
    uint64_t size;
};

static int bad(const struct tar *t, struct err *e, const char *what)
{
    return err_set(e, ERR_FORMAT, "header at offset %zu: %s", t->pos, what);
}

static int unsupported(const struct tar *t, struct err *e, const char *what)
{
    return err_set(e, ERR_UNSUPPORTED, "header at offset %zu: %s", t->pos,
                   what);
}

/* "LENGTH key=value\n": the record at P, its end, key and value.  */
struct record {
    const char *key, *value;
    size_t key_n, value_n;
};

/* Bytes of the record, 0 if it is not one.  */
static size_t record_parse(struct record *r, const char *p, size_t n)
{
    size_t len = 0, i = 0;
    const char *eq;

    for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
        len = len * 10 + (size_t)(p[i] - '0');
    if (!i || i >= n || p[i] != ' ' || len > n || len < i + 4 ||
        p[len - 1] != '\n')
        return 0;
    i++;
    eq = memchr(p + i, '=', len - i);
    if (!eq)
        return 0;
    *r = (struct record){p + i, eq + 1, (size_t)(eq - p) - i,
                         (size_t)(p + len - 1 - (eq + 1))};
    return len;
}

static int key_is(const struct record *r, const char *key)
{
    return r->key_n == strlen(key) && !memcmp(r->key, key, r->key_n);
}

static int pax_number(const struct record *r, uint64_t *v)
{
    *v = 0;
    if (!r->value_n || r->value_n > 18)
        return -1;
    for (size_t i = 0; i < r->value_n; i++) {
        if (r->value[i] < '0' || r->value[i] > '9')
            return -1;
        *v = *v * 10 + (uint64_t)(r->value[i] - '0');
    }
    return 0;
}

static int set_name(struct tar *t, const char *p, size_t n, struct err *e)
{
    if (!n)
        return bad(t, e, "the long name is empty");
    if (n > LONG_NAME_MAX)
        return bad(t, e, "the name is longer than 65536 bytes");
    if (memchr(p, 0, n))
        return bad(t, e, "the long name holds a NUL");
    str_clear(&t->name);
    str_addn(&t->name, p, n);
    return 0;
}

static int pax_record(struct tar *t, struct pending *w, const struct record *r,
                      int global, struct err *e)
{
    const int path = key_is(r, "path"), size = key_is(r, "size");

    if (r->key_n >= 11 && !memcmp(r->key, "GNU.sparse.", 11))
        return unsupported(t, e, "a sparse member; pack without --sparse");
    if (!path && !size)
        return 0;
    if (global)
        return bad(t, e, "a global pax header sets path or size");
    if (path ? w->pax_path++ : w->pax_size++)
        return bad(t, e, "the pax header sets path or size twice");
    if (path)
        return w->long_name ? bad(t, e, "two long names for one member")
                            : set_name(t, r->value, r->value_n, e);
    return pax_number(r, &w->size) < 0
               ? bad(t, e, "the pax size is not a number")
               : 0;
}

static int pax_header(struct tar *t, struct pending *w, size_t size, int global,
                      struct err *e)
{
    const char *p = (const char *)t->data + t->pos + BLOCK;
    struct record r;

    if (size > PAX_MAX)
        return bad(t, e, "the pax header is larger than 1 MiB");
    if (!global && w->pax++)
        return bad(t, e, "two pax headers for one member");
    while (size) {
        const size_t n = record_parse(&r, p, size);

        if (!n)
            return bad(t, e, "a pax record's length is wrong");
        if (pax_record(t, w, &r, global, e) < 0)
            return -1;
        p += n;
        size -= n;
    }
    return 0;
}

/* The body of GNU's L header: a name, and one NUL behind it.  */
static int long_name(struct tar *t, struct pending *w, size_t size,
                     struct err *e)
{
    const char *p = (const char *)t->data + t->pos + BLOCK;

    if (w->long_name++ || w->pax_path)
        return bad(t, e, "two long names for one member");
    while (size && !p[size - 1])
        size--;
    return set_name(t, p, size, e);
}

/* The name in the header itself.  */
static int short_name(struct tar *t, const unsigned char *h, struct err *e)
{
    const char *name = (const char *)h + NAME_AT;
    const char *prefix = (const char *)h + PREFIX_AT;

    str_clear(&t->name);
    /* GNU's own magic is "ustar  ": its prefix field holds times */
    if (!memcmp(h + MAGIC_AT, "ustar", 6) && *prefix) {
        str_addn(&t->name, prefix, strnlen(prefix, PREFIX_BYTES));
        str_addc(&t->name, '/');
    }
    str_addn(&t->name, name, strnlen(name, NAME_BYTES));
    return t->name.len ? 0 : bad(t, e, "the name is empty");
}

/* ---- types ---- */

enum kind { FILE_DATA, PASSED, EMPTY, PAX, PAX_GLOBAL, LONG_NAME, REFUSED };

static const struct {
    char type;
    enum kind kind;
    const char *why;
} types[] = {
    {'0', FILE_DATA, NULL},
    {'\0', FILE_DATA, NULL},
    {'7', FILE_DATA, NULL},
    {'5', EMPTY, NULL},
    {'x', PAX, NULL},
    {'g', PAX_GLOBAL, NULL},
    {'L', LONG_NAME, NULL},
    {'K', PASSED, NULL}, /* a link's target; the link itself is refused */
    {'V', EMPTY, NULL},
    {'1', REFUSED, "a hard link; pack with --hard-dereference"},
    {'2', REFUSED, "a symbolic link; pack with --dereference"},
    {'3', REFUSED, "a character device"},
    {'4', REFUSED, "a block device"},
    {'6', REFUSED, "a FIFO"},
    {'S', REFUSED, "a sparse member; pack without --sparse"},
    {'M', REFUSED, "a part of a multi-volume archive; join the volumes first"},
    {'D', REFUSED, "an incremental dump; pack without --incremental"},
    {'N', REFUSED, "old GNU long names; pack again with a newer tar"},
};

static const char UNKNOWN_TYPE[] = "a member of unknown type";

static enum kind kind_of(const unsigned char *h, const char **why)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == (char)h[TYPE_AT]) {
            *why = types[i].why;
            return types[i].kind;
        }
    *why = UNKNOWN_TYPE;
    return REFUSED;
}

/* ---- walking ---- */

/* The header at POS is sound, its body inside the archive: the body's size.
 */
static int header_check(struct tar *t, size_t *size, struct err *e)
{
    const unsigned char *h = t->data + t->pos;
    uint64_t v;

    if (!sum_holds(h)) {
        if (t->pos == 0 && tar_foreign(t->data, t->n, e) < 0)
            return -1;
        return bad(t, e, "the checksum is wrong");
    }
    if (size_field(h, &v) < 0)
        return bad(t, e, "the size is not a number");
    if (v > t->n - t->pos - BLOCK) {
        err_set(e, ERR_FORMAT,
                "header at offset %zu: %llu bytes follow by its size, the "
                "archive has %zu: cut short?",
                t->pos, (unsigned long long)v, t->n - t->pos - BLOCK);
        return -1;
    }
    *size = (size_t)v;
    return 0;
}

/* Past the body and its padding, which a cut may have taken.  */
static int skip_body(struct tar *t, size_t size, struct err *e)
{
    const size_t left = t->n - t->pos - BLOCK;
    const size_t whole = size + (BLOCK - size % BLOCK) % BLOCK;

    if (whole > left)
        return err_set(e, ERR_FORMAT,
                       "ends at offset %zu inside the padding of a member: cut "
                       "short?",
                       t->n);
    t->pos += BLOCK + whole;
    return 0;
}

/* A block of zeros at POS: nothing but zeros may follow.  */
static int end_of_archive(struct tar *t, struct err *e)
{
    if (!zeros(t->data + t->pos, t->n - t->pos))
        return err_set(e, ERR_FORMAT,
                       "more bytes behind the end of the archive at offset "
                       "%zu: joined archives need tar -A",
                       t->pos);
    t->pos = t->n;
    t->ended = 1;
    return 0;
}

static int at_end(struct tar *t, const struct pending *w, struct err *e)
{
    if (w->pax || w->long_name)
        return bad(t, e, "a long name or pax header without its member");
    return 0;
}

static int cut_short(const struct tar *t, struct err *e)
{
    return err_set(e, ERR_FORMAT,
                   "ends at offset %zu without the blocks of zeros that close "
                   "an archive: cut short?",
                   t->n);
}

/* The size that counts.  A file of 8 GiB and more has it in the pax header
 * alone; otherwise both must say the same.  */
static int member_size(struct tar *t, const struct pending *w, size_t *size,
                       struct err *e)
{
    if (!w->pax_size || w->size == *size)
        return 0;
    if (*size || w->size <= OCTAL_SIZE_MAX)
        return bad(t, e, "the sizes in the pax and the plain header differ");
    if (w->size > t->n - t->pos - BLOCK)
        return bad(t, e, "the pax size is larger than the archive: cut short?");
    *size = (size_t)w->size;
    return 0;
}

/* 1 and M filled; 0 if it is a directory of V7, which the name alone tells;
 * -1.  */
static int member_take(struct tar *t, struct tar_member *m,
                       const struct pending *w, size_t size, struct err *e)
{
    const size_t at = t->pos + BLOCK;

    if (member_size(t, w, &size, e) < 0)
        return -1;
    if (!w->long_name && !w->pax_path && short_name(t, t->data + t->pos, e) < 0)
        return -1;
    if (t->name.data[t->name.len - 1] == '/')
        return size ? bad(t, e, "a directory with a size")
                    : skip_body(t, size, e);
    if (skip_body(t, size, e) < 0)
        return -1;
    *m = (struct tar_member){str_text(&t->name), t->data + at, size, at};
    return 1;
}

/* A body that says something about the next member.  */
static int header_extra(struct tar *t, struct pending *w, enum kind kind,
                        size_t size, struct err *e)
{
    int r = 0;

    if (kind == PAX || kind == PAX_GLOBAL)
        r = pax_header(t, w, size, kind == PAX_GLOBAL, e);
    else if (kind == LONG_NAME)
        r = long_name(t, w, size, e);
    return r < 0 ? -1 : skip_body(t, size, e);
}

/* The header at POS: 1 and M filled; 0 and passed over; -1.  */
static int header_take(struct tar *t, struct tar_member *m, struct pending *w,
                       struct err *e)
{
    const char *why;
    const enum kind kind = kind_of(t->data + t->pos, &why);
    size_t size = 0;
    int r;

    if (header_check(t, &size, e) < 0)
        return -1;
    if (kind == REFUSED)
        return unsupported(t, e, why);
    if (kind != FILE_DATA && kind != EMPTY)
        return header_extra(t, w, kind, size, e);
    if (kind == FILE_DATA)
        r = member_take(t, m, w, size, e);
    else
        r = size || (w->pax_size && w->size)
                ? bad(t, e, "a directory with a size")
                : skip_body(t, 0, e);
    *w = (struct pending){0};
    return r;
}

int tar_next(struct tar *t, struct tar_member *m, struct err *e)
{
    struct pending w = {0};

    while (t->pos < t->n) {
        int r;

        if (t->n - t->pos < BLOCK)
            return cut_short(t, e);
        if (zeros(t->data + t->pos, BLOCK))
            return at_end(t, &w, e) < 0 ? -1 : end_of_archive(t, e);
        r = header_take(t, m, &w, e);
        if (r)
            return r;
    }
    return t->ended ? 0 : cut_short(t, e);
}

void tar_release(struct tar *t)
{
    str_release(&t->name);
    *t = (struct tar){0};
}

/* ---- writing ---- */

static void put_octal(unsigned char *p, int digits, uint64_t v)
{
    p[digits] = 0;
    while (digits--) {
        p[digits] = (unsigned char)('0' + (v & 7));
        v >>= 3;
    }
}

/* The name in its two fields: 0, or -1 if it does not fit.  */
static int put_name(unsigned char *h, const char *name)
{
    const size_t n = strlen(name);
    const char *slash;

    if (n <= NAME_BYTES) {
        memcpy(h + NAME_AT, name, n);
        return 0;
    }
    if (n > PREFIX_BYTES + 1 + NAME_BYTES)
        return -1;
    slash = strchr(name + n - NAME_BYTES - 1, '/');
    if (!slash || slash == name || slash - name > PREFIX_BYTES || !slash[1])
        return -1;
    memcpy(h + PREFIX_AT, name, (size_t)(slash - name));
    memcpy(h + NAME_AT, slash + 1, n - (size_t)(slash + 1 - name));
    return 0;
}

static void put_header(unsigned char *h, char type, uint64_t size)
{
    unsigned sum = 0;

    put_octal(h + MODE_AT, 7, 0644);
    put_octal(h + MODE_AT + 8, 7, 0);  /* owner */
    put_octal(h + MODE_AT + 16, 7, 0); /* group */
    put_octal(h + SIZE_AT, 11, size);
    put_octal(h + SIZE_AT + 12, 11, 0); /* time */
    h[TYPE_AT] = (unsigned char)type;
    memcpy(h + MAGIC_AT, "ustar\00000", 8);
    memset(h + SUM_AT, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += h[i];
    put_octal(h + SUM_AT, 6, sum);
}

static int put_body(struct out *o, const void *p, size_t n, struct err *e)
{
    static const unsigned char zero[BLOCK];

    if (out_write(o, p, n, e) < 0)
        return -1;
    return out_write(o, zero, (BLOCK - n % BLOCK) % BLOCK, e);
}

/* One record; its length counts the digits of its length.  */
static void pax_add(struct str *s, const char *key, const char *value)
{
    const size_t rest = strlen(key) + strlen(value) + 3;
    size_t n = rest + 1;

    for (int i = 0; i < 3; i++) {
        size_t digits = 1;

        for (size_t v = n; v >= 10; v /= 10)
            digits++;
        n = rest + digits;
    }
    str_printf(s, "%zu %s=%s\n", n, key, value);
}

static int write_pax(struct out *o, const struct str *s, struct err *e)
{
    unsigned char h[BLOCK] = {0};

    put_name(h, "./PaxHeaders/member");
    put_header(h, 'x', s->len);
    return out_write(o, h, BLOCK, e) < 0 ? -1 : put_body(o, s->data, s->len, e);
}

int tar_write(struct out *o, const char *name, const void *p, size_t n,
              struct err *e)
{
    unsigned char h[BLOCK] = {0};
    struct str pax = {0};
    int r = 0;

    if (put_name(h, name) < 0) {
        memcpy(h + NAME_AT, name, NAME_BYTES);
        pax_add(&pax, "path", name);
    }
    if (n > OCTAL_SIZE_MAX) {
        char digits[24];

        snprintf(digits, sizeof digits, "%zu", n);
        pax_add(&pax, "size", digits);
    }
    put_header(h, '0', n > OCTAL_SIZE_MAX ? 0 : n);
    if (pax.len)
        r = write_pax(o, &pax, e);
    str_release(&pax);
    if (r < 0 || out_write(o, h, BLOCK, e) < 0)
        return -1;
    return put_body(o, p, n, e);
}

int tar_write_end(struct out *o, struct err *e)
{
    static const unsigned char zero[2 * BLOCK];

    return out_write(o, zero, sizeof zero, e);
}

/* ---- for fuzzing ---- */

int fuzz_tar(const uint8_t *p, size_t n)
{
    struct tar t = {.data = p, .n = n};
    struct tar_member m;
    struct err e = {0};
    unsigned sum = 0;

    tar_is(p, n);
    while (tar_next(&t, &m, &e) > 0)
        sum += (unsigned)strlen(m.name) + (m.n ? m.data[m.n - 1] : 0);
    tar_release(&t);
    return sum == 1;
}
