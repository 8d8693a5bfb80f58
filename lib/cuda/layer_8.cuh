/* layer_8.cuh -- convolution and linear layers of u8 values with i8 weights.
 * SPDX-License-Identifier: MIT
 *
 * A linear layer is a convolution over pictures of one pixel.  Weights lie as
 * [K][tap][C/groups], of depthwise ones as [tap][K].  What is known of a step
 * when its plan is made (struct outputs8) is worked out on the host, as for the
 * CPU, and kept on the device.  */
#ifndef ADZE_CUDA_LAYER_8_CUH
#define ADZE_CUDA_LAYER_8_CUH

#include "cuda/conv.cuh"
#include "cuda/finish_8.cuh"
#include "cuda/gemm_columns.cuh"

#define LAYER_8_TYPES (1u << DTYPE_U8 | 1u << DTYPE_I8 | 1u << DTYPE_I32 | 1u << DTYPE_F32)

enum { LAYER_8_RUN = 8 }; /* bytes: what tensor cores' tiles are made of */

struct layer_8 {
    const struct device *device;
    void *memory; /* of the device: tables */
    size_t bytes;
    struct conv c;
    const uint8_t *x;
    const int8_t *w;
    const uint8_t *outside; /* 16 times the level of zero */
    uint8_t zero;           /* that level */
    struct finish_8 f;
};

/* One, or several of the same window that read the same x: what prepare() of
 * struct together makes.  */
struct layers_8 {
    int count;
    struct layer_8 l[SIBLINGS];
};

struct layers_8 *layers_8_new(void);
void layers_8_free(void *layers);
/* Add the layer that A's step begins with, of geometry C, weights at W on the
 * device; -1 and ERR_NOMEM, ERR_DEVICE.  */
int layer_8_add(struct layers_8 *s, const struct kernel_args *a, const struct conv &c,
                const void *w, struct err *e);

/* By tensor cores, where channels of a group are multiples of LAYER_8_RUN; and of
 * one layer alone: any of one group; any; one channel to one in each group.  */
void layer_8_mma(const void *layers);
void layer_8_tiles(const void *layers);
void layer_8_groups(const void *layers);
void layer_8_depthwise(const void *layers);

/* Operands and what follows are as for kernels of 8 bits.  */
int layer_8_accepts(const struct step_nodes *s);

#endif
