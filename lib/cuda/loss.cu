/* loss.cu -- softmax, its logarithm, and cross-entropy: a block for each row.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "cuda/lines.cuh"

/* ---- a row ---- */

__device__ float block_max(float x)
{
    __shared__ float part[THREADS / WARP];

    for (int d = WARP / 2; d; d /= 2)
        x = fmaxf(x, __shfl_xor_sync(~0u, x, d));
    if (threadIdx.x % WARP == 0)
        part[threadIdx.x / WARP] = x;
    __syncthreads();
    for (int i = 0; i < THREADS / WARP; i++)
        x = fmaxf(x, part[i]);
    __syncthreads();
    return x;
}

/* log sum exp of COUNT numbers, STEP apart.  NaN stays one.  */
template <class T> __device__ double row_lse(const T *x, int64_t count, int64_t step)
{
    float max = -INFINITY;
    double sum = 0;

    for (int64_t i = threadIdx.x; i < count; i += THREADS)
        max = fmaxf(max, get(x[i * step]));
    max = block_max(max);
    for (int64_t i = threadIdx.x; i < count; i += THREADS)
        sum += exp((double)get(x[i * step]) - max);
    return max + log(block_total(sum));
}

/* ---- softmax ---- */

template <class T> __global__ void softmax_forward(struct lines s, int is_log, const T *x, T *y)
{
    for (int64_t r = blockIdx.x; r < s.rows; r += gridDim.x) {
        const int64_t at = line_at(s, r, 0);
        const double lse = row_lse(x + at, s.size, s.inner);

        for (int64_t i = threadIdx.x; i < s.size; i += THREADS) {
            const double v = get(x[at + i * s.inner]) - lse;

            put(&y[at + i * s.inner], (float)(is_log ? v : exp(v)));
        }
    }
}

/* softmax: dx = y (dy - sum y dy); its logarithm: dx = dy - exp(y) sum dy.  */
template <class T>
__global__ void softmax_backward(struct lines s, int is_log, const T *y, const T *dy, T *dx)
{
    for (int64_t r = blockIdx.x; r < s.rows; r += gridDim.x) {
        const int64_t at = line_at(s, r, 0);
        double sum = 0;

        for (int64_t i = threadIdx.x; i < s.size; i += THREADS) {
            const int64_t k = at + i * s.inner;

            sum += is_log ? get(dy[k]) : (double)get(y[k]) * get(dy[k]);
        }
        sum = block_total(sum);
        for (int64_t i = threadIdx.x; i < s.size; i += THREADS) {
            const int64_t k = at + i * s.inner;
            const double v = get(y[k]), d = get(dy[k]);

            put(&dx[k], (float)(is_log ? d - exp(v) * sum : v * (d - sum)));
        }
    }
}

template <class T, enum layout L> static void softmax_run(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD, is_log = node_is(n, "logsoftmax");
    const struct tensor *y = &a->op.out[0];
    const struct lines s = lines_of(&y->shape, (int)attr_int(n, "axis"), L);

    if (back)
        launch(device_of(a), softmax_backward<T>, rows_grid(s.rows), THREADS, s, is_log, data<T>(y),
               data<T>(&a->op.dout[0]), data<T>(&a->op.din[0]));
    else
        launch(device_of(a), softmax_forward<T>, rows_grid(s.rows), THREADS, s, is_log,
               data<T>(&a->op.in[0]), data<T>(y));
}

/* ---- cross-entropy ---- */

/* Targets t' = slope t + offset: lib/op/crossentropy.c.  */
struct targets {
    int64_t rows, classes;
    double slope, offset;
    const int64_t *hard; /* one of these */
    const float *soft;
};

static struct targets targets_of(const struct kernel_args *a)
{
    const struct tensor *t = &a->op.in[1];
    const double s = attr_real(a->op.node, "smoothing");
    struct targets r = {};

    r.rows = a->op.in[0].shape.dim[0];
    r.classes = a->op.in[0].shape.dim[1];
    r.offset = s / (double)r.classes;
    r.slope = 1 - s;
    if (!strcmp(attr_str(a->op.node, "smoothing_rule"), "k-1") && r.classes > 1) {
        r.offset = s / (double)(r.classes - 1);
        r.slope = 1 - s - r.offset;
    }
    if (t->dtype == DTYPE_I64)
        r.hard = data<int64_t>(t);
    else
        r.soft = data<float>(t);
    return r;
}

__device__ double raw(const struct targets &t, int64_t n, int64_t k)
{
    return t.hard ? t.hard[n] == k : t.soft[n * t.classes + k];
}

/* USED[n]: 1 for a row that counts, 0 for padding.  */
__global__ void rows_used(struct targets t, double *used)
{
    for (int64_t n = blockIdx.x; n < t.rows; n += gridDim.x) {
        double some = t.hard && t.hard[n] != -1;

        for (int64_t k = threadIdx.x; t.soft && k < t.classes; k += THREADS)
            some += raw(t, n, k) != 0;
        some = block_total(some);
        if (threadIdx.x == 0)
            used[n] = some != 0;
    }
}

/* A class that there is not makes the loss a NaN.  */
__device__ int is_wild(const struct targets &t, int64_t n)
{
    return t.hard && (t.hard[n] < -1 || t.hard[n] >= t.classes);
}

/* LOSS[n] of each row, 0 for padding.  */
__global__ void row_losses(struct targets t, const float *x, const double *used, double *loss)
{
    for (int64_t n = blockIdx.x; n < t.rows; n += gridDim.x) {
        const float *row = x + n * t.classes;
        const double lse = row_lse(row, t.classes, 1);
        double sum = 0;

        for (int64_t k = threadIdx.x; k < t.classes; k += THREADS) {
            const double p = t.slope * raw(t, n, k) + t.offset;

            sum += p != 0 ? p * (lse - row[k]) : 0;
        }
        sum = block_total(sum);
        if (threadIdx.x == 0)
            loss[n] = used[n] == 0 ? 0 : is_wild(t, n) ? NAN : sum;
    }
}

__device__ double used_rows(const struct targets &t, const double *used)
{
    double m = 0;

    for (int64_t n = threadIdx.x; n < t.rows; n += THREADS)
        m += used[n];
    return block_total(m);
}

__global__ void mean_loss(struct targets t, const double *used, const double *loss, float *y)
{
    const double m = used_rows(t, used);
    double sum = 0;

    for (int64_t n = threadIdx.x; n < t.rows; n += THREADS)
        sum += loss[n];
    sum = block_total(sum);
    if (threadIdx.x == 0)
        *y = (float)(m != 0 ? sum / m : 0);
}

__global__ void loss_backward(struct targets t, const float *x, const double *used, const float *dy,
                              float *dx, float *dt)
{
    const double m = used_rows(t, used), d = m != 0 ? *dy / m : 0;

    for (int64_t n = blockIdx.x; n < t.rows; n += gridDim.x) {
        const int64_t at = n * t.classes;
        const double lse = row_lse(x + at, t.classes, 1);
        const double factor = used[n] == 0 ? 0 : is_wild(t, n) ? NAN : d;
        double total = 0;

        for (int64_t k = threadIdx.x; k < t.classes; k += THREADS)
            total += t.slope * raw(t, n, k) + t.offset;
        total = block_total(total);
        for (int64_t k = threadIdx.x; k < t.classes; k += THREADS) {
            const double p = exp(x[at + k] - lse) * total - (t.slope * raw(t, n, k) + t.offset);

            if (dx)
                dx[at + k] = (float)(factor == 0 ? 0 : p * factor);
            if (dt)
                dt[at + k] = (float)(factor == 0 ? 0 : t.slope * (lse - x[at + k]) * factor);
        }
    }
}

static void loss_run(const struct kernel_args *a)
{
    const struct targets t = targets_of(a);
    const dim3 grid = rows_grid(t.rows);
    const float *x = data<float>(&a->op.in[0]);
    double *used = (double *)a->scratch, *loss = used + t.rows;

    launch(device_of(a), rows_used, grid, THREADS, t, used);
    launch(device_of(a), row_losses, grid, THREADS, t, x, used, loss);
    launch(device_of(a), mean_loss, dim3(1), THREADS, t, used, loss, data<float>(&a->op.out[0]));
}

static void loss_back(const struct kernel_args *a)
{
    const struct targets t = targets_of(a);
    double *used = (double *)a->scratch;

    launch(device_of(a), rows_used, rows_grid(t.rows), THREADS, t, used);
    launch(device_of(a), loss_backward, rows_grid(t.rows), THREADS, t, data<float>(&a->op.in[0]),
           used, data<float>(&a->op.dout[0]), data<float>(&a->op.din[0]),
           data<float>(&a->op.din[1]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = shape_bind(s->node[0]->in[0]->shape, s->batch);

    (void)threads;
    return (size_t)x.dim[0] * 2 * sizeof(double);
}

/* clang-format off */
#define BOTH(op_name, forward, backward, bytes)                                                   \
    {.name = "loss", .op = op_name, .dir = DIR_FORWARD, .dtypes = F32 | 1u << DTYPE_I64,          \
     .scratch = bytes, .run = forward},                                                           \
    {.name = "loss", .op = op_name, .dir = DIR_BACKWARD, .dtypes = F32 | 1u << DTYPE_I64,         \
     .scratch = bytes, .run = backward}
#define NARROW(T, op_name, d)                                                                     \
    {.name = "loss", .op = op_name, .dir = d, .dtypes = F32, .reads = form<T>::layout,            \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .accepts = keeps_x,                    \
     .run = softmax_run<T, form<T>::layout>}
#define SOFTMAX(op_name)                                                                          \
    NARROW_TYPES(NARROW, op_name, DIR_FORWARD), NARROW_TYPES(NARROW, op_name, DIR_BACKWARD),      \
    BOTH(op_name, (softmax_run<float, LAYOUT_PLAIN>), (softmax_run<float, LAYOUT_PLAIN>), NULL)

extern "C" const struct kernel cuda_loss_kernels[] = {
    SOFTMAX("softmax"),
    SOFTMAX("logsoftmax"),
    BOTH("crossentropy", loss_run, loss_back, scratch),
    {},
};
/* clang-format on */
