/* avxvnni.h -- the instruction of AVX-VNNI in those of AVX2: its kernels, built
 * once more behind this header, run where the processor lacks it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_STANDIN_AVXVNNI_H
#define ADZE_TESTS_STANDIN_AVXVNNI_H

#if defined(__x86_64__)
#    include <immintrin.h>

#    define __AVXVNNI__ 1

/* To each sum of A four products of the bytes of X, unsigned, and of W, signed:
 * those of even and of odd bytes, as numbers of 16 bits.  */
static inline __attribute__((target("avx2"))) __m256i
standin_dpbusd(__m256i a, __m256i x, __m256i w)
{
    const __m256i even =
        _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xff)),
                          _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
    const __m256i odd =
        _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));

    return _mm256_add_epi32(a, _mm256_add_epi32(even, odd));
}

#    define _mm256_dpbusd_avx_epi32(a, x, w) standin_dpbusd(a, x, w)
#endif

#endif
