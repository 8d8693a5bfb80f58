/* ranges.h -- the file of ranges that adze-calibrate writes and adze-quantize
 * reads.
 * SPDX-License-Identifier: MIT
 *
 * A safetensors file of kind `ranges': a tensor [2] f32, min and max, for each
 * value, under the value's name; metadata: adze.model, the fingerprint of the
 * model that was observed, adze.data, that of the data, adze.options (JSON
 * object), and hashes.  */
#ifndef ADZE_FORMAT_RANGES_H
#define ADZE_FORMAT_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "pass/pass.h"

struct err;

struct ranges {
    struct arena arena; /* of all text */
    struct range *range;
    int64_t n;
    const char *model, *data; /* fingerprints; "" if not known */
    const char *options;      /* JSON object */
};

/* N ranges without values.  */
void ranges_init(struct ranges *r, const char *const *names);
void ranges_release(struct ranges *r);

/* PATH "-" is standard output or input.  Bounds are rounded outwards to f32.
 */
int ranges_save(const struct ranges *r, const char *path, struct err *e);
int ranges_read(struct ranges *r, const char *path, struct err *e);

/* For fuzzing: parse and forget.  */
int fuzz_ranges(const uint8_t *p, size_t n);

#endif
