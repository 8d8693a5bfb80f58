/* parity.h -- two graphs, the same inputs: how far are they apart?
 * SPDX-License-Identifier: MIT
 *
 * What compare prints, and what fuse-bn, reparam, quantize and export prove
 * when they write.  Both graphs are run as they would be for inference
 * (pass_simplify() first).  */
#ifndef ADZE_RUN_PARITY_H
#define ADZE_RUN_PARITY_H

#include <stdint.h>

struct device;
struct err;
struct graph;
struct pool;

/* An exact pass whose largest difference is above this share of the largest
 * output is refused.  */
#define PARITY_EXACT 1e-4

enum { PARITY_BATCH = 8 }; /* inputs at once */

struct parity_opts {
    int64_t samples; /* 0: 16 */
    uint64_t seed;   /* of the normal inputs */
    struct pool *pool;
    /* Fill N <= PARITY_BATCH samples from FROM on (a multiple of it) into
     * IMAGE, which has room for PARITY_BATCH, instead of drawing them; NULL:
     * normal.  */
    int (*fill)(void *ctx, int64_t from, int64_t n, float *image,
                struct err *e);
    /* Told of each N samples from FROM on: inputs and logits; may be NULL.  */
    void (*see)(void *ctx, int64_t from, int64_t n, const float *image,
                const float *a, const float *b);
    void *ctx;
    int narrow;       /* enum precision of b; `node' stays empty if it is not
                         fp32 */
    double tolerance; /* for `node': share of a value's largest element */
};

enum { PARITY_NAME = 256 };

struct parity {
    int64_t samples, classes;
    double max_abs, max_rel; /* of output `logits'; rel to the largest of b */
    int64_t agree;           /* samples with the same best class, all numbers */
    int64_t nonfinite;       /* elements that are finite on one side alone, or
                                differ in kind; then max_abs is infinite */
    int64_t neither;         /* those that are finite on no side, alike */
    double *class_abs;       /* [classes]: max abs by class; malloc'ed */
    char node[PARITY_NAME];  /* first value of a that differs from that of b
                               by more than the tolerance, while nothing
                               behind it agrees; "".  Values belong together
                               by name, else by their order among those of one
                               op and shape */
    double node_rel;
};

int parity_run(struct parity *r, const struct graph *a, const struct graph *b,
               const struct device *d, const struct parity_opts *o,
               struct err *e);
void parity_release(struct parity *r);

/* ERR_NONFINITE if what is not finite is so on both sides alike: that would
 * prove nothing.  */
int parity_finite(const struct parity *r, struct err *e);

/* ERR_NO with the figures if R is not exact: max_rel above PARITY_EXACT, or
 * something not finite on one side alone; else as parity_finite().  */
int parity_exact(const struct parity *r, struct err *e);

/* A share of the largest that 8 bits computed elsewhere may differ by, 8 of 255
 * levels: between steps in 8 bits float ops round in their own order, and what
 * lies between two levels then goes to either.  */
#define PARITY_EIGHT (8. / 255)

enum { PARITY_HALF_BITS = 11 }; /* digits of a number in fp16 */

/* The same of G computed in fp16: every step, of which there are *STEPS, rounds
 * its weights once and its result once, each by 2^-11 of it at most; to first
 * order these shares add.  */
double parity_half(const struct graph *g, int *steps);

#endif
