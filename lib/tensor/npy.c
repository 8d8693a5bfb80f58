/* npy.c -- see npy.h.
 * SPDX-License-Identifier: MIT
 *
 * Format: numpy/lib/format.py.  The header is a Python literal; of that
 * language only a dictionary of strings, True, False and tuples of whole
 * numbers is known here.  */
#include "tensor/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/tensor.h"

enum { HEADER_MAX = 10000, ALIGN = 64 };

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* ---- the header's text ---- */

struct text {
    const char *p;
    size_t n, at;
};

struct header {
    enum dtype dtype;
    struct shape shape;
    unsigned seen; /* keys, by their place in the table below */
};

static int bad(struct err *e, const struct text *t, const char *what)
{
    return err_set(e, ERR_FORMAT, "npy header, character %zu: %s", t->at, what);
}

/* The next character that is not blank, 0 at the end.  */
static char peek(struct text *t)
{
    while (t->at < t->n && strchr(" \t\r\n", t->p[t->at]) && t->p[t->at])
        t->at++;
    return t->at < t->n ? t->p[t->at] : 0;
}

static int accept(struct text *t, char c)
{
    const int yes = peek(t) == c;

    t->at += (size_t)yes;
    return yes;
}

static int expect(struct text *t, char c, const char *what, struct err *e)
{
    return accept(t, c) ? 0 : bad(e, t, what);
}

/* A string in either quotes, without escapes.  */
static int take_string(struct text *t, const char **s, size_t *n, struct err *e)
{
    const char quote = peek(t);
    const char *end;

    if (quote != '\'' && quote != '"')
        return bad(e, t, "a string expected");
    *s = t->p + t->at + 1;
    end = memchr(*s, quote, t->n - t->at - 1);
    if (!end)
        return bad(e, t, "a string without an end");
    *n = (size_t)(end - *s);
    t->at += *n + 2;
    return 0;
}

static int take_word(struct text *t, const char *word)
{
    const size_t n = strlen(word);

    peek(t);
    if (t->n - t->at < n || memcmp(t->p + t->at, word, n) != 0)
        return 0;
    t->at += n;
    return 1;
}

/* A whole number; Python 2 wrote 3L.  */
static int take_number(struct text *t, int64_t *v, struct err *e)
{
    int64_t x = 0;
    int digits = 0;

    if (peek(t) == '-')
        return bad(e, t, "a negative dimension");
    if (t->n - t->at > 1 && t->p[t->at] == '0' && t->p[t->at + 1] >= '0' &&
        t->p[t->at + 1] <= '9')
        return bad(e, t, "a number that starts with 0");
    for (; t->at < t->n && t->p[t->at] >= '0' && t->p[t->at] <= '9'; t->at++) {
        digits++;
        if (i64_mul(x, 10, &x) < 0 || i64_add(x, t->p[t->at] - '0', &x) < 0)
            return bad(e, t, "a number too large");
    }
    if (!digits)
        return bad(e, t, "a number expected");
    t->at += t->at < t->n && t->p[t->at] == 'L';
    *v = x;
    return 0;
}

/* ---- the three keys ---- */

static int unsupported(struct err *e, const char *descr, const char *what,
                       const char *how)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "npy dtype '%s' %s; convert it with numpy: %s", Q(descr),
                   what, how);
}

static int refuse_dtype(const char *s, size_t n, struct err *e)
{
    char d[32] = "";

    memcpy(d, s, n < sizeof d - 1 ? n : sizeof d - 1);
    if (strchr(d, 'O'))
        return unsupported(e, d, "holds Python objects", "a.astype('float32')");
    if (d[0] == '>')
        return unsupported(e, d, "is big-endian",
                           "a.astype(a.dtype.newbyteorder('<'))");
    return unsupported(e, d, "is not read here", "a.astype('float32')");
}

static int parse_descr(struct header *h, struct text *t, struct err *e)
{
    char name[4] = "";
    const char *s;
    size_t n;
    int dt;

    if (peek(t) == '[')
        return err_set(e, ERR_UNSUPPORTED,
                       "npy arrays of records are not read here; save each "
                       "field with numpy: np.save(f, a['field'])");
    if (take_string(t, &s, &n, e) < 0)
        return -1;
    if (n == 3)
        memcpy(name, s, 3);
    if (name[0] == '<' && name[2] == '1')
        name[0] = '|'; /* one byte has no order */
    dt = dtype_by_npy_name(name, strlen(name));
    if (dt < 0)
        return refuse_dtype(s, n, e);
    h->dtype = (enum dtype)dt;
    return 0;
}

static int parse_order(struct header *h, struct text *t, struct err *e)
{
    (void)h;
    if (take_word(t, "False"))
        return 0;
    if (take_word(t, "True"))
        return err_set(e, ERR_UNSUPPORTED,
                       "npy array in Fortran order; convert it with numpy: "
                       "np.ascontiguousarray(a)");
    return bad(e, t, "True or False expected");
}

static int parse_shape(struct header *h, struct text *t, struct err *e)
{
    int comma = 1;

    h->shape.rank = 0;
    if (expect(t, '(', "'(' expected", e) < 0)
        return -1;
    while (peek(t) != ')') {
        if (!comma)
            return bad(e, t, "',' or ')' expected");
        if (h->shape.rank == SHAPE_MAX)
            return bad(e, t, "more than 8 dimensions");
        if (take_number(t, &h->shape.dim[h->shape.rank++], e) < 0)
            return -1;
        comma = accept(t, ',');
    }
    if (h->shape.rank == 1 && !comma)
        return bad(e, t, "(3) is a number, (3,) a shape");
    t->at++;
    return 0;
}

static const struct key {
    const char *name;
    int (*parse)(struct header *h, struct text *t, struct err *e);
} key[] = {{"descr", parse_descr},
           {"fortran_order", parse_order},
           {"shape", parse_shape}};

static int parse_pair(struct header *h, struct text *t, struct err *e)
{
    const char *s;
    size_t n;

    if (take_string(t, &s, &n, e) < 0 || expect(t, ':', "':' expected", e) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(key); i++) {
        if (strlen(key[i].name) != n || memcmp(key[i].name, s, n) != 0)
            continue;
        if (h->seen >> i & 1)
            return bad(e, t, "a key that stands twice");
        h->seen |= 1u << i;
        return key[i].parse(h, t, e);
    }
    return bad(e, t, "unknown key");
}

static int parse_text(struct header *h, const char *p, size_t n, struct err *e)
{
    struct text t = {p, n, 0};
    int comma = 1;
    int64_t count;

    *h = (struct header){0};
    if (expect(&t, '{', "'{' expected", e) < 0)
        return -1;
    while (peek(&t) != '}') {
        if (!comma)
            return bad(e, &t, "',' or '}' expected");
        if (parse_pair(h, &t, e) < 0)
            return -1;
        comma = accept(&t, ',');
    }
    t.at++;
    if (peek(&t) || t.at < t.n)
        return bad(e, &t, "text behind the dictionary");
    for (size_t i = 0; i < COUNT(key); i++)
        if (!(h->seen >> i & 1))
            return err_set(e, ERR_FORMAT, "npy header has no '%s'",
                           key[i].name);
    return shape_check(&h->shape, (int64_t)dtype_size(h->dtype), &count, e);
}

/* ---- what stands before it ---- */

/* From the first N <= 12 bytes of a file: how many bytes stand before the
 * header's text, and its length.  */
static int parse_start(const unsigned char *p, size_t n, size_t *start,
                       size_t *len, struct err *e)
{
    if (n >= 4 && !memcmp(p, "PK\3\4", 4))
        return err_set(e, ERR_UNSUPPORTED,
                       "an NPZ archive, not one array; take the array out "
                       "with numpy: np.save(f, z['name'])");
    if (n < 8 || memcmp(p, magic, sizeof magic) != 0)
        return err_set(e, ERR_FORMAT, "not an npy array: wrong first bytes");
    if (p[6] < 1 || p[6] > 3 || p[7])
        return err_set(e, ERR_FORMAT, "npy version %d.%d; known are 1.0 to 3.0",
                       p[6], p[7]);
    *start = p[6] == 1 ? 10 : 12;
    if (n < *start)
        return err_set(e, ERR_FORMAT, "npy array ends after %zu bytes", n);
    *len = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1)
        *len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    return *len > HEADER_MAX
               ? err_set(e, ERR_FORMAT,
                         "npy header claims %zu bytes; at most %d are allowed",
                         *len, HEADER_MAX)
               : 0;
}

static int check_bools(const struct tensor *t, struct err *e)
{
    const unsigned char *const p = t->data;
    const int64_t n = t->dtype == DTYPE_BOOL ? tensor_count(t) : 0;

    for (int64_t i = 0; i < n; i++)
        if (p[i] > 1)
            return err_set(e, ERR_FORMAT, "element %lld of a bool array is %d",
                           (long long)i, p[i]);
    return 0;
}

int npy_parse(struct tensor *t, const unsigned char *p, size_t n, struct err *e)
{
    struct header h;
    size_t start, len, bytes;

    *t = (struct tensor){0};
    if (parse_start(p, n, &start, &len, e) < 0)
        return -1;
    if (len > n - start)
        return err_set(e, ERR_FORMAT, "npy header ends after %zu of %zu bytes",
                       n - start, len);
    if (parse_text(&h, (const char *)p + start, len, e) < 0)
        return -1;
    bytes = (size_t)shape_count(&h.shape) * dtype_size(h.dtype);
    if (bytes != n - start - len)
        return err_set(
            e, ERR_FORMAT, "npy array %s of %s has %zu bytes, not %zu",
            ST(&h.shape), dtype_name(h.dtype), n - start - len, bytes);
    if (tensor_new(t, h.dtype, &h.shape, e) < 0)
        return -1;
    if (bytes)
        memcpy(t->data, p + start + len, bytes);
    if (check_bools(t, e) < 0)
        tensor_unref(t);
    return e->code ? -1 : 0;
}

int npy_read(struct tensor *t, const char *path, struct err *e)
{
    struct bytes b;
    int r;

    *t = (struct tensor){0};
    if (bytes_read(&b, path, INT64_MAX, e) < 0)
        return -1;
    r = npy_parse(t, b.data, b.n, e);
    bytes_release(&b);
    if (r < 0 && !strcmp(path, "-"))
        return err_in(e, "standard input");
    return r < 0 ? err_in(e, "'%s'", Q(path)) : 0;
}

/* The elements, in memory that is taken as they come.  */
static int read_data(struct tensor *t, const struct header *h, struct in *in,
                     struct err *e)
{
    const size_t bytes = (size_t)shape_count(&h->shape) * dtype_size(h->dtype);
    struct in_block b = {0};

    if (!bytes)
        return tensor_new(t, h->dtype, &h->shape, e);
    if (in_append(in, &b, bytes, e) < 0) {
        free(b.p);
        return -1;
    }
    *t = tensor_view(h->dtype, &h->shape, b.p);
    t->own = storage_wrap(free, b.p);
    return 0;
}

static int read_array(struct tensor *t, struct in *in, struct err *e)
{
    const unsigned char *p;
    char text[HEADER_MAX];
    struct header h;
    size_t start, len;
    const int64_t n = in_peek(in, &p, 12, e);

    if (n < 0 || parse_start(p, (size_t)n, &start, &len, e) < 0 ||
        in_skip(in, (int64_t)start, e) < 0 || in_exact(in, text, len, e) < 0 ||
        parse_text(&h, text, len, e) < 0 || read_data(t, &h, in, e) < 0)
        return -1;
    if (check_bools(t, e) < 0) {
        tensor_unref(t);
        return -1;
    }
    return 1;
}

int npy_read_next(struct tensor *t, struct in *in, struct err *e)
{
    const int64_t start = in->offset;
    const unsigned char *p;
    int64_t n;

    *t = (struct tensor){0};
    n = in_peek(in, &p, 1, e);
    if (n <= 0)
        return (int)n;
    if (read_array(t, in, e) < 0)
        return err_in(e, "array at offset %lld", (long long)start);
    return 1;
}

/* ---- writing ---- */

/* (), (3,), (3, 4) */
static void add_shape(struct str *s, const struct shape *shape)
{
    str_addc(s, '(');
    for (int i = 0; i < shape->rank; i++)
        str_printf(s, "%s%lld", i ? ", " : "", (long long)shape->dim[i]);
    str_add(s, shape->rank == 1 ? ",)" : ")");
}

int npy_write(const struct tensor *t, struct out *o, struct err *e)
{
    const char *const descr = dtype_npy_name(t->dtype);
    struct str s = {0};
    int r;

    if (!descr)
        return err_set(e, ERR_UNSUPPORTED,
                       "npy has no dtype %s; convert it to f32 first",
                       dtype_name(t->dtype));
    str_addn(&s, (const char *)magic, sizeof magic);
    str_addn(&s, "\1\0\0\0", 4);
    str_printf(&s, "{'descr': '%s', 'fortran_order': False, 'shape': ", descr);
    add_shape(&s, &t->shape);
    str_add(&s, ", }");
    while ((s.len + 1) % ALIGN)
        str_addc(&s, ' ');
    str_addc(&s, '\n');
    s.data[8] = (char)((s.len - 10) & 0xff);
    s.data[9] = (char)((s.len - 10) >> 8);
    r = out_write(o, s.data, s.len, e);
    str_release(&s);
    return r < 0 ? -1 : out_write(o, t->data, tensor_bytes(t), e);
}

int npy_save(const struct tensor *t, const char *path, struct err *e)
{
    struct out o;

    if (out_open(&o, path, e) < 0)
        return -1;
    if (npy_write(t, &o, e) < 0)
        return out_abort(&o);
    return out_commit(&o, e);
}

/* What is read alone is read from a stream as well.  */
int fuzz_npy(const uint8_t *p, size_t n)
{
    struct err e = {0}, f = {0};
    struct tensor t, u;
    struct in in;
    int r;

    in_memory(&in, p, n);
    r = npy_parse(&t, p, n, &e);
    if (npy_read_next(&u, &in, &f) < 1) {
        if (r == 0)
            BUG("an array is refused in a stream: %s", f.msg);
    } else if (r == 0 && memcmp(t.data, u.data, tensor_bytes(&t)) != 0) {
        BUG("an array is another one in a stream");
    }
    tensor_unref(&t);
    tensor_unref(&u);
    in_close(&in);
    return r;
}
