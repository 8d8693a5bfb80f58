/* norm.cu -- batch normalisation: of rows of channels.
 * SPDX-License-Identifier: MIT
 *
 * While training it is several ops (pass/split_bn): bnstats, bnapply, bnsums,
 * bngrad.  Sums over a channel are made in chunks of rows; each chunk has its
 * own mean, so that nothing is lost where means are large, and chunks are
 * joined in double (Chan, Golub, LeVeque, "Updating formulae and a pairwise
 * algorithm for computing sample variances", 1979).  */
#include <math.h>

#include "cuda/arrays.cuh"
#include "cuda/moments.cuh"
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

/* What they make of a chunk, from which x0 is left out.  */
template <class T> struct chunk_moments {
    enum { rows = PAIRS_CHUNK };
    const T *x;
    const float *p;
    int64_t channels;

    __device__ double sum(int64_t k, int64_t c, double size) const
    {
        return get(x[k * rows * channels + c]) * size + p[k * 2 * channels + c];
    }

    __device__ double square(int64_t k, int64_t c, double size) const
    {
        const double s = p[k * 2 * channels + c];
        const double q = p[(k * 2 + 1) * channels + c] - s * s / size;

        return q < 0 ? 0 : q;
    }
};

template <class T> static void stats(const struct kernel_args *a)
{
    const struct rows r = rows_of(&a->op.in[0]);
    const moments<T> f = {data<T>(&a->op.in[0]), r.c};
    float *p = (float *)a->scratch;

    pairs_chunks(device_of(a), r, f, p);
    launch(device_of(a), moments_join<chunk_moments<T>>, join_grid(r.c), join_block(), r,
           chunk_moments<T>{f.x, p, r.c}, attr_real(a->op.node, "eps"), data<float>(&a->op.out[0]),
           data<float>(&a->op.out[1]));
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

/* Of one node; count: channels.  */
struct running {
    int64_t count;
    double unbiased, momentum, eps; /* unbiased: n / (n - 1) */
    const float *mean, *invstd;
    float *run_mean, *run_var;
};

__global__ void all_running(const struct running *item, const struct piece *piece)
{
    const struct running u = item[piece[blockIdx.x].item];
    const struct range p = range_of(piece[blockIdx.x], u.count);

    for (int64_t c = p.from + threadIdx.x; c < p.end; c += THREADS) {
        const double v = 1 / ((double)u.invstd[c] * u.invstd[c]) - u.eps;
        const double var = (v > 0 ? v : 0) * u.unbiased;

        u.run_mean[c] = (float)((1 - u.momentum) * u.run_mean[c] + u.momentum * u.mean[c]);
        u.run_var[c] = (float)((1 - u.momentum) * u.run_var[c] + u.momentum * var);
    }
}

static struct running running_of(const struct kernel_args *a)
{
    enum { X, WEIGHT, BIAS, MEAN, VAR };
    const struct node *n = a->op.node;
    const struct rows r = rows_of(&a->op.in[X]);
    const double count = (double)r.rows;

    return {n->train ? r.c : 0,           count > 1 ? count / (count - 1) : 1,
            attr_real(n, "momentum"),     attr_real(n, "eps"),
            data<float>(&a->op.out[1]),   data<float>(&a->op.out[2]),
            data<float>(&a->op.in[MEAN]), data<float>(&a->op.in[VAR])};
}

static void *running_new(const struct kernel_args *const *a, int n, struct err *e)
{
    struct running *u = (struct running *)xcalloc((size_t)n, sizeof *u);
    void *t;

    for (int i = 0; i < n; i++)
        u[i] = running_of(a[i]);
    t = arrays_new(device_of(a[0]), u, n, e);
    free(u);
    return t;
}

static void running_run(const void *prepared)
{
    const struct arrays<struct running> *t = (const struct arrays<struct running> *)prepared;

    if (t->pieces)
        launch(t->device, all_running, dim3(t->pieces), THREADS, t->item, t->piece);
}

static const struct together running_together = {0, running_new, running_run,
                                                 arrays_free<struct running>};

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
    {.name = "norm", .op = "batchnorm2d", .dir = DIR_UPDATE, .dtypes = F32,
     .together = &running_together},
    {},
};
/* clang-format on */
