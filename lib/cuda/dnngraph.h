/* dnngraph.h -- a convolution as an operation graph of cuDNN.
 * SPDX-License-Identifier: MIT
 *
 * Values are [N][H][W][C], weights [K][R][S][C/groups], all in bf16 or all in
 * f16; sums are in f32.  Forward in one graph, of which cuDNN has whole kernels in this order
 * alone (asked of cuDNN 9.19 for compute capability 8.0 and 9.0):
 *
 *   y = conv(x, w)   y = [relu](conv(x, w) [+ add] + bias)
 *   y = conv(x, w), sum of y, sum of its square, by channels, in f32
 *
 * the last in f16 and one group, and with nothing between.  Backward, in f16 and
 * one group too, where x is relu(b), b = n scale + shift, n = (v - mean) invstd:
 *
 *   dx = conv'(dy, w) where b > 0, else 0; sum of dx, sum of dx n, by channels
 *
 * It has a kernel for this only where the graph computes b again from v, by these
 * four operations; none where b or x is an operand, or where one is missing.
 * Three more results, of which the gradient of v could be made, come with it and
 * are not used.  On A100 it wants scratch for dx in f32, and more.
 *
 * Whole kernels are those that it brings along.  For others, which it compiles
 * when a plan is made, it wants a driver; with the CUDA Toolkit's stub of one it
 * proposes such in bf16 too, for y and its sums, and for dx of an x that is read
 * with two reductions.  Those are not asked for yet.
 *
 * The bias is of their type too, and so is the gradient of the weights: it makes
 * none in f32.
 *
 *     if (dnn_make(&g, dnn, handle, NULL, &conv, way, room) == 0 &&
 *         dnn_bind(&g, operand, scratch) == 0)
 *         dnn->execute(handle, g.plan, g.pack);
 *     dnn_drop(&g);  */
#ifndef ADZE_CUDA_DNNGRAPH_H
#define ADZE_CUDA_DNNGRAPH_H

#include "cuda/vendor.h"

enum dnn_kind { DNN_KIND_FORWARD, DNN_KIND_DX, DNN_KIND_DW };

/* x [N,C,H,W], w [K,C/groups,R,S], y [N,K,P,Q]; height, width.  */
struct dnn_conv {
    enum dnn_kind kind;
    int type; /* DNN_DATA_BFLOAT16 or DNN_DATA_HALF */
    int64_t x[4], w[4], y[4];
    int64_t stride[2], dilation[2], before[2], after[2]; /* padding */
    int bias, add, relu;                                 /* add and relu only with a bias */
    int sums; /* forward, and none of those; or DX, as above */
};

/* Operands: x or dx, w or dw, y or dy; from DNN_SUM on [channels], in f32.  */
enum {
    DNN_X,
    DNN_W,
    DNN_Y,
    DNN_BIAS,
    DNN_ADD,
    DNN_V,
    DNN_SUM, /* of y; of dx */
    DNN_SQUARE,
    DNN_PRODUCT, /* dx n */
    DNN_MEAN,
    DNN_INVSTD,
    DNN_SCALE,
    DNN_SHIFT,
    DNN_UNUSED, /* three */
    DNN_OPERANDS = DNN_UNUSED + 3
};

enum { DNN_DESCRIPTORS = 64 };

/* Zeroed before it is made.  */
struct dnn_graph {
    const struct cudnn *dnn;
    void *desc[DNN_DESCRIPTORS]; /* all, to be dropped */
    int n_desc, status;          /* the first that was not 0 */
    int there[DNN_OPERANDS];
    int type;          /* of them, but for sums */
    void *plan, *pack; /* two of them */
    size_t bytes;      /* of scratch */
};

/* Way number WAY of those that give the same bits in every run and take at most
 * ROOM bytes of scratch, the one that cuDNN thinks the fastest first.  HANDLE
 * or, for what is never run, DEVICEPROP, a device described, is NULL.  -1:
 * there is none.  */
int dnn_make(struct dnn_graph *g, const struct cudnn *dnn, void *handle, void *deviceprop,
             const struct dnn_conv *c, int way, size_t room);
/* Where its operands are; 16 byte aligned.  -1 if cuDNN does not take it.  */
int dnn_bind(struct dnn_graph *g, void *const operand[DNN_OPERANDS], void *scratch);
void dnn_drop(struct dnn_graph *g);

#endif
