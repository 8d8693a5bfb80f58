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

#endif
