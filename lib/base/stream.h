/* stream.h -- bytes in and out: whole files, pipes with '-', atomic files.
 * SPDX-License-Identifier: MIT
 *
 * Reading a file whole gives a `struct bytes': mapped where the system can,
 * read into memory for pipes.  Reading a pipe piece by piece is done through
 * `struct in'.  Writing goes through `struct out', which writes beside the
 * target, syncs, and renames on out_commit(); a failure or out_abort() leaves
 * nothing behind under the final name.
 *
 *     struct out o;
 *     if (out_open(&o, "model.st", &e) < 0 || out_write(&o, p, n, &e) < 0)
 *         return out_abort(&o);
 *     return out_commit(&o, &e);
 *
 * Short reads are handled here, calls that are interrupted in fd.h, and nowhere
 * else.  */
#ifndef ADZE_BASE_STREAM_H
#define ADZE_BASE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* ---- whole files ---- */

struct bytes {
    const unsigned char *data; /* never NULL after bytes_read() */
    size_t n;
    int mapped;
};

/* All of PATH ("-" is standard input).  MAX bounds the size in bytes: larger
 * is ERR_FORMAT "larger than the limit".  Directories and devices other than
 * pipes are ERR_INPUT.  A regular file larger than 1 MiB is mapped (a
 * truncation while reading is caught: a clean exit 3, see mapped.h); the map is
 * private, so that who writes to it changes neither file nor other readers.  */
int bytes_read(struct bytes *b, const char *path, size_t max, struct err *e);
void bytes_release(struct bytes *b);

/* ---- reading piece by piece ---- */

struct in {
    int fd;
    unsigned char *buf;
    size_t pos, len; /* unread part of buf */
    int64_t offset;  /* bytes handed out so far */
    int eof, memory;
    int own;          /* the descriptor is closed by in_close() */
    const char *name; /* as given, or "standard input"; borrowed */
};

int in_open(struct in *i, const char *path, struct err *e);
/* The N bytes at P, borrowed, as an input.  */
void in_memory(struct in *i, const void *p, size_t n);
/* Up to N bytes; 0 at the end of the file, -1 on error.  */
int64_t in_read(struct in *i, void *p, size_t n, struct err *e);
/* Exactly N bytes; ERR_FORMAT "ends after K of N bytes" if there are fewer.
 * Returns 0, or -1.  */
int in_exact(struct in *i, void *p, size_t n, struct err *e);
/* Look at up to N <= 4096 bytes without taking them; returns how many there
 * are (fewer only before the end of the file), -1 on error.  */
int64_t in_peek(struct in *i, const unsigned char **p, size_t n, struct err *e);
int in_skip(struct in *i, int64_t n, struct err *e); /* exact, like in_exact */
/* A block that grows, aligned for any tensor; `p' is the caller's to free.  */
struct in_block {
    unsigned char *p;
    size_t n, cap;
};
/* Exactly N bytes behind those in B.  Room is made as the bytes come, so that
 * a length that lies costs 64 MiB at most.  */
int in_append(struct in *i, struct in_block *b, size_t n, struct err *e);
/* A line without its end (LF or CRLF) into S (cleared first); DELIM is '\n'
 * or '\0'.  1, 0 at the end, -1 on error.  Lines are bounded to 1 MiB.  */
struct str;
int in_line(struct in *i, struct str *s, char delim, struct err *e);
void in_close(struct in *i);

/* ---- writing ---- */

struct str;
struct out {
    int fd;
    struct str *memory; /* where it goes instead of a file */
    char *path, *temp;  /* temp is NULL for standard output and devices */
    unsigned char *buf;
    size_t len;
    int64_t offset; /* bytes written so far */
};

/* "-" or NULL is standard output (no temporary file).  A symbolic link is
 * resolved; a regular target keeps its mode; a FIFO or device is written
 * directly; a directory is ERR_OUTPUT.  */
int out_open(struct out *o, const char *path, struct err *e);
/* What is written is appended to TO, which is borrowed.  */
void out_memory(struct out *o, struct str *to);
int out_write(struct out *o, const void *p, size_t n, struct err *e);
/* Flush, fsync, close, rename, fsync the folder.  On failure nothing is left
 * under the final name but what was there before.  */
int out_commit(struct out *o, struct err *e);
/* Throw the temporary file away.  Always returns -1.  */
int out_abort(struct out *o);

/* Open descriptors 0-2 on /dev/null if they are closed, so that no data file
 * takes their place; use of such a one still fails.  SIGXFSZ is ignored, so
 * that a file over the limit is an error of write.  Temporary files go away
 * when the program ends, by exit() (as xmalloc() and BUG() do) or by a signal
 * that can be caught and is not ignored.  Called first in every command.  */
void stream_init(void);

#endif
