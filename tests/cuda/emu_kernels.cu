/* emu_kernels.cu -- kernels that the emulator is tried on.
 * SPDX-License-Identifier: MIT
 *
 * They compile for a GPU as well, so that the emulator's headers declare
 * nothing that the real ones do not.  */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

extern "C" {
#include "cuda/cuda.h"
#include "graph/device.h"
}
#include "cuda/mma.cuh"
#include "cuda/shared.cuh"
#include "emu_kernels.h"

namespace
{
/* Memory of the device with N numbers of X (NULL: none are copied). */
template <class T> T *upload(const T *x, size_t n)
{
    T *p = nullptr;

    if (!cudaMalloc(&p, n * sizeof *p) && x)
        cudaMemcpy(p, x, n * sizeof *p, cudaMemcpyHostToDevice);
    return p;
}

/* Their way back; frees P. */
template <class T> void download(T *y, T *p, size_t n)
{
    cudaMemcpy(y, p, n * sizeof *y, cudaMemcpyDeviceToHost);
    cudaFree(p);
}

cudaLaunchConfig_t config(dim3 grid, dim3 block, size_t shared = 0, cudaStream_t s = nullptr)
{
    cudaLaunchConfig_t c = {};

    c.gridDim = grid;
    c.blockDim = block;
    c.dynamicSmemBytes = shared;
    c.stream = s;
    return c;
}

/* ---- sums ---- */
__device__ __forceinline__ float warp_sum(float v)
{
#pragma unroll
    for (int by = 16; by; by /= 2)
        v += __shfl_down_sync(0xffffffffu, v, by);
    return v;
}

template <class T> __global__ void __launch_bounds__(1024) sum(const T *__restrict__ x, int n, T *y)
{
    __shared__ T part[32];
    T v = 0;

    for (int i = threadIdx.x; i < n; i += blockDim.x)
        v += __ldg(&x[i]);
    v = warp_sum(v);
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x >= 32)
        return;
    v = warp_sum(threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0);
    if (threadIdx.x == 0)
        *y = v;
}

/* ---- transpose ---- */
template <class T> __global__ void transpose(const T *x, int h, int w, T *y)
{
    __shared__ T tile[32][33]; /* a row more: no two of a column in one bank */
    int row = blockIdx.y * 32, col = blockIdx.x * 32;

    for (int i = threadIdx.y; i < 32; i += blockDim.y)
        if (row + i < h && col + (int)threadIdx.x < w)
            tile[i][threadIdx.x] = x[(row + i) * w + col + threadIdx.x];
    __syncthreads();
    for (int i = threadIdx.y; i < 32; i += blockDim.y)
        if (col + i < w && row + (int)threadIdx.x < h)
            y[(col + i) * h + row + threadIdx.x] = tile[threadIdx.x][i];
}

template <class T> cudaError_t run_transpose(const T *x, int h, int w, T *y)
{
    T *dx = upload(x, (size_t)h * w), *dy = upload<T>(nullptr, (size_t)h * w);
    cudaLaunchConfig_t c = config(dim3((w + 31) / 32, (h + 31) / 32), dim3(32, 8));
    cudaError_t e = cudaLaunchKernelEx(&c, transpose<T>, dx, h, w, dy);

    download(y, dy, (size_t)h * w);
    cudaFree(dx);
    return e;
}

/* ---- products of tiles ---- */
template <class T> __global__ void product(const uint16_t *a, const uint16_t *b, float *d)
{
    __shared__ __align__(16) uint16_t sa[16][16 + 8], sb[16][8 + 8];
    int lane = threadIdx.x, row = lane / 4, col = lane % 4 * 2;
    uint32_t ra[4], rb4[4];
    float *out = d + blockIdx.x * 128;

    for (int i = lane; i < 256; i += 32)
        sa[i / 16][i % 16] = a[blockIdx.x * 256 + i];
    for (int i = lane; i < 128; i += 32)
        sb[i / 8][i % 8] = b[blockIdx.x * 128 + i];
    __syncwarp();
    ldmatrix4(ra, &sa[lane % 16][lane / 16 * 8]);
    ldmatrix4_trans(rb4, &sb[lane % 16][0]); /* the latter half is unused */
    uint32_t rb[2] = {rb4[0], rb4[1]};
    float r[4] = {out[row * 8 + col], out[row * 8 + col + 1], out[(row + 8) * 8 + col],
                  out[(row + 8) * 8 + col + 1]};
    mma<T>(r, ra, rb);
    for (int i = 0; i < 4; i++)
        out[(row + i / 2 * 8) * 8 + col + i % 2] = r[i];
}

__global__ void mma8(const uint8_t *a, const int8_t *b, int *d, int *dots)
{
    __shared__ __align__(16) uint8_t sa[16][32 + 16], sb[16][32 + 16]; /* half is unused */
    int lane = threadIdx.x, row = lane / 4, col = lane % 4 * 2, r[4], sum = 0;
    uint32_t ra[4], rb4[4];
    int *out = d + blockIdx.x * 128;

    for (int i = lane; i < 512; i += 32)
        sa[i / 32][i % 32] = a[blockIdx.x * 512 + i];
    for (int i = lane; i < 512; i += 32)
        sb[i / 32][i % 32] = i < 256 ? (uint8_t)b[blockIdx.x * 256 + i] : 0;
    __syncwarp();
    ldmatrix4(ra, &sa[lane % 16][lane / 16 * 16]);
    ldmatrix4(rb4, &sb[lane % 16][lane / 16 * 16]);
    uint32_t rb[2] = {rb4[0], rb4[2]};
    for (int i = 0; i < 4; i++)
        r[i] = out[(row + i / 2 * 8) * 8 + col + i % 2];
    mma_u8s8(r, ra, rb);
    for (int i = 0; i < 4; i++)
        out[(row + i / 2 * 8) * 8 + col + i % 2] = r[i];
    for (int i = 0; i < 32; i += 4)
        sum = dot4_u8s8(*reinterpret_cast<uint32_t *>(&sa[lane % 16][i]),
                        *reinterpret_cast<uint32_t *>(&sb[lane % 8][i]), sum);
    dots[blockIdx.x * 32 + lane] = sum;
}

/* ---- a pipeline ---- */
template <int THREADS> __global__ void pipeline(const float *x, int n, int wait, float *y)
{
    constexpr int STAGES = 3, ROW = 4 * THREADS;
    float *ring = cuda_dynamic_shared<float>();
    int at = 4 * threadIdx.x, rows = (n + ROW - 1) / ROW;
    float4 sum = make_float4(0, 0, 0, 0);

    auto start = [&](int k) {
        bool valid = k * ROW + at < n;
        if (k < rows)
            cp_async16(&ring[k % STAGES * ROW + at], valid ? &x[k * ROW + at] : x, valid);
        cp_async_commit();
    };
    for (int k = 0; k < STAGES - 1; k++)
        start(k);
    for (int k = 0; k < rows; k++) {
        if (wait)
            cp_async_wait<STAGES - 2>();
        __syncthreads();
        float4 v = *reinterpret_cast<const float4 *>(&ring[k % STAGES * ROW + (at ^ 4)]);
        sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
        start(k + STAGES - 1);
    }
    *reinterpret_cast<float4 *>(&y[at ^ 4]) = sum;
}

/* ---- votes ---- */
__global__ void votes(const int *v, unsigned *y)
{
    int mine = v[threadIdx.x], any, all;
    unsigned warp = 0xffffffffu, set = __ballot_sync(warp, mine);
    int many = __syncthreads_count(mine);

    any = __syncthreads_or(mine);
    all = __syncthreads_and(mine);
    if (threadIdx.x < 32) {
        int sum = mine;
        for (int by = 1; by < 32; by *= 2) {
            int other = __shfl_up_sync(warp, sum, by);
            sum += (int)threadIdx.x >= by ? other : 0;
        }
        int wide = __shfl_sync(warp, sum, 31);
        double d = __shfl_xor_sync(warp, (double)sum, 31, 32);
        if (threadIdx.x == 0) {
            y[0] = set, y[1] = any, y[2] = all, y[3] = many, y[4] = wide;
            y[5] = d == wide && __popc(set) == wide;
        }
    }
    if (threadIdx.x == 40)
        atomicAdd(&y[6], __umulhi(1u << 31, 4));
    else
        atomicMax(&y[6], 1u);
}

/* ---- faults ---- */
__global__ void wrong(int what, int *y, int *host)
{
    __shared__ __align__(16) int shared[64];
    int i = threadIdx.x, v = i;
    unsigned all = 0xffffffffu;

    if (what != WRONG_POISON)
        shared[i] = i;
    if (what == WRONG_LEFT && i == 5)
        return;
    if (what == WRONG_BARRIERS && i < 16)
        __syncthreads();
    else if (what != WRONG_RACE && what != WRONG_CROSS)
        __syncthreads();
    if (what == WRONG_WARP_LEFT && i == 7)
        return;
    if (what == WRONG_CROSS && i < 16)
        __syncthreads();
    if (what == WRONG_WARP_LEFT || what == WRONG_CROSS)
        v = __shfl_xor_sync(all, v, 1);
    if (what == WRONG_MASK)
        v = __shfl_xor_sync(i < 16 ? all : all << 1, v, 1);
    if (what == WRONG_LINES)
        v = i < 16 ? __shfl_xor_sync(all, v, 1) : __shfl_xor_sync(all, v, 1);
    if (what == WRONG_OWN && i >= 16)
        v = __shfl_xor_sync(0xffffu, v, 1);
    if (what == WRONG_SOURCE && i < 16)
        v = __shfl_sync(0xffffu, v, 20);
    if (what == WRONG_ALIGN)
        cp_async16(&shared[1], y, true);
    if (what == WRONG_PLACE)
        cp_async16(&y[4], y, true);
    if (what == WRONG_BOUNDS)
        y[64 + i] = 0;
    if (what == WRONG_DYNAMIC)
        v = cuda_dynamic_shared<int>()[i];
    else
        v += shared[i ^ 1] - (i ^ 1);
    y[blockIdx.x * 32 + i] = v;
    if (host)
        *host = 0;
}

__global__ void few_lanes(int *y)
{
    y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
}

/* ---- a graph ---- */
__global__ void add(const float *x, float by, float *y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n)
        y[i] = x[i] + by;
}

/* HOST[n] up, plus BY, and down again. */
void enqueue(float *host, float *x, float *y, int n, float by, cudaStream_t s)
{
    cudaLaunchConfig_t c = config((n + 63) / 64, 64, 0, s);

    cudaMemcpyAsync(x, host, n * sizeof *x, cudaMemcpyHostToDevice, s);
    cudaMemsetAsync(y, 0, n * sizeof *y, s);
    cudaLaunchKernelEx(&c, add, (const float *)x, by, y, n);
    cudaMemcpyAsync(host, y, n * sizeof *x, cudaMemcpyDeviceToHost, s);
}
} // namespace

int emu_sum(const float *x, int n, int threads, float *y)
{
    float *dx = upload(x, n), *dy = upload<float>(nullptr, 1);

    if (!dx || !dy) {
        cudaFree(dx);
        cudaFree(dy);
        return cudaGetLastError();
    }
    cudaLaunchConfig_t c = config(1, threads);
    cudaError_t e = cudaLaunchKernelEx(&c, sum<float>, (const float *)dx, n, dy);

    download(y, dy, 1);
    cudaFree(dx);
    return e;
}

int emu_transpose(const void *x, int h, int w, int four, void *y)
{
    return four ? run_transpose((const float *)x, h, w, (float *)y)
                : run_transpose((const uint16_t *)x, h, w, (uint16_t *)y);
}

int emu_mma(const uint16_t *a, const uint16_t *b, float *d, int n, int half)
{
    uint16_t *da = upload(a, n * 256), *db = upload(b, n * 128);
    float *dd = upload(d, n * 128);
    cudaLaunchConfig_t c = config(n, 32);
    cudaError_t e = cudaLaunchKernelEx(&c, half ? product<__half> : product<__nv_bfloat16>,
                                       (const uint16_t *)da, (const uint16_t *)db, dd);

    download(d, dd, n * 128);
    cudaFree(da);
    cudaFree(db);
    return e;
}

int emu_mma8(const uint8_t *a, const int8_t *b, int *d, int *dots, int n)
{
    uint8_t *da = upload(a, n * 512);
    int8_t *db = upload(b, n * 256);
    int *dd = upload(d, n * 128), *ds = upload<int>(nullptr, n * 32);
    cudaLaunchConfig_t c = config(n, 32);
    cudaError_t e = cudaLaunchKernelEx(&c, mma8, (const uint8_t *)da, (const int8_t *)db, dd, ds);

    download(d, dd, n * 128);
    download(dots, ds, n * 32);
    cudaFree(da);
    cudaFree(db);
    return e;
}

int emu_pipeline(const float *x, int n, int wait, float *y)
{
    enum { THREADS = 64 };
    float *dx = upload(x, n), *dy = upload<float>(nullptr, 4 * THREADS);
    cudaLaunchConfig_t c = config(1, THREADS, 3 * 4 * THREADS * sizeof *x);
    cudaError_t e = cudaLaunchKernelEx(&c, pipeline<THREADS>, (const float *)dx, n, wait, dy);

    download(y, dy, 4 * THREADS);
    cudaFree(dx);
    return e;
}

int emu_votes(const int *v, int threads, unsigned *y)
{
    int *dv = upload(v, threads);
    unsigned *dy = upload(y, 7);
    cudaLaunchConfig_t c = config(1, threads);
    cudaError_t e = cudaLaunchKernelEx(&c, votes, (const int *)dv, dy);

    download(y, dy, 7);
    cudaFree(dv);
    return e;
}

int emu_wrong(int what, int *y)
{
    int *dy = upload<int>(nullptr, 64), *host = what == WRONG_HOST ? y : nullptr;
    cudaLaunchConfig_t c = config(what == WRONG_LANES ? 1 : 2, what == WRONG_LANES ? 24 : 32, 128);
    cudaError_t e = what == WRONG_LANES ? cudaLaunchKernelEx(&c, few_lanes, dy)
                                        : cudaLaunchKernelEx(&c, wrong, what, dy, host);

    download(y, dy, 64);
    return e;
}

int emu_replay(const float *x, float *y, int n, int rounds, int *early)
{
    float *host, *dx = upload<float>(nullptr, n), *dy = upload<float>(nullptr, n), by = 1;
    cudaStream_t s;
    cudaGraph_t g;
    cudaGraphExec_t run;

    cudaMallocHost(&host, n * sizeof *host);
    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
    enqueue(host, dx, dy, n, by, s);
    by = 100; /* no matter: the argument was taken */
    cudaError_t e = cudaStreamEndCapture(s, &g);
    cudaGraphInstantiate(&run, g, 0);
    cudaGraphDestroy(g);
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < n; i++)
            host[i] = x[r * n + i];
        cudaGraphLaunch(run, s);
        *early = host[0] != x[r * n];
        cudaStreamSynchronize(s);
        for (int i = 0; i < n; i++)
            y[r * n + i] = host[i];
    }
    cudaGraphExecDestroy(run);
    cudaStreamDestroy(s);
    cudaFreeHost(host);
    cudaFree(dx);
    cudaFree(dy);
    return e;
}

int emu_bad_capture(void)
{
    cudaStream_t s;
    cudaGraph_t g;

    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal);
    cudaStreamSynchronize(s);
    cudaError_t e = cudaStreamEndCapture(s, &g);
    cudaStreamDestroy(s);
    cudaGetLastError();
    return e;
}
