/* avxvnni.h -- the instruction of AVX-VNNI in those of AVX2: its kernels, built
 * once more behind this header, run where the processor lacks it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_STANDIN_AVXVNNI_H
#define ADZE_TESTS_STANDIN_AVXVNNI_H

#if defined(__x86_64__)
#    include "dpbusd.h"

#    define __AVXVNNI__ 1

#    define _mm256_dpbusd_avx_epi32(a, x, w) standin_dpbusd(a, x, w)
#endif

#endif
