/* fd.c -- see fd.h.
 * SPDX-License-Identifier: MIT  */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* After a failed call: was it one that should be tried again?  */
static int again(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return poll(&p, 1, -1) >= 0 || errno == EINTR;
    return errno == EINTR;
}

ssize_t fd_read(int fd, void *p, size_t n)
{
    ssize_t k;

    if (n > SSIZE_MAX / 2)
        n = SSIZE_MAX / 2;
    do
        k = read(fd, p, n);
    while (k < 0 && again(fd, POLLIN));
    return k;
}

int fd_write(int fd, const void *from, size_t n)
{
    const char *p = from;

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

int fd_open(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- names ---- */

const char fd_stdin[] = "standard input";
const char fd_stdout[] = "standard output";

const char *fd_shown(char buf[FD_SHOWN], const char *name)
{
    char quoted[ERR_QUOTE];

    if (!strcmp(name, fd_stdin) || !strcmp(name, fd_stdout))
        return name;
    snprintf(buf, FD_SHOWN, "'%s'", err_quote(quoted, name));
    return buf;
}

int fd_cannot(struct err *e, enum err_code code, const char *verb,
              const char *name)
{
    return err_set(e, code, "cannot %s %s: %s", verb, FD_SHOW(name),
                   strerror(errno));
}
