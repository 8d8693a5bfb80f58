/* reduce_blocked_body.h -- means, sums and the largest of blocked values along
 * channels, rows, columns or maps; compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Numbers are joined row after row: those of one place in order, those of one
 * row in eight chains; along channels group after group, then lane after lane.  */
#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { STEP = 8 };

struct reduce {
    const elem *x, *y, *dy; /* y: kept for the gradient of the largest */
    elem *to;
    int64_t c, groups, h, w; /* of x */
    int64_t rows, columns;   /* of the result */
    int channels;            /* are what is joined */
    int most;                /* the largest, not the sum */
    float count;             /* of the mean, else 1 */
    float inside[LANES];     /* 1 for the channels of the last group, else 0 */
    float *room;             /* [threads][rows][columns][LANES] */
};

/* ---- lanes ---- */

/* 1 where A equals B, else 0.  */
INLINE vf equal(vf a, vf b)
{
    return vf_gt(a, b, VF0, vf_gt(b, a, VF0, vf_number(a) * vf_number(b)));
}

INLINE vf join(const int most, vf a, vf b)
{
    if (most)
        return vf_larger(a, b);
    return a + b;
}

INLINE vf nothing(const int most)
{
    return VF1(most ? -INFINITY : 0);
}

/* Lane 0 = the lanes of one pixel joined, the others 0.  */
static void join_lanes(int most, float *p)
{
    for (int i = 1; i < LANES; i++) {
        p[0] = !most ? p[0] + p[i] : p[i] > p[0] || isnan(p[i]) ? p[i] : p[0];
        p[i] = 0;
    }
}

INLINE void fill(float *p, int64_t n, vf v)
{
    for (int64_t i = 0; i < n; i += VL)
        vf_store(p + i, v);
}

/* ---- a row ---- */

/* What is joined: numbers, or for gradients a 1 for each that equals Y.  */
struct line {
    const elem *x, *y;
    int64_t pixel;       /* of the result: LANES, or 0 where a row is one */
    int one;             /* y is one for all channels */
    const float *inside; /* NULL: all lanes count */
};

INLINE vf term(const int most, const struct line *l, int64_t i, int64_t v)
{
    vf x = elem_load(l->x + i * LANES + v);

    if (l->y)
        x = equal(x, l->one ? elem_all(l->y + i * LANES) : elem_load(l->y + i * l->pixel + v));
    if (l->inside)
        x = vf_gt(vf_load(l->inside + v), VF0, x, nothing(most));
    return x;
}

/* Join W pixels of L with those that are there.  */
INLINE void join_row(const int most, const struct line *l, int64_t w, int64_t v, float *to)
{
    vf chain[STEP];
    int64_t i = 0;

    if (l->pixel) {
        for (; i < w; i++)
            vf_store(to + i * LANES, join(most, vf_load(to + i * LANES), term(most, l, i, v)));
        return;
    }
    EACH (k, STEP)
        chain[k] = nothing(most);
    for (; i + STEP <= w; i += STEP)
        EACH (k, STEP)
            chain[k] = join(most, chain[k], term(most, l, i + k, v));
    for (; i < w; i++)
        chain[0] = join(most, chain[0], term(most, l, i, v));
    EACH (k, STEP)
        vf_store(to, join(most, vf_load(to), chain[k]));
}

static void join_line(int most, const struct line *l, int64_t w, float *to)
{
    for (int64_t v = 0; v < LANES; v += VL)
        if (most)
            join_row(1, l, w, v, to + v);
        else
            join_row(0, l, w, v, to + v);
}

/* ---- along rows and columns: a group of channels ---- */

/* Where row H of the result's group is.  */
static int64_t result_row(const struct reduce *r, int64_t group, int64_t h)
{
    return (group * r->rows + (r->rows > 1 ? h : 0)) * r->columns * LANES;
}

/* Where row H of what is made in ROOM is.  */
static float *room_row(const struct reduce *r, float *room, int64_t h)
{
    return room + (r->rows > 1 ? h * r->columns * LANES : 0);
}

/* The numbers of a group, or how many equal the largest, in ROOM.  */
static void join_group(const struct reduce *r, int64_t group, int most, float *room)
{
    const int64_t pixel = r->columns > 1 ? LANES : 0;

    fill(room, r->rows * r->columns * LANES, nothing(most));
    for (int64_t h = 0; h < r->h; h++) {
        const elem *y = r->y ? r->y + result_row(r, group, h) : NULL;
        const struct line l = {r->x + (group * r->h + h) * r->w * LANES, y, pixel, 0, NULL};

        join_line(most, &l, r->w, room_row(r, room, h));
    }
}

static float *room_of(const struct reduce *r, int thread)
{
    return r->room + thread * r->rows * r->columns * LANES;
}

static void map_task(void *reduce, int64_t group, int thread)
{
    const struct reduce *r = reduce;
    const int64_t size = r->rows * r->columns * LANES;
    float *room = room_of(r, thread);

    join_group(r, group, r->most, room);
    for (int64_t i = 0; i < size; i += VL)
        elem_store(r->to + group * size + i, vf_load(room + i) / VF1(r->count));
}

/* What number X gets of D, the gradient of Y, of which EQUALS are the largest. */
INLINE vf give(const struct reduce *r, int64_t x, vf d, int64_t y, vf equals)
{
    if (r->most) {
        const vf most = r->channels ? elem_all(r->y + y) : elem_load(r->y + y);

        d = vf_gt(equal(elem_load(r->x + x), most), VF0, d / equals, VF0);
    }
    return d / VF1(r->count);
}

static void map_grad_task(void *reduce, int64_t group, int thread)
{
    const struct reduce *r = reduce;
    const int64_t pixel = r->columns > 1 ? LANES : 0;
    float *room = room_of(r, thread);

    if (r->most)
        join_group(r, group, 0, room);
    for (int64_t h = 0; h < r->h; h++) {
        const int64_t to = (group * r->h + h) * r->w * LANES, from = result_row(r, group, h);
        const float *equals = room_row(r, room, h);

        for (int64_t i = 0; i < r->w; i++)
            for (int64_t v = 0; v < LANES; v += VL) {
                const int64_t k = i * pixel + v, x = to + i * LANES + v;
                const vf d = elem_load(r->dy + from + k);

                elem_store(r->to + x, give(r, x, d, from + k, vf_load(equals + k)));
            }
    }
}

/* ---- along channels: a row of an image ---- */

/* Row H of all groups of an image, in ROOM; then each pixel's lanes.  */
static void join_groups(const struct reduce *r, int64_t row, int most, float *room)
{
    const int64_t image = row / r->h, h = row % r->h;
    const elem *y = r->y ? r->y + row * r->w * LANES : NULL;

    fill(room, r->w * LANES, nothing(most));
    for (int64_t g = 0; g < r->groups; g++) {
        const struct line l = {r->x + ((image * r->groups + g) * r->h + h) * r->w * LANES, y, LANES,
                               1, g == r->groups - 1 ? r->inside : NULL};

        join_line(most, &l, r->w, room);
    }
    for (int64_t i = 0; i < r->w * LANES; i += LANES)
        join_lanes(most, room + i);
}

static float *row_room(const struct reduce *r, int thread)
{
    return r->room + thread * r->w * LANES;
}

static void row_task(void *reduce, int64_t row, int thread)
{
    const struct reduce *r = reduce;
    const int64_t size = r->w * LANES;
    float *room = row_room(r, thread);

    join_groups(r, row, r->most, room);
    for (int64_t i = 0; i < size; i += VL)
        elem_store(r->to + row * size + i, vf_load(room + i) / VF1(r->count));
}

/* Row TO of x gets what there is of row FROM.  */
static void give_row(const struct reduce *r, int64_t to, int64_t from, int last,
                     const float *equals)
{
    const int64_t size = r->w * LANES;

    for (int64_t i = 0; i < size; i += LANES)
        for (int64_t v = 0; v < LANES; v += VL) {
            const int64_t k = to * size + i + v, one = from * size + i;
            vf d = give(r, k, elem_all(r->dy + one), one, VF1(equals[i]));

            if (last)
                d = vf_gt(vf_load(r->inside + v), VF0, d, VF0);
            elem_store(r->to + k, d);
        }
}

static void row_grad_task(void *reduce, int64_t row, int thread)
{
    const struct reduce *r = reduce;
    const int64_t image = row / r->h, h = row % r->h;
    float *room = row_room(r, thread);

    if (r->most)
        join_groups(r, row, 0, room);
    for (int64_t g = 0; g < r->groups; g++)
        give_row(r, (image * r->groups + g) * r->h + h, row, g == r->groups - 1, room);
}

/* ---- the record ---- */

static int along_channels(const struct node *n)
{
    return attr_ints(n, "axes", NULL)[0] == 1;
}

static struct reduce reduce_of(const struct kernel_args *a, const struct shape *x,
                               const struct shape *y)
{
    const struct node *n = a->op.node;
    const int mean = !strcmp(attr_str(n, "kind"), "mean");
    struct reduce r = {.c = x->dim[1], .h = x->dim[2], .w = x->dim[3]};

    r.groups = (r.c + LANES - 1) / LANES;
    r.rows = y->dim[2];
    r.columns = y->dim[3];
    r.channels = along_channels(n);
    r.most = !strcmp(attr_str(n, "kind"), "max");
    r.count = mean ? (float)(shape_count(x) / shape_count(y)) : 1;
    for (int64_t i = 0; i < LANES; i++)
        r.inside[i] = i < r.c - (r.groups - 1) * LANES;
    r.room = a->scratch;
    return r;
}

/* ROW for each row of an image, or MAP for each group of channels.  */
static void run(const struct kernel_args *a, const struct shape *x, struct reduce *r, pool_fn *row,
                pool_fn *map)
{
    if (r->channels)
        pool_run(a->pool, x->dim[0] * r->h, row, r);
    else
        pool_run(a->pool, x->dim[0] * r->groups, map, r);
}

static void forward(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;
    struct reduce r = reduce_of(a, x, &a->op.out[0].shape);

    r.x = a->op.in[0].data;
    r.to = a->op.out[0].data;
    run(a, x, &r, row_task, map_task);
}

static void backward(const struct kernel_args *a)
{
    const struct shape *x = &a->op.din[0].shape;
    struct reduce r = reduce_of(a, x, &a->op.dout[0].shape);

    r.x = a->op.in[0].data;
    r.y = r.most ? a->op.out[0].data : NULL;
    r.dy = a->op.dout[0].data;
    r.to = a->op.din[0].data;
    run(a, x, &r, row_grad_task, map_grad_task);
}

static const struct shape *shape_of_x(const struct node *n)
{
    return n->in[0] ? &n->in[0]->shape : &n->in_shape[0];
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    int count;
    const int64_t *axes = attr_ints(n, "axes", &count);

    return shape_of_x(n)->rank == 4 && attr_int(n, "keep") && axes[0] > 0 &&
           (axes[0] > 1 || count == 1) && !(n->in[0] && value_is_tensor(n->in[0]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const int64_t *x = shape_of_x(n)->dim;
    int count;
    const int64_t *axes = attr_ints(n, "axes", &count), last = axes[count - 1];
    const int64_t rows = axes[0] <= 2 ? 1 : x[2], columns = last == 3 ? 1 : x[3];

    return (size_t)(threads * rows * columns * LANES) * sizeof(float);
}

/* clang-format off */
#define COMMON .name = "reduce_blocked_" ISA_NAME, .op = "reduce", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .accepts = accepts, \
    .scratch = scratch

const struct kernel ISA(reduce_blocked_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .pulls = 1, .run = backward}, /* dx is larger than dy */
    {0},
};
/* clang-format on */
