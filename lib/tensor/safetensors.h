/* safetensors.h -- named tensors in a file: 8 bytes of header length, a JSON
 * header, the data.
 * SPDX-License-Identifier: MIT
 *
 * Limits: header 100,000,000 bytes, 1,000,000 tensors, name 1,024 bytes, rank
 * 8.  The spans must cover the data without hole, overlap or rest.  Leading
 * and trailing JSON blanks in the header are accepted; a header is written
 * with '{' first, padded with blanks to a multiple of 64.
 *
 * Integrity (adze's own, in the metadata): `adze.hashes' is a JSON object
 * from tensor name to XXH3-128, `adze.hash' covers every other metadata pair
 * sorted by key, then each tensor sorted by name with dtype, shape, hash.
 * It is XXH3-128 of these texts, each closed by a NUL byte: the number of
 * pairs, then key and value of each; the number of tensors, then of each its
 * name, "F32", "[64,3,7,7]" and its hash.  Order is that of bytes.  Present
 * ones are verified; both may be absent, but not one of them.
 *
 * Stricter than the reference reader: a name that stands twice, unknown keys
 * of a tensor, escapes in dtype names, BOOL elements other than 0 and 1, and
 * metadata of more than 65,536 pairs are refused.  */
#ifndef ADZE_TENSOR_SAFETENSORS_H
#define ADZE_TENSOR_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct err;
struct in;
struct out;
struct set;

/* Parse N bytes at P into S (initialised here).  Tensors are views into P
 * unless a start is not aligned to its element, which is copied; OWN (may be
 * NULL) is shared by the views.  VERIFY checks hashes if they are there.
 * ERR_FORMAT names the byte or tensor.  */
struct storage;
int safetensors_parse(struct set *s, const unsigned char *p, size_t n,
                      struct storage *own, int verify, struct err *e);

/* Read PATH ("-" is standard input); mapped where possible.  NumPy's archives
 * (npz.h) are taken as well; a pickle of PyTorch is ERR_UNSUPPORTED, with the
 * line of Python that converts it.  */
int safetensors_read(struct set *s, const char *path, struct err *e);

/* One document from a stream of many (frames): 1, 0 at the clean end of the
 * stream, -1.  */
int safetensors_read_next(struct set *s, struct in *in, struct err *e);

/* Write S: metadata in its order, adze.hashes and adze.hash last if HASHES;
 * tensors by falling element size, then set order.  To a stream, or to PATH
 * as a whole (temporary file, fsync, rename).  */
int safetensors_write(const struct set *s, struct out *o, int hashes,
                      struct err *e);
int safetensors_save(const struct set *s, const char *path, struct err *e);

/* The `adze.hash' that S would be written with.  */
void safetensors_hash(const struct set *s, char text[HASH_TEXT]);

/* For fuzzing: parse and forget.  */
int fuzz_safetensors(const uint8_t *p, size_t n);

#endif
