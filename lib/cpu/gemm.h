/* gemm.h -- one tile of a matrix product, in the calling thread.
 * SPDX-License-Identifier: MIT
 *
 * Callers cut a product into tiles by its sizes alone, never by the number of
 * threads: a tile's result may depend on its size.  Built are gemm_blas.c,
 * or gemm_own.c where there is no BLAS.  */
#ifndef ADZE_CPU_GEMM_H
#define ADZE_CPU_GEMM_H

#include <stddef.h>
#include <stdint.h>

/* c[i][j] = sum over k of a[i][k] b[k][j], or that added to c.  */
struct gemm {
    int64_t m, n, k;
    const float *a, *b;
    float *c;
    int64_t lda, ldb, ldc;  /* floats from row to row, as stored */
    int a_turned, b_turned; /* stored as [k][m]; as [n][k] */
    int add;
};

/* Floats of scratch that a tile up to M x N needs.  */
size_t gemm_scratch(int64_t m, int64_t n);

/* ISA: the cpu_isa bits that may be used.  */
void gemm_tile(const struct gemm *g, unsigned isa, float *scratch);

/* X(suffix, cpu_isa bits) for each set that has tiles of its own, the widest
 * first: for kernels that are offered once for each.  */
#define GEMM_ISAS(X)                 \
    X(avx512, CPU_AVX2 | CPU_AVX512) \
    X(avx2, CPU_AVX2)                \
    X(neon, CPU_NEON)                \
    X(any, 0)

/* Once, before any thread is started.  */
void gemm_start(void);

#endif
