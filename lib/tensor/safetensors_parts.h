/* safetensors_parts.h -- what reading, writing and hashing of safetensors.h
 * share.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TENSOR_SAFETENSORS_PARTS_H
#define ADZE_TENSOR_SAFETENSORS_PARTS_H

#include "base/hash.h"

struct err;
struct set;

enum {
    HEADER_MAX = 100000000,
    TENSORS_MAX = 1000000,
    META_MAX = 65536, /* pairs */
    NAME_MAX_BYTES = 1024
};

#define SAFETENSORS_HASHES "adze.hashes" /* of each tensor */
#define SAFETENSORS_HASH   "adze.hash"   /* of all the rest */

typedef char hash_text[HASH_TEXT];

/* Of the data of each tensor of S; freed by the caller.  */
hash_text *safetensors_hash_each(const struct set *s);
/* The text of adze.hash; EACH holds the hashes of the tensors of S; HASHES
 * replaces adze.hashes if it is not NULL.  */
void safetensors_hash_all(hash_text text, const struct set *s,
                          const char *hashes, hash_text *each);
/* adze.hashes guards the data, adze.hash all the rest: one without the other
 * is a damaged name.  ERR_FORMAT.  */
int safetensors_verify(const struct set *s, struct err *e);

#endif
