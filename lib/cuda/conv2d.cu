/* conv2d.cu -- convolution as a product of matrices, group by group.
 * SPDX-License-Identifier: MIT
 *
 *   forward   rows: pixels of y; columns: channels of y; terms: taps and
 *             channels of x
 *   gradient of x   rows: pixels of x; columns: its channels; terms: taps and
 *             channels of y
 *   gradient of w   rows: channels of y; columns: taps and channels of x;
 *             terms: pixels of y, in chunks whose sums are added afterwards
 *
 * Weights are packed as [K][tap][C/groups] for the first and [C][tap][K/groups]
 * for the second, so that terms stand in a row.  */
#include <string.h>

#include "cuda/box.cuh"
#include "cuda/conv.cuh"
#include "cuda/finish.cuh"
#include "cuda/gemm_mma.cuh"
#include "cuda/moments.cuh"

enum { X, WEIGHT, BIAS };

struct conv conv_window(const struct node *n, const struct shape *x, const struct shape *y)
{
    const struct window w = window_of(n, x, y);
    struct conv c = {};

    c.n = (int)x->dim[0];
    c.c = (int)x->dim[1];
    c.k = (int)y->dim[1];
    for (int d = 0; d < 2; d++) {
        c.in[d] = (int)w.in[d];
        c.out[d] = (int)w.out[d];
        c.kernel[d] = (int)w.kernel[d];
        c.stride[d] = (int)w.stride[d];
        c.pad[d] = (int)w.pad[d];
        c.dilation[d] = (int)w.dilation[d];
        c.by_in[d] = divisor_of(w.in[d]);
        c.by_out[d] = divisor_of(w.out[d]);
        c.by_stride[d] = divisor_of(w.stride[d]);
    }
    c.by_kernel = divisor_of(w.kernel[1]);
    return c;
}

struct conv conv_of(const struct node *n, const struct shape *x, const struct shape *y)
{
    struct conv c = conv_window(n, x, y);

    c.groups = (int)attr_int(n, "groups");
    c.cg = c.c / c.groups;
    c.kg = c.k / c.groups;
    c.by_cg = divisor_of(c.cg);
    c.by_kg = divisor_of(c.kg);
    return c;
}

struct shape conv_input(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return shape_bind(n->dir == DIR_FORWARD ? n->in[X]->shape : n->in_shape[X], s->batch);
}

struct shape conv_result(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return shape_bind(n->dir == DIR_FORWARD ? n->out[0]->shape : n->in[n->n_in - 1]->shape,
                      s->batch);
}

static struct window window_in(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);

    return window_of(s->node[0], &x, &y);
}

int conv_same_pixels(const struct step_nodes *a, const struct step_nodes *b)
{
    const struct window v = window_in(a), w = window_in(b);

    return !memcmp(&v, &w, sizeof v) && attr_int(a->node[0], "groups") == 1 &&
           attr_int(b->node[0], "groups") == 1;
}

static int64_t images_area(const struct shape *s)
{
    return s->dim[0] * s->dim[2] * s->dim[3];
}

int conv_fits(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = conv_input(s), y = conv_result(s);
    const struct value *w = n->in[WEIGHT];

    return (!w || value_is_tensor(w)) && images_area(&x) <= INT32_MAX &&
           images_area(&y) <= INT32_MAX && (!w || shape_count(&w->shape) <= INT32_MAX);
}

/* ---- pixels under the filter ---- */

/* A place in memory along rows and columns of pixels, as two parts that are
 * added: a pixel of y, and a tap with a channel.  */
struct spot {
    int h, w;
    int64_t at;
};

/* Row i: pixel of y; term k: tap and channel of the group.  Or the other way
 * round, TURNED.  */
template <class T, int TURNED> struct patches {
    enum { K_FIRST = !TURNED };
    typedef T number;
    typedef struct spot row, term;
    const T *x; /* at the group's first channel */
    struct conv c;

    __device__ spot pixel(uint32_t i) const
    {
        uint32_t q, p;
        const uint32_t line = divide(c.by_out[1], i, &q), n = divide(c.by_out[0], line, &p);
        const int h = conv_input_at(c, 0, (int)p, 0), w = conv_input_at(c, 1, (int)q, 0);

        return spot{h, w, conv_pixel(c.in, n, h, w) * c.c};
    }

    __device__ spot tap(uint32_t k) const
    {
        uint32_t channel, s;
        const uint32_t r = divide(c.by_kernel, divide(c.by_cg, k, &channel), &s);
        const int h = (int)r * c.dilation[0], w = (int)s * c.dilation[1];

        return spot{h, w, conv_pixel(c.in, 0, h, w) * c.c + channel};
    }

    __device__ row row_of(int64_t i) const
    {
        return TURNED ? tap((uint32_t)i) : pixel((uint32_t)i);
    }

    __device__ term term_of(int64_t k) const
    {
        return TURNED ? pixel((uint32_t)k) : tap((uint32_t)k);
    }

    __device__ const T *at(row a, term b) const
    {
        const int h = a.h + b.h, w = a.w + b.w;

        return h < 0 || h >= c.in[0] || w < 0 || w >= c.in[1] ? nullptr : x + a.at + b.at;
    }

    __device__ const T *anything() const
    {
        return x;
    }
};

/* Row i: pixel of x; term k: tap and channel of y that reads it.  */
template <class T> struct readers {
    enum { K_FIRST = 1 };
    typedef T number;
    typedef struct spot row, term;
    const T *dy; /* at the group's first channel */
    struct conv c;

    __device__ row row_of(int64_t i) const
    {
        uint32_t h, w;
        const uint32_t line = divide(c.by_in[1], (uint32_t)i, &w);
        const uint32_t n = divide(c.by_in[0], line, &h);

        return spot{(int)h, (int)w, conv_pixel(c.out, n, 0, 0) * c.k};
    }

    __device__ term term_of(int64_t k) const
    {
        uint32_t channel, s;
        const uint32_t r = divide(c.by_kernel, divide(c.by_kg, (uint32_t)k, &channel), &s);

        return spot{(int)r, (int)s, (int64_t)channel};
    }

    __device__ const T *at(row a, term b) const
    {
        const int p = conv_reader(c, 0, a.h, b.h), q = conv_reader(c, 1, a.w, b.w);

        return p < 0 || q < 0 ? nullptr : dy + a.at + conv_pixel(c.out, 0, p, q) * c.k + b.at;
    }

    __device__ const T *anything() const
    {
        return dy;
    }
};

/* ---- what follows in registers ---- */

static const float *at(const float *p, int64_t i)
{
    return p ? p + i : NULL;
}

/* The same for the channels from N on.  */
template <class T> static struct finish<T> from_channel(struct finish<T> f, int64_t n) {
    f.y += n;
    f.bias = at(f.bias, n);
    f.mean = at(f.mean, n);
    f.var = at(f.var, n);
    f.gain = at(f.gain, n);
    f.beta = at(f.beta, n);
    f.add = f.add ? f.add + n : NULL;
    return f;
}

/* ---- statistics of the result, for normalisation while training ---- */

/* Sums of each tile of rows, [tile][2][channels].  */
template <class T>
struct measured_finish {
    typedef T measured;
    struct finish<T> rest;
    float *p;
    int64_t channels;

    __device__ float store(int64_t m, int64_t n, float v) const
    {
        T *y = &rest.y[m * rest.step + n];

        put(y, rest.value(m, n, v));
        return get(*y);
    }

    __device__ void moment(int which, int64_t tile, int64_t n, float v) const
    {
        p[(tile * 2 + which) * channels + n] = v;
    }
};

/* As they lie there.  */
struct tile_moments {
    enum { rows = TALL };
    const float *p;
    int64_t channels;

    __device__ double sum(int64_t k, int64_t c, double) const
    {
        return p[k * 2 * channels + c];
    }

    __device__ double square(int64_t k, int64_t c, double) const
    {
        return p[(k * 2 + 1) * channels + c];
    }
};

static size_t moments_bytes(const struct step_nodes *s, int threads)
{
    const struct shape y = conv_result(s);
    const int64_t rows = y.dim[0] * y.dim[2] * y.dim[3];

    (void)threads;
    return s->n_side ? (size_t)(div_up(rows, TALL) * 2 * y.dim[1]) * sizeof(float) : 0;
}

static void join_moments(const struct kernel_args *a)
{
    const struct rows r = rows_of(&a->op.out[0]);

    for (int k = 0; k < a->step->n_side; k++)
        launch(device_of(a), moments_join<tile_moments>, join_grid(r.c), join_block(), r,
               tile_moments{(const float *)a->scratch, r.c}, attr_real(a->side[k].node, "eps"),
               data<float>(&a->side[k].out[0]), data<float>(&a->side[k].out[1]));
}

/* Runs of 8 channels on both sides: for tensor cores.  */
static int has_runs(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const int64_t unit = 8 * attr_int(s->node[0], "groups");

    return x.dim[1] % unit == 0 && y.dim[1] % unit == 0;
}

static const char *const epilogue[] = {"batchnorm2d", "add", ACT_NAMES, NULL};

static int accepts(const struct step_nodes *s)
{
    for (int k = 1; k < s->n; k++) {
        const struct node *n = s->node[k];

        if (node_is(n, "batchnorm2d") && (n->train || s->link[k]))
            return 0;
        if (node_is(n, "add") && !finish_adds(n, s->link[k]))
            return 0;
    }
    return conv_fits(s);
}

static int accepts_mma(const struct step_nodes *s)
{
    return has_runs(s) && accepts(s);
}

static int fits_mma(const struct step_nodes *s)
{
    return has_runs(s) && conv_fits(s);
}

/* ---- running ---- */

/* Group G of the product, whose results go to Y.  */
template <class T, int MMA, class Y>
static void forward_group(const struct kernel_args *a, const struct conv &c, int g, const Y &y)
{
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1];
    const int64_t terms = (int64_t)c.kernel[0] * c.kernel[1] * c.cg;
    const patches<T, 0> x = {data<T>(&a->op.in[X]) + g * c.cg, c};
    const matrix<T, 0> w = {(const T *)a->packed[WEIGHT] + g * c.kg * terms, terms};

    gemm_by<MMA>(device_of(a), {pixels, c.kg, terms, terms}, x, w, y);
}

/* What A's result goes through.  */
template <class T> static struct finish<T> result_of(const struct kernel_args *a) {
    return finish_of<T>(a, a->op.out[0].shape.dim[1]);
}

template <class T, int MMA>
static void forward(const struct kernel_args *a)
{
    const struct conv c = conv_of(a->op.node, &a->op.in[X].shape, &a->op.out[0].shape);
    const struct finish<T> f = result_of<T>(a);

    for (int g = 0; g < c.groups; g++)
        forward_group<T, MMA>(a, c, g, from_channel(f, g * c.kg));
}

/* The same, and where its statistics are summed.  */
template <class T> static measured_finish<T> measured_of(const struct kernel_args *a)
{
    return {result_of<T>(a), (float *)a->scratch, a->op.out[0].shape.dim[1]};
}

/* By tensor cores, and with statistics where the step has them.  */
template <class T> static void forward_mma(const struct kernel_args *a)
{
    const struct conv c = conv_of(a->op.node, &a->op.in[X].shape, &a->op.out[0].shape);
    const measured_finish<T> f = measured_of<T>(a);

    if (!a->step->n_side) {
        forward<T, 1>(a);
        return;
    }
    for (int g = 0; g < c.groups; g++)
        forward_group<T, 1>(
            a, c, g,
            measured_finish<T>{from_channel(f.rest, g * c.kg), f.p + g * c.kg, f.channels});
    join_moments(a);
}

/* ---- siblings ---- */

/* All have statistics or none.  */
static int may_be_siblings(const struct step_nodes *a, const struct step_nodes *b)
{
    return conv_same_pixels(a, b) && !a->n_side == !b->n_side;
}

/* RESULT: what each sibling's goes through.  */
template <class T, int MMA, class C>
static void siblings_run(const struct siblings *p, C (*result)(const struct kernel_args *a))
{
    const struct kernel_args *a = p->a[0];
    const struct conv c = conv_of(a->op.node, &a->op.in[X].shape, &a->op.out[0].shape);
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1];
    const int64_t terms = (int64_t)c.kernel[0] * c.kernel[1] * c.c;
    struct gemm_siblings<matrix<T, 0>, C> s = {
    };

    s.at.count = p->n;
    for (int i = 0; i < p->n; i++) {
        s.n[i] = p->a[i]->op.out[0].shape.dim[1];
        s.b[i] = {(const T *)p->a[i]->packed[WEIGHT], terms};
        s.c[i] = result(p->a[i]);
    }
    gemm_siblings_by<MMA>(device_of(a), {pixels, 0, terms, terms},
                          patches<T, 0>{data<T>(&a->op.in[X]), c}, s);
}

template <class T, int MMA> static void forward_siblings(const void *siblings)
{
    const struct siblings *p = (const struct siblings *)siblings;

    if constexpr (MMA)
        if (p->a[0]->step->n_side) {
            siblings_run<T, 1>(p, measured_of<T>);
            for (int i = 0; i < p->n; i++)
                join_moments(p->a[i]);
            return;
        }
    siblings_run<T, MMA>(p, result_of<T>);
}

template <class T, int MMA>
static const struct together siblings_of = {SIBLINGS, siblings_new, forward_siblings<T, MMA>,
                                            siblings_free, may_be_siblings};

/* ---- gradients ---- */

template <class T, int MMA>
static void backward_x(const struct kernel_args *a, const struct conv &c)
{
    const int64_t pixels = (int64_t)c.n * c.in[0] * c.in[1];
    const int64_t terms = (int64_t)c.kernel[0] * c.kernel[1] * c.kg;

    for (int g = 0; g < c.groups; g++) {
        const readers<T> dy = {data<T>(&a->op.dout[0]) + g * c.kg, c};
        const matrix<T, 0> w = {(const T *)a->packed[WEIGHT] + g * c.cg * terms, terms};
        const biased<T> dx = {data<T>(&a->op.din[X]) + g * c.cg, c.c, NULL};

        gemm_by<MMA>(device_of(a), {pixels, c.cg, terms, terms}, dy, w, dx);
    }
}

/* Where number i of [kg][tap][cg] is in [kg][cg][tap].  */
struct taps_last {
    int64_t taps, cg;

    __device__ int64_t at(int64_t i) const
    {
        const int64_t c = i % cg, tap = i / cg % taps, k = i / cg / taps;

        return (k * cg + c) * taps + tap;
    }
};

static int64_t chunk_of(const struct conv &c)
{
    return gemm_chunk(c.kg, (int64_t)c.kernel[0] * c.kernel[1] * c.cg,
                      (int64_t)c.n * c.out[0] * c.out[1]);
}

template <class T, int MMA>
static void backward_w(const struct kernel_args *a, const struct conv &c)
{
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1], chunk = chunk_of(c);
    const int64_t taps = (int64_t)c.kernel[0] * c.kernel[1], terms = taps * c.cg;
    const partial dw = {(float *)a->scratch, c.kg, terms};

    for (int g = 0; g < c.groups; g++) {
        const matrix<T, 1> dy = {data<T>(&a->op.dout[0]) + g * c.kg, c.k};
        const patches<T, 1> x = {data<T>(&a->op.in[X]) + g * c.cg, c};

        gemm_by<MMA>(device_of(a), {c.kg, terms, pixels, chunk}, dy, x, dw);
        launch(device_of(a), gemm_join<taps_last>, blocks_for(c.kg * terms), THREADS, dw.p,
               c.kg * terms, (int)div_up(pixels, chunk), taps_last{taps, c.cg},
               data<float>(&a->op.din[WEIGHT]) + g * c.kg * terms);
    }
}

template <class T, int MMA> static void backward(const struct kernel_args *a)
{
    const struct tensor *x = a->op.in[X].data ? &a->op.in[X] : &a->op.din[X];
    const struct tensor *dy = &a->op.dout[0];
    const struct conv c = conv_of(a->op.node, &x->shape, &dy->shape);

    if (a->op.din[X].data)
        backward_x<T, MMA>(a, c);
    if (a->op.din[WEIGHT].data)
        backward_w<T, MMA>(a, c);
    if (a->op.din[BIAS].data)
        row_sums_run(device_of(a), rows_of(dy), data<T>(dy), (float *)a->scratch,
                     data<float>(&a->op.din[BIAS]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const struct conv c = conv_of(s->node[0], &x, &y);
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1];
    const size_t w =
        (size_t)(div_up(pixels, chunk_of(c)) * c.kg * c.cg * c.kernel[0] * c.kernel[1]) *
        sizeof(float);
    const size_t b = row_sums_scratch(pixels, c.k);

    (void)threads;
    return w > b ? w : b;
}

/* ---- packing ---- */

template <class T> static size_t pack_bytes(const struct step_nodes *s, int i)
{
    return i == WEIGHT ? (size_t)shape_count(&s->node[0]->in[WEIGHT]->shape) * sizeof(T) : 0;
}

/* [groups kg][cg][tap] to [groups kg][tap][cg], or backward
 * [groups][cg][tap][kg].  */
template <class T>
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct node *n = s->node[0];
    const int64_t groups = attr_int(n, "groups"), kg = t->shape.dim[0] / groups;
    const int64_t cg = t->shape.dim[1], taps = t->shape.dim[2] * t->shape.dim[3];
    const struct box forward = {
        4,
        tensor_count(t),
        {groups, kg, taps, cg},
        {{kg * cg * taps, cg * taps, 1, taps}, {kg * taps * cg, taps * cg, cg, 1}}};
    const struct box backward = {
        4,
        tensor_count(t),
        {groups, cg, taps, kg},
        {{kg * cg * taps, taps, 1, cg * taps}, {cg * taps * kg, taps * kg, kg, 1}}};

    (void)i;
    launch(s->device, move<float, T>, blocks_for(tensor_count(t)), THREADS,
           n->dir == DIR_FORWARD ? forward : backward, data<float>(t), (T *)packed);
}

/* clang-format off */
#define OFFERS(T, MMA, what, forward_fits, backward_fits, side_op, side_bytes, ...)               \
    {.name = what, .op = "conv2d", .dir = DIR_FORWARD, .dtypes = F32, .reads = form<T>::layout,   \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = 1, .epilogue = epilogue,      \
     .side = side_op, .spaced = 1, .accepts = forward_fits, .scratch = side_bytes,                \
     .pack_bytes = pack_bytes<T>, .pack = pack<T>, .run = __VA_ARGS__, .together = &siblings_of<T, MMA>},                           \
    {.name = what, .op = "conv2d", .dir = DIR_BACKWARD, .dtypes = F32, .reads = form<T>::layout,  \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = 1, .accepts = backward_fits,  \
     .scratch = scratch, .pack_bytes = pack_bytes<T>, .pack = pack<T>, .run = backward<T, MMA>}
#define MMA_OFFERS(T, side_op)                                                                    \
    OFFERS(T, 1, "conv2d_mma", accepts_mma, fits_mma, side_op, moments_bytes, forward_mma<T>)
#define PLAIN_OFFERS(T, side_op)                                                                  \
    OFFERS(T, 0, "conv2d", accepts, conv_fits, side_op, NULL, forward<T, 0>)

extern "C" const struct kernel cuda_conv2d_kernels[] = {
    NARROW_TYPES(MMA_OFFERS, "bnstats"),
    EACH_TYPE(PLAIN_OFFERS, NULL),
    {},
};
/* clang-format on */
