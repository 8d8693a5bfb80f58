/* mix.cu -- samples joined in pairs, and classes as rows: what mixup and cutmix
 * do to a batch.
 * SPDX-License-Identifier: MIT  */
#include "cuda/cuda.cuh"

enum { X, PAIR, SHARE, BOX };

/* Samples of SIZE numbers, in planes of H x W where there are boxes.  */
struct mix {
    int64_t count, size, h, w;
    const int64_t *pair, *box;
    const float *share;
};

static __device__ bool is_inside(const struct mix &m, int64_t n, int64_t i)
{
    const int64_t row = i / m.w % m.h, column = i % m.w, *box = m.box + 4 * n;

    return !m.box || (row >= box[0] && column >= box[1] && row < box[2] && column < box[3]);
}

/* In double, as the definition does: the products are exact, so that it does
 * not matter whether the sum is fused.  */
static __global__ void mix_samples(struct mix m, const float *x, float *y)
{
    for (EACH (i, m.count * m.size)) {
        const int64_t n = i / m.size, at = i % m.size;
        const int64_t pair = m.pair[n] >= 0 && m.pair[n] < m.count ? m.pair[n] : n;
        const float share = m.share[n], rest = 1 - share;
        float v = x[i];

        if (is_inside(m, n, at))
            v = (float)((double)share * v + (double)rest * x[pair * m.size + at]);
        y[i] = v;
    }
}

static void mix_run(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[X], *box = &a->op.in[BOX];
    const int64_t *d = x->shape.dim, count = tensor_count(x);
    const int boxed = attr_int(a->op.node, "box") != 0;
    const struct mix m = {d[0],
                          d[0] ? count / d[0] : 0,
                          boxed ? d[2] : 1,
                          boxed ? d[3] : 1,
                          data<int64_t>(&a->op.in[PAIR]),
                          boxed ? data<int64_t>(box) : NULL,
                          data<float>(&a->op.in[SHARE])};

    launch(device_of(a), mix_samples, blocks_for(count), THREADS, m, data<float>(x),
           data<float>(&a->op.out[0]));
}

static __global__ void one_hot(int64_t rows, int64_t classes, const int64_t *x, float *y)
{
    for (EACH (i, rows * classes)) {
        const int64_t k = x[i / classes];

        y[i] = k < -1 || k >= classes ? nanf("") : (float)(k == i % classes);
    }
}

static void one_hot_run(const struct kernel_args *a)
{
    const struct tensor *y = &a->op.out[0];
    const int64_t classes = y->shape.dim[1], count = tensor_count(y);

    launch(device_of(a), one_hot, blocks_for(count), THREADS, classes ? count / classes : 0,
           classes, data<int64_t>(&a->op.in[0]), data<float>(y));
}

/* clang-format off */
extern "C" const struct kernel cuda_mix_kernels[] = {
    {.name = "mix", .op = "mix", .dir = DIR_FORWARD, .dtypes = ANY, .run = mix_run},
    {.name = "mix", .op = "onehot", .dir = DIR_FORWARD, .dtypes = ANY, .run = one_hot_run},
    {},
};
/* clang-format on */
