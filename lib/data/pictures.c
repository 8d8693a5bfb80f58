/* pictures.c -- see pictures.h.
 * SPDX-License-Identifier: MIT  */
#include "data/pictures.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/form.h"
#include "data/tar.h"
#include "image/codec.h"

enum { LOOK = 4096, TAR_BLOCK = 512 };

struct pictures {
    const char *const *path;
    int n, at;
    char delim;
    struct in in; /* of standard input, while it is a list */
    enum { FROM_PATHS, FROM_LIST, FROM_TAR, FROM_ONE } kind;
    struct str line, whole;
    struct tar tar;
};

void picture_release(struct picture *p)
{
    free(p->name);
    if (p->bytes.data)
        bytes_release(&p->bytes);
    memset(p, 0, sizeof *p);
}

/* All that is left of IN.  */
static int read_rest(struct in *in, struct str *s, struct err *e)
{
    char buf[65536];
    int64_t n;

    while ((n = in_read(in, buf, sizeof buf, e)) > 0) {
        if (s->len + (size_t)n > (size_t)1 << 36)
            return err_set(e, ERR_INPUT, "standard input is over 64 GiB");
        str_addn(s, buf, (size_t)n);
    }
    return (int)n;
}

/* What holds pictures, but not so that they are read here.  A list of paths
 * may begin with any text.  */
static int refuse(const unsigned char *p, size_t n, struct err *e)
{
    const struct bytes b = {.data = p, .n = n};

    if (form_frames.is(&b))
        err_set(e, ERR_UNSUPPORTED,
                "a stream of frames, which adze-train and adze-evaluate read: "
                "adze-augment -f tar writes pictures");
    else if (memchr(p, 0, n))
        tar_foreign(p, n, e);
    return e->code ? err_in(e, "standard input") : 0;
}

static int refuse_second(const struct str *whole, struct err *e)
{
    const size_t at =
        codec_second((const uint8_t *)str_text(whole), whole->len);

    if (!at)
        return 0;
    return err_set(e, ERR_FORMAT,
                   "standard input: a second picture begins at byte %zu: give "
                   "one, a tar of several, or a list of their names",
                   at);
}

/* A first path with its end: what comes is a list, and more need not be waited
 * for.  Of a tar the first name ends with several NULs.  */
static int is_path(const unsigned char *p, size_t n, char delim)
{
    size_t k = 0;

    while (k < n && p[k] >= ' ' && p[k] != 0x7f)
        k++;
    if (!k || k == n || codec_sniff(p, n))
        return 0;
    if (!delim)
        return !p[k] && (k + 1 == n || p[k + 1]);
    return p[k] == '\n' || (p[k] == '\r' && k + 1 < n && p[k + 1] == '\n');
}

/* What there is of the first LOOK bytes, if that says what comes; else, when
 * they have come, all.  */
static int64_t look(struct pictures *s, const unsigned char **p, struct err *e)
{
    int64_t n = in_peek(&s->in, p, 1, e);
    const size_t there = s->in.len - s->in.pos;

    if (n > 0)
        n = in_peek(&s->in, p, there < LOOK ? there : LOOK, e);
    return n < 0 || is_path(*p, (size_t)n, s->delim)
               ? n
               : in_peek(&s->in, p, LOOK, e);
}

static int sniff(struct pictures *s, struct err *e)
{
    const unsigned char *p;
    const int64_t n = look(s, &p, e);

    if (n < 0 || refuse(p, (size_t)n, e) < 0)
        return -1;
    s->kind = tar_is(p, n < TAR_BLOCK ? (size_t)n : TAR_BLOCK) ? FROM_TAR
              : codec_sniff(p, (size_t)n)                      ? FROM_ONE
                                                               : FROM_LIST;
    if (s->kind == FROM_LIST)
        return 0;
    if (read_rest(&s->in, &s->whole, e) < 0 ||
        (s->kind == FROM_ONE && refuse_second(&s->whole, e) < 0))
        return -1;
    s->tar.data = (const unsigned char *)str_text(&s->whole);
    s->tar.n = s->whole.len;
    return 0;
}

static int open_stdin(struct pictures *s, struct err *e)
{
    return in_open(&s->in, "-", e) < 0 ? -1 : sniff(s, e);
}

struct pictures *pictures_open(const char *const *paths, int n, char delim,
                               struct err *e)
{
    struct pictures *s = xcalloc(1, sizeof *s);

    s->path = paths;
    s->n = n;
    s->delim = delim;
    s->in.fd = -1;
    if (!n && open_stdin(s, e) < 0) {
        pictures_close(s);
        return NULL;
    }
    return s;
}

void pictures_close(struct pictures *s)
{
    if (!s)
        return;
    if (s->in.fd >= 0)
        in_close(&s->in);
    tar_release(&s->tar);
    str_release(&s->line);
    str_release(&s->whole);
    free(s);
}

/* Folders are not searched: which files count, and in what order, find says. */
static int refuse_folder(const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    return err_set(e, ERR_INPUT,
                   "'%s' is a folder: give the pictures in it, as by find %s "
                   "-name '*.jpg' | adze-infer ...",
                   Q(path), Q(path));
}

/* A path: read errors belong to the picture.  */
static int next_file(struct picture *p, const char *path)
{
    enum { FILE_MAX = 512 << 20 };

    p->name = xstrdup(path);
    if (refuse_folder(path, &p->err) == 0 &&
        !bytes_read(&p->bytes, path, FILE_MAX, &p->err)) {
        p->data = p->bytes.data;
        p->n = p->bytes.n;
    }
    return 1;
}

static int next_member(struct pictures *s, struct picture *p, struct err *e)
{
    struct tar_member m;
    int r;

    do
        r = tar_next(&s->tar, &m, e);
    while (r > 0 && form_hidden(m.name));
    if (r > 0) {
        p->name = xstrdup(m.name);
        p->data = m.data;
        p->n = m.n;
    }
    return r < 0 ? err_in(e, "standard input") : r;
}

static int next_line(struct pictures *s, struct picture *p, struct err *e)
{
    int r;

    do
        r = in_line(&s->in, &s->line, s->delim, e);
    while (r > 0 && !s->line.len);
    if (r > 0 && strlen(str_text(&s->line)) < s->line.len)
        return err_set(e, ERR_USAGE,
                       "standard input: a path holds a NUL byte: paths of "
                       "find -print0 are read with -0");
    return r > 0 ? next_file(p, str_text(&s->line)) : r;
}

int pictures_wait(const struct pictures *s, int ms)
{
    struct pollfd fd = {.fd = s->in.fd, .events = POLLIN};
    const struct in *in = &s->in;

    return s->kind != FROM_LIST || in->eof ||
           memchr(in->buf + in->pos, (unsigned char)s->delim,
                  in->len - in->pos) ||
           poll(&fd, 1, ms) != 0;
}

int pictures_next(struct pictures *s, struct picture *p, struct err *e)
{
    memset(p, 0, sizeof *p);
    switch (s->kind) {
    case FROM_PATHS:
        return s->at < s->n ? next_file(p, s->path[s->at++]) : 0;
    case FROM_LIST:
        return next_line(s, p, e);
    case FROM_TAR:
        return next_member(s, p, e);
    case FROM_ONE:
        if (s->at++)
            return 0;
        p->name = xstrdup("standard input");
        p->data = (const unsigned char *)str_text(&s->whole);
        p->n = s->whole.len;
        return 1;
    }
    return 0;
}
