/* dpbusd.h -- the instruction that AVX-VNNI and AVX-512 VNNI have, of 32 bytes.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_STANDIN_DPBUSD_H
#define ADZE_TESTS_STANDIN_DPBUSD_H

#include <immintrin.h>

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

#endif
