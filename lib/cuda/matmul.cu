/* matmul.cu -- products of stacks of matrices.
 * SPDX-License-Identifier: MIT
 *
 * In 16 bits by tensor cores, where both were computed and all rows are runs
 * of 8 numbers; they are plain then too.  A gradient of an operand that is
 * repeated over stacks is one product: its terms run over those stacks too.  */
#include "cuda/box.cuh"
#include "cuda/gemm_mma.cuh"

enum { A, B };
/* Of one launch; of a block by tensor cores: sums of 128 would not stay in
 * registers beside the boxes.  */
enum { STACKS = 65535, COLUMNS = 64 };

/* Matrices of SIZE numbers, whose lines lie STEP apart.  */
template <class T> struct side {
    const T *p;
    int64_t step, size;
};

/* Row i, term k of the matrices of a stack in turn, PER terms of each; SUMMED
 * says where they stand, as its array OF.  COLUMN as in struct matrix.  */
template <class T, int COLUMN, int OF> struct turns {
    enum { K_FIRST = !COLUMN };
    typedef T number;
    typedef int64_t row, term;
    const T *p;
    side<T> s;
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

    __device__ const T *at(row i, term k) const
    {
        return p + i + k;
    }

    __device__ const T *anything() const
    {
        return p;
    }
};

/* Stacks from FIRST on; arrays of the boxes: the operands, the result.  By
 * tensor cores N columns at once, unless N is 0.  */
template <class T, int N, int CA, int CB>
__global__ void __launch_bounds__(THREADS)
    stacked(struct gemm g, struct box kept, struct box summed, int64_t first, side<T> a, side<T> b,
            T *y)
{
    int64_t at[3];

    box_at(kept, first + blockIdx.z, 3, at);

    const int64_t per = g.k / summed.count;
    const turns<T, CA, 0> u = {a.p + at[0] * a.size, a, per, summed};
    const turns<T, CB, 1> v = {b.p + at[1] * b.size, b, per, summed};
    const biased<T> to = {y + at[2] * g.m * g.n, g.n, NULL};

    if constexpr (N)
        gemm_mma_block<N>(g, blockIdx.y, 0, u, v, to);
    else
        gemm_block(g, blockIdx.y, 0, u, v, to);
}

template <class T, int CA, int CB>
static void run(const struct kernel_args *args, struct gemm g, const struct box &kept,
                const struct box &summed, const side<T> &a, const side<T> &b, T *y)
{
    constexpr int N = form<T>::narrow != PRECISION_FP32 ? COLUMNS : 0;
    constexpr int high = N ? (int)TALL : (int)TILE, wide = N ? N : (int)TILE;
    size_t bytes = 0;

    if constexpr (N)
        bytes = mma_form<N, turns<T, CA, 0>, turns<T, CB, 1>>::bytes;
    if (!summed.count || !g.m || !g.n)
        return;
    g.k *= summed.count;
    g.k_chunk = g.k;
    for (int64_t i = 0; i < kept.count; i += STACKS) {
        const int64_t left = kept.count - i;

        launch_shared(device_of(args), stacked<T, N, CA, CB>,
                      dim3((unsigned)div_up(g.m, high), (unsigned)div_up(g.n, wide),
                           (unsigned)(left < STACKS ? left : (int64_t)STACKS)),
                      THREADS, bytes, g, kept, summed, i, a, b, y);
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

template <class T> static void forward(const struct kernel_args *args)
{
    const struct sizes s = sizes_of(args, &args->op.out[0].shape);
    const side<T> a = {data<T>(&args->op.in[A]), s.k, s.m * s.k};
    const side<T> b = {data<T>(&args->op.in[B]), s.n, s.k * s.n};
    struct box kept, summed;

    cut(&s.y, &s.y, stacks(&s.y, &s.a, &s.b, &s.y), &kept, &summed);
    run<T, 0, 1>(args, {s.m, s.n, s.k, 0}, kept, summed, a, b, data<T>(&args->op.out[0]));
}

template <class T> static void backward(const struct kernel_args *args)
{
    const struct sizes s = sizes_of(args, &args->op.dout[0].shape);
    const side<T> a = {data<T>(&args->op.in[A]), s.k, s.m * s.k};
    const side<T> b = {data<T>(&args->op.in[B]), s.n, s.k * s.n};
    const side<T> dy = {data<T>(&args->op.dout[0]), s.n, s.m * s.n};
    T *da = data<T>(&args->op.din[A]), *db = data<T>(&args->op.din[B]);
    struct box kept, summed;

    if (da) {
        cut(&s.y, &s.a, stacks(&s.y, &s.y, &s.b, &s.a), &kept, &summed);
        run<T, 0, 0>(args, {s.m, s.k, s.n, 0}, kept, summed, dy, b, da);
    }
    if (db) {
        cut(&s.y, &s.b, stacks(&s.y, &s.a, &s.y, &s.b), &kept, &summed);
        run<T, 1, 1>(args, {s.k, s.n, s.m, 0}, kept, summed, a, dy, db);
    }
}

/* Both operands and the result are kept in 16 bits, in rows of runs.  */
static int has_runs(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *y = result_shape(n);

    for (int i = A; i <= B; i++) {
        const struct shape *x = n->dir == DIR_BACKWARD ? &n->in_shape[i] : &n->in[i]->shape;

        if (!is_kept(x) || (n->in[i] && value_is_tensor(n->in[i])) ||
            x->dim[x->rank - 1] % RUN != 0)
            return 0;
    }
    return is_kept(y);
}

/* clang-format off */
#define NARROW(T, d, fn)                                                                          \
    {.name = "matmul_mma", .op = "matmul", .dir = d, .dtypes = F32, .reads = form<T>::plain,      \
     .writes = form<T>::plain, .narrow = form<T>::narrow, .pulls = 1, .accepts = has_runs,        \
     .run = fn<T>}

extern "C" const struct kernel cuda_matmul_kernels[] = {
    NARROW_TYPES(NARROW, DIR_FORWARD, forward),
    NARROW_TYPES(NARROW, DIR_BACKWARD, backward),
    {.name = "matmul", .op = "matmul", .dir = DIR_FORWARD, .dtypes = F32, .run = forward<float>},
    {.name = "matmul", .op = "matmul", .dir = DIR_BACKWARD, .dtypes = F32, .run = backward<float>},
    {},
};
/* clang-format on */
