/* eltwise_8.cu -- what stands between layers of 8 bits: quantize, dequantize,
 * sums, and a factor for each channel.
 * SPDX-License-Identifier: MIT  */
#include "cuda/box.cuh"
#include "cuda/finish_8.cuh"

enum { X, SCALE, ZERO };

/* ---- quantize, dequantize: any scales ---- */

__device__ __forceinline__ float lowest(uint8_t)
{
    return 0;
}

__device__ __forceinline__ float lowest(int8_t)
{
    return -128;
}

/* A NaN gives the zero point.  */
template <class Q> __device__ __forceinline__ Q quantised(float x, float scale, Q zero)
{
    const float v = x / scale, low = lowest(zero) - (float)zero;

    if (v != v)
        return zero;
    return (Q)(rintf(fminf(low + 255, fmaxf(low, v))) + (float)zero);
}

template <class Q>
__global__ void quantize_same(int64_t count, const float *x, const float *scale, const Q *zero,
                              Q *y)
{
    const float s = *scale;
    const Q z = *zero;

    for (EACH (i, count))
        y[i] = quantised(x[i], s, z);
}

/* Arrays of the box: x, y, the scales.  */
template <class Q>
__global__ void quantize_box(struct box b, const float *x, const float *scale, const Q *zero, Q *y)
{
    for (EACH (i, b.count)) {
        int64_t at[3];

        box_at(b, i, 3, at);
        y[at[1]] = quantised(x[at[0]], scale[at[2]], zero[at[2]]);
    }
}

template <class Q> __device__ __forceinline__ float dequantised(Q x, float scale, Q zero)
{
    if constexpr (sizeof(Q) == 1)
        return (float)(x - zero) * scale;
    else
        return (float)((int64_t)x - zero) * scale;
}

template <class Q>
__global__ void dequantize_same(int64_t count, const Q *x, const float *scale, const Q *zero,
                                float *y)
{
    const float s = *scale;
    const Q z = *zero;

    for (EACH (i, count))
        y[i] = dequantised(x[i], s, z);
}

template <class Q>
__global__ void dequantize_box(struct box b, const Q *x, const float *scale, const Q *zero,
                               float *y)
{
    for (EACH (i, b.count)) {
        int64_t at[3];

        box_at(b, i, 3, at);
        y[at[1]] = dequantised(x[at[0]], scale[at[2]], zero[at[2]]);
    }
}

/* X in layout FROM, y in TO, the scales along their axis; in y's order.  */
static struct box box_for(const struct kernel_args *a, enum layout from, enum layout to)
{
    const struct shape *s = &a->op.in[X].shape;
    const int64_t axis = attr_int(a->op.node, "axis");
    struct box b = box_of(s);

    box_steps(&b, 0, s, from);
    box_steps(&b, 1, s, to);
    if (tensor_count(&a->op.in[SCALE]) > 1)
        b.step[2][axis < 0 ? axis + s->rank : axis] = 1;
    box_order(&b, to);
    return b;
}

/* One scale, and everything stays in its place.  */
static int is_flat(const struct kernel_args *a, enum layout from, enum layout to)
{
    return tensor_count(&a->op.in[SCALE]) == 1 && (from == to || a->op.in[X].shape.rank != 4);
}

template <class Q, enum layout FROM, enum layout TO>
static void quantize_to(const struct kernel_args *a)
{
    const struct device *d = device_of(a);
    const int64_t count = tensor_count(&a->op.in[X]);
    const float *x = data<float>(&a->op.in[X]), *scale = data<float>(&a->op.in[SCALE]);
    const Q *zero = data<Q>(&a->op.in[ZERO]);
    Q *y = data<Q>(&a->op.out[0]);

    if (is_flat(a, FROM, TO))
        launch(d, quantize_same<Q>, blocks_for(count), THREADS, count, x, scale, zero, y);
    else
        launch(d, quantize_box<Q>, blocks_for(count), THREADS, box_for(a, FROM, TO), x, scale, zero,
               y);
}

template <enum layout FROM, enum layout TO> static void quantize(const struct kernel_args *a)
{
    (a->op.out[0].dtype == DTYPE_I8 ? quantize_to<int8_t, FROM, TO>
                                    : quantize_to<uint8_t, FROM, TO>)(a);
}

template <class Q, enum layout L> static void dequantize_from(const struct kernel_args *a)
{
    const struct device *d = device_of(a);
    const int64_t count = tensor_count(&a->op.in[X]);
    const Q *x = data<Q>(&a->op.in[X]), *zero = data<Q>(&a->op.in[ZERO]);
    const float *scale = data<float>(&a->op.in[SCALE]);
    float *y = data<float>(&a->op.out[0]);

    if (is_flat(a, L, L))
        launch(d, dequantize_same<Q>, blocks_for(count), THREADS, count, x, scale, zero, y);
    else
        launch(d, dequantize_box<Q>, blocks_for(count), THREADS, box_for(a, L, L), x, scale, zero,
               y);
}

template <enum layout L> static void dequantize(const struct kernel_args *a)
{
    const enum dtype t = a->op.in[X].dtype;

    (t == DTYPE_I32  ? dequantize_from<int32_t, L>
     : t == DTYPE_I8 ? dequantize_from<int8_t, L>
                     : dequantize_from<uint8_t, L>)(a);
}

static int is_picture(const struct step_nodes *s)
{
    return rank_of(s) == 4;
}

/* ---- add ---- */

static int add_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct grid8 g;

    return n->n_join == 2 && stays_u8(s) && grid8_operand(n, 1, &g) == 0 &&
           shape_equal(&n->in[0]->shape, &n->in[1]->shape);
}

/* Values of u8 begin at multiples of 64 bytes: a thread has four, and the last
 * those that are left.  */
__global__ void add_levels(struct sum8 s, int64_t count, const uint8_t *a, const uint8_t *b,
                           uint8_t *y)
{
    for (EACH (i, (count + 3) / 4)) {
        const int64_t at = i * 4;
        struct bytes<4> p, q;

        if (at + 4 > count) {
            for (int64_t k = at; k < count; k++)
                y[k] = (uint8_t)sum_8(s, a[k], b[k]);
            continue;
        }
        p = bytes_at<4>(a + at);
        q = bytes_at<4>(b + at);
#pragma unroll
        for (int k = 0; k < 4; k++)
            p.v[k] = (uint8_t)sum_8(s, p.v[k], q.v[k]);
        *(struct bytes<4> *)(y + at) = p;
    }
}

static void add(const struct kernel_args *a)
{
    const int64_t count = tensor_count(&a->op.in[0]);
    struct requant q;
    struct grid8 ga = {}, gb = {};

    grid8_operand(a->op.node, 0, &ga);
    grid8_operand(a->op.node, 1, &gb);
    quant8_requant(a->step, &q);
    launch(device_of(a), add_levels, blocks_for(div_up(count, 4)), THREADS,
           quant8_sum(&ga, &gb, &q), count, data<uint8_t>(&a->op.in[0]),
           data<uint8_t>(&a->op.in[1]), data<uint8_t>(&a->op.out[0]));
}

/* ---- y = x factor, one for each image and channel, f32 or u8 ---- */

static int factor_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *x = &n->in[0]->shape, *f;
    struct grid8 g;

    if (n->n_in != 2 || value_is_tensor(n->in[1]) || x->rank != 4 || n->in[1]->shape.rank != 4 ||
        !stays_u8(s))
        return 0;
    f = &n->in[1]->shape;
    return x->dim[0] == f->dim[0] && x->dim[1] == f->dim[1] && f->dim[2] * f->dim[3] == 1 &&
           (!node_dequantize(n, 1) || grid8_operand(n, 1, &g) == 0);
}

struct factors {
    struct regrid r;
    float unit; /* of x, in units of the result's scale */
    int64_t count, area, channels;
    const uint8_t *x;
    const void *factor;
    struct grid8 grid; /* of the factor; scale 0: it is float */
    uint8_t *y;
};

__device__ __forceinline__ float factor_at(const struct factors &f, int64_t i)
{
    if (f.grid.scale == 0)
        return ((const float *)f.factor)[i];
    return ((float)((const uint8_t *)f.factor)[i] - (float)f.grid.zero) * f.grid.scale;
}

__global__ void scale_levels(struct factors f)
{
    for (EACH (i, f.count)) {
        const int64_t c = i % f.channels, picture = i / f.channels / f.area;
        const float by = factor_at(f, picture * f.channels + c) * f.unit;

        f.y[i] = (uint8_t)level_of(f.r.to, __fmul_rn((float)f.x[i] - f.r.zero, by));
    }
}

static void scale(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;
    struct factors f = {};

    f.r = regrid_of(a->step, 0);
    f.unit = f.r.scale / f.r.step;
    f.count = tensor_count(&a->op.in[0]);
    f.area = x->dim[2] * x->dim[3];
    f.channels = x->dim[1];
    f.x = data<uint8_t>(&a->op.in[0]);
    f.factor = a->op.in[1].data;
    grid8_operand(a->op.node, 1, &f.grid);
    f.y = data<uint8_t>(&a->op.out[0]);
    launch(device_of(a), scale_levels, blocks_for(f.count), THREADS, f);
}

/* clang-format off */
#define FORWARD(op_name, FROM, TO, ok, ...)                                                       \
    {.name = op_name "_8", .op = op_name, .dir = DIR_FORWARD, .dtypes = ANY, .reads = FROM,       \
     .writes = TO, .accepts = ok, .run = __VA_ARGS__}

extern "C" const struct kernel cuda_eltwise_8_kernels[] = {
    FORWARD("quantize", LAYOUT_NHWC, LAYOUT_NHWC, NULL, (quantize<LAYOUT_NHWC, LAYOUT_NHWC>)),
    FORWARD("quantize", LAYOUT_PLAIN, LAYOUT_NHWC, is_picture, (quantize<LAYOUT_PLAIN, LAYOUT_NHWC>)),
    FORWARD("quantize", LAYOUT_PLAIN, LAYOUT_PLAIN, NULL, (quantize<LAYOUT_PLAIN, LAYOUT_PLAIN>)),
    FORWARD("dequantize", LAYOUT_NHWC, LAYOUT_NHWC, NULL, dequantize<LAYOUT_NHWC>),
    FORWARD("dequantize", LAYOUT_PLAIN, LAYOUT_PLAIN, NULL, dequantize<LAYOUT_PLAIN>),
    {.name = "add_8", .op = "add", .dir = DIR_FORWARD, .dtypes = 1u << DTYPE_U8,
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .epilogue = quant8_follow,
     .quantised = 1, .accepts = add_accepts, .run = add},
    {.name = "mul_8", .op = "mul", .dir = DIR_FORWARD, .dtypes = 1u << DTYPE_U8 | F32,
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .epilogue = quant8_follow,
     .quantised = 1, .accepts = factor_accepts, .run = scale},
    {},
};
/* clang-format on */
