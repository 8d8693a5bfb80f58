/* onnx_import.c -- see onnx_import.h: names, attributes, ops.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_import.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "op/ops.h"

int import_no(const onode *o, const char *what, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "ONNX operator '%s' at '%s': %s",
                   Q(o->op_type),
                   Q(o->name && *o->name ? o->name : o->output[0]), what);
}

/* ---- slots ---- */

int import_has(const onode *o, size_t i)
{
    return i < o->n_input && *o->input[i];
}

struct slot *import_find(const struct import *r, const char *name)
{
    const int64_t i = name_map_get(&r->names, name);

    return i < 0 ? NULL : &r->slot[i];
}

struct slot *import_new(struct import *r, const char *name, struct err *e)
{
    struct slot *s = import_find(r, name);

    if (s && (s->is_const || s->file || s->v)) {
        err_set(e, ERR_FORMAT, "two values are named '%s'", Q(name));
        return NULL;
    }
    if (s)
        return s;
    ARRAY_GROW(r->slot, r->n_slot, r->cap_slot);
    s = &r->slot[r->n_slot];
    *s = (struct slot){.name = name, .from = -1};
    name_map_put(&r->names, name, r->n_slot++);
    return s;
}

struct slot *import_slot(struct import *r, const onode *o, size_t i,
                         struct err *e)
{
    struct slot *s = import_has(o, i) ? import_find(r, o->input[i]) : NULL;

    if (!import_has(o, i)) {
        import_no(o, "an operand is missing", e);
        return NULL;
    }
    if (!s || (!s->is_const && !s->file && !s->v)) {
        err_set(e, ERR_FORMAT, "nothing computes '%s'", Q(o->input[i]));
        return NULL;
    }
    if (s->file && !s->is_const) {
        if (onnx_tensor_load(&s->t, s->file, &r->beside, e) < 0)
            return NULL;
        s->is_const = 1;
        /* of a file beside this one, which its size does not tell of */
        r->bytes_left += 2 * (int64_t)tensor_bytes(&s->t);
    }
    return s;
}

int import_spend(struct import *r, const onode *o, int64_t bytes, struct err *e)
{
    if (bytes > r->bytes_left)
        return import_no(o, "its constants are too large", e);
    r->bytes_left -= bytes;
    return 0;
}

/* ---- constants ---- */

static int is_float(enum dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16 ||
           t == DTYPE_F64;
}

/* Names of the file as our files can hold them.  */
static const char *clean(struct import *r, const char *name)
{
    char *s = arena_strdup(&r->g->arena, *name == '/' ? name + 1 : name);
    size_t n = strlen(s);

    if (str_ends(s, "_output_0"))
        s[n -= strlen("_output_0")] = 0;
    if (n > 900)
        s[900] = 0;
    for (char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("$:\"'\\/", *p))
            *p = *p == '/' ? '.' : '_';
    return !*s || !str_utf8(s, strlen(s)) ? "value" : s;
}

/* STEM, or STEM_2, STEM_3 ..., going on where the last search for it ended. */
static const char *free_name(struct import *r, const char *stem)
{
    const char *name = stem;
    const int64_t had = name_map_put(&r->stems, stem, r->n_stem);
    const int i = had < 0 ? r->n_stem : (int)had;

    if (had < 0) {
        ARRAY_GROW(r->taken, r->n_stem, r->cap_stem);
        r->taken[r->n_stem++] = 1;
    }
    while (graph_value(r->g, name))
        name = arena_printf(&r->g->arena, "%s_%d", stem, ++r->taken[i]);
    return name;
}

struct value *import_tensor(struct import *r, const char *stem,
                            enum value_kind kind, const struct tensor *t)
{
    return graph_tensor(r->g, free_name(r, clean(r, stem)), kind, NULL, t);
}

struct value *import_fill(struct import *r, const char *stem,
                          enum value_kind kind, const struct shape *s, float v,
                          struct err *e)
{
    struct tensor t;
    struct value *c;

    if (tensor_new(&t, DTYPE_F32, s, e) < 0)
        return NULL;
    for (int64_t i = 0; i < tensor_count(&t); i++)
        ((float *)t.data)[i] = v;
    c = import_tensor(r, stem, kind, &t);
    tensor_unref(&t);
    return c;
}

/* S enters the graph, as f32 if it is of another float type.  */
static struct value *enter(struct import *r, struct slot *s,
                           enum value_kind kind, struct err *e)
{
    struct tensor t;

    if (!is_float(s->t.dtype) || s->t.dtype == DTYPE_F32) {
        s->v = import_tensor(r, s->name, kind, &s->t);
        return s->v;
    }
    if (tensor_convert(&t, &s->t, DTYPE_F32, e) < 0)
        return NULL;
    s->v = import_tensor(r, s->name, kind, &t);
    tensor_unref(&t);
    return s->v;
}

struct value *import_merged(struct import *r, const onode *o, size_t i,
                            int *merged, struct err *e)
{
    struct slot *s = import_slot(r, o, i, e);

    *merged = s ? s->merged : 0;
    return s && *merged ? s->v : import_value(r, o, i, VALUE_CONST, e);
}

void import_set_merged(struct import *r, const onode *o, int merged)
{
    struct slot *s = import_find(r, o->output[0]);

    if (s)
        s->merged = merged;
}

struct value *import_value(struct import *r, const onode *o, size_t i,
                           enum value_kind kind, struct err *e)
{
    struct slot *s = import_slot(r, o, i, e);

    if (s && s->merged) {
        import_no(o, "the batch is not the first of the sizes in one", e);
        return NULL;
    }
    if (!s || s->v)
        return s ? s->v : NULL;
    if (s->batch) {
        import_no(o, "sizes are not known as numbers", e);
        return NULL;
    }
    return enter(r, s, kind, e);
}

struct value *import_named(struct import *r, const char *name,
                           enum value_kind kind, struct err *e)
{
    char *in[] = {(char *)(uintptr_t)name}, *out[] = {(char *)(uintptr_t) ""};
    const onode o = {.op_type = out[0],
                     .n_input = 1,
                     .input = in,
                     .n_output = 1,
                     .output = out};

    return import_value(r, &o, 0, kind, e);
}

/* A constant that was given other sizes is called as before that.  */
static const char *before_view(const struct import *r, const char *name)
{
    const struct slot *s = import_find(r, name), *t;
    const onode *o = s && s->from >= 0 ? r->m->node[s->from] : NULL;

    if (!o || !import_has(o, 0) ||
        (strcmp(o->op_type, "Reshape") != 0 &&
         strcmp(o->op_type, "Unsqueeze") != 0))
        return name;
    t = import_find(r, o->input[0]);
    return t && (t->is_const || t->file) ? o->input[0] : name;
}

struct value *import_vector(struct import *r, const char *name, int64_t c,
                            struct err *e)
{
    struct value *v =
        import_named(r, name = before_view(r, name), VALUE_PARAM, e);
    const struct shape to = {.rank = 1, .dim = {c}};
    struct tensor t;

    if (!v || !v->data.data || tensor_count(&v->data) != c)
        return NULL;
    if (v->shape.rank == 1)
        return v;
    t = tensor_ref(&v->data);
    t.shape = to;
    v = import_tensor(r, name, VALUE_PARAM, &t);
    tensor_unref(&t);
    return v;
}

const struct tensor *import_const(struct import *r, const onode *o, size_t i)
{
    struct err e = {0};
    const struct slot *s = import_has(o, i) ? import_slot(r, o, i, &e) : NULL;

    return s && s->is_const && !s->batch ? &s->t : NULL;
}

const int64_t *import_ints(struct import *r, const onode *o, size_t i,
                           int *count, uint64_t *batch)
{
    struct err e = {0};
    const struct slot *s = import_has(o, i) ? import_slot(r, o, i, &e) : NULL;
    int64_t *v, n;

    if (!s || !s->is_const || (s->batch && !batch) || s->t.shape.rank > 1 ||
        is_float(s->t.dtype) || (n = tensor_count(&s->t)) > IMPORT_OPERANDS)
        return NULL;
    v = ARENA_NEWS(&r->g->arena, n + 1, int64_t);
    dtype_convert(DTYPE_I64, v, s->t.dtype, s->t.data, n);
    *count = (int)n;
    if (batch)
        *batch = s->batch;
    return v;
}

int import_real(struct import *r, const onode *o, size_t i, double *v)
{
    const struct tensor *t = import_const(r, o, i);

    if (!t || tensor_count(t) != 1)
        return -1;
    dtype_convert(DTYPE_F64, v, t->dtype, t->data, 1);
    return 0;
}

/* ---- results ---- */

int import_put(struct import *r, const onode *o, size_t i, struct value *v,
               struct err *e)
{
    struct slot *s;

    if (!v)
        return -1;
    if (i >= o->n_output || !*o->output[i])
        return 0;
    s = import_new(r, o->output[i], e);
    if (!s)
        return -1;
    s->v = v;
    return 0;
}

int import_put_const(struct import *r, const onode *o, size_t i,
                     struct tensor *t, uint64_t batch, struct err *e)
{
    struct slot *s = import_new(r, o->output[i], e);

    if (!s) {
        tensor_unref(t);
        return -1;
    }
    s->t = *t;
    s->batch = batch;
    s->is_const = 1;
    return 0;
}

int import_alias(struct import *r, const onode *o, const struct slot *s,
                 struct err *e)
{
    struct tensor t;

    if (!s->is_const)
        return import_put(r, o, 0, s->v, e);
    t = tensor_ref(&s->t);
    return import_put_const(r, o, 0, &t, s->batch, e);
}

/* ---- attributes of the file ---- */

const Onnx__AttributeProto *import_attr(const onode *o, const char *name)
{
    for (size_t i = 0; i < o->n_attribute; i++)
        if (o->attribute[i]->name && !strcmp(o->attribute[i]->name, name))
            return o->attribute[i];
    return NULL;
}

int64_t import_attr_int(const onode *o, const char *name, int64_t def)
{
    const Onnx__AttributeProto *a = import_attr(o, name);

    return a && a->has_i ? a->i : def;
}

double import_attr_real(const onode *o, const char *name, double def)
{
    const Onnx__AttributeProto *a = import_attr(o, name);

    return a && a->has_f ? (double)a->f : def;
}

int import_attr_is(const onode *o, const char *name, const char *text)
{
    const Onnx__AttributeProto *a = import_attr(o, name);

    return a && a->has_s && a->s.len == strlen(text) &&
           !memcmp(a->s.data, text, a->s.len);
}

const int64_t *import_attr_ints(const onode *o, const char *name, size_t n,
                                const int64_t *def)
{
    const Onnx__AttributeProto *a = import_attr(o, name);

    if (!a)
        return def;
    return a->n_ints == n ? a->ints : NULL;
}

const int64_t *import_list(struct import *r, const onode *o, const char *name,
                           size_t i, int *count)
{
    const Onnx__AttributeProto *a = import_attr(o, name);

    if (!a)
        return import_ints(r, o, i, count, NULL);
    if (a->n_ints > IMPORT_OPERANDS)
        return NULL;
    *count = (int)a->n_ints;
    return a->n_ints ? a->ints : ARENA_NEWS(&r->g->arena, 1, int64_t);
}

/* ---- adding ops ---- */

void import_set(struct attrs *a, const char *name, const char *text)
{
    if (a->n == IMPORT_ATTRS)
        BUG("too many attributes");
    a->item[a->n++] = (struct attr_text){name, text};
    a->item[a->n].name = NULL;
}

void import_set_int(struct import *r, struct attrs *a, const char *name,
                    int64_t v)
{
    import_set(a, name, arena_printf(&r->g->arena, "%lld", (long long)v));
}

void import_set_real(struct import *r, struct attrs *a, const char *name,
                     double v)
{
    char num[FMT_NUM];

    import_set(a, name, arena_strdup(&r->g->arena, fmt_f64(num, v)));
}

void import_set_ints(struct import *r, struct attrs *a, const char *name,
                     const int64_t *v, int count)
{
    struct str s = {0};

    for (int i = 0; i < count; i++)
        str_printf(&s, "%s%lld", i ? ", " : "[", (long long)v[i]);
    str_add(&s, count ? "]" : "[]");
    import_set(a, name, arena_strdup(&r->g->arena, str_text(&s)));
    str_release(&s);
}

/* The module that the parameters are named after: "layer1.0.conv1".  */
static const char *module_of(struct import *r, const struct op *op,
                             struct value *const *in, int n_in)
{
    for (int i = 1; i < n_in && !(op->flags & OP_JOIN) && op->in[i].name; i++) {
        const char *role = op->in[i].name;
        const char *name = in[i] && value_is_tensor(in[i]) ? in[i]->name : "";
        const size_t n = strlen(name), m = strlen(role);

        if (op->in[i].role == ROLE_PARAM && n > m + 1 && str_ends(name, role) &&
            name[n - m - 1] == '.')
            return arena_strndup(&r->g->arena, name, n - m - 1);
    }
    return NULL;
}

struct node *import_add(struct import *r, const onode *o, const char *op,
                        struct value *const *in, int n_in,
                        const struct attrs *a, struct err *e)
{
    const struct op *p = op_find(op);
    const char *stem = module_of(r, p, in, n_in);
    struct node *n =
        graph_add(r->g, p, free_name(r, stem ? stem : clean(r, o->output[0])),
                  in, n_in, a ? a->item : NULL, e);

    if (n)
        return n;
    err_in(e, "ONNX operator '%s' at '%s'", Q(o->op_type),
           Q(o->name && *o->name ? o->name : o->output[0]));
    return NULL;
}

struct value *import_add1(struct import *r, const onode *o, const char *op,
                          struct value *x, const struct attrs *a, struct err *e)
{
    struct node *n = x ? import_add(r, o, op, &x, 1, a, e) : NULL;

    return n ? n->out[0] : NULL;
}

struct value *import_add2(struct import *r, const onode *o, const char *op,
                          struct value *x, struct value *y, struct err *e)
{
    struct value *const in[] = {x, y};
    struct node *n = x && y ? import_add(r, o, op, in, 2, NULL, e) : NULL;

    return n ? n->out[0] : NULL;
}

int import_results(struct import *r, const onode *o, const struct node *n,
                   struct err *e)
{
    const int results = node_op_out(n) - n->op->n_aux;

    for (size_t i = (size_t)results; i < o->n_output; i++)
        if (import_find(r, o->output[i]) &&
            import_find(r, o->output[i])->needed)
            return import_no(o, "one of its results is not computed here", e);
    for (int i = 0; i < results; i++)
        if (import_put(r, o, (size_t)i, n->out[i], e) < 0)
            return -1;
    return 0;
}

int import_as(struct import *r, const onode *o, const char *op, int n_in,
              const struct attrs *a, struct err *e)
{
    struct value **in = ARENA_NEWS(&r->g->arena, n_in + 1, struct value *);
    struct node *n;

    for (int i = 0; i < n_in; i++)
        if (!(in[i] = import_value(r, o, (size_t)i, VALUE_CONST, e)))
            return -1;
    n = import_add(r, o, op, in, n_in, a, e);
    return n ? import_results(r, o, n, e) : -1;
}

int import_axis(int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

/* ---- moving ---- */

static int batch_axis(const struct shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (s->batch >> i & 1)
            return i;
    return -1;
}

struct value *import_turn(struct import *r, const onode *o, struct value *x,
                          const int64_t *perm, struct err *e)
{
    const struct node *before = x->node;
    int64_t both[SHAPE_MAX];
    struct attrs a = {.n = 0};
    int still = 1, count;

    if (before && node_is(before, "transpose")) { /* one instead of two */
        const int64_t *first = attr_ints(before, "perm", &count);

        for (int i = 0; i < count; i++)
            both[i] = first[import_axis(perm[i], count)];
        perm = both;
        x = before->in[0];
    }
    for (int i = 0; i < x->shape.rank; i++)
        still &= perm[i] == i;
    import_set_ints(r, &a, "perm", perm, x->shape.rank);
    return still ? x : import_add1(r, o, "transpose", x, &a, e);
}

/* Move axis FROM of X to place TO.  */
static struct value *move_axis(struct import *r, const onode *o,
                               struct value *x, int from, int to, struct err *e)
{
    int64_t perm[SHAPE_MAX];
    int n = 0;

    for (int i = 0; i < x->shape.rank; i++)
        if (i != from)
            perm[n++] = i;
    memmove(perm + to + 1, perm + to, (size_t)(n - to) * sizeof *perm);
    perm[to] = from;
    return import_turn(r, o, x, perm, e);
}

/* Reshape puts the batch at the first place that has as many elements in
 * front; sizes of 1 there may put it too far in front.  */
struct value *import_view(struct import *r, const onode *o, struct value *x,
                          const struct shape *s, struct err *e)
{
    const int want = batch_axis(s);
    struct attrs a = {.n = 0};
    struct value *y = x;
    int at;

    if (!shape_equal(&x->shape, s)) {
        import_set_ints(r, &a, "shape", s->dim, s->rank);
        y = import_add1(r, o, "reshape", x, &a, e);
    }
    if (!y || want < 0 || (at = batch_axis(&y->shape)) == want || at < 0)
        return y;
    for (int i = at; i < want; i++)
        if (y->shape.dim[i] != 1)
            at = want;
    if (at >= want) {
        import_no(o, "the batch would move", e);
        return NULL;
    }
    return move_axis(r, o, y, at, want, e);
}

struct value *import_cut(struct import *r, const onode *o, struct value *x,
                         int axis, int64_t start, int64_t length, struct err *e)
{
    struct attrs a = {.n = 0};

    if (start == 0 && length == x->shape.dim[axis] &&
        !(x->shape.batch >> axis & 1))
        return x;
    import_set_int(r, &a, "axis", axis);
    import_set_int(r, &a, "start", start);
    import_set_int(r, &a, "length", length);
    return import_add1(r, o, "slice", x, &a, e);
}
