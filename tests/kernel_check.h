/* kernel_check.h -- kernels of a device against the references of the nodes
 * that they compute.
 * SPDX-License-Identifier: MIT
 *
 * A case names an op, its attributes and data operands, and the ops that
 * follow; kernel_check() runs every kernel of the device that accepts it
 * (those whose instruction set the machine has), with 1, 2, 3 and 5 threads,
 * and with the constants that cut work (graph/tuning.h) at their least and
 * most: equal bits, guards untouched, and equal to the references within the
 * rounding of a sum of LENGTH terms.  So are gradients with the constants that
 * split sums at their least and most.  In an emulator a kernel without an
 * instruction set of its own runs but once where another takes the case.  */
#ifndef ADZE_TESTS_KERNEL_CHECK_H
#define ADZE_TESTS_KERNEL_CHECK_H

#include <stdint.h>

#include "graph/device.h"

enum {
    KERNEL_TRAIN = 1,    /* node->train of the head */
    KERNEL_BACKWARD = 2, /* the head's gradients */
    KERNEL_UPDATE = 4,   /* in place: all operands are given and compared */
    KERNEL_SPECIAL = 8,  /* among the inputs: NaN, infinities, -0, huge */
};

struct kernel_case {
    const char *op, *attr; /* as in opcase.h: "out=8 kernel=3" */
    const char *in;        /* the data operands: "2,3,5,7 4,4"; whole numbers
                              are from 0 to 4 */
    const char *follow;    /* "batchnorm2d add relu", or NULL */
    unsigned flags;
    double length;      /* terms of the longest sum; 0: 1 */
    unsigned want;      /* BACKWARD: operands wanted; 0: all */
    const char *family; /* these kernels write BITS, on every machine */
    uint64_t bits[2];   /* hash_u64() of the result: portable, with FMA */
};

/* Returns how many kernels ran; fails the test on a difference, and if none
 * of the kernels that should run is there.  */
int kernel_check(const struct kernel_case *c);
void kernel_check_all(const struct kernel_case *c, int n);

/* All that D's kernels name are ops: one that is misspelt is never met.  */
void kernel_check_names(const struct device *d);

#endif
