/* members.h -- the members of a JSON object of any size, one by one.
 * SPDX-License-Identifier: MIT
 *
 * Only a key or a small value is given to the JSON parser, so that memory stays
 * within the size of the text and nothing nests.
 *
 *     if (members_open(&m, text, e) < 0)
 *         return -1;
 *     while ((r = members_next(&m, e)) > 0)
 *         ... m.key, m.value ...
 *     return r;
 *
 * All errors are ERR_FORMAT, with the place in the file.  */
#ifndef ADZE_TENSOR_MEMBERS_H
#define ADZE_TENSOR_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/* A piece of the text; OFF is its place in the file for messages.  */
struct piece {
    const char *p;
    size_t n, off;
};

struct members {
    struct piece in; /* what is left */
    int first;
    struct piece key, value; /* the current member */
};

/* Start on the object that TEXT is.  */
int members_open(struct members *m, struct piece text, struct err *e);
/* The next member: 1, 0 at the end, -1.  */
int members_next(struct members *m, struct err *e);

/* The text of the string V in arena A; NULL on error.  */
const char *members_string(struct arena *a, const struct piece *v,
                           struct err *e);
/* The list V of at most MAX whole numbers >= 0 into X; how many, or -1.  */
int members_numbers(const struct piece *v, int max, int64_t *x, struct err *e);
/* WHAT is wrong at AT: -1.  */
int members_bad(struct err *e, const struct piece *at, const char *what);

#endif
