/* gemm_packed_body.h -- a packed matrix product; compiled once per instruction
 * set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_packed.h"
#include "cpu/vec.h"

enum { MR = VL == 16 ? 8 : 4, NV = 3, NR = NV * VL };

/* [m / MR][k][MR] of rows I.. of A, steps K0...  */
static void pack_a(const struct gemm *g, int64_t k0, int64_t k, float *to)
{
    const int64_t di = g->a_turned ? 1 : g->lda, dk = g->a_turned ? g->lda : 1;

    for (int64_t i = 0; i < g->m; i += MR)
        for (int64_t q = 0; q < k; q++)
            for (int64_t r = i; r < i + MR; r++)
                *to++ = r < g->m ? g->a[r * di + (k0 + q) * dk] : 0;
}

/* [k][NR] of columns J...  */
static void pack_b(const struct gemm *g, int64_t k0, int64_t k, int64_t j, float *to)
{
    const int64_t dj = g->b_turned ? g->ldb : 1, dk = g->b_turned ? 1 : g->ldb;
    const int64_t n = g->n - j < NR ? g->n - j : NR;
    const float *b = g->b + j * dj + k0 * dk;

    for (int64_t q = 0; q < k; q++, b += dk, to += NR) {
        for (int64_t c = 0; c < n; c++)
            to[c] = b[c * dj];
        for (int64_t c = n; c < NR; c++)
            to[c] = 0;
    }
}

/* c[MR][NR] += a[k][MR] b[k][NR] */
static void tile(const float *a, const float *b, int64_t k, float *c)
{
    vf s[MR][NV];

    EACH (i, MR)
        EACH (v, NV)
            s[i][v] = vf_load(c + i * NR + v * VL);
    for (; k; k--, a += MR, b += NR) {
        vf x[NV];

        EACH (v, NV)
            x[v] = vf_load(b + v * VL);
        EACH (i, MR) {
            const vf w = VF1(a[i]);

            EACH (v, NV)
                s[i][v] = vf_fma(w, x[v], s[i][v]);
        }
    }
    EACH (i, MR)
        EACH (v, NV)
            vf_store(c + i * NR + v * VL, s[i][v]);
}

/* One tile through T [MR][NR]; START: c is not read.  */
static void block(const struct gemm *g, const float *a, const float *b, int64_t k, int64_t i,
                  int64_t j, int start, float *t)
{
    const int64_t m = g->m - i < MR ? g->m - i : MR, n = g->n - j < NR ? g->n - j : NR;

    memset(t, 0, MR * NR * sizeof *t);
    for (int64_t r = 0; r < m && !start; r++)
        memcpy(t + r * NR, g->c + (i + r) * g->ldc + j, (size_t)n * sizeof *t);
    tile(a, b, k, t);
    for (int64_t r = 0; r < m; r++)
        memcpy(g->c + (i + r) * g->ldc + j, t + r * NR, (size_t)n * sizeof *t);
}

void ISA(gemm_packed)(const struct gemm *g, float *scratch)
{
    float *t = scratch, *b = t + MR * NR, *a = b + GEMM_KC * NR;

    for (int64_t k0 = 0; k0 < g->k; k0 += GEMM_KC) {
        const int64_t k = g->k - k0 < GEMM_KC ? g->k - k0 : GEMM_KC;

        pack_a(g, k0, k, a);
        for (int64_t j = 0; j < g->n; j += NR) {
            pack_b(g, k0, k, j, b);
            for (int64_t i = 0; i < g->m; i += MR)
                block(g, a + i * k, b, k, i, j, k0 == 0 && !g->add, t);
        }
    }
}
