/* run.h -- what runtime.cc needs of emu.cc: to run a grid.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_EMU_RUN_H
#define ADZE_EMU_RUN_H

#include "cuda_runtime.h"

namespace emu
{
struct grid {
    dim3 blocks, threads;
    size_t shared_bytes;
    std::function<void()> thread; /* what each thread does */
    site at;                      /* the launch */
};

/* F, which sees device memory, in its turn; by the clock of events it takes
 * MS.  */
void enqueue(cudaStream_t s, std::function<void()> f, double ms);

/* All of N bytes at P lie in one piece of device memory. */
bool is_held(const void *p, size_t n);

/* All blocks, one after the other, in an order drawn from the seed. */
void run(const grid &);
} // namespace emu

#endif
