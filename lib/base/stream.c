/* stream.c -- see stream.h: reading, and the start of a program.
 * SPDX-License-Identifier: MIT  */
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mapped.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/temp.h"

enum { BUF_BYTES = 64 * 1024, PEEK_MAX = 4096, LINE_MAX_BYTES = 1 << 20 };

/* ---- whole files ---- */

static int too_large(struct err *e, const char *name, size_t max)
{
    return err_set(e, ERR_FORMAT, "%s is larger than the limit of %zu bytes",
                   FD_SHOW(name), max);
}

/* Read FD to its end.  HINT: how much is expected.  */
static int read_to_end(struct bytes *b, int fd, const char *name, size_t hint,
                       size_t max, struct err *e)
{
    size_t n = 0, cap = hint ? hint + 1 : 4096;
    unsigned char *p = malloc(cap);

    for (;;) {
        unsigned char *wide = p;
        ssize_t k;

        if (p && n == cap)
            wide = cap > SIZE_MAX / 2 ? NULL : realloc(p, cap *= 2);
        if (!wide) {
            free(p);
            return err_set(e, ERR_NOMEM,
                           "no memory for %s: cannot get %zu bytes",
                           FD_SHOW(name), cap);
        }
        p = wide;
        k = fd_read(fd, p + n, cap - n);
        if (k == 0)
            break;
        if (k < 0 || (n += (size_t)k) > max) {
            free(p);
            return k < 0 ? fd_cannot(e, ERR_INPUT, "read", name)
                         : too_large(e, name, max);
        }
    }
    *b = (struct bytes){.data = p, .n = n};
    return 0;
}

/* What may be read whole: files, pipes, sockets; devices only as "-".  */
static int check_kind(const struct stat *st, const char *name, struct err *e)
{
    if (S_ISDIR(st->st_mode))
        return err_set(e, ERR_INPUT, "cannot read %s: Is a directory",
                       FD_SHOW(name));
    if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && name != fd_stdin)
        return err_set(e, ERR_INPUT, "cannot read %s: it is a device",
                       FD_SHOW(name));
    return 0;
}

static int read_fd(struct bytes *b, int fd, const char *name, size_t max,
                   struct err *e)
{
    enum { MAP_FROM = 1 << 20, PIPE_HINT = 64 * 1024 };
    struct stat st;
    size_t size;
    void *map;

    if (fstat(fd, &st) < 0)
        return fd_cannot(e, ERR_INPUT, "read", name);
    if (check_kind(&st, name, e) < 0)
        return -1;
    if (!S_ISREG(st.st_mode))
        return read_to_end(b, fd, name, PIPE_HINT, max, e);
    size = (size_t)st.st_size;
    if (size > max)
        return too_large(e, name, max);
    if (size > MAP_FROM && lseek(fd, 0, SEEK_CUR) == 0 &&
        (map = mapped_new(fd, size, name))) {
        *b = (struct bytes){.data = map, .n = size, .mapped = 1};
        return 0;
    }
    return read_to_end(b, fd, name, size, max, e);
}

static int open_input(const char *path, const char **name, struct err *e)
{
    int fd = STDIN_FILENO;

    *name = fd_stdin;
    if (strcmp(path, "-") != 0) {
        *name = path;
        fd = fd_open(path, O_RDONLY, 0);
    }
    if (fd < 0)
        fd_cannot(e, ERR_INPUT, "open", path);
    return fd;
}

int bytes_read(struct bytes *b, const char *path, size_t max, struct err *e)
{
    const char *name;
    const int fd = open_input(path, &name, e);
    int r;

    *b = (struct bytes){0};
    if (fd < 0)
        return -1;
    r = read_fd(b, fd, name, max, e);
    if (fd != STDIN_FILENO)
        close(fd);
    return r;
}

void bytes_release(struct bytes *b)
{
    /* the members are const for readers only */
    void *p = (void *)(uintptr_t)b->data;

    if (b->mapped) {
        mapped_free(p, b->n);
    } else {
        free(p);
    }
    *b = (struct bytes){0};
}

/* ---- reading piece by piece ---- */

int in_open(struct in *i, const char *path, struct err *e)
{
    struct stat st;

    *i = (struct in){.fd = -1};
    i->fd = open_input(path, &i->name, e);
    if (i->fd < 0)
        return -1;
    i->own = i->fd != STDIN_FILENO;
    if (fstat(i->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        fd_cannot(e, ERR_INPUT, "read", i->name);
        in_close(i);
        return -1;
    }
    i->buf = xmalloc(BUF_BYTES);
    return 0;
}

/* A full buffer with nothing to come.  It is not written to: bytes are only
 * moved when more are fetched.  */
void in_memory(struct in *i, const void *p, size_t n)
{
    *i = (struct in){.fd = -1,
                     .buf = (unsigned char *)(uintptr_t)p,
                     .len = n,
                     .eof = 1,
                     .memory = 1,
                     .name = "memory"};
}

void in_close(struct in *i)
{
    if (i->own && i->fd >= 0)
        close(i->fd);
    if (!i->memory)
        free(i->buf);
    *i = (struct in){.fd = -1};
}

/* Some bytes into P: 0 at the end, -1.  */
static int64_t fetch(struct in *i, unsigned char *p, size_t n, struct err *e)
{
    ssize_t k;

    if (i->eof)
        return 0;
    k = fd_read(i->fd, p, n);
    if (k < 0)
        return fd_cannot(e, ERR_INPUT, "read", i->name);
    i->eof = k == 0;
    return k;
}

/* Fill the buffer, which must be empty.  */
static int64_t refill(struct in *i, struct err *e)
{
    const int64_t k = fetch(i, i->buf, BUF_BYTES, e);

    if (k > 0) {
        i->pos = 0;
        i->len = (size_t)k;
    }
    return k;
}

int64_t in_read(struct in *i, void *p, size_t n, struct err *e)
{
    const size_t have = i->len - i->pos;
    int64_t k = (int64_t)(n < have ? n : have);

    if (!n)
        return 0;
    if (!have && n >= BUF_BYTES) {
        k = fetch(i, p, n, e); /* past the buffer */
    } else if (!have) {
        if ((k = refill(i, e)) > 0)
            return in_read(i, p, n, e);
    } else {
        memcpy(p, i->buf + i->pos, (size_t)k);
        i->pos += (size_t)k;
    }
    if (k > 0)
        i->offset += k;
    return k;
}

static int short_input(struct in *i, int64_t got, int64_t want, struct err *e)
{
    return err_set(e, ERR_FORMAT,
                   "%s ends after %lld of %lld bytes at offset %lld",
                   FD_SHOW(i->name), (long long)got, (long long)want,
                   (long long)(i->offset - got));
}

int in_exact(struct in *i, void *p, size_t n, struct err *e)
{
    size_t got = 0;

    while (got < n) {
        const int64_t k = in_read(i, (char *)p + got, n - got, e);

        if (k < 0)
            return -1;
        if (k == 0)
            return short_input(i, (int64_t)got, (int64_t)n, e);
        got += (size_t)k;
    }
    return 0;
}

int64_t in_peek(struct in *i, const unsigned char **p, size_t n, struct err *e)
{
    if (n > PEEK_MAX)
        BUG("in_peek of %zu bytes", n);
    if (i->len - i->pos < n && i->pos && !i->eof) {
        memmove(i->buf, i->buf + i->pos, i->len - i->pos);
        i->len -= i->pos;
        i->pos = 0;
    }
    while (i->len - i->pos < n && !i->eof) {
        const int64_t k = fetch(i, i->buf + i->len, BUF_BYTES - i->len, e);

        if (k < 0)
            return -1;
        i->len += (size_t)k;
    }
    *p = i->buf + i->pos;
    return (int64_t)(n < i->len - i->pos ? n : i->len - i->pos);
}

int in_skip(struct in *i, int64_t n, struct err *e)
{
    int64_t got = 0;

    while (got < n) {
        size_t have = i->len - i->pos;

        if (!have) {
            const int64_t k = refill(i, e);

            if (k < 0)
                return -1;
            if (k == 0)
                return short_input(i, got, n, e);
            continue;
        }
        if ((int64_t)have > n - got)
            have = (size_t)(n - got);
        i->pos += have;
        i->offset += (int64_t)have;
        got += (int64_t)have;
    }
    return 0;
}

/* Room for N bytes more.  */
static int block_room(struct in_block *b, size_t n, struct err *e)
{
    const size_t least = b->n + n;
    const size_t cap = b->cap * 2 > least ? b->cap * 2 : least;
    void *wide;

    if (least <= b->cap)
        return 0;
    if (posix_memalign(&wide, 64, cap) != 0)
        return err_set(e, ERR_NOMEM, "no memory: cannot get %zu bytes", cap);
    if (b->n)
        memcpy(wide, b->p, b->n);
    free(b->p);
    b->p = wide;
    b->cap = cap;
    return 0;
}

int in_append(struct in *i, struct in_block *b, size_t n, struct err *e)
{
    enum { STEP = 1 << 26 };

    while (n) {
        const size_t k = n < STEP ? n : STEP;

        if (block_room(b, k, e) < 0 || in_exact(i, b->p + b->n, k, e) < 0)
            return -1;
        b->n += k;
        n -= k;
    }
    return 0;
}

/* The buffered bytes up to and with DELIM move to S: 1 if it was there.  */
static int take_line(struct in *i, struct str *s, char delim)
{
    const unsigned char *const from = i->buf + i->pos;
    const unsigned char *const end =
        memchr(from, (unsigned char)delim, i->len - i->pos);
    const size_t n = end ? (size_t)(end - from) : i->len - i->pos;
    const size_t used = n + (end != NULL);

    str_addn(s, (const char *)from, n);
    i->pos += used;
    i->offset += (int64_t)used;
    return end != NULL;
}

int in_line(struct in *i, struct str *s, char delim, struct err *e)
{
    int whole = 0, any = 0;

    str_clear(s);
    while (!whole) {
        if (i->pos == i->len) {
            const int64_t k = refill(i, e);

            if (k < 0)
                return -1;
            if (k == 0)
                break;
        }
        any = 1;
        whole = take_line(i, s, delim);
        if (s->len > LINE_MAX_BYTES)
            return err_set(e, ERR_FORMAT,
                           "%s has a line of more than %d bytes before offset "
                           "%lld",
                           FD_SHOW(i->name), LINE_MAX_BYTES,
                           (long long)i->offset);
    }
    if (delim == '\n' && s->len && s->data[s->len - 1] == '\r')
        s->data[--s->len] = 0;
    return any;
}

/* ---- the start of a program ---- */

/* The signal's usual end, without temporary files.  */
static void on_end(int sig)
{
    temp_cleanup_signal();
    signal(sig, SIG_DFL);
    raise(sig); /* comes when the handler returns */
}

static void clean_at_end(void)
{
    static const int sigs[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXCPU};
    struct sigaction was;

    atexit(temp_cleanup_signal);
    for (size_t i = 0; i < COUNT(sigs); i++)
        if (sigaction(sigs[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            signal(sigs[i], on_end);
}

void stream_init(void)
{
    /* the wrong direction on purpose: use fails as on a closed descriptor */
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", flags[fd]) != fd)
            _exit(err_exit(ERR_OUTPUT));
    signal(SIGXFSZ, SIG_IGN); /* a file too large is an error of write */
    clean_at_end();
}
