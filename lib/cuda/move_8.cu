/* move_8.cu -- u8 values put together, cut and shuffled along their channels,
 * and moved from their grid to the result's.
 * SPDX-License-Identifier: MIT  */
#include "cuda/finish_8.cuh"

/* Rows of channels: channel c of y, from `to' on, is one of x.  */
struct channels_8 {
    struct regrid r;
    int64_t rows, count;   /* channels that are written of each row */
    int64_t x_row, y_row;  /* channels of a row of each */
    int64_t from, to;      /* the first in each */
    int64_t groups, group; /* of a shuffle; of others one */
    const uint8_t *x;
    uint8_t *y;
};

/* V neighbours at a time; of a shuffle they come from V groups.  */
template <int V> __global__ void move_levels(struct channels_8 m)
{
    const int64_t parts = m.count / V;

    for (EACH (i, m.rows * parts)) {
        const int64_t row = i / parts, c = (i - row * parts) * V;
        const uint8_t *x = m.x + row * m.x_row + m.from;
        struct bytes<V> t;

        if (m.groups == 1)
            t = bytes_at<V>(x + c);
        else
            for (int k = 0; k < V; k++)
                t.v[k] = x[(c + k) % m.groups * m.group + (c + k) / m.groups];
#pragma unroll
        for (int k = 0; k < V; k++)
            t.v[k] = regridded(m.r, t.v[k]);
        *(struct bytes<V> *)(m.y + row * m.y_row + m.to + c) = t;
    }
}

static void run(const struct device *d, const struct channels_8 &m)
{
    const int64_t all = m.count | m.x_row | m.y_row | m.from | m.to;

    if (!m.rows || !m.count)
        return;
    if (all % 4)
        launch(d, move_levels<1>, blocks_for(m.rows * m.count), THREADS, m);
    else
        launch(d, move_levels<4>, blocks_for(m.rows * m.count / 4), THREADS, m);
}

/* Operand I as it stands, to where the result begins.  */
static struct channels_8 channels_of(const struct kernel_args *a, int i)
{
    const struct rows x = rows_of(&a->op.in[i]), y = rows_of(&a->op.out[0]);
    struct channels_8 m = {};

    m.r = regrid_of(a->step, i);
    m.rows = x.rows;
    m.count = x.c;
    m.x_row = x.c;
    m.y_row = y.c;
    m.groups = 1;
    m.x = data<uint8_t>(&a->op.in[i]);
    m.y = data<uint8_t>(&a->op.out[0]);
    return m;
}

static void concat(const struct kernel_args *a)
{
    int64_t to = 0;

    for (int i = 0; i < a->op.node->n_join; i++) {
        struct channels_8 m = channels_of(a, i);

        m.to = to;
        run(device_of(a), m);
        to += m.count;
    }
}

static void shuffle(const struct kernel_args *a)
{
    struct channels_8 m = channels_of(a, 0);

    m.groups = attr_int(a->op.node, "groups");
    m.group = m.count / m.groups;
    run(device_of(a), m);
}

static void slice(const struct kernel_args *a)
{
    struct channels_8 m = channels_of(a, 0);

    m.from = attr_int(a->op.node, "start");
    m.count = m.y_row;
    run(device_of(a), m);
}

/* ---- which steps ---- */

static int is_map(const struct step_nodes *s)
{
    return rank_of(s) == 4 && stays_u8(s);
}

static int along_channels(const struct step_nodes *s)
{
    return attr_int(s->node[0], "axis") == 1 && is_map(s);
}

static int joins_channels(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct grid8 g;

    for (int i = 0; i < n->n_join; i++)
        if (grid8_operand(n, i, &g) < 0)
            return 0;
    return along_channels(s);
}

/* clang-format off */
#define OFFER(op_name, ok, fn)                                                                    \
    {.name = op_name "_8", .op = op_name, .dir = DIR_FORWARD, .dtypes = 1u << DTYPE_U8,           \
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .epilogue = quant8_follow,          \
     .quantised = 1, .accepts = ok, .run = fn}

extern "C" const struct kernel cuda_move_8_kernels[] = {
    OFFER("concat", joins_channels, concat),
    OFFER("channelshuffle", is_map, shuffle),
    OFFER("slice", along_channels, slice),
    {},
};
/* clang-format on */
