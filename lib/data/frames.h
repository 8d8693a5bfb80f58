/* frames.h -- pictures with labels through pipes: frames of `image' u8
 * [N,H,W,3] (layout NHWC) and `target' i64 [N].
 * SPDX-License-Identifier: MIT
 *
 * Reading is a form of data set (dataset_open() knows frames by content): a
 * stream of one epoch is held in memory.  Its pictures are decoded, turned
 * and at the network's size; what is left is to normalise them.  */
#ifndef ADZE_DATA_FRAMES_H
#define ADZE_DATA_FRAMES_H

#include <stdint.h>

#include "tensor/frame.h"

struct err;

struct frames_batch {
    const uint8_t *rgb;    /* [n,h,w,3] */
    const int64_t *target; /* [n] */
    int64_t n;
    int h, w;
    const char *const *names; /* of the classes; NULL: none */
    int n_names;
    const char *preprocess; /* JSON: what has been done to the pixels */
};

/* Write B as the next frame of EPOCH; the names go into the first frame of the
 * stream alone.  */
int frames_write(struct frame_writer *w, const struct frames_batch *b,
                 int64_t epoch, struct err *e);

int fuzz_frames(const uint8_t *p, size_t n);

#endif
