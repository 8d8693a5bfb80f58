/* channels_blocked_body.h -- blocked values put together, cut, padded and
 * shuffled along their channels (channels.h); every second pixel of them;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "cpu/channels.h"
#include "cpu/elem.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

static void run(const struct kernel_args *a, struct channels *j)
{
    channels_of(j, sizeof(elem));
    pool_run(a->pool, j->from[0].shape.dim[0] * groups_of_all(j), channels_task, j);
}

/* ---- the ops ---- */

static int results(const struct node *n)
{
    return node_op_out(n) - n->op->n_aux;
}

/* With a channelshuffle that follows, all in one.  */
static void join(const struct kernel_args *a)
{
    struct channels j = {
        .from = a->op.in, .to = a->op.out, .n_from = a->op.node->n_join, .n_to = 1};

    if (a->step->n > 1) {
        j.groups = attr_int(a->step->node[1], "groups");
        j.per = a->op.out[0].shape.dim[1] / j.groups;
    }
    run(a, &j);
}

static void join_backward(const struct kernel_args *a)
{
    struct channels j = {.from = a->op.dout,
                         .to = a->op.din,
                         .n_from = 1,
                         .n_to = a->op.node->n_join,
                         .sizes = a->op.in};

    run(a, &j);
}

static void split(const struct kernel_args *a)
{
    struct channels j = {
        .from = a->op.in, .to = a->op.out, .n_from = 1, .n_to = results(a->op.node)};

    run(a, &j);
}

static void split_backward(const struct kernel_args *a)
{
    struct channels j = {
        .from = a->op.dout, .to = a->op.din, .n_from = results(a->op.node), .n_to = 1};

    run(a, &j);
}

static void slice(const struct kernel_args *a)
{
    struct channels j = {.from = a->op.in, .to = a->op.out, .n_from = 1, .n_to = 1};

    j.skip = -attr_int(a->op.node, "start");
    run(a, &j);
}

static void slice_backward(const struct kernel_args *a)
{
    struct channels j = {.from = a->op.dout, .to = a->op.din, .n_from = 1, .n_to = 1};

    j.skip = attr_int(a->op.node, "start");
    run(a, &j);
}

static void shuffle(const struct kernel_args *a, const struct tensor *from, const struct tensor *to,
                    int64_t groups)
{
    struct channels j = {.from = from,
                         .to = to,
                         .n_from = 1,
                         .n_to = 1,
                         .groups = groups,
                         .per = from->shape.dim[1] / groups};

    run(a, &j);
}

static void shuffle_forward(const struct kernel_args *a)
{
    shuffle(a, a->op.in, a->op.out, attr_int(a->op.node, "groups"));
}

/* Shuffling in C/G groups undoes shuffling in G.  */
static void shuffle_backward(const struct kernel_args *a)
{
    shuffle(a, a->op.dout, a->op.din, a->op.dout[0].shape.dim[1] / attr_int(a->op.node, "groups"));
}

static int64_t zeros_in_front(const struct node *n, const struct tensor *x, const struct tensor *y)
{
    return attr_int(n, "split") ? (y->shape.dim[1] - x->shape.dim[1]) / 2 : 0;
}

static void pad(const struct kernel_args *a)
{
    struct channels j = {.from = a->op.in, .to = a->op.out, .n_from = 1, .n_to = 1};

    j.skip = zeros_in_front(a->op.node, a->op.in, a->op.out);
    run(a, &j);
}

static void pad_backward(const struct kernel_args *a)
{
    struct channels j = {.from = a->op.dout, .to = a->op.din, .n_from = 1, .n_to = 1};

    j.skip = -zeros_in_front(a->op.node, a->op.din, a->op.dout);
    run(a, &j);
}

static int along_channels(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *v = n->in[n->n_in - 1];

    return v->shape.rank == 4 && attr_int(n, "axis") == 1;
}

static int is_map(const struct step_nodes *s)
{
    return s->node[0]->in[s->node[0]->n_in - 1]->shape.rank == 4;
}

/* ---- every STEP-th row and column ---- */

struct grid {
    const char *from;
    char *to;
    int64_t h, w, p, q, step; /* the fine grid; the coarse one */
    size_t pixel;             /* bytes */
};

/* Pixel (I, J) of the coarse grid in the fine one.  */
static size_t fine(const struct grid *g, int64_t plane, int64_t i, int64_t j)
{
    return (size_t)((plane * g->h + i * g->step) * g->w + j * g->step) * g->pixel;
}

static void take_task(void *grid, int64_t plane, int thread)
{
    const struct grid *g = grid;
    char *to = g->to + (size_t)(plane * g->p * g->q) * g->pixel;

    (void)thread;
    for (int64_t i = 0; i < g->p; i++)
        for (int64_t j = 0; j < g->q; j++, to += g->pixel)
            memcpy(to, g->from + fine(g, plane, i, j), g->pixel);
}

static void give_task(void *grid, int64_t plane, int thread)
{
    const struct grid *g = grid;
    const char *from = g->from + (size_t)(plane * g->p * g->q) * g->pixel;

    (void)thread;
    memset(g->to + fine(g, plane, 0, 0), 0, (size_t)(g->h * g->w) * g->pixel);
    for (int64_t i = 0; i < g->p; i++)
        for (int64_t j = 0; j < g->q; j++, from += g->pixel)
            memcpy(g->to + fine(g, plane, i, j), from, g->pixel);
}

static void subsample(const struct kernel_args *a, const struct tensor *large,
                      const struct tensor *small, pool_fn *task)
{
    const int64_t *x = large->shape.dim, *y = small->shape.dim;
    const int back = task == give_task;
    struct grid g = {back ? small->data : large->data,
                     back ? large->data : small->data,
                     x[2],
                     x[3],
                     y[2],
                     y[3],
                     attr_int(a->op.node, "stride"),
                     LANES * sizeof(elem)};

    pool_run(a->pool, layout_groups(&large->shape), task, &g);
}

static void take(const struct kernel_args *a)
{
    subsample(a, &a->op.in[0], &a->op.out[0], take_task);
}

static void give(const struct kernel_args *a)
{
    subsample(a, &a->op.din[0], &a->op.dout[0], give_task);
}

/* clang-format off */
#define BOTH(o, f, b, ok) RECORD(o, FORWARD, f, ok, NULL), RECORD(o, BACKWARD, b, ok, NULL)
#define RECORD(o, d, f, ok, then) \
    {.name = "channels_blocked_" ISA_NAME, .op = #o, .dir = DIR_##d, .isa = ISA_BITS, \
     .dtypes = 1 << DTYPE_F32, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .epilogue = then, \
     .accepts = ok, .run = f}

static const char *const shuffled[] = {"channelshuffle", NULL};

const struct kernel ISA(channels_blocked_kernels)[] = {
    RECORD(concat, FORWARD, join, along_channels, shuffled),
    RECORD(concat, BACKWARD, join_backward, along_channels, NULL),
    BOTH(split, split, split_backward, along_channels),
    BOTH(slice, slice, slice_backward, along_channels),
    BOTH(channelshuffle, shuffle_forward, shuffle_backward, is_map),
    BOTH(padchannels, pad, pad_backward, is_map),
    BOTH(subsample, take, give, is_map),
    {0},
};
/* clang-format on */
