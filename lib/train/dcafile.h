/* dcafile.h -- fitted projections as a file.
 * SPDX-License-Identifier: MIT
 *
 * A safetensors file of kind `tensors' with first.weight [n, width],
 * first.bias [n], second.weight and second.bias, f32: the names that the
 * parameters of a block `dcafuse' have in its scope, so that
 * `adze-init --from SCOPE=FILE' puts them there.  The metadata name what each
 * was fitted to, `first' and `second', where that is known.  */
#ifndef ADZE_TRAIN_DCAFILE_H
#define ADZE_TRAIN_DCAFILE_H

#include <stddef.h>
#include <stdint.h>

#include "train/dca.h"

/* PATH "-" is standard output or input.  ERR_FORMAT names the tensor that is
 * missing or does not fit.  */
int dcafile_save(const struct dca *d, const char *path, struct err *e);
int dcafile_read(struct dca *d, const char *path, struct err *e);

/* For fuzzing: parse and forget.  */
int fuzz_dcafile(const uint8_t *p, size_t n);

#endif
