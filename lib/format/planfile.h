/* planfile.h -- the file of constants that adze-benchmark --tune writes and
 * --plan reads: adze-plan(5).
 * SPDX-License-Identifier: MIT
 *
 * YAML, one map: `adze' (version), `level' (instruction set) and `cpu' say
 * where it was measured; then `name: value' for each constant of
 * graph/tuning.h that is not the default; `end: yes' comes last, so that a
 * file that was cut short is an error.  */
#ifndef ADZE_FORMAT_PLANFILE_H
#define ADZE_FORMAT_PLANFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "graph/tuning.h"

struct err;
struct str;

struct planfile {
    struct tuning tuning;
    char hash[HASH_TEXT]; /* of the file's bytes */
};

/* Read PATH, not "-".  Errors name file, line and what is wrong there:
 * ERR_USAGE for what cannot be, such as a name that is none, with the nearest,
 * a value out of its range, another instruction-set level than the one in use;
 * else ERR_INPUT: it cannot be read, is no YAML, or has no end.  */
int planfile_read(struct planfile *f, const char *path, struct err *e);

/* What --tune writes, for the level in use and this machine.  NOTE, one line,
 * becomes a comment.  */
void planfile_print(struct str *s, const struct tuning *t, const char *note);
int planfile_save(const struct tuning *t, const char *note, const char *path,
                  struct err *e);

/* Parse and forget.  */
int fuzz_planfile(const uint8_t *p, size_t n);

#endif
