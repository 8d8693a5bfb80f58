/* onnx_shape.c -- operators over constants, and arithmetic on sizes, evaluated
 * while reading.
 * SPDX-License-Identifier: MIT
 *
 * A number is a constant, or a constant times the batch: N, 64 N.  Sums keep
 * to one kind, products have one factor of the other, a quotient of two such
 * sizes is a constant.  What would be neither is not evaluated, and then the
 * operator that asks for it says so.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/axis.h"
#include "op/join.h"

enum { FLAGS = 64 }; /* numbers of a constant that may count batches */

typedef int fold_fn(struct import *r, const onode *o, struct err *e);

/* ---- numbers ---- */

struct number {
    int64_t i; /* of a whole type */
    double f;
    int batch;
};

static int is_whole(enum dtype t)
{
    return t != DTYPE_F32 && t != DTYPE_F64 && t != DTYPE_F16 &&
           t != DTYPE_BF16;
}

static const void *element(const struct tensor *t, int64_t i)
{
    return (const char *)t->data + i * (int64_t)dtype_size(t->dtype);
}

static struct number get(const struct slot *s, int64_t i)
{
    struct number x = {.batch = i < FLAGS && s->batch >> i & 1};

    dtype_convert(DTYPE_F64, &x.f, s->t.dtype, element(&s->t, i), 1);
    if (is_whole(s->t.dtype))
        dtype_convert(DTYPE_I64, &x.i, s->t.dtype, element(&s->t, i), 1);
    return x;
}

static void put(struct tensor *t, uint64_t *batch, int64_t i, struct number x)
{
    void *to = (char *)t->data + i * (int64_t)dtype_size(t->dtype);

    if (is_whole(t->dtype))
        dtype_convert(t->dtype, to, DTYPE_I64, &x.i, 1);
    else
        dtype_convert(t->dtype, to, DTYPE_F64, &x.f, 1);
    if (x.batch)
        *batch |= (uint64_t)1 << i;
}

/* ---- results ---- */

/* The constant operand I of O: 1, 0 if it is none.  A copy, as new names move
 * the slots.  */
static int operand(struct import *r, const onode *o, size_t i, struct slot *s)
{
    struct err e = {0};
    const struct slot *at = import_has(o, i) ? import_slot(r, o, i, &e) : NULL;

    if (at && at->is_const)
        *s = *at;
    return at && at->is_const;
}

static int new_result(struct import *r, const onode *o, struct tensor *t,
                      enum dtype dt, const struct shape *s, struct err *e)
{
    int64_t n;

    if (shape_check(s, (int64_t)dtype_size(dt), &n, e) < 0)
        return import_no(o, "its result is too large", e);
    if (import_spend(r, o, n * (int64_t)dtype_size(dt), e) < 0)
        return -1;
    return tensor_new(t, dt, s, e);
}

/* 1: done.  */
static int finish(struct import *r, const onode *o, struct tensor *t,
                  uint64_t batch, struct err *e)
{
    return import_put_const(r, o, 0, t, batch, e) < 0 ? -1 : 1;
}

static int finish_ints(struct import *r, const onode *o, const int64_t *v,
                       int rank, int n, uint64_t batch, struct err *e)
{
    const struct shape s = {.rank = rank, .dim = {n}};
    struct tensor t;

    if (new_result(r, o, &t, DTYPE_I64, &s, e) < 0)
        return -1;
    memcpy(t.data, v, (size_t)n * sizeof *v);
    return finish(r, o, &t, batch, e);
}

/* ---- arithmetic ---- */

/* Of whole numbers in I, of others in F.  0 if it cannot be done.  */
typedef int number_fn(struct number *y, struct number a, struct number b,
                      int whole);

static int sum(struct number *y, struct number a, struct number b, int whole)
{
    (void)whole;
    if (a.batch != b.batch && a.f != 0 && b.f != 0)
        return 0;
    y->batch = (a.batch && a.f != 0) || (b.batch && b.f != 0);
    y->f = a.f + b.f;
    return !__builtin_add_overflow(a.i, b.i, &y->i);
}

static int difference(struct number *y, struct number a, struct number b,
                      int whole)
{
    b.f = -b.f;
    return !__builtin_sub_overflow(0, b.i, &b.i) && sum(y, a, b, whole);
}

static int product(struct number *y, struct number a, struct number b,
                   int whole)
{
    (void)whole;
    y->batch = a.batch || b.batch;
    y->f = a.f * b.f;
    return !(a.batch && b.batch) && !__builtin_mul_overflow(a.i, b.i, &y->i);
}

/* Whole numbers are cut towards 0; multiples of the batch only where nothing
 * remains.  */
static int quotient(struct number *y, struct number a, struct number b,
                    int whole)
{
    if (b.batch && !a.batch)
        return 0;
    y->batch = a.batch && !b.batch;
    y->f = a.f / b.f;
    if (!whole)
        return 1;
    if (!b.i || (b.i == -1 && a.i == INT64_MIN) || (a.batch && a.i % b.i))
        return 0;
    y->i = a.i / b.i;
    return 1;
}

/* The sign of the divisor, as Python has it.  */
static int modulo(struct number *y, struct number a, struct number b, int whole)
{
    if (a.batch || b.batch || !whole || !b.i || b.i == -1)
        return 0;
    y->i = a.i % b.i;
    y->i += y->i && (y->i < 0) != (b.i < 0) ? b.i : 0;
    return 1;
}

static int power(struct number *y, struct number a, struct number b, int whole)
{
    y->f = pow(a.f, b.f);
    y->i = whole && fabs(y->f) < 9e15 ? (int64_t)y->f : 0;
    return !a.batch && !b.batch && (!whole || fabs(y->f) < 9e15);
}

static int less(struct number a, struct number b, int whole)
{
    return whole ? a.i < b.i : a.f < b.f;
}

static int smaller(struct number *y, struct number a, struct number b,
                   int whole)
{
    *y = less(b, a, whole) ? b : a;
    return a.batch == b.batch;
}

static int larger(struct number *y, struct number a, struct number b, int whole)
{
    *y = less(a, b, whole) ? b : a;
    return a.batch == b.batch;
}

/* A multiple of the batch equals no constant: files ask this for -1.  */
static int equal(struct number *y, struct number a, struct number b, int whole)
{
    y->i = a.batch == b.batch && (whole ? a.i == b.i : a.f == b.f);
    return 1;
}

static int is_less(struct number *y, struct number a, struct number b,
                   int whole)
{
    y->i = less(a, b, whole);
    return a.batch == b.batch;
}

static int is_more(struct number *y, struct number a, struct number b,
                   int whole)
{
    return is_less(y, b, a, whole);
}

static int both(struct number *y, struct number a, struct number b, int whole)
{
    (void)whole;
    y->i = a.i && b.i;
    return 1;
}

static int either(struct number *y, struct number a, struct number b, int whole)
{
    (void)whole;
    y->i = a.i || b.i;
    return 1;
}

static const struct {
    const char *type;
    int truth; /* the result is yes or no */
    number_fn *fn;
} binaries[] = {
    {"Add", 0, sum},        {"And", 1, both},        {"Div", 0, quotient},
    {"Equal", 1, equal},    {"Greater", 1, is_more}, {"Less", 1, is_less},
    {"Max", 0, larger},     {"Min", 0, smaller},     {"Mod", 0, modulo},
    {"Mul", 0, product},    {"Or", 1, either},       {"Pow", 0, power},
    {"Sub", 0, difference},
};

/* Operands may be the same memory with other shapes; sizes are equal or 1.  */
static int fold_two(struct import *r, const onode *o, number_fn *fn, int truth,
                    struct err *e)
{
    struct slot a, b;
    struct shape s;
    struct tensor t;
    uint64_t batch = 0;
    struct err no = {0};
    int good = 1;

    if (o->n_input != 2 || !operand(r, o, 0, &a) || !operand(r, o, 1, &b))
        return 0;
    s = a.t.shape;
    if (join_shape(&s, &b.t.shape, &no) < 0)
        return 0;
    const int whole = is_whole(a.t.dtype);

    if (new_result(r, o, &t, truth ? DTYPE_BOOL : a.t.dtype, &s, e) < 0)
        return -1;
    const int64_t n = tensor_count(&t);

    for (int64_t i = 0; i < n && good; i++) {
        struct number y = {0};

        good = fn(&y, get(&a, axis_broadcast(&a.t.shape, &s, i)),
                  get(&b, axis_broadcast(&b.t.shape, &s, i)), whole) &&
               (!y.batch || i < FLAGS);
        if (good)
            put(&t, &batch, i, y);
    }
    if (good)
        return finish(r, o, &t, batch, e);
    tensor_unref(&t);
    return 0;
}

static int fold_binary(struct import *r, const onode *o, struct err *e)
{
    for (size_t i = 0; i < COUNT(binaries); i++)
        if (!strcmp(binaries[i].type, o->op_type))
            return fold_two(r, o, binaries[i].fn, binaries[i].truth, e);
    return 0;
}

static double negated(double x)
{
    return -x;
}

static double inverse(double x)
{
    return 1 / x;
}

static double not(double x)
{
    return x == 0;
}

static const struct {
    const char *type;
    double (*fn)(double x);
} unaries[] = {
    {"Abs", fabs},           {"Ceil", ceil},  {"Erf", erf},     {"Exp", exp},
    {"Floor", floor},        {"Log", log},    {"Neg", negated}, {"Not", not },
    {"Reciprocal", inverse}, {"Round", rint}, {"Sqrt", sqrt},
};

static int fold_unary(struct import *r, const onode *o, struct err *e)
{
    double (*fn)(double) = NULL;
    struct slot a;
    struct tensor t;
    uint64_t none = 0;

    for (size_t i = 0; i < COUNT(unaries); i++)
        if (!strcmp(unaries[i].type, o->op_type))
            fn = unaries[i].fn;
    if (!fn || !operand(r, o, 0, &a) || a.batch)
        return 0;
    if (new_result(r, o, &t, a.t.dtype, &a.t.shape, e) < 0)
        return -1;
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        const double y = fn(get(&a, i).f);

        put(&t, &none, i,
            (struct number){.f = y, .i = fabs(y) < 9e15 ? (int64_t)y : 0});
    }
    return finish(r, o, &t, 0, e);
}

/* ---- moving ---- */

/* Element of the operand that an element of a result of shape Y is.  */
struct strided {
    struct shape y;
    int64_t from, step[SHAPE_MAX];
};

static int64_t source(const struct strided *v, int64_t i)
{
    int64_t at = v->from;

    for (int d = v->y.rank - 1; d >= 0; d--) {
        at += i % v->y.dim[d] * v->step[d];
        i /= v->y.dim[d];
    }
    return at;
}

static int fold_strided(struct import *r, const onode *o, const struct slot *s,
                        const struct strided *v, struct err *e)
{
    const size_t size = dtype_size(s->t.dtype);
    struct tensor t;
    uint64_t batch = 0;

    if (new_result(r, o, &t, s->t.dtype, &v->y, e) < 0)
        return -1;
    const int64_t n = tensor_count(&t);

    for (int64_t i = 0; i < n; i++) {
        const int64_t at = source(v, i);

        memcpy((char *)t.data + i * (int64_t)size, element(&s->t, at), size);
        if (i < FLAGS && at < FLAGS)
            batch |= (s->batch >> at & 1) << i;
    }
    return finish(r, o, &t, batch, e);
}

/* The steps of S as it lies.  */
static void contiguous(struct strided *v, const struct shape *s)
{
    int64_t step = 1;

    *v = (struct strided){.y = *s};
    for (int d = s->rank - 1; d >= 0; d--) {
        v->step[d] = step;
        step *= s->dim[d];
    }
}

static int fold_transpose(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided whole, v;
    unsigned seen = 0;

    if (!operand(r, o, 0, &s))
        return 0;
    const int rank = s.t.shape.rank;
    const Onnx__AttributeProto *p = import_attr(o, "perm");

    if (p && p->n_ints != (size_t)rank)
        return 0;
    contiguous(&whole, &s.t.shape);
    v = whole;
    for (int i = 0; i < rank; i++) {
        const int64_t from = p ? p->ints[i] : rank - 1 - i;

        if (from < 0 || from >= rank || seen >> from & 1)
            return 0;
        seen |= 1u << from;
        v.y.dim[i] = whole.y.dim[from];
        v.step[i] = whole.step[from];
    }
    return fold_strided(r, o, &s, &v, e);
}

/* Where a run along an axis of DIM places begins, how many it has.  */
static void clamp(int64_t dim, int64_t start, int64_t end, int64_t step,
                  int64_t *from, int64_t *count)
{
    const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim;

    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    start = start < 0 ? 0 : start > high ? high : start;
    end = end < low ? low : end > dim ? dim : end;
    *from = start;
    *count = step > 0 ? (end - start + step - 1) / step
                      : (start - end - step - 1) / -step;
    if (*count < 0)
        *count = 0;
}

static int fold_slice(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided v;
    int n = 0, count[4] = {0};
    const int64_t *list[4] = {import_list(r, o, "starts", 1, &count[0]),
                              import_list(r, o, "ends", 2, &count[1]),
                              import_list(r, o, "axes", 3, &count[2]),
                              import_ints(r, o, 4, &count[3], NULL)};

    if (!operand(r, o, 0, &s) || !list[0] || !list[1])
        return 0;
    n = count[0];
    if (n > SHAPE_MAX || count[1] != n || (list[2] && count[2] != n) ||
        (list[3] && count[3] != n))
        return 0;
    contiguous(&v, &s.t.shape);
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(list[2] ? list[2][i] : i, v.y.rank);
        const int64_t step = list[3] ? list[3][i] : 1;
        int64_t from;

        if (axis < 0 || !step || step < -INT32_MAX || step > INT32_MAX)
            return 0;
        clamp(v.y.dim[axis], list[0][i], list[1][i], step, &from,
              &v.y.dim[axis]);
        v.from += from * v.step[axis];
        v.step[axis] *= step;
    }
    return fold_strided(r, o, &s, &v, e);
}

/* Along sizes that count the batch the constant stays as it is, of size 1.  */
static int fold_expand(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct strided v;
    struct shape to = {0};
    struct err no = {0};
    uint64_t batch = 0;
    int n = 0;
    const int64_t *dim = import_ints(r, o, 1, &n, &batch);

    if (!operand(r, o, 0, &s) || !dim || n > SHAPE_MAX)
        return 0;
    to.rank = n;
    for (int i = 0; i < n; i++)
        to.dim[i] = batch >> i & 1 ? 1 : dim[i];
    contiguous(&v, &s.t.shape);
    if (join_shape(&to, &s.t.shape, &no) < 0)
        return 0;
    const int front = to.rank - v.y.rank;

    for (int i = to.rank - 1; i >= 0; i--) {
        const int at = i - front;

        v.step[i] = at < 0 || v.y.dim[at] == 1 ? 0 : v.step[at];
    }
    v.y = to;
    return fold_strided(r, o, &s, &v, e);
}

/* ---- the same numbers, other sizes ---- */

static int with_shape(struct import *r, const onode *o, const struct slot *s,
                      const struct shape *to, struct err *e)
{
    struct tensor t;

    if (shape_count(to) != tensor_count(&s->t))
        return 0;
    t = tensor_ref(&s->t);
    t.shape = *to;
    return finish(r, o, &t, s->batch, e);
}

static int fold_reshape(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int64_t known = 1, total;
    int n = 0, open = -1;
    const int64_t *dim = import_list(r, o, "shape", 1, &n);

    if (!operand(r, o, 0, &s) || !dim || n > SHAPE_MAX)
        return 0;
    total = tensor_count(&s.t);
    to.rank = n;
    for (int i = 0; i < n; i++) {
        to.dim[i] = dim[i];
        if (!dim[i] && i < s.t.shape.rank &&
            !import_attr_int(o, "allowzero", 0))
            to.dim[i] = s.t.shape.dim[i];
        if (dim[i] == -1 && open < 0)
            open = i;
        else if (dim[i] < 0 || i64_mul(known, to.dim[i], &known) < 0)
            return 0;
    }
    if (open >= 0 && known)
        to.dim[open] = total / known;
    return with_shape(r, o, &s, &to, e);
}

static int fold_unsqueeze(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    unsigned ones = 0;

    if (!operand(r, o, 0, &s) || !axes || n + s.t.shape.rank > SHAPE_MAX)
        return 0;
    to.rank = n + s.t.shape.rank;
    for (int i = 0; i < n; i++)
        ones |= import_axis(axes[i], to.rank) < 0
                    ? 0
                    : 1u << import_axis(axes[i], to.rank);
    for (int i = 0, k = 0; i < to.rank; i++)
        to.dim[i] = ones >> i & 1        ? 1
                    : k < s.t.shape.rank ? s.t.shape.dim[k++]
                                         : 0;
    return with_shape(r, o, &s, &to, e);
}

static int fold_squeeze(struct import *r, const onode *o, struct err *e)
{
    struct slot s;
    struct shape to = {0};
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);
    unsigned gone = 0;

    if (!operand(r, o, 0, &s) || (!axes && import_has(o, 1)))
        return 0;
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(axes[i], s.t.shape.rank);

        gone |= axis < 0 ? 0 : 1u << axis;
    }
    for (int i = 0; i < s.t.shape.rank; i++)
        if (axes ? !(gone >> i & 1) : s.t.shape.dim[i] != 1)
            to.dim[to.rank++] = s.t.shape.dim[i];
    return with_shape(r, o, &s, &to, e);
}

/* ---- joining and choosing ---- */

/* Behind AXIS of T from place AT on: the numbers of S.  */
static void insert(struct tensor *t, uint64_t *batch, const struct slot *s,
                   int axis, int64_t at)
{
    const struct axis to = axis_of(&t->shape, axis);
    const struct axis from = axis_of(&s->t.shape, axis);
    const int64_t run = from.size * from.inner;
    const size_t size = dtype_size(t->dtype);

    for (int64_t i = 0; i < from.outer; i++) {
        const int64_t j = (i * to.size + at) * to.inner;

        memcpy((char *)t->data + j * (int64_t)size, element(&s->t, i * run),
               (size_t)run * size);
        for (int64_t k = 0; k < run && i * run + k < FLAGS && s->batch; k++)
            *batch |= (s->batch >> (i * run + k) & 1) << (j + k);
    }
}

/* Whether the constants of O fit along AXIS; Y is what they make.  */
static int join_sizes(struct import *r, const onode *o, struct shape *y,
                      enum dtype *dt, int *axis)
{
    struct slot s;
    uint64_t batch = 0;

    for (size_t i = 0; i < o->n_input; i++) {
        struct shape one;

        if (!operand(r, o, i, &s))
            return 0;
        one = s.t.shape;
        if (!i) {
            *y = one;
            *dt = s.t.dtype;
            *axis = import_axis(import_attr_int(o, "axis", 0), y->rank);
            y->dim[*axis < 0 ? 0 : *axis] = 0;
        }
        if (*axis < 0 || one.rank != y->rank || s.t.dtype != *dt)
            return 0;
        const int64_t more = one.dim[*axis];

        one.dim[*axis] = y->dim[*axis];
        if (!shape_equal(&one, y) ||
            i64_add(more, one.dim[*axis], &y->dim[*axis]) < 0)
            return 0;
        batch |= s.batch;
    }
    return o->n_input && (!batch || shape_count(y) <= FLAGS);
}

static int fold_concat(struct import *r, const onode *o, struct err *e)
{
    struct shape y;
    enum dtype dt;
    struct tensor t;
    struct slot s;
    uint64_t batch = 0;
    int64_t at = 0;
    int axis;

    if (!join_sizes(r, o, &y, &dt, &axis))
        return 0;
    if (new_result(r, o, &t, dt, &y, e) < 0)
        return -1;
    for (size_t i = 0; i < o->n_input && operand(r, o, i, &s); i++) {
        if (tensor_count(&s.t))
            insert(&t, &batch, &s, axis, at);
        at += s.t.shape.dim[axis];
    }
    return finish(r, o, &t, batch, e);
}

/* The shape of DATA with axis AXIS replaced by that of INDEX.  */
static int gather_shape(struct shape *y, const struct shape *data, int axis,
                        const struct shape *index)
{
    int n = 0;

    if (data->rank - 1 + index->rank > SHAPE_MAX)
        return -1;
    for (int i = 0; i < axis; i++)
        y->dim[n++] = data->dim[i];
    for (int i = 0; i < index->rank; i++)
        y->dim[n++] = index->dim[i];
    for (int i = axis + 1; i < data->rank; i++)
        y->dim[n++] = data->dim[i];
    y->rank = n;
    y->batch = 0;
    return 0;
}

static int gather(struct tensor *t, uint64_t *batch, const struct slot *s,
                  const struct slot *index, int axis)
{
    const struct axis a = axis_of(&s->t.shape, axis);
    const int64_t n = tensor_count(&index->t);
    const size_t run = (size_t)a.inner * dtype_size(s->t.dtype);

    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t k = 0; k < n; k++) {
            const int64_t i = get(index, k).i;
            const int64_t from = o * a.size + (i < 0 ? i + a.size : i);

            if (i < -a.size || i >= a.size)
                return -1;
            memcpy((char *)t->data + (size_t)(o * n + k) * run,
                   (const char *)s->t.data + (size_t)from * run, run);
            if (a.inner == 1 && o * n + k < FLAGS && from < FLAGS)
                *batch |= (s->batch >> from & 1) << (o * n + k);
        }
    return 0;
}

static int fold_gather(struct import *r, const onode *o, struct err *e)
{
    struct slot s, index;
    struct shape y;
    struct tensor t;
    uint64_t batch = 0;

    if (!operand(r, o, 0, &s) || !operand(r, o, 1, &index) || index.batch ||
        !is_whole(index.t.dtype))
        return 0;
    const int axis = import_axis(import_attr_int(o, "axis", 0), s.t.shape.rank);

    if (axis < 0 || gather_shape(&y, &s.t.shape, axis, &index.t.shape) < 0)
        return 0;
    if (new_result(r, o, &t, s.t.dtype, &y, e) < 0)
        return -1;
    if (gather(&t, &batch, &s, &index, axis) == 0)
        return finish(r, o, &t, batch, e);
    tensor_unref(&t);
    return import_no(o, "an index is out of range", e);
}

static int fold_where(struct import *r, const onode *o, struct err *e)
{
    struct slot c, s[2];
    struct shape y;
    struct tensor t;
    struct err no = {0};
    uint64_t batch = 0;

    if (!operand(r, o, 0, &c) || !operand(r, o, 1, &s[0]) ||
        !operand(r, o, 2, &s[1]) || s[0].t.dtype != s[1].t.dtype)
        return 0;
    y = c.t.shape;
    if (join_shape(&y, &s[0].t.shape, &no) < 0 ||
        join_shape(&y, &s[1].t.shape, &no) < 0 ||
        ((s[0].batch || s[1].batch) && shape_count(&y) > FLAGS))
        return 0;
    if (new_result(r, o, &t, s[0].t.dtype, &y, e) < 0)
        return -1;
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        const struct slot *from =
            &s[!get(&c, axis_broadcast(&c.t.shape, &y, i)).i];

        put(&t, &batch, i, get(from, axis_broadcast(&from->t.shape, &y, i)));
    }
    return finish(r, o, &t, batch, e);
}

/* Each row of INDEX names a block of T, which becomes that of MORE.  */
static int scatter(struct tensor *t, const struct slot *index,
                   const struct tensor *more)
{
    const struct shape *s = &index->t.shape;
    const int depth = (int)s->dim[s->rank - 1];
    const int64_t rows = tensor_count(&index->t) / (depth ? depth : 1);
    const struct axis a = axis_of(&t->shape, depth);
    const int64_t block = a.size * a.inner;
    const size_t run = (size_t)block * dtype_size(t->dtype);

    if (tensor_count(more) != rows * block)
        return -1;
    for (int64_t k = 0; k < rows; k++) {
        int64_t at = 0;

        for (int d = 0; d < depth; d++) {
            const int64_t i = get(index, k * depth + d).i, n = t->shape.dim[d];

            if (i < -n || i >= n)
                return -1;
            at = at * n + (i < 0 ? i + n : i);
        }
        memcpy((char *)t->data + (size_t)at * run,
               (const char *)more->data + (size_t)k * run, run);
    }
    return 0;
}

static int fold_scatter(struct import *r, const onode *o, struct err *e)
{
    struct slot s, index, more;
    struct tensor t;

    if (!operand(r, o, 0, &s) || !operand(r, o, 1, &index) ||
        !operand(r, o, 2, &more) || s.batch || index.batch || more.batch ||
        (o->n_attribute && !import_attr_is(o, "reduction", "none")) ||
        s.t.dtype != more.t.dtype || !is_whole(index.t.dtype) ||
        index.t.shape.rank < 1 ||
        index.t.shape.dim[index.t.shape.rank - 1] > s.t.shape.rank ||
        !tensor_count(&index.t))
        return 0;
    if (new_result(r, o, &t, s.t.dtype, &s.t.shape, e) < 0)
        return -1;
    memcpy(t.data, s.t.data, tensor_bytes(&t));
    if (scatter(&t, &index, &more.t) == 0)
        return finish(r, o, &t, 0, e);
    tensor_unref(&t);
    return import_no(o, "an index is out of range", e);
}

/* ---- making ---- */

static int fold_constant(struct import *r, const onode *o, struct err *e)
{
    const Onnx__AttributeProto *a = import_attr(o, "value");
    struct shape s = {.rank = 0};
    struct tensor t;

    if (a && a->t) {
        if (onnx_tensor_load(&t, a->t, &r->beside, e) < 0)
            return -1;
        return finish(r, o, &t, 0, e);
    }
    if ((a = import_attr(o, "value_int")) && a->has_i)
        return finish_ints(r, o, &a->i, 0, 1, 0, e);
    if ((a = import_attr(o, "value_ints")) && a->n_ints <= IMPORT_OPERANDS)
        return finish_ints(r, o, a->ints, 1, (int)a->n_ints, 0, e);
    if (!(a = import_attr(o, "value_float")) || !a->has_f)
        return 0;
    if (new_result(r, o, &t, DTYPE_F32, &s, e) < 0)
        return -1;
    *(float *)t.data = a->f;
    return finish(r, o, &t, 0, e);
}

static int fold_constant_of_shape(struct import *r, const onode *o,
                                  struct err *e)
{
    const Onnx__AttributeProto *a = import_attr(o, "value");
    struct shape s = {0};
    struct slot one = {0};
    struct tensor t;
    uint64_t none = 0;
    int n = 0;
    const int64_t *dim = import_ints(r, o, 0, &n, NULL);
    enum dtype dt = DTYPE_F32;

    if (!dim || n > SHAPE_MAX)
        return 0;
    s.rank = n;
    memcpy(s.dim, dim, (size_t)n * sizeof *dim);
    if (a && a->t) {
        if (onnx_tensor_load(&one.t, a->t, &r->beside, e) < 0)
            return -1;
        dt = one.t.dtype;
    }
    if (one.t.data && tensor_count(&one.t) != 1)
        import_no(o, "its value is not one number", e);
    if (e->code || new_result(r, o, &t, dt, &s, e) < 0) {
        tensor_unref(&one.t);
        return -1;
    }
    for (int64_t i = 0; one.t.data && i < tensor_count(&t); i++)
        put(&t, &none, i, get(&one, 0));
    tensor_unref(&one.t);
    return finish(r, o, &t, 0, e);
}

static int fold_range(struct import *r, const onode *o, struct err *e)
{
    struct slot s[3];
    struct shape y = {.rank = 1};
    struct tensor t;
    uint64_t none = 0;

    for (size_t i = 0; i < 3; i++)
        if (!operand(r, o, i, &s[i]) || s[i].batch ||
            tensor_count(&s[i].t) != 1 || s[i].t.dtype != s[0].t.dtype)
            return 0;
    const struct number from = get(&s[0], 0), step = get(&s[2], 0);
    const double n = ceil((get(&s[1], 0).f - from.f) / step.f);

    if (!(n < INT32_MAX))
        return 0;
    y.dim[0] = n > 0 ? (int64_t)n : 0;
    if (new_result(r, o, &t, s[0].t.dtype, &y, e) < 0)
        return -1;
    for (int64_t i = 0; i < y.dim[0]; i++)
        put(&t, &none, i,
            (struct number){.i = (int64_t)((uint64_t)from.i +
                                           (uint64_t)i * (uint64_t)step.i),
                            .f = from.f + (double)i * step.f});
    return finish(r, o, &t, 0, e);
}

static int fold_cast(struct import *r, const onode *o, struct err *e)
{
    const int dt = onnx_tensor_dtype((int)import_attr_int(o, "to", 0));
    struct slot s;
    struct tensor t;

    if (!operand(r, o, 0, &s) || dt < 0)
        return 0;
    if (new_result(r, o, &t, (enum dtype)dt, &s.t.shape, e) < 0)
        return -1;
    uint64_t batch = 0;

    for (int64_t i = 0; i < tensor_count(&t); i++) {
        struct number x = get(&s, i);

        if (!is_whole(s.t.dtype)) /* towards 0 */
            x.i = fabs(x.f) < 9e18 ? (int64_t)x.f : 0;
        if (dt == DTYPE_BOOL)
            x.i = x.f != 0;
        put(&t, &batch, i, x);
    }
    return finish(r, o, &t, batch, e);
}

/* Exporters share equal parameters so.  */
static int fold_identity(struct import *r, const onode *o, struct err *e)
{
    struct slot s;

    if (!operand(r, o, 0, &s))
        return 0;
    return import_alias(r, o, &s, e) < 0 ? -1 : 1;
}

/* ---- sizes of values ---- */

/* The shape that O asks for; -1 if it is not known.  */
static int shape_of(struct import *r, const onode *o, struct shape *s)
{
    struct err e = {0};
    const struct slot *at = import_has(o, 0) ? import_slot(r, o, 0, &e) : NULL;

    if (!at)
        return -1;
    *s = at->is_const ? at->t.shape : at->v->shape;
    if (at->merged) /* [T,N,C] stands for [T N,C] */
        *s = (struct shape){2, {s->dim[0] * s->dim[1], s->dim[2]}, 1};
    return 0;
}

static int fold_shape(struct import *r, const onode *o, struct err *e)
{
    struct shape s;
    int64_t from = import_attr_int(o, "start", 0), to;

    if (shape_of(r, o, &s) < 0)
        return 0;
    to = import_attr_int(o, "end", s.rank);
    clamp(s.rank, from, to, 1, &from, &to);
    return finish_ints(r, o, s.dim + from, 1, (int)to,
                       (uint64_t)s.batch >> from & ((1u << to) - 1), e);
}

static int fold_size(struct import *r, const onode *o, struct err *e)
{
    struct shape s;
    int64_t n;

    if (shape_of(r, o, &s) < 0 || (s.batch & (s.batch - 1)))
        return 0;
    n = shape_count(&s);
    return finish_ints(r, o, &n, 0, 1, s.batch != 0, e);
}

/* The product of all numbers of a list.  */
static int fold_product(struct import *r, const onode *o, struct err *e)
{
    struct number y = {.i = 1, .f = 1};
    struct slot s;

    if (!operand(r, o, 0, &s) || s.t.dtype != DTYPE_I64 || s.t.shape.rank > 1)
        return 0;
    for (int64_t i = 0; i < tensor_count(&s.t); i++) {
        struct number x = y;

        if (!product(&y, x, get(&s, i), 1))
            return 0;
    }
    return finish_ints(r, o, &y.i, (int)import_attr_int(o, "keepdims", 1), 1,
                       (uint64_t)y.batch, e);
}

static const struct {
    const char *type;
    fold_fn *fold;
} folds[] = {
    {"Cast", fold_cast},           {"Concat", fold_concat},
    {"Constant", fold_constant},   {"ConstantOfShape", fold_constant_of_shape},
    {"Expand", fold_expand},       {"Gather", fold_gather},
    {"Identity", fold_identity},   {"Range", fold_range},
    {"ReduceProd", fold_product},  {"Reshape", fold_reshape},
    {"ScatterND", fold_scatter},   {"Shape", fold_shape},
    {"Size", fold_size},           {"Slice", fold_slice},
    {"Squeeze", fold_squeeze},     {"Transpose", fold_transpose},
    {"Unsqueeze", fold_unsqueeze}, {"Where", fold_where},
};

int import_fold(struct import *r, const onode *o, struct err *e)
{
    int done;

    for (size_t i = 0; i < COUNT(folds); i++)
        if (!strcmp(folds[i].type, o->op_type))
            return folds[i].fold(r, o, e);
    done = fold_binary(r, o, e);
    return done ? done : fold_unary(r, o, e);
}
