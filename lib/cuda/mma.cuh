/* mma.cuh -- what tensor cores do, and the copies that feed them.
 * SPDX-License-Identifier: MIT
 *
 * All lanes of a warp call these together, except those of cp_async.  A tile
 * product mma<T>(), of numbers of type T, is d[16,8] += a[16,16] b[16,8]; with
 * g = lane / 4, t = lane % 4, each register a pair (lower half first):
 *
 *     a[0]  row g,   columns 2t, 2t+1      b[0]  rows 2t, 2t+1, column g
 *     a[1]  row g+8                        b[1]  rows 2t+8, 2t+9
 *     a[2]  row g,   columns 2t+8, 2t+9    d[0], d[1]  row g, columns 2t, 2t+1
 *     a[3]  row g+8                        d[2], d[3]  row g+8
 *
 * Products are exact, sums in fp32; how these round is not documented (they
 * are said to be truncated), so tests allow for a unit in the last place of
 * each.
 *
 * Of bytes, u8 times s8, it is d[16,8] += a[16,32] b[32,8]; a register holds
 * four neighbours along the terms, the first lowest, and sums are exact:
 *
 *     a[0]  row g,   columns 4t .. 4t+3      b[0]  rows 4t .. 4t+3, column g
 *     a[1]  row g+8                          b[1]  rows 4t+16 .. 4t+19
 *     a[2]  row g,   columns 4t+16 .. 4t+19  d  as above
 *     a[3]  row g+8
 *
 * dot4_u8s8() adds four such products in one thread.
 *
 * ldmatrix loads four 8x8 matrices of 16 bits from shared memory: lanes 8i to
 * 8i+7 give the addresses of the rows of matrix i, 16 bytes each and aligned
 * so; r[i] is then row g, columns 2t, 2t+1 of matrix i, or of its transpose.
 *
 * cp_async16 copies 16 bytes to shared memory in the background, zeros unless
 * VALID (FROM is a valid address all the same).  The calling thread sees the
 * bytes after cp_async_commit() and cp_async_wait<N>(), which leaves the N
 * latest groups under way; the other threads after a barrier behind that.
 *
 * Sources: PTX ISA, "mma.sync.aligned.m16n8k16", "m16n8k32", "dp4a",
 * "ldmatrix", "cp.async".  */
#ifndef ADZE_CUDA_MMA_CUH
#define ADZE_CUDA_MMA_CUH

#include <cstdint>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

static __device__ __forceinline__ unsigned mma_shared_address(const void *p)
{
    return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

template <class T>
__device__ void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

template <>
__device__ __forceinline__ void mma<__nv_bfloat16>(float (&d)[4], const uint32_t (&a)[4],
                                                   const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <>
__device__ __forceinline__ void mma<__half>(float (&d)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ void mma_u8s8(int32_t (&d)[4], const uint32_t (&a)[4],
                                                const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ int32_t dot4_u8s8(uint32_t a, uint32_t b, int32_t c)
{
    int32_t d;

    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

static __device__ __forceinline__ void ldmatrix4(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(mma_shared_address(row))
                 : "memory");
}

static __device__ __forceinline__ void ldmatrix4_trans(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(mma_shared_address(row))
                 : "memory");
}

static __device__ __forceinline__ void cp_async16(void *to, const void *from, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(mma_shared_address(to)), "l"(__cvta_generic_to_global(from)),
                   "r"(valid ? 16 : 0)
                 : "memory");
}

static __device__ __forceinline__ void cp_async_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int N> static __device__ __forceinline__ void cp_async_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif
