/* fd.h -- descriptors: system calls that are tried again, and what messages
 * about one say.
 * SPDX-License-Identifier: MIT
 *
 * EINTR, short writes, and EAGAIN of descriptors that do not block are handled
 * here.  */
#ifndef ADZE_BASE_FD_H
#define ADZE_BASE_FD_H

#include <sys/types.h>

#include "base/err.h"

/* open(), with O_CLOEXEC and O_NOCTTY.  */
int fd_open(const char *path, int flags, mode_t mode);
/* Up to N bytes: 0 at the end, -1 and errno.  */
ssize_t fd_read(int fd, void *p, size_t n);
/* All of the N bytes; 0, or -1 and errno.  */
int fd_write(int fd, const void *p, size_t n);

/* ---- names ---- */

/* What the standard streams are called: "standard input".  */
extern const char fd_stdin[], fd_stdout[];

/* A name as messages show it: files in quotes, the standard streams bare.  */
enum { FD_SHOWN = ERR_QUOTE + 2 };
const char *fd_shown(char buf[FD_SHOWN], const char *name);
#define FD_SHOW(name) fd_shown((char[FD_SHOWN]){0}, (name))

/* "cannot VERB NAME: " and errno.  Always returns -1.  */
int fd_cannot(struct err *e, enum err_code code, const char *verb,
              const char *name);

#endif
