/* reader.h -- blocked operands, stored or computed as they are read (struct
 * lazy of graph/device.h).
 * SPDX-License-Identifier: MIT
 *
 *     READ_PLAIN  x
 *     READ_APPLY  act((x - mean) scale + shift)
 *     READ_GRAD   dy scale + (x - mean) slope + shift
 *
 * The arithmetic is in lanes.h.  */
#ifndef ADZE_CPU_READER_H
#define ADZE_CPU_READER_H

#include <stddef.h>
#include <stdint.h>

struct lazy;
struct tensor;

enum read_kind { READ_PLAIN, READ_APPLY, READ_GRAD };

struct reader {
    enum read_kind kind;
    const void *x, *dy;                        /* float or bf16: elem.h */
    const float *mean, *scale, *shift, *slope; /* by lane */
    int act;                                   /* enum act of vec.h */
    float lo, hi;
};

/* Floats of the table of C channels.  */
size_t reader_floats(int64_t c);

/* T [N,C,H,W], or what L (unless NULL) makes of it.  */
struct reader reader_of(const struct tensor *t, const struct lazy *l, float *table);

#endif
