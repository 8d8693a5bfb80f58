/* conv2d_direct.h -- convolution of blocked values (graph/layout.h), without
 * a matrix in between.
 * SPDX-License-Identifier: MIT
 *
 * A tile is up to MR neighbouring pixels of one output row, or of two where rows
 * are short, by PANELS groups of 16 output channels (outer.h), all in registers;
 * for each k = (16 channels, tap, channel) it takes a vector of weights and one
 * number of x for each pixel:
 *
 *     acc[pixel][channels] += x[pixel + off[block]][k] w[k][channels]
 *
 * Blocks are (16 channels, tap row, tap column), in that order, and every
 * output is one chain over k: the result depends on neither tiles nor
 * threads, and AVX2 and AVX-512 give the same bits.
 *
 * Neighbouring pixels of x are always 16 channels apart: a task first copies
 * the rows that it needs, with their padding, rows and columns sorted by
 * remainder of the stride; kernels of one pixel read x where it lies.  Where
 * several tasks would copy the same, for outputs of their own, all images are
 * copied before the first.
 *
 * The first convolution of a network reads plain x of few channels: its copy has
 * the channels of a pixel side by side, so that all that a tap row reads is one
 * block, and neighbouring outputs are a stride apart: so many bytes as that takes.
 * The rest of a row's last slot is multiplied by zeros.
 *
 * Weights are packed as [O/16][k][16], zeros behind the last channel.  With
 * channels in groups the k of a panel are the planes that its own groups lie
 * in, zeros between an output and the channels of others: 32 groups of 4 are
 * eight dense products of 16 by 16, with no step of their own.
 *
 * The gradient of x is the same sum over dy, with the filter turned and O and
 * C exchanged; at a stride, one for each pair of remainders of the place in
 * x, so that no product with an inserted zero is computed.  The gradient of
 * the weights: wgrad.h.
 *
 * All this counts slots of 32 bits: a float, or several channels of 8 bits
 * (conv2d_direct_8.h); k is a number of slots.  */
#ifndef ADZE_CPU_CONV2D_DIRECT_H
#define ADZE_CPU_CONV2D_DIRECT_H

#include "base/thread.h"
#include "cpu/ahead.h"
#include "cpu/reader.h"
#include "cpu/writer.h"
#include "graph/device.h"
#include "graph/siblings.h"
#include "graph/tuning.h"

struct direct {
    int64_t n, c, o, groups; /* images, channels, their groups */
    int64_t in[2], out[2], kernel[2], stride[2], dil[2], pad[2];
    int planar;    /* x is plain */
    unsigned lazy; /* of the step */
    const struct tuning *tuning;
    int per;      /* channels of a slot: 1, 2 or 4 */
    int in_place; /* x may be read where it lies */
    int64_t k;    /* slots of one output: taps c/per */

    /* Where the outputs lie in the map that is written; which tap of the
     * filter as stored tap i is: first + i skip.  */
    int64_t map[2], map_step[2], map_at[2];
    int64_t filter[2], first[2], skip[2];
    int turned;     /* the filter is stored as [c][o] */
    int64_t panels; /* of 16 outputs */

    /* Planes of 16 channels (plain x: one of all); those that a panel reads: all,
     * unless the channels are in groups.  */
    int64_t planes, span;

    /* What a task reads: x itself, or a copy of its band (slots).  A row of the
     * copy is [column remainder][column][pixel] (of plain x: [column][channel]), a
     * plane [row remainder][row].
     * Flat: an output reads one pixel, so that all are one row.  Tall: a tile may
     * have two rows, the second a gap behind the first (bytes; numbers).  */
    int flat, copy, tall;
    int64_t x_gap, y_gap;
    int64_t remainders[2], each[2]; /* remainders; rows or columns of one */
    int64_t pixel, row, plane;      /* slots from one to the next; where x is plain
                                       numbers from one output's to the next */
    int64_t step;                   /* bytes of that */

    int64_t blocks, whole, kn, kn_last; /* blocks; those of kn; k of a block */

    /* How it is cut; the result does not depend on it.  */
    int64_t unit, bands; /* output rows (flat: pixels) that stay together; tasks */
    int64_t tile, parts; /* panels that do; tasks */
    int64_t spans;       /* of bands, one a thread: it reads what it wrote */
    int shared;          /* by tasks: each image is copied once */
    size_t copy_slots;   /* of a thread; of an image */
};

/* What tasks read; scratch holds a copy for each thread, or image.  */
struct direct_run {
    const struct direct *d;
    const void *x, *w;
    void *y, *scratch;
    const int32_t *off;       /* [blocks] */
    int64_t sums;             /* the first row of sums that is used here */
    struct ahead_arrays read; /* what copies are made of; none otherwise */
};

/* Of floats.  */
struct direct_f32 {
    struct direct_run r;
    struct reader x;
    struct writer y;
    struct ahead_arrays written; /* and what is read for that */
};

/* One tile: its first pixel in the first block, its first number of y, its
 * first panel, the row of sums; in front of the second half.  */
struct direct_tile {
    const void *x;
    int64_t at, panel, sums;
    int64_t x_gap, y_gap;
};

/* What slots are made of.  */
struct direct_form {
    int per;      /* channels */
    int in_place; /* as the numbers of x lie */
    int64_t size; /* bytes of one */
};

struct direct_isa {
    int mr;     /* pixels of a tile */
    int panels; /* of a tile */
    struct direct_form form;
    void (*copy)(void *run, int64_t plane, int thread); /* if shared: of all images */
    void (*task)(void *run, int64_t task, int thread);
    void (*wgrad)(void *run, int64_t task, int thread);
    void (*wgrad_dy)(void *run, int64_t task, int thread); /* image, panel */
    void (*bias)(void *grad, int64_t task, int thread);
    /* Up to 16 channels of 16 outputs at one tap, the first of them W[0];
     * numbers from one output, and one channel, to the next */
    void (*pack)(const float *w, int64_t output, int64_t channel, int64_t outputs, int64_t channels,
                 void *to);
    int wgrad_rows; /* of plain x at once; all parts of 16 otherwise */
    int wgrad_step; /* pixels of a step of its k */
};

/* The forward geometry of the convolution that S's head is of, not cut.  */
struct direct conv2d_direct_of(const struct direct_form *f, int planar, const struct step_nodes *s);
/* Where what ROWS output rows (flat: pixels) read lies in its copy.  */
void conv2d_direct_place(struct direct *d, int64_t rows);

int conv2d_direct_accepts(const struct step_nodes *s);
int conv2d_direct_accepts_plain(const struct step_nodes *s);
size_t conv2d_direct_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                             int threads);
size_t conv2d_direct_pack_bytes(const struct direct_isa *isa, int planar,
                                const struct step_nodes *s, int i);
void conv2d_direct_pack(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                        const struct tensor *t, void *to);
void conv2d_direct_run(const struct direct_isa *isa, int planar, const struct kernel_args *a);
/* Forward alone.  */
void conv2d_direct_together(const struct direct_isa *isa, int planar, const struct siblings *s);

/* ---- for direct*.c and conv2d_direct_8.c ---- */

enum { DIRECT_PLAIN = 4 }; /* most channels of plain x */

/* Is X of CHANNELS, as N reads it, taken plain?  */
int direct_is_plain(const struct node *n, int64_t channels);

/* The weights W as TO [O/16][k][16].  */
void direct_pack(const struct direct_isa *isa, const struct direct *d, const float *w, float *to);
/* Number K of the block of tap row R, of plain x: where its weight lies in a filter
 * [c][r][s]; -1 behind the last, where the rest of a slot meets zero.  */
int64_t direct_plain_weight(const struct direct *d, int64_t r, int64_t k);
/* The first plane that panel P reads.  */
int64_t direct_first(const struct direct *d, int64_t p);
/* Cut D for THREADS; then slots of scratch, which begins with the offsets of
 * the blocks and a table of TABLE numbers.  */
void direct_cut(const struct direct_isa *isa, struct direct *d, int threads);
size_t direct_room(const struct direct *d, int64_t table, int threads);
/* Do both, and fill R but for x, w and y; returns the table.  */
void *direct_start(const struct direct_isa *isa, struct direct *d, int64_t table, int threads,
                   void *scratch, struct direct_run *r);
/* The tasks of R, which is complete; what they share is copied now.  */
struct loop direct_loop(const struct direct_isa *isa, struct pool *pool, struct direct_run *r);

/* The task's place: within a span bands of images run fastest, so that
 * neighbouring tasks share their weights.  And what it asks memory for meanwhile.  */
struct direct_task {
    int64_t image, first, rows; /* output rows (flat: pixels) */
    int64_t panel, end;
    int64_t sums;               /* its row: those of one image and band share it */
    struct ahead ahead;         /* what the next task reads */
    struct ahead_lines weights; /* that it reads */
};
struct direct_task direct_task_of(const struct direct *d, int64_t task);

#endif
