/* norm.cu -- batch normalisation: of rows of channels.
 * SPDX-License-Identifier: MIT
 *
 * While training it is several ops (pass/split_bn): bnstats, bnapply, bnsums,
 * bngrad.  Sums over a channel are made in chunks of rows; each chunk has its
 * own mean, so that nothing is lost where means are large, and chunks are
 * joined in double (Chan, Golub, LeVeque, "Updating formulae and a pairwise
 * algorithm for computing sample variances", 1979).  */
#include <math.h>

#include "cuda/pairs.cuh"

/* ---- bnstats ---- */

/* Sums of x - x0 and of its square, x0 the first of the chunk.  */
template <class T> struct moments {
    const T *x;
    int64_t channels;

    __device__ float about(int64_t row, int64_t c) const
    {
        return get(x[row * channels + c]);
    }

    __device__ void terms(int64_t row, int64_t c, float x0, float *u, float *v) const
    {
        const float d = get(x[row * channels + c]) - x0;

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
            const int64_t from = (int64_t)k * PAIRS_CHUNK;
            const double size =
                (double)(from + PAIRS_CHUNK < r.rows ? (int64_t)PAIRS_CHUNK : r.rows - from);
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
    float *p = (float *)a->scratch;
    const int n = pairs_chunks(device_of(a), r, f, p);

    launch(device_of(a), stats_join<T>, blocks_for(r.c), THREADS, r, n, f.x, p,
           attr_real(a->op.node, "eps"), data<float>(&a->op.out[0]), data<float>(&a->op.out[1]));
}

/* ---- bnsums ---- */

/* Sums of dy and of dy (x - mean) invstd.  */
template <class T> struct gradients {
    const T *x, *dy;
    const float *mean, *invstd;
    int64_t channels;

    __device__ float about(int64_t row, int64_t c) const
    {
        (void)row;
        return mean[c];
    }

    __device__ void terms(int64_t row, int64_t c, float m, float *u, float *v) const
    {
        const int64_t at = row * channels + c;

        *u = get(dy[at]);
        *v = *u * ((get(x[at]) - m) * invstd[c]);
    }
};

template <class T> static void sums(const struct kernel_args *a)
{
    enum { X, MEAN, INVSTD, DY };
    const struct tensor *in = a->op.in;
    const struct rows r = rows_of(&in[X]);
    const gradients<T> f = {data<T>(&in[X]), data<T>(&in[DY]), data<float>(&in[MEAN]),
                            data<float>(&in[INVSTD]), r.c};

    pairs_run(device_of(a), r, f, (float *)a->scratch, data<float>(&a->op.out[0]),
              data<float>(&a->op.out[1]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape x =
        shape_bind(n->dir == DIR_BACKWARD ? n->in_shape[0] : n->in[0]->shape, s->batch);
    const int64_t c = x.dim[1], count = shape_count(&x);

    (void)threads;
    return pairs_scratch({c ? count / c : 0, c});
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

/* What backward reads: the statistics as they were used.  */
__global__ void used(int64_t channels, const float *mean, const float *var, float eps, float *means,
                     float *invstds)
{
    for (EACH (c, channels)) {
        if (means)
            means[c] = mean[c];
        if (invstds)
            invstds[c] = 1 / sqrtf(var[c] + eps);
    }
}

template <class T> static void inference(const struct kernel_args *a)
{
    enum { X, WEIGHT, BIAS, MEAN, VAR };
    const struct tensor *in = a->op.in;
    const struct rows r = rows_of(&in[X]);

    if (a->op.out[1].data || a->op.out[2].data)
        launch(device_of(a), used, blocks_for(r.c), THREADS, r.c, data<float>(&in[MEAN]),
               data<float>(&in[VAR]), (float)attr_real(a->op.node, "eps"),
               data<float>(&a->op.out[1]), data<float>(&a->op.out[2]));

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

/* ---- batchnorm2d back, where statistics do not move ---- */

template <class T>
__global__ void frozen(struct rows r, const float *invstd, const float *w, const T *dy, T *dx)
{
    for (EACH (i, r.rows * r.c)) {
        const int64_t c = i % r.c;

        put(&dx[i], (w ? w[c] : 1) * invstd[c] * get(dy[i]));
    }
}

template <class T> static void frozen_back(const struct kernel_args *a)
{
    enum { X, WEIGHT, BIAS };
    const struct tensor *in = a->op.in, *out = a->op.out, *din = a->op.din;
    const struct rows r = rows_of(&a->op.dout[0]);
    const gradients<T> f = {data<T>(&in[X]), data<T>(&a->op.dout[0]), data<float>(&out[1]),
                            data<float>(&out[2]), r.c};

    if (din[X].data)
        launch(device_of(a), frozen<T>, blocks_for(r.rows * r.c), THREADS, r, data<float>(&out[2]),
               data<float>(&in[WEIGHT]), data<T>(&a->op.dout[0]), data<T>(&din[X]));
    if (din[WEIGHT].data || din[BIAS].data)
        pairs_run(device_of(a), r, f, (float *)a->scratch, data<float>(&din[BIAS]),
                  data<float>(&din[WEIGHT]));
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
    const int rank = x_shape(s).rank;

    return (rank == 4 || rank == 2) && !s->node[0]->train && is_computed(s);
}

/* clang-format off */
#define OFFER(T, op_name, d, ok, bytes, fn)                                                          \
    {.name = "norm", .op = op_name, .dir = d, .dtypes = F32, .reads = form<T>::layout,            \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = ok, .scratch = bytes, .run = fn<T>}

extern "C" const struct kernel cuda_norm_kernels[] = {
    EACH_TYPE(OFFER, "bnstats", DIR_FORWARD, is_rows, scratch, stats),
    EACH_TYPE(OFFER, "bnapply", DIR_FORWARD, is_rows, NULL, apply_run),
    EACH_TYPE(OFFER, "bnsums", DIR_FORWARD, is_rows, scratch, sums),
    EACH_TYPE(OFFER, "bngrad", DIR_FORWARD, is_rows, NULL, grad_run),
    EACH_TYPE(OFFER, "batchnorm2d", DIR_FORWARD, is_inference, NULL, inference),
    EACH_TYPE(OFFER, "batchnorm2d", DIR_BACKWARD, is_inference, scratch, frozen_back),
    {.name = "norm", .op = "batchnorm2d", .dir = DIR_UPDATE, .dtypes = F32, .run = update_run},
    {},
};
/* clang-format on */
