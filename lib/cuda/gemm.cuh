/* gemm.cuh -- the product that convolution and linear layers are made of.
 * SPDX-License-Identifier: MIT
 *
 * C[m][n] = sum over k of A(m, k) B(k, n), where A and B are read through
 * functions of the indices: a matrix, or the pixels under a filter (implicit
 * GEMM: Chetlur et al., "cuDNN: efficient primitives for deep learning", 2014).
 * A block computes TILE x TILE results; its threads bring DEPTH of each row and
 * column into shared memory, then multiply from there.  The sum over k runs in
 * one order, whatever the grid.
 *
 * Operands are structures with
 *     enum { K_FIRST };     neighbours along k (1) or along the rows (0) are
 *                           neighbours in memory: threads read along that
 *     row of row_of(i), term of term_of(k)     what is worked out once
 *     typedef T number;
 *     const T *at(row, term) const             NULL: a zero
 *     const T *anything() const                may be read
 * and results go to a structure with
 *     void store(int64_t m, int64_t n, float sum) const;  inside alone
 *
 * Products are in float here; gemm_mma.cuh has the same by tensor cores.  */
#ifndef ADZE_CUDA_GEMM_CUH
#define ADZE_CUDA_GEMM_CUH

#include "cuda/gemm_columns.cuh"

enum { TILE = 64, DEPTH = 16, SIDE = 4 }; /* a thread has SIDE x SIDE results */

struct gemm {
    int64_t m, n, k;
    int64_t k_chunk; /* blockIdx.z has the terms [z k_chunk, (z + 1) k_chunk) */
};

/* Four elements of a tile for each thread: element (row, k) by its number.  */
template <class X>
__device__ void gemm_fill(float (*tile)[TILE + 4], const X &x, int64_t row0, int64_t rows,
                          int64_t k0, int64_t k_end)
{
    for (int i = threadIdx.x; i < TILE * DEPTH; i += THREADS) {
        const int r = X::K_FIRST ? i / DEPTH : i % TILE, d = X::K_FIRST ? i % DEPTH : i / TILE;
        const int64_t row = row0 + r, k = k0 + d;
        const auto *p = row < rows && k < k_end ? x.at(x.row_of(row), x.term_of(k)) : nullptr;

        tile[d][r] = p ? get(*p) : 0;
    }
}

/* Block column COLUMN, chunk CHUNK of the terms.  Threads stand in a square;
 * each has rows 4 y .. and columns 4 x ...  */
template <class A, class B, class C>
__device__ __forceinline__ void gemm_block(const struct gemm &g, unsigned column, unsigned chunk,
                                           const A &a, const B &b, const C &c)
{
    __shared__ __align__(16) float ta[DEPTH][TILE + 4], tb[DEPTH][TILE + 4];
    const int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)column * TILE;
    const int64_t k0 = chunk * g.k_chunk;
    const int64_t k_end = k0 + g.k_chunk < g.k ? k0 + g.k_chunk : g.k;
    const int y = threadIdx.x / (TILE / SIDE) * SIDE, x = threadIdx.x % (TILE / SIDE) * SIDE;
    float sum[SIDE][SIDE] = {};

    for (int64_t k = k0; k < k_end; k += DEPTH) {
        gemm_fill(ta, a, m0, g.m, k, k_end);
        gemm_fill(tb, b, n0, g.n, k, k_end);
        __syncthreads();
#pragma unroll
        for (int d = 0; d < DEPTH; d++) {
            const float4 u = *(const float4 *)&ta[d][y], v = *(const float4 *)&tb[d][x];
            const float p[SIDE] = {u.x, u.y, u.z, u.w}, q[SIDE] = {v.x, v.y, v.z, v.w};

#pragma unroll
            for (int i = 0; i < SIDE; i++)
#pragma unroll
                for (int j = 0; j < SIDE; j++)
                    sum[i][j] = fmaf(p[i], q[j], sum[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++)
            if (m0 + y + i < g.m && n0 + x + j < g.n)
                c.store(m0 + y + i, n0 + x + j, sum[i][j]);
}

template <class A, class B, class C>
__global__ void __launch_bounds__(THREADS) gemm_kernel(struct gemm g, A a, B b, C c)
{
    gemm_block(g, blockIdx.y, blockIdx.z, a, b, c);
}

template <class A, class B, class C>
static void gemm_run(const struct device *d, const struct gemm &g, const A &a, const B &b,
                     const C &c)
{
    const dim3 grid((unsigned)div_up(g.m, TILE), (unsigned)div_up(g.n, TILE),
                    (unsigned)(g.k ? div_up(g.k, g.k_chunk) : 1));

    if (g.m && g.n)
        launch(d, gemm_kernel<A, B, C>, grid, THREADS, g, a, b, c);
}

/* ---- several products with one A ---- */

/* Product i has the N[i] columns of B[i].  */
template <class B, class C> struct gemm_siblings {
    typedef B operand;
    typedef C result;
    struct gemm_columns at;
    int64_t n[SIBLINGS];
    B b[SIBLINGS];
    C c[SIBLINGS];

    void cut(int64_t width)
    {
        for (int i = 0; i < at.count; i++)
            at.add(i, n[i], width);
    }
};

template <class A, class S>
__global__ void __launch_bounds__(THREADS)
    gemm_siblings_kernel(struct gemm g, A a, const __grid_constant__ S s)
{
    const int i = s.at.product(blockIdx.y);

    g.n = s.n[i];
    gemm_block(g, blockIdx.y - s.at.first[i], 0, a, s.b[i], s.c[i]);
}

/* S is complete but for what cut() does; g.n does not count, k is one chunk.  */
template <class A, class S>
static void gemm_siblings_run(const struct device *d, const struct gemm &g, const A &a, S &s)
{
    s.cut(TILE);
    if (g.m)
        launch(d, gemm_siblings_kernel<A, S>,
               dim3((unsigned)div_up(g.m, TILE), s.at.first[s.at.count]), THREADS, g, a, s);
}

/* ---- operands and results that are matrices ---- */

/* Row i, term k at p[i step + k]; or, COLUMN, at p[k step + i].  */
template <class T, int COLUMN> struct matrix {
    enum { K_FIRST = !COLUMN };
    typedef T number;
    typedef int64_t row, term;
    const T *p;
    int64_t step;

    __device__ row row_of(int64_t i) const
    {
        return COLUMN ? i : i * step;
    }

    __device__ term term_of(int64_t k) const
    {
        return COLUMN ? k * step : k;
    }

    __device__ const T *at(row i, term k) const
    {
        return p + i + k;
    }

    __device__ const T *anything() const
    {
        return p;
    }
};

/* y[m][n], and a number per column added.  */
template <class T> struct biased {
    T *y;
    int64_t step;
    const float *bias; /* or NULL */

    __device__ void store(int64_t m, int64_t n, float sum) const
    {
        put(&y[m * step + n], sum + (bias ? bias[n] : 0));
    }
};

/* ---- sums in chunks ---- */

/* Partial sums of each chunk, [chunk][m][n], and their sum.  */
struct partial {
    float *p;
    int64_t m, n;

    __device__ void store(int64_t i, int64_t j, float sum) const
    {
        p[(blockIdx.z * m + i) * n + j] = sum;
    }
};

/* Terms of a chunk where M N results have K terms and those are many: about
 * WANTED blocks, by shapes alone.  */
static inline int64_t gemm_chunk(int64_t m, int64_t n, int64_t k)
{
    enum { WANTED = 512, LEAST = 512 };
    const int64_t chunk = div_up(k, div_up(WANTED, div_up(m, TILE) * div_up(n, TILE)));

    return chunk < LEAST ? (int64_t)LEAST : chunk;
}

/* y[order(i)] = the sum of the chunks' numbers i, in their order.  */
template <class ORDER>
__global__ void gemm_join(const float *p, int64_t count, int chunks, ORDER order, float *y)
{
    for (EACH (i, count)) {
        double sum = 0;

        for (int c = 0; c < chunks; c++)
            sum += p[c * count + i];
        y[order.at(i)] = (float)sum;
    }
}

/* ---- sums over rows: the gradient of a bias ---- */

enum { SUM_ROWS = 512 }; /* of one chunk */

/* A block has 32 channels of a chunk of rows, 8 rows at a time.  */
template <class T> __global__ void row_sums(struct rows r, const T *x, float *p)
{
    __shared__ float part[8][WARP];
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const int64_t from = (int64_t)blockIdx.y * SUM_ROWS;
    const int64_t end = from + SUM_ROWS < r.rows ? from + SUM_ROWS : r.rows;
    float sum = 0;

    for (int64_t i = from + threadIdx.y; i < end && c < r.c; i += 8)
        sum += get(x[i * r.c + c]);
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < r.c) {
        for (int i = 1; i < 8; i++)
            sum += part[i][threadIdx.x];
        p[blockIdx.y * r.c + c] = sum;
    }
}

struct in_order {
    __device__ int64_t at(int64_t i) const
    {
        return i;
    }
};

static inline size_t row_sums_scratch(int64_t rows, int64_t c)
{
    return (size_t)(div_up(rows, SUM_ROWS) * c) * sizeof(float);
}

/* y[c] = sum of x[i][c]; SCRATCH as above.  */
template <class T>
static void row_sums_run(const struct device *d, struct rows r, const T *x, float *scratch,
                         float *y)
{
    const dim3 grid((unsigned)div_up(r.c, WARP), (unsigned)div_up(r.rows, SUM_ROWS));

    launch(d, row_sums<T>, grid, dim3(WARP, 8), r, x, scratch);
    launch(d, gemm_join<in_order>, blocks_for(r.c), THREADS, scratch, r.c, (int)grid.y, in_order(),
           y);
}

#endif
