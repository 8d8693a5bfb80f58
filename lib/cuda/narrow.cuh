/* narrow.cuh -- parameters of f32 packed in 16 bits, in their order.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_NARROW_CUH
#define ADZE_CUDA_NARROW_CUH

#include "cuda/cuda.cuh"

template <class T> __global__ void narrow(int64_t count, const float *x, T *y)
{
    for (EACH (i, count))
        put(&y[i], x[i]);
}

/* struct kernel's pack().  */
template <class T>
static void narrow_pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    (void)i;
    launch(s->device, narrow<T>, blocks_for(tensor_count(t)), THREADS, tensor_count(t),
           data<float>(t), (T *)packed);
}

#endif
