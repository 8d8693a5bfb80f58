/* gemm_mma.cuh -- gemm.cuh's product by tensor cores, of numbers of 16 bits.
 * SPDX-License-Identifier: MIT
 *
 * The same operands and results, numbers of one type; in addition eight
 * neighbours (along k or along the rows: K_FIRST) must stand in one run of 16
 * aligned bytes, all there or all zero.  A block of 8 warps has 128 x N
 * results.  Tiles of DEEP terms come in the background, STAGES - 1 ahead of the
 * products; they lie in shared memory as they do in memory, with a gap behind
 * each run so that ldmatrix reads without bank conflicts.
 *
 * A result that declares
 *     typedef T measured;
 *     float store(int64_t m, int64_t n, float sum) const;     what it became
 *     void moment(int which, int64_t tile, int64_t n, float v) const;
 * is told of each column's TALL rows, tile by tile, 0 the sum of what was stored
 * and 1 that of the squares about its mean there.  */
#ifndef ADZE_CUDA_GEMM_MMA_CUH
#define ADZE_CUDA_GEMM_MMA_CUH

#include "cuda/gemm.cuh"
#include "cuda/mma.cuh"
#include "cuda/shared.cuh"

enum { TALL = 128, DEEP = 32, STAGES = 3, RUN = 8, GAP = 8 };

/* A tile of ROWS rows: [row][DEEP + GAP], or [k][ROWS + GAP].  */
template <int ROWS, int K_FIRST> struct tile {
    static constexpr int lines = K_FIRST ? ROWS : DEEP, length = K_FIRST ? DEEP : ROWS;
    static constexpr int step = length + GAP, size = lines * step;
    static constexpr int runs = length / RUN;           /* of a line */
    static constexpr int each = lines * runs / THREADS; /* runs that a thread brings */
    static constexpr int apart = THREADS / runs;        /* lines between them */
};

/* What a thread needs to bring its runs of operand X: along the lines it has
 * `each' places, across them one.  */
template <class X, int ROWS> struct feed {
    typedef typename X::number T;
    typedef tile<ROWS, X::K_FIRST> form;
    typename X::row row[X::K_FIRST ? form::each : 1];
    int line, at; /* of the first run */
    int64_t i0, rows;

    __device__ feed(const X &x, int64_t first, int64_t count)
        : line((int)threadIdx.x / form::runs), at((int)threadIdx.x % form::runs * RUN), i0(first),
          rows(count)
    {
        if constexpr (X::K_FIRST) {
#pragma unroll
            for (int v = 0; v < form::each; v++)
                row[v] = x.row_of(last(i0 + line + v * form::apart));
        } else {
            row[0] = x.row_of(i0 + at < rows ? i0 + at : rows - RUN);
        }
    }

    __device__ int64_t last(int64_t i) const
    {
        return i < rows ? i : rows - 1;
    }

    __device__ void bring(T *to, const X &x, int64_t k0, int64_t k_end) const
    {
        if constexpr (X::K_FIRST) {
            const int64_t k = k0 + at;
            const typename X::term t = x.term_of(k < k_end ? k : k_end - RUN);

#pragma unroll
            for (int v = 0; v < form::each; v++)
                one(to, v, x, k < k_end && i0 + line + v * form::apart < rows, x.at(row[v], t));
        } else {
#pragma unroll
            for (int v = 0; v < form::each; v++) {
                const int64_t k = k0 + line + v * form::apart;

                one(to, v, x, k < k_end && i0 + at < rows,
                    x.at(row[0], x.term_of(k < k_end ? k : k_end - 1)));
            }
        }
    }

    __device__ void one(T *to, int v, const X &x, bool inside, const T *from) const
    {
        (void)x;
        cp_async16(to + (line + v * form::apart) * form::step + at, from ? from : x.anything(),
                   inside && from);
    }
};

/* The four registers of a 16 x 16 piece at (ROW, K) of a tile.  As operand A
 * they are what mma wants; as operand B two pieces of 8 rows, registers 0 and 1
 * of the first being r[0], r[2].  */
template <int ROWS, int K_FIRST, class T>
__device__ __forceinline__ void piece(uint32_t (&r)[4], const T *t, int row, int k)
{
    const int lane = (int)threadIdx.x % WARP, step = tile<ROWS, K_FIRST>::step;

    if (K_FIRST)
        ldmatrix4(r, t + (row + lane % 16) * step + k + lane / 16 * 8);
    else
        ldmatrix4_trans(r, t + (k + lane % 8 + lane / 16 * 8) * step + row + lane / 8 % 2 * 8);
}

template <int N, class A, class B> struct mma_form {
    static constexpr int across = N / 32, down = 8 / across; /* warps */
    static constexpr int height = TALL / down;               /* rows of a warp; it has 32 columns */
    static constexpr int a_size = tile<TALL, A::K_FIRST>::size;
    static constexpr int stage = a_size + tile<N, B::K_FIRST>::size;
    static constexpr size_t bytes = sizeof(typename A::number) * STAGES * stage;
};

/* ---- sums over the rows of a block ---- */

/* S[j][r], of column X + 8 j + 2 (lane % 4) + r, becomes the sum of VALUE(i, j, r)
 * over all rows of the block, of which a warp, the DOWN-th, has I times 16: 32
 * rows after the other, so that it does not depend on N, the width of a block.
 * PART has room for N columns of each of those.  */
template <int N, int I, class F>
__device__ __forceinline__ void column_sums(float (&s)[4][2], int down, int x, float *part,
                                            const F &value)
{
    static_assert(I % 2 == 0, "a warp has parts of 32 rows");
    const int lane = (int)threadIdx.x % WARP, at = x + lane % 4 * 2;

    __syncthreads(); /* the last to read what lay there */
#pragma unroll
    for (int h = 0; h < I / 2; h++) {
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 2; r++) {
                s[j][r] = (value(2 * h, j, r) + value(2 * h, j, r + 2)) +
                          (value(2 * h + 1, j, r) + value(2 * h + 1, j, r + 2));
                for (int d = 4; d < WARP; d *= 2)
                    s[j][r] += __shfl_xor_sync(~0u, s[j][r], d);
                if (lane < 4)
                    part[(down * I / 2 + h) * N + at + j * 8 + r] = s[j][r];
            }
        __syncwarp(); /* one half after the other: registers */
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
        for (int r = 0; r < 2; r++) {
            s[j][r] = 0;
            for (int k = 0; k < TALL / 32; k++)
                s[j][r] += part[k * N + at + j * 8 + r];
        }
}

/* V: what was stored of the rows of a warp, the DOWN-th, from the block's row ROW
 * on, and of its columns from X on, counted from block column N0; zeros outside. */
template <int N, int I, class C>
__device__ __forceinline__ void measure(const struct gemm &g, const C &c, float (&v)[I][4][4],
                                        int row, int64_t n0, int down, int x, float *part)
{
    const int lane = (int)threadIdx.x % WARP;
    const int64_t left = g.m - (int64_t)blockIdx.x * TALL, n = n0 + x + lane % 4 * 2;
    const int rows = left < TALL ? (int)left : (int)TALL, below = rows - row - lane / 4;
    const int columns = down == 0 && lane < 4 ? (int)(g.n - n) : 0; /* to be told of */
    float mean[4][2], s[4][2];

    column_sums<N, I>(s, down, x, part, [&](int i, int j, int r) { return v[i][j][r]; });
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
        for (int r = 0; r < 2; r++) {
            if (j * 8 + r < columns)
                c.moment(0, blockIdx.x, n + j * 8 + r, s[j][r]);
            mean[j][r] = s[j][r] / (float)rows;
        }
    column_sums<N, I>(s, down, x, part, [&](int i, int j, int r) {
        const float d = v[i][j][r] - mean[j][r % 2];

        return i * 16 + r / 2 * 8 < below ? d * d : 0;
    });
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            if (j * 8 + r < columns)
                c.moment(1, blockIdx.x, n + j * 8 + r, s[j][r]);
}

/* ---- a block ---- */

/* Step S of the terms [K0, K_END) comes to its place among the stages in SHARED.  */
template <int N, class A, class B>
__device__ __forceinline__ void gemm_mma_bring(typename A::number *shared, const A &a, const B &b,
                                               const feed<A, TALL> &fa, const feed<B, N> &fb, int s,
                                               int64_t k0, int64_t k_end)
{
    typedef mma_form<N, A, B> form;
    typename A::number *to = shared + s % STAGES * form::stage;

    fa.bring(to, a, k0 + (int64_t)s * DEEP, k_end);
    fb.bring(to + form::a_size, b, k0 + (int64_t)s * DEEP, k_end);
}

/* SUM += the products of a step, that lies at STAGE: of a warp, whose rows begin
 * at Y of the block's and whose columns at X.  */
template <int N, class A, class B, int I>
__device__ __forceinline__ void gemm_mma_multiply(float (&sum)[I][4][4],
                                                  const typename A::number *stage, int y, int x)
{
    typedef typename A::number T;
    const T *ta = stage, *tb = stage + mma_form<N, A, B>::a_size;

#pragma unroll
    for (int k = 0; k < DEEP; k += 16) {
        uint32_t p[I][4], q[2][4];

#pragma unroll
        for (int i = 0; i < I; i++)
            piece<TALL, A::K_FIRST>(p[i], ta, y + i * 16, k);
#pragma unroll
        for (int j = 0; j < 2; j++)
            piece<N, B::K_FIRST>(q[j], tb, x + j * 16, k);
#pragma unroll
        for (int i = 0; i < I; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const uint32_t w[2] = {q[j / 2][j % 2], q[j / 2][j % 2 + 2]};

                mma<T>(sum[i][j], p[i], w);
            }
    }
}

/* SUM, of the rows from M0 on and the columns from N0 on, to the result; where
 * that is measured it becomes what was stored, and zeros outside.  */
template <class C, int I>
__device__ __forceinline__ void gemm_mma_store(const struct gemm &g, const C &c,
                                               float (&sum)[I][4][4], int64_t m0, int64_t n0)
{
    const int lane = (int)threadIdx.x % WARP;

#pragma unroll
    for (int i = 0; i < I; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const int64_t m = m0 + i * 16 + lane / 4 + r / 2 * 8;
                const int64_t n = n0 + j * 8 + lane % 4 * 2 + r % 2;

                if constexpr (requires { typename C::measured; })
                    sum[i][j][r] = m < g.m && n < g.n ? c.store(m, n, sum[i][j][r]) : 0;
                else if (m < g.m && n < g.n)
                    c.store(m, n, sum[i][j][r]);
            }
}

/* Block column COLUMN, chunk CHUNK of the terms.  */
template <int N, class A, class B, class C>
__device__ __forceinline__ void gemm_mma_block(const struct gemm &g, unsigned column,
                                               unsigned chunk, const A &a, const B &b, const C &c)
{
    typedef mma_form<N, A, B> form;
    typedef typename A::number T;
    T *shared = cuda_dynamic_shared<T>();
    const int64_t m0 = (int64_t)blockIdx.x * TALL, n0 = (int64_t)column * N;
    const int64_t k0 = chunk * g.k_chunk;
    const int64_t k_end = k0 + g.k_chunk < g.k ? k0 + g.k_chunk : g.k;
    const int steps = (int)((k_end - k0 + DEEP - 1) / DEEP);
    const int warp = (int)threadIdx.x / WARP;
    const int y = warp / form::across * form::height, x = warp % form::across * 32;
    const feed<A, TALL> fa(a, m0, g.m);
    const feed<B, N> fb(b, n0, g.n);
    float sum[form::height / 16][4][4] = {};

    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            gemm_mma_bring<N>(shared, a, b, fa, fb, s, k0, k_end);
        cp_async_commit();
    }
    for (int s = 0; s < steps; s++) {
        const int next = s + STAGES - 1;

        cp_async_wait<STAGES - 2>();
        __syncthreads();
        if (next < steps)
            gemm_mma_bring<N>(shared, a, b, fa, fb, next, k0, k_end);
        cp_async_commit();
        gemm_mma_multiply<N, A, B>(sum, shared + s % STAGES * form::stage, y, x);
    }
    gemm_mma_store(g, c, sum, m0 + y, n0 + x);
    if constexpr (requires { typename C::measured; })
        measure<N>(g, c, sum, y, n0, warp / form::across, x, (float *)shared);
}

template <int N, class A, class B, class C>
__global__ void __launch_bounds__(THREADS) gemm_mma_kernel(struct gemm g, A a, B b, C c)
{
    gemm_mma_block<N>(g, blockIdx.y, blockIdx.z, a, b, c);
}

/* With room for the sums: left to itself ptxas aims at three blocks.  */
template <int N, class A, class B, class C>
__global__ void __launch_bounds__(THREADS, 2) gemm_mma_measured(struct gemm g, A a, B b, C c)
{
    gemm_mma_block<N>(g, blockIdx.y, blockIdx.z, a, b, c);
}

/* The kernel for results C.  */
template <int N, class A, class B, class C> static constexpr auto gemm_mma_for(void)
{
    if constexpr (requires { typename C::measured; })
        return gemm_mma_measured<N, A, B, C>;
    else
        return gemm_mma_kernel<N, A, B, C>;
}

template <int N, class A, class B, class C>
static void gemm_mma_columns(const struct device *d, const struct gemm &g, const A &a, const B &b,
                             const C &c)
{
    const dim3 grid((unsigned)div_up(g.m, TALL), (unsigned)div_up(g.n, N),
                    (unsigned)(g.k ? div_up(g.k, g.k_chunk) : 1));

    launch_shared(d, gemm_mma_for<N, A, B, C>(), grid, THREADS, mma_form<N, A, B>::bytes, g, a, b,
                  c);
}

/* As gemm_run(); K and k_chunk are multiples of 8 where an operand is
 * K_FIRST.  */
template <class A, class B, class C>
static void gemm_mma_run(const struct device *d, const struct gemm &g, const A &a, const B &b,
                         const C &c)
{
    if (g.m && g.n)
        (g.n <= 64 ? gemm_mma_columns<64, A, B, C> : gemm_mma_columns<128, A, B, C>)(d, g, a, b, c);
}

/* ---- several products with one A ---- */

/* As with measured sums ptxas would aim at three blocks.  */
template <int N, class A, class S>
__global__ void __launch_bounds__(THREADS, 2)
    gemm_mma_siblings(struct gemm g, A a, const __grid_constant__ S s)
{
    const int i = s.at.product(blockIdx.y);

    g.n = s.n[i];
    gemm_mma_block<N>(g, blockIdx.y - s.at.first[i], 0, a, s.b[i], s.c[i]);
}

template <int N, class A, class S>
static void gemm_mma_siblings_columns(const struct device *d, const struct gemm &g, const A &a,
                                      S &s)
{
    s.cut(N);
    launch_shared(d, gemm_mma_siblings<N, A, S>,
                  dim3((unsigned)div_up(g.m, TALL), s.at.first[s.at.count]), THREADS,
                  mma_form<N, A, typename S::operand>::bytes, g, a, s);
}

/* As gemm_siblings_run(): 128 columns where all have more than 64.  */
template <class A, class S>
static void gemm_mma_siblings_run(const struct device *d, const struct gemm &g, const A &a, S &s)
{
    int wide = 1;

    for (int i = 0; i < s.at.count; i++)
        wide &= s.n[i] > 64;
    if (g.m)
        (wide ? gemm_mma_siblings_columns<128, A, S> : gemm_mma_siblings_columns<64, A, S>)(d, g, a,
                                                                                            s);
}

/* By tensor cores if MMA.  */
template <int MMA, class A, class B, class C>
static void gemm_by(const struct device *d, const struct gemm &g, const A &a, const B &b,
                    const C &c)
{
    if constexpr (MMA)
        gemm_mma_run(d, g, a, b, c);
    else
        gemm_run(d, g, a, b, c);
}

template <int MMA, class A, class S>
static void gemm_siblings_by(const struct device *d, const struct gemm &g, const A &a, S &s)
{
    if constexpr (MMA)
        gemm_mma_siblings_run(d, g, a, s);
    else
        gemm_siblings_run(d, g, a, s);
}

#endif
