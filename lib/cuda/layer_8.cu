/* layer_8.cu -- see layer_8.cuh: products of bytes.
 * SPDX-License-Identifier: MIT
 *
 * Rows are pixels of y, columns its channels, terms taps and channels of x.
 * What lies outside x has the level of zero, so that with a base of -zero
 * sum(w) the sums are those of (x - zero) w, and exact in any order.  */
#include <stdlib.h>
#include <string.h>

#include "cuda/layer_8.cuh"
#include "cuda/mma.cuh"
#include "cuda/shared.cuh"

extern "C" {
#include "base/mem.h"
}

enum { X, WEIGHT, BIAS };

/* ---- pixels under the filter ---- */

/* A pixel of y, and a tap with a channel: their places are added.  */
struct spot {
    int h, w;
    int64_t at;
};

__device__ __forceinline__ struct spot pixel_of(const struct conv &c, int64_t row)
{
    uint32_t p, q;
    const uint32_t line = divide(c.by_out[1], (uint32_t)row, &q), n = divide(c.by_out[0], line, &p);
    const int h = conv_input_at(c, 0, (int)p, 0), w = conv_input_at(c, 1, (int)q, 0);

    return {h, w, conv_pixel(c.in, n, h, w) * c.c};
}

__device__ __forceinline__ struct spot tap_of(const struct conv &c, int64_t term)
{
    uint32_t channel, s;
    const uint32_t r = divide(c.by_kernel, divide(c.by_cg, (uint32_t)term, &channel), &s);
    const int h = (int)r * c.dilation[0], w = (int)s * c.dilation[1];

    return {h, w, conv_pixel(c.in, 0, h, w) * c.c + channel};
}

/* NULL outside.  */
__device__ __forceinline__ const uint8_t *pixel_at(const struct conv &c, const uint8_t *x,
                                                   const struct spot &a, const struct spot &b)
{
    const int h = a.h + b.h, w = a.w + b.w;

    return h < 0 || h >= c.in[0] || w < 0 || w >= c.in[1] ? nullptr : x + a.at + b.at;
}

__device__ __forceinline__ int64_t rows_in(const struct conv &c)
{
    return (int64_t)c.n * c.out[0] * c.out[1];
}

__device__ __forceinline__ int64_t terms_in(const struct conv &c)
{
    return (int64_t)c.kernel[0] * c.kernel[1] * c.cg;
}

/* ---- by tensor cores ---- */

/* A block of 8 warps has TALL x N results; tiles of DEEP terms come in the
 * background, as in gemm_mma.cuh, each row with a gap behind it.  They come by
 * runs of R bytes, of 8 where channels are no multiples of 16: these through
 * registers.  */
enum { TALL = 128, DEEP = 64, STAGES = 3, RUN = 16, LINE = DEEP + RUN };

template <int N> struct shape_8 {
    static constexpr int across = N / 32, down = 8 / across; /* warps */
    static constexpr int height = TALL / down;               /* rows of a warp, 32 columns */
    static constexpr int a_size = TALL * LINE, stage = a_size + N * LINE;
    static constexpr size_t shared = STAGES * stage;
};

/* R bytes at FROM, zeros unless VALID.  */
template <int R>
__device__ __forceinline__ void bring_run(uint8_t *to, const void *from, bool valid)
{
    if constexpr (R == RUN)
        cp_async16(to, from, valid);
    else
        *(uint2 *)to = valid ? *(const uint2 *)from : make_uint2(0, 0);
}

/* What a thread brings of each tile: a run at one place of several lines.  */
template <int N, int R> struct feed_8 {
    static constexpr int runs = DEEP / R, apart = (int)THREADS / runs; /* lines of a pass */
    struct spot row[TALL / apart];
    int line, at;
    const uint8_t *x;
    const int8_t *w;

    __device__ feed_8(const struct layer_8 &l, int64_t m0, int64_t n0)
        : line((int)threadIdx.x / runs), at((int)threadIdx.x % runs * R),
          x(l.x + (int64_t)blockIdx.z * l.c.cg),
          w(l.w + ((int64_t)blockIdx.z * l.c.kg + n0) * terms_in(l.c))
    {
        const int64_t last = rows_in(l.c) - 1;

#pragma unroll
        for (int v = 0; v < TALL / apart; v++)
            row[v] = pixel_of(l.c, m0 + line + v * apart < last ? m0 + line + v * apart : last);
    }

    /* Terms from K0 on; weights behind the last term or output are 0.  */
    __device__ void bring(const struct layer_8 &l, int64_t n0, int64_t k0, uint8_t *to) const
    {
        const int64_t terms = terms_in(l.c), k = k0 + at, inside = k < terms ? k : 0;
        const struct spot tap = tap_of(l.c, inside);

#pragma unroll
        for (int v = 0; v < TALL / apart; v++) {
            const uint8_t *from = pixel_at(l.c, x, row[v], tap);

            bring_run<R>(to + (line + v * apart) * LINE + at, from ? from : l.outside, true);
        }
        to += shape_8<N>::a_size;
#pragma unroll
        for (int v = 0; v < N / apart; v++) {
            const int i = line + v * apart;
            const bool valid = k < terms && n0 + i < l.c.kg;

            bring_run<R>(to + i * LINE + at, valid ? w + i * terms + k : l.w, valid);
        }
    }
};

/* Four registers of 16 rows and 32 terms from (ROW, K) on.  */
__device__ __forceinline__ void piece_8(uint32_t (&r)[4], const uint8_t *t, int row, int k)
{
    const int lane = (int)threadIdx.x % WARP;

    ldmatrix4(r, t + (row + lane % 16) * LINE + k + lane / 16 * 16);
}

/* The products of one tile.  */
template <int N, int HIGH>
__device__ __forceinline__ void multiply(int32_t (&sum)[HIGH][4][4], const uint8_t *a, int y, int x)
{
    const uint8_t *b = a + shape_8<N>::a_size;

#pragma unroll
    for (int k = 0; k < DEEP; k += 32) {
        uint32_t p[HIGH][4], q[2][4];

#pragma unroll
        for (int i = 0; i < HIGH; i++)
            piece_8(p[i], a, y + i * 16, k);
#pragma unroll
        for (int j = 0; j < 2; j++)
            piece_8(q[j], b, x + j * 16, k);
#pragma unroll
        for (int i = 0; i < HIGH; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const uint32_t w[2] = {q[j / 2][j % 2], q[j / 2][j % 2 + 2]};

                mma_u8s8(sum[i][j], p[i], w);
            }
    }
}

/* Levels of a block, brought together in shared memory, go out by runs; where
 * rows are no runs, by bytes.  */
template <int N>
__device__ __forceinline__ void put_block(const struct layer_8 &l, const uint8_t *tile, int64_t m0,
                                          int64_t n0)
{
    const int64_t n_group = (int64_t)blockIdx.z * l.c.kg;

    for (int i = threadIdx.x; i < TALL * (N / RUN); i += THREADS) {
        const int row = i / (N / RUN), at = i % (N / RUN) * RUN;
        const uint8_t *from = tile + row * (N + RUN) + at;
        const int64_t to = (m0 + row) * l.f.step + n_group + n0 + at;

        if (m0 + row >= rows_in(l.c))
            break;
        if (l.c.kg % RUN == 0 && n0 + at < l.c.kg)
            put_levels<RUN>(l.f, to, bytes_at<RUN>(from));
        else if (l.c.kg % 8 == 0)
            for (int j = 0; j < RUN && n0 + at + j < l.c.kg; j += 8)
                put_levels<8>(l.f, to + j, bytes_at<8>(from + j));
        else
            for (int j = 0; j < RUN && n0 + at + j < l.c.kg; j++)
                put_levels<1>(l.f, to + j, bytes_at<1>(from + j));
    }
}

/* Block column COLUMN.  */
template <int N, int R>
__device__ __forceinline__ void product_block(const struct layer_8 &l, unsigned column)
{
    typedef shape_8<N> form;
    constexpr int high = form::height / 16;
    uint8_t *shared = cuda_dynamic_shared<uint8_t>();
    const int64_t m0 = (int64_t)blockIdx.x * TALL, n0 = (int64_t)column * N;
    const int steps = (int)((terms_in(l.c) + DEEP - 1) / DEEP);
    const int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    const int y = warp / form::across * form::height, x = warp % form::across * 32;
    const feed_8<N, R> feed(l, m0, n0);
    int32_t sum[high][4][4] = {};

    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            feed.bring(l, n0, (int64_t)s * DEEP, shared + s * form::stage);
        cp_async_commit();
    }
    for (int s = 0; s < steps; s++) {
        const int next = s + STAGES - 1;

        cp_async_wait<STAGES - 2>();
        __syncthreads();
        if (next < steps)
            feed.bring(l, n0, (int64_t)next * DEEP, shared + next % STAGES * form::stage);
        cp_async_commit();
        multiply<N, high>(sum, shared + s % STAGES * form::stage, y, x);
    }
    __syncthreads(); /* the tiles are read */
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const int n = x + j / 2 * 8 + lane % 4 * 2 + j % 2;
        const int64_t to = (int64_t)blockIdx.z * l.c.kg + n0 + n;
        struct output_8 o;

        if (n0 + n >= l.c.kg)
            continue;
        o = output_of(l.f, to);
#pragma unroll
        for (int i = 0; i < 2 * high; i++) {
            const int m = y + lane / 4 + i * 8, v = sum[i / 2][j / 2][i % 2 * 2 + j % 2];

            if (l.f.to_u8)
                shared[m * (N + RUN) + n] = layer_level(l.f, o, v);
            else if (m0 + m < rows_in(l.c))
                ((float *)l.f.y)[(m0 + m) * l.f.step + to] = layer_float(l.f, o, v);
        }
    }
    if (!l.f.to_u8)
        return;
    __syncthreads();
    put_block<N>(l, shared, m0, n0);
}

template <int N, int R> __global__ void __launch_bounds__(THREADS, 2) products_8(struct layer_8 l)
{
    product_block<N, R>(l, blockIdx.y);
}

template <int N, int R>
__global__ void __launch_bounds__(THREADS, 2)
    siblings_8(const __grid_constant__ struct gemm_columns at,
               const __grid_constant__ struct layers_8 s)
{
    const int i = at.product(blockIdx.y);

    product_block<N, R>(s.l[i], blockIdx.y - at.first[i]);
}

template <int N, int R> static void run_mma(const struct layers_8 &s)
{
    const struct layer_8 &l = s.l[0];
    const int64_t rows = (int64_t)l.c.n * l.c.out[0] * l.c.out[1];
    struct gemm_columns at = {s.count};
    dim3 grid((unsigned)div_up(rows, TALL), (unsigned)div_up(l.c.kg, N), (unsigned)l.c.groups);

    if (s.count == 1) {
        launch_shared(l.device, products_8<N, R>, grid, THREADS, shape_8<N>::shared, l);
        return;
    }
    for (int i = 0; i < s.count; i++)
        at.add(i, s.l[i].c.kg, N);
    grid.y = at.first[s.count];
    launch_shared(l.device, siblings_8<N, R>, grid, THREADS, shape_8<N>::shared, at, s);
}

void layer_8_mma(const void *layers)
{
    const struct layers_8 *s = (const struct layers_8 *)layers;
    int wide = 1;

    for (int i = 0; i < s->count; i++)
        wide &= s->l[i].c.kg > 64;
    if (s->l[0].c.cg % RUN) /* of 128 columns there would be no registers */
        run_mma<64, 8>(*s);
    else
        (wide ? run_mma<128, RUN> : run_mma<64, RUN>)(*s);
}

/* ---- one group of any number of channels ---- */

/* A block has TILE x TILE results, a thread SIDE x SIDE; words of four terms
 * come to shared memory byte by byte.  */
enum { TILE = 64, SIDE = 4, WORDS = 8, TALL_LINES = THREADS / WORDS, PASSES = TILE / TALL_LINES };

__device__ __forceinline__ uint32_t pixels_word(const struct layer_8 &l, const struct spot &row,
                                                const struct spot (&tap)[4])
{
    uint32_t v = 0;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint8_t *p = pixel_at(l.c, l.x, row, tap[i]);

        v |= (uint32_t)(p ? *p : l.zero) << 8 * i;
    }
    return v;
}

/* Terms from K on of output N; zeros behind the last.  */
__device__ __forceinline__ uint32_t weights_word(const struct layer_8 &l, int64_t n, int64_t k)
{
    const int64_t terms = terms_in(l.c);
    uint32_t v = 0;

#pragma unroll
    for (int i = 0; i < 4; i++)
        if (n < l.c.k && k + i < terms)
            v |= (uint32_t)(uint8_t)l.w[n * terms + k + i] << 8 * i;
    return v;
}

__global__ void __launch_bounds__(THREADS) tiles_8(struct layer_8 l)
{
    __shared__ __align__(16) uint32_t ta[WORDS][TILE + 4], tb[WORDS][TILE + 4];
    const int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE;
    const int64_t rows = rows_in(l.c), terms = terms_in(l.c);
    const int word = threadIdx.x % WORDS, line = threadIdx.x / WORDS;
    const int y = threadIdx.x / (TILE / SIDE) * SIDE, x = threadIdx.x % (TILE / SIDE) * SIDE;
    struct spot row[PASSES];
    int32_t sum[SIDE][SIDE] = {};

#pragma unroll
    for (int v = 0; v < PASSES; v++) {
        const int64_t m = m0 + line + v * TALL_LINES;

        row[v] = pixel_of(l.c, m < rows ? m : rows - 1);
    }
    for (int64_t k0 = 0; k0 < terms; k0 += 4 * WORDS) {
        const int64_t k = k0 + 4 * word;
        struct spot tap[4];

#pragma unroll
        for (int i = 0; i < 4; i++)
            tap[i] = tap_of(l.c, k + i < terms ? k + i : terms - 1);
#pragma unroll
        for (int v = 0; v < PASSES; v++) {
            ta[word][line + v * TALL_LINES] = pixels_word(l, row[v], tap);
            tb[word][line + v * TALL_LINES] = weights_word(l, n0 + line + v * TALL_LINES, k);
        }
        __syncthreads();
#pragma unroll
        for (int d = 0; d < WORDS; d++)
#pragma unroll
            for (int i = 0; i < SIDE; i++)
#pragma unroll
                for (int j = 0; j < SIDE; j++)
                    sum[i][j] = dot4_u8s8(ta[d][y + i], tb[d][x + j], sum[i][j]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++)
            if (m0 + y + i < rows && n0 + x + j < l.c.k)
                finish_sums<1>(l.f, m0 + y + i, n0 + x + j, &sum[i][j]);
}

void layer_8_tiles(const void *layers)
{
    const struct layer_8 *l = ((const struct layers_8 *)layers)->l;
    const int64_t rows = (int64_t)l->c.n * l->c.out[0] * l->c.out[1];

    launch(l->device, tiles_8, dim3((unsigned)div_up(rows, TILE), (unsigned)div_up(l->c.k, TILE)),
           THREADS, *l);
}

/* ---- groups ---- */

/* A thread for each result; channels of a group are words, or bytes.  */
template <int WORD> __device__ __forceinline__ int32_t dot(const uint8_t *x, const int8_t *w, int n)
{
    int32_t sum = 0;

    for (int i = 0; i < n; i += WORD)
        if constexpr (WORD == 4)
            sum = dot4_u8s8(word_at(x + i), word_at(w + i), sum);
        else
            sum += (int32_t)x[i] * w[i];
    return sum;
}

/* What N weights make of the level outside.  */
__device__ __forceinline__ int32_t dot_outside(uint8_t zero, const int8_t *w, int n)
{
    int32_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += w[i];
    return zero * sum;
}

template <int WORD> __global__ void groups_8(struct layer_8 l)
{
    for (EACH (i, rows_in(l.c) * l.c.k)) {
        uint32_t k;
        const int64_t m = i / l.c.k;
        const uint32_t group = divide(l.c.by_kg, (uint32_t)(i - m * l.c.k), &k);
        const int64_t n = i - m * l.c.k;
        const struct spot row = pixel_of(l.c, m);
        const int8_t *w = l.w + n * terms_in(l.c);
        int32_t sum = 0;

        for (int t = 0; t < l.c.kernel[0] * l.c.kernel[1]; t++, w += l.c.cg) {
            const uint8_t *x =
                pixel_at(l.c, l.x + (int64_t)group * l.c.cg, row, tap_of(l.c, (int64_t)t * l.c.cg));

            sum += x ? dot<WORD>(x, w, l.c.cg) : dot_outside(l.zero, w, l.c.cg);
        }
        finish_sums<1>(l.f, m, n, &sum);
    }
}

void layer_8_groups(const void *layers)
{
    const struct layer_8 *l = ((const struct layers_8 *)layers)->l;
    const int64_t count = (int64_t)l->c.n * l->c.out[0] * l->c.out[1] * l->c.k;

    launch(l->device, l->c.cg % 4 ? groups_8<1> : groups_8<4>, blocks_for(count), THREADS, *l);
}

/* ---- one channel to one ---- */

/* A thread has V neighbouring channels of a pixel.  */
template <int V> __global__ void depthwise_8(struct layer_8 l)
{
    const int64_t parts = l.c.k / V;

    for (EACH (i, rows_in(l.c) * parts)) {
        const int64_t m = i / parts, n = (i - m * parts) * V;
        const struct spot row = pixel_of(l.c, m);
        const int8_t *w = l.w + n;
        int32_t sum[V] = {};

        for (int r = 0; r < l.c.kernel[0]; r++)
            for (int s = 0; s < l.c.kernel[1]; s++, w += l.c.k) {
                const int h = row.h + r * l.c.dilation[0], j = row.w + s * l.c.dilation[1];
                const bool inside = h >= 0 && h < l.c.in[0] && j >= 0 && j < l.c.in[1];
                const int64_t tap = conv_pixel(l.c.in, 0, r * l.c.dilation[0], s * l.c.dilation[1]);
                const uint8_t *x = inside ? l.x + row.at + tap * l.c.c + n : l.outside;
                const struct bytes<V> a = bytes_at<V>(x), b = bytes_at<V>((const uint8_t *)w);

#pragma unroll
                for (int v = 0; v < V; v++)
                    sum[v] += (int32_t)a.v[v] * (int8_t)b.v[v];
            }
        finish_sums<V>(l.f, m, n, sum);
    }
}

void layer_8_depthwise(const void *layers)
{
    const struct layer_8 *l = ((const struct layers_8 *)layers)->l;
    const int64_t count = (int64_t)l->c.n * l->c.out[0] * l->c.out[1] * l->c.k;

    if (l->c.k % 4)
        launch(l->device, depthwise_8<1>, blocks_for(count), THREADS, *l);
    else
        launch(l->device, depthwise_8<4>, blocks_for(count / 4), THREADS, *l);
}

/* ---- what is known beforehand ---- */

/* Sums of the weights of each of K outputs.  */
static int32_t *sums_of(const struct node *n, int64_t k)
{
    const struct tensor *w = &node_dequantize(n, WEIGHT)->in[0]->data;
    const int64_t each = k ? tensor_count(w) / k : 0;
    int32_t *sums = (int32_t *)xcalloc((size_t)k + 1, sizeof *sums);

    for (int64_t i = 0; i < k * each; i++)
        sums[i / each] += ((const int8_t *)w->data)[i];
    return sums;
}

/* The table of struct outputs8, of the step with the bias that lies on the
 * device.  */
static int table_of(const struct kernel_args *a, const struct requant *q, int64_t k, void *table,
                    struct err *e)
{
    const struct device *d = device_of(a);
    struct tensor in[3] = {a->op.in[X], a->op.in[WEIGHT], a->op.in[BIAS]};
    struct kernel_args host = *a;
    void *bias = xcalloc((size_t)k + 1, sizeof(int32_t));
    int32_t *sums = sums_of(a->op.node, k);
    int bad =
        in[BIAS].data &&
        (d->get(d, bias, in[BIAS].data, (size_t)k * sizeof(int32_t), e) < 0 || d->finish(d, e) < 0);

    in[BIAS].data = in[BIAS].data ? bias : NULL;
    host.op.in = in;
    host.kept = NULL;
    quant8_outputs(&host, q, k, k, sums, table);
    free(bias);
    free(sums);
    return bad ? -1 : 0;
}

static struct finish_8 finish_of(const struct kernel_args *a, const struct layer_follow &f)
{
    struct finish_8 r = {};

    r.y = a->op.out[0].data;
    r.add = f.add ? data<const uint8_t>(quant8_added(a, &f)) : NULL;
    r.levels = {f.q.lo, f.q.hi, f.q.zero};
    r.sum = f.sum;
    r.is_first = f.is_first;
    r.to_u8 = f.q.to_u8;
    r.by = f.q.step;
    if (f.q.curve)
        r.curve = act_of(f.q.curve);
    return r;
}

enum { OUTSIDE = 16 }; /* bytes in front of the table: a run of any kind */

int layer_8_add(struct layers_8 *s, const struct kernel_args *a, const struct conv &c,
                const void *w, struct err *e)
{
    const struct device *d = device_of(a);
    struct layer_8 *l = &s->l[s->count++];
    const size_t words = 3 * (size_t)c.k * sizeof(int32_t);
    struct layer_follow f;
    struct grid8 x = {};
    char *image;
    int bad;

    quant8_layer_requant(a->step, &f);
    grid8_operand(a->op.node, X, &x);
    l->device = d;
    l->bytes = OUTSIDE + words;
    image = (char *)xcalloc(1, l->bytes);
    memset(image, x.zero, OUTSIDE);
    bad = table_of(a, &f.q, c.k, image + OUTSIDE, e) < 0;
    l->memory = bad ? NULL : d->alloc(d, l->bytes, e);
    bad = !l->memory || d->put(d, l->memory, image, l->bytes, e) < 0;
    free(image);
    if (bad)
        return -1;
    l->c = c;
    l->x = data<const uint8_t>(&a->op.in[X]);
    l->w = (const int8_t *)w;
    l->outside = (const uint8_t *)l->memory;
    l->zero = (uint8_t)x.zero;
    l->f = finish_of(a, f);
    l->f.step = c.k;
    l->f.base = (const int32_t *)(l->outside + OUTSIDE);
    l->f.scale = (const float *)(l->f.base + c.k);
    l->f.shift = l->f.scale + c.k;
    return 0;
}

struct layers_8 *layers_8_new(void)
{
    return (struct layers_8 *)xcalloc(1, sizeof(struct layers_8));
}

void layers_8_free(void *layers)
{
    struct layers_8 *s = (struct layers_8 *)layers;

    for (int i = 0; i < s->count; i++)
        if (s->l[i].memory)
            s->l[i].device->release(s->l[i].device, s->l[i].memory, s->l[i].bytes);
    free(s);
}

int layer_8_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct layer_follow f;

    return quant8_layer(n, X, WEIGHT, BIAS) && quant8_layer_requant(s, &f) == 0 &&
           shape_count(&n->in[WEIGHT]->shape) <= QUANT8_MOST_K * n->in[WEIGHT]->shape.dim[0];
}
