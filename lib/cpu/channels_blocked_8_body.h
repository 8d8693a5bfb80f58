/* channels_blocked_8_body.h -- blocked u8 values cut and shuffled along their
 * channels (channels.h), and moved from their grid to the result's; compiled
 * once per instruction set.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "cpu/channels.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/quant8.h"

struct move {
    struct channels j;
    int same; /* grids: levels stay */
    uint8_t map[256];
};

static void move_task(void *move, int64_t task, int thread)
{
    const struct move *m = move;
    const int64_t n = m->j.area * LANES;
    uint8_t *y = (uint8_t *)m->j.to->data + task * n;

    channels_task(move, task, thread);
    for (int64_t i = 0; !m->same && i < n; i++)
        y[i] = m->map[y[i]];
}

static void run(const struct kernel_args *a, int64_t skip, int64_t groups)
{
    const struct shape *x = &a->op.in[0].shape;
    struct move m = {.j = {.from = a->op.in,
                           .to = a->op.out,
                           .n_from = 1,
                           .n_to = 1,
                           .skip = skip,
                           .groups = groups,
                           .per = x->dim[1] / groups}};
    struct requant q;
    struct grid8 g;

    grid8_operand(a->op.node, 0, &g);
    quant8_requant(a->step, &q);
    m.same = quant8_map(&g, &q, m.map);
    channels_of(&m.j, 1);
    pool_run(a->pool, x->dim[0] * groups_of_all(&m.j), move_task, &m);
}

static void shuffle(const struct kernel_args *a)
{
    run(a, 0, attr_int(a->op.node, "groups"));
}

static void slice(const struct kernel_args *a)
{
    run(a, -attr_int(a->op.node, "start"), 1);
}

static int gives_u8(const struct step_nodes *s)
{
    struct requant q;
    struct grid8 g;

    return s->node[0]->in[0]->shape.rank == 4 && quant8_requant(s, &q) == 0 && q.to_u8 &&
           grid8_operand(s->node[0], 0, &g) == 0;
}

static int along_channels(const struct step_nodes *s)
{
    return attr_int(s->node[0], "axis") == 1 && gives_u8(s);
}

/* clang-format off */
#define RECORD(o, f, ok) .name = "channels_blocked_8_" ISA_NAME, .op = #o, .dir = DIR_FORWARD, \
    .isa = ISA_BITS, .dtypes = 1 << DTYPE_U8, .reads = LAYOUT_C16, .writes = LAYOUT_C16, \
    .pulls = 1, .quantised = 1, .epilogue = quant8_follow, .accepts = ok, .run = f

const struct kernel ISA(channels_blocked_8_kernels)[] = {
    {RECORD(channelshuffle, shuffle, gives_u8)},
    {RECORD(slice, slice, along_channels)},
    {0},
};
/* clang-format on */
