/* move.cu -- ops that put numbers somewhere else, and layouts.
 * SPDX-License-Identifier: MIT
 *
 * All of them copy a box of numbers: for each index of the box, from one
 * address to another, both linear in the index.  What lies outside the box is
 * set to zero first.  So transpose, concat, split, slice, pad, subsample and
 * their gradients are one kernel.  */
#include "cuda/box.cuh"

template <class T> __global__ void fill(int64_t count, float value, T *y)
{
    for (EACH (i, count))
        put(&y[i], value);
}

/* ---- layouts ---- */

template <class X, class Y>
static void rearrange(const struct device *d, const struct tensor *x, enum layout from,
                      const struct tensor *y, enum layout to)
{
    struct box b = box_of(&x->shape);

    box_steps(&b, 0, &x->shape, from);
    box_steps(&b, 1, &x->shape, to);
    box_order(&b, to);
    launch(d, move<X, Y>, blocks_for(b.count), THREADS, b, data<X>(x), data<Y>(y));
}

void cuda_rearrange(const struct device *d, const struct tensor *x, enum layout from,
                    const struct tensor *y, enum layout to, struct pool *pool)
{
    (void)pool;
    if (layout_is_narrow(from))
        (layout_is_narrow(to) ? rearrange<bf16, bf16> : rearrange<bf16, float>)(d, x, from, y, to);
    else
        (layout_is_narrow(to) ? rearrange<float, bf16> : rearrange<float, float>)(d, x, from, y,
                                                                                  to);
}

/* ---- ops ---- */

/* Where a small value stands in a large one: index i of the small one is
 * begin + i step in the large one, along each axis.  */
struct part {
    int64_t begin[SHAPE_MAX], step[SHAPE_MAX];
};

static struct part whole(void)
{
    struct part p = {};

    for (int d = 0; d < SHAPE_MAX; d++)
        p.step[d] = 1;
    return p;
}

/* Copy SMALL to its part of LARGE, or from there.  */
template <class T>
static void transfer(const struct device *d, const struct part *p, const struct tensor *small,
                     const struct tensor *large, int into)
{
    struct box b = box_of(&small->shape);
    T *s = data<T>(small), *l = data<T>(large);

    box_steps(&b, !into, &small->shape, form<T>::layout);
    box_steps(&b, into, &large->shape, form<T>::layout);
    for (int k = 0; k < b.rank; k++) {
        l += p->begin[k] * b.step[into][k];
        b.step[into][k] *= p->step[k];
    }
    box_order(&b, form<T>::layout);
    launch(d, move<T, T>, blocks_for(b.count), THREADS, b, into ? s : l, into ? l : s);
}

template <class T> static void set(const struct device *d, const struct tensor *t, float value)
{
    launch(d, fill<T>, blocks_for(tensor_count(t)), THREADS, tensor_count(t), value, data<T>(t));
}

/* Axis AXIS as attributes have it.  */
static int axis_at(int64_t axis, int rank)
{
    return (int)(axis < 0 ? axis + rank : axis);
}

/* concat: each operand is a part of the result.  */
template <class T> static void concat(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *all = back ? &a->op.dout[0] : &a->op.out[0];
    const int axis = axis_at(attr_int(n, "axis"), all->shape.rank);
    struct part p = whole();

    for (int k = 0; k < n->n_join; k++) {
        const struct tensor *t = back ? &a->op.din[k] : &a->op.in[k];

        if (t->data)
            transfer<T>(device_of(a), &p, t, all, !back);
        p.begin[axis] += t->shape.dim[axis];
    }
}

/* split: the other way round.  The gradient of a piece that nobody reads is
 * zero.  */
template <class T> static void split(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *all = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *piece = back ? a->op.dout : a->op.out;
    const int axis = axis_at(attr_int(n, "axis"), all->shape.rank);
    struct part p = whole();
    int count, absent = 0;
    const int64_t *sizes = attr_ints(n, "sizes", &count);

    for (int k = 0; k < count; k++)
        absent |= !piece[k].data;
    if (back && absent)
        set<T>(device_of(a), all, 0);
    for (int k = 0; k < count; k++) {
        if (piece[k].data)
            transfer<T>(device_of(a), &p, &piece[k], all, back);
        p.begin[axis] += sizes[k];
    }
}

/* An op whose operand is a part of its result, or the other way round; what
 * the large one has besides is zero.  */
template <class T, struct part (*PART)(const struct kernel_args *), int GROWS>
static void part_of(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct part p = PART(a);
    const struct tensor *x = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.dout[0] : &a->op.out[0];
    const struct tensor *small = GROWS ? x : y, *large = GROWS ? y : x;
    const int into = GROWS ? !back : back;

    if (into)
        set<T>(device_of(a), large, 0);
    transfer<T>(device_of(a), &p, small, large, into);
}

static struct part of_padchannels(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *x = n->dir == DIR_BACKWARD ? &a->op.din[0] : &a->op.in[0];
    struct part p = whole();

    if (attr_int(n, "split"))
        p.begin[1] = (attr_int(n, "to") - x->shape.dim[1]) / 2;
    return p;
}

static struct part of_subsample(const struct kernel_args *a)
{
    struct part p = whole();

    p.step[2] = p.step[3] = attr_int(a->op.node, "stride");
    return p;
}

static struct part of_slice(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *x = n->dir == DIR_BACKWARD ? &a->op.din[0] : &a->op.in[0];
    struct part p = whole();

    p.begin[axis_at(attr_int(n, "axis"), x->shape.rank)] = attr_int(n, "start");
    return p;
}

/* select: y has an axis less.  */
template <class T, class Y> static void select_as(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.dout[0] : &a->op.out[0];
    const int axis = axis_at(attr_int(n, "axis"), x->shape.rank);
    struct box b = box_of(&x->shape), small = box_of(&y->shape);
    T *large = data<T>(x);

    box_steps(&b, back, &x->shape, form<T>::layout);
    box_steps(&small, 0, &y->shape, form<float>::layout);
    large += attr_int(n, "index") * b.step[back][axis];
    b.count = small.count;
    b.dim[axis] = 1;
    for (int d = 0; d < b.rank; d++)
        b.step[!back][d] = d == axis ? 0 : small.step[0][d - (d > axis)];
    box_order(&b, form<T>::layout);
    if (back) {
        set<T>(device_of(a), x, 0);
        launch(device_of(a), move<Y, T>, blocks_for(b.count), THREADS, b, data<Y>(y), large);
    } else {
        launch(device_of(a), move<T, Y>, blocks_for(b.count), THREADS, b, large, data<Y>(y));
    }
}

template <class T> static void select(const struct kernel_args *a)
{
    (is_kept(result_shape(a->op.node)) ? select_as<T, T> : select_as<T, float>)(a);
}

/* transpose, where values of rank 4 lie in layout L.  */
template <class T, enum layout L> static void transpose(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.dout[0] : &a->op.out[0];
    const int64_t *perm = attr_ints(n, "perm", NULL);
    struct box b = box_of(&y->shape), of_x = box_of(&x->shape);

    box_steps(&b, !back, &y->shape, L);
    box_steps(&of_x, 0, &x->shape, L);
    for (int d = 0; d < b.rank; d++)
        b.step[back][d] = of_x.step[0][perm[d]];
    box_order(&b, L);
    launch(device_of(a), move<T, T>, blocks_for(b.count), THREADS, b, data<T>(back ? y : x),
           data<T>(back ? x : y));
}

/* tokens: pictures whose channels stand last are sequences as they lie.  */
template <class T> static void tokens(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.dout[0] : &a->op.out[0];
    const int64_t count = tensor_count(x);
    const struct shape flat = shape_make(1, &count);
    struct box b = box_of(&flat);

    box_steps(&b, 0, &flat, LAYOUT_PLAIN);
    box_steps(&b, 1, &flat, LAYOUT_PLAIN);
    launch(device_of(a), move<T, T>, blocks_for(count), THREADS, b, data<T>(back ? y : x),
           data<T>(back ? x : y));
}

/* channelshuffle: the axis of channels becomes two, [size, groups]; in x they
 * stand the other way round.  */
template <class T> static void shuffle(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.din[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.dout[0] : &a->op.out[0];
    const int64_t groups = attr_int(a->op.node, "groups"), size = x->shape.dim[1] / groups;
    struct box b = box_of(&x->shape);
    int64_t step;
    int at;

    box_steps(&b, 0, &x->shape, form<T>::layout);
    box_steps(&b, 1, &x->shape, form<T>::layout);
    box_order(&b, form<T>::layout);
    at = b.rank == 4 ? 3 : 1;
    step = b.step[0][at];
    for (int d = b.rank++; d > at; d--) {
        b.dim[d] = b.dim[d - 1];
        b.step[0][d] = b.step[1][d] = b.step[0][d - 1];
    }
    b.dim[at] = size;
    b.dim[at + 1] = groups;
    b.step[back][at] = b.step[!back][at + 1] = step;
    b.step[!back][at] = groups * step;
    b.step[back][at + 1] = size * step;
    launch(device_of(a), move<T, T>, blocks_for(b.count), THREADS, b, data<T>(back ? y : x),
           data<T>(back ? x : y));
}

static int has_room(const struct step_nodes *s)
{
    return x_shape(s).rank < SHAPE_MAX && is_computed(s);
}

/* zeroslike, oneslike.  */
template <class T, int VALUE> static void constant(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;

    set<T>(device_of(a), back ? &a->op.din[0] : &a->op.out[0], back ? 0 : VALUE);
}

/* clang-format off */
#define OFFER(op_name, T, L, d, pull, ok, ...)                                                    \
    {.name = "move", .op = op_name, .dir = d, .dtypes = F32, .reads = L, .writes = L,             \
     .narrow = form<T>::narrow, .pulls = pull, .accepts = ok, .run = __VA_ARGS__}
#define PAIR(op_name, T, L, pull, ok, ...)                                                        \
    OFFER(op_name, T, L, DIR_FORWARD, pull, ok, __VA_ARGS__),                                     \
    OFFER(op_name, T, L, DIR_BACKWARD, pull, ok, __VA_ARGS__)
#define OFFERS(op_name, T, run_fn)                                                                \
    {.name = "move", .op = op_name, .dir = DIR_FORWARD, .dtypes = ANY,                            \
     .reads = form<T>::layout, .writes = form<T>::layout, .pulls = !form<T>::narrow, .run = run_fn}, \
    {.name = "move", .op = op_name, .dir = DIR_BACKWARD, .dtypes = ANY,                           \
     .reads = form<T>::layout, .writes = form<T>::layout, .pulls = !form<T>::narrow, .run = run_fn}
#define BOTH(op_name, ...)                                                                        \
    OFFERS(op_name, float, (__VA_ARGS__<float>)), OFFERS(op_name, bf16, (__VA_ARGS__<bf16>))

extern "C" const struct kernel cuda_move_kernels[] = {
    BOTH("concat", concat),
    OFFERS("padchannels", float, (part_of<float, of_padchannels, 1>)),
    OFFERS("padchannels", bf16, (part_of<bf16, of_padchannels, 1>)),
    OFFERS("subsample", float, (part_of<float, of_subsample, 0>)),
    OFFERS("subsample", bf16, (part_of<bf16, of_subsample, 0>)),
    BOTH("split", split),
    OFFERS("slice", float, (part_of<float, of_slice, 0>)),
    OFFERS("slice", bf16, (part_of<bf16, of_slice, 0>)),
    PAIR("select", float, LAYOUT_NHWC, 1, is_computed, select<float>),
    OFFER("select", bf16, LAYOUT_NHWCH, DIR_FORWARD, 0, keeps_x, select<bf16>),
    OFFER("select", bf16, LAYOUT_NHWCH, DIR_BACKWARD, 1, keeps_x, select<bf16>),
    PAIR("transpose", float, LAYOUT_NHWC, 0, NULL, (transpose<float, LAYOUT_NHWC>)),
    PAIR("transpose", bf16, LAYOUT_PLAINH, 0, NULL, (transpose<bf16, LAYOUT_PLAINH>)),
    PAIR("transpose", bf16, LAYOUT_NHWCH, 0, NULL, (transpose<bf16, LAYOUT_NHWCH>)),
    PAIR("transpose", float, LAYOUT_PLAIN, 1, NULL, (transpose<float, LAYOUT_PLAIN>)),
    PAIR("tokens", float, LAYOUT_NHWC, 1, is_computed, tokens<float>),
    OFFER("tokens", bf16, LAYOUT_NHWCH, DIR_FORWARD, 0, is_computed, tokens<bf16>),
    OFFER("tokens", bf16, LAYOUT_NHWCH, DIR_BACKWARD, 1, NULL, tokens<bf16>),
    PAIR("channelshuffle", float, LAYOUT_NHWC, 1, has_room, shuffle<float>),
    PAIR("channelshuffle", bf16, LAYOUT_NHWCH, 0, has_room, shuffle<bf16>),
    OFFERS("zeroslike", float, (constant<float, 0>)), OFFERS("zeroslike", bf16, (constant<bf16, 0>)),
    OFFERS("oneslike", float, (constant<float, 1>)), OFFERS("oneslike", bf16, (constant<bf16, 1>)),
    {},
};
/* clang-format on */
