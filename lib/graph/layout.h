/* layout.h -- how a value lies in memory.  Only plans and kernels know
 * layouts, never graphs.
 * SPDX-License-Identifier: MIT
 *
 * A blocked value keeps the channels of one pixel in groups of 16 side by
 * side, [N][C/16][H][W][16]: whatever C is, neighbouring pixels are 16
 * elements apart and a group is one vector (of 16 floats), so convolution,
 * pooling and everything channel by channel need no shuffles.  Lanes behind
 * the last channel hold finite numbers that nobody reads.
 *
 * On a GPU the channels of one pixel stand side by side, all of them:
 * [N][H][W][C], so that the products of a convolution read whole rows.  Values
 * of another rank than 4 are row-major in those layouts too: sequences of
 * tokens have their channels last.
 *
 * How numbers are kept belongs to it: in narrow layouts values of f32 are
 * stored in 16 bits, as bf16 or as f16.  */
#ifndef ADZE_GRAPH_LAYOUT_H
#define ADZE_GRAPH_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"
#include "tensor/shape.h"

/* What values of f32 are computed and kept in.  */
enum precision { PRECISION_FP32, PRECISION_BF16, PRECISION_FP16 };

enum layout {
    LAYOUT_PLAIN,     /* row-major, as the shape says */
    LAYOUT_C16,       /* [N][C/16][H][W][16] of a shape [N,C,H,W] */
    LAYOUT_C16H,      /* the same, of bf16 */
    LAYOUT_NHWC,      /* [N][H][W][C] of a shape [N,C,H,W] */
    LAYOUT_NHWCH,     /* the same, of bf16 */
    LAYOUT_PLAINH,    /* row-major, of bf16 */
    LAYOUT_NHWC_F16,  /* [N][H][W][C], of f16 */
    LAYOUT_PLAIN_F16, /* row-major, of f16 */
};

enum { LANES = 16 }; /* of LAYOUT_C16 */

/* "plain", "c16", "c16-bf16", "nhwc", "nhwc-bf16", "plain-bf16", "nhwc-fp16",
 * "plain-fp16" */
const char *layout_name(enum layout l);

/* How values of f32 are kept; narrow: in 16 bits.  */
enum precision layout_precision(enum layout l);
int layout_is_narrow(enum layout l);

/* Row-major, and with the channels last, of numbers kept so.  */
enum layout layout_plain(enum precision p);
enum layout layout_nhwc(enum precision p);

/* Channels stand in groups of 16.  */
int layout_is_grouped(enum layout l);

/* The axis of a shape of RANK axes that is the K-th in memory, slowest first;
 * of grouped layouts, that of the groups.  */
int layout_axis(enum layout l, int rank, int k);

/* What a value of dtype DT is stored as.  */
enum dtype layout_dtype(enum layout l, enum dtype dt);

/* The shape of what is stored: C rounded up to whole groups where there are
 * groups.  */
struct shape layout_shape(enum layout l, const struct shape *s);

/* A and B put every element of shape S at the same place, as the same bits.  */
int layout_same(enum layout a, enum layout b, const struct shape *s);

/* Copy the groups [FROM, END) of 16 channels, counted over all images, of a
 * value of shape S (elements of SIZE bytes: 1, 2 or 4) from PLAIN to BLOCKED;
 * lanes behind the last channel become zero.  And back.  */
void layout_block(const struct shape *s, size_t size, const void *plain,
                  void *blocked, int64_t from, int64_t end);
void layout_unblock(const struct shape *s, size_t size, const void *blocked,
                    void *plain, int64_t from, int64_t end);

/* Groups of 16 channels over all images.  */
int64_t layout_groups(const struct shape *s);

#endif
