/* onnx_fold_math.c -- arithmetic over constants, while reading.
 * SPDX-License-Identifier: MIT
 *
 * Sums keep to one kind of number, products have one factor that counts
 * batches, a quotient of two such sizes is a constant.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_fold.h"
#include "op/axis.h"
#include "op/join.h"

/* ---- of two ---- */

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

    if (o->n_input != 2 || !onnx_fold_operand(r, o, 0, &a) ||
        !onnx_fold_operand(r, o, 1, &b))
        return 0;
    s = a.t.shape;
    if (join_shape(&s, &b.t.shape, &no) < 0)
        return 0;
    const int whole = onnx_fold_whole(a.t.dtype);

    if (onnx_fold_new(r, o, &t, truth ? DTYPE_BOOL : a.t.dtype, &s, e) < 0)
        return -1;
    const int64_t n = tensor_count(&t);

    for (int64_t i = 0; i < n && good; i++) {
        struct number y = {0};

        good =
            fn(&y, onnx_fold_get(&a, axis_broadcast(&a.t.shape, &s, i)),
               onnx_fold_get(&b, axis_broadcast(&b.t.shape, &s, i)), whole) &&
            (!y.batch || i < FOLD_FLAGS);
        if (good)
            onnx_fold_put(&t, &batch, i, y);
    }
    if (good)
        return onnx_fold_done(r, o, &t, batch, e);
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

/* ---- of one ---- */

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
    if (!fn || !onnx_fold_operand(r, o, 0, &a) || a.batch)
        return 0;
    if (onnx_fold_new(r, o, &t, a.t.dtype, &a.t.shape, e) < 0)
        return -1;
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        const double y = fn(onnx_fold_get(&a, i).f);

        onnx_fold_put(
            &t, &none, i,
            (struct number){.f = y, .i = fabs(y) < 9e15 ? (int64_t)y : 0});
    }
    return onnx_fold_done(r, o, &t, 0, e);
}

int onnx_fold_math(struct import *r, const onode *o, struct err *e)
{
    const int done = fold_binary(r, o, e);

    return done ? done : fold_unary(r, o, e);
}

/* ---- others ---- */

static int fold_cast(struct import *r, const onode *o, struct err *e)
{
    const int dt = onnx_tensor_dtype((int)import_attr_int(o, "to", 0));
    struct slot s;
    struct tensor t;

    if (!onnx_fold_operand(r, o, 0, &s) || dt < 0)
        return 0;
    if (onnx_fold_new(r, o, &t, (enum dtype)dt, &s.t.shape, e) < 0)
        return -1;
    uint64_t batch = 0;

    for (int64_t i = 0; i < tensor_count(&t); i++) {
        struct number x = onnx_fold_get(&s, i);

        if (!onnx_fold_whole(s.t.dtype)) /* towards 0 */
            x.i = fabs(x.f) < 9e18 ? (int64_t)x.f : 0;
        if (dt == DTYPE_BOOL)
            x.i = x.f != 0;
        onnx_fold_put(&t, &batch, i, x);
    }
    return onnx_fold_done(r, o, &t, batch, e);
}

/* The product of all numbers of a list.  */
static int fold_product(struct import *r, const onode *o, struct err *e)
{
    struct number y = {.i = 1, .f = 1};
    struct slot s;

    if (!onnx_fold_operand(r, o, 0, &s) || s.t.dtype != DTYPE_I64 ||
        s.t.shape.rank > 1)
        return 0;
    for (int64_t i = 0; i < tensor_count(&s.t); i++) {
        struct number x = y;

        if (!product(&y, x, onnx_fold_get(&s, i), 1))
            return 0;
    }
    return onnx_fold_ints(r, o, &y.i, (int)import_attr_int(o, "keepdims", 1), 1,
                          (uint64_t)y.batch, e);
}

const struct onnx_fold onnx_fold_maths[] = {
    {"Cast", fold_cast},
    {"ReduceProd", fold_product},
    {0},
};
