/* npz.h -- NumPy's archive of arrays: a zip of .npy files.
 * SPDX-License-Identifier: MIT
 *
 * Written: stored, not compressed, as numpy.savez does, with the same date in
 * each entry, so that equal sets give equal bytes; up to 65,534 arrays and
 * 4 GiB.  Read: the same, from the archive's directory; compressed entries
 * are ERR_UNSUPPORTED.  Format: PKWARE, APPNOTE 6.3.3.  */
#ifndef ADZE_TENSOR_NPZ_H
#define ADZE_TENSOR_NPZ_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct set;
struct str;

/* Append the tensors of S, in its order, each as NAME.npy; metadata is left
 * out.  ERR_UNSUPPORTED for a type that npy has not, or too much of it.  */
int npz_encode(struct str *to, const struct set *s, struct err *e);

/* The N bytes at P begin like a zip whose first entry is an array, or that has
 * none.  */
int npz_is(const unsigned char *p, size_t n);

/* Parse the archive that fills the N bytes at P into S (initialised here); the
 * data is copied, and checked by its CRC.  Together the arrays are no larger
 * than the file.  */
int npz_parse(struct set *s, const unsigned char *p, size_t n, struct err *e);

int fuzz_npz(const uint8_t *p, size_t n);

#endif
