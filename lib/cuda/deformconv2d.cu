/* deformconv2d.cu -- deformable convolution: what the taps read as columns,
 * then products of matrices.
 * SPDX-License-Identifier: MIT
 *
 * For some images at a time col [pixel of y][group][tap][C/groups] holds the
 * weighed samples; with it, and weights as [K][tap][C/groups],
 *     y = col w',  dw = dy' col,  dcol = dy w,
 * and dcol goes back to x, offset and mask.  The gradient of x is gathered: a
 * warp has a pixel, its lanes look at 32 samples at a time, and what touches it
 * is added in the order of the samples.  */
#include "cuda/conv.cuh"
#include "cuda/gemm.cuh"
#include "cuda/lines.cuh"

enum { X, OFFSET, MASK, WEIGHT, BIAS };
enum { IMAGES = 16 };                    /* at a time */
enum { SHARE = 8, WIDE = WARP * SHARE }; /* channels of a lane, of a warp */

struct deform_conv {
    struct conv c;
    int taps, o, co;       /* offset groups, channels of one */
    int64_t terms;         /* of a group */
    int64_t plane, pixels; /* of y, of x in an image */
    const float *x, *offset, *mask;
};

/* ---- places ---- */

/* Between pixels (h, w) and the next, the shares of the next; what is read is
 * weighed.  Far outside is at -2, where all four are.  */
struct place {
    int h, w;
    float ph, pw, mask;
};

__device__ __forceinline__ void move_by(float d, int limit, int *at, float *part)
{
    const float whole = floorf(d);
    const bool near = d > -1e8f && d < 1e8f;

    *part = near ? d - whole : 0;
    *at = near ? *at + (int)whole : -2;
    if (*at < -1 || *at >= limit)
        *at = -2;
}

/* Tap T of offset group O at output ROW, counted over all images.  */
__device__ __forceinline__ struct place place_of(const struct deform_conv &d, int64_t row, int o,
                                                 int t)
{
    const int64_t j = row * d.o * d.taps + o * d.taps + t;
    uint32_t p, q;
    const uint32_t line = divide(d.c.by_out[1], (uint32_t)row, &q);
    struct place s = {};

    divide(d.c.by_out[0], line, &p);
    s.h = conv_input_at(d.c, 0, (int)p, t / d.c.kernel[1]);
    s.w = conv_input_at(d.c, 1, (int)q, t % d.c.kernel[1]);
    move_by(d.offset[2 * j], d.c.in[0], &s.h, &s.ph);
    move_by(d.offset[2 * j + 1], d.c.in[1], &s.w, &s.pw);
    if (s.h == -2 || s.w == -2)
        s.h = s.w = -2;
    s.mask = d.mask ? d.mask[j] : 1;
    return s;
}

/* Pixel I of the four around S, of channel CHANNEL of image N; 0 outside.  */
__device__ __forceinline__ float pixel_at(const struct deform_conv &d, const struct place &s, int i,
                                          int64_t n, int channel)
{
    const int h = s.h + i / 2, w = s.w + i % 2;

    if (h < 0 || h >= d.c.in[0] || w < 0 || w >= d.c.in[1])
        return 0;
    return d.x[conv_pixel(d.c.in, (uint32_t)n, h, w) * d.c.c + channel];
}

__device__ __forceinline__ float sample_at(const struct deform_conv &d, const struct place &s,
                                           int64_t n, int channel)
{
    float sum = 0;

    for (int i = 0; i < 4; i++)
        sum +=
            (i / 2 ? s.ph : 1 - s.ph) * (i % 2 ? s.pw : 1 - s.pw) * pixel_at(d, s, i, n, channel);
    return sum;
}

/* Where the columns of a row have tap T of channel CHANNEL.  */
__device__ __forceinline__ int64_t column_at(const struct deform_conv &d, int t, int channel)
{
    uint32_t in_group;
    const uint32_t group = divide(d.c.by_cg, (uint32_t)channel, &in_group);

    return group * d.terms + (int64_t)t * d.c.cg + in_group;
}

/* ---- columns, and back ---- */

/* Of outputs from row FIRST on; neighbouring threads have neighbouring
 * channels.  */
__global__ void columns(struct deform_conv d, int64_t first, int64_t rows, float *col)
{
    for (EACH (i, rows * d.taps * d.c.c)) {
        const int channel = (int)(i % d.c.c), t = (int)(i / d.c.c % d.taps);
        const int64_t row = i / d.c.c / d.taps;
        const struct place s = place_of(d, first + row, channel / d.co, t);

        col[row * d.taps * d.c.c + column_at(d, t, channel)] =
            s.mask * sample_at(d, s, (first + row) / d.plane, channel);
    }
}

/* A warp for each tap of an offset group at an output.  */
__global__ void back_to_places(struct deform_conv d, int64_t first, int64_t rows, const float *dcol,
                               float *doffset, float *dmask)
{
    for (WARPS(r, rows * d.o * d.taps)) {
        const int t = (int)(r % d.taps), o = (int)(r / d.taps % d.o);
        const int64_t row = r / d.taps / d.o, at = first * d.o * d.taps + r;
        const struct place s = place_of(d, first + row, o, t);
        float down = 0, right = 0, mask = 0;

        for (int c = o * d.co + (int)threadIdx.x % WARP; c < (o + 1) * d.co; c += WARP) {
            const float v = dcol[row * d.taps * d.c.c + column_at(d, t, c)];

            for (int i = 0; i < 4; i++) {
                const float x = v * pixel_at(d, s, i, (first + row) / d.plane, c);
                const float ph = i / 2 ? s.ph : 1 - s.ph, pw = i % 2 ? s.pw : 1 - s.pw;

                down += i / 2 ? x * pw : -x * pw;
                right += i % 2 ? x * ph : -x * ph;
                mask += x * ph * pw;
            }
        }
        down = warp_total(down) * s.mask;
        right = warp_total(right) * s.mask;
        mask = warp_total(mask);
        if (threadIdx.x % WARP)
            continue;
        if (doffset) {
            doffset[2 * at] = down;
            doffset[2 * at + 1] = right;
        }
        if (dmask)
            dmask[at] = mask;
    }
}

/* What the pixel (H, W) has of the place S.  */
__device__ __forceinline__ float share_of(const struct place &s, int h, int w)
{
    const int i = h - s.h, j = w - s.w;

    if (s.h == -2 || i < 0 || i > 1 || j < 0 || j > 1)
        return 0;
    return (i ? s.ph : 1 - s.ph) * (j ? s.pw : 1 - s.pw) * s.mask;
}

/* A warp for each pixel of x, offset group and WIDE of its channels.  */
__global__ void back_to_pixels(struct deform_conv d, int64_t first, int64_t images,
                               const float *dcol, float *dx)
{
    const int lane = (int)threadIdx.x % WARP, parts = (d.co + WIDE - 1) / WIDE;

    for (WARPS(r, images * d.pixels * d.o * parts)) {
        const int part = (int)(r % parts), o = (int)(r / parts % d.o);
        const int64_t pixel = r / parts / d.o, n = pixel / d.pixels;
        const int h = (int)(pixel % d.pixels / d.c.in[1]), w = (int)(pixel % d.c.in[1]);
        const int c0 = o * d.co + part * WIDE + lane, end = (o + 1) * d.co;
        const int64_t samples = d.plane * d.taps;
        float sum[SHARE] = {};

        for (int64_t from = 0; from < samples; from += WARP) {
            const int64_t k = from + lane, row = n * d.plane + k / d.taps;
            const float mine =
                k < samples
                    ? share_of(place_of(d, first * d.plane + row, o, (int)(k % d.taps)), h, w)
                    : 0;
            unsigned touch = __ballot_sync(~0u, mine != 0);

            for (int l = 0; touch; l++, touch >>= 1) {
                const int64_t k_l = from + l, row_l = n * d.plane + k_l / d.taps;
                float share;

                if (!(touch & 1))
                    continue;
                share = __shfl_sync(~0u, mine, l);
                for (int i = 0; i < SHARE; i++)
                    if (c0 + i * WARP < end)
                        sum[i] += share * dcol[row_l * d.taps * d.c.c +
                                               column_at(d, (int)(k_l % d.taps), c0 + i * WARP)];
            }
        }
        for (int i = 0; i < SHARE; i++)
            if (c0 + i * WARP < end)
                dx[(first * d.pixels + pixel) * d.c.c + c0 + i * WARP] = sum[i];
    }
}

/* Partial sums of dw [kg][tap][cg] in their order, to [kg][cg][tap]; behind
 * what is there unless FIRST.  */
__global__ void join_weights(const float *p, int64_t count, int chunks, int first, int64_t taps,
                             int64_t cg, float *dw)
{
    for (EACH (i, count)) {
        const int64_t c = i % cg, tap = i / cg % taps, k = i / cg / taps;
        float *to = &dw[(k * cg + c) * taps + tap];
        double sum = first ? 0 : *to;

        for (int j = 0; j < chunks; j++)
            sum += p[j * count + i];
        *to = (float)sum;
    }
}

/* ---- running ---- */

static struct deform_conv geometry(const struct node *n, const struct shape *x,
                                   const struct shape *y)
{
    struct deform_conv d = {};

    d.c = conv_of(n, x, y);
    d.taps = d.c.kernel[0] * d.c.kernel[1];
    d.o = (int)attr_int(n, "offset_groups");
    d.co = d.c.c / d.o;
    d.terms = (int64_t)d.taps * d.c.cg;
    d.plane = (int64_t)d.c.out[0] * d.c.out[1];
    d.pixels = (int64_t)d.c.in[0] * d.c.in[1];
    return d;
}

static struct deform_conv deform_of(const struct kernel_args *a, const struct shape *y)
{
    struct deform_conv d = geometry(a->op.node, &a->op.in[X].shape, y);

    d.x = data<float>(&a->op.in[X]);
    d.offset = data<float>(&a->op.in[OFFSET]);
    d.mask = data<float>(&a->op.in[MASK]);
    return d;
}

static int64_t images_at(const struct deform_conv &d, int64_t from)
{
    return d.c.n - from < IMAGES ? d.c.n - from : (int64_t)IMAGES;
}

static int64_t columns_size(const struct deform_conv &d)
{
    return images_at(d, 0) * d.plane * d.taps * d.c.c;
}

static void make_columns(const struct kernel_args *a, const struct deform_conv &d, int64_t from,
                         float *col)
{
    const int64_t rows = images_at(d, from) * d.plane;

    launch(device_of(a), columns, blocks_for(rows * d.taps * d.c.c), THREADS, d, from * d.plane,
           rows, col);
}

static void forward(const struct kernel_args *a)
{
    const struct deform_conv d = deform_of(a, &a->op.out[0].shape);
    const float *w = (const float *)a->packed[WEIGHT], *bias = data<float>(&a->op.in[BIAS]);
    const int64_t step = d.taps * d.c.c;
    float *col = (float *)a->scratch, *y = data<float>(&a->op.out[0]);

    for (int64_t n = 0; n < d.c.n; n += IMAGES) {
        make_columns(a, d, n, col);
        for (int g = 0; g < d.c.groups; g++)
            gemm_run(device_of(a), {images_at(d, n) * d.plane, d.c.kg, d.terms, d.terms},
                     matrix<float, 0>{col + g * d.terms, step},
                     matrix<float, 0>{w + g * d.c.kg * d.terms, d.terms},
                     biased<float>{y + n * d.plane * d.c.k + g * d.c.kg, d.c.k,
                                   bias ? bias + g * d.c.kg : NULL});
    }
}

/* dcol, and what it gives back, of the images from FROM on.  */
static void backward_columns(const struct kernel_args *a, const struct deform_conv &d, int64_t from,
                             float *dcol)
{
    const int64_t images = images_at(d, from), rows = images * d.plane;
    const float *dy = data<float>(&a->op.dout[0]) + from * d.plane * d.c.k;
    const float *w = (const float *)a->packed[WEIGHT];
    float *doffset = data<float>(&a->op.din[OFFSET]), *dmask = data<float>(&a->op.din[MASK]);
    float *dx = data<float>(&a->op.din[X]);
    const int64_t parts = div_up(d.co, WIDE);

    for (int g = 0; g < d.c.groups; g++)
        gemm_run(device_of(a), {rows, d.terms, d.c.kg, d.c.kg},
                 matrix<float, 0>{dy + g * d.c.kg, d.c.k},
                 matrix<float, 1>{w + g * d.c.kg * d.terms, d.terms},
                 biased<float>{dcol + g * d.terms, d.taps * d.c.c, NULL});
    if (dx)
        launch(device_of(a), back_to_pixels, warps_for(images * d.pixels * d.o * parts), THREADS, d,
               from, images, dcol, dx);
    if (doffset || dmask)
        launch(device_of(a), back_to_places, warps_for(rows * d.o * d.taps), THREADS, d,
               from * d.plane, rows, dcol, doffset, dmask);
}

static void backward_weight(const struct kernel_args *a, const struct deform_conv &d, int64_t from,
                            const float *col, float *part)
{
    const int64_t rows = images_at(d, from) * d.plane, chunk = gemm_chunk(d.c.kg, d.terms, rows);
    const float *dy = data<float>(&a->op.dout[0]) + from * d.plane * d.c.k;
    const int64_t count = d.c.kg * d.terms;

    for (int g = 0; g < d.c.groups; g++) {
        gemm_run(
            device_of(a), {d.c.kg, d.terms, rows, chunk}, matrix<float, 1>{dy + g * d.c.kg, d.c.k},
            matrix<float, 1>{col + g * d.terms, d.taps * d.c.c}, partial{part, d.c.kg, d.terms});
        launch(device_of(a), join_weights, blocks_for(count), THREADS, part, count,
               (int)div_up(rows, chunk), from == 0, (int64_t)d.taps, (int64_t)d.c.cg,
               data<float>(&a->op.din[WEIGHT]) + g * count);
    }
}

static void backward(const struct kernel_args *a)
{
    const struct tensor *din = a->op.din, *dy = &a->op.dout[0];
    const struct deform_conv d = deform_of(a, &dy->shape);
    float *col = (float *)a->scratch;

    for (int64_t n = 0; n < d.c.n; n += IMAGES) {
        if (din[X].data || din[OFFSET].data || din[MASK].data)
            backward_columns(a, d, n, col);
        if (!din[WEIGHT].data)
            continue;
        make_columns(a, d, n, col);
        backward_weight(a, d, n, col, col + columns_size(d));
    }
    if (din[BIAS].data)
        row_sums_run(device_of(a), rows_of(dy), data<float>(dy), col, data<float>(&din[BIAS]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const struct deform_conv d = geometry(s->node[0], &x, &y);
    const int64_t rows = images_at(d, 0) * d.plane;
    const int64_t part = div_up(rows, gemm_chunk(d.c.kg, d.terms, rows)) * d.c.kg * d.terms;
    const size_t bytes =
        (size_t)(columns_size(d) + (s->node[0]->dir == DIR_FORWARD ? 0 : part)) * sizeof(float);
    const size_t b = row_sums_scratch((int64_t)d.c.n * d.plane, d.c.k);

    (void)threads;
    return bytes > b ? bytes : b;
}

/* ---- which steps ---- */

static int accepts(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const struct value *w = s->node[0]->in[WEIGHT];

    return (!w || value_is_tensor(w)) && x.dim[0] * x.dim[2] * x.dim[3] <= INT32_MAX &&
           y.dim[0] * y.dim[2] * y.dim[3] <= INT32_MAX;
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    return i == WEIGHT ? (size_t)shape_count(&s->node[0]->in[WEIGHT]->shape) * sizeof(float) : 0;
}

/* [k][cg][tap] to [k][tap][cg].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const int64_t k = t->shape.dim[0], cg = t->shape.dim[1];
    const int64_t taps = t->shape.dim[2] * t->shape.dim[3];
    const struct box b = {
        3, tensor_count(t), {k, taps, cg}, {{cg * taps, 1, taps}, {taps * cg, cg, 1}}};

    (void)i;
    launch(s->device, move<float, float>, blocks_for(b.count), THREADS, b, data<float>(t),
           (float *)packed);
}

/* clang-format off */
#define OFFER(d, fn)                                                                              \
    {.name = "deformconv2d", .op = "deformconv2d", .dir = d, .dtypes = F32, .reads = LAYOUT_NHWC, \
     .writes = LAYOUT_NHWC, .pulls = 1, .accepts = accepts, .scratch = scratch,                   \
     .pack_bytes = pack_bytes, .pack = pack, .run = fn}

extern "C" const struct kernel cuda_deformconv2d_kernels[] = {
    OFFER(DIR_FORWARD, forward), OFFER(DIR_BACKWARD, backward), {},
};
/* clang-format on */
