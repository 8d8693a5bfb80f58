/* linear.cu -- y = x W^T + b on the rows of any shape.
 * SPDX-License-Identifier: MIT  */
#include "cuda/gemm.cuh"

enum { X, WEIGHT, BIAS };
enum { CHUNK = 1024 }; /* rows that one partial sum of a gradient has */

/* W is [k][c], x [rows][c], y [rows][k].  */
struct sizes {
    int64_t rows, k, c;
};

static struct sizes sizes_of(const struct shape *x, int64_t k)
{
    struct sizes s = {1, k, x->dim[x->rank - 1]};

    for (int d = 0; d + 1 < x->rank; d++)
        s.rows *= x->dim[d];
    return s;
}

static void forward(const struct kernel_args *a)
{
    const struct sizes s = sizes_of(&a->op.in[X].shape, attr_int(a->op.node, "out"));
    const matrix<float, 0> x = {data<float>(&a->op.in[X]), s.c};
    const matrix<float, 0> w = {data<float>(&a->op.in[WEIGHT]), s.c};
    const biased<float> y = {data<float>(&a->op.out[0]), s.k, data<float>(&a->op.in[BIAS])};

    gemm_run(device_of(a), {s.rows, s.k, s.c, s.c}, x, w, y);
}

static void backward_x(const struct kernel_args *a, const struct sizes &s)
{
    const matrix<float, 0> dy = {data<float>(&a->op.dout[0]), s.k};
    const matrix<float, 1> w = {data<float>(&a->op.in[WEIGHT]), s.c};
    const biased<float> dx = {data<float>(&a->op.din[X]), s.c, NULL};

    gemm_run(device_of(a), {s.rows, s.c, s.k, s.k}, dy, w, dx);
}

static void backward_w(const struct kernel_args *a, const struct sizes &s)
{
    const matrix<float, 1> dy = {data<float>(&a->op.dout[0]), s.k};
    const matrix<float, 1> x = {data<float>(&a->op.in[X]), s.c};
    const partial dw = {(float *)a->scratch, s.k, s.c};

    gemm_run(device_of(a), {s.k, s.c, s.rows, CHUNK}, dy, x, dw);
    launch(device_of(a), gemm_join<in_order>, blocks_for(s.k * s.c), THREADS, dw.p, s.k * s.c,
           (int)div_up(s.rows, CHUNK), in_order(), data<float>(&a->op.din[WEIGHT]));
}

static void backward(const struct kernel_args *a)
{
    const struct sizes s = sizes_of(&a->op.in[X].shape, attr_int(a->op.node, "out"));

    if (a->op.din[X].data)
        backward_x(a, s);
    if (a->op.din[WEIGHT].data)
        backward_w(a, s);
    if (a->op.din[BIAS].data)
        row_sums_run(device_of(a), {s.rows, s.k}, data<float>(&a->op.dout[0]), (float *)a->scratch,
                     data<float>(&a->op.din[BIAS]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in_shape[X], s->batch);
    const struct sizes z = sizes_of(&x, attr_int(n, "out"));
    const size_t w = (size_t)(div_up(z.rows, CHUNK) * z.k * z.c) * sizeof(float);
    const size_t b = row_sums_scratch(z.rows, z.k);

    (void)threads;
    return w > b ? w : b;
}

extern "C" const struct kernel cuda_linear_kernels[] = {
    {.name = "linear", .op = "linear", .dir = DIR_FORWARD, .dtypes = F32, .run = forward},
    {.name = "linear",
     .op = "linear",
     .dir = DIR_BACKWARD,
     .dtypes = F32,
     .scratch = scratch,
     .run = backward},
    {},
};
