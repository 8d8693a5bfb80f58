/* none.c -- the GPU of a build without CUDA.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "cuda/cuda.h"

struct device *device_cuda_new(int index, struct err *e)
{
    err_set(e, ERR_DEVICE,
            "this adze was built without CUDA: build it where nvcc is, "
            "or use -D cpu");
    (void)index;
    return NULL;
}

struct device *device_cuda_with_libraries(int index, struct str *found, struct err *e)
{
    (void)found;
    return device_cuda_new(index, e);
}
