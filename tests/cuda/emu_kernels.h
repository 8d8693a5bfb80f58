/* emu_kernels.h -- kernels that the emulator is tried on.
 * SPDX-License-Identifier: MIT
 *
 * Pointers are of the host; each function copies, launches and copies back.
 * They return a cudaError_t.  */
#ifndef ADZE_TESTS_CUDA_EMU_KERNELS_H
#define ADZE_TESTS_CUDA_EMU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* *y = sum of x[n], by blocks of THREADS, a multiple of 32. */
int emu_sum(const float *x, int n, int threads, float *y);

/* y[w,h] of x[h,w]; FOUR: of numbers of four bytes, else of two. */
int emu_transpose(const void *x, int h, int w, int four, void *y);

/* d[n][16,8] += a[n][16,16] b[n][16,8]; HALF: of f16, else of bf16. */
int emu_mma(const uint16_t *a, const uint16_t *b, float *d, int n, int half);

/* d[n][16,8] += a[n][16,32] b[n][8,32]', exact; dots[n][i] = row i % 16 of a
 * times row i % 8 of b, four at a time.  */
int emu_mma8(const uint8_t *a, const int8_t *b, int *d, int *dots, int n);

/* y[i] = sum of x[k * 4 * THREADS + i], for i < 4 * THREADS, in order of k,
 * through a pipeline of copies; x[n] is followed by zeros.  Without WAIT one
 * wait is missing.  */
int emu_pipeline(const float *x, int n, int wait, float *y);

/* y[0..3] = ballot, any, all, count over v[THREADS], of the first warp but the
 * last; y[4] = scan of v by the last lane.  */
int emu_votes(const int *v, int threads, unsigned *y);

/* What is wrong with emu_wrong(). */
enum {
    WRONG_NOT,
    WRONG_LEFT,      /* a thread ends before a barrier */
    WRONG_BARRIERS,  /* threads come to different ones */
    WRONG_WARP_LEFT, /* a lane ends before a shuffle */
    WRONG_MASK,      /* lanes give different masks */
    WRONG_LINES,     /* they come to different operations */
    WRONG_OWN,       /* a mask without the lane */
    WRONG_SOURCE,    /* a shuffle from a lane outside the mask */
    WRONG_LANES,     /* a mask beyond the block */
    WRONG_CROSS,     /* half a warp at a barrier, half at a shuffle */
    WRONG_ALIGN,     /* an asynchronous copy to an odd address */
    WRONG_PLACE,     /* one to memory that is not shared */
    WRONG_HOST,      /* a pointer of the host */
    WRONG_BOUNDS,    /* writes behind its memory */
    WRONG_RACE,      /* no barrier between a write and reads */
    WRONG_POISON,    /* reads shared memory that nobody wrote */
    WRONG_DYNAMIC,   /* the same of dynamic shared memory */
};

/* y[64], from two blocks of 32 threads. */
int emu_wrong(int what, int *y);

/* y[n] = x[n] + 1 captured, and replayed with each of ROUNDS rows of x; y
 * has ROUNDS rows.  *EARLY: whether y changed before the stream was
 * synchronised.  */
int emu_replay(const float *x, float *y, int n, int rounds, int *early);

/* Synchronises while capturing: returns what the end of the capture does. */
int emu_bad_capture(void);

#ifdef __cplusplus
}
#endif

#endif
