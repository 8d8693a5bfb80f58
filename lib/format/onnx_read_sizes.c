/* onnx_read_sizes.c -- operators that give the same numbers other sizes, or
 * another order of axes.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "format/onnx_import.h"

static int is_batch(const struct shape *s, int axis)
{
    return s->batch >> axis & 1;
}

/* ---- the same ---- */

static int read_same(struct import *r, const onode *o, struct err *e)
{
    const struct slot *s = import_slot(r, o, 0, e);

    return s ? import_alias(r, o, s, e) : -1;
}

/* All floating point is f32 here.  */
static int read_cast(struct import *r, const onode *o, struct err *e)
{
    const int to = onnx_tensor_dtype((int)import_attr_int(o, "to", 0));
    const struct value *x = import_value(r, o, 0, VALUE_CONST, e);

    if (!x)
        return -1;
    if (x->dtype != DTYPE_F32 || to < 0 ||
        (to != DTYPE_F32 && to != DTYPE_F16 && to != DTYPE_BF16 &&
         to != DTYPE_F64))
        return import_no(o, "only floating point becomes floating point", e);
    return read_same(r, o, e);
}

/* ---- other sizes ---- */

/* -1 where there are too many.  */
static int64_t elements_before(const struct shape *s, int axis)
{
    int64_t n = 1;

    for (int i = 0; i < axis; i++)
        if (i64_mul(n, s->dim[i], &n) < 0)
            return -1;
    return n;
}

/* Sizes that were written for the fixed batch of the file: the one that counts
 * it becomes that of one sample.  */
static void unfix(const struct import *r, const struct shape *x,
                  struct shape *to)
{
    const int64_t b = r->batch;
    int at = 0;

    while (at < x->rank && !is_batch(x, at))
        at++;
    for (int i = 0; b > 1 && at < x->rank && i < to->rank; i++)
        if (to->dim[i] > 0 && to->dim[i] % b == 0 &&
            elements_before(to, i) == elements_before(x, at)) {
            to->dim[i] /= b;
            return;
        }
}

/* What remains for the size of -1, which has the batch where all others are
 * numbers: no file with a symbolic batch can say it otherwise.  */
static int fill_open(const struct import *r, const struct shape *x,
                     struct shape *to, int open)
{
    int64_t known = 1;

    for (int i = 0; i < to->rank; i++)
        if (i != open && i64_mul(known, to->dim[i], &known) < 0)
            return -1;
    if (open < 0)
        return 0;
    to->dim[open] = known ? shape_count(x) / known : 0;
    if (!to->batch && !r->batch)
        to->batch = (uint8_t)(1 << open);
    return 0;
}

/* TO is rows that join the batch of X to an axis before it, [T,N,C] to [T N,C],
 * which our shapes cannot say: APART has them as two, the axis of the batch is
 * returned; else 0.  A file of a fixed batch does not say where that is: in
 * rows of features it counts rows.  */
static int merges(const struct shape *x, const struct shape *to,
                  struct shape *apart)
{
    int at = 0;
    int64_t before;

    while (at < x->rank && !is_batch(x, at))
        at++;
    before = elements_before(x, at);
    if (at < 1 || at >= x->rank || before < 2 || to->rank != 2 ||
        to->dim[0] != before * x->dim[at] || (to->batch & ~1))
        return 0;
    *apart = (struct shape){3, {before, x->dim[at], to->dim[1]}, 2};
    return 1;
}

/* 0 copies a size, -1 is what remains.  */
static int read_reshape(struct import *r, const onode *o, struct err *e)
{
    int merged;
    struct value *x = import_merged(r, o, 0, &merged, e);
    const int zero = import_attr_int(o, "allowzero", 0) != 0;
    const Onnx__AttributeProto *p = import_attr(o, "shape");
    struct shape to = {0}, apart;
    uint64_t batch = 0;
    int n = 0, open = -1;
    const int64_t *dim = p ? import_list(r, o, "shape", 1, &n)
                           : import_ints(r, o, 1, &n, &batch);

    if (!x || !dim || n > SHAPE_MAX)
        return import_no(o, "the sizes are not known", e);
    to.rank = n;
    to.batch = (uint8_t)batch;
    for (int i = 0; i < n; i++) {
        to.dim[i] = dim[i];
        if (!dim[i] && !zero && i < x->shape.rank) {
            to.dim[i] = x->shape.dim[i];
            to.batch |= (uint8_t)(is_batch(&x->shape, i) << i);
        }
        if (dim[i] < -1 || (dim[i] == -1 && open >= 0) || (!dim[i] && merged))
            return import_no(o, "the sizes do not fit", e);
        open = dim[i] == -1 ? i : open;
    }
    if (!to.batch)
        unfix(r, &x->shape, &to);
    if (fill_open(r, &x->shape, &to, open) < 0)
        return import_no(o, "the sizes do not fit", e);
    merged = merged ? 0 : merges(&x->shape, &to, &apart);
    if (import_put(r, o, 0, import_view(r, o, x, merged ? &apart : &to, e), e) <
        0)
        return -1;
    import_set_merged(r, o, merged);
    return 0;
}

/* From axis 1 on as one; before operator set 11 an axis is not negative.  */
static int read_flatten(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int rank = x ? x->shape.rank : 0;
    int64_t axis = import_attr_int(o, "axis", 1);
    struct shape to = {.rank = 2, .dim = {1, 1}};

    axis += axis < 0 ? rank : 0;
    if (!x || axis < 0 || axis > rank)
        return import_no(o, "not in a form that is read", e);
    for (int i = 0; i < rank; i++) {
        to.dim[i >= axis] *= x->shape.dim[i];
        to.batch |= (uint8_t)(is_batch(&x->shape, i) << (i >= axis));
    }
    if (axis == 1 && rank > 1 && !shape_equal(&to, &x->shape)) {
        struct attrs a = {.n = 0};

        import_set_int(r, &a, "axis", 1);
        return import_as(r, o, "flatten", 1, &a, e);
    }
    return import_put(r, o, 0, import_view(r, o, x, &to, e), e);
}

static int read_unsqueeze(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    int n = 0, k = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    struct shape to = {0};
    unsigned new = 0;

    if (!x || !axes || n + x->shape.rank > SHAPE_MAX)
        return import_no(o, "its axes are not known", e);
    to.rank = n + x->shape.rank;
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(axes[i], to.rank);

        if (axis < 0 || new >> axis & 1)
            return import_no(o, "its axes do not fit", e);
        new |= 1u << axis;
    }
    for (int i = 0; i < to.rank; i++) {
        to.dim[i] = new >> i & 1 ? 1 : x->shape.dim[k];
        if (!(new >> i & 1))
            to.batch |= (uint8_t)(is_batch(&x->shape, k++) << i);
    }
    return import_put(r, o, 0, import_view(r, o, x, &to, e), e);
}

static int read_squeeze(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    struct shape to = {0};
    unsigned gone = 0;

    if (!x || (!axes && import_has(o, 1)))
        return import_no(o, "its axes are not known", e);
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(axes[i], x->shape.rank);

        if (axis < 0)
            return import_no(o, "its axes do not fit", e);
        gone |= 1u << axis;
    }
    for (int i = 0; i < x->shape.rank; i++) {
        const int one = x->shape.dim[i] == 1 && !is_batch(&x->shape, i);

        if (axes ? gone >> i & 1 : (unsigned)one) {
            if (!one)
                return import_no(o, "a size that goes away is not 1", e);
            continue;
        }
        to.dim[to.rank] = x->shape.dim[i];
        to.batch |= (uint8_t)(is_batch(&x->shape, i) << to.rank++);
    }
    return import_put(r, o, 0, import_view(r, o, x, &to, e), e);
}

static int read_transpose(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const Onnx__AttributeProto *p = import_attr(o, "perm");
    int64_t perm[SHAPE_MAX];
    unsigned seen = 0;

    if (!x || (p && p->n_ints != (size_t)x->shape.rank))
        return import_no(o, "not in a form that is read", e);
    for (int i = 0; i < x->shape.rank; i++) {
        perm[i] = p ? p->ints[i] : x->shape.rank - 1 - i;
        if (perm[i] < 0 || perm[i] >= x->shape.rank || seen >> perm[i] & 1)
            return import_no(o, "not in a form that is read", e);
        seen |= 1u << perm[i];
    }
    return import_put(r, o, 0, import_turn(r, o, x, perm, e), e);
}

/* A value repeated along sizes of 1, or as it is.  */
static int read_expand(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *one;
    struct shape to = {0};
    uint64_t batch = 0;
    int n = 0, same = 1;
    const int64_t *dim = import_ints(r, o, 1, &n, &batch);

    if (!x || !dim || n > x->shape.rank || !n)
        return import_no(o, "not in a form that is read", e);
    to.rank = n;
    for (int i = 0; i < n; i++) {
        const int at = x->shape.rank - n + i;

        to.dim[i] = batch >> i & 1 || is_batch(&x->shape, at) ? 1 : dim[i];
        same &= to.dim[i] == 1 || to.dim[i] == x->shape.dim[at];
    }
    if (same)
        return import_put(r, o, 0, x, e);
    if (import_spend(r, o, 4 * shape_count(&to), e) < 0)
        return -1;
    one = import_fill(r, o->output[0], VALUE_CONST, &to, 1, e);
    return import_put(r, o, 0, import_add2(r, o, "mul", x, one, e), e);
}

/* ---- blocks of pixels as channels ---- */

/* [N,C,H,W] with blocks of B x B in the channels, DCR or CRD; and back.  */
static int read_depth_to_space(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int64_t b = import_attr_int(o, "blocksize", 0);
    static const int64_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
    const int other = import_attr_is(o, "mode", "CRD");
    struct shape s;

    if (!x || x->shape.rank != 4 || b < 1 || b > 4096 ||
        x->shape.dim[1] % (b * b))
        return import_no(o, "not in a form that is read", e);
    const int64_t *d = x->shape.dim, c = d[1] / (b * b);

    s = shape_make(6, other ? (int64_t[]){d[0], c, b, b, d[2], d[3]}
                            : (int64_t[]){d[0], b, b, c, d[2], d[3]});
    s.batch = x->shape.batch;
    const struct shape to = {4, {d[0], c, d[2] * b, d[3] * b}, s.batch};

    x = import_view(r, o, x, &s, e);
    x = x ? import_turn(r, o, x, other ? crd : dcr, e) : NULL;
    return import_put(r, o, 0, x ? import_view(r, o, x, &to, e) : NULL, e);
}

static int read_space_to_depth(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int64_t b = import_attr_int(o, "blocksize", 0);
    static const int64_t perm[] = {0, 3, 5, 1, 2, 4};
    struct shape s;

    if (!x || x->shape.rank != 4 || b < 1 || x->shape.dim[2] % b ||
        x->shape.dim[3] % b)
        return import_no(o, "not in a form that is read", e);
    const int64_t *d = x->shape.dim;

    s = shape_make(6, (int64_t[]){d[0], d[1], d[2] / b, b, d[3] / b, b});
    s.batch = x->shape.batch;
    const struct shape to = {
        4, {d[0], d[1] * b * b, d[2] / b, d[3] / b}, s.batch};

    x = import_view(r, o, x, &s, e);
    x = x ? import_turn(r, o, x, perm, e) : NULL;
    return import_put(r, o, 0, x ? import_view(r, o, x, &to, e) : NULL, e);
}

const struct import_op import_sizes[] = {
    {"Cast", 1, 1, read_cast, .moves = 1},
    {"DepthToSpace", 1, 1, read_depth_to_space, .moves = 1},
    {"Dropout", 1, 3, read_same, .moves = 1},
    {"Expand", 2, 2, read_expand, .moves = 1},
    {"Flatten", 1, 1, read_flatten, .moves = 1},
    {"Identity", 1, 1, read_same, .moves = 1},
    {"Reshape", 1, 2, read_reshape, .moves = 1},
    {"SpaceToDepth", 1, 1, read_space_to_depth, .moves = 1},
    {"Squeeze", 1, 2, read_squeeze, .moves = 1},
    {"Transpose", 1, 1, read_transpose, .moves = 1},
    {"Unsqueeze", 1, 2, read_unsqueeze, .moves = 1},
    {0},
};
