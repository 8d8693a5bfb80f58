/* shared.cuh -- shared memory whose size the launch says.
 * SPDX-License-Identifier: MIT
 *
 *     c.dynamicSmemBytes = n * sizeof(float);
 *     float *tile = cuda_dynamic_shared<float>();     in the kernel
 *
 * All calls in a kernel give the same memory, aligned to 128 bytes.  Above
 * 48 KiB the launcher asks for it first: cudaFuncSetAttribute(kernel,
 * cudaFuncAttributeMaxDynamicSharedMemorySize, bytes).  */
#ifndef ADZE_CUDA_SHARED_CUH
#define ADZE_CUDA_SHARED_CUH

#include <cuda_runtime.h>

template <class T> static __device__ __forceinline__ T *cuda_dynamic_shared()
{
    extern __shared__ __align__(128) unsigned char cuda_dynamic_shared_bytes[];

    return reinterpret_cast<T *>(cuda_dynamic_shared_bytes);
}

#endif
