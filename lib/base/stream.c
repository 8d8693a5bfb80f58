/* stream.c -- see stream.h.
 * SPDX-License-Identifier: MIT
 *
 * The table of mapped files is global, because a signal handler must find it:
 * SIGBUS tells which one shrank.  */
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/temp.h"

static const char STDIN_NAME[] = "standard input";
static const char STDOUT_NAME[] = "standard output";

enum { BUF_BYTES = 64 * 1024, PEEK_MAX = 4096, LINE_MAX_BYTES = 1 << 20 };

/* A name as messages show it: files in quotes, the standard streams bare.  */
enum { SHOWN = ERR_QUOTE + 2 };

static const char *shown(char buf[SHOWN], const char *name)
{
    char quoted[ERR_QUOTE];

    if (!strcmp(name, STDIN_NAME) || !strcmp(name, STDOUT_NAME))
        return name;
    snprintf(buf, SHOWN, "'%s'", err_quote(quoted, name));
    return buf;
}

#define SHOW(name) shown((char[SHOWN]){0}, (name))

static int cannot(struct err *e, enum err_code code, const char *verb,
                  const char *name)
{
    return err_set(e, code, "cannot %s %s: %s", verb, SHOW(name),
                   strerror(errno));
}

/* ---- system calls that may be interrupted ---- */

/* After a failed call: was it one that should be tried again?  */
static int again(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return poll(&p, 1, -1) >= 0 || errno == EINTR;
    return errno == EINTR;
}

static ssize_t read_some(int fd, void *p, size_t n)
{
    ssize_t k;

    if (n > SSIZE_MAX / 2)
        n = SSIZE_MAX / 2;
    do
        k = read(fd, p, n);
    while (k < 0 && again(fd, POLLIN));
    return k;
}

static int write_all(int fd, const unsigned char *p, size_t n)
{
    while (n) {
        const ssize_t k = write(fd, p, n < INT_MAX ? n : INT_MAX);

        if (k < 0 && !again(fd, POLLOUT))
            return -1;
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
    }
    return 0;
}

static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- mapped files ---- */

enum { MAPS = 64 };

static struct mapped_file {
    _Atomic int state; /* 0 free, 1 being filled, 2 valid */
    uintptr_t from, to;
    char name[SHOWN];
} maps[MAPS];

static void write_text(const char *s)
{
    if (write(STDERR_FILENO, s, strlen(s)) < 0)
        return; /* nowhere left to say it */
}

/* A page of a mapped file is gone: the file was cut while it was read.  */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
    const uintptr_t at = (uintptr_t)si->si_addr;

    (void)context;
    for (int i = 0; i < MAPS; i++) {
        if (atomic_load(&maps[i].state) != 2 || at < maps[i].from ||
            at >= maps[i].to)
            continue;
        write_text(program_invocation_short_name);
        write_text(": file changed while it was read: ");
        write_text(maps[i].name);
        write_text("\n");
        temp_cleanup_signal();
        _exit(err_exit(ERR_INPUT));
    }
    signal(sig, SIG_DFL); /* not ours: happens again, with the usual end */
}

static void install_sigbus(void)
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_NODEFER};

    sa.sa_sigaction = on_sigbus;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGBUS, &sa, NULL);
}

/* Note the mapping; 0 if the table is full.  */
static int map_note(const void *p, size_t n, const char *name)
{
    install_sigbus(); /* each time: others may have set theirs */
    for (int i = 0; i < MAPS; i++) {
        int expected = 0;

        if (!atomic_compare_exchange_strong(&maps[i].state, &expected, 1))
            continue;
        maps[i].from = (uintptr_t)p;
        maps[i].to = (uintptr_t)p + n;
        snprintf(maps[i].name, sizeof maps[i].name, "%s", SHOW(name));
        atomic_store(&maps[i].state, 2);
        return 1;
    }
    return 0;
}

static void map_forget(const void *p)
{
    for (int i = 0; i < MAPS; i++)
        if (atomic_load(&maps[i].state) == 2 && maps[i].from == (uintptr_t)p)
            atomic_store(&maps[i].state, 0);
}

/* Private and writable: whoever writes to a tensor in it gets his own copy
 * of the page, the file stays.  */
static int map_file(struct bytes *b, int fd, size_t n, const char *name)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                   fd, 0);

    if (p == MAP_FAILED)
        return 0;
    if (!map_note(p, n, name)) {
        munmap(p, n);
        return 0;
    }
    *b = (struct bytes){.data = p, .n = n, .mapped = 1};
    return 1;
}

void bytes_forget(const void *p, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t at = (uintptr_t)p, from = (at + page - 1) / page * page;
    const uintptr_t to = (at + n) / page * page;

    for (int i = 0; from < to && i < MAPS; i++)
        if (atomic_load(&maps[i].state) == 2 && maps[i].from <= from &&
            to <= maps[i].to)
            madvise((void *)from, to - from, MADV_DONTNEED);
}

/* ---- whole files ---- */

static int too_large(struct err *e, const char *name, size_t max)
{
    return err_set(e, ERR_FORMAT, "%s is larger than the limit of %zu bytes",
                   SHOW(name), max);
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
                           "no memory for %s: cannot get %zu bytes", SHOW(name),
                           cap);
        }
        p = wide;
        k = read_some(fd, p + n, cap - n);
        if (k == 0)
            break;
        if (k < 0 || (n += (size_t)k) > max) {
            free(p);
            return k < 0 ? cannot(e, ERR_INPUT, "read", name)
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
                       SHOW(name));
    if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && name != STDIN_NAME)
        return err_set(e, ERR_INPUT, "cannot read %s: it is a device",
                       SHOW(name));
    return 0;
}

static int read_fd(struct bytes *b, int fd, const char *name, size_t max,
                   struct err *e)
{
    enum { MAP_FROM = 1 << 20, PIPE_HINT = 64 * 1024 };
    struct stat st;
    size_t size;

    if (fstat(fd, &st) < 0)
        return cannot(e, ERR_INPUT, "read", name);
    if (check_kind(&st, name, e) < 0)
        return -1;
    if (!S_ISREG(st.st_mode))
        return read_to_end(b, fd, name, PIPE_HINT, max, e);
    size = (size_t)st.st_size;
    if (size > max)
        return too_large(e, name, max);
    if (size > MAP_FROM && lseek(fd, 0, SEEK_CUR) == 0 &&
        map_file(b, fd, size, name))
        return 0;
    return read_to_end(b, fd, name, size, max, e);
}

static int open_input(const char *path, const char **name, struct err *e)
{
    int fd = STDIN_FILENO;

    *name = STDIN_NAME;
    if (strcmp(path, "-") != 0) {
        *name = path;
        fd = open_again(path, O_RDONLY, 0);
    }
    if (fd < 0)
        cannot(e, ERR_INPUT, "open", path);
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
        map_forget(p);
        munmap(p, b->n);
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
        cannot(e, ERR_INPUT, "read", i->name);
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
    k = read_some(i->fd, p, n);
    if (k < 0)
        return cannot(e, ERR_INPUT, "read", i->name);
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
                   SHOW(i->name), (long long)got, (long long)want,
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
                           SHOW(i->name), LINE_MAX_BYTES, (long long)i->offset);
    }
    if (delim == '\n' && s->len && s->data[s->len - 1] == '\r')
        s->data[--s->len] = 0;
    return any;
}

/* ---- writing ---- */

/* The folder of PATH with its '/', "" for the current one.  */
static size_t folder_len(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Where the chain of symbolic links that starts at PATH ends; the last one
 * need not exist.  NULL and errno if it does not end.  */
static char *follow_links(const char *path)
{
    char *p = xstrdup(path), target[PATH_MAX];

    for (int hop = 0; hop < 40; hop++) {
        const ssize_t n = readlink(p, target, sizeof target - 1);
        struct str next = {0};

        if (n < 0)
            return p;
        target[n] = 0;
        if (target[0] != '/')
            str_addn(&next, p, folder_len(p));
        str_add(&next, target);
        free(p);
        p = str_take(&next);
    }
    free(p);
    errno = ELOOP;
    return NULL;
}

/* Create a file beside O->path, and O->temp its name.  */
static int temp_open(struct out *o)
{
    char *folder = xstrndup(o->path, folder_len(o->path));

    o->temp = temp_file(folder, &o->fd);
    free(folder);
    return o->temp ? 0 : -1;
}

/* A new file beside a regular one, or beside nothing.  */
static int open_beside(struct out *o, const char *path, const struct stat *old,
                       struct err *e)
{
    o->path = follow_links(path);
    if (!o->path)
        return cannot(e, ERR_OUTPUT, "write", path);
    if (!*path) {
        errno = ENOENT;
        return cannot(e, ERR_OUTPUT, "write", path);
    }
    if (path[strlen(path) - 1] == '/')
        return err_set(e, ERR_OUTPUT,
                       "cannot write %s: the name is that of a folder",
                       SHOW(path));
    if (old && faccessat(AT_FDCWD, o->path, W_OK, AT_EACCESS) < 0)
        return cannot(e, ERR_OUTPUT, "write", path);
    if (temp_open(o) < 0)
        return cannot(e, ERR_OUTPUT, "create a file beside", path);
    if (old && fchmod(o->fd, old->st_mode & 07777) < 0)
        return cannot(e, ERR_OUTPUT, "set the mode of", path);
    return 0;
}

static int open_target(struct out *o, const char *path, struct err *e)
{
    struct stat st;
    const int there = stat(path, &st) == 0;

    if (there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return cannot(e, ERR_OUTPUT, "write", path);
    }
    if (!there || S_ISREG(st.st_mode))
        return open_beside(o, path, there ? &st : NULL, e);
    o->path = xstrdup(path);
    o->fd = open_again(path, O_WRONLY, 0);
    return o->fd < 0 ? cannot(e, ERR_OUTPUT, "open", path) : 0;
}

int out_open(struct out *o, const char *path, struct err *e)
{
    *o = (struct out){.fd = -1};
    if (!path || !strcmp(path, "-")) {
        o->fd = STDOUT_FILENO;
        o->path = xstrdup(STDOUT_NAME);
    } else if (open_target(o, path, e) < 0) {
        return out_abort(o);
    }
    o->buf = xmalloc(BUF_BYTES);
    return 0;
}

void out_memory(struct out *o, struct str *to)
{
    *o = (struct out){.fd = -1, .memory = to};
}

static int flush(struct out *o, struct err *e)
{
    if (write_all(o->fd, o->buf, o->len) < 0)
        return cannot(e, ERR_OUTPUT, "write", o->path);
    o->len = 0;
    return 0;
}

int out_write(struct out *o, const void *p, size_t n, struct err *e)
{
    if (o->memory) {
        str_addn(o->memory, p, n);
        o->offset += (int64_t)n;
        return 0;
    }
    if (n > BUF_BYTES - o->len && flush(o, e) < 0)
        return -1;
    if (n >= BUF_BYTES) {
        if (write_all(o->fd, p, n) < 0)
            return cannot(e, ERR_OUTPUT, "write", o->path);
    } else if (n) {
        memcpy(o->buf + o->len, p, n);
        o->len += n;
    }
    o->offset += (int64_t)n;
    return 0;
}

/* Some file systems cannot sync; that is not a failure to write.  */
static int sync_fd(int fd)
{
    int r;

    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    return r < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? -1
                                                                          : 0;
}

static int sync_folder(const char *path)
{
    struct str dir = {0};
    int fd, r = 0;

    str_addn(&dir, path, folder_len(path));
    fd = open_again(dir.len ? str_text(&dir) : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        r = sync_fd(fd);
        close(fd);
    }
    str_release(&dir);
    return r;
}

/* Close the descriptor; of standard output only a second one, which tells of
 * late errors just as well.  */
static int close_out(struct out *o)
{
    const int fd = o->fd == STDOUT_FILENO ? dup(o->fd) : o->fd;

    o->fd = -1;
    return fd >= 0 && close(fd) < 0 && errno != EINTR ? -1 : 0;
}

int out_commit(struct out *o, struct err *e)
{
    if (o->memory) {
        out_abort(o);
        return 0;
    }
    if (flush(o, e) < 0)
        return out_abort(o);
    if ((o->temp && sync_fd(o->fd) < 0) || close_out(o) < 0) {
        cannot(e, ERR_OUTPUT, "write", o->path);
        return out_abort(o);
    }
    if (o->temp && rename(o->temp, o->path) < 0) {
        cannot(e, ERR_OUTPUT, "rename a file to", o->path);
        return out_abort(o);
    }
    if (o->temp) {
        temp_keep(o->temp);
        o->temp = NULL;
        if (sync_folder(o->path) < 0) {
            cannot(e, ERR_OUTPUT, "sync the folder of", o->path);
            return out_abort(o);
        }
    }
    out_abort(o);
    return 0;
}

int out_abort(struct out *o)
{
    temp_remove(o->temp);
    if (o->fd >= 0)
        close_out(o);
    free(o->path);
    free(o->buf);
    *o = (struct out){.fd = -1};
    return -1;
}

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
