/* emu.h -- what tests set in the emulator of CUDA.
 * SPDX-License-Identifier: MIT
 *
 * The emulator (tests/cuda/emu/) compiles .cu files as C++ and runs their
 * kernels on the CPU, one thread at a time.  Faults of a kernel end the
 * program: one line on stderr, then abort().
 *
 *     emu_seed(1);   run once
 *     emu_seed(2);   run again: a race gives other bits  */
#ifndef ADZE_TESTS_CUDA_EMU_H
#define ADZE_TESTS_CUDA_EMU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this is the emulator, not a GPU (gpu/emu.c).  */
int emu_present(void);

/* Blocks, and threads between two barriers, run in an order drawn from SEED. */
void emu_seed(uint64_t seed);

/* A device has BYTES of memory; cudaMalloc fails where more would be held. */
void emu_limit(size_t bytes);

/* The machine has N devices.  With 0 most calls fail: cudaErrorNoDevice. */
void emu_devices(int n);

/* Bytes of device memory in use. */
size_t emu_used(void);

/* Launches since emu_seed(), those of replayed graphs counted each time. */
uint64_t emu_launches(void);

#ifdef __cplusplus
}
#endif

#endif
