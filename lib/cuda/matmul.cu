/* matmul.cu -- products of stacks of matrices, in f32.
 * SPDX-License-Identifier: MIT
 *
 * A gradient of an operand that is repeated over stacks is one product: its
 * terms run over those stacks too.  */
#include "cuda/box.cuh"
#include "cuda/gemm.cuh"

enum { A, B };
enum { STACKS = 65535 }; /* of one launch */

/* Matrices of SIZE numbers, whose lines lie STEP apart.  */
struct side {
    const float *p;
    int64_t step, size;
};

/* Row i, term k of the matrices of a stack in turn, PER terms of each; SUMMED
 * says where they stand, as its array OF.  COLUMN as in struct matrix.  */
template <int COLUMN, int OF> struct turns {
    enum { K_FIRST = !COLUMN };
    typedef int64_t row, term;
    const float *p;
    struct side s;
    int64_t per;
    const struct box &summed;

    __device__ row row_of(int64_t i) const
    {
        return COLUMN ? i : i * s.step;
    }

    __device__ term term_of(int64_t k) const
    {
        int64_t at[2];

        if (summed.count == 1)
            return COLUMN ? k * s.step : k;
        box_at(summed, k / per, 2, at);
        k %= per;
        return at[OF] * s.size + (COLUMN ? k * s.step : k);
    }

    __device__ const float *at(row i, term k) const
    {
        return p + i + k;
    }
};

/* Stacks from FIRST on; arrays of the boxes: the operands, the result.  */
template <int CA, int CB>
__global__ void __launch_bounds__(THREADS)
    stacked(struct gemm g, struct box kept, struct box summed, int64_t first, struct side a,
            struct side b, float *y)
{
    int64_t at[3];

    box_at(kept, first + blockIdx.z, 3, at);
    gemm_block(g, 0, turns<CA, 0>{a.p + at[0] * a.size, a, g.k / summed.count, summed},
               turns<CB, 1>{b.p + at[1] * b.size, b, g.k / summed.count, summed},
               biased<float>{y + at[2] * g.m * g.n, g.n, NULL});
}

template <int CA, int CB>
static void run(const struct kernel_args *args, struct gemm g, const struct box &kept,
                const struct box &summed, const struct side &a, const struct side &b, float *y)
{
    if (!summed.count || !g.m || !g.n)
        return;
    g.k *= summed.count;
    g.k_chunk = g.k;
    for (int64_t i = 0; i < kept.count; i += STACKS) {
        const int64_t left = kept.count - i;

        launch(device_of(args), stacked<CA, CB>,
               dim3((unsigned)div_up(g.m, TILE), (unsigned)div_up(g.n, TILE),
                    (unsigned)(left < STACKS ? left : (int64_t)STACKS)),
               THREADS, g, kept, summed, i, a, b, y);
    }
}

/* The sizes in front of the matrices.  */
static struct shape stack_of(const struct shape *s)
{
    struct shape r = *s;

    r.rank -= 2;
    return r;
}

struct sizes {
    struct shape a, b, y; /* the stacks */
    int64_t m, k, n;
};

static struct sizes sizes_of(const struct kernel_args *args, const struct shape *y)
{
    const struct shape *a = &args->op.in[A].shape, *b = &args->op.in[B].shape;

    return {stack_of(a),         stack_of(b),         stack_of(y),
            a->dim[a->rank - 2], a->dim[a->rank - 1], b->dim[b->rank - 1]};
}

/* The stacks of y; those that read one matrix of shape OF in *SUMMED.  */
static void cut(const struct shape *y, const struct shape *of, const struct box &all,
                struct box *kept, struct box *summed)
{
    *kept = *summed = all;
    for (int d = 0; d < y->rank; d++) {
        const int k = d - (y->rank - of->rank);
        struct box *one = k < 0 || of->dim[k] != y->dim[d] ? kept : summed;

        one->count /= y->dim[d] ? y->dim[d] : 1;
        one->dim[d] = 1;
    }
}

static struct box stacks(const struct shape *y, const struct shape *first,
                         const struct shape *second, const struct shape *result)
{
    struct box b = box_of(y);

    box_steps(&b, 0, first, LAYOUT_PLAIN);
    box_steps(&b, 1, second, LAYOUT_PLAIN);
    box_steps(&b, 2, result, LAYOUT_PLAIN);
    return b;
}

static void forward(const struct kernel_args *args)
{
    const struct sizes s = sizes_of(args, &args->op.out[0].shape);
    const struct side a = {data<float>(&args->op.in[A]), s.k, s.m * s.k};
    const struct side b = {data<float>(&args->op.in[B]), s.n, s.k * s.n};
    struct box kept, summed;

    cut(&s.y, &s.y, stacks(&s.y, &s.a, &s.b, &s.y), &kept, &summed);
    run<0, 1>(args, {s.m, s.n, s.k, 0}, kept, summed, a, b, data<float>(&args->op.out[0]));
}

static void backward(const struct kernel_args *args)
{
    const struct sizes s = sizes_of(args, &args->op.dout[0].shape);
    const struct side a = {data<float>(&args->op.in[A]), s.k, s.m * s.k};
    const struct side b = {data<float>(&args->op.in[B]), s.n, s.k * s.n};
    const struct side dy = {data<float>(&args->op.dout[0]), s.n, s.m * s.n};
    float *da = data<float>(&args->op.din[A]), *db = data<float>(&args->op.din[B]);
    struct box kept, summed;

    if (da) {
        cut(&s.y, &s.a, stacks(&s.y, &s.y, &s.b, &s.a), &kept, &summed);
        run<0, 0>(args, {s.m, s.k, s.n, 0}, kept, summed, dy, b, da);
    }
    if (db) {
        cut(&s.y, &s.b, stacks(&s.y, &s.a, &s.y, &s.b), &kept, &summed);
        run<1, 1>(args, {s.k, s.n, s.m, 0}, kept, summed, a, dy, db);
    }
}

extern "C" const struct kernel cuda_matmul_kernels[] = {
    {.name = "matmul", .op = "matmul", .dir = DIR_FORWARD, .dtypes = F32, .run = forward},
    {.name = "matmul", .op = "matmul", .dir = DIR_BACKWARD, .dtypes = F32, .run = backward},
    {},
};
