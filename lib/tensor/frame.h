/* frame.h -- tensor streams: frames, each a safetensors document with
 * `adze.kind' = frame, closed by one with `adze.kind' = end.
 * SPDX-License-Identifier: MIT
 *
 * Metadata of a frame: adze.format, adze.kind, layout (NCHW or NHWC), epoch,
 * names (JSON list of class names, only in the first frame), preprocess
 * (JSON: what has been done to the pixels), adze.hashes, adze.hash.  Tensors:
 * `image' u8 or f32, `target' [N] i64 or [N,K] f32.  The end frame states
 * frames and samples per epoch in its metadata `frames' and `samples' (JSON
 * lists, one number an epoch).  End of file is legal only behind an end frame;
 * another stream may follow it; a stream of no frames still has one.
 * An epoch without frames leaves no number.  */
#ifndef ADZE_TENSOR_FRAME_H
#define ADZE_TENSOR_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/stream.h"
#include "tensor/set.h"

struct err;

struct frame_writer {
    struct out *out; /* borrowed */
    int64_t epoch, frames, samples;
    struct str *counts; /* [2]: of finished epochs */
};

int frame_writer_init(struct frame_writer *w, struct out *o);
/* Write S, whose `layout' is set, as the next frame of EPOCH (never falling)
 * with SAMPLES rows; adds format, kind, epoch and hashes.  */
int frame_write(struct frame_writer *w, struct set *s, int64_t epoch,
                int64_t samples, struct err *e);
int frame_end(struct frame_writer *w, struct err *e); /* also releases */

struct frame_reader {
    struct in *in;                  /* borrowed */
    int64_t epoch, frames, samples; /* of the running epoch */
    struct str *counts;
    int open; /* between a first frame and its end frame */
};

int frame_reader_init(struct frame_reader *r, struct in *in);
/* The next frame into S (initialised here): 1; 0 at the end of the input,
 * behind an end frame whose counts agree; -1.  End frames are checked and
 * passed over.  */
int frame_read(struct frame_reader *r, struct set *s, struct err *e);
void frame_reader_release(struct frame_reader *r);

/* All frames of the N bytes at P.  */
int fuzz_frame(const uint8_t *p, size_t n);

#endif
