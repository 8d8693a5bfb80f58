/* job.h -- what is still to be done to a picture before it is a network's
 * input, as data that another device can do.
 * SPDX-License-Identifier: MIT
 *
 * In this order: the part BOX is resized, a part of that is cut out, which is
 * mirrored, and its pixels are changed.  All is the arithmetic of resize.h,
 * geometry.h and colour.h: job_run() is the definition.
 *
 *     job_init(&j, im.w, im.h);              nothing to do
 *     job_resize(&j, &box, 224, 224, RESIZE_BILINEAR);
 *     j.flip_x = 1;
 *     job_run(&j, &to, &im, &e);             here, or
 *     job_lay(&j, im.w, im.h, &flat, &n);    for a device  */
#ifndef ADZE_IMAGE_JOB_H
#define ADZE_IMAGE_JOB_H

#include <stdint.h>

#include "image/change.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/resize.h"

struct err;

enum { JOB_CHANGES = 12 };

struct picture_job {
    struct box box; /* of the picture */
    int to_w, to_h; /* its size next */
    enum resize_kernel kernel;
    int x, y, w, h;     /* cut from that; may hang over, */
    enum pad_mode edge; /* then this lies outside; black if constant */
    int flip_x, flip_y;
    int n;
    struct change change[JOB_CHANGES]; /* but CHANGE_FLIP_Y */
};

/* A picture of W x H pixels as it is.  */
void job_init(struct picture_job *j, int w, int h);
/* BOX becomes W x H pixels, and is all that is seen: for a job that does
 * nothing yet.  */
void job_resize(struct picture_job *j, const struct box *box, int w, int h,
                enum resize_kernel k);
/* W x H pixels of what is left from (X, Y): for a job without cut.  */
void job_cut(struct picture_job *j, int x, int y, int w, int h,
             enum pad_mode edge);

/* What J makes of IM into TO.  */
int job_run(const struct picture_job *j, struct image *to,
            const struct image *im, struct err *e);
int job_is_nothing(const struct picture_job *j, const struct image *im);

/* ---- laid out flat, for a device ---- */

/* Output I of a side is the sum, of t < count[I], of weight[t][I] times pixel
 * first[I] + t, rounded and clipped as in resize_taps.h; a side is first[N],
 * count[N], weight[MOST][N], words one behind the other.  With all counts at
 * most 1 it only picks pixels.  */
struct job_side {
    int32_t n, most, picks;
    int64_t at; /* in the words of a batch */
};

struct job_flat {
    int32_t w, h;            /* of the picture; w 0: there is none, but zeros */
    struct job_side side[2]; /* across, down */
    int32_t last;            /* the side that is resized last, rounding */
    /* Unless the other one picks: it makes a picture of MID_N rows, or
     * columns, from MID_FIRST of the picture on.  */
    int32_t mid_first, mid_n;
    int32_t n;
    struct change change[JOB_CHANGES];
    int64_t pixels; /* in the bytes of a batch */
    int64_t mid;    /* in the scratch; -1: the other one picks */
    int64_t keep;   /* there, room for the result; -1: not needed */
};

/* J for a picture of W x H pixels into F, without places; the words of both
 * sides, malloc'ed, N of them.  */
int32_t *job_lay(const struct picture_job *j, int w, int h, struct job_flat *f,
                 size_t *n);

/* Bytes of the picture in between, and of the result where it must be kept
 * while its mean is found; 0 where there is none.  */
size_t job_mid_bytes(const struct job_flat *f);
size_t job_keep_bytes(const struct job_flat *f);

/* Pictures of a batch in the memory of a device, and where they go.  */
struct job_batch {
    int64_t n;
    const struct job_flat *job; /* [n] */
    const int32_t *words;
    const uint8_t *bytes;
    uint8_t *scratch;
    int mids, keeps;    /* some job has a picture in between; keeps its own */
    int w, h, channels; /* of the results: 3, or 1, their grey */
    int bgr;
    const float *value; /* [3][256]: of a byte, by channel of the result */
    float *y;           /* [n][channels][h][w] */
};

#endif
