/* gemm_blas.c -- gemm.h by OpenBLAS, which is kept to one thread.
 * SPDX-License-Identifier: MIT
 *
 * Its sequential build must not be called from several threads at a time
 * (seen with 0.3.21: now and then other bits); there our own kernels do the
 * work.  */
#include <cblas.h>

#include "cpu/gemm.h"
#include "cpu/gemm_packed.h"

static int is_safe(void)
{
    return openblas_get_parallel() != OPENBLAS_SEQUENTIAL;
}

size_t gemm_scratch(int64_t m, int64_t n)
{
    return is_safe() ? 0 : gemm_packed_scratch(m, n);
}

void gemm_tile(const struct gemm *g, unsigned isa, float *scratch)
{
    const float beta = g->add ? 1.0f : 0.0f;

    if (!is_safe())
        gemm_packed(g, isa, scratch);
    else if (g->m == 1 && g->b_turned && !g->a_turned)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)g->n, (int)g->k, 1, g->b, (int)g->ldb, g->a,
                    1, beta, g->c, 1);
    else
        cblas_sgemm(CblasRowMajor, g->a_turned ? CblasTrans : CblasNoTrans,
                    g->b_turned ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n, (int)g->k, 1,
                    g->a, (int)g->lda, g->b, (int)g->ldb, beta, g->c, (int)g->ldc);
}

void gemm_start(void)
{
    openblas_set_num_threads(1);
}
