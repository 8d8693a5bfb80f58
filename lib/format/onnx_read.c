/* onnx_read.c -- ONNX files that we wrote back into graphs: see onnx.h.
 * SPDX-License-Identifier: MIT
 *
 * An operator is read by the row of the op that says it, backwards; those
 * that lowerings write have a function of their own, and ops that take many
 * operators (attention, classtoken, forms of gelu and layernorm) are matched
 * as patterns.  */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/onnx.h"
#include "format/onnx_build.h"
#include "format/onnx_scan.h"
#include "graph/graph.h"
#include "op/ops.h"

enum { NODE_MAX = 1000000, IO_MAX = 4096, ATTR_MAX = 16 };

struct reader {
    const Onnx__GraphProto *m;
    struct graph *g;
    int64_t opset;
    struct name_map tensors; /* name -> index in m->initializer */
    struct name_map values;  /* name -> index of `value' */
    struct value **value;
    int n_value, cap_value;
    size_t at; /* the node being read */
};

typedef Onnx__NodeProto onode;

static int unsupported(const onode *o, const char *what, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "ONNX operator '%s' at '%s': %s",
                   Q(o->op_type), Q(o->name ? o->name : ""), what);
}

/* ---- values and tensors ---- */

static int put_value(struct reader *r, const char *name, struct value *v,
                     struct err *e)
{
    if (name_map_get(&r->values, name) >= 0 ||
        name_map_get(&r->tensors, name) >= 0)
        return err_set(e, ERR_FORMAT, "two values are named '%s'", Q(name));
    ARRAY_GROW(r->value, r->n_value, r->cap_value);
    r->value[r->n_value] = v;
    name_map_put(&r->values, arena_strdup(&r->g->arena, name), r->n_value++);
    return 0;
}

static const Onnx__TensorProto *find_tensor(const struct reader *r,
                                            const char *name)
{
    const int64_t i = name_map_get(&r->tensors, name);

    return i < 0 ? NULL : r->m->initializer[i];
}

static int dtype_of(int type)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (onnx_type((enum dtype)i) == type)
            return i;
    return -1;
}

/* The data of T, its size checked.  */
static int load_tensor(struct tensor *to, const Onnx__TensorProto *t,
                       struct err *e)
{
    const int dt = dtype_of(t->data_type);
    struct shape s = {.rank = (int)t->n_dims};
    int64_t count;

    if (dt < 0 || t->n_dims > SHAPE_MAX)
        return err_set(e, ERR_UNSUPPORTED, "tensor '%s' has type %d, rank %zu",
                       Q(t->name), (int)t->data_type, t->n_dims);
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = t->dims[i];
    if (shape_check(&s, (int64_t)dtype_size((enum dtype)dt), &count, e) < 0)
        return err_in(e, "tensor '%s'", Q(t->name));
    if (!t->has_raw_data ||
        t->raw_data.len != (size_t)count * dtype_size((enum dtype)dt))
        return err_set(e, ERR_FORMAT, "tensor '%s' %s has %zu bytes of data",
                       Q(t->name), ST(&s), t->raw_data.len);
    if (tensor_new(to, (enum dtype)dt, &s, e) < 0)
        return -1;
    if (t->raw_data.len)
        memcpy(to->data, t->raw_data.data, t->raw_data.len);
    return 0;
}

/* Value NAME; a tensor of the file becomes one of KIND when it is first
 * read.  */
static struct value *find_value(struct reader *r, const char *name,
                                enum value_kind kind, struct err *e)
{
    const int64_t i = name_map_get(&r->values, name);
    const Onnx__TensorProto *p = find_tensor(r, name);
    struct tensor t;
    struct value *v;

    if (i >= 0)
        return r->value[i];
    if (!p) {
        err_set(e, ERR_FORMAT, "nothing computes '%s'", Q(name));
        return NULL;
    }
    if (load_tensor(&t, p, e) < 0)
        return NULL;
    v = graph_tensor(r->g, graph_name_free(r->g, name), kind, NULL, &t);
    tensor_unref(&t);
    ARRAY_GROW(r->value, r->n_value, r->cap_value);
    r->value[r->n_value] = v;
    name_map_put(&r->values, arena_strdup(&r->g->arena, name), r->n_value++);
    return v;
}

/* Constant NAME as numbers; NULL where it is none.  */
static const int64_t *const_ints(const struct reader *r, const char *name,
                                 int *count)
{
    const Onnx__TensorProto *t = find_tensor(r, name);

    if (!t || t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ||
        t->n_dims != 1 || t->dims[0] < 0 || t->dims[0] > 2 * SHAPE_MAX + 4096 ||
        t->raw_data.len != (size_t)t->dims[0] * sizeof(int64_t))
        return NULL;
    *count = (int)t->dims[0];
    int64_t *v = ARENA_NEWS(&r->g->arena, *count + 1, int64_t);

    if (*count)
        memcpy(v, t->raw_data.data, t->raw_data.len);
    return v;
}

static int const_real(const struct reader *r, const char *name, double *v)
{
    const Onnx__TensorProto *t = find_tensor(r, name);
    float f;

    if (!t || t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
        t->n_dims || t->raw_data.len != sizeof f)
        return -1;
    memcpy(&f, t->raw_data.data, sizeof f);
    *v = f;
    return 0;
}

/* ---- attributes ---- */

static const Onnx__AttributeProto *find_attr(const onode *o, const char *name)
{
    for (size_t i = 0; i < o->n_attribute; i++)
        if (o->attribute[i]->name && !strcmp(o->attribute[i]->name, name))
            return o->attribute[i];
    return NULL;
}

static int64_t int_attr(const onode *o, const char *name, int64_t def)
{
    const Onnx__AttributeProto *a = find_attr(o, name);

    return a && a->has_i ? a->i : def;
}

/* The text of A as attribute kind KIND takes it; NULL where it is another
 * kind.  */
static const char *attr_value(struct reader *r, const Onnx__AttributeProto *a,
                              char kind)
{
    struct arena *arena = &r->g->arena;
    char num[FMT_NUM];

    if (kind == 'i' && a->has_i)
        return arena_printf(arena, "%lld", (long long)a->i);
    if (kind == 'b' && a->has_i)
        return a->i ? "yes" : "no";
    if (kind == 'f' && a->has_f)
        return arena_strdup(arena, fmt_f64(num, a->f));
    if (kind == 's' && a->has_s)
        return arena_strndup(arena, (const char *)a->s.data, a->s.len);
    if (kind == 'v' && a->n_ints <= SHAPE_MAX) {
        const char *text = "[";

        for (size_t i = 0; i < a->n_ints; i++)
            text = arena_printf(arena, "%s%s%lld", text, i ? ", " : "",
                                (long long)a->ints[i]);
        return arena_printf(arena, "%s]", text);
    }
    return NULL;
}

/* A list of attributes for graph_add().  */
struct attrs {
    struct attr_text item[ATTR_MAX + 1];
    int n;
};

static void put_attr(struct attrs *a, const char *name, const char *text)
{
    if (a->n == ATTR_MAX)
        BUG("too many attributes");
    a->item[a->n++] = (struct attr_text){name, text};
    a->item[a->n].name = NULL;
}

static void put_int(struct reader *r, struct attrs *a, const char *name,
                    int64_t v)
{
    put_attr(a, name, arena_printf(&r->g->arena, "%lld", (long long)v));
}

static void put_ints(struct reader *r, struct attrs *a, const char *name,
                     const int64_t *v, int count)
{
    struct str s = {0};

    for (int i = 0; i < count; i++)
        str_printf(&s, "%s%lld", i ? ", " : "[", (long long)v[i]);
    str_add(&s, count ? "]" : "[]");
    put_attr(a, name, arena_strdup(&r->g->arena, str_text(&s)));
    str_release(&s);
}

/* ---- adding nodes ---- */

/* The outputs of N bear the names of O's.  */
static int name_outputs(struct reader *r, const onode *o, struct node *n,
                        struct err *e)
{
    const int results = node_op_out(n) - n->op->n_aux;

    if ((size_t)results != o->n_output)
        return unsupported(o, "not the usual number of results", e);
    for (int i = 0; i < results; i++)
        if (put_value(r, o->output[i], n->out[i], e) < 0)
            return -1;
    return 0;
}

static struct node *add_node(struct reader *r, const onode *o, const char *op,
                             const char *name, struct value *const *in,
                             int n_in, const struct attrs *a, struct err *e)
{
    struct node *n = graph_add(r->g, op_find(op), graph_name_free(r->g, name),
                               in, n_in, a ? a->item : NULL, e);

    if (!n)
        unsupported(o, "does not fit", e);
    return n;
}

/* O is op OP over its first N_IN operands.  */
static int add_as(struct reader *r, const onode *o, const char *op, int n_in,
                  const struct attrs *a, struct err *e)
{
    struct value **in = ARENA_NEWS(&r->g->arena, n_in, struct value *);
    struct node *n;

    for (int i = 0; i < n_in; i++)
        if (!(in[i] = find_value(r, o->input[i], VALUE_CONST, e)))
            return -1;
    n = add_node(r, o, op, o->output[0], in, n_in, a, e);
    return n ? name_outputs(r, o, n, e) : -1;
}

/* ---- rows backwards ---- */

/* Pair OURS, THEIRS of a row agrees with O; fills A.  */
static int match_pair(struct reader *r, const onode *o, const struct op *op,
                      const char *ours, const char *theirs, struct attrs *a)
{
    const Onnx__AttributeProto *p;
    const char *text = NULL;
    char num[FMT_NUM];
    double v;

    if (theirs[0] == '@') {
        const size_t at = (size_t)(theirs[1] - '0');

        if (at >= o->n_input || const_real(r, o->input[at], &v) < 0)
            return 0;
        text = arena_strdup(&r->g->arena, fmt_f64(num, v));
    } else {
        p = find_attr(o, theirs);
        if (p)
            text = attr_value(
                r, p,
                ours[0] == '=' ? 'i' : op->attr[attr_index(op, ours)].kind);
    }
    if (!text)
        return 0;
    if (ours[0] == '=')
        return !strcmp(text, ours + 1);
    put_attr(a, ours, text);
    return 1;
}

/* How many operands of O are ours: those behind are scalars of the row.  */
static int own_operands(const struct op *op, const onode *o)
{
    int n = (int)o->n_input;

    for (const char *const *p = op->onnx.attrs; p && *p; p += 2)
        if (p[1][0] == '@' && p[1][1] - '0' < n)
            n = p[1][1] - '0';
    return n;
}

static int match_row(struct reader *r, const onode *o, const struct op *op,
                     struct attrs *a)
{
    int used = 0;

    if (!op->onnx.type || strcmp(op->onnx.type, o->op_type) != 0 ||
        op->onnx.since > r->opset || op->flags & (OP_RANDOM | OP_INTERNAL))
        return 0;
    *a = (struct attrs){.n = 0};
    for (const char *const *p = op->onnx.attrs; p && *p; p += 2) {
        if (!match_pair(r, o, op, p[0], p[1], a))
            return 0;
        used += p[1][0] != '@';
    }
    return (size_t)used == o->n_attribute;
}

/* What the file says by shapes: sizes of a weight, operands that are there. */
static void put_implied(struct reader *r, const onode *o, const struct op *op,
                        struct attrs *a)
{
    const Onnx__TensorProto *w;

    for (int i = 0; op->in[i].name; i++)
        if (op->in[i].when &&
            (i < 2 ||
             strcmp(op->in[i].when,
                    op->in[i - 1].when ? op->in[i - 1].when : "") != 0))
            put_attr(a, op->in[i].when,
                     (size_t)i < o->n_input && *o->input[i] ? "yes" : "no");
    for (int i = 0; op->attr && op->attr[i].name; i++) {
        if (strcmp(op->attr[i].name, "out") != 0 || o->n_input < 2)
            continue;
        w = find_tensor(r, o->input[1]);
        if (w && w->n_dims)
            put_int(r, a, "out", w->dims[0]);
        else if (name_map_get(&r->values, o->input[1]) >= 0)
            put_int(
                r, a, "out",
                r->value[name_map_get(&r->values, o->input[1])]->shape.dim[0]);
    }
}

static int read_row(struct reader *r, const onode *o, const struct op *op,
                    struct attrs *a, struct err *e)
{
    const int n_in = own_operands(op, o);
    struct value **in = ARENA_NEWS(&r->g->arena, n_in + 1, struct value *);
    struct node *n;
    int n_op = 0;

    while (op->in[n_op].name)
        n_op++;
    if (!(op->flags & OP_JOIN) && n_in > n_op)
        return unsupported(o, "too many operands", e);
    put_implied(r, o, op, a);
    for (int i = 0; i < n_in; i++) {
        const enum role role = op->in[op->flags & OP_JOIN ? 0 : i].role;

        if (!*o->input[i])
            continue;
        in[i] = find_value(r, o->input[i],
                           role == ROLE_PARAM   ? VALUE_PARAM
                           : role == ROLE_STATE ? VALUE_STATE
                                                : VALUE_CONST,
                           e);
        if (!in[i])
            return -1;
    }
    n = add_node(r, o, op->name, o->output[0], in, n_in, a, e);
    return n ? name_outputs(r, o, n, e) : -1;
}

/* ---- operators of lowerings ---- */

static int read_globalavgpool(struct reader *r, const onode *o, struct err *e)
{
    struct value *x = find_value(r, o->input[0], VALUE_CONST, e);
    struct attrs a = {.n = 0};
    struct node *n;

    if (!x || x->shape.rank != 4)
        return unsupported(o, "the operand is no picture", e);
    n = add_node(r, o, "globalavgpool",
                 arena_printf(&r->g->arena, "%s:mean", o->output[0]), &x, 1,
                 NULL, e);
    if (!n)
        return -1;
    put_ints(r, &a, "shape",
             (int64_t[]){x->shape.dim[0], x->shape.dim[1], 1, 1}, 4);
    n = add_node(r, o, "reshape", o->output[0], n->out, 1, &a, e);
    return n ? name_outputs(r, o, n, e) : -1;
}

/* Pooling pads by at most half a window here.  What a lowering wrote as more
 * is the overhang of ceil_mode.  */
static int read_pool(struct reader *r, const onode *o, const struct op *op,
                     struct attrs *a, struct err *e)
{
    const struct value *x = find_value(r, o->input[0], VALUE_CONST, e);
    const Onnx__AttributeProto *k = find_attr(o, "kernel_shape"),
                               *s = find_attr(o, "strides"),
                               *p = find_attr(o, "pads");
    int64_t pad[4], want[2];
    int over = 0;

    if (!x || x->shape.rank != 4 || !k || !s || !p || k->n_ints != 2 ||
        s->n_ints != 2 || p->n_ints != 4 || s->ints[0] < 1 || s->ints[1] < 1 ||
        int_attr(o, "ceil_mode", 0))
        return unsupported(o, "not in the form that is written", e);
    memcpy(pad, p->ints, sizeof pad);
    for (int d = 0; d < 2; d++) {
        const int64_t in = x->shape.dim[2 + d];

        if (k->ints[d] < 1 || k->ints[d] > in + INT32_MAX || pad[d] < 0 ||
            pad[2 + d] < 0 || pad[d] > INT32_MAX || pad[2 + d] > INT32_MAX)
            return unsupported(o, "sizes that do not fit", e);
        want[d] = (in + pad[d] + pad[2 + d] - k->ints[d]) / s->ints[d] + 1;
        if (pad[2 + d] > k->ints[d] / 2) {
            pad[2 + d] = pad[d];
            over = 1;
        }
    }
    if (over) {
        *a = (struct attrs){.n = 0};
        put_ints(r, a, "kernel", k->ints, 2);
        put_ints(r, a, "stride", s->ints, 2);
        put_ints(r, a, "pad", pad, 4);
        put_attr(a, "ceil_mode", "yes");
        if (attr_index(op, "count_include_pad") >= 0)
            put_attr(a, "count_include_pad", "no");
    }
    if (add_as(r, o, op->name, 1, a, e) < 0)
        return -1;
    const struct shape *y = &r->value[r->n_value - 1]->shape;

    if (y->dim[2] != want[0] || y->dim[3] != want[1] ||
        (over && int_attr(o, "count_include_pad", 0)))
        return unsupported(o, "not in the form that is written", e);
    return 0;
}

/* Sizes of the file are those of a whole batch: 0 copies one, -1 is what
 * remains.  */
static int read_reshape(struct reader *r, const onode *o, struct err *e)
{
    struct value *x = find_value(r, o->input[0], VALUE_CONST, e);
    int rank = 0;
    const int64_t *dim = const_ints(r, o->input[1], &rank);
    int64_t to[SHAPE_MAX], known = 1, count;
    struct attrs a = {.n = 0};

    if (!x || !dim || rank < 1 || rank > SHAPE_MAX)
        return unsupported(o, "the sizes are no constants", e);
    count = shape_count(&x->shape);
    for (int i = 0; i < rank; i++) {
        to[i] = dim[i];
        if (!dim[i])
            to[i] = i < x->shape.rank ? x->shape.dim[i] : -2;
        if (to[i] < -1 || (to[i] != -1 && i64_mul(known, to[i], &known) < 0))
            return unsupported(o, "the sizes do not fit", e);
    }
    for (int i = 0; i < rank; i++)
        if (to[i] == -1)
            to[i] = known ? count / known : 0;
    put_ints(r, &a, "shape", to, rank);
    return add_as(r, o, "reshape", 1, &a, e);
}

static int read_pad(struct reader *r, const onode *o, struct err *e)
{
    const struct value *x = find_value(r, o->input[0], VALUE_CONST, e);
    const Onnx__AttributeProto *mode = find_attr(o, "mode");
    struct attrs a = {.n = 0};
    int n = 0;
    const int64_t *p = const_ints(r, o->input[1], &n);
    const char *text = mode ? attr_value(r, mode, 's') : "constant";
    double value = 0;
    char num[FMT_NUM];

    if (!x || !p || n != 2 * x->shape.rank || !text ||
        (o->n_input > 2 && const_real(r, o->input[2], &value) < 0))
        return unsupported(o, "not in the form that is written", e);
    for (int i = 0, k = x->shape.rank; i < k; i++)
        if (p[i] < 0 || p[k + i] < 0 || p[i] > INT32_MAX ||
            p[k + i] > INT32_MAX)
            return unsupported(o, "sizes that do not fit", e);
    const int k = x->shape.rank;
    const int64_t front = k > 1 ? p[1] : 0, more = k > 1 ? front + p[k + 1] : 0;

    for (int i = 0; i < k; i++)
        if ((p[i] || p[k + i]) && (more ? i != 1 : k != 4 || i < 2))
            return unsupported(o, "not in the form that is written", e);
    if (more) {
        put_int(r, &a, "to", x->shape.dim[1] + more);
        put_attr(&a, "split", front ? "yes" : "no");
        if (value != 0 || strcmp(text, "constant") != 0 ||
            (front && front != more / 2))
            return unsupported(o, "not in the form that is written", e);
        return add_as(r, o, "padchannels", 1, &a, e);
    }
    if (k != 4)
        return unsupported(o, "not in the form that is written", e);
    put_ints(r, &a, "pad", (int64_t[]){p[2], p[3], p[6], p[7]}, 4);
    put_attr(&a, "mode", text);
    put_attr(&a, "value", fmt_f64(num, value));
    return add_as(r, o, "pad", 1, &a, e);
}

static int read_slice(struct reader *r, const onode *o, struct err *e)
{
    struct attrs a = {.n = 0};
    const int64_t *v[4] = {NULL};
    int n[4] = {0};

    for (size_t i = 1; i < o->n_input && i < 5; i++)
        v[i - 1] = const_ints(r, o->input[i], &n[i - 1]);
    if (!v[0] || !v[1] || !v[2] || n[1] != n[0] || n[2] != n[0])
        return unsupported(o, "not in the form that is written", e);
    if (!v[3] && n[0] == 1 && v[1][0] >= 0 && v[1][0] <= INT32_MAX &&
        v[0][0] >= 0) {
        put_int(r, &a, "axis", v[2][0]);
        put_int(r, &a, "start", v[0][0]);
        put_int(r, &a, "length", v[1][0] - v[0][0]);
        return add_as(r, o, "slice", 1, &a, e);
    }
    if (!v[3] || n[0] != 2 || n[3] != 2 || v[0][0] || v[0][1] ||
        v[1][0] != INT64_MAX || v[1][1] != INT64_MAX || v[2][0] != 2 ||
        v[2][1] != 3 || v[3][0] != v[3][1])
        return unsupported(o, "not in the form that is written", e);
    put_int(r, &a, "stride", v[3][0]);
    return add_as(r, o, "subsample", 1, &a, e);
}

static int read_split(struct reader *r, const onode *o, struct err *e)
{
    const Onnx__AttributeProto *p = find_attr(o, "split");
    struct attrs a = {.n = 0};
    int count = 0;
    const int64_t *sizes =
        o->n_input > 1 ? const_ints(r, o->input[1], &count) : NULL;

    if (p && p->n_ints <= IO_MAX) {
        sizes = p->ints;
        count = (int)p->n_ints;
    }
    if (!sizes)
        return unsupported(o, "the sizes are no constants", e);
    put_ints(r, &a, "sizes", sizes, count);
    put_int(r, &a, "axis", int_attr(o, "axis", 0));
    return add_as(r, o, "split", 1, &a, e);
}

static int read_quant(struct reader *r, const onode *o, const char *op,
                      struct err *e)
{
    struct attrs a = {.n = 0};
    struct value *in[3] = {NULL};
    const char *name = o->output[0];
    struct node *n;
    struct tensor t;

    for (size_t i = 0; i < 3 && i < o->n_input; i++)
        if (!(in[i] = find_value(r, o->input[i], VALUE_CONST, e)))
            return -1;
    if (!in[1])
        return unsupported(o, "no scale", e);
    if (!in[2]) { /* ours always has one */
        if (tensor_new(&t, in[0]->dtype, &in[1]->shape, e) < 0)
            return -1;
        in[2] = graph_tensor(
            r->g,
            graph_name_free(r->g,
                            arena_printf(&r->g->arena, "%s.zero_point", name)),
            VALUE_CONST, NULL, &t);
        tensor_unref(&t);
    }
    put_int(r, &a, "axis", int_attr(o, "axis", 1));
    if (!strcmp(op, "quantize"))
        put_attr(&a, "dtype", dtype_name(in[2]->dtype));
    n = add_node(r, o, op, name, in, 3, &a, e);
    return n ? name_outputs(r, o, n, e) : -1;
}

static int read_quantize(struct reader *r, const onode *o, struct err *e)
{
    return read_quant(r, o, "quantize", e);
}

static int read_dequantize(struct reader *r, const onode *o, struct err *e)
{
    return read_quant(r, o, "dequantize", e);
}

/* The slope of each channel is reshaped so that it meets its axis.  */
static int read_prelu(struct reader *r, const onode *o, struct err *e)
{
    struct value *x = find_value(r, o->input[0], VALUE_CONST, e);
    struct value *w = x ? find_value(r, o->input[1], VALUE_PARAM, e) : NULL;
    struct attrs a = {.n = 0};
    struct node *n;

    if (!w)
        return -1;
    if (shape_count(&w->shape) > 1) {
        put_attr(&a, "per_channel", "yes");
        put_int(r, &a, "axis", x->shape.rank - w->shape.rank);
    }
    if (w->node && node_is(w->node, "reshape"))
        w = w->node->in[0];
    n = add_node(r, o, "prelu", o->output[0], (struct value *[]){x, w}, 2, &a,
                 e);
    return n ? name_outputs(r, o, n, e) : -1;
}

/* DeformConv: X, W, offset, B, mask.  */
static int read_deformconv(struct reader *r, const onode *o, struct err *e)
{
    static const char *const pairs[][2] = {{"kernel", "kernel_shape"},
                                           {"stride", "strides"},
                                           {"pad", "pads"},
                                           {"dilation", "dilations"},
                                           {"groups", "group"},
                                           {"offset_groups", "offset_group"}};
    static const int from[] = {0, 2, 4, 1, 3};
    const struct op *op = op_find("deformconv2d");
    struct value *in[5] = {NULL};
    struct attrs a = {.n = 0};
    struct node *n;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        const Onnx__AttributeProto *p = find_attr(o, pairs[i][1]);
        const char *text =
            p ? attr_value(r, p, op->attr[attr_index(op, pairs[i][0])].kind)
              : NULL;

        if (p && !text)
            return unsupported(o, "not in the form that is written", e);
        if (text)
            put_attr(&a, pairs[i][0], text);
    }
    for (size_t i = 0; i < COUNT(from); i++) {
        const size_t k = (size_t)from[i];

        if (k < o->n_input && *o->input[k] &&
            !(in[i] = find_value(r, o->input[k],
                                 i > 2 ? VALUE_PARAM : VALUE_CONST, e)))
            return -1;
    }
    if (!in[3] || in[3]->shape.rank != 4)
        return unsupported(o, "the weight is no filter", e);
    put_int(r, &a, "out", in[3]->shape.dim[0]);
    put_attr(&a, "mask", in[2] ? "yes" : "no");
    put_attr(&a, "bias", in[4] ? "yes" : "no");
    n = add_node(r, o, "deformconv2d", o->output[0], in, 5, &a, e);
    return n ? name_outputs(r, o, n, e) : -1;
}

static const struct {
    const char *type;
    size_t min, max; /* operands */
    int (*read)(struct reader *r, const onode *o, struct err *e);
} readers[] = {
    {"DeformConv", 3, 5, read_deformconv},
    {"DequantizeLinear", 2, 3, read_dequantize},
    {"GlobalAveragePool", 1, 1, read_globalavgpool},
    {"PRelu", 2, 2, read_prelu},
    {"Pad", 2, 3, read_pad},
    {"QuantizeLinear", 3, 3, read_quantize},
    {"Reshape", 2, 2, read_reshape},
    {"Slice", 4, 5, read_slice},
    {"Split", 1, 2, read_split},
};

/* ---- patterns ---- */

/* Where an operand of a pattern's operator comes from, if not from one of its
 * operators (their number from 0).  */
enum {
    FROM_X = -1,      /* what the pattern reads */
    FROM_SCALAR = -2, /* a scalar */
    NONE = -3
};

enum { STEP_MAX = 9 };

static const struct pattern {
    const char *op, *attr, *value;
    struct {
        const char *type;
        int a, b;
        double scalar; /* the constant, if one is */
    } step[STEP_MAX];
} patterns[] = {
    {"gelu",
     "approximate",
     "none",
     {{"Mul", FROM_X, FROM_SCALAR, M_SQRT1_2},
      {"Erf", 0, NONE, 0},
      {"Add", 1, FROM_SCALAR, 1},
      {"Mul", FROM_X, FROM_SCALAR, .5},
      {"Mul", 3, 2, 0}}},
    {"gelu",
     "approximate",
     "tanh",
     {{"Mul", FROM_X, FROM_X, 0},
      {"Mul", 0, FROM_SCALAR, 0.044715},
      {"Add", 1, FROM_SCALAR, 1},
      {"Mul", 2, FROM_X, 0},
      {"Mul", 3, FROM_SCALAR, 0.79788456080286535588},
      {"Tanh", 4, NONE, 0},
      {"Add", 5, FROM_SCALAR, 1},
      {"Mul", FROM_X, FROM_SCALAR, .5},
      {"Mul", 7, 6, 0}}},
    {"mish",
     NULL,
     NULL,
     {{"Softplus", FROM_X, NONE, 0},
      {"Tanh", 0, NONE, 0},
      {"Mul", FROM_X, 1, 0}}},
};

static int is_scalar(const struct reader *r, const char *name, double want)
{
    double v;

    return const_real(r, name, &v) == 0 && (float)v == (float)want;
}

static int match_operand(const struct reader *r, const onode *first,
                         const char *name, int from, double scalar)
{
    if (from == FROM_SCALAR)
        return is_scalar(r, name, scalar);
    if (from == FROM_X)
        return !strcmp(name, first->input[0]);
    return !strcmp(name, r->m->node[r->at + (size_t)from]->output[0]);
}

/* How many operators from the current one on are pattern P; 0: they are
 * not.  */
static size_t match_pattern(const struct reader *r, const struct pattern *p)
{
    const onode *first = r->m->node[r->at];
    size_t n = 0;

    for (; n < STEP_MAX && p->step[n].type; n++) {
        const onode *o =
            r->at + n < r->m->n_node ? r->m->node[r->at + n] : NULL;

        if (!o || strcmp(o->op_type, p->step[n].type) != 0 ||
            o->n_output != 1 ||
            o->n_input != (size_t)(p->step[n].b == NONE ? 1 : 2) ||
            !match_operand(r, first, o->input[0], p->step[n].a,
                           p->step[n].scalar) ||
            (p->step[n].b != NONE &&
             !match_operand(r, first, o->input[1], p->step[n].b,
                            p->step[n].scalar)))
            return 0;
    }
    return n;
}

static int read_pattern(struct reader *r, const struct pattern *p, size_t n,
                        struct err *e)
{
    const onode *first = r->m->node[r->at], *last = r->m->node[r->at + n - 1];
    struct value *x = find_value(r, first->input[0], VALUE_CONST, e);
    struct attrs a = {.n = 0};
    struct node *node;

    if (!x)
        return -1;
    if (p->attr)
        put_attr(&a, p->attr, p->value);
    node = add_node(r, last, p->op, last->output[0], &x, 1, &a, e);
    if (!node || name_outputs(r, last, node, e) < 0)
        return -1;
    r->at += n;
    return 0;
}

/* ---- layernorm in many operators ---- */

/* Operator AT has type TYPE and reads A and, unless NULL, B.  */
static const onode *step(const struct reader *r, size_t at, const char *type,
                         const char *a, const char *b)
{
    const onode *o = at < r->m->n_node ? r->m->node[at] : NULL;

    if (!o || strcmp(o->op_type, type) != 0 || o->n_output != 1 ||
        o->n_input < 1 || (a && strcmp(o->input[0], a) != 0) ||
        (b && (o->n_input < 2 || strcmp(o->input[1], b) != 0)))
        return NULL;
    return o;
}

/* The axis of a ReduceMean over one.  */
static int mean_axis(const struct reader *r, const onode *o, int64_t *axis)
{
    const Onnx__AttributeProto *p = find_attr(o, "axes");
    int count = 0;
    const int64_t *v =
        o->n_input > 1 ? const_ints(r, o->input[1], &count) : NULL;

    if (p && p->n_ints == 1)
        *axis = p->ints[0];
    else if (v && count == 1)
        *axis = v[0];
    else
        return -1;
    return 0;
}

/* A parameter that TYPE (Mul, Add) joins to Y at operator *AT, behind a
 * Reshape or not; NULL if there is none.  */
static const char *joined(const struct reader *r, size_t *at, const char *type,
                          const char **y)
{
    const onode *shape = step(r, *at, "Reshape", NULL, NULL);
    const onode *o = step(r, *at + (shape != NULL), type, *y,
                          shape ? shape->output[0] : NULL);
    const char *p;

    if (!o || o->n_input != 2)
        return NULL;
    p = shape ? shape->input[0] : o->input[1];
    if (!find_tensor(r, p))
        return NULL;
    *at += 1 + (shape != NULL);
    *y = o->output[0];
    return p;
}

/* 1 if operators from here on are a layernorm, which is added; 0; -1.  */
static int read_layernorm(struct reader *r, struct err *e)
{
    const onode *m = r->m->node[r->at], *d, *q, *v, *s, *t, *y, *last;
    const char *w, *bias, *out;
    struct attrs a = {.n = 0};
    struct value *in[3] = {NULL};
    struct node *n;
    int64_t axis, axis2;
    size_t at = r->at + 7;
    double eps;
    char num[FMT_NUM];

    if (!(d = step(r, r->at + 1, "Sub", m->input[0], m->output[0])) ||
        !(q = step(r, r->at + 2, "Mul", d->output[0], d->output[0])) ||
        !(v = step(r, r->at + 3, "ReduceMean", q->output[0], NULL)) ||
        !(s = step(r, r->at + 4, "Add", v->output[0], NULL)) ||
        !(t = step(r, r->at + 5, "Sqrt", s->output[0], NULL)) ||
        !(y = step(r, r->at + 6, "Div", d->output[0], t->output[0])) ||
        s->n_input != 2 || const_real(r, s->input[1], &eps) < 0 ||
        mean_axis(r, m, &axis) < 0 || mean_axis(r, v, &axis2) < 0 ||
        axis != axis2)
        return 0;
    out = y->output[0];
    w = joined(r, &at, "Mul", &out);
    bias = w ? joined(r, &at, "Add", &out) : NULL;
    last = r->m->node[at - 1];
    put_int(r, &a, "axis", axis);
    put_attr(&a, "eps", arena_strdup(&r->g->arena, fmt_f64(num, eps)));
    put_attr(&a, "affine", w ? "yes" : "no");
    if ((w != NULL) != (bias != NULL) ||
        !(in[0] = find_value(r, m->input[0], VALUE_CONST, e)) ||
        (w && (!(in[1] = find_value(r, w, VALUE_PARAM, e)) ||
               !(in[2] = find_value(r, bias, VALUE_PARAM, e)))))
        return unsupported(m, "not in the form that is written", e);
    n = add_node(r, last, "layernorm", out, in, w ? 3 : 1, &a, e);
    if (!n || name_outputs(r, last, n, e) < 0)
        return -1;
    r->at = at;
    return 1;
}

/* ---- attention ---- */

/* The operators behind the Split of a lowered attention, which has number 0,
 * and whose results they read: an operator's, or one of the pieces.  */
enum { PIECE = 100, ALONE = -1, ATTENTION = 13 };

static const struct {
    const char *type;
    size_t n_in;
    int a, b;
    int64_t perm[4]; /* of Transpose */
} attention[ATTENTION] = {
    {"Split", 2, ALONE, ALONE, {0}},
    {"Reshape", 2, PIECE, ALONE, {0}},
    {"Transpose", 1, 1, ALONE, {0, 2, 1, 3}},
    {"Mul", 2, 2, ALONE, {0}},
    {"Reshape", 2, PIECE + 1, ALONE, {0}},
    {"Transpose", 1, 4, ALONE, {0, 2, 3, 1}},
    {"Reshape", 2, PIECE + 2, ALONE, {0}},
    {"Transpose", 1, 6, ALONE, {0, 2, 1, 3}},
    {"MatMul", 2, 3, 5, {0}},
    {"Softmax", 1, 8, ALONE, {0}},
    {"MatMul", 2, 9, 7, {0}},
    {"Transpose", 1, 10, ALONE, {0, 2, 1, 3}},
    {"Reshape", 2, 11, ALONE, {0}},
};

static const char *attention_operand(const struct reader *r, int from)
{
    const onode *split = r->m->node[r->at];

    if (from == ALONE)
        return NULL;
    return from >= PIECE ? split->output[from - PIECE]
                         : r->m->node[r->at + (size_t)from]->output[0];
}

static int has_perm(const onode *o, const int64_t *perm)
{
    const Onnx__AttributeProto *a = find_attr(o, "perm");

    return !perm[1] ||
           (a && a->n_ints == 4 && !memcmp(a->ints, perm, 4 * sizeof *perm));
}

/* Do the operators from here on read each other like a lowered attention?  */
static int is_attention(const struct reader *r)
{
    if (r->m->node[r->at]->n_output != 3)
        return 0;
    for (int i = 1; i < ATTENTION; i++) {
        const onode *o = step(r, r->at + (size_t)i, attention[i].type,
                              attention_operand(r, attention[i].a),
                              attention_operand(r, attention[i].b));

        if (!o || o->n_input != attention[i].n_in ||
            !has_perm(o, attention[i].perm))
            return 0;
    }
    return 1;
}

/* The sizes that operator I of them gives are 0 and LIST.  */
static int gives_sizes(const struct reader *r, int i, int rank,
                       const int64_t *list)
{
    int n = 0;
    const int64_t *dim =
        const_ints(r, r->m->node[r->at + (size_t)i]->input[1], &n);

    return dim && n == rank && !dim[0] &&
           !memcmp(dim + 1, list, (size_t)(rank - 1) * sizeof *list);
}

/* Heads of C numbers a token, T tokens; 0 if the operators do not agree.  */
static int64_t attention_heads(const struct reader *r, int64_t t, int64_t c)
{
    int n = 0;
    const int64_t *dim = const_ints(r, r->m->node[r->at + 1]->input[1], &n);
    const int64_t whole[] = {t, c};

    if (!dim || n != 4 || dim[2] < 1 || dim[3] < 1 || c % dim[2] ||
        dim[3] != c / dim[2] ||
        !is_scalar(r, r->m->node[r->at + 3]->input[1],
                   1 / sqrt((double)dim[3])) ||
        int_attr(r->m->node[r->at + 9], "axis", 1) != -1 ||
        !gives_sizes(r, 12, 3, whole))
        return 0;
    const int64_t part[] = {t, dim[2], dim[3]};

    return gives_sizes(r, 1, 4, part) && gives_sizes(r, 4, 4, part) &&
                   gives_sizes(r, 6, 4, part)
               ? dim[2]
               : 0;
}

/* 1 if operators from here on are an attention, which is added; 0; -1.  */
static int read_attention(struct reader *r, struct err *e)
{
    const onode *split = r->m->node[r->at], *last;
    struct value *x;
    struct attrs a = {.n = 0};
    struct node *n;
    int count = 0;
    const int64_t *sizes =
        split->n_input > 1 ? const_ints(r, split->input[1], &count) : NULL;
    int64_t heads;

    if (!is_attention(r) || count != 3 || sizes[0] != sizes[1] ||
        sizes[1] != sizes[2] || int_attr(split, "axis", 0) != 2)
        return 0;
    x = find_value(r, split->input[0], VALUE_CONST, e);
    if (!x)
        return -1;
    if (x->shape.rank != 3 || x->shape.dim[2] / 3 != sizes[0] ||
        !(heads = attention_heads(r, x->shape.dim[1], sizes[0])))
        return 0;
    last = r->m->node[r->at + ATTENTION - 1];
    put_int(r, &a, "heads", heads);
    n = add_node(r, last, "attention", last->output[0], &x, 1, &a, e);
    if (!n || name_outputs(r, last, n, e) < 0)
        return -1;
    r->at += ATTENTION;
    return 1;
}

/* ---- tokens in front ---- */

/* Pad of the operand of O by BEFORE and BEHIND, zeros of the second size of
 * three.  */
static int is_token_pad(const struct reader *r, const onode *o, int64_t *before,
                        int64_t *behind)
{
    int n = 0;
    const int64_t *p = o->n_input == 2 ? const_ints(r, o->input[1], &n) : NULL;

    if (!p || n != 6 || p[0] || p[2] || p[3] || p[5] || o->n_attribute)
        return 0;
    *before = p[1];
    *behind = p[4];
    return 1;
}

/* 1 if operators from here on are a classtoken, which is added; 0; -1.  */
static int read_classtoken(struct reader *r, struct err *e)
{
    const onode *x = r->m->node[r->at], *t, *y;
    const Onnx__TensorProto *token;
    int64_t front, zero, none, behind;
    struct attrs a = {.n = 0};
    struct value *in[2];
    struct node *n;

    if (!(t = step(r, r->at + 1, "Pad", NULL, NULL)) ||
        !(y = step(r, r->at + 2, "Add", x->output[0], t->output[0])) ||
        y->n_input != 2 || !is_token_pad(r, x, &front, &zero) ||
        !is_token_pad(r, t, &none, &behind) || zero || none ||
        !(token = find_tensor(r, t->input[0])) || token->n_dims != 3)
        return 0;
    put_int(r, &a, "count", front);
    if (!(in[0] = find_value(r, x->input[0], VALUE_CONST, e)) ||
        !(in[1] = find_value(r, t->input[0], VALUE_PARAM, e)))
        return -1;
    if (in[0]->shape.rank != 3 || in[0]->shape.dim[1] != behind)
        return unsupported(x, "not in the form that is written", e);
    n = add_node(r, y, "classtoken", y->output[0], in, 2, &a, e);
    if (!n || name_outputs(r, y, n, e) < 0)
        return -1;
    r->at += 3;
    return 1;
}

/* ---- the file ---- */

static int check_node(const onode *o, struct err *e)
{
    if (!o->op_type || !o->n_output || o->n_input > IO_MAX ||
        o->n_output > IO_MAX || !*o->output[0])
        return err_set(e, ERR_FORMAT, "an operator is incomplete at '%s'",
                       Q(o->name ? o->name : ""));
    if (o->domain && *o->domain)
        return unsupported(o, "of another domain", e);
    return 0;
}

/* Ops of several operators, by the first of them.  */
static const struct {
    const char *first;
    int (*read)(struct reader *r, struct err *e);
} lowered[] = {{"Pad", read_classtoken},
               {"ReduceMean", read_layernorm},
               {"Split", read_attention}};

static int read_node(struct reader *r, struct err *e)
{
    const onode *o = r->m->node[r->at];
    struct attrs a;

    if (o->n_input)
        for (size_t i = 0; i < COUNT(patterns); i++) {
            const size_t n = match_pattern(r, &patterns[i]);

            if (n)
                return read_pattern(r, &patterns[i], n, e);
        }
    for (size_t i = 0; o->n_input && i < COUNT(lowered); i++)
        if (!strcmp(o->op_type, lowered[i].first)) {
            const int done = lowered[i].read(r, e);

            if (done)
                return done < 0 ? -1 : 0;
        }
    r->at++;
    for (size_t i = 0; i < COUNT(readers); i++)
        if (!strcmp(o->op_type, readers[i].type)) {
            if (o->n_input < readers[i].min || o->n_input > readers[i].max)
                return unsupported(o, "not the usual number of operands", e);
            return readers[i].read(r, o, e);
        }
    for (int i = 0; o->n_input && op_all[i]; i++)
        if (match_row(r, o, op_all[i], &a))
            return str_ends(o->op_type, "Pool")
                       ? read_pool(r, o, op_all[i], &a, e)
                       : read_row(r, o, op_all[i], &a, e);
    return unsupported(o, "not in a form that is written", e);
}

/* "N", "64N", or a number.  */
static int read_dim(struct shape *s, const Onnx__TensorShapeProto__Dimension *d)
{
    const int i = s->rank++;
    char text[32];
    size_t n;

    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        s->dim[i] = d->dim_value;
        return d->dim_value < 0 ? -1 : 0;
    }
    if (d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
        return -1;
    n = d->dim_param ? strlen(d->dim_param) : 0;
    if (!n || n >= sizeof text || d->dim_param[n - 1] != 'N')
        return -1;
    s->batch |= (uint8_t)(1 << i);
    s->dim[i] = 1;
    memcpy(text, d->dim_param, n);
    text[n - 1] = 0;
    return n == 1 ? 0 : parse_i64(text, 2, INT32_MAX, &s->dim[i]);
}

static int read_input(struct reader *r, const Onnx__ValueInfoProto *v,
                      struct err *e)
{
    const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
    struct shape s = {0};
    int64_t count;
    int dt;

    if (!v->name || !t || !t->shape || (dt = dtype_of(t->elem_type)) < 0 ||
        t->shape->n_dim > SHAPE_MAX)
        return err_set(e, ERR_UNSUPPORTED, "input '%s' has no known type",
                       Q(v->name ? v->name : ""));
    for (size_t i = 0; i < t->shape->n_dim; i++)
        if (read_dim(&s, t->shape->dim[i]) < 0)
            return err_set(e, ERR_UNSUPPORTED, "input '%s' has an unknown size",
                           Q(v->name));
    if (shape_check(&s, (int64_t)dtype_size((enum dtype)dt), &count, e) < 0)
        return err_in(e, "input '%s'", Q(v->name));
    if (graph_value(r->g, v->name))
        return err_set(e, ERR_FORMAT, "two inputs are named '%s'", Q(v->name));
    return put_value(r, v->name, graph_input(r->g, v->name, (enum dtype)dt, &s),
                     e);
}

static int read_graph(struct reader *r, struct err *e)
{
    if (r->m->n_node > NODE_MAX || r->m->n_initializer > NODE_MAX)
        return err_set(e, ERR_FORMAT, "more than %d operators", NODE_MAX);
    for (size_t i = 0; i < r->m->n_initializer; i++) {
        const char *name = r->m->initializer[i]->name;

        if (!name || !*name || name_map_put(&r->tensors, name, (int64_t)i) >= 0)
            return err_set(e, ERR_FORMAT, "two tensors are named '%s'",
                           Q(name ? name : ""));
    }
    for (size_t i = 0; i < r->m->n_node; i++) /* patterns look ahead */
        if (check_node(r->m->node[i], e) < 0)
            return -1;
    for (size_t i = 0; i < r->m->n_input; i++)
        if (read_input(r, r->m->input[i], e) < 0)
            return -1;
    while (r->at < r->m->n_node)
        if (read_node(r, e) < 0)
            return -1;
    for (size_t i = 0; i < r->m->n_output; i++) {
        const char *name = r->m->output[i]->name;
        struct value *v = name ? find_value(r, name, VALUE_CONST, e) : NULL;

        if (!v)
            return err_set(e, ERR_FORMAT, "an output has no name");
        graph_output(r->g, name, v, 0);
    }
    return 0;
}

/* ---- memory ---- */

/* protobuf-c takes its memory here: a second line of defence behind
 * onnx_scan().  */
struct budget {
    size_t left;
    int refused; /* by the system */
};

static void *budget_alloc(void *ctx, size_t n)
{
    struct budget *b = ctx;
    void *p;

    if (n > b->left)
        return NULL;
    b->left -= n;
    p = malloc(n ? n : 1);
    b->refused |= !p;
    return p;
}

static void budget_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static int64_t opset_of(const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (!m->opset_import[i]->domain || !*m->opset_import[i]->domain)
            return m->opset_import[i]->version;
    return 0;
}

static struct graph *read_model(const Onnx__ModelProto *m, struct err *e)
{
    struct reader r = {.m = m->graph, .opset = opset_of(m)};
    int bad;

    if (!m->graph || r.opset < ONNX_OPSET_MIN || r.opset > ONNX_OPSET_MAX) {
        err_set(e, ERR_UNSUPPORTED, "opset %lld is not within %d..%d",
                (long long)r.opset, ONNX_OPSET_MIN, ONNX_OPSET_MAX);
        return NULL;
    }
    r.g = graph_new(m->graph->name ? m->graph->name : "onnx");
    bad = read_graph(&r, e) < 0 || graph_check(r.g, e) < 0;
    name_map_release(&r.tensors);
    name_map_release(&r.values);
    free(r.value);
    if (bad) {
        graph_free(r.g);
        return NULL;
    }
    return r.g;
}

struct graph *onnx_read(const unsigned char *p, size_t n, struct err *e)
{
    const size_t limit = 8 * n + ((size_t)64 << 20);
    struct budget budget = {limit, 0};
    ProtobufCAllocator alloc = {budget_alloc, budget_free, &budget};
    Onnx__ModelProto *m;
    struct graph *g;

    if (onnx_scan(p, n, &onnx__model_proto__descriptor, limit, e) < 0)
        return NULL;
    m = onnx__model_proto__unpack(&alloc, n, p);
    if (!m) {
        if (budget.refused)
            err_set(e, ERR_NOMEM, "no memory to read it");
        else
            err_set(e, ERR_FORMAT, "no ONNX file");
        return NULL;
    }
    g = read_model(m, e);
    if (e->code == ERR_USAGE) /* what the file asks for, not the user */
        e->code = ERR_FORMAT;
    onnx__model_proto__free_unpacked(m, &alloc);
    return g;
}

int fuzz_onnx(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct graph *g = onnx_read(p, n, &e);

    graph_free(g);
    return g ? 0 : -1;
}
