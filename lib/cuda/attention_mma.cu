/* attention_mma.cu -- attention of sequences in 16 bits, by tensor cores.
 * SPDX-License-Identifier: MIT
 *
 * As attention.cu goes over tiles, but each of a block's 4 warps has 16 rows to
 * itself: rows are queries, and for the gradients of keys and values they are
 * keys.  Scores and their sums stay in registers, in
 * fp32; what the second product reads is rounded there, as the accumulators of
 * one product are operand A of the next.  Dao, "FlashAttention-2", 2023.  */
#include <string.h>

#include "cuda/attention.cuh"
#include "cuda/mma.cuh"
#include "cuda/shared.cuh"

/* Rows and threads of a block; numbers of one copy.  */
enum { SPAN = 64, ROW_THREADS = 128, COPY = 8 };

#define LOG2E 1.4426950408889634f
#define LN2   0.6931471805599453f

/* Tokens of heads of up to D numbers, with a gap behind each against bank
 * conflicts: the rows of a block; a tile of columns, so many that all sums stay
 * in registers.  */
template <int D> struct tile {
    static constexpr int columns = D <= 64 ? 64 : 32, eights = columns / 8;
    static constexpr int step = D + COPY, rows_size = SPAN * step, size = columns * step;
};

/* COUNT tokens from FROM on, STEP apart, in the background; zeros behind the
 * last and behind the head.  */
template <class T, int D, int COUNT>
__device__ __forceinline__ void bring(T *to, const struct attn<T> &s, const T *p, int64_t step,
                                      int64_t from)
{
    for (int i = threadIdx.x; i < COUNT * D / COPY; i += ROW_THREADS) {
        const int row = i / (D / COPY), c = i % (D / COPY) * COPY;
        const bool inside = from + row < s.t && c < s.d;

        cp_async16(to + row * tile<D>::step + c, inside ? p + (from + row) * step + c : p, inside);
    }
}

template <class T, int D, int COUNT>
__device__ __forceinline__ void bring_part(T *to, const struct attn<T> &s, const struct head<T> &h,
                                           int part, int64_t from)
{
    bring<T, D, COUNT>(to, s, h.x + part * s.c, PARTS * s.c, from);
}

__device__ __forceinline__ void arrived()
{
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
}

/* ---- the two products ---- */

/* Row g, g + 8 of the warp's 16 for registers 0, 1 and 2, 3.  */
__device__ __forceinline__ int own_row(int r)
{
    return (int)threadIdx.x / WARP * 16 + (int)threadIdx.x % WARP / 4 + r / 2 * 8;
}

__device__ __forceinline__ int own_column(int j, int r)
{
    return j * 8 + (int)threadIdx.x % 4 * 2 + r % 2;
}

/* p[row][column] = the product of row ROW of A, the warp's own, and of B.  */
template <class T, int D>
__device__ __forceinline__ void likeness(float (&p)[tile<D>::eights][4], const T *a, const T *b)
{
    const int lane = (int)threadIdx.x % WARP;
    const int at = lane % 16 * tile<D>::step + lane / 16 * 8;

    a += (int)threadIdx.x / WARP * 16 * tile<D>::step;
#pragma unroll
    for (int j = 0; j < tile<D>::eights; j++)
#pragma unroll
        for (int r = 0; r < 4; r++)
            p[j][r] = 0;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        uint32_t x[4], y[4];

        ldmatrix4(x, a + at + k);
#pragma unroll
        for (int j = 0; j < tile<D>::eights; j += 2) {
            ldmatrix4(y, b + j * 8 * tile<D>::step + at + k);
            mma<T>(p[j], x, {y[0], y[2]});
            mma<T>(p[j + 1], x, {y[1], y[3]});
        }
    }
}

/* Two numbers as a register has them.  */
template <class T> __device__ __forceinline__ uint32_t pair(float low, float high)
{
    T v[2];
    uint32_t r;

    put(&v[0], low);
    put(&v[1], high);
    memcpy(&r, v, sizeof r);
    return r;
}

/* sum[row] += the columns of P times the tokens B.  */
template <class T, int D>
__device__ __forceinline__ void mix(float (&sum)[D / 8][4], const float (&p)[tile<D>::eights][4],
                                    const T *b)
{
    const int lane = (int)threadIdx.x % WARP;
    const int at = (lane % 8 + lane / 16 * 8) * tile<D>::step + lane / 8 % 2 * 8;

#pragma unroll
    for (int j = 0; j < tile<D>::eights; j += 2) {
        const uint32_t x[4] = {pair<T>(p[j][0], p[j][1]), pair<T>(p[j][2], p[j][3]),
                               pair<T>(p[j + 1][0], p[j + 1][1]),
                               pair<T>(p[j + 1][2], p[j + 1][3])};
        uint32_t y[4];

#pragma unroll
        for (int c = 0; c < D / 8; c += 2) {
            ldmatrix4_trans(y, b + j * 8 * tile<D>::step + at + c * 8);
            mma<T>(sum[c], x, {y[0], y[2]});
            mma<T>(sum[c + 1], x, {y[1], y[3]});
        }
    }
}

/* Rows from FROM on go to Y, whose tokens lie STEP apart, times FACTOR of
 * rows r and r + 8.  */
template <class T, int D>
__device__ __forceinline__ void store(const struct attn<T> &s, T *y, int64_t step, int64_t from,
                                      const float (&sum)[D / 8][4], const float (&factor)[2])
{
#pragma unroll
    for (int c = 0; c < D / 8; c++)
#pragma unroll
        for (int r = 0; r < 4; r += 2) {
            const int64_t t = from + own_row(r), at = own_column(c, 0);
            const uint32_t two = pair<T>(sum[c][r] * factor[r / 2], sum[c][r + 1] * factor[r / 2]);

            if (t < s.t && at < s.d)
                memcpy(&y[t * step + at], &two, sizeof two);
        }
}

/* ---- scores ---- */

/* Where the thread's first score of a tile is: rows are queries, or, TURNED,
 * keys; of query t and key u.  */
template <int TURNED> struct place {
    int t, u;

    __device__ place(int64_t rows, int64_t columns)
        : t((int)(TURNED ? columns + own_column(0, 0) : rows + own_row(0))),
          u((int)(TURNED ? rows + own_row(0) : columns + own_column(0, 0)))
    {
    }

    __device__ int query(int j, int r) const
    {
        return t + (TURNED ? j * 8 + r % 2 : r / 2 * 8);
    }

    __device__ int key(int j, int r) const
    {
        return u + (TURNED ? r / 2 * 8 : j * 8 + r % 2);
    }
};

/* DOT, of number (j, r) of a tile at AT, as a power of two; none behind the
 * last.  */
template <class T, int TURNED>
__device__ __forceinline__ float score(const struct attn<T> &s, const struct head<T> &h,
                                       const place<TURNED> &at, int j, int r, float dot)
{
    const int t = at.query(j, r), u = at.key(j, r);

    if (u >= s.t || t >= s.t)
        return -INFINITY;
    return (dot * s.scale + (h.bias ? h.bias[t * s.t + u] : 0)) * LOG2E;
}

/* Over the four lanes of a row.  */
__device__ __forceinline__ float row_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
    return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}

__device__ __forceinline__ float row_sum(float v)
{
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

/* Scores of one of the two rows become shares of what it has so far, whose
 * largest score is *MAX and whose sum is *SUM; returns what the mean so far is
 * multiplied with.  */
template <int N>
__device__ __forceinline__ float rescale(float (&p)[N][4], int row, float *max, float *sum)
{
    const float was = *max;
    float most = was, all = 0, shrink;

#pragma unroll
    for (int j = 0; j < N; j++)
        most = fmaxf(most, fmaxf(p[j][row * 2], p[j][row * 2 + 1]));
    *max = row_max(most);
    shrink = was == *max ? 1 : exp2f(was - *max);
#pragma unroll
    for (int j = 0; j < N; j++)
#pragma unroll
        for (int r = row * 2; r < row * 2 + 2; r++) {
            p[j][r] = p[j][r] == -INFINITY ? 0 : exp2f(p[j][r] - *max);
            all += p[j][r];
        }
    *sum = *sum * shrink + row_sum(all);
    return shrink;
}

/* ---- forward ---- */

template <class T, int D>
__global__ void __launch_bounds__(ROW_THREADS) attend_mma(struct attn<T> s, T *y, float *lses)
{
    constexpr int columns = tile<D>::columns;
    T *q = cuda_dynamic_shared<T>(), *tiles = q + tile<D>::rows_size;
    const struct head<T> h = head_of(s, blockIdx.x);
    const int64_t n = blockIdx.x / s.heads, t0 = (int64_t)blockIdx.y * SPAN;
    float max[2] = {-INFINITY, -INFINITY}, sum[2] = {}, mean[D / 8][4] = {};

    bring_part<T, D, SPAN>(q, s, h, QUERY, t0);
    bring_part<T, D, columns>(tiles, s, h, KEY, 0);
    bring_part<T, D, columns>(tiles + tile<D>::size, s, h, VALUE, 0);
    cp_async_commit();
    for (int64_t u0 = 0; u0 < s.t; u0 += columns) {
        const T *k = tiles + u0 / columns % 2 * 2 * tile<D>::size, *v = k + tile<D>::size;
        T *next = tiles + (u0 / columns + 1) % 2 * 2 * tile<D>::size;
        const place<0> at(t0, u0);
        float p[tile<D>::eights][4], shrink[2];

        if (u0 + columns < s.t) {
            bring_part<T, D, columns>(next, s, h, KEY, u0 + columns);
            bring_part<T, D, columns>(next + tile<D>::size, s, h, VALUE, u0 + columns);
        }
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads();
        likeness<T, D>(p, q, k);
#pragma unroll
        for (int j = 0; j < tile<D>::eights; j++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                p[j][r] = score(s, h, at, j, r, p[j][r]);
        shrink[0] = rescale(p, 0, &max[0], &sum[0]);
        shrink[1] = rescale(p, 1, &max[1], &sum[1]);
#pragma unroll
        for (int c = 0; c < D / 8; c++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                mean[c][r] *= shrink[r / 2];
        mix<T, D>(mean, p, v);
        __syncthreads();
    }
    store<T, D>(s, y + n * s.t * s.c + blockIdx.x % s.heads * s.d, s.c, t0, mean,
                {1 / sum[0], 1 / sum[1]});
    for (int r = 0; r < 4; r += 2)
        if (lses && threadIdx.x % 4 == 0 && t0 + own_row(r) < s.t)
            lses[h.at + t0 + own_row(r)] = (max[r / 2] + log2f(sum[r / 2])) * LN2;
}

/* ---- backward ---- */

/* Of a query: how scores become shares, and slopes.  */
struct query {
    float lse, delta;
};

/* Zeros behind the last.  */
template <class T>
__device__ __forceinline__ struct query query_at(const struct attn<T> &s, const struct head<T> &h,
                                                 int t)
{
    if (t >= s.t)
        return {0, 0};
    return {s.lse[h.at + t] * LOG2E, s.delta[h.at + t]};
}

/* Products P of queries and keys become shares, those DS of gradients and
 * values the slopes of scores.  */
template <class T, int TURNED, int N>
__device__ __forceinline__ void slopes(const struct attn<T> &s, const struct head<T> &h,
                                       const place<TURNED> &at, float (&p)[N][4], float (&ds)[N][4])
{
#pragma unroll
    for (int j = 0; j < N; j++)
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const struct query q = query_at(s, h, at.query(j, r));

            p[j][r] = exp2f(score(s, h, at, j, r, p[j][r]) - q.lse);
            ds[j][r] = p[j][r] * (ds[j][r] - q.delta);
        }
}

template <class T, int D>
__global__ void __launch_bounds__(ROW_THREADS) queries_mma(struct attn<T> s, T *dx)
{
    constexpr int columns = tile<D>::columns;
    T *q = cuda_dynamic_shared<T>(), *dy = q + tile<D>::rows_size, *k = dy + tile<D>::rows_size;
    T *v = k + tile<D>::size;
    const struct head<T> h = head_of(s, blockIdx.x);
    const int64_t n = blockIdx.x / s.heads, t0 = (int64_t)blockIdx.y * SPAN;
    float dq[D / 8][4] = {};

    bring_part<T, D, SPAN>(q, s, h, QUERY, t0);
    bring<T, D, SPAN>(dy, s, h.dy, s.c, t0);
    for (int64_t u0 = 0; u0 < s.t; u0 += columns) {
        float p[tile<D>::eights][4], ds[tile<D>::eights][4];

        bring_part<T, D, columns>(k, s, h, KEY, u0);
        bring_part<T, D, columns>(v, s, h, VALUE, u0);
        arrived();
        likeness<T, D>(p, q, k);
        likeness<T, D>(ds, dy, v);
        slopes(s, h, place<0>(t0, u0), p, ds);
        mix<T, D>(dq, ds, k);
        __syncthreads();
    }
    store<T, D>(s, dx + n * s.t * PARTS * s.c + QUERY * s.c + blockIdx.x % s.heads * s.d,
                PARTS * s.c, t0, dq, {s.scale, s.scale});
}

template <class T, int D>
__global__ void __launch_bounds__(ROW_THREADS, 2) keys_mma(struct attn<T> s, T *dx)
{
    constexpr int columns = tile<D>::columns;
    T *k = cuda_dynamic_shared<T>(), *v = k + tile<D>::rows_size, *q = v + tile<D>::rows_size;
    T *dy = q + tile<D>::size;
    const struct head<T> h = head_of(s, blockIdx.x);
    const int64_t n = blockIdx.x / s.heads, u0 = (int64_t)blockIdx.y * SPAN;
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};

    bring_part<T, D, SPAN>(k, s, h, KEY, u0);
    bring_part<T, D, SPAN>(v, s, h, VALUE, u0);
    for (int64_t t0 = 0; t0 < s.t; t0 += columns) {
        float p[tile<D>::eights][4], ds[tile<D>::eights][4];

        bring_part<T, D, columns>(q, s, h, QUERY, t0);
        bring<T, D, columns>(dy, s, h.dy, s.c, t0);
        arrived();
        likeness<T, D>(p, k, q);
        likeness<T, D>(ds, v, dy);
        slopes(s, h, place<1>(u0, t0), p, ds);
        mix<T, D>(dv, p, dy);
        mix<T, D>(dk, ds, q);
        __syncthreads();
    }
    dx += n * s.t * PARTS * s.c + blockIdx.x % s.heads * s.d;
    store<T, D>(s, dx + KEY * s.c, PARTS * s.c, u0, dk, {s.scale, s.scale});
    store<T, D>(s, dx + VALUE * s.c, PARTS * s.c, u0, dv, {1, 1});
}

/* The sum of the slopes over chunk blockIdx.z, of PER samples, of those that
 * take bias blockIdx.y / heads: db is [chunk][group, head][t][t].  */
template <class T, int D>
__global__ void __launch_bounds__(ROW_THREADS) bias_mma(struct attn<T> s, int64_t per, float *db)
{
    constexpr int columns = tile<D>::columns, eights = tile<D>::eights;
    T *q = cuda_dynamic_shared<T>(), *dy = q + tile<D>::rows_size, *k = dy + tile<D>::rows_size;
    T *v = k + tile<D>::size;
    const int64_t across = (s.t + columns - 1) / columns;
    const int64_t t0 = blockIdx.x / across * SPAN, u0 = blockIdx.x % across * columns;
    const int64_t g = blockIdx.y / s.heads, end = (blockIdx.z + 1) * per;
    const place<0> at(t0, u0);
    float sum[eights][4] = {};

    for (int64_t i = blockIdx.z * per; i < end && g + i * s.groups < s.samples; i++) {
        const struct head<T> h = head_of(s, (g + i * s.groups) * s.heads + blockIdx.y % s.heads);
        float p[eights][4], ds[eights][4];

        bring_part<T, D, SPAN>(q, s, h, QUERY, t0);
        bring<T, D, SPAN>(dy, s, h.dy, s.c, t0);
        bring_part<T, D, columns>(k, s, h, KEY, u0);
        bring_part<T, D, columns>(v, s, h, VALUE, u0);
        arrived();
        likeness<T, D>(p, q, k);
        likeness<T, D>(ds, dy, v);
        slopes(s, h, at, p, ds);
#pragma unroll
        for (int j = 0; j < eights; j++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                sum[j][r] += ds[j][r];
        __syncthreads();
    }
    db += ((int64_t)blockIdx.z * gridDim.y + blockIdx.y) * s.t * s.t;
#pragma unroll
    for (int j = 0; j < eights; j++)
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const int t = at.query(j, r), u = at.key(j, r);

            if (t < s.t && u < s.t)
                db[t * s.t + u] = sum[j][r];
        }
}

/* ---- launching ---- */

/* Of blocks of rows, and tiles of columns.  */
template <class T, int D> static constexpr size_t bytes(int rows, int columns)
{
    return sizeof(T) * (size_t)(rows * tile<D>::rows_size + columns * tile<D>::size);
}

template <class T> static dim3 grid_of(const struct attn<T> &s)
{
    return dim3((unsigned)(s.samples * s.heads), (unsigned)div_up(s.t, SPAN));
}

template <class T, int D>
static void forward_by(const struct kernel_args *a, const struct attn<T> &s)
{
    launch_shared(device_of(a), attend_mma<T, D>, grid_of(s), ROW_THREADS, bytes<T, D>(1, 4), s,
                  data<T>(&a->op.out[ATTN_Y]), data<float>(&a->op.out[ATTN_LSE]));
}

template <class T, int D>
static void bias_by(const struct kernel_args *a, const struct attn<T> &s, float *partial)
{
    const int64_t tiles = div_up(s.t, SPAN) * div_up(s.t, tile<D>::columns);
    const int64_t count = s.groups * s.heads * s.t * s.t;
    const int chunks = (int)attn_chunks(s);

    launch_shared(device_of(a), bias_mma<T, D>,
                  dim3((unsigned)tiles, (unsigned)(s.groups * s.heads), (unsigned)chunks),
                  ROW_THREADS, bytes<T, D>(2, 2), s, attn_chunk(s), partial);
    launch(device_of(a), gemm_join<in_order>, blocks_for(count), THREADS, partial, count, chunks,
           in_order(), data<float>(&a->op.din[ATTN_BIAS]));
}

template <class T, int D>
static void backward_by(const struct kernel_args *a, const struct attn<T> &s)
{
    const int64_t rows = s.samples * s.heads * s.t;
    float *delta = (float *)a->scratch;
    T *dx = data<T>(&a->op.din[ATTN_X]);

    launch(device_of(a), attn_deltas<T>, blocks_for(rows), THREADS, s, data<T>(&a->op.out[ATTN_Y]),
           delta);
    if (dx) {
        launch_shared(device_of(a), queries_mma<T, D>, grid_of(s), ROW_THREADS, bytes<T, D>(2, 2),
                      s, dx);
        launch_shared(device_of(a), keys_mma<T, D>, grid_of(s), ROW_THREADS, bytes<T, D>(2, 2), s,
                      dx);
    }
    if (a->op.din[ATTN_BIAS].data)
        bias_by<T, D>(a, s, delta + rows);
}

#define BY_SIZE(fn, T, a, s) \
    ((s).d <= 32 ? fn<T, 32> : (s).d <= 64 ? fn<T, 64> : fn<T, 128>)((a), (s))

template <class T> static void forward(const struct kernel_args *a)
{
    const struct attn<T> s = attn_args<T>(a);

    if (s.samples && s.t)
        BY_SIZE(forward_by, T, a, s);
}

template <class T> static void backward(const struct kernel_args *a)
{
    const struct attn<T> s = attn_args<T>(a);

    if (s.samples && s.t)
        BY_SIZE(backward_by, T, a, s);
}

/* Heads of runs of 8; wider ones would not stay in registers.  */
static int fits(const struct step_nodes *s)
{
    const int64_t d = attn_bound(s).d;

    return d % COPY == 0 && d <= 128 && keeps_x(s) && attn_grid_fits(s);
}

/* clang-format off */
#define OFFER(T, d, bytes, fn)                                                                    \
    {.name = "attention_mma", .op = "attention", .dir = d, .dtypes = F32,                         \
     .reads = form<T>::layout, .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = 1,  \
     .plain = 1 << ATTN_BIAS, .plain_grads = 1 << ATTN_BIAS, .accepts = fits, .scratch = bytes,   \
     .run = fn<T>}

extern "C" const struct kernel cuda_attention_mma_kernels[] = {
    NARROW_TYPES(OFFER, DIR_FORWARD, NULL, forward),
    NARROW_TYPES(OFFER, DIR_BACKWARD, attn_scratch, backward),
    {},
};
/* clang-format on */
