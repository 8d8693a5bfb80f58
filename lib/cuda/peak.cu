/* peak.cu -- what the GPU does at best, measured: see struct device's peak().
 * SPDX-License-Identifier: MIT
 *
 * A copy of several times what the second cache holds; chains of multiply-adds
 * in registers; tile products of mma.cuh.  These are of Ampere: Hopper has
 * faster ones (wgmma), which no kernel here uses, so a share of this ceiling is
 * that of what the kernels could reach.  */
#include "cuda/cuda.cuh"
#include "cuda/mma.cuh"

/* ---- what is repeated ---- */

__global__ void copy_all(int64_t count, const float4 *from, float4 *to)
{
    for (EACH (i, count))
        to[i] = from[i];
}

/* Chains that hide the time of one step.  Nothing is ever stored, which the
 * compiler does not know.  */
__global__ void multiply_adds(int64_t rounds, float *never)
{
    enum { CHAINS = 8 };
    float a[CHAINS], sum = 0;

    for (int k = 0; k < CHAINS; k++)
        a[k] = (float)(threadIdx.x + k);
    for (int64_t i = 0; i < rounds; i++)
#pragma unroll
        for (int k = 0; k < CHAINS; k++)
            a[k] = fmaf(a[k], 0.9999f, 0.0001f);
    for (int k = 0; k < CHAINS; k++)
        sum += a[k];
    if (sum < 0)
        *never = sum;
}

enum { CHAIN_FLOP = 8 * 2, TILES = 4 };

/* Numbers of either sign that differ by thread: a product of zeros takes less
 * power, and is faster.  Of 16 bits from 1/2 to 1, HALF as 1/2 is written; bytes
 * are any.  A tile product adds up DEPTH.  */
template <class T> struct pattern;
template <> struct pattern<__nv_bfloat16> {
    typedef float sum;
    static constexpr uint32_t half = 0x3f003f00, changes = 0x807f807f;
    static constexpr int depth = 16;
};
template <> struct pattern<__half> {
    typedef float sum;
    static constexpr uint32_t half = 0x38003800, changes = 0x83ff83ff;
    static constexpr int depth = 16;
};
template <> struct pattern<uint8_t> {
    typedef int32_t sum;
    static constexpr uint32_t half = 0, changes = 0xffffffff;
    static constexpr int depth = 32;
};

template <class T> __device__ uint32_t some(uint32_t i)
{
    return ((threadIdx.x + i + 1) * 2654435761u & pattern<T>::changes) | pattern<T>::half;
}

template <class T> __global__ void products(int64_t rounds, float *never)
{
    typename pattern<T>::sum d[TILES][4] = {}, sum = 0;
    uint32_t a[4], b[2];

    for (int k = 0; k < 4; k++)
        a[k] = some<T>(k);
    for (int k = 0; k < 2; k++)
        b[k] = some<T>(4 + k);
    for (int64_t i = 0; i < rounds; i++)
#pragma unroll
        for (int k = 0; k < TILES; k++)
            if constexpr (pattern<T>::depth == 32)
                mma_u8s8(d[k], a, b);
            else
                mma<T>(d[k], a, b);
    for (int k = 0; k < TILES; k++)
        sum += d[k][0] + d[k][1] + d[k][2] + d[k][3];
    if (sum == 1234567936) /* a float as well */
        *never = (float)sum;
}

/* ---- trials ---- */

struct trial {
    const struct device *device;
    cudaEvent_t from, to;
    unsigned blocks; /* that fill it */
    float *x, *y;    /* of `bytes' each */
    size_t bytes;
};

/* Starts N rounds; returns what they do, in bytes or operations.  */
typedef double start_fn(const struct trial *t, int64_t n);

static double start_copy(const struct trial *t, int64_t n)
{
    const int64_t count = (int64_t)(t->bytes / sizeof(float4));

    for (int64_t i = 0; i < n; i++)
        launch(t->device, copy_all, blocks_for(count), THREADS, count, (const float4 *)t->x,
               (float4 *)t->y);
    return 2.0 * (double)t->bytes * (double)n;
}

static double start_multiply_adds(const struct trial *t, int64_t n)
{
    launch(t->device, multiply_adds, dim3(t->blocks), THREADS, n, t->x);
    return (double)n * (int)CHAIN_FLOP * (int)THREADS * t->blocks;
}

template <class T> static double start_products(const struct trial *t, int64_t n)
{
    const int flop = TILES * 2 * 16 * 8 * pattern<T>::depth;

    launch(t->device, products<T>, dim3(t->blocks), THREADS, n, t->x);
    return (double)n * flop * (int)(THREADS / WARP) * t->blocks;
}

static start_fn *const starts[PEAKS] = {
    start_copy,
    start_multiply_adds,
    start_products<__nv_bfloat16>,
    start_products<__half>,
    start_products<uint8_t>,
};

/* What N rounds do in a second, and the seconds that they took; 0: failed.  */
static double rate(const struct trial *t, start_fn *start, int64_t n, double *seconds)
{
    float ms = 0;
    double done;

    cudaEventRecord(t->from, stream_of(t->device));
    done = start(t, n);
    cudaEventRecord(t->to, stream_of(t->device));
    cudaEventSynchronize(t->to);
    if (cudaEventElapsedTime(&ms, t->from, t->to) != cudaSuccess)
        ms = 0;
    *seconds = 1e-3 * ms;
    return ms > 0 ? done / *seconds : 0;
}

/* The best of some runs that are long enough for the clock.  */
static double best_of(const struct trial *t, start_fn *start)
{
    const int64_t most = (int64_t)1 << 30;
    enum { RUNS = 7 };
    double best = 0, seconds = 0;
    int64_t n = 1;

    while (rate(t, start, n, &seconds) > 0 && seconds < 5e-3 && n < most)
        n *= 2;
    for (int i = 0; i < RUNS; i++) {
        const double r = rate(t, start, n, &seconds);

        best = r > best ? r : best;
    }
    return best;
}

static int attribute(const struct device *d, enum cudaDeviceAttr what)
{
    int value = 0;

    cudaDeviceGetAttribute(&value, what, ((const struct cuda *)d)->index);
    return value > 0 ? value : 1;
}

double cuda_peak(const struct device *d, enum peak what, struct pool *pool)
{
    enum { BLOCKS = 8, CACHES = 6 }; /* on each processor; in a copy */
    struct err e = {};
    struct trial t = {d};
    double best = 0;

    (void)pool;
    t.blocks = (unsigned)(BLOCKS * attribute(d, cudaDevAttrMultiProcessorCount));
    t.bytes = what == PEAK_COPY ? CACHES * (size_t)attribute(d, cudaDevAttrL2CacheSize) : 64;
    t.x = (float *)d->alloc(d, t.bytes, &e);
    t.y = (float *)d->alloc(d, t.bytes, &e);
    if (t.x && t.y && cudaEventCreate(&t.from) == cudaSuccess &&
        cudaEventCreate(&t.to) == cudaSuccess)
        best = best_of(&t, starts[what]);
    if (t.to)
        cudaEventDestroy(t.to);
    if (t.from)
        cudaEventDestroy(t.from);
    d->release(d, t.x, t.bytes);
    d->release(d, t.y, t.bytes);
    return best;
}
