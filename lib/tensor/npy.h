/* npy.h -- NumPy's array file, alone or many in a row.
 * SPDX-License-Identifier: MIT
 *
 * Read: versions 1.0, 2.0, 3.0; header at most 10,000 bytes, checked before
 * it is read; dtypes of dtype.h, little-endian; C order only; object,
 * structured and big-endian arrays are ERR_UNSUPPORTED and say how to
 * convert.  Written: version 1.0, header padded to 64.  */
#ifndef ADZE_TENSOR_NPY_H
#define ADZE_TENSOR_NPY_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct in;
struct out;
struct tensor;

/* Parse one array that fills the N bytes at P; the data is copied.  */
int npy_parse(struct tensor *t, const unsigned char *p, size_t n,
              struct err *e);
int npy_read(struct tensor *t, const char *path, struct err *e);
/* The next array of a stream: 1, 0 at the clean end, -1.  */
int npy_read_next(struct tensor *t, struct in *in, struct err *e);
int npy_write(const struct tensor *t, struct out *o, struct err *e);
int npy_save(const struct tensor *t, const char *path, struct err *e);

int fuzz_npy(const uint8_t *p, size_t n);

#endif
