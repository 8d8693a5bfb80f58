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

/* By the clock of events a launch takes so long, and nothing else takes any,
 * but for calls of libraries.  */
enum { EMU_LAUNCH_MS = 8 };

/* ---- cuBLASLt and cuDNN: emu/vendor.cc, in place of the real ones ---- */

enum { EMU_LT = 1, EMU_DNN = 2 };

/* How they behave; zeroed: they are not there.  */
struct emu_vendor {
    unsigned there;    /* EMU_ bits */
    double ms;         /* what a call takes, by the clock of events */
    int wrong;         /* 1: results are, in one place; 2: they differ from run to
                       run; -1, -2: sums beside a result alone */
    int old;           /* a version that is too old */
    const char *fails; /* the call that does; "cublasLtMatmul" */
    int after;         /* so many times it does not, before */
};

void emu_libraries(struct emu_vendor v);

/* Descriptors and handles that are held; computing calls since they were made
 * to behave so. */
int emu_vendor_held(void);
uint64_t emu_vendor_calls(void);

#ifdef __cplusplus
}
#endif

#endif
