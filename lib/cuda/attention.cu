/* attention.cu -- each token as a mean of all tokens, in f32.
 * SPDX-License-Identifier: MIT
 *
 * A block has R queries (or keys) of one head and goes over all keys (or
 * queries) in tiles of R; likeness is never stored.  Forward keeps the largest
 * score of each row and rescales; backward makes the shares again from the
 * logarithm that was kept, once for queries and once for keys, so that each
 * gradient is one sum in one order.  Dao, "FlashAttention-2", 2023.
 *
 * Threads stand in a square of 16 x 16; each has rows y, y + 16, ... and
 * columns x, x + 16, ... of a tile.  Tiles lie in shared memory with one number
 * of room behind each row, against bank conflicts.  A block for a processor is
 * asked for so that all sums stay in registers.  */
#include "cuda/attention.cuh"
#include "cuda/shared.cuh"

enum { SQUARE = 16 };

/* Heads of up to D numbers.  */
template <int D> struct tiles {
    static constexpr int r = D <= 64 ? 64 : 32;
    static constexpr int side = r / SQUARE, wide = D / SQUARE; /* of a thread */
    static constexpr int step = D + 1, size = r * step;        /* tokens */
    static constexpr int p_step = r + 1, p_size = r * p_step;  /* likeness */
};

/* Tokens from FROM on, STEP apart; zeros behind the last and behind the head. */
template <int D>
__device__ __forceinline__ void bring(float *to, const struct attn<float> &s, const float *p,
                                      int64_t step, int64_t from)
{
    typedef tiles<D> form;

    for (int i = threadIdx.x; i < form::r * D; i += THREADS) {
        const int row = i / D, c = i % D;

        to[row * form::step + c] = from + row < s.t && c < s.d ? p[(from + row) * step + c] : 0;
    }
}

template <int D>
__device__ __forceinline__ void bring_part(float *to, const struct attn<float> &s,
                                           const struct head<float> &h, int part, int64_t from)
{
    bring<D>(to, s, h.x + part * s.c, PARTS * s.c, from);
}

/* sum[i][j] += sum over K of a(row i, k) b(column j, k): A and B lie by row or
 * column and by k with those steps.  */
template <int I, int J, int K, int AI, int AK, int BJ, int BK>
__device__ __forceinline__ void product(float (&sum)[I][J], const float *a, const float *b)
{
    const int y = threadIdx.x / SQUARE, x = threadIdx.x % SQUARE;

#pragma unroll 4
    for (int k = 0; k < K; k++) {
        float p[I], q[J];

#pragma unroll
        for (int i = 0; i < I; i++)
            p[i] = a[(y + i * SQUARE) * AI + k * AK];
#pragma unroll
        for (int j = 0; j < J; j++)
            q[j] = b[(x + j * SQUARE) * BJ + k * BK];
#pragma unroll
        for (int i = 0; i < I; i++)
#pragma unroll
            for (int j = 0; j < J; j++)
                sum[i][j] = fmaf(p[i], q[j], sum[i][j]);
    }
}

/* Over the threads of one row.  */
__device__ __forceinline__ float row_max(float v)
{
    for (int d = SQUARE / 2; d; d /= 2)
        v = fmaxf(v, __shfl_xor_sync(~0u, v, d));
    return v;
}

__device__ __forceinline__ float row_sum(float v)
{
    for (int d = SQUARE / 2; d; d /= 2)
        v += __shfl_xor_sync(~0u, v, d);
    return v;
}

/* Q k' becomes likeness, of none behind the last key.  */
__device__ __forceinline__ float score(const struct attn<float> &s, const struct head<float> &h,
                                       float dot, int64_t t, int64_t u)
{
    if (u >= s.t)
        return -INFINITY;
    return dot * s.scale + (h.bias && t < s.t ? h.bias[t * s.t + u] : 0);
}

/* ---- forward ---- */

/* One row of a tile of scores becomes shares of what the row has so far, whose
 * largest score is *MAX and whose sum is *SUM; returns what the mean so far is
 * multiplied with.  */
template <int S> __device__ float rescale(float (&p)[S], float *max, float *sum)
{
    const float was = *max;
    float most = -INFINITY, all = 0, shrink;

#pragma unroll
    for (int j = 0; j < S; j++)
        most = fmaxf(most, p[j]);
    *max = fmaxf(was, row_max(most));
    shrink = was == *max ? 1 : expf(was - *max);
#pragma unroll
    for (int j = 0; j < S; j++) {
        p[j] = p[j] == -INFINITY ? 0 : expf(p[j] - *max);
        all += p[j];
    }
    *sum = *sum * shrink + row_sum(all);
    return shrink;
}

template <int D>
__global__ void __launch_bounds__(THREADS, 1) attend(struct attn<float> s, float *y, float *lses)
{
    typedef tiles<D> form;
    constexpr int side = form::side;
    float *q = cuda_dynamic_shared<float>(), *k = q + form::size, *v = k + form::size;
    float *p = v + form::size;
    const struct head<float> h = head_of(s, blockIdx.x);
    const int64_t n = blockIdx.x / s.heads, t0 = (int64_t)blockIdx.y * form::r;
    const int ty = threadIdx.x / SQUARE, tx = threadIdx.x % SQUARE;
    float max[side], sum[side], mean[side][form::wide] = {};

    for (int i = 0; i < side; i++) {
        max[i] = -INFINITY;
        sum[i] = 0;
    }
    bring_part<D>(q, s, h, QUERY, t0);
    for (int64_t u0 = 0; u0 < s.t; u0 += form::r) {
        float dot[side][side] = {};

        __syncthreads();
        bring_part<D>(k, s, h, KEY, u0);
        bring_part<D>(v, s, h, VALUE, u0);
        __syncthreads();
        product<side, side, D, form::step, 1, form::step, 1>(dot, q, k);
#pragma unroll
        for (int i = 0; i < side; i++) {
            const int row = ty + i * SQUARE;
            float shrink;

#pragma unroll
            for (int j = 0; j < side; j++)
                dot[i][j] = score(s, h, dot[i][j], t0 + row, u0 + tx + j * SQUARE);
            shrink = rescale(dot[i], &max[i], &sum[i]);
#pragma unroll
            for (int j = 0; j < side; j++)
                p[row * form::p_step + tx + j * SQUARE] = dot[i][j];
#pragma unroll
            for (int j = 0; j < form::wide; j++)
                mean[i][j] *= shrink;
        }
        __syncthreads();
        product<side, form::wide, form::r, form::p_step, 1, 1, form::step>(mean, p, v);
    }
#pragma unroll
    for (int i = 0; i < side; i++) {
        const int64_t t = t0 + ty + i * SQUARE;

        if (t >= s.t)
            continue;
#pragma unroll
        for (int j = 0; j < form::wide; j++)
            if (tx + j * SQUARE < s.d)
                y[(n * s.t + t) * s.c + blockIdx.x % s.heads * s.d + tx + j * SQUARE] =
                    mean[i][j] / sum[i];
        if (tx == 0 && lses)
            lses[h.at + t] = max[i] + logf(sum[i]);
    }
}

/* ---- backward ---- */

/* Shares P of queries from T0 on (tile Q, their gradients DO) and keys from U0
 * on (K, V), and the slopes DS of the scores.  */
template <int D>
__device__ __forceinline__ void
slopes(const struct attn<float> &s, const struct head<float> &h, int64_t t0, int64_t u0,
       const float *q, const float *dy, const float *k, const float *v,
       float (&p)[tiles<D>::side][tiles<D>::side], float (&ds)[tiles<D>::side][tiles<D>::side])
{
    typedef tiles<D> form;
    constexpr int side = form::side;

#pragma unroll
    for (int i = 0; i < side; i++)
#pragma unroll
        for (int j = 0; j < side; j++)
            p[i][j] = ds[i][j] = 0;
    product<side, side, D, form::step, 1, form::step, 1>(p, q, k);
    product<side, side, D, form::step, 1, form::step, 1>(ds, dy, v);
#pragma unroll
    for (int i = 0; i < side; i++) {
        const int64_t t = t0 + threadIdx.x / SQUARE + i * SQUARE;
        const float lse = t < s.t ? s.lse[h.at + t] : 0, delta = t < s.t ? s.delta[h.at + t] : 0;

#pragma unroll
        for (int j = 0; j < side; j++) {
            const int64_t u = u0 + threadIdx.x % SQUARE + j * SQUARE;

            p[i][j] = t < s.t && u < s.t ? expf(score(s, h, p[i][j], t, u) - lse) : 0;
            ds[i][j] = p[i][j] * (ds[i][j] - delta);
        }
    }
}

template <int S> __device__ __forceinline__ void keep(float *to, int step, const float (&p)[S][S])
{
    const int y = threadIdx.x / SQUARE, x = threadIdx.x % SQUARE;

#pragma unroll
    for (int i = 0; i < S; i++)
#pragma unroll
        for (int j = 0; j < S; j++)
            to[(y + i * SQUARE) * step + x + j * SQUARE] = p[i][j];
}

/* Gradients of tokens from FROM on, of one part of dx.  */
template <int D>
__device__ __forceinline__ void store(const struct attn<float> &s, float *dx, int part,
                                      int64_t from, float scale,
                                      const float (&sum)[tiles<D>::side][tiles<D>::wide])
{
    const int64_t n = blockIdx.x / s.heads, h = blockIdx.x % s.heads;
    const int y = threadIdx.x / SQUARE, x = threadIdx.x % SQUARE;

#pragma unroll
    for (int i = 0; i < tiles<D>::side; i++)
#pragma unroll
        for (int j = 0; j < tiles<D>::wide; j++) {
            const int64_t t = from + y + i * SQUARE, c = x + j * SQUARE;

            if (t < s.t && c < s.d)
                dx[((n * s.t + t) * PARTS + part) * s.c + h * s.d + c] = scale * sum[i][j];
        }
}

template <int D>
__global__ void __launch_bounds__(THREADS, 1) queries_backward(struct attn<float> s, float *dx)
{
    typedef tiles<D> form;
    float *q = cuda_dynamic_shared<float>(), *dy = q + form::size, *k = dy + form::size;
    float *v = k + form::size, *kept = v + form::size;
    const struct head<float> h = head_of(s, blockIdx.x);
    const int64_t t0 = (int64_t)blockIdx.y * form::r;
    float dq[form::side][form::wide] = {};

    bring_part<D>(q, s, h, QUERY, t0);
    bring<D>(dy, s, h.dy, s.c, t0);
    for (int64_t u0 = 0; u0 < s.t; u0 += form::r) {
        float p[form::side][form::side], ds[form::side][form::side];

        __syncthreads();
        bring_part<D>(k, s, h, KEY, u0);
        bring_part<D>(v, s, h, VALUE, u0);
        __syncthreads();
        slopes<D>(s, h, t0, u0, q, dy, k, v, p, ds);
        keep(kept, form::p_step, ds);
        __syncthreads();
        product<form::side, form::wide, form::r, form::p_step, 1, 1, form::step>(dq, kept, k);
    }
    store<D>(s, dx, QUERY, t0, s.scale, dq);
}

template <int D>
__global__ void __launch_bounds__(THREADS, 1) keys_backward(struct attn<float> s, float *dx)
{
    typedef tiles<D> form;
    float *k = cuda_dynamic_shared<float>(), *v = k + form::size, *q = v + form::size;
    float *dy = q + form::size, *shares = dy + form::size, *kept = shares + form::p_size;
    const struct head<float> h = head_of(s, blockIdx.x);
    const int64_t u0 = (int64_t)blockIdx.y * form::r;
    float dk[form::side][form::wide] = {}, dv[form::side][form::wide] = {};

    bring_part<D>(k, s, h, KEY, u0);
    bring_part<D>(v, s, h, VALUE, u0);
    for (int64_t t0 = 0; t0 < s.t; t0 += form::r) {
        float p[form::side][form::side], ds[form::side][form::side];

        __syncthreads();
        bring_part<D>(q, s, h, QUERY, t0);
        bring<D>(dy, s, h.dy, s.c, t0);
        __syncthreads();
        slopes<D>(s, h, t0, u0, q, dy, k, v, p, ds);
        keep(shares, form::p_step, p);
        keep(kept, form::p_step, ds);
        __syncthreads();
        product<form::side, form::wide, form::r, 1, form::p_step, 1, form::step>(dv, shares, dy);
        product<form::side, form::wide, form::r, 1, form::p_step, 1, form::step>(dk, kept, q);
    }
    store<D>(s, dx, KEY, u0, s.scale, dk);
    store<D>(s, dx, VALUE, u0, 1, dv);
}

/* The sum of the slopes over chunk blockIdx.z, of PER samples, of those that
 * take bias blockIdx.y / heads: db is [chunk][group, head][t][t].  */
template <int D>
__global__ void __launch_bounds__(THREADS, 1)
    bias_backward(struct attn<float> s, int64_t per, float *db)
{
    typedef tiles<D> form;
    float *q = cuda_dynamic_shared<float>(), *dy = q + form::size, *k = dy + form::size;
    float *v = k + form::size;
    const int64_t across = (s.t + form::r - 1) / form::r;
    const int64_t t0 = blockIdx.x / across * form::r, u0 = blockIdx.x % across * form::r;
    const int64_t g = blockIdx.y / s.heads, end = (blockIdx.z + 1) * per;
    float sum[form::side][form::side] = {};

    db += ((int64_t)blockIdx.z * gridDim.y + blockIdx.y) * s.t * s.t;
    for (int64_t i = blockIdx.z * per; i < end && g + i * s.groups < s.samples; i++) {
        const struct head<float> h =
            head_of(s, (g + i * s.groups) * s.heads + blockIdx.y % s.heads);
        float p[form::side][form::side], ds[form::side][form::side];

        __syncthreads();
        bring_part<D>(q, s, h, QUERY, t0);
        bring<D>(dy, s, h.dy, s.c, t0);
        bring_part<D>(k, s, h, KEY, u0);
        bring_part<D>(v, s, h, VALUE, u0);
        __syncthreads();
        slopes<D>(s, h, t0, u0, q, dy, k, v, p, ds);
#pragma unroll
        for (int a = 0; a < form::side; a++)
#pragma unroll
            for (int b = 0; b < form::side; b++)
                sum[a][b] += ds[a][b];
    }
#pragma unroll
    for (int a = 0; a < form::side; a++)
#pragma unroll
        for (int b = 0; b < form::side; b++) {
            const int64_t t = t0 + threadIdx.x / SQUARE + a * SQUARE;
            const int64_t u = u0 + threadIdx.x % SQUARE + b * SQUARE;

            if (t < s.t && u < s.t)
                db[t * s.t + u] = sum[a][b];
        }
}

/* ---- launching ---- */

/* Bytes of TOKENS tiles of tokens and LIKE of likeness.  */
template <int D> static constexpr size_t bytes(int tokens, int like)
{
    return sizeof(float) * (size_t)(tokens * tiles<D>::size + like * tiles<D>::p_size);
}

template <int D> static dim3 grid_of(const struct attn<float> &s)
{
    return dim3((unsigned)(s.samples * s.heads), (unsigned)div_up(s.t, tiles<D>::r));
}

template <int D> static void forward_by(const struct kernel_args *a, const struct attn<float> &s)
{
    launch_shared(device_of(a), attend<D>, grid_of<D>(s), THREADS, bytes<D>(3, 1), s,
                  data<float>(&a->op.out[ATTN_Y]), data<float>(&a->op.out[ATTN_LSE]));
}

template <int D>
static void bias_by(const struct kernel_args *a, const struct attn<float> &s, float *partial)
{
    const int64_t tiles_t = div_up(s.t, tiles<D>::r), count = s.groups * s.heads * s.t * s.t;
    const int chunks = (int)attn_chunks(s);

    launch_shared(
        device_of(a), bias_backward<D>,
        dim3((unsigned)(tiles_t * tiles_t), (unsigned)(s.groups * s.heads), (unsigned)chunks),
        THREADS, bytes<D>(4, 0), s, attn_chunk(s), partial);
    launch(device_of(a), gemm_join<in_order>, blocks_for(count), THREADS, partial, count, chunks,
           in_order(), data<float>(&a->op.din[ATTN_BIAS]));
}

template <int D> static void backward_by(const struct kernel_args *a, const struct attn<float> &s)
{
    float *delta = (float *)a->scratch, *dx = data<float>(&a->op.din[ATTN_X]);
    const int64_t rows = s.samples * s.heads * s.t;

    launch(device_of(a), attn_deltas<float>, blocks_for(rows), THREADS, s,
           data<float>(&a->op.out[ATTN_Y]), delta);
    if (dx) {
        launch_shared(device_of(a), queries_backward<D>, grid_of<D>(s), THREADS, bytes<D>(4, 1), s,
                      dx);
        launch_shared(device_of(a), keys_backward<D>, grid_of<D>(s), THREADS, bytes<D>(4, 2), s,
                      dx);
    }
    if (a->op.din[ATTN_BIAS].data)
        bias_by<D>(a, s, delta + rows);
}

#define BY_SIZE(fn, a, s) \
    ((s).d <= 32 ? fn<32> : (s).d <= 64 ? fn<64> : (s).d <= 128 ? fn<128> : fn<256>)((a), (s))

static void forward(const struct kernel_args *a)
{
    const struct attn<float> s = attn_args<float>(a);

    if (s.samples && s.t)
        BY_SIZE(forward_by, a, s);
}

static void backward(const struct kernel_args *a)
{
    const struct attn<float> s = attn_args<float>(a);

    if (s.samples && s.t)
        BY_SIZE(backward_by, a, s);
}

/* More does not fit into shared memory.  */
static int fits(const struct step_nodes *s)
{
    return attn_bound(s).d <= 256 && attn_grid_fits(s);
}

/* clang-format off */
extern "C" const struct kernel cuda_attention_kernels[] = {
    {.name = "attention", .op = "attention", .dir = DIR_FORWARD, .dtypes = F32, .accepts = fits,
     .run = forward},
    {.name = "attention", .op = "attention", .dir = DIR_BACKWARD, .dtypes = F32, .accepts = fits,
     .scratch = attn_scratch, .run = backward},
    {},
};
/* clang-format on */
