/* stfile.h -- safetensors files for the tests: made by hand, and written.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../stfile.h".  */
#ifndef ADZE_TESTS_STFILE_H
#define ADZE_TESTS_STFILE_H

#include <stddef.h>

struct bytes;
struct err;
struct set;
struct str;

/* A name for a file, unused behind the group setup.  */
extern char stfile_path[];
int stfile_setup(void **state);

/* What a header says of a tensor of 8 bytes.  */
#define STFILE_F32 "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

/* A file of HEADER and N bytes of data, all 0.  */
void stfile_make(struct str *f, const char *header, size_t n);

/* Parse from a block of exactly the right size, with START % 8 == SHIFT; S is
 * valid until the next call.  */
int stfile_parse(struct set *s, const struct str *f, size_t shift,
                 struct err *e);

/* A set of several types with awkward names; the caller's.  */
void stfile_set(struct set *s);
/* Write S to stfile_path.  */
void stfile_save(const struct set *s, int hashes);
/* That set, written with hashes, for bytes_release().  */
void stfile_load(struct bytes *b);

#endif
