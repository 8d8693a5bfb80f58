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
    static void (*const by_form[][3])(const struct device *, const struct tensor *, enum layout,
                                      const struct tensor *, enum layout) = {
        {rearrange<float, float>, rearrange<float, bf16>, rearrange<float, f16>},
        {rearrange<bf16, float>, rearrange<bf16, bf16>, NULL},
        {rearrange<f16, float>, NULL, rearrange<f16, f16>},
    };

    (void)pool;
    if (dtype_size(x->dtype) == 1) {
        rearrange<uint8_t, uint8_t>(d, x, from, y, to);
        return;
    }
    by_form[layout_precision(from)][layout_precision(to)](d, x, from, y, to);
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
#define OFFER(T, op_name, L, d, pull, ok, ...)                                                    \
    {.name = "move", .op = op_name, .dir = d, .dtypes = F32, .reads = L, .writes = L,             \
     .narrow = form<T>::narrow, .pulls = pull, .accepts = ok, .run = __VA_ARGS__}
#define PAIR(T, op_name, L, pull, ok, ...)                                                        \
    OFFER(T, op_name, L, DIR_FORWARD, pull, ok, __VA_ARGS__),                                     \
    OFFER(T, op_name, L, DIR_BACKWARD, pull, ok, __VA_ARGS__)
#define OFFERS(T, op_name, run_fn)                                                                \
    {.name = "move", .op = op_name, .dir = DIR_FORWARD, .dtypes = ANY,                            \
     .reads = form<T>::layout, .writes = form<T>::layout, .pulls = !form<T>::narrow, .run = run_fn}, \
    {.name = "move", .op = op_name, .dir = DIR_BACKWARD, .dtypes = ANY,                           \
     .reads = form<T>::layout, .writes = form<T>::layout, .pulls = !form<T>::narrow, .run = run_fn}
#define ONE(T, op_name, fn)        OFFERS(T, op_name, fn<T>)
#define PART(T, op_name, fn, back) OFFERS(T, op_name, (part_of<T, fn, back>))
#define CONSTANT(T, op_name, x)    OFFERS(T, op_name, (constant<T, x>))
#define SELECT(T, op_name)                                                                        \
    OFFER(T, op_name, form<T>::layout, DIR_FORWARD, 0, keeps_x, select<T>),                       \
    OFFER(T, op_name, form<T>::layout, DIR_BACKWARD, 1, keeps_x, select<T>)
#define TRANSPOSE(T, op_name)                                                                     \
    PAIR(T, op_name, form<T>::plain, 0, NULL, (transpose<T, form<T>::plain>)),                    \
    PAIR(T, op_name, form<T>::layout, 0, NULL, (transpose<T, form<T>::layout>))
#define TOKENS(T, op_name)                                                                        \
    OFFER(T, op_name, form<T>::layout, DIR_FORWARD, 0, is_computed, tokens<T>),                   \
    OFFER(T, op_name, form<T>::layout, DIR_BACKWARD, 1, NULL, tokens<T>)
#define SHUFFLE(T, op_name) PAIR(T, op_name, form<T>::layout, 0, has_room, shuffle<T>)

extern "C" const struct kernel cuda_move_kernels[] = {
    EACH_TYPE(ONE, "concat", concat),
    EACH_TYPE(PART, "padchannels", of_padchannels, 1),
    EACH_TYPE(PART, "subsample", of_subsample, 0),
    EACH_TYPE(ONE, "split", split),
    EACH_TYPE(PART, "slice", of_slice, 0),
    PAIR(float, "select", LAYOUT_NHWC, 1, is_computed, select<float>),
    NARROW_TYPES(SELECT, "select"),
    PAIR(float, "transpose", LAYOUT_NHWC, 0, NULL, (transpose<float, LAYOUT_NHWC>)),
    NARROW_TYPES(TRANSPOSE, "transpose"),
    PAIR(float, "transpose", LAYOUT_PLAIN, 1, NULL, (transpose<float, LAYOUT_PLAIN>)),
    PAIR(float, "tokens", LAYOUT_NHWC, 1, is_computed, tokens<float>),
    NARROW_TYPES(TOKENS, "tokens"),
    PAIR(float, "channelshuffle", LAYOUT_NHWC, 1, has_room, shuffle<float>),
    NARROW_TYPES(SHUFFLE, "channelshuffle"),
    EACH_TYPE(CONSTANT, "zeroslike", 0),
    EACH_TYPE(CONSTANT, "oneslike", 1),
    {},
};
/* clang-format on */
