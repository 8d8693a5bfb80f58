/* cuda.h -- a GPU as a device: memory and kernels of CUDA.
 * SPDX-License-Identifier: MIT
 *
 * The .cu files are built where there is a compiler for them, none.c where
 * there is not.  */
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
