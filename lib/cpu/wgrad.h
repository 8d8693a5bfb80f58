/* wgrad.h -- gradients of the weights of conv2d_direct.h.
 * SPDX-License-Identifier: MIT
 *
 *     dw[o][c][r][s] = sum over images and pixels of
 *                      x[pixel + off(r, s)][c] dy[pixel][o]
 *
 * is the outer product of conv2d_direct.h with the pixels as k: a ROW of the
 * product is one (16 channels, tap, channel), its columns are 16 outputs.  A
 * task is a chunk of images and a range of channel groups.  It takes a few
 * images, or some rows of one, at a time (a PASS): copies their x with its
 * padding, sums rows by columns in registers, and adds that to the sums of
 * its chunk; the chunks are added in order.  Chunks and passes depend on the
 * shapes alone.
 *
 * With channels in groups a group of 16 outputs has a WINDOW of rows: those of
 * the planes that its own channels lie in.
 *
 * Memory is the limit where channels are few, and both gradients read dy.  So
 * where one range has all channels, the tasks of the gradient of x run behind
 * the passes, and find dy in the cache; with several ranges dy, if it is
 * computed as it is read, is computed once for all of them, and for x.  */
#ifndef ADZE_CPU_WGRAD_H
#define ADZE_CPU_WGRAD_H

#include "cpu/conv2d_direct.h"

struct wgrad {
    struct direct d;                   /* the forward geometry */
    int64_t groups, group_rows;        /* of channels; rows of one */
    int64_t span, rows;                /* groups that one panel meets; whole tiles
                                          of their rows */
    int64_t range, ranges;             /* groups of a task */
    int64_t chunks, per_chunk;         /* images */
    int64_t images, band;              /* of a pass: images, or output rows of one */
    int64_t x_image, x_group;          /* floats of x */
    int64_t plane;                     /* floats of the copy of one group */
    size_t copy_floats, dy_floats;     /* of a thread: of x, of dy if computed */
    size_t all_floats;                 /* of all dy, computed once for all ranges */
    int64_t dy_step, dy_row, dy_panel; /* pixels of a slot; slots from one to
                                          the next there */
    size_t part_floats;                /* of a chunk */
};

struct wgrad_run {
    const struct wgrad *g;
    struct reader x, dy;
    float *part, *all, *scratch;
    const struct direct_run *dx; /* whose tasks are done behind the passes that
                                    read the same dy; or NULL */
};

struct wgrad_pass {
    int64_t image, images, end; /* at hand; of the chunk */
    int64_t first, rows;        /* first pixel; stretches, */
    int64_t pixels;             /* each of so many */
    int64_t group, groups;
    int64_t row, row_end; /* of the product */
    const void *x;        /* of the first image at hand, or its copy: slots */
    int64_t x_image;      /* slots from one image to the next there */
    const void *dy;       /* the same of dy */
    int64_t dy_image, dy_panel, dy_row;
    float *sum;     /* of the chunk */
    int start;      /* nothing in it yet */
    int64_t window; /* the first row of the panel at hand */
};

struct wgrad_pass wgrad_first(const struct wgrad_run *r, int64_t task);
void wgrad_next(const struct wgrad_run *r, struct wgrad_pass *q);

/* The first row that outputs of PANEL meet.  */
int64_t wgrad_window(const struct wgrad *g, int64_t panel);

/* Where row ROW, counted from the first group at hand, begins in x.  */
int64_t wgrad_row(const struct wgrad *g, int64_t row);

/* Floats.  */
size_t wgrad_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                     int threads);
/* Fill G and R, of X and DY; returns the scratch that is left.  DY of R may be
 * read instead: it may be computed now.  */
float *wgrad_begin(const struct direct_isa *isa, int planar, const struct kernel_args *a,
                   const struct reader *x, const struct reader *dy, float *scratch, struct wgrad *g,
                   struct wgrad_run *r);
/* Do tasks of DX, one for each image and band, meet their dy in the cache behind
 * the passes of R?  And do those keep THREADS busy?  */
int wgrad_joins(const struct wgrad_run *r, const struct direct *dx, int threads);
void wgrad_run(const struct direct_isa *isa, const struct kernel_args *a,
               const struct wgrad_run *r);

#endif
