/* directcopy.h -- the copy of what a task of conv2d_direct.h reads: rows with
 * their padding, sorted by remainder of the stride.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_DIRECTCOPY_H
#define ADZE_CPU_DIRECTCOPY_H

#include <stdint.h>

struct direct;

/* N pixels of one group of channels to TO, STEP pixels apart, the first at
 * number AT of what CTX reads.  */
typedef void direct_line_fn(const void *ctx, int64_t at, int64_t group, int64_t n, int64_t step,
                            uint32_t *to);
/* A row of the copy of plain x, of the row at number AT.  */
typedef void direct_plain_fn(const void *ctx, const struct direct *d, int64_t at, uint32_t *to);

struct direct_copy {
    const struct direct *d;
    direct_line_fn *line;
    direct_plain_fn *plain;
    const void *ctx;
    int beside;   /* slots of 16 bits hold the next pixel too: so does the one
                     in front of the first */
    uint32_t pad; /* the slot that stands for what lies outside x */
};

/* The rows that output rows from FIRST on read, of N planes from GROUP on; the
 * first plane is at number AT.  */
void direct_copy_band(const struct direct_copy *c, int64_t at, int64_t group, int64_t first,
                      int64_t n, uint32_t *to);
/* Of flat x: N pixels from FIRST on of COUNT planes.  */
void direct_copy_flat(const struct direct_copy *c, int64_t at, int64_t group, int64_t first,
                      int64_t n, int64_t count, uint32_t *to);

#endif
