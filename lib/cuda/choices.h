/* choices.h -- which kernel was the fastest for a step, as once measured.
 * SPDX-License-Identifier: MIT
 *
 * Lines of six fields that tabs separate, in a file of a user's cache:
 *
 *     MACHINE  STEP  OFFER  WAY  BYTES  MS
 *
 * MACHINE names the GPU and the versions of what was asked, STEP the shapes
 * and all else that was fixed; OFFER, a struct kernel's name, was the fastest,
 * in its way number WAY with BYTES of scratch.  Lines of other machines stay as
 * they are.  The first line says what it is, the last one `end', so that a file
 * that was cut short is none.  Where there is no good file, all is measured
 * again.  */
#ifndef ADZE_CUDA_CHOICES_H
#define ADZE_CUDA_CHOICES_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct str;

/* The texts are the list's own.  */
struct choice {
    char *machine, *step, *offer;
    int64_t way, bytes;
    double ms;
};

struct choices {
    struct choice *at;
    int n, cap;
    int changed; /* since it was read */
};

void choices_release(struct choices *c);

/* NULL: not measured yet.  */
const struct choice *choices_find(const struct choices *c, const char *machine, const char *step);

/* Add W, or put it in the place of what is there for its step; copies the
 * texts, which have neither tabs nor line ends.  */
void choices_put(struct choices *c, const struct choice *w);

/* Read text into C, empty until then.  ERR_FORMAT names the line; C stays
 * empty.  */
int choices_parse(struct choices *c, const char *text, size_t n, struct err *e);
void choices_print(struct str *s, const struct choices *c);

/* adze/cuda-choices in $XDG_CACHE_HOME, or in ~/.cache, appended to S; -1 if
 * neither is known.  (XDG Base Directory Specification 0.8: a relative path is
 * no path.)  */
int choices_path(struct str *s);

/* What that file says, put into C behind what is there; nothing where there is
 * none, or no good one.  */
void choices_load(struct choices *c);
/* Together with what others wrote there in between, if C has changed; the
 * folder is made.  A file that cannot be written is none: it is a cache.  */
void choices_save(struct choices *c);

/* Parse and forget.  */
int fuzz_choices(const uint8_t *p, size_t n);

#endif
