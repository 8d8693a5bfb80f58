/* kernels.h -- the tables of kernels, one for each family and instruction set;
 * each is ended by a kernel without a name.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_KERNELS_H
#define ADZE_CPU_KERNELS_H

#include "graph/device.h"

/* clang-format off */
/* KERNELS_7(seven, eight): EIGHT's, and in front of those without VNNI SEVEN's, for weights of 7
 * bits; KERNELS_BESIDE(avx2, seven, eight): and in front of those for AVX2 one of another family,
 * which only pays there.  */
#if defined(__x86_64__)
#    define KERNELS(name) name##_avx512, name##_avx2, name##_any
#    define KERNELS_VNNI(name) name##_vnni, name##_avx512, name##_avxvnni, name##_avx2, name##_any
#    define KERNELS_BF16(name) name##_bf16, KERNELS(name)
#    define KERNELS_7(seven, eight) eight##_vnni, seven##_avx512, eight##_avx512, eight##_avxvnni, \
        seven##_avx2, eight##_avx2, eight##_any
#    define KERNELS_BESIDE(avx2, seven, eight) eight##_vnni, seven##_avx512, eight##_avx512, \
        eight##_avxvnni, avx2##_avx2, seven##_avx2, eight##_avx2, eight##_any
#    define DECLARE(name) extern const struct kernel name##_avx512[], name##_avx2[], name##_any[]
#    define DECLARE_VNNI(name) DECLARE(name), name##_vnni[], name##_avxvnni[]
#    define DECLARE_7(seven, eight) DECLARE_VNNI(eight), seven##_avx512[], seven##_avx2[]
#    define DECLARE_BF16(name) DECLARE(name), name##_bf16[]
#elif defined(__aarch64__)
#    define KERNELS(name) name##_neon, name##_any
#    define KERNELS_VNNI(name) KERNELS(name)
#    define KERNELS_BF16(name) KERNELS(name)
#    define KERNELS_7(seven, eight) KERNELS(eight)
#    define KERNELS_BESIDE(avx2, seven, eight) KERNELS(eight)
#    define DECLARE(name) extern const struct kernel name##_neon[], name##_any[]
#    define DECLARE_VNNI(name) DECLARE(name)
#    define DECLARE_7(seven, eight) DECLARE(eight)
#    define DECLARE_BF16(name) DECLARE(name)
#else
#    define KERNELS(name) name##_any
#    define KERNELS_VNNI(name) name##_any
#    define KERNELS_BF16(name) name##_any
#    define KERNELS_7(seven, eight) eight##_any
#    define KERNELS_BESIDE(avx2, seven, eight) eight##_any
#    define DECLARE(name) extern const struct kernel name##_any[]
#    define DECLARE_VNNI(name) DECLARE(name)
#    define DECLARE_7(seven, eight) DECLARE(eight)
#    define DECLARE_BF16(name) DECLARE(name)
#endif
/* clang-format on */

DECLARE(attention_kernels);
DECLARE_BF16(channels_blocked_kernels);
DECLARE(channels_blocked_8_kernels);
DECLARE(concat_blocked_8_kernels);
DECLARE_BF16(conv2d_winograd_kernels);
DECLARE_BF16(conv2d_direct_kernels);
DECLARE_7(conv2d_direct_7_kernels, conv2d_direct_8_kernels);
DECLARE_BF16(dwconv2d_blocked_kernels);
DECLARE_VNNI(dwconv2d_blocked_8_kernels);
DECLARE_BF16(mul_blocked_kernels);
DECLARE_BF16(pool_blocked_kernels);
DECLARE_BF16(reduce_blocked_kernels);
DECLARE_BF16(upsample_blocked_kernels);
DECLARE(pool_blocked_8_kernels);
DECLARE(conv2d_gemm_kernels);
DECLARE(dwconv2d_kernels);
DECLARE_BF16(eltwise_kernels);
DECLARE(eltwise_8_kernels);
DECLARE(layernorm_kernels);
DECLARE_BF16(linear_grad_kernels);
DECLARE_BF16(linear_packed_kernels);
DECLARE_7(linear_packed_7_kernels, linear_packed_8_kernels);
DECLARE(matmul_kernels);
DECLARE(maxpool_kernels);
DECLARE_BF16(norm_blocked_kernels);
DECLARE(permute_kernels);
DECLARE(rowscale_kernels);
extern const struct kernel conv2d_winograd_8_kernels_avx2[]; /* x86-64 */
extern const struct kernel deform_kernels[], dropout_kernels[], linear_kernels[], mix_kernels[],
    optim_kernels[], parts_kernels[], pool_kernels[];

#endif
