/* cuda.h -- a GPU as a device: memory and kernels of CUDA.
 * SPDX-License-Identifier: MIT
 *
 * The .cu files are built where there is a compiler for them, none.c where
 * there is not.  cuda.cu is the device and the order of preference of its
 * kernels; their values are NHWC, of 32 or 16 bits (narrow.cuh).
 *
 *     gemm.cuh          the product of convolutions and linear layers: conv2d,
 *                       conv2d_computed, linear; gemm_mma.cuh by tensor cores,
 *                       gemm_columns.cuh siblings, finish.cuh what follows it,
 *                       act.cuh the activations
 *     dwconv2d, deformconv2d, gridsample, attention, attention_mma, matmul
 *     norm, samplenorm, pool, resample, reduce, eltwise, channel, move, tokens,
 *     loss
 *     names with _8     the same of u8 with i8 weights: layer_8.cuh
 *     optim             a step of all parameters in one launch
 *     prepare, mix      from bytes of pictures to the batch
 *     rival.cuh         libraries that compete: cublas, cudnn (dnngraph.h),
 *                       opened by libraries.cuh, loaded by vendor.h, compared
 *                       in trial.cuh, remembered by choices.h
 *     peak              what the device can do at best
 *
 * tests/cuda/emu compiles all of it for the host.  */
#ifndef ADZE_CUDA_CUDA_H
#define ADZE_CUDA_CUDA_H

#include "graph/device.h"

struct err;

/* GPU number INDEX; freed by its own free().  ERR_DEVICE if there is
 * none, or if adze was built without CUDA.  */
struct device *device_cuda_new(int index, struct err *e);

/* The same, and it may take kernels of cuBLASLt and cuDNN where this machine
 * has those, and a trial when a plan is made shows them to be right and faster
 * (cuda/rival.cuh).  What was found, for people, is appended to FOUND.  */
struct str;
struct device *device_cuda_with_libraries(int index, struct str *found, struct err *e);

#endif
