/* resample.cu -- pictures of another size: pad, upsample, adaptiveavgpool2d.
 * SPDX-License-Identifier: MIT
 *
 * A gradient is gathered: each input looks for the outputs that read it.  */
#include <string.h>

#include "cuda/cuda.cuh"

/* Sizes of pictures in and out, channels; [0] down, [1] across.  */
struct sides {
    int64_t n, c, in[2], out[2];
};

struct place {
    int64_t n, c, at[2];
};

/* Of number I of pictures of SIZE.  */
__device__ __forceinline__ struct place place_of(const struct sides &s, const int64_t *size,
                                                 int64_t i)
{
    struct place p;

    p.c = i % s.c;
    i /= s.c;
    p.at[1] = i % size[1];
    i /= size[1];
    p.at[0] = i % size[0];
    p.n = i / size[0];
    return p;
}

__device__ __forceinline__ int64_t place_at(const struct sides &s, const int64_t *size, int64_t n,
                                            int64_t h, int64_t w, int64_t c)
{
    return ((n * size[0] + h) * size[1] + w) * s.c + c;
}

static struct sides sides_of(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct shape *x = &a->op.in[0].shape;
    const struct shape *y = back ? &a->op.dout[0].shape : &a->op.out[0].shape;

    return {x->dim[0], x->dim[1], {x->dim[2], x->dim[3]}, {y->dim[2], y->dim[3]}};
}

static int64_t count_of(const struct sides &s, const int64_t *size)
{
    return s.n * s.c * size[0] * size[1];
}

/* ---- pad ---- */

enum mode { CONSTANT, REFLECT, EDGE };

struct border {
    enum mode mode;
    int64_t pad[4]; /* top, left, bottom, right */
    float value;
};

/* The input that place I from the first input on reads; -1: the constant.  */
__device__ __forceinline__ int64_t pad_source(enum mode m, int64_t i, int64_t size)
{
    if (i >= 0 && i < size)
        return i;
    if (m == CONSTANT)
        return -1;
    if (m == REFLECT)
        return i < 0 ? -i : 2 * (size - 1) - i;
    return i < 0 ? 0 : size - 1;
}

/* Outputs that may read input H along axis D: how many, and number K of them,
 * -1 where there is none.  */
__device__ __forceinline__ int64_t pad_readers(const struct border &b, const struct sides &s, int d,
                                               int64_t h)
{
    if (b.mode == CONSTANT)
        return 1;
    if (b.mode == REFLECT)
        return 3;
    return 1 + (h == 0 ? b.pad[d] : 0) + (h == s.in[d] - 1 ? b.pad[d + 2] : 0);
}

__device__ __forceinline__ int64_t pad_reader(const struct border &b, const struct sides &s, int d,
                                              int64_t h, int64_t k)
{
    int64_t p;

    if (k == 0)
        return h + b.pad[d];
    if (b.mode == EDGE) /* the border in front, then that behind */
        return h == 0 && k <= b.pad[d] ? k - 1 : s.out[d] - 1 - (k - 1 - (h == 0 ? b.pad[d] : 0));
    p = b.pad[d] + (k == 1 ? -h : 2 * (s.in[d] - 1) - h);
    return (k == 1 ? h > 0 && p >= 0 : h < s.in[d] - 1 && p < s.out[d]) ? p : -1;
}

template <class T>
__global__ void pad_forward(struct border b, struct sides s, int64_t count, const T *x, T *y)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.out, i);
        const int64_t h = pad_source(b.mode, p.at[0] - b.pad[0], s.in[0]);
        const int64_t w = pad_source(b.mode, p.at[1] - b.pad[1], s.in[1]);

        put(&y[i], h < 0 || w < 0 ? b.value : get(x[place_at(s, s.in, p.n, h, w, p.c)]));
    }
}

template <class T>
__global__ void pad_backward(struct border b, struct sides s, int64_t count, const T *dy, T *dx)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.in, i);
        const int64_t down = pad_readers(b, s, 0, p.at[0]);
        const int64_t across = pad_readers(b, s, 1, p.at[1]);
        float sum = 0;

        for (int64_t j = 0; j < down; j++)
            for (int64_t k = 0; k < across; k++) {
                const int64_t h = pad_reader(b, s, 0, p.at[0], j);
                const int64_t w = pad_reader(b, s, 1, p.at[1], k);

                if (h >= 0 && w >= 0)
                    sum += get(dy[place_at(s, s.out, p.n, h, w, p.c)]);
            }
        put(&dx[i], sum);
    }
}

static struct border border_of(const struct node *n)
{
    const char *mode = attr_str(n, "mode");
    struct border b = {CONSTANT, {}, (float)attr_real(n, "value")};

    if (strcmp(mode, "constant"))
        b.mode = strcmp(mode, "reflect") ? EDGE : REFLECT;
    memcpy(b.pad, attr_ints(n, "pad", NULL), sizeof b.pad);
    return b;
}

template <class T> static void pad_run(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const int64_t count = count_of(s, s.out);

    launch(device_of(a), pad_forward<T>, blocks_for(count), THREADS, border_of(a->op.node), s,
           count, data<T>(&a->op.in[0]), data<T>(&a->op.out[0]));
}

template <class T> static void pad_back(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const int64_t count = count_of(s, s.in);

    launch(device_of(a), pad_backward<T>, blocks_for(count), THREADS, border_of(a->op.node), s,
           count, data<T>(&a->op.dout[0]), data<T>(&a->op.din[0]));
}

/* ---- upsample ---- */

struct scaling {
    int nearest, align;
};

/* lib/op/upsample.c: output I along axis D reads inputs LO and HI, the latter
 * by PART.  */
struct tap {
    int64_t lo, hi;
    double part;
};

__device__ __forceinline__ struct tap tap_of(const struct scaling &z, const struct sides &s, int d,
                                             int64_t i)
{
    const double in = (double)s.in[d], out = (double)s.out[d];
    struct tap t = {i * s.in[d] / s.out[d], 0, 0};
    double at = ((double)i + .5) * in / out - .5;

    if (z.align)
        at = s.out[d] > 1 ? (double)(i * (s.in[d] - 1)) / (out - 1) : 0;
    if (!z.nearest) {
        t.lo = at > 0 ? (int64_t)at : 0;
        t.part = at > 0 ? at - (double)t.lo : 0;
    }
    t.hi = t.lo + (t.part > 0 && t.lo + 1 < s.in[d]);
    return t;
}

/* The share of input H in output I.  */
__device__ __forceinline__ float tap_share(const struct scaling &z, const struct sides &s, int d,
                                           int64_t i, int64_t h)
{
    const struct tap t = tap_of(z, s, d, i);

    return (float)((t.lo == h ? 1 - t.part : 0) + (t.hi == h ? t.part : 0));
}

/* Outputs that may read input H, a few more than do.  */
__device__ __forceinline__ void tap_readers(const struct scaling &z, const struct sides &s, int d,
                                            int64_t h, int64_t *from, int64_t *to)
{
    const double in = (double)s.in[d], out = (double)s.out[d];
    const double each = !z.align ? out / in : s.in[d] > 1 ? (out - 1) / (in - 1) : out;
    const int64_t lo = (int64_t)(((double)h - 1) * each) - 2;
    const int64_t hi = (int64_t)(((double)h + 2) * each) + 2;

    *from = h == 0 || lo < 0 ? 0 : lo;
    *to = h == s.in[d] - 1 || hi > s.out[d] ? s.out[d] : hi;
}

template <class T>
__global__ void scale_forward(struct scaling z, struct sides s, int64_t count, const T *x, T *y)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.out, i);
        const struct tap r = tap_of(z, s, 0, p.at[0]), c = tap_of(z, s, 1, p.at[1]);
        const float u = (float)r.part, v = (float)c.part;
        const float a = get(x[place_at(s, s.in, p.n, r.lo, c.lo, p.c)]);
        const float b = get(x[place_at(s, s.in, p.n, r.lo, c.hi, p.c)]);
        const float d = get(x[place_at(s, s.in, p.n, r.hi, c.lo, p.c)]);
        const float e = get(x[place_at(s, s.in, p.n, r.hi, c.hi, p.c)]);

        put(&y[i], (1 - u) * ((1 - v) * a + v * b) + u * ((1 - v) * d + v * e));
    }
}

template <class T>
__global__ void scale_backward(struct scaling z, struct sides s, int64_t count, const T *dy, T *dx)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.in, i);
        int64_t h0, h1, w0, w1;
        float sum = 0;

        tap_readers(z, s, 0, p.at[0], &h0, &h1);
        tap_readers(z, s, 1, p.at[1], &w0, &w1);
        for (int64_t h = h0; h < h1; h++) {
            const float u = tap_share(z, s, 0, h, p.at[0]);

            for (int64_t w = w0; u != 0 && w < w1; w++) {
                const float v = tap_share(z, s, 1, w, p.at[1]);

                if (v != 0)
                    sum += u * v * get(dy[place_at(s, s.out, p.n, h, w, p.c)]);
            }
        }
        put(&dx[i], sum);
    }
}

static struct scaling scaling_of(const struct node *n)
{
    return {!strcmp(attr_str(n, "mode"), "nearest"), (int)attr_int(n, "align_corners")};
}

template <class T> static void scale_run(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const int64_t count = count_of(s, s.out);

    launch(device_of(a), scale_forward<T>, blocks_for(count), THREADS, scaling_of(a->op.node), s,
           count, data<T>(&a->op.in[0]), data<T>(&a->op.out[0]));
}

template <class T> __global__ void no_gradient(int64_t count, T *dx)
{
    for (EACH (i, count))
        put(&dx[i], 0.f);
}

/* The operand LIKE gives its sizes alone.  */
template <class T> static void scale_back(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const struct tensor *like = &a->op.din[1];
    const int64_t count = count_of(s, s.in);

    if (a->op.din[0].data)
        launch(device_of(a), scale_backward<T>, blocks_for(count), THREADS, scaling_of(a->op.node),
               s, count, data<T>(&a->op.dout[0]), data<T>(&a->op.din[0]));
    if (like->data)
        launch(device_of(a), no_gradient<T>, blocks_for(tensor_count(like)), THREADS,
               tensor_count(like), data<T>(like));
}

/* ---- adaptiveavgpool2d ---- */

/* Output I along axis D reads inputs [FROM, TO).  */
struct cell {
    int64_t from, to;
};

__device__ __forceinline__ struct cell cell_of(const struct sides &s, int d, int64_t i)
{
    return {i * s.in[d] / s.out[d], ((i + 1) * s.in[d] + s.out[d] - 1) / s.out[d]};
}

/* Cells that have input H: a run.  */
__device__ __forceinline__ struct cell cells_with(const struct sides &s, int d, int64_t h)
{
    return {h * s.out[d] / s.in[d], ((h + 1) * s.out[d] + s.in[d] - 1) / s.in[d]};
}

template <class T> __global__ void cell_forward(struct sides s, int64_t count, const T *x, T *y)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.out, i);
        const struct cell r = cell_of(s, 0, p.at[0]), c = cell_of(s, 1, p.at[1]);
        float sum = 0;

        for (int64_t h = r.from; h < r.to; h++)
            for (int64_t w = c.from; w < c.to; w++)
                sum += get(x[place_at(s, s.in, p.n, h, w, p.c)]);
        put(&y[i], sum / (float)((r.to - r.from) * (c.to - c.from)));
    }
}

template <class T> __global__ void cell_backward(struct sides s, int64_t count, const T *dy, T *dx)
{
    for (EACH (i, count)) {
        const struct place p = place_of(s, s.in, i);
        const struct cell rows = cells_with(s, 0, p.at[0]), columns = cells_with(s, 1, p.at[1]);
        float sum = 0;

        for (int64_t h = rows.from; h < rows.to; h++)
            for (int64_t w = columns.from; w < columns.to; w++) {
                const struct cell r = cell_of(s, 0, h), c = cell_of(s, 1, w);

                sum += get(dy[place_at(s, s.out, p.n, h, w, p.c)]) /
                       (float)((r.to - r.from) * (c.to - c.from));
            }
        put(&dx[i], sum);
    }
}

template <class T> static void cell_run(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const int64_t count = count_of(s, s.out);

    launch(device_of(a), cell_forward<T>, blocks_for(count), THREADS, s, count,
           data<T>(&a->op.in[0]), data<T>(&a->op.out[0]));
}

template <class T> static void cell_back(const struct kernel_args *a)
{
    const struct sides s = sides_of(a);
    const int64_t count = count_of(s, s.in);

    launch(device_of(a), cell_backward<T>, blocks_for(count), THREADS, s, count,
           data<T>(&a->op.dout[0]), data<T>(&a->op.din[0]));
}

/* clang-format off */
#define ONE(T, op_name, d, fn)                                                                    \
    {.name = "picture", .op = op_name, .dir = d, .dtypes = F32, .reads = form<T>::layout,         \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = is_computed, .run = fn<T>}
#define SIX(op_name, forward, backward)                                                           \
    EACH_TYPE(ONE, op_name, DIR_FORWARD, forward), EACH_TYPE(ONE, op_name, DIR_BACKWARD, backward)

extern "C" const struct kernel cuda_resample_kernels[] = {
    SIX("pad", pad_run, pad_back),
    SIX("upsample", scale_run, scale_back),
    SIX("adaptiveavgpool2d", cell_run, cell_back),
    {},
};
/* clang-format on */
