/* linear.cu -- y = x W^T + b on the rows of any shape.
 * SPDX-License-Identifier: MIT
 *
 * Of sequences in 16 bits by tensor cores, where rows are runs of 8 numbers; W
 * is packed as it is, in 16 bits.  */
#include "cuda/finish.cuh"
#include "cuda/gemm_mma.cuh"
#include "cuda/narrow.cuh"

enum { X, WEIGHT, BIAS };

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

/* ---- which steps ---- */

/* Rows lie one behind the other in 16 bits too, and W is a parameter.  */
static int has_rows(const struct step_nodes *s)
{
    const struct value *w = s->node[0]->in[WEIGHT];

    return x_shape(s).rank != 4 && keeps_x(s) && (!w || value_is_tensor(w));
}

static int has_runs(const struct step_nodes *s)
{
    const struct shape x = x_shape(s);

    return x.dim[x.rank - 1] % RUN == 0 && attr_int(s->node[0], "out") % RUN == 0 && has_rows(s);
}

static const char *const epilogue[] = {"scale", "add", ACT_NAMES, NULL};

static int follows(const struct step_nodes *s)
{
    for (int k = 1; k < s->n; k++) {
        const struct node *n = s->node[k];

        if (node_is(n, "scale") && (s->link[k] || attr_int(n, "axis") != x_shape(s).rank - 1))
            return 0;
        if (node_is(n, "add") && !finish_adds(n, s->link[k]))
            return 0;
    }
    return 1;
}

static int accepts_rows(const struct step_nodes *s)
{
    return has_rows(s) && follows(s);
}

static int accepts_runs(const struct step_nodes *s)
{
    return has_runs(s) && follows(s);
}

/* ---- running ---- */

/* Bias and scale of the columns, then what else follows.  By itself, as it
 * would take registers from convolutions.  */
template <class T> struct columns {
    struct finish<T> rest;
    const float *bias, *gain; /* or NULL */

    __device__ void store(int64_t m, int64_t n, float v) const
    {
        if (bias)
            v += bias[n];
        if (gain)
            v *= gain[n];
        rest.store(m, n, v);
    }
};

template <class T> static struct columns<T> columns_of(const struct kernel_args *a, int64_t step) {
    struct columns<T> c = {
        finish_of<T>(a, step), NULL, NULL
    };

    c.bias = c.rest.bias;
    c.gain = c.rest.gain;
    c.rest.bias = c.rest.gain = NULL;
    return c;
}

/* W as the product reads it.  */
template <class T>
static const T *weight(const struct kernel_args *a)
{
    const void *packed = a->packed[WEIGHT];

    return packed ? (const T *)packed : data<T>(&a->op.in[WEIGHT]);
}

template <class T, int MMA> static void forward(const struct kernel_args *a)
{
    const struct sizes s = sizes_of(&a->op.in[X].shape, attr_int(a->op.node, "out"));
    const matrix<T, 0> x = {data<T>(&a->op.in[X]), s.c}, w = {weight<T>(a), s.c};

    gemm_by<MMA>(device_of(a), {s.rows, s.k, s.c, s.c}, x, w, columns_of<T>(a, s.k));
}

template <class T, int MMA>
static void backward_x(const struct kernel_args *a, const struct sizes &s)
{
    const matrix<T, 0> dy = {data<T>(&a->op.dout[0]), s.k};
    const matrix<T, 1> w = {weight<T>(a), s.c};
    const biased<T> dx = {data<T>(&a->op.din[X]), s.c, NULL};

    gemm_by<MMA>(device_of(a), {s.rows, s.c, s.k, s.k}, dy, w, dx);
}

template <class T, int MMA>
static void backward_w(const struct kernel_args *a, const struct sizes &s)
{
    const int64_t chunk = gemm_chunk(s.k, s.c, s.rows);
    const matrix<T, 1> dy = {data<T>(&a->op.dout[0]), s.k}, x = {data<T>(&a->op.in[X]), s.c};
    const partial dw = {(float *)a->scratch, s.k, s.c};

    gemm_by<MMA>(device_of(a), {s.k, s.c, s.rows, chunk}, dy, x, dw);
    launch(device_of(a), gemm_join<in_order>, blocks_for(s.k * s.c), THREADS, dw.p, s.k * s.c,
           (int)div_up(s.rows, chunk), in_order(), data<float>(&a->op.din[WEIGHT]));
}

template <class T, int MMA> static void backward(const struct kernel_args *a)
{
    const struct sizes s = sizes_of(&a->op.in[X].shape, attr_int(a->op.node, "out"));

    if (a->op.din[X].data)
        backward_x<T, MMA>(a, s);
    if (a->op.din[WEIGHT].data)
        backward_w<T, MMA>(a, s);
    if (a->op.din[BIAS].data)
        row_sums_run(device_of(a), {s.rows, s.k}, data<T>(&a->op.dout[0]), (float *)a->scratch,
                     data<float>(&a->op.din[BIAS]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = x_shape(s);
    const struct sizes z = sizes_of(&x, attr_int(s->node[0], "out"));
    const size_t w =
        (size_t)(div_up(z.rows, gemm_chunk(z.k, z.c, z.rows)) * z.k * z.c) * sizeof(float);
    const size_t b = row_sums_scratch(z.rows, z.k);

    (void)threads;
    return w > b ? w : b;
}

/* ---- packing ---- */

template <class T> static size_t pack_bytes(const struct step_nodes *s, int i)
{
    return i == WEIGHT ? (size_t)shape_count(&s->node[0]->in[WEIGHT]->shape) * sizeof(T) : 0;
}

/* clang-format off */
#define NARROW(T, what, MMA, forward_fits, backward_fits)                                         \
    {.name = what, .op = "linear", .dir = DIR_FORWARD, .dtypes = F32, .reads = form<T>::layout,   \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = MMA, .epilogue = epilogue,    \
     .accepts = forward_fits, .pack_bytes = pack_bytes<T>, .pack = narrow_pack<T>,                \
     .run = forward<T, MMA>},                                                                     \
    {.name = what, .op = "linear", .dir = DIR_BACKWARD, .dtypes = F32, .reads = form<T>::layout,  \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = MMA, .accepts = backward_fits, \
     .scratch = scratch, .pack_bytes = pack_bytes<T>, .pack = narrow_pack<T>,                      \
     .run = backward<T, MMA>}

extern "C" const struct kernel cuda_linear_kernels[] = {
    NARROW_TYPES(NARROW, "linear_mma", 1, accepts_runs, has_runs),
    NARROW_TYPES(NARROW, "linear", 0, accepts_rows, has_rows),
    {.name = "linear", .op = "linear", .dir = DIR_FORWARD, .dtypes = F32, .run = forward<float, 0>},
    {.name = "linear", .op = "linear", .dir = DIR_BACKWARD, .dtypes = F32, .scratch = scratch,
     .run = backward<float, 0>},
    {},
};
/* clang-format on */
