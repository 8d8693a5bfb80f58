/* mma.cuh -- what tensor cores do, lane by lane, for the emulator.
 * SPDX-License-Identifier: MIT
 *
 * The registers of lib/cuda/mma.cuh, whose comment says what lies where.  */
#ifndef ADZE_EMU_CUDA_MMA_CUH
#define ADZE_EMU_CUDA_MMA_CUH

#include <cstdint>

#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "cuda_runtime.h"

namespace emu
{
struct mma_lane {
    float *d;
    const uint32_t *a, *b;
};

/* Toward zero, as tensor cores have been seen to do. */
static inline float truncated(double x)
{
    float f = (float)x;

    return std::fabs((double)f) > std::fabs(x) ? std::nextafter(f, 0.0f) : f;
}

typedef float (*half_value)(uint16_t);

template <class T> constexpr half_value value_of = nullptr;
template <> constexpr half_value value_of<__nv_bfloat16> = bf16_to_f32;
template <> constexpr half_value value_of<__half> = f16_to_f32;

template <half_value VALUE> float mma_a(const mma_lane *const *l, int row, int k)
{
    const mma_lane *from = l[row % 8 * 4 + k % 8 / 2];

    return VALUE((uint16_t)(from->a[k / 8 * 2 + row / 8] >> k % 2 * 16));
}

template <half_value VALUE> float mma_b(const mma_lane *const *l, int k, int col)
{
    const mma_lane *from = l[col * 4 + k % 8 / 2];

    return VALUE((uint16_t)(from->b[k / 8] >> k % 2 * 16));
}

/* Eight products at a time, exact in double, are added to the sum. */
template <half_value VALUE> void mma_tile(void *const lane[32], unsigned)
{
    const mma_lane *l[32];
    float a[16][16], b[16][8];

    for (int i = 0; i < 32; i++)
        l[i] = static_cast<const mma_lane *>(lane[i]);
    for (int k = 0; k < 16; k++) {
        for (int i = 0; i < 16; i++)
            a[i][k] = mma_a<VALUE>(l, i, k);
        for (int i = 0; i < 8; i++)
            b[k][i] = mma_b<VALUE>(l, k, i);
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            float *d = &l[i % 8 * 4 + j / 2]->d[i / 8 * 2 + j % 2];
            for (int k0 = 0; k0 < 16; k0 += 8) {
                double sum = *d;
                for (int k = k0; k < k0 + 8; k++)
                    sum += (double)a[i][k] * b[k][j];
                *d = truncated(sum);
            }
        }
}

struct mma8_lane {
    int32_t *d;
    const uint32_t *a, *b;
};

/* Byte K of a row of A, or of a column of B.  */
static inline int byte_at(const uint32_t *r, int k)
{
    return (int)(r[k / 16] >> k % 4 * 8 & 0xff);
}

static inline void mma8_tile(void *const lane[32], unsigned)
{
    const mma8_lane *l[32];

    for (int i = 0; i < 32; i++)
        l[i] = static_cast<const mma8_lane *>(lane[i]);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            int32_t &d = l[i % 8 * 4 + j / 2]->d[i / 8 * 2 + j % 2];
            for (int k = 0; k < 32; k++) {
                const uint32_t *a = l[i % 8 * 4 + k % 16 / 4]->a;
                const uint32_t half[2] = {a[i / 8], a[2 + i / 8]};
                d += byte_at(half, k) * (int8_t)byte_at(l[j * 4 + k % 16 / 4]->b, k);
            }
        }
}

struct ldmatrix_lane {
    uint32_t *r;
    const uint16_t *row;
};

template <bool TRANS> void ldmatrix(void *const lane[32], unsigned)
{
    for (int i = 0; i < 32; i++)
        for (int m = 0; m < 4; m++) {
            uint16_t pair[2];
            for (int p = 0; p < 2; p++) {
                int row = i / 4, col = i % 4 * 2 + p;
                int from = TRANS ? col : row, at = TRANS ? row : col;
                pair[p] = static_cast<ldmatrix_lane *>(lane[m * 8 + from])->row[at];
            }
            static_cast<ldmatrix_lane *>(lane[i])->r[m] = pair[0] | (uint32_t)pair[1] << 16;
        }
}

template <bool TRANS> void load_matrices(uint32_t (&r)[4], const void *row, const site &at)
{
    ldmatrix_lane mine = {r, static_cast<const uint16_t *>(row)};

    check_shared(row, 16, at);
    warp(0xffffffffu, &mine, ldmatrix<TRANS>, at);
}
} // namespace emu

template <class T>
static inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                       const emu::site &at = emu::site::current())
{
    emu::mma_lane mine = {d, a, b};

    emu::warp(0xffffffffu, &mine, emu::mma_tile<emu::value_of<T>>, at);
}

static inline void mma_u8s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                            const emu::site &at = emu::site::current())
{
    emu::mma8_lane mine = {d, a, b};

    emu::warp(0xffffffffu, &mine, emu::mma8_tile, at);
}

static inline int32_t dot4_u8s8(uint32_t a, uint32_t b, int32_t c)
{
    for (int i = 0; i < 32; i += 8)
        c += (int)(a >> i & 0xff) * (int8_t)(b >> i & 0xff);
    return c;
}

static inline void ldmatrix4(uint32_t (&r)[4], const void *row,
                             const emu::site &at = emu::site::current())
{
    emu::load_matrices<false>(r, row, at);
}

static inline void ldmatrix4_trans(uint32_t (&r)[4], const void *row,
                                   const emu::site &at = emu::site::current())
{
    emu::load_matrices<true>(r, row, at);
}

static inline void cp_async16(void *to, const void *from, bool valid,
                              const emu::site &at = emu::site::current())
{
    emu::copy_start(to, from, valid, at);
}

static inline void cp_async_commit()
{
    emu::copy_commit();
}

template <int N> static inline void cp_async_wait()
{
    emu::copy_wait(N);
}

#endif
