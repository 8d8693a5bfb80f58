/* linear_8.cu -- linear layers of u8 values with i8 weights: see layer_8.cuh.
 * SPDX-License-Identifier: MIT  */
#include "cuda/layer_8.cuh"

enum { X, WEIGHT, BIAS };

static int64_t length_of(const struct shape *x)
{
    return x->dim[x->rank - 1];
}

/* A row is a picture of one pixel.  */
static struct conv geometry(const struct shape *x, int64_t k)
{
    const int64_t length = length_of(x);
    struct conv c = {};

    c.n = (int)(length ? shape_count(x) / length : 0);
    c.c = c.cg = (int)length;
    c.k = c.kg = (int)k;
    c.groups = 1;
    c.by_kernel = divisor_of(1);
    c.by_cg = divisor_of(c.cg);
    c.by_kg = divisor_of(c.kg);
    for (int d = 0; d < 2; d++) {
        c.in[d] = c.out[d] = c.kernel[d] = c.stride[d] = c.dilation[d] = 1;
        c.by_in[d] = c.by_out[d] = c.by_stride[d] = divisor_of(1);
    }
    return c;
}

static void *prepare(const struct kernel_args *const *a, int n, struct err *e)
{
    const struct tensor *w = &a[0]->op.in[WEIGHT];
    struct layers_8 *s = layers_8_new();

    (void)n;
    if (layer_8_add(s, a[0], geometry(&a[0]->op.in[X].shape, w->shape.dim[0]), w->data, e) == 0)
        return s;
    layers_8_free(s);
    return NULL;
}

static int accepts(const struct step_nodes *s)
{
    const struct shape x = x_shape(s);

    return layer_8_accepts(s) && length_of(&x) && shape_count(&x) / length_of(&x) <= INT32_MAX &&
           shape_count(&s->node[0]->in[WEIGHT]->shape) <= INT32_MAX;
}

static int accepts_mma(const struct step_nodes *s)
{
    const struct shape x = x_shape(s);

    return length_of(&x) % LAYER_8_RUN == 0 && accepts(s);
}

static const struct together by_mma = {1, prepare, layer_8_mma, layers_8_free};
static const struct together by_tiles = {1, prepare, layer_8_tiles, layers_8_free};

/* clang-format off */
#define OFFER(what, fits, with)                                                                   \
    {.name = what, .op = "linear", .dir = DIR_FORWARD, .dtypes = LAYER_8_TYPES,                   \
     .epilogue = quant8_layer_follow, .quantised = 1, .accepts = fits, .together = &with}

extern "C" const struct kernel cuda_linear_8_kernels[] = {
    OFFER("linear_mma_8", accepts_mma, by_mma),
    OFFER("linear_8", accepts, by_tiles),
    {},
};
/* clang-format on */
