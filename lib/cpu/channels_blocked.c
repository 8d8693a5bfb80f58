/* channels_blocked.c -- blocked values put together, cut, padded and shuffled
 * along their channels; every second pixel of them.
 * SPDX-License-Identifier: MIT
 *
 * All are copies: the channels of the results, one tensor behind the other,
 * come from those of the sources, one behind the other, by a rule.  What lies
 * side by side in both is copied so, and two halves shuffled as vectors.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/quant8.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

struct channels {
    const struct tensor *from, *to;
    int n_from, n_to;
    const struct tensor *sizes; /* of results, some of which are not wanted */
    /* The source of channel c: (c - skip) % groups per + (c - skip) / groups,
     * none below 0 or beyond the last.  */
    int64_t skip, groups, per, last;
    int64_t area;
    size_t size; /* bytes of a number: 4, 2 of bf16, 1 of u8 */
};

static int64_t groups_of(const struct tensor *t)
{
    return (t->shape.dim[1] + LANES - 1) / LANES;
}

static int64_t source(const struct channels *j, int64_t c)
{
    const int64_t k = c - j->skip;

    return k < 0 || k >= j->last ? -1 : k % j->groups * j->per + k / j->groups;
}

/* Where channel C of all sources begins in image N; NULL for none, as of a
 * source that is absent.  */
static const char *place(const struct channels *j, int64_t n, int64_t c)
{
    const struct tensor *t = j->from;

    if (c < 0)
        return NULL;
    while (c >= t->shape.dim[1])
        c -= (t++)->shape.dim[1];
    if (!t->data)
        return NULL;
    return (const char *)t->data +
           (size_t)((n * groups_of(t) + c / LANES) * j->area * LANES + c % LANES) * j->size;
}

/* Where the lanes of a group come from; at STEP 0 from zeros.  */
struct sources {
    const char *from[LANES];
    size_t step[LANES]; /* from pixel to pixel, in bytes */
};

static const char zeros[LANES * sizeof(float)];

/* Of the group whose first channel is C of all results; lanes behind the first
 * LEFT become 0.  */
static struct sources sources_of(const struct channels *j, int64_t n, int64_t c, int64_t left)
{
    struct sources s;

    for (int i = 0; i < LANES; i++) {
        const char *from = i < left ? place(j, n, source(j, c + i)) : NULL;

        s.from[i] = from ? from : zeros;
        s.step[i] = from ? LANES * j->size : 0;
    }
    return s;
}

/* Lanes side by side whose sources are so too: of every lane, or of those of
 * even and of odd numbers.  */
struct run {
    const char *from[2];
    size_t step[2];
    int lane;
};

/* Lane K of S is the I-th of a run's sources H.  */
static int is_in(const struct run *r, int h, size_t i, const struct sources *s, int k, size_t size)
{
    return s->step[k] == r->step[h] && (!r->step[h] || s->from[k] == r->from[h] + i * size);
}

static int runs_of(const struct sources *s, int by, size_t size, struct run *r)
{
    int n = 0;

    for (int k = 0; k < LANES; k += by) {
        const size_t i = n ? (size_t)(k - r[n - 1].lane) / (size_t)by : 0;

        if (n && is_in(&r[n - 1], 0, i, s, k, size) && is_in(&r[n - 1], 1, i, s, k + by - 1, size))
            continue;
        r[n++] =
            (struct run){{s->from[k], s->from[k + by - 1]}, {s->step[k], s->step[k + by - 1]}, k};
    }
    return n;
}

/* ---- pixels; SIZE and BY are constants ---- */

/* Lane by lane: the pixels [P, END).  */
INLINE void copy_lanes(const struct sources *s, int64_t p, int64_t end, char *to, const size_t size)
{
    for (; p < end; p++)
        for (int i = 0; i < LANES; i++)
            memcpy(to + (size_t)(p * LANES + i) * size, s->from[i] + (size_t)p * s->step[i], size);
}

typedef uint64_t two __attribute__((vector_size(16)));
typedef uint32_t four __attribute__((vector_size(16)));
typedef uint16_t eight __attribute__((vector_size(16)));
typedef uint8_t sixteen __attribute__((vector_size(16)));

#if defined(__clang__)
#    define TURNS(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#    define TURNS(type, a, b, ...) __builtin_shuffle(a, b, (type){__VA_ARGS__})
#endif

/* 8 numbers of u8 of each, in turns.  */
INLINE void zip_8(const char *even, const char *odd, char *to)
{
    uint64_t a, b;

    memcpy(&a, even, sizeof a);
    memcpy(&b, odd, sizeof b);
    const sixteen v = TURNS(sixteen, (sixteen)(two){a}, (sixteen)(two){b}, 0, 16, 1, 17, 2, 18, 3,
                            19, 4, 20, 5, 21, 6, 22, 7, 23);
    memcpy(to, &v, sizeof v);
}

/* 16 bytes of each.  */
INLINE void zip(const char *even, const char *odd, char *to, const size_t size)
{
    four a, b, low, high;

    memcpy(&a, even, sizeof a);
    memcpy(&b, odd, sizeof b);
    if (size == sizeof(float)) {
        low = TURNS(four, a, b, 0, 4, 1, 5);
        high = TURNS(four, a, b, 2, 6, 3, 7);
    } else {
        low = (four)TURNS(eight, (eight)a, (eight)b, 0, 8, 1, 9, 2, 10, 3, 11);
        high = (four)TURNS(eight, (eight)a, (eight)b, 4, 12, 5, 13, 6, 14, 7, 15);
    }
    memcpy(to, &low, sizeof low);
    memcpy(to + sizeof low, &high, sizeof high);
}

INLINE void copy_run(const char *even, const char *odd, char *to, const int by, const size_t size)
{
    if (by == 1)
        memcpy(to, even, LANES * size);
    else if (size == 1)
        zip_8(even, odd, to);
    else
        for (size_t k = 0; k < LANES / 2 * size; k += sizeof(four))
            zip(even + k, odd + k, to + 2 * k, size);
}

/* Run by run, each as long as a pixel: what is written too much is written
 * again by the next.  The last pixel has no room behind it.  */
INLINE void copy_runs(const struct sources *s, int64_t area, char *to, const int by,
                      const size_t size)
{
    struct run r[LANES];
    const int n = runs_of(s, by, size, r);

    if (by == 1 && n == 1 && r[0].step[0]) {
        memcpy(to, r[0].from[0], (size_t)area * LANES * size);
        return;
    }
    for (int64_t p = 0; p < area - 1; p++)
        for (int i = 0; i < n; i++)
            copy_run(r[i].from[0] + (size_t)p * r[i].step[0],
                     r[i].from[1] + (size_t)p * r[i].step[1],
                     to + (size_t)(p * LANES + r[i].lane) * size, by, size);
    copy_lanes(s, area - 1, area, to, size);
}

/* What stands in its place already was put there by the plan.  */
INLINE void copy(const struct channels *j, const struct sources *s, char *to, const size_t size)
{
    if (s->from[0] == to)
        return;
    if (j->groups == 1)
        copy_runs(s, j->area, to, 1, size);
    else if (j->groups == 2)
        copy_runs(s, j->area, to, 2, size);
    else
        copy_lanes(s, 0, j->area, to, size);
}

static void group(const struct channels *j, const struct tensor *t, int64_t n, int64_t g, int64_t c)
{
    const size_t plane = (size_t)j->area * LANES * j->size;
    const struct sources s = sources_of(j, n, c, t->shape.dim[1] - g * LANES);
    char *to = (char *)t->data + (size_t)(n * groups_of(t) + g) * plane;

    if (j->size == sizeof(float))
        copy(j, &s, to, sizeof(float));
    else if (j->size == sizeof(uint16_t))
        copy(j, &s, to, sizeof(uint16_t));
    else
        copy(j, &s, to, sizeof(uint8_t));
}

/* Groups of all results; those of image N come one behind the other.  */
static int64_t groups_of_all(const struct channels *j)
{
    int64_t groups = 0;

    for (int k = 0; k < j->n_to; k++)
        groups += groups_of(&j->sizes[k]);
    return groups;
}

static void copy_task(void *job, int64_t task, int thread)
{
    const struct channels *j = job;
    const int64_t all = groups_of_all(j);
    int64_t g = task % all, c = 0;
    int k = 0;

    (void)thread;
    for (; g >= groups_of(&j->sizes[k]); c += j->sizes[k++].shape.dim[1])
        g -= groups_of(&j->sizes[k]);
    if (j->to[k].data)
        group(j, &j->to[k], task / all, g, c + g * LANES);
}

static void run(const struct kernel_args *a, struct channels *j)
{
    const struct shape *s = &j->from[0].shape;

    if (!j->groups)
        j->groups = 1;
    if (!j->sizes)
        j->sizes = j->to;
    for (int k = 0; k < j->n_from; k++)
        j->last += j->from[k].shape.dim[1];
    j->area = s->dim[2] * s->dim[3];
    j->size = dtype_size(j->from[0].dtype);
    pool_run(a->pool, s->dim[0] * groups_of_all(j), copy_task, j);
}

/* ---- the ops ---- */

static int results(const struct node *n)
{
    return node_op_out(n) - n->op->n_aux;
}

/* With a channelshuffle that follows, all in one.  */
static void join(const struct kernel_args *a)
{
    struct channels j = {a->op.in, a->op.out, a->op.node->n_join, 1};

    if (a->step->n > 1) {
        j.groups = attr_int(a->step->node[1], "groups");
        j.per = a->op.out[0].shape.dim[1] / j.groups;
    }
    run(a, &j);
}

static void join_backward(const struct kernel_args *a)
{
    struct channels j = {a->op.dout, a->op.din, 1, a->op.node->n_join, a->op.in};

    run(a, &j);
}

static void split(const struct kernel_args *a)
{
    struct channels j = {a->op.in, a->op.out, 1, results(a->op.node)};

    run(a, &j);
}

static void split_backward(const struct kernel_args *a)
{
    struct channels j = {a->op.dout, a->op.din, results(a->op.node), 1};

    run(a, &j);
}

static void slice(const struct kernel_args *a)
{
    struct channels j = {a->op.in, a->op.out, 1, 1};

    j.skip = -attr_int(a->op.node, "start");
    run(a, &j);
}

static void slice_backward(const struct kernel_args *a)
{
    struct channels j = {a->op.dout, a->op.din, 1, 1};

    j.skip = attr_int(a->op.node, "start");
    run(a, &j);
}

static void shuffle(const struct kernel_args *a, const struct tensor *from, const struct tensor *to,
                    int64_t groups)
{
    struct channels j = {from, to, 1, 1, NULL, 0, groups, from->shape.dim[1] / groups};

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
    struct channels j = {a->op.in, a->op.out, 1, 1};

    j.skip = zeros_in_front(a->op.node, a->op.in, a->op.out);
    run(a, &j);
}

static void pad_backward(const struct kernel_args *a)
{
    struct channels j = {a->op.dout, a->op.din, 1, 1};

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

/* Levels stay what they are: the quantize that follows has the operand's scale
 * and zero point.  */
static int keeps_levels(const struct step_nodes *s)
{
    struct grid8 from, to;

    return s->n == 2 && grid8_operand(s->node[0], 0, &from) == 0 &&
           grid8_of(s->node[1], &to) == 0 && from.scale == to.scale && from.zero == to.zero;
}

static int is_map8(const struct step_nodes *s)
{
    return is_map(s) && keeps_levels(s);
}

static int along_channels8(const struct step_nodes *s)
{
    return along_channels(s) && keeps_levels(s);
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
    struct grid g = {
        back ? small->data : large->data, back ? large->data : small->data, x[2], x[3], y[2], y[3],
        attr_int(a->op.node, "stride"),   LANES * dtype_size(large->dtype)};

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
    IN(LAYOUT_C16, o, d, f, ok, then, ""), IN(LAYOUT_C16H, o, d, f, ok, then, "_bf16")
#define IN(l, o, d, f, ok, then, suffix) {.name = "channels_blocked" suffix, .op = #o, \
    .dir = DIR_##d, .dtypes = 1 << DTYPE_F32, .reads = l, .writes = l, .epilogue = then, \
    .accepts = ok, .run = f}

#define LEVELS(o, f, ok) {.name = "channels_blocked_8", .op = #o, .dir = DIR_FORWARD, \
    .dtypes = 1 << DTYPE_U8, .reads = LAYOUT_C16, .writes = LAYOUT_C16, .quantised = 1, \
    .epilogue = quantized, .accepts = ok, .run = f}

static const char *const shuffled[] = {"channelshuffle", NULL};
static const char *const quantized[] = {"quantize", NULL};

const struct kernel channels_blocked_kernels[] = {
    LEVELS(slice, slice, along_channels8),
    LEVELS(channelshuffle, shuffle_forward, is_map8),
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
