/* netfile.h -- a network file, those that it is based on, the libraries of
 * blocks that they use.
 * SPDX-License-Identifier: MIT
 *
 * What is in them lives in the arena.  Functions return 0, or -1 (NULL) with
 * the file's E filled.  */
#ifndef ADZE_FORMAT_NETFILE_H
#define ADZE_FORMAT_NETFILE_H

#include <stddef.h>

#include "base/mem.h"

struct err;
struct yaml;

enum { NETFILE_BASES = 8, NETFILE_LIBRARIES = 16 };

struct netfile {
    struct arena arena;                    /* released by who has the struct */
    const struct yaml *doc[NETFILE_BASES]; /* nearest first */
    int n;
    const struct yaml *library[NETFILE_LIBRARIES]; /* what they use */
    int n_library;
    int bound; /* the options were sound, so far as they are known */
    struct err *e;
};

/* NAME is a file, not a built-in network.  */
int netfile_is_path(const char *name);
/* The name of FILE without folders and ".yaml", in A.  */
const char *netfile_stem(struct arena *a, const char *file);

/* Read the network NAME, built in or a file, and its bases, into F, which has
 * nothing yet but its E.  The same from text: FILE is for messages, `base' and
 * `use' are sought in DIR (NULL: built-in ones only).  */
int netfile_open(struct netfile *f, const char *name);
int netfile_text(struct netfile *f, const char *name, const char *text,
                 size_t n, const char *dir);

/* The nearest file's value of KEY; NULL if none has it.  */
const struct yaml *netfile_get(const struct netfile *f, const char *key);

/* The library NAME that is built in, whether the files use it or not.  */
const struct yaml *netfile_library(struct netfile *f, const char *name);

#endif
