/* onnx_read_joins.c -- operators that put values, or borders, beside values.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"

/* ---- joining ---- */

static struct value *join(struct import *r, const onode *o,
                          struct value *const *in, int n, int axis,
                          struct err *e)
{
    struct attrs a = {.n = 0};
    struct node *all;

    import_set_int(r, &a, "axis", axis);
    all = n > 1 ? import_add(r, o, "concat", in, n, &a, e) : NULL;
    return all ? all->out[0] : n == 1 ? in[0] : NULL;
}

/* What is the same for all samples in front of the tokens of each: all but the
 * last operand.  */
static struct value *tokens_in_front(struct import *r, const onode *o,
                                     struct value *const *in, int n,
                                     struct err *e)
{
    struct value *token = join(r, o, in, n - 1, 1, e), *both[2] = {in[n - 1]};
    struct attrs a = {.n = 0};
    struct node *y;

    if (!token)
        return NULL;
    if (token->kind == VALUE_CONST && token->n_use == 0)
        token->kind = VALUE_PARAM;
    both[1] = token;
    import_set_int(r, &a, "count", token->shape.dim[1]);
    y = import_add(r, o, "classtoken", both, 2, &a, e);
    return y ? y->out[0] : NULL;
}

struct value *import_join(struct import *r, const onode *o,
                          struct value *const *in, int n, struct err *e)
{
    const struct shape *last = &in[n - 1]->shape;
    const int axis = import_axis(import_attr_int(o, "axis", 1), last->rank);
    int same = 0; /* for all samples */

    for (int i = 0; i < n; i++)
        same += !in[i]->shape.batch;
    if (axis < 0) {
        import_no(o, "its axis does not fit", e);
        return NULL;
    }
    if (same == n - 1 && n > 1 && last->batch == 1 && axis == 1 &&
        last->rank == 3)
        return tokens_in_front(r, o, in, n, e);
    return join(r, o, in, n, axis, e);
}

static int read_concat(struct import *r, const onode *o, struct err *e)
{
    const int n = (int)o->n_input;
    struct value **in = ARENA_NEWS(&r->g->arena, n + 1, struct value *);

    for (int i = 0; i < n; i++)
        if (!(in[i] = import_value(r, o, (size_t)i, VALUE_CONST, e)))
            return -1;
    return import_put(r, o, 0, import_join(r, o, in, n, e), e);
}

/* ---- borders ---- */

/* Tokens or channels of zeros beside those of X.  */
static int pad_channels(struct import *r, const onode *o, struct value *x,
                        int64_t front, int64_t behind, struct err *e)
{
    struct attrs a = {.n = 0};

    if (front && front != (front + behind) / 2)
        return import_no(o, "zeros in front of channels", e);
    import_set_int(r, &a, "to", x->shape.dim[1] + front + behind);
    import_set(&a, "split", front ? "yes" : "no");
    return import_put(r, o, 0, import_add1(r, o, "padchannels", x, &a, e), e);
}

/* Axes FROM and FROM + 1 of four, which become the last ones for the op.  */
static int pad_pictures(struct import *r, const onode *o, struct value *x,
                        const int64_t *p, int from, const char *mode,
                        double value, struct err *e)
{
    static const int64_t forth[] = {0, 3, 1, 2}, back[] = {0, 2, 3, 1};
    const int64_t pad[] = {p[from], p[from + 1], p[4 + from], p[5 + from]};
    struct attrs a = {.n = 0};

    if (from == 1)
        x = import_turn(r, o, x, forth, e);
    import_set_ints(r, &a, "pad", pad, 4);
    import_set(&a, "mode", mode);
    import_set_real(r, &a, "value", value);
    x = x ? import_add1(r, o, "pad", x, &a, e) : NULL;
    if (x && from == 1)
        x = import_turn(r, o, x, back, e);
    return import_put(r, o, 0, x, e);
}

/* The axes that get a border, as bits; -1 for sizes that are not read.  */
static int bordered(const int64_t *p, int rank)
{
    int bits = 0;

    for (int i = 0; i < rank; i++) {
        if (p[i] < 0 || p[rank + i] < 0 || p[i] > INT32_MAX ||
            p[rank + i] > INT32_MAX)
            return -1;
        bits |= (p[i] || p[rank + i]) << i;
    }
    return bits;
}

static const char *pad_mode(const onode *o)
{
    static const char *const modes[] = {"constant", "reflect", "edge"};

    if (!import_attr(o, "mode"))
        return modes[0];
    for (size_t i = 0; i < COUNT(modes); i++)
        if (import_attr_is(o, "mode", modes[i]))
            return modes[i];
    return NULL;
}

static int read_pad(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    double value = import_attr_real(o, "value", 0);
    const char *mode = pad_mode(o);
    int n = 0;
    const int64_t *p = import_list(r, o, "pads", 1, &n);

    if (!x || !mode || !p || n != 2 * x->shape.rank || import_has(o, 3) ||
        (import_has(o, 2) && import_real(r, o, 2, &value) < 0))
        return import_no(o, "not in a form that is read", e);
    const int rank = x->shape.rank, bits = bordered(p, rank);

    if (!bits)
        return import_put(r, o, 0, x, e);
    if (bits == 2 && value == 0 && !strcmp(mode, "constant"))
        return pad_channels(r, o, x, p[1], p[rank + 1], e);
    if (bits > 0 && rank == 4 && !(bits & ~0xc))
        return pad_pictures(r, o, x, p, 2, mode, value, e);
    if (bits > 0 && rank == 4 && !(bits & ~0x6))
        return pad_pictures(r, o, x, p, 1, mode, value, e);
    return import_no(o,
                     "only rows and columns, or channels of zeros, are "
                     "added",
                     e);
}

const struct import_op import_joins[] = {
    {"Concat", 1, IMPORT_OPERANDS, read_concat, .moves = 1},
    {"Pad", 1, 4, read_pad, .moves = 1},
    {0},
};
