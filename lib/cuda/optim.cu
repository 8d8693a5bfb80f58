/* optim.cu -- the step of an optimiser, and the length of all gradients.
 * SPDX-License-Identifier: MIT
 *
 * Parameters and their state stay of f32.  */
#include <math.h>

#include "cuda/cuda.cuh"

/* ---- sgd ---- */

struct sgd {
    float decay, momentum, lr_scale;
    int nesterov;
};

__global__ void sgd_step(struct sgd o, int64_t count, const float *lr, const float *grad,
                         float *param, float *buf)
{
    const float rate = *lr * o.lr_scale;

    for (EACH (i, count)) {
        const float g = grad[i] + o.decay * param[i];
        const float b = o.momentum * buf[i] + g;

        buf[i] = b;
        param[i] -= rate * (o.nesterov ? g + o.momentum * b : b);
    }
}

static void sgd_run(const struct kernel_args *a)
{
    enum { PARAM, GRAD, LR, BUF };
    const struct node *n = a->op.node;
    const struct tensor *in = a->op.in;
    const struct sgd o = {(float)attr_real(n, "decay"), (float)attr_real(n, "momentum"),
                          (float)attr_real(n, "lr_scale"), (int)attr_int(n, "nesterov")};

    launch(device_of(a), sgd_step, blocks_for(tensor_count(&in[PARAM])), THREADS, o,
           tensor_count(&in[PARAM]), data<float>(&in[LR]), data<float>(&in[GRAD]),
           data<float>(&in[PARAM]), data<float>(&in[BUF]));
}

/* ---- adamw ---- */

struct adamw {
    double beta1, beta2, eps, decay, lr_scale;
};

__global__ void count_step(float *t)
{
    if (threadIdx.x == 0)
        *t += 1;
}

__global__ void adamw_step(struct adamw o, int64_t count, const float *rate, const float *steps,
                           const float *grad, float *param, float *m, float *v)
{
    const double lr = *rate * o.lr_scale, t = *steps, keep = 1 - lr * o.decay;
    const double step = lr / (1 - pow(o.beta1, t)), root = sqrt(1 - pow(o.beta2, t));

    for (EACH (i, count)) {
        const double g = grad[i];
        const float a = (float)(o.beta1 * m[i] + (1 - o.beta1) * g);
        const float b = (float)(o.beta2 * v[i] + (1 - o.beta2) * g * g);

        m[i] = a;
        v[i] = b;
        param[i] = (float)(param[i] * keep - step * a / (sqrt((double)b) / root + o.eps));
    }
}

static void adamw_run(const struct kernel_args *a)
{
    enum { PARAM, GRAD, LR, M, V, T };
    const struct node *n = a->op.node;
    const struct tensor *in = a->op.in;
    const int64_t count = tensor_count(&in[PARAM]);
    const struct adamw o = {attr_real(n, "beta1"), attr_real(n, "beta2"), attr_real(n, "eps"),
                            attr_real(n, "decay"), attr_real(n, "lr_scale")};

    launch(device_of(a), count_step, dim3(1), WARP, data<float>(&in[T]));
    launch(device_of(a), adamw_step, blocks_for(count), THREADS, o, count, data<float>(&in[LR]),
           data<float>(&in[T]), data<float>(&in[GRAD]), data<float>(&in[PARAM]),
           data<float>(&in[M]), data<float>(&in[V]));
}

/* ---- ema ---- */

__global__ void ema_step(int64_t count, const float *share, const float *x, float *average)
{
    const float s = *share;

    for (EACH (i, count))
        average[i] += s * (x[i] - average[i]);
}

static void ema_run(const struct kernel_args *a)
{
    enum { AVERAGE, X, SHARE };
    const struct tensor *in = a->op.in;
    const int64_t count = tensor_count(&in[X]);

    launch(device_of(a), ema_step, blocks_for(count), THREADS, count, data<float>(&in[SHARE]),
           data<float>(&in[X]), data<float>(&in[AVERAGE]));
}

/* ---- the length of all gradients ---- */

enum { CHUNK = 4096 };

__global__ void squares(int64_t count, const float *x, double *part)
{
    const int64_t from = (int64_t)blockIdx.x * CHUNK;
    const int64_t end = from + CHUNK < count ? from + CHUNK : count;
    double sum = 0;

    for (int64_t i = from + threadIdx.x; i < end; i += THREADS)
        sum += (double)x[i] * x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

__global__ void length(int64_t count, const double *part, float *y)
{
    double sum = 0;

    for (int64_t i = threadIdx.x; i < count; i += THREADS)
        sum += part[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *y = (float)sqrt(sum);
}

static void norm_run(const struct kernel_args *a)
{
    double *part = (double *)a->scratch;
    int64_t all = 0;

    for (int k = 0; k < a->op.node->n_join; k++) {
        const int64_t count = tensor_count(&a->op.in[k]), chunks = div_up(count, CHUNK);

        if (chunks)
            launch(device_of(a), squares, dim3((unsigned)chunks), THREADS, count,
                   data<float>(&a->op.in[k]), part + all);
        all += chunks;
    }
    launch(device_of(a), length, dim3(1), THREADS, all, part, data<float>(&a->op.out[0]));
}

static size_t norm_scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    int64_t all = 0;

    (void)threads;
    for (int k = 0; k < n->n_join; k++) {
        const struct shape x = shape_bind(n->in[k]->shape, s->batch);

        all += div_up(shape_count(&x), CHUNK);
    }
    return (size_t)all * sizeof(double);
}

/* ---- clipscale ---- */

__global__ void shorten(int64_t count, const float *x, const float *norm, double max, float *y)
{
    const double length = *norm + 1e-6;
    const float factor = (float)(max < length ? max / length : 1);

    for (EACH (i, count))
        y[i] = x[i] * factor;
}

static void clip_run(const struct kernel_args *a)
{
    const int64_t count = tensor_count(&a->op.in[0]);

    launch(device_of(a), shorten, blocks_for(count), THREADS, count, data<float>(&a->op.in[0]),
           data<float>(&a->op.in[1]), attr_real(a->op.node, "max_norm"),
           data<float>(&a->op.out[0]));
}

/* clang-format off */
extern "C" const struct kernel cuda_optim_kernels[] = {
    {.name = "optim", .op = "sgd", .dir = DIR_UPDATE, .dtypes = F32, .run = sgd_run},
    {.name = "optim", .op = "adamw", .dir = DIR_UPDATE, .dtypes = F32, .run = adamw_run},
    {.name = "optim", .op = "ema", .dir = DIR_UPDATE, .dtypes = F32, .run = ema_run},
    {.name = "optim", .op = "gradnorm", .dir = DIR_FORWARD, .dtypes = F32, .scratch = norm_scratch,
     .run = norm_run},
    {.name = "optim", .op = "clipscale", .dir = DIR_FORWARD, .dtypes = F32, .run = clip_run},
    {},
};
/* clang-format on */
