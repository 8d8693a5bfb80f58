/* mapped.h -- files that lie in memory, and what happens when one shrinks.
 * SPDX-License-Identifier: MIT
 *
 * A page of a mapped file that is cut while it is read is gone: SIGBUS becomes
 * one line, "file changed while it was read: NAME", and exit status 3.  The
 * handler finds NAME in a table of 64.  */
#ifndef ADZE_BASE_MAPPED_H
#define ADZE_BASE_MAPPED_H

#include <stddef.h>

/* The first N bytes, not 0, of FD, which NAME is the name of: private and
 * writable, so that whoever writes to a tensor in it gets his own copy of the
 * page, and the file stays.  NULL: the system does not map it, or the table is
 * full.  */
void *mapped_new(int fd, size_t n, const char *name);
void mapped_free(void *p, size_t n);

/* The N bytes at P will hardly be read again: where they lie in a mapped file,
 * whole pages of them leave memory until they are.  Nobody may have written to
 * them.  */
void mapped_forget(const void *p, size_t n);

#endif
