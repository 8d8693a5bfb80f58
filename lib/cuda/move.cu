/* move.cu -- ops that put numbers somewhere else, and layouts.
 * SPDX-License-Identifier: MIT
 *
 * All of them copy a box of numbers: for each index of the box, from one
 * address to another, both linear in the index.  What lies outside the box is
 * set to zero first.  So transpose, concat, split, slice, pad, subsample and
 * their gradients are one kernel.  */
#include "cuda/box.cuh"

template <class T> __global__ void zero(int64_t count, T *y)
{
    for (EACH (i, count))
        put(&y[i], 0.f);
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

template <class T> static void clear(const struct device *d, const struct tensor *t)
{
    launch(d, zero<T>, blocks_for(tensor_count(t)), THREADS, tensor_count(t), data<T>(t));
}

/* concat: each operand is a part of the result.  */
template <class T> static void concat(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const int axis = (int)attr_int(n, "axis");
    const struct tensor *all = back ? &a->op.dout[0] : &a->op.out[0];
    struct part p = whole();

    for (int k = 0; k < n->n_join; k++) {
        const struct tensor *t = back ? &a->op.din[k] : &a->op.in[k];
        const int of = axis < 0 ? axis + all->shape.rank : axis;

        if (t->data)
            transfer<T>(device_of(a), &p, t, all, !back);
        p.begin[of] += t->shape.dim[of];
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
        clear<T>(device_of(a), large);
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

/* clang-format off */
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
    {},
};
/* clang-format on */
