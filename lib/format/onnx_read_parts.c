/* onnx_read_parts.c -- operators that take parts: runs of places, chosen
 * places, all parts of one value.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"

/* ---- runs of places ---- */

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

    if (x->shape.batch >> c->axis & 1) {
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
    return import_put(r, o, 0, x, e);
}

/* ---- chosen places ---- */

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
    return import_put(r, o, 0, import_view(r, o, x, &s, e), e);
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
    if (!x || !index || axis < 0 || x->shape.batch >> axis & 1 || n < 1)
        return import_no(o, "its places are not read", e);
    if (t->shape.rank == 1)
        return import_put(r, o, 0, pick(r, o, x, axis, index, n, e), e);
    import_set_int(r, &a, "axis", axis);
    import_set_int(r, &a, "index",
                   index[0] < 0 ? index[0] + x->shape.dim[axis] : index[0]);
    return import_as(r, o, "select", 1, &a, e);
}

/* Rows of a table of numbers, whose places are computed.  */
static int gather_rows(struct import *r, const onode *o, struct err *e)
{
    struct value *w = import_value(r, o, 0, VALUE_PARAM, e);
    struct value *x = w ? import_value(r, o, 1, VALUE_CONST, e) : NULL;
    struct attrs a = {.n = 0};
    struct node *n;

    if (!x || w->shape.rank != 2 || import_attr_int(o, "axis", 0) ||
        x->dtype != DTYPE_I64)
        return import_no(o, "its places are not read", e);
    import_set_int(r, &a, "rows", w->shape.dim[0]);
    import_set_int(r, &a, "dim", w->shape.dim[1]);
    n = import_add(r, o, "embedding", (struct value *[]){x, w}, 2, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

static int read_gather(struct import *r, const onode *o, struct err *e)
{
    return import_const(r, o, 0) && !import_const(r, o, 1)
               ? gather_rows(r, o, e)
               : gather_const(r, o, e);
}

/* ---- all parts ---- */

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

const struct import_op import_parts[] = {
    {"Gather", 2, 2, read_gather, .moves = 1},
    {"Slice", 1, 5, read_slice, .moves = 1},
    {"Split", 1, 2, read_split, .moves = 1},
    {0},
};
