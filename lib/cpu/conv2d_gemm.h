/* conv2d_gemm.h -- convolution on plain NCHW as a matrix product whose right
 * side is never built whole.
 * SPDX-License-Identifier: MIT
 *
 * Forward, and the gradient of the input, are SWEEPS:
 *
 *     y[n, o, i, j] = sum over c, r, s of
 *                     w[o, c, r, s] x[n, c, i step + dh(r), j step + dw(s)]
 *
 * A forward convolution is one sweep; the gradient of the input is one for
 * each pair of remainders of the stride, so that no product with an inserted
 * zero is computed.  Pixels are the lanes, k = (c, r, s) runs in one chain per
 * output: the result depends on neither tiles nor threads.
 *
 * A task takes a band of pixels of one image and group.  It copies the rows
 * that it needs with their padding, columns sorted by remainder of the step
 * (so each tap reads neighbours), then for tiles of MR x NR = MR x 3 VL runs
 * through k with `off[k]' as the place of tap k relative to a pixel.  Where a
 * vector would cross rows, a panel [k][NR] is packed first.
 *
 * The gradient of the weights has lanes = (s, c): both x and dy are
 * transposed to [row][column][channel], chunks of images (their number a
 * function of the shapes only) have sums of their own, which are added in
 * order.  */
#ifndef ADZE_CPU_CONV2D_GEMM_H
#define ADZE_CPU_CONV2D_GEMM_H

#include "cpu/follow.h"
#include "graph/device.h"

/* Taps along one direction: input = output step + first + i skip.  */
struct taps {
    int64_t n, first, skip;
    int64_t low, high;      /* the least and greatest of first + i skip */
    int64_t kernel, k_skip; /* tap i is row kernel + i k_skip of the filter */
};

struct sweep {
    int64_t n, groups, c, o; /* images; channels in and out of a group */
    int64_t in[2], out[2];   /* sizes of the map read; of the grid computed */
    int64_t step[2];         /* along x for one along the grid */
    struct taps t[2];
    int64_t k; /* c taps taps */
    /* Where the grid lies in the map that is written.  */
    int64_t map[2], map_step[2], map_at[2];
    /* Of the weight as stored: distances of outputs, inputs, groups, rows.  */
    int64_t w_o, w_c, w_g, w_row;

    /* How it is cut; the result does not depend on it.  */
    int copy;                          /* 0: x is read where it lies */
    int64_t band, bands;               /* pixels in a task; tasks for an image */
    int64_t part, parts;               /* blocks of MR outputs in a task; of a group */
    int64_t rows, row, plane;          /* of the copy: rows; floats of a row, channel */
    int64_t phase;                     /* floats of the columns of one remainder */
    int64_t kc;                        /* taps of a panel */
    size_t copy_at, panel_at, tile_at; /* floats, in scratch */
};

/* Weight gradients.  */
struct gemm_wgrad {
    int64_t n, groups, c, o;
    int64_t in[2], out[2], kernel[2], stride[2], dil[2], pad[2];
    int64_t chunks, per_chunk;   /* images */
    int64_t images, band;        /* images at once, or rows of one at once */
    int64_t runs, run, run_vecs; /* runs of neighbours: how many, floats, vectors */
    int64_t vecs, op;            /* vectors of an output; outputs rounded up */
    int64_t row, rows;           /* of the transposed x: floats, rows */
    int64_t dy_row;              /* floats of a row of the transposed dy */
    size_t part;                 /* floats of the sums of one chunk */
    size_t x_at, dy_at;          /* floats, in scratch */
};

/* What differs between instruction sets.  */
struct sweep_run {
    const struct sweep *s;
    const float *x, *packed;
    float *y, *shared, *scratch; /* of all threads; of thread 0 */
    size_t scratch_floats;       /* of one thread */
    int64_t tasks, grain;        /* that many tasks go to a thread at once */
    struct follow f;
};
struct gemm_wgrad_run {
    const struct gemm_wgrad *g;
    const float *x, *dy;
    float *part, *scratch;
    size_t scratch_floats;
    int want_db;
};
struct conv_isa {
    int vl, mr, nr; /* depthwise: 1, 1, floats of a strip */
    int depthwise;
    void (*sweep)(void *run, int64_t task, int thread);
    void (*wgrad)(void *run, int64_t task, int thread);
};

/* Taps that a depthwise filter may have: dwconv2d keeps places of so many.  */
enum { DEPTHWISE_TAPS = 49 };

int conv2d_gemm_accepts(const struct step_nodes *s);
/* One input and one output channel in each group, DEPTHWISE_TAPS at most.  */
int conv2d_gemm_accepts_depthwise(const struct step_nodes *s);
size_t conv2d_gemm_scratch(const struct conv_isa *isa, const struct step_nodes *s, int threads);
size_t conv2d_gemm_pack_bytes(const struct conv_isa *isa, const struct step_nodes *s, int i);
void conv2d_gemm_pack(const struct conv_isa *isa, const struct step_nodes *s,
                      const struct tensor *t, float *packed);
void conv2d_gemm_run(const struct conv_isa *isa, const struct kernel_args *a);

#endif
