/* stream_write.c -- see stream.h: writing.
 * SPDX-License-Identifier: MIT  */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/temp.h"

enum { BUF_BYTES = 64 * 1024 };

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
        return fd_cannot(e, ERR_OUTPUT, "write", path);
    if (!*path) {
        errno = ENOENT;
        return fd_cannot(e, ERR_OUTPUT, "write", path);
    }
    if (path[strlen(path) - 1] == '/')
        return err_set(e, ERR_OUTPUT,
                       "cannot write %s: the name is that of a folder",
                       FD_SHOW(path));
    if (old && faccessat(AT_FDCWD, o->path, W_OK, AT_EACCESS) < 0)
        return fd_cannot(e, ERR_OUTPUT, "write", path);
    if (temp_open(o) < 0)
        return fd_cannot(e, ERR_OUTPUT, "create a file beside", path);
    if (old && fchmod(o->fd, old->st_mode & 07777) < 0)
        return fd_cannot(e, ERR_OUTPUT, "set the mode of", path);
    return 0;
}

static int open_target(struct out *o, const char *path, struct err *e)
{
    struct stat st;
    const int there = stat(path, &st) == 0;

    if (there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fd_cannot(e, ERR_OUTPUT, "write", path);
    }
    if (!there || S_ISREG(st.st_mode))
        return open_beside(o, path, there ? &st : NULL, e);
    o->path = xstrdup(path);
    o->fd = fd_open(path, O_WRONLY, 0);
    return o->fd < 0 ? fd_cannot(e, ERR_OUTPUT, "open", path) : 0;
}

int out_open(struct out *o, const char *path, struct err *e)
{
    *o = (struct out){.fd = -1};
    if (!path || !strcmp(path, "-")) {
        o->fd = STDOUT_FILENO;
        o->path = xstrdup(fd_stdout);
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
    if (fd_write(o->fd, o->buf, o->len) < 0)
        return fd_cannot(e, ERR_OUTPUT, "write", o->path);
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
        if (fd_write(o->fd, p, n) < 0)
            return fd_cannot(e, ERR_OUTPUT, "write", o->path);
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
    fd = fd_open(dir.len ? str_text(&dir) : ".", O_RDONLY | O_DIRECTORY, 0);
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
        fd_cannot(e, ERR_OUTPUT, "write", o->path);
        return out_abort(o);
    }
    if (o->temp && rename(o->temp, o->path) < 0) {
        fd_cannot(e, ERR_OUTPUT, "rename a file to", o->path);
        return out_abort(o);
    }
    if (o->temp) {
        temp_keep(o->temp);
        o->temp = NULL;
        if (sync_folder(o->path) < 0) {
            fd_cannot(e, ERR_OUTPUT, "sync the folder of", o->path);
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
