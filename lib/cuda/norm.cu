/* norm.cu -- batch normalisation: of rows of channels.
 * SPDX-License-Identifier: MIT
 *
 * While training it is several ops (pass/split_bn): bnstats, bnapply, bnsums,
 * bngrad.  Sums over a channel are made in chunks of rows; each chunk has its
 * own mean, so that nothing is lost where means are large, and chunks are
 * joined in double (Chan, Golub, LeVeque, "Updating formulae and a pairwise
 * algorithm for computing sample variances", 1979).  */
#include <math.h>

#include "cuda/cuda.cuh"

enum { CHUNK = 512, LINES = 8 }; /* rows of a chunk; rows at a time */

static dim3 chunks(const struct rows &r)
{
    return dim3((unsigned)div_up(r.c, WARP), (unsigned)div_up(r.rows, CHUNK));
}

/* Two sums of each channel and chunk: P is [chunk][2][c].  F makes what is
 * added of (row, channel), about what it was given for the chunk.  */
template <class F> __global__ void channel_pairs(struct rows r, F f, float *p)
{
    __shared__ float part[2][LINES][WARP];
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const int64_t from = (int64_t)blockIdx.y * CHUNK;
    const int64_t end = from + CHUNK < r.rows ? from + CHUNK : r.rows;
    const float about = c < r.c ? f.about(from, c) : 0;
    float a = 0, b = 0;

    for (int64_t i = from + threadIdx.y; i < end && c < r.c; i += LINES) {
        float u, v;

        f.terms(i * r.c + c, c, about, &u, &v);
        a += u;
        b += v;
    }
    part[0][threadIdx.y][threadIdx.x] = a;
    part[1][threadIdx.y][threadIdx.x] = b;
    __syncthreads();
    if (threadIdx.y == 0 && c < r.c) {
        for (int i = 1; i < LINES; i++) {
            a += part[0][i][threadIdx.x];
            b += part[1][i][threadIdx.x];
        }
        p[(blockIdx.y * 2) * r.c + c] = a;
        p[(blockIdx.y * 2 + 1) * r.c + c] = b;
    }
}

/* ---- bnstats ---- */

/* Sums of x - x0 and of its square, x0 the first of the chunk.  */
template <class T> struct moments {
    const T *x;
    int64_t channels;

    __device__ float about(int64_t row, int64_t c) const
    {
        return get(x[row * channels + c]);
    }

    __device__ void terms(int64_t at, int64_t c, float x0, float *u, float *v) const
    {
        const float d = get(x[at]) - x0;

        (void)c;
        *u = d;
        *v = d * d;
    }
};

template <class T>
__global__ void stats_join(struct rows r, int chunks, const T *x, const float *p, double eps,
                           float *mean, float *invstd)
{
    for (EACH (c, r.c)) {
        double m = 0, square = 0, n = 0;

        for (int k = 0; k < chunks; k++) {
            const int64_t from = (int64_t)k * CHUNK;
            const double size = (double)(from + CHUNK < r.rows ? (int64_t)CHUNK : r.rows - from);
            const double s = p[k * 2 * r.c + c], q = p[(k * 2 + 1) * r.c + c];
            const double own = get(x[from * r.c + c]) + s / size, d = own - m;

            square += q - s * s / size + d * d * n * size / (n + size);
            m += d * size / (n + size);
            n += size;
        }
        mean[c] = (float)m;
        invstd[c] = (float)(1 / sqrt((square > 0 ? square : square < 0 ? 0 : square) / n + eps));
    }
}

template <class T> static void stats(const struct kernel_args *a)
{
    const struct rows r = rows_of(&a->op.in[0]);
    const moments<T> f = {data<T>(&a->op.in[0]), r.c};
    const dim3 grid = chunks(r);
    float *p = (float *)a->scratch;

    launch(device_of(a), channel_pairs<moments<T>>, grid, dim3(WARP, LINES), r, f, p);
    launch(device_of(a), stats_join<T>, blocks_for(r.c), THREADS, r, (int)grid.y, f.x, p,
           attr_real(a->op.node, "eps"), data<float>(&a->op.out[0]), data<float>(&a->op.out[1]));
}

/* ---- bnsums ---- */

/* Sums of dy and of dy (x - mean) invstd.  */
template <class T> struct gradients {
    const T *x, *dy;
    const float *mean, *invstd;

    __device__ float about(int64_t row, int64_t c) const
    {
        (void)row;
        return mean[c];
    }

    __device__ void terms(int64_t at, int64_t c, float m, float *u, float *v) const
    {
        *u = get(dy[at]);
        *v = *u * ((get(x[at]) - m) * invstd[c]);
    }
};

__global__ void sums_join(int64_t channels, int chunks, const float *p, float *db, float *dw)
{
    for (EACH (c, channels)) {
        double b = 0, w = 0;

        for (int k = 0; k < chunks; k++) {
            b += p[k * 2 * channels + c];
            w += p[(k * 2 + 1) * channels + c];
        }
        if (db)
            db[c] = (float)b;
        if (dw)
            dw[c] = (float)w;
    }
}

template <class T>
static void sums_run(const struct kernel_args *a, const gradients<T> &f, struct rows r, float *db,
                     float *dw)
{
    const dim3 grid = chunks(r);
    float *p = (float *)a->scratch;

    launch(device_of(a), channel_pairs<gradients<T>>, grid, dim3(WARP, LINES), r, f, p);
    launch(device_of(a), sums_join, blocks_for(r.c), THREADS, r.c, (int)grid.y, p, db, dw);
}

template <class T> static void sums(const struct kernel_args *a)
{
    enum { X, MEAN, INVSTD, DY };
    const struct tensor *in = a->op.in;
    const gradients<T> f = {data<T>(&in[X]), data<T>(&in[DY]), data<float>(&in[MEAN]),
                            data<float>(&in[INVSTD])};

    sums_run(a, f, rows_of(&in[X]), data<float>(&a->op.out[0]), data<float>(&a->op.out[1]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape x =
        shape_bind(n->dir == DIR_BACKWARD ? n->in_shape[0] : n->in[0]->shape, s->batch);
    const int64_t c = x.dim[1], count = shape_count(&x);

    (void)threads;
    return (size_t)(div_up(c ? count / c : 0, CHUNK) * 2 * c) * sizeof(float);
}

/* ---- bnapply, batchnorm2d of inference ---- */

/* VAR: the second statistic is a variance, not 1 / deviation.  */
template <class T, int VAR>
__global__ void apply(struct rows r, const T *x, const float *mean, const float *spread, float eps,
                      const float *w, const float *b, T *y)
{
    for (EACH (i, r.rows * r.c)) {
        const int64_t c = i % r.c;
        const float invstd = VAR ? 1 / sqrtf(spread[c] + eps) : spread[c];

        put(&y[i], (get(x[i]) - mean[c]) * ((w ? w[c] : 1) * invstd) + (b ? b[c] : 0));
    }
}

template <class T> static void apply_run(const struct kernel_args *a)
{
    enum { X, MEAN, INVSTD, WEIGHT, BIAS };
    const struct tensor *in = a->op.in;
    const struct rows r = rows_of(&in[X]);

    launch(device_of(a), apply<T, 0>, blocks_for(r.rows * r.c), THREADS, r, data<T>(&in[X]),
           data<float>(&in[MEAN]), data<float>(&in[INVSTD]), 0.f, data<float>(&in[WEIGHT]),
           data<float>(&in[BIAS]), data<T>(&a->op.out[0]));
}

template <class T> static void inference(const struct kernel_args *a)
{
    enum { X, WEIGHT, BIAS, MEAN, VAR };
    const struct tensor *in = a->op.in;
    const struct rows r = rows_of(&in[X]);

    launch(device_of(a), apply<T, 1>, blocks_for(r.rows * r.c), THREADS, r, data<T>(&in[X]),
           data<float>(&in[MEAN]), data<float>(&in[VAR]), (float)attr_real(a->op.node, "eps"),
           data<float>(&in[WEIGHT]), data<float>(&in[BIAS]), data<T>(&a->op.out[0]));
}

/* ---- bngrad ---- */

template <class T>
__global__ void grad(struct rows r, const T *x, const float *mean, const float *invstd,
                     const float *w, const float *db, const float *dw, const T *dy, T *dx)
{
    const float m = (float)r.rows;

    for (EACH (i, r.rows * r.c)) {
        const int64_t c = i % r.c;
        const float h = (get(x[i]) - mean[c]) * invstd[c];

        put(&dx[i], (w ? w[c] : 1) * invstd[c] * (get(dy[i]) - db[c] / m - h * (dw[c] / m)));
    }
}

template <class T> static void grad_run(const struct kernel_args *a)
{
    enum { X, MEAN, INVSTD, WEIGHT, DBIAS, DWEIGHT, DY };
    const struct tensor *in = a->op.in;
    const struct rows r = rows_of(&in[X]);

    launch(device_of(a), grad<T>, blocks_for(r.rows * r.c), THREADS, r, data<T>(&in[X]),
           data<float>(&in[MEAN]), data<float>(&in[INVSTD]), data<float>(&in[WEIGHT]),
           data<float>(&in[DBIAS]), data<float>(&in[DWEIGHT]), data<T>(&in[DY]),
           data<T>(&a->op.out[0]));
}

/* ---- running statistics ---- */

__global__ void update(int64_t channels, double count, double momentum, double eps,
                       const float *mean, const float *invstd, float *run_mean, float *run_var)
{
    for (EACH (c, channels)) {
        const double v = 1 / ((double)invstd[c] * invstd[c]) - eps;
        const double var = (v > 0 ? v : 0) * (count > 1 ? count / (count - 1) : 1);

        run_mean[c] = (float)((1 - momentum) * run_mean[c] + momentum * mean[c]);
        run_var[c] = (float)((1 - momentum) * run_var[c] + momentum * var);
    }
}

static void update_run(const struct kernel_args *a)
{
    enum { X, WEIGHT, BIAS, MEAN, VAR };
    const struct node *n = a->op.node;
    const struct rows r = rows_of(&a->op.in[X]);

    if (n->train)
        launch(device_of(a), update, blocks_for(r.c), THREADS, r.c, (double)r.rows,
               attr_real(n, "momentum"), attr_real(n, "eps"), data<float>(&a->op.out[1]),
               data<float>(&a->op.out[2]), data<float>(&a->op.in[MEAN]),
               data<float>(&a->op.in[VAR]));
}

static int is_inference(const struct step_nodes *s)
{
    return is_rows(s) && !s->node[0]->train;
}

/* clang-format off */
#define OFFER(op_name, T, ok, bytes, fn)                                                          \
    {.name = "norm", .op = op_name, .dir = DIR_FORWARD, .dtypes = F32, .reads = form<T>::layout,  \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = ok, .scratch = bytes, .run = fn<T>}

extern "C" const struct kernel cuda_norm_kernels[] = {
    OFFER("bnstats", float, is_rows, scratch, stats), OFFER("bnstats", bf16, is_rows, scratch, stats),
    OFFER("bnapply", float, is_rows, NULL, apply_run), OFFER("bnapply", bf16, is_rows, NULL, apply_run),
    OFFER("bnsums", float, is_rows, scratch, sums), OFFER("bnsums", bf16, is_rows, scratch, sums),
    OFFER("bngrad", float, is_rows, NULL, grad_run), OFFER("bngrad", bf16, is_rows, NULL, grad_run),
    OFFER("batchnorm2d", float, is_inference, NULL, inference),
    OFFER("batchnorm2d", bf16, is_inference, NULL, inference),
    {.name = "norm", .op = "batchnorm2d", .dir = DIR_UPDATE, .dtypes = F32, .run = update_run},
    {},
};
/* clang-format on */
