/* onnx_read_math.c -- arithmetic: number by number, and over axes.
 * SPDX-License-Identifier: MIT  */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"

static int put(struct import *r, const onode *o, struct value *y, struct err *e)
{
    return y ? import_put(r, o, 0, y, e) : -1;
}

/* ---- means and sums over axes ---- */

/* The mean of each picture of X as [N,C], or [N,C,1,1] if KEEP.  */
int import_global_mean(struct import *r, const onode *o, struct value *x,
                       int keep, struct err *e)
{
    struct value *y = import_add1(r, o, "globalavgpool", x, NULL, e);
    struct shape s;

    if (!y || !keep)
        return y ? import_put(r, o, 0, y, e) : -1;
    s = y->shape;
    s.rank = 4;
    s.dim[2] = s.dim[3] = 1;
    y = import_view(r, o, y, &s, e);
    return y ? import_put(r, o, 0, y, e) : -1;
}

/* The same of X [N,H,W,C].  */
static int global_mean_last(struct import *r, const onode *o, struct value *x,
                            int keep, struct err *e)
{
    static const int64_t first[] = {0, 3, 1, 2};
    struct value *y = import_turn(r, o, x, first, e);
    struct shape s;

    y = y ? import_add1(r, o, "globalavgpool", y, NULL, e) : NULL;
    if (!y || !keep)
        return y ? import_put(r, o, 0, y, e) : -1;
    s = x->shape;
    s.dim[1] = s.dim[2] = 1;
    y = import_view(r, o, y, &s, e);
    return y ? import_put(r, o, 0, y, e) : -1;
}

/* The axes that O reduces as bits; -1 if they are not known.  */
static int reduced(struct import *r, const onode *o, int rank)
{
    int n = 0, bits = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);

    if (!axes && import_has(o, 1))
        return -1;
    if (!n)
        return import_attr_int(o, "noop_with_empty_axes", 0) ? 0
                                                             : (1 << rank) - 1;
    for (int i = 0; i < n; i++) {
        const int axis = import_axis(axes[i], rank);

        if (axis < 0)
            return -1;
        bits |= 1 << axis;
    }
    return bits;
}

/* X with the axes BITS behind the others, as one: [..., n].  */
static struct value *gathered(struct import *r, const onode *o, struct value *x,
                              int bits, int64_t *n, struct err *e)
{
    const int rank = x->shape.rank;
    int64_t perm[SHAPE_MAX] = {0};
    struct shape s;
    int k = 0;

    *n = 1;
    for (int i = 0; i < rank; i++)
        if (!(bits >> i & 1))
            perm[k++] = i;
    for (int i = 0; i < rank; i++)
        if (bits >> i & 1) {
            perm[k++] = i;
            *n *= x->shape.dim[i];
        }
    x = import_turn(r, o, x, perm, e);
    if (!x)
        return NULL;
    s = x->shape;
    s.rank = rank + 1;
    for (int i = 0; i < rank; i++)
        s.rank -= bits >> i & 1;
    s.dim[s.rank - 1] = *n;
    return import_view(r, o, x, &s, e);
}

/* Y [..., 1] as X over the axes BITS of O; it is the result.  */
static struct value *reduced_view(struct import *r, const onode *o,
                                  const struct shape *x, int bits,
                                  struct value *y, struct err *e)
{
    const int keep = import_attr_int(o, "keepdims", 1) != 0;
    struct shape s = {.rank = 0};

    for (int i = 0; i < x->rank; i++) {
        if (bits >> i & 1 && !keep)
            continue;
        s.dim[s.rank] = bits >> i & 1 ? 1 : x->dim[i];
        s.batch |= (uint8_t)((x->batch >> i & 1) << s.rank++);
    }
    return import_view(r, o, y, &s, e);
}

/* The axes of O over X as bits; -1 with an error.  */
static int axes_over(struct import *r, const onode *o, const struct value *x,
                     struct err *e)
{
    const int bits = x ? reduced(r, o, x->shape.rank) : -1;

    if (!x || bits < 0 || bits & x->shape.batch)
        return import_no(o, "its axes are not read", e);
    return bits;
}

/* The product with a column of numbers FACTOR, over the axes BITS of X; FACTOR
 * 0: that of the mean.  */
static struct value *weighed(struct import *r, const onode *o, struct value *x,
                             int bits, float factor, struct err *e)
{
    struct shape column = {.rank = 2, .dim = {1, 1}};
    struct attrs a = {.n = 0};
    int64_t n;
    struct value *y = gathered(r, o, x, bits, &n, e), *w;
    struct node *sum;

    column.dim[1] = n;
    w = y ? import_fill(r, o->output[0], VALUE_CONST, &column,
                        factor != 0 ? factor : 1 / (float)n, e)
          : NULL;
    if (!w)
        return NULL;
    import_set_int(r, &a, "out", 1);
    import_set(&a, "bias", "no");
    sum = import_add(r, o, "linear", (struct value *const[]){y, w}, 2, &a, e);
    return sum ? reduced_view(r, o, &x->shape, bits, sum->out[0], e) : NULL;
}

static int read_mean_over(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int keep = import_attr_int(o, "keepdims", 1) != 0;
    const int bits = axes_over(r, o, x, e);

    if (bits < 0)
        return -1;
    if (x->shape.rank == 4 && bits == 0xc && x->shape.batch == 1)
        return import_global_mean(r, o, x, keep, e);
    if (x->shape.rank == 4 && bits == 0x6 && x->shape.batch == 1)
        return global_mean_last(r, o, x, keep, e);
    return put(r, o, weighed(r, o, x, bits, 0, e), e);
}

static struct value *square(struct import *r, const onode *o, struct value *x,
                            struct err *e)
{
    return x ? import_add2(r, o, "mul", x, x, e) : NULL;
}

static struct value *minus(struct import *r, const onode *o, struct value *x,
                           struct err *e)
{
    const struct shape one = {.rank = 0};
    struct value *c = import_fill(r, o->output[0], VALUE_CONST, &one, -1, e);

    return import_add2(r, o, "mul", x, c, e);
}

/* What is above 0, and what is below.  */
static struct value *absolute(struct import *r, const onode *o, struct value *x,
                              struct err *e)
{
    struct value *up = x ? import_add1(r, o, "relu", x, NULL, e) : NULL;
    struct value *down = up ? minus(r, o, x, e) : NULL;

    down = down ? import_add1(r, o, "relu", down, NULL, e) : NULL;
    return down ? import_add2(r, o, "add", up, down, e) : NULL;
}

/* A sum, of what is made of each number, and what is made of it.  */
static const struct sum {
    const char *type;
    struct value *(*first)(struct import *r, const onode *o, struct value *x,
                           struct err *e);
    const char *then; /* an op */
} sums[] = {
    {"ReduceSum", NULL, NULL},         {"ReduceL1", absolute, NULL},
    {"ReduceSumSquare", square, NULL}, {"ReduceL2", square, "sqrt"},
    {"ReduceLogSum", NULL, "log"},
};

static int read_sum_over(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int bits = axes_over(r, o, x, e);
    const struct sum *s = sums;

    if (bits < 0)
        return -1;
    while (strcmp(s->type, o->op_type) != 0)
        s++;
    x = s->first ? s->first(r, o, x, e) : x;
    x = x ? weighed(r, o, x, bits, 1, e) : NULL;
    return put(r, o, x && s->then ? import_add1(r, o, s->then, x, NULL, e) : x,
               e);
}

/* The largest of X over the axes BITS: at once where they lie side by side.  */
static struct value *largest(struct import *r, const onode *o, struct value *x,
                             int bits, struct err *e)
{
    const int low = bits & -bits;
    int64_t axes[SHAPE_MAX], all;
    struct attrs a = {.n = 0};
    struct value *y;
    int n = 0;

    import_set(&a, "kind", "max");
    if (bits && !((bits + low) & bits)) {
        for (int i = 0; i < x->shape.rank; i++)
            if (bits >> i & 1)
                axes[n++] = i;
        import_set_ints(r, &a, "axes", axes, n);
        import_set(&a, "keep",
                   import_attr_int(o, "keepdims", 1) ? "yes" : "no");
        return import_add1(r, o, "reduce", x, &a, e);
    }
    y = gathered(r, o, x, bits, &all, e);
    import_set(&a, "axes", "-1");
    y = y ? import_add1(r, o, "reduce", y, &a, e) : NULL;
    return y ? reduced_view(r, o, &x->shape, bits, y, e) : NULL;
}

/* The smallest is the largest of what is negated.  */
static int read_max_over(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int bits = axes_over(r, o, x, e);
    const int min = !strcmp(o->op_type, "ReduceMin");

    if (bits < 0)
        return -1;
    x = min ? minus(r, o, x, e) : x;
    x = x ? largest(r, o, x, bits, e) : NULL;
    return put(r, o, x && min ? minus(r, o, x, e) : x, e);
}

/* ---- arithmetic ---- */

/* Operand I as a constant of the graph, each number through FN.  */
static struct value *changed(struct import *r, const onode *o, size_t i,
                             float (*fn)(float x), struct err *e)
{
    const struct tensor *c = import_const(r, o, i);
    struct tensor t;
    struct value *v;

    if (!c || import_spend(r, o, 4 * tensor_count(c), e) < 0 ||
        tensor_convert(&t, c, DTYPE_F32, e) < 0)
        return NULL;
    for (int64_t k = 0; k < tensor_count(&t); k++)
        ((float *)t.data)[k] = fn(((const float *)t.data)[k]);
    v = import_tensor(r, o->input[i], VALUE_CONST, &t);
    tensor_unref(&t);
    return v;
}

static float negated(float x)
{
    return -x;
}

static float inverse(float x)
{
    return 1 / x;
}

static int read_sub(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *y;

    if (!x)
        return -1;
    if (import_const(r, o, 1))
        y = changed(r, o, 1, negated, e);
    else
        y = minus(r, o, import_value(r, o, 1, VALUE_CONST, e), e);
    return put(r, o, import_add2(r, o, "add", x, y, e), e);
}

static int read_div(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *y;

    if (!x)
        return -1;
    if (!import_const(r, o, 1))
        return import_as(r, o, "div", 2, NULL, e);
    y = changed(r, o, 1, inverse, e);
    return put(r, o, import_add2(r, o, "mul", x, y, e), e);
}

static int read_reciprocal(struct import *r, const onode *o, struct err *e)
{
    const struct shape one = {.rank = 0};
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    struct value *c = import_fill(r, o->output[0], VALUE_CONST, &one, 1, e);

    return put(r, o, x ? import_add2(r, o, "div", c, x, e) : NULL, e);
}

static int read_neg(struct import *r, const onode *o, struct err *e)
{
    return put(r, o, minus(r, o, import_value(r, o, 0, VALUE_CONST, e), e), e);
}

static int read_abs(struct import *r, const onode *o, struct err *e)
{
    return put(r, o, absolute(r, o, import_value(r, o, 0, VALUE_CONST, e), e),
               e);
}

/* Products where they are few: they have faster kernels.  */
static int read_pow(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    struct value *const in[] = {x, x, x};
    struct attrs a = {.n = 0};
    double v;
    struct node *n;

    if (!x)
        return -1;
    if (import_real(r, o, 1, &v) < 0 || !isfinite(v))
        return import_no(o, "its exponent is no number", e);
    if (v == .5)
        return import_as(r, o, "sqrt", 1, NULL, e);
    import_set_real(r, &a, "exponent", v);
    if (v != 1 && v != 2 && v != 3)
        return import_as(r, o, "pow", 1, &a, e);
    n = import_add(r, o, "mul", in, (int)v, NULL, e);
    return n ? import_results(r, o, n, e) : -1;
}

/* Elu bends at 1: alpha elu(x / alpha).  */
static int read_celu(struct import *r, const onode *o, struct err *e)
{
    const float alpha = (float)import_attr_real(o, "alpha", 1);
    const struct shape one = {.rank = 0};
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *c, *over;

    if (!x || alpha == 1)
        return x ? import_as(r, o, "elu", 1, NULL, e) : -1;
    if (!(alpha > 0 && alpha < HUGE_VALF))
        return import_no(o, "its alpha is not above 0", e);
    c = import_fill(r, o->output[0], VALUE_CONST, &one, alpha, e);
    over = import_fill(r, o->output[0], VALUE_CONST, &one, 1 / alpha, e);
    x = import_add2(r, o, "mul", x, over, e);
    x = x ? import_add1(r, o, "elu", x, NULL, e) : NULL;
    return put(r, o, x ? import_add2(r, o, "mul", x, c, e) : NULL, e);
}

/* Limits are attributes or operands; either may be absent.  */
static int limit(struct import *r, const onode *o, const char *name, size_t i,
                 double *v)
{
    *v = import_attr_real(o, name, *v);
    return import_has(o, i) ? import_real(r, o, i, v) : 0;
}

static int add_clip(struct import *r, const onode *o, double min, double max,
                    struct err *e)
{
    struct attrs a = {.n = 0};

    if (isnan(min) || isnan(max))
        return import_no(o, "a limit is no number", e);
    if (min == 0 && max == 6)
        return import_as(r, o, "relu6", 1, NULL, e);
    if (min == 0 && max >= FLT_MAX)
        return import_as(r, o, "relu", 1, NULL, e);
    import_set_real(r, &a, "min", fmax(min, -3e38));
    import_set_real(r, &a, "max", fmin(max, 3e38));
    return import_as(r, o, "clip", 1, &a, e);
}

static int read_clip(struct import *r, const onode *o, struct err *e)
{
    double min = -INFINITY, max = INFINITY;

    if (limit(r, o, "min", 1, &min) < 0 || limit(r, o, "max", 2, &max) < 0)
        return import_no(o, "its limits are no constants", e);
    return add_clip(r, o, min, max, e);
}

/* The op OP over all operands, each negated if NEGATE.  */
static struct value *joined(struct import *r, const onode *o, const char *op,
                            int negate, struct err *e)
{
    struct value **in =
        ARENA_NEWS(&r->g->arena, o->n_input + 1, struct value *);
    struct node *n;

    for (size_t i = 0; i < o->n_input; i++) {
        in[i] = import_value(r, o, i, VALUE_CONST, e);
        if (in[i] && negate)
            in[i] = minus(r, o, in[i], e);
        if (!in[i])
            return NULL;
    }
    n = import_add(r, o, op, in, (int)o->n_input, NULL, e);
    return n ? n->out[0] : NULL;
}

/* Beside one number, a limit.  */
static int read_max(struct import *r, const onode *o, struct err *e)
{
    double v;

    if (o->n_input == 2 && import_real(r, o, 1, &v) == 0)
        return add_clip(r, o, v, INFINITY, e);
    return put(r, o, joined(r, o, "max", 0, e), e);
}

static int read_min(struct import *r, const onode *o, struct err *e)
{
    double v;
    struct value *y;

    if (o->n_input == 2 && import_real(r, o, 1, &v) == 0)
        return add_clip(r, o, -INFINITY, v, e);
    y = joined(r, o, "max", 1, e);
    return put(r, o, y ? minus(r, o, y, e) : NULL, e);
}

static int read_mean(struct import *r, const onode *o, struct err *e)
{
    const struct shape one = {.rank = 0};
    struct value *y = joined(r, o, "add", 0, e), *c;

    c = import_fill(r, o->output[0], VALUE_CONST, &one, 1 / (float)o->n_input,
                    e);
    return put(r, o, y ? import_add2(r, o, "mul", y, c, e) : NULL, e);
}

static int read_sum(struct import *r, const onode *o, struct err *e)
{
    return import_as(r, o, "add", (int)o->n_input, NULL, e);
}

const struct import_op import_maths[] = {
    {"Abs", 1, 1, read_abs},
    {"Celu", 1, 1, read_celu},
    {"Clip", 1, 3, read_clip},
    {"Div", 2, 2, read_div},
    {"Max", 1, IMPORT_OPERANDS, read_max},
    {"Mean", 1, IMPORT_OPERANDS, read_mean},
    {"Min", 1, IMPORT_OPERANDS, read_min},
    {"Neg", 1, 1, read_neg},
    {"Pow", 2, 2, read_pow},
    {"Reciprocal", 1, 1, read_reciprocal},
    {"ReduceL1", 1, 2, read_sum_over},
    {"ReduceL2", 1, 2, read_sum_over},
    {"ReduceLogSum", 1, 2, read_sum_over},
    {"ReduceMax", 1, 2, read_max_over},
    {"ReduceMean", 1, 2, read_mean_over},
    {"ReduceMin", 1, 2, read_max_over},
    {"ReduceSum", 1, 2, read_sum_over},
    {"ReduceSumSquare", 1, 2, read_sum_over},
    {"Sub", 2, 2, read_sub},
    {"Sum", 1, IMPORT_OPERANDS, read_sum},
    {0},
};
