/* cuda.cuh -- what the kernels of the GPU share.
 * SPDX-License-Identifier: MIT
 *
 * A file of kernels holds the device code, what launches it, and the offers
 * (struct kernel) for the planner.  It is plain CUDA C++ without <<<>>>, so
 * that the tests can run it on the CPU (tests/cuda/emu).
 *
 * Values of rank 4 lie as [N][H][W][C], others row-major; numbers are float,
 * bfloat16 or half in memory and float in registers.  Kernels are templates over
 * that type, T, and what is different about one is in form<T>, get(), put() and
 * mma(): bf16 has float's range, f16 three more bits, and infinity from 65520
 * on.  Sums over more than a block are made in two stages of fixed shape,
 * without atomics: the same bits in every run.  */
#ifndef ADZE_CUDA_CUDA_CUH
#define ADZE_CUDA_CUDA_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

extern "C" {
#include "base/err.h"
#include "base/rng.h"
#include "graph/attr.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/window.h"
}

typedef __nv_bfloat16 bf16;
typedef __half f16;

struct cuda {
    struct device device;
    int index;
    cudaStream_t stream;
    cudaStream_t sending; /* what is sent beside it */
    cudaEvent_t sent;     /* all of that until now */
    size_t held, most;    /* bytes that alloc() has given, and once had */
};

enum { THREADS = 256, WARP = 32 };

#define F32 (1u << DTYPE_F32)
#define ANY (~0u)

/* ---- numbers in memory ---- */

template <class T> struct form;
template <> struct form<float> {
    static constexpr enum layout layout = LAYOUT_NHWC, plain = LAYOUT_PLAIN;
    static constexpr enum precision narrow = PRECISION_FP32;
};
template <> struct form<bf16> {
    static constexpr enum layout layout = LAYOUT_NHWCH, plain = LAYOUT_PLAINH;
    static constexpr enum precision narrow = PRECISION_BF16;
};
template <> struct form<f16> {
    static constexpr enum layout layout = LAYOUT_NHWC_F16, plain = LAYOUT_PLAIN_F16;
    static constexpr enum precision narrow = PRECISION_FP16;
};

/* The offers M(T, ...) of all types, of those of 16 bits.  */
#define NARROW_TYPES(M, ...) M(bf16, __VA_ARGS__), M(f16, __VA_ARGS__)
#define EACH_TYPE(M, ...)    M(float, __VA_ARGS__), NARROW_TYPES(M, __VA_ARGS__)

__device__ __forceinline__ float get(float x)
{
    return x;
}

__device__ __forceinline__ float get(bf16 x)
{
    return __bfloat162float(x);
}

__device__ __forceinline__ float get(f16 x)
{
    return __half2float(x);
}

/* Levels of 8 bits: for what only moves them.  */
__device__ __forceinline__ uint8_t get(uint8_t x)
{
    return x;
}

__device__ __forceinline__ void put(uint8_t *p, uint8_t x)
{
    *p = x;
}

__device__ __forceinline__ void put(float *p, float x)
{
    *p = x;
}

__device__ __forceinline__ void put(bf16 *p, float x)
{
    *p = __float2bfloat16_rn(x);
}

__device__ __forceinline__ void put(f16 *p, float x)
{
    *p = __float2half_rn(x);
}

/* ---- launching ---- */

static inline cudaStream_t stream_of(const struct device *d)
{
    return ((const struct cuda *)d)->stream;
}

/* With BYTES of shared memory, cuda_dynamic_shared().  Errors show at
 * finish().  */
template <class... P, class... A>
static void launch_shared(const struct device *d, void (*k)(P...), dim3 grid, dim3 block,
                          size_t bytes, A... args)
{
    enum { USUAL = 48 << 10 };
    cudaLaunchConfig_t c = {};

    if (bytes > USUAL)
        cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
    c.gridDim = grid;
    c.blockDim = block;
    c.dynamicSmemBytes = bytes;
    c.stream = stream_of(d);
    cudaLaunchKernelEx(&c, k, (P)args...);
}

template <class... P, class... A>
static void launch(const struct device *d, void (*k)(P...), dim3 grid, dim3 block, A... args)
{
    launch_shared(d, k, grid, block, 0, args...);
}

static inline int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Blocks for COUNT elements, one or more a thread: see EACH.  */
static inline dim3 blocks_for(int64_t count)
{
    const int64_t most = 1 << 16, n = div_up(count, THREADS);

    return dim3((unsigned)(n < 1 ? 1 : n < most ? n : most));
}

/* for (EACH(i, count)): the elements of this thread.  */
#define EACH(i, count)                                          \
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; \
    i < (count);                                                \
    i += (int64_t)gridDim.x * blockDim.x

/* ---- operands ---- */

template <class T> static T *data(const struct tensor *t)
{
    return (T *)t->data;
}

static inline const struct device *device_of(const struct kernel_args *a)
{
    return a->step->device;
}

/* A value whose channels stand last: rows of C numbers.  Of rank 3 and more
 * only where it lies so.  */
struct rows {
    int64_t rows, c;
};

static inline struct rows rows_of(const struct tensor *t)
{
    const int64_t c = t->shape.dim[1], count = tensor_count(t);
    const struct rows r = {c ? count / c : 0, c};

    return r;
}

static inline int rank_of(const struct step_nodes *s)
{
    return s->node[0]->in[0]->shape.rank;
}

/* Of operand 0 of the forward node, bound.  */
static inline struct shape x_shape(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return shape_bind(n->dir == DIR_BACKWARD ? n->in_shape[0] : n->in[0]->shape, s->batch);
}

/* What it reads lies as values do: a tensor of the graph is plain.  */
static inline int is_computed(const struct step_nodes *s)
{
    const struct value *x = s->node[0]->in[0];

    return !x || x->shape.rank != 4 || !value_is_tensor(x);
}

/* A value of shape S (of the graph, not bound) is kept as its readers say:
 * pictures, and sequences of a batch.  Others are of f32, and plain but for
 * rank 4.  */
static inline int is_kept(const struct shape *s)
{
    return s->rank == 4 || (s->rank > 2 && s->batch);
}

/* So is operand 0, which was computed.  */
static inline int keeps_x(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *x = n->in[0];

    return n->dir == DIR_BACKWARD ? is_kept(&n->in_shape[0]) && !(x && value_is_tensor(x))
                                  : is_kept(&x->shape) && !value_is_tensor(x);
}

/* The shape of the first result, or of its gradient, in the graph.  */
static inline const struct shape *result_shape(const struct node *n)
{
    return n->dir == DIR_BACKWARD ? &n->in[n->n_in - 1]->shape : &n->out[0]->shape;
}

/* Rank 2 or 4: rows of channels.  */
static inline int is_rows(const struct step_nodes *s)
{
    return rank_of(s) == 4 || rank_of(s) == 2;
}

/* ---- within a block ---- */

/* The sum of X over a block of THREADS threads, in a fixed order; thread 0 has
 * it.  */
template <class T> __device__ T block_sum(T x)
{
    __shared__ T part[THREADS / WARP];

    for (int d = WARP / 2; d; d /= 2)
        x += __shfl_down_sync(~0u, x, d);
    if (threadIdx.x % WARP == 0)
        part[threadIdx.x / WARP] = x;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int i = 1; i < THREADS / WARP; i++)
            x += part[i];
    __syncthreads();
    return x;
}

/* The same for every thread.  */
template <class T> __device__ T block_total(T x)
{
    __shared__ T all;
    const T sum = block_sum(x);

    if (threadIdx.x == 0)
        all = sum;
    __syncthreads();
    x = all;
    __syncthreads();
    return x;
}

/* The sum over a warp, all of whose lanes have it.  */
template <class T> __device__ T warp_total(T x)
{
    for (int d = WARP / 2; d; d /= 2)
        x += __shfl_xor_sync(~0u, x, d);
    return x;
}

/* Blocks, one or more rows each: for (r = blockIdx.x; ...; r += gridDim.x).  */
static inline dim3 rows_grid(int64_t rows)
{
    return dim3((unsigned)(rows < 1 ? 1 : rows < 65536 ? rows : 65536));
}

/* ---- the lists of offers, each ended by one without a name ---- */

extern "C" {
extern const struct kernel cuda_attention_kernels[], cuda_attention_mma_kernels[],
    cuda_channel_kernels[], cuda_conv2d_8_kernels[], cuda_conv2d_computed_kernels[],
    cuda_conv2d_kernels[], cuda_deformconv2d_kernels[], cuda_eltwise_8_kernels[],
    cuda_linear_8_kernels[], cuda_move_8_kernels[], cuda_pool_8_kernels[], cuda_dwconv2d_kernels[],
    cuda_eltwise_kernels[], cuda_gridsample_kernels[], cuda_linear_kernels[], cuda_loss_kernels[],
    cuda_matmul_kernels[], cuda_mix_kernels[], cuda_move_kernels[], cuda_norm_kernels[],
    cuda_optim_kernels[], cuda_resample_kernels[], cuda_pool_kernels[], cuda_reduce_kernels[],
    cuda_samplenorm_kernels[], cuda_tokens_kernels[];
}

/* struct device's peak().  */
double cuda_peak(const struct device *d, enum peak what, struct pool *pool);

/* struct preparing's prepare().  */
void cuda_prepare(const struct device *d, const struct job_batch *b);

/* struct device's rearrange().  */
void cuda_rearrange(const struct device *d, const struct tensor *x, enum layout from,
                    const struct tensor *y, enum layout to, struct pool *pool);

#endif
