/* onnx_read_move.c -- operators that move numbers and compute none.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"

static int put(struct import *r, const onode *o, struct value *y, struct err *e)
{
    return y ? import_put(r, o, 0, y, e) : -1;
}

static int is_batch(const struct shape *s, int axis)
{
    return s->batch >> axis & 1;
}

/* ---- nothing ---- */

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
    if (put(r, o, import_view(r, o, x, merged ? &apart : &to, e), e) < 0)
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
    return put(r, o, import_view(r, o, x, &to, e), e);
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
    return put(r, o, import_view(r, o, x, &to, e), e);
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
    return put(r, o, import_view(r, o, x, &to, e), e);
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
    return put(r, o, import_turn(r, o, x, perm, e), e);
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
        return put(r, o, x, e);
    if (import_spend(r, o, 4 * shape_count(&to), e) < 0)
        return -1;
    one = import_fill(r, o->output[0], VALUE_CONST, &to, 1, e);
    return put(r, o, import_add2(r, o, "mul", x, one, e), e);
}

/* ---- parts ---- */

/* A run of COUNT places, STEP apart: of a whole number of steps, cut into
 * groups, the first of each kept.  */
static struct value *cut_steps(struct import *r, const onode *o,
                               struct value *x, int axis, int64_t from,
                               int64_t count, int64_t step, struct err *e)
{
    int64_t place = 0;
    struct attrs a = {.n = 0};
    struct shape s;

    if (step == 1)
        return import_cut(r, o, x, axis, from, count, e);
    if (from + count * step > x->shape.dim[axis]) { /* the last of each then */
        place = step - 1;
        from -= place;
    }
    if (from < 0 || x->shape.rank == SHAPE_MAX) {
        import_no(o, "steps that do not divide the size", e);
        return NULL;
    }
    x = import_cut(r, o, x, axis, from, count * step, e);
    if (!x)
        return NULL;
    s = x->shape;
    memmove(s.dim + axis + 1, s.dim + axis,
            (size_t)(s.rank - axis) * sizeof *s.dim);
    s.rank++;
    s.dim[axis] = count;
    s.dim[axis + 1] = step;
    s.batch = (uint8_t)((s.batch & ((1 << axis) - 1)) |
                        (s.batch >> axis << (axis + 1)));
    x = import_view(r, o, x, &s, e);
    import_set_int(r, &a, "axis", axis + 1);
    import_set_int(r, &a, "index", place);
    return x ? import_add1(r, o, "select", x, &a, e) : NULL;
}

struct run {
    int axis;
    int64_t start, end, step;
};

static struct value *cut_run(struct import *r, const onode *o, struct value *x,
                             const struct run *c, struct err *e)
{
    const int64_t dim = x->shape.dim[c->axis];
    int64_t from = c->start, to = c->end;

    if (is_batch(&x->shape, c->axis)) {
        if (from == 0 && to >= INT32_MAX && c->step == 1)
            return x;
        import_no(o, "cuts along the batch", e);
        return NULL;
    }
    from += from < 0 ? dim : 0;
    to += to < 0 ? dim : 0;
    from = from < 0 ? 0 : from;
    to = to > dim ? dim : to;
    if (from >= to || c->step < 1 || c->step > dim) {
        import_no(o, "not in a form that is read", e);
        return NULL;
    }
    return cut_steps(r, o, x, c->axis, from,
                     (to - from + c->step - 1) / c->step, c->step, e);
}

/* Every so manieth row and column is an op of its own.  */
static int is_subsample(const struct value *x, const struct run *c, int n)
{
    return x->shape.rank == 4 && n == 2 && c[0].axis == 2 && c[1].axis == 3 &&
           !c[0].start && !c[1].start && c[0].step == c[1].step &&
           c[0].step > 1 && c[0].end >= x->shape.dim[2] &&
           c[1].end >= x->shape.dim[3];
}

/* The lists of a Slice; -1 if they are not known.  */
static int read_runs(struct import *r, const onode *o, int rank, struct run *c)
{
    int n = 0, m[3] = {0};
    const int64_t *start = import_list(r, o, "starts", 1, &n);
    const int64_t *end = import_list(r, o, "ends", 2, &m[0]);
    const int64_t *axes = import_list(r, o, "axes", 3, &m[1]);
    const int64_t *step = import_ints(r, o, 4, &m[2], NULL);

    if (!start || !end || n > rank || m[0] != n || (axes && m[1] != n) ||
        (step && m[2] != n) || (!axes && import_has(o, 3)) ||
        (!step && import_has(o, 4)))
        return -1;
    for (int i = 0; i < n; i++) {
        c[i] = (struct run){import_axis(axes ? axes[i] : i, rank), start[i],
                            end[i], step ? step[i] : 1};
        if (c[i].axis < 0)
            return -1;
    }
    return n;
}

static int read_slice(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    struct run c[SHAPE_MAX];
    const int n = x ? read_runs(r, o, x->shape.rank, c) : -1;
    struct attrs a = {.n = 0};

    if (n < 0)
        return import_no(o, "its places are not known", e);
    if (is_subsample(x, c, n)) {
        import_set_int(r, &a, "stride", c[0].step);
        return import_as(r, o, "subsample", 1, &a, e);
    }
    for (int i = 0; i < n && x; i++)
        x = cut_run(r, o, x, &c[i], e);
    return put(r, o, x, e);
}

enum { RUNS = 1024 };

/* The places INDEX along AXIS, run by run.  */
static struct value *pick(struct import *r, const onode *o, struct value *x,
                          int axis, const int64_t *index, int n, struct err *e)
{
    const int64_t dim = x->shape.dim[axis];
    struct value *part[RUNS];
    struct attrs a = {.n = 0};
    struct node *all;
    int parts = 0;

    for (int i = 0, k; i < n; i = k) {
        const int64_t from = index[i] < 0 ? index[i] + dim : index[i];

        for (k = i + 1; k < n; k++)
            if ((index[k] < 0 ? index[k] + dim : index[k]) != from + k - i)
                break;
        if (from < 0 || from >= dim || parts == RUNS) {
            import_no(o, "its places are not read", e);
            return NULL;
        }
        if (!(part[parts++] = import_cut(r, o, x, axis, from, k - i, e)))
            return NULL;
    }
    import_set_int(r, &a, "axis", axis);
    all = parts > 1 ? import_add(r, o, "concat", part, parts, &a, e) : NULL;
    return all ? all->out[0] : parts == 1 ? part[0] : NULL;
}

/* All numbers of one sample in their order: what PyTorch makes of as_strided
 * where nothing is strided.  X is [n], and so many are those of T.  */
static int in_order(const struct import *r, const struct value *x,
                    const struct tensor *t)
{
    const int64_t n = tensor_count(t);

    if (r->batch != 1 || x->shape.rank != 1 || x->shape.batch != 1 ||
        x->shape.dim[0] != n || t->dtype != DTYPE_I64 || t->shape.rank < 1 ||
        t->shape.dim[0] != 1)
        return 0;
    for (int64_t i = 0; i < n; i++)
        if (((const int64_t *)t->data)[i] != i)
            return 0;
    return 1;
}

static int read_in_order(struct import *r, const onode *o, struct value *x,
                         const struct tensor *t, struct err *e)
{
    struct shape s = t->shape;

    s.batch = 1;
    return put(r, o, import_view(r, o, x, &s, e), e);
}

static int gather_const(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const struct tensor *t = import_const(r, o, 1);
    const int axis =
        import_axis(import_attr_int(o, "axis", 0), x ? x->shape.rank : 0);
    int n = 0;
    const int64_t *index = import_ints(r, o, 1, &n, NULL);
    struct attrs a = {.n = 0};

    if (x && t && !axis && in_order(r, x, t))
        return read_in_order(r, o, x, t, e);
    if (!x || !index || axis < 0 || is_batch(&x->shape, axis) || n < 1)
        return import_no(o, "its places are not read", e);
    if (t->shape.rank == 1)
        return put(r, o, pick(r, o, x, axis, index, n, e), e);
    import_set_int(r, &a, "axis", axis);
    import_set_int(r, &a, "index",
                   index[0] < 0 ? index[0] + x->shape.dim[axis] : index[0]);
    return import_as(r, o, "select", 1, &a, e);
}

static int read_gather(struct import *r, const onode *o, struct err *e)
{
    return import_const(r, o, 0) && !import_const(r, o, 1)
               ? import_embedding(r, o, e)
               : gather_const(r, o, e);
}

/* Sizes that are said, or equal ones with what is less at the end.  */
static int read_split(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int axis =
        import_axis(import_attr_int(o, "axis", 0), x ? x->shape.rank : 0);
    struct attrs a = {.n = 0};
    int n = 0;
    const int64_t *sizes = import_list(r, o, "split", 1, &n);

    if (!x || axis < 0 || (!sizes && import_has(o, 1)))
        return import_no(o, "its sizes are not known", e);
    if (!sizes) {
        const int64_t dim = x->shape.dim[axis], parts = (int64_t)o->n_output;
        const int64_t each = (dim + parts - 1) / parts;
        int64_t *list = ARENA_NEWS(&r->g->arena, parts, int64_t);

        for (n = 0; n < parts; n++)
            list[n] = n < parts - 1 ? each : dim - each * (parts - 1);
        sizes = list;
    }
    import_set_ints(r, &a, "sizes", sizes, n);
    import_set_int(r, &a, "axis", axis);
    return import_as(r, o, "split", 1, &a, e);
}

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
    return put(r, o, import_join(r, o, in, n, e), e);
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
    return put(r, o, import_add1(r, o, "padchannels", x, &a, e), e);
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
    return put(r, o, x, e);
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
        return put(r, o, x, e);
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
    return put(r, o, x ? import_view(r, o, x, &to, e) : NULL, e);
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
    return put(r, o, x ? import_view(r, o, x, &to, e) : NULL, e);
}

const struct import_op import_moves[] = {
    {"Cast", 1, 1, read_cast, .moves = 1},
    {"Concat", 1, IMPORT_OPERANDS, read_concat, .moves = 1},
    {"DepthToSpace", 1, 1, read_depth_to_space, .moves = 1},
    {"Dropout", 1, 3, read_same, .moves = 1},
    {"Expand", 2, 2, read_expand, .moves = 1},
    {"Flatten", 1, 1, read_flatten, .moves = 1},
    {"Gather", 2, 2, read_gather, .moves = 1},
    {"Identity", 1, 1, read_same, .moves = 1},
    {"Pad", 1, 4, read_pad, .moves = 1},
    {"Reshape", 1, 2, read_reshape, .moves = 1},
    {"Slice", 1, 5, read_slice, .moves = 1},
    {"SpaceToDepth", 1, 1, read_space_to_depth, .moves = 1},
    {"Split", 1, 2, read_split, .moves = 1},
    {"Squeeze", 1, 2, read_squeeze, .moves = 1},
    {"Transpose", 1, 1, read_transpose, .moves = 1},
    {"Unsqueeze", 1, 2, read_unsqueeze, .moves = 1},
    {0},
};
