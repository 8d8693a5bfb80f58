/* pictures.h -- pictures without labels, one after the other: paths, a tar,
 * one picture on a pipe, or a list of paths.
 * SPDX-License-Identifier: MIT
 *
 *     struct pictures *p = pictures_open(paths, n, 0, &e);
 *     while ((r = pictures_next(p, &pic, &e)) > 0)
 *         use(pic.name, pic.data, pic.n);
 *
 * With no paths, standard input is recognised by content: a tar, a picture
 * file, else a list of paths, one a line (or ended by NUL), which is read as it
 * comes.  */
#ifndef ADZE_DATA_PICTURES_H
#define ADZE_DATA_PICTURES_H

#include <stddef.h>

#include "base/err.h"
#include "base/stream.h"

struct picture {
    char *name;         /* malloc'ed */
    struct bytes bytes; /* of the file, if it was read here */
    const unsigned char *data;
    size_t n;
    struct err err; /* the file could not be read; then data is NULL */
};

void picture_release(struct picture *p);

struct pictures;

/* PATHS: N names, borrowed; "-" among them is standard input.  DELIM: what
 * ends a path in a list, '\n' or 0.  */
struct pictures *pictures_open(const char *const *paths, int n, char delim,
                               struct err *e);
void pictures_close(struct pictures *p);

/* Whether the next picture is there, or the end, after MS milliseconds at most:
 * a list on a pipe may pause.  */
int pictures_wait(const struct pictures *s, int ms);

/* The next picture into P: 1; 0 behind the last; -1 if the source itself is
 * broken.  A file that cannot be read is a picture with `err' set.  Data of a
 * tar stays valid until pictures_close().  */
int pictures_next(struct pictures *s, struct picture *p, struct err *e);

#endif
