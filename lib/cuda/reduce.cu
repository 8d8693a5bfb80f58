/* reduce.cu -- the mean, the sum or the largest along axes.
 * SPDX-License-Identifier: MIT
 *
 * A block has 32 results times 8 terms at a time where neighbours are results,
 * 8 times 32 where they are terms.  */
#include <math.h>
#include <string.h>

#include "cuda/box.cuh"

enum kind { SUM, MAX, EQUAL }; /* EQUAL: how many are what `most' says */
enum { LINES = (int)THREADS / WARP };

/* Axes that stay and axes that go.  Array 0 is x, array 1 the result, array 2
 * the result row by row: where EQUAL is written.  */
struct cut {
    struct box kept, gone;
    enum kind kind;
    float scale; /* of the sum */
};

__device__ __forceinline__ float join(enum kind k, float a, float b)
{
    if (k != MAX)
        return a + b;
    return b > a || b != b ? b : a;
}

/* Terms FROM, FROM + STEP, ... of result J.  */
template <class T, class Y>
__device__ float some(const struct cut &c, int64_t j, int64_t from, int64_t step, const T *x,
                      const Y *most, int64_t *to)
{
    float r = c.kind == MAX ? -INFINITY : 0;
    int64_t at[3], at_term;

    box_at(c.kept, j, 3, at);
    *to = c.kind == EQUAL ? at[2] : at[1];
    for (int64_t i = from; i < c.gone.count; i += step) {
        float v;

        box_at(c.gone, i, 1, &at_term);
        v = get(x[at[0] + at_term]);
        r = join(c.kind, r, c.kind == EQUAL ? v == get(most[at[1]]) : v);
    }
    return r;
}

template <class T, class Y, class R>
__global__ void reduce_across(struct cut c, const T *x, const Y *most, R *y)
{
    __shared__ float part[LINES][WARP];
    const int64_t j = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const int inside = j < c.kept.count;
    int64_t to = 0;
    float r = inside ? some(c, j, threadIdx.y, LINES, x, most, &to) : 0;

    part[threadIdx.y][threadIdx.x] = r;
    __syncthreads();
    if (threadIdx.y || !inside)
        return;
    for (int i = 1; i < LINES; i++)
        r = join(c.kind, r, part[i][threadIdx.x]);
    put(&y[to], r * c.scale);
}

template <class T, class Y, class R>
__global__ void reduce_along(struct cut c, const T *x, const Y *most, R *y)
{
    const int64_t j = (int64_t)blockIdx.x * LINES + threadIdx.y;
    const int inside = j < c.kept.count;
    int64_t to = 0;
    float r = inside ? some(c, j, threadIdx.x, WARP, x, most, &to) : 0;

    for (int d = WARP / 2; d; d /= 2)
        r = join(c.kind, r, __shfl_down_sync(~0u, r, d));
    if (threadIdx.x == 0 && inside)
        put(&y[to], r * c.scale);
}

/* BOX[K] has every axis; dx = dy scale; or, of the largest alone, dy / EQUAL. */
template <class T, class Y>
__global__ void spread(struct box b, float scale, const T *x, const Y *y, const float *equal,
                       const Y *dy, T *dx)
{
    for (EACH (i, b.count)) {
        int64_t at[3];
        float d;

        box_at(b, i, 3, at);
        d = get(dy[at[1]]) * scale;
        if (equal)
            d = get(x[at[0]]) == get(y[at[1]]) ? d / equal[at[2]] : 0;
        put(&dx[at[0]], d);
    }
}

/* ---- boxes ---- */

/* As Y has size 1 along the axes that go: its steps, whether it has them or
 * not.  */
static void result_steps(struct box *b, int i, const struct node *n, const struct shape *y,
                         enum layout l)
{
    int count;
    const int64_t *axes = attr_ints(n, "axes", &count);
    struct box own = box_of(y);

    box_steps(&own, 0, y, l);
    for (int d = 0, from = 0; d < b->rank; d++) {
        const int goes = d >= axes[0] && d < axes[0] + count;

        b->step[i][d] = goes ? 0 : own.step[0][from];
        from += !goes || attr_int(n, "keep");
    }
}

static enum layout layout_for(const struct shape *s, enum layout l)
{
    return s->rank == 4 ? l : LAYOUT_PLAIN;
}

/* The axes of X, which lies in layout L, for the arrays of struct cut.  */
static struct box all_of(const struct node *n, const struct shape *x, const struct shape *y,
                         enum layout l)
{
    struct box b = box_of(x);

    box_steps(&b, 0, x, layout_for(x, l));
    result_steps(&b, 1, n, y, layout_for(y, l));
    result_steps(&b, 2, n, y, LAYOUT_PLAIN);
    return b;
}

static void cut_box(struct cut *c, const struct box *b, const struct node *n, enum layout l)
{
    int count;
    const int64_t *axes = attr_ints(n, "axes", &count);

    c->kept = c->gone = *b;
    for (int d = 0; d < b->rank; d++) {
        const int goes = d >= axes[0] && d < axes[0] + count;
        struct box *one = goes ? &c->kept : &c->gone;

        one->count /= b->dim[d] ? b->dim[d] : 1;
        one->dim[d] = 1;
    }
    box_order(&c->kept, l);
    box_order(&c->gone, l);
}

/* Neighbours in memory are terms.  */
static int is_along(const struct cut *c)
{
    for (int k = c->gone.rank - 1; k >= 0; k--)
        if (c->gone.dim[k] > 1)
            return c->gone.step[0][k] == 1;
    return 0;
}

template <class T, class Y, class R>
static void reduce(const struct device *d, const struct cut &c, const T *x, const Y *most, R *y)
{
    const int along = is_along(&c);
    const dim3 grid((unsigned)div_up(c.kept.count, along ? (int)LINES : (int)WARP));

    if (c.kept.count)
        launch(d, along ? reduce_along<T, Y, R> : reduce_across<T, Y, R>, grid, dim3(WARP, LINES),
               c, x, most, y);
}

static float scale_of(const struct node *n, const struct cut &c)
{
    return strcmp(attr_str(n, "kind"), "mean") ? 1 : 1 / (float)c.gone.count;
}

static int is_max(const struct node *n)
{
    return !strcmp(attr_str(n, "kind"), "max");
}

template <class T, class Y> static void forward(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *x = &a->op.in[0], *y = &a->op.out[0];
    const struct box b = all_of(n, &x->shape, &y->shape, form<T>::layout);
    struct cut c;

    cut_box(&c, &b, n, form<T>::layout);
    c.kind = is_max(n) ? MAX : SUM;
    c.scale = scale_of(n, c);
    reduce(device_of(a), c, data<T>(x), (const Y *)NULL, data<Y>(y));
}

template <class T, class Y> static void backward(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *x = &a->op.in[0], *y = &a->op.out[0], *dx = &a->op.din[0];
    const struct tensor *dy = &a->op.dout[0];
    float *equal = is_max(n) ? (float *)a->scratch : NULL;
    struct box b = all_of(n, &dx->shape, &dy->shape, form<T>::layout);
    struct cut c;

    cut_box(&c, &b, n, form<T>::layout);
    c.kind = EQUAL;
    c.scale = 1;
    if (equal)
        reduce(device_of(a), c, data<T>(x), data<Y>(y), equal);
    box_order(&b, form<T>::layout);
    launch(device_of(a), spread<T, Y>, blocks_for(b.count), THREADS, b, scale_of(n, c), data<T>(x),
           data<Y>(y), equal, data<Y>(dy), data<T>(dx));
}

/* A result that is kept so is as x, another is of f32.  */
template <class T, void (*SAME)(const struct kernel_args *),
          void (*OTHER)(const struct kernel_args *)>
static void by_kind(const struct kernel_args *a)
{
    (is_kept(result_shape(a->op.node)) ? SAME : OTHER)(a);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape y = shape_bind(n->in[n->n_in - 1]->shape, s->batch);

    (void)threads;
    return is_max(n) ? (size_t)shape_count(&y) * sizeof(float) : 0;
}

/* clang-format off */
#define ONE(T, d, ok, bytes, fn)                                                                  \
    {.name = "reduce", .op = "reduce", .dir = d, .dtypes = F32, .reads = form<T>::layout,         \
     .writes = form<T>::layout, .narrow = form<T>::narrow,                                        \
     .pulls = !form<T>::narrow || d == DIR_BACKWARD, .accepts = ok, .scratch = bytes,             \
     .run = by_kind<T, fn<T, T>, fn<T, float>>}

extern "C" const struct kernel cuda_reduce_kernels[] = {
    ONE(float, DIR_FORWARD, is_computed, NULL, forward),
    ONE(float, DIR_BACKWARD, is_computed, scratch, backward),
    NARROW_TYPES(ONE, DIR_FORWARD, keeps_x, NULL, forward),
    NARROW_TYPES(ONE, DIR_BACKWARD, keeps_x, scratch, backward),
    {},
};
/* clang-format on */
