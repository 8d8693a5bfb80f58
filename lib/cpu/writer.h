/* writer.h -- blocked results of convolution: what is done to them before they
 * are stored, and sums over them.
 * SPDX-License-Identifier: MIT
 *
 * Forward follow.h says what is done.  Backward the result is the gradient of
 * an operand; another part of it may be added, and the slope of an activation
 * multiplied.  Side nodes (bnstats, bnsums) get the sums of what is stored:
 *
 *     bnstats  sum (y - pivot), sum (y - pivot)^2
 *     bnsums   sum y, sum y (x - mean)
 *
 * A task adds to a ROW of sums of its own; rows depend on the shapes alone
 * and are joined in order.  The arithmetic is in lanes.h.  */
#ifndef ADZE_CPU_WRITER_H
#define ADZE_CPU_WRITER_H

#include "cpu/follow.h"
#include "cpu/reader.h"
#include "graph/device.h"

enum { WRITER_SUMS = 2, STEADY = 16 };

struct writer {
    void *y;               /* numbers as x of readers */
    struct follow f;       /* scale, shift, act; add is a reader here */
    struct reader add, of; /* x NULL: none; what the slope is a function of */
    int slope;             /* enum act of the activation; ACT_NONE: none */
    int n_side;
    struct {
        const void *x; /* NULL: y itself */
        const float *mean;
    } side[STEP_SIDES];
    double *sums; /* [row][side][WRITER_SUMS][lanes] */
    int64_t lanes;
    int measured; /* bnstats beside, and nothing but scale and shift before */
};

/* What may follow a backward node.  */
extern const char *const writer_back_names[];
/* Can the nodes behind the head, of either direction, be expressed so?  */
int writer_accepts(const struct step_nodes *s);

/* The threads that tasks with sums are cut for: always as many, so that the rows
 * of sums do not depend on how many there are.  */
static inline int writer_threads(const struct step_nodes *s, int threads)
{
    return s->n_side ? STEADY : threads;
}

/* Floats of scratch for C channels and ROWS rows of sums.  */
size_t writer_floats(const struct step_nodes *s, int64_t c, int64_t rows);
/* BIAS [C] may be NULL.  Sums begin with zero.  */
struct writer writer_of(const struct kernel_args *a, void *y, int64_t c, const float *bias,
                        int64_t rows, float *scratch);
/* Where task row ROW adds for side K and vector LANE on.  */
static inline double *writer_row(const struct writer *w, int64_t row, int side, int64_t lane)
{
    return w->sums + ((row * w->n_side + side) * WRITER_SUMS) * w->lanes + lane;
}
/* The results of the side nodes, from ROWS rows.  */
void writer_end(const struct writer *w, const struct kernel_args *a, int64_t rows);

#endif
