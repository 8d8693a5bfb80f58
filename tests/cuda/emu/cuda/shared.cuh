/* shared.cuh -- shared memory whose size the launch says, for the emulator.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_EMU_CUDA_SHARED_CUH
#define ADZE_EMU_CUDA_SHARED_CUH

#include "cuda_runtime.h"

template <class T> static inline T *cuda_dynamic_shared()
{
    return static_cast<T *>(emu::dynamic_shared());
}

#endif
