/* linear_packed_body.h -- linear layers whose weights are packed once;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Weights are packed as [O/16][slot][16]; every output is one chain over c.  A
 * convolution over patches that do not overlap, whose places become tokens,
 * is a linear layer of the patches.  */
#include "cpu/linear_rows.inc"

static int accepts(const struct step_nodes *s)
{
    return value_is_tensor(s->node[0]->in[WEIGHT]) && follow_accepts(s);
}

/* Patches side by side, in whole vectors, read by tokens.  */
static int patches_accept(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t *kernel = attr_ints(n, "kernel", NULL), *stride = attr_ints(n, "stride", NULL);
    const int64_t *pad = attr_ints(n, "pad", NULL), *dilation = attr_ints(n, "dilation", NULL);

    return value_is_tensor(n->in[WEIGHT]) && s->n == 2 && kernel[1] % LANES == 0 &&
           kernel[0] == stride[0] && kernel[1] == stride[1] && dilation[0] == 1 &&
           dilation[1] == 1 && !(pad[0] | pad[1] | pad[2] | pad[3]) && attr_int(n, "groups") == 1;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct rows r = rows_of(s, threads);

    return (size_t)(2 * r.panels * LANES + copy_slots(&r)) * sizeof(slot);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct rows r = rows_of(s, 1);

    return i == WEIGHT ? (size_t)(r.panels * LANES * r.k) * sizeof(slot) : 0;
}

/* W[o][c] as [o/16][slot][16].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct rows r = rows_of(s, 1);
    slot *to = packed;

    (void)i;
    for (int64_t o = 0; o < r.o; o += LANES, to += r.k * LANES)
        pack_panel((const float *)t->data + o * r.c, r.o - o < LANES ? r.o - o : LANES, r.c, to);
}

static void run_f32(const struct kernel_args *a, struct rows_f32 *r)
{
    float *table = a->scratch;

    r->r.x = a->op.in[X].data;
    r->r.w = a->packed[WEIGHT];
    r->y = a->op.out[0].data;
    r->f = follow_lanes(a, r->r.o, a->op.in[BIAS].data, table);
    r->r.beside = (struct ahead_arrays){.size = sizeof(float)};
    ahead_add(&r->r.beside, r->y);
    ahead_add(&r->r.beside, r->f.add);
    r->r.copy = (slot *)(table + 2 * r->r.panels * LANES);
    run_rows(&r->r, r, a->pool);
}

static void run(const struct kernel_args *a)
{
    struct rows_f32 r = {.r = rows_of(a->step, pool_threads(a->pool))};

    run_f32(a, &r);
}

/* Rows are in the order of tokens.  */
static void patches(const struct kernel_args *a)
{
    struct rows_f32 r = {.r = rows_of(a->step, pool_threads(a->pool))};
    struct step_nodes conv = *a->step;
    struct kernel_args alone = *a;

    conv.n = 1;
    alone.step = &conv;
    memcpy(r.in, a->op.in[X].shape.dim + 1, sizeof r.in);
    memcpy(r.out, conv.node[0]->out[0]->shape.dim + 2, sizeof r.out);
    memcpy(r.kernel, attr_ints(a->op.node, "kernel", NULL), sizeof r.kernel);
    run_f32(&alone, &r);
}

/* ---- the record ---- */

static const char *const tokens[] = {"tokens", NULL};

/* clang-format off */
#define COMMON .name = "linear_packed_" ISA_NAME, .isa = ISA_BITS, .dtypes = 1 << DTYPE_F32, \
    .narrow = (int)PIXEL < (int)LANES, .dir = DIR_FORWARD, .scratch = scratch, .pack_bytes = pack_bytes, \
    .pack = pack

const struct kernel ISA(linear_packed_kernels)[] = {
    {COMMON, .op = "linear", .epilogue = follow_add_names, .accepts = accepts, .run = run},
    {COMMON, .op = "conv2d", .epilogue = tokens, .accepts = patches_accept, .run = patches},
    {0},
};
/* clang-format on */
