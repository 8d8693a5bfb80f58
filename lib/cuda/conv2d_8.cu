/* conv2d_8.cu -- convolutions of 8 bits, as layers of layer_8.cuh.
 * SPDX-License-Identifier: MIT  */
#include "cuda/box.cuh"
#include "cuda/layer_8.cuh"

enum { X, WEIGHT, BIAS };

static void *prepare(const struct kernel_args *const *a, int n, struct err *e)
{
    struct layers_8 *s = layers_8_new();
    int bad = 0;

    for (int i = 0; i < n && !bad; i++) {
        const struct tensor *x = &a[i]->op.in[X], *y = &a[i]->op.out[0];

        bad = layer_8_add(s, a[i], conv_of(a[i]->op.node, &x->shape, &y->shape),
                          a[i]->packed[WEIGHT], e) < 0;
    }
    if (bad) {
        layers_8_free(s);
        return NULL;
    }
    return s;
}

static int accepts(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);

    return layer_8_accepts(s) && x.dim[0] * x.dim[2] * x.dim[3] <= INT32_MAX &&
           y.dim[0] * y.dim[2] * y.dim[3] <= INT32_MAX &&
           shape_count(&s->node[0]->in[WEIGHT]->shape) <= INT32_MAX;
}

static int64_t groups_of(const struct step_nodes *s)
{
    return attr_int(s->node[0], "groups");
}

static int is_depthwise(const struct step_nodes *s)
{
    const struct shape *w = &s->node[0]->in[WEIGHT]->shape;

    return groups_of(s) > 1 && w->dim[0] == groups_of(s) && w->dim[1] == 1;
}

static int accepts_depthwise(const struct step_nodes *s)
{
    return is_depthwise(s) && accepts(s);
}

/* Of groups with few outputs most of a tile would be idle.  */
static int accepts_mma(const struct step_nodes *s)
{
    const struct shape *w = &s->node[0]->in[WEIGHT]->shape;
    const int64_t groups = groups_of(s);

    return w->dim[1] % LAYER_8_RUN == 0 && (groups == 1 || w->dim[0] / groups >= 16) &&
           groups <= UINT16_MAX && accepts(s);
}

static int accepts_tiles(const struct step_nodes *s)
{
    return groups_of(s) == 1 && accepts(s);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    return i == WEIGHT ? (size_t)shape_count(&s->node[0]->in[WEIGHT]->shape) : 0;
}

static void pack_box(const struct step_nodes *s, const struct box &b, const struct tensor *t,
                     void *packed)
{
    launch(s->device, move<uint8_t, uint8_t>, blocks_for(b.count), THREADS, b, data<uint8_t>(t),
           (uint8_t *)packed);
}

/* [k][cg][tap] to [k][tap][cg].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const int64_t k = t->shape.dim[0], cg = t->shape.dim[1];
    const int64_t taps = t->shape.dim[2] * t->shape.dim[3];

    (void)i;
    pack_box(s, {3, tensor_count(t), {k, taps, cg}, {{cg * taps, 1, taps}, {taps * cg, cg, 1}}}, t,
             packed);
}

/* [k][tap] to [tap][k].  */
static void pack_depthwise(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const int64_t k = t->shape.dim[0], taps = t->shape.dim[2] * t->shape.dim[3];

    (void)i;
    pack_box(s, {2, tensor_count(t), {taps, k}, {{1, taps}, {k, 1}}}, t, packed);
}

static const struct together by_mma = {SIBLINGS, prepare, layer_8_mma, layers_8_free,
                                       conv_same_pixels};
static const struct together by_tiles = {1, prepare, layer_8_tiles, layers_8_free};
static const struct together by_groups = {1, prepare, layer_8_groups, layers_8_free};
static const struct together by_depthwise = {1, prepare, layer_8_depthwise, layers_8_free};

/* clang-format off */
#define OFFER(what, fits, fn, with)                                                               \
    {.name = what, .op = "conv2d", .dir = DIR_FORWARD, .dtypes = LAYER_8_TYPES,                   \
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .epilogue = quant8_layer_follow,    \
     .quantised = 1, .accepts = fits, .pack_bytes = pack_bytes, .pack = fn, .together = &with}

extern "C" const struct kernel cuda_conv2d_8_kernels[] = {
    OFFER("dwconv2d_8", accepts_depthwise, pack_depthwise, by_depthwise),
    OFFER("conv2d_mma_8", accepts_mma, pack, by_mma),
    OFFER("conv2d_8", accepts_tiles, pack, by_tiles),
    OFFER("conv2d_groups_8", accepts, pack, by_groups),
    {},
};
/* clang-format on */
