/* onnx_read_row.c -- an operator by the row of the op that says it, backwards.
 * SPDX-License-Identifier: MIT
 *
 * Other programs leave attributes out that have their default, and write some
 * that mean nothing here: two tables say which.  */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/onnx_import.h"
#include "op/ops.h"

/* What an attribute is where it is not written.  */
static const struct {
    const char *type, *name, *text;
} defaults[] = {
    {"BatchNormalization", "epsilon", "1e-5"},
    {"Elu", "alpha", "1"},
    {"Flatten", "axis", "1"},
    {"Gelu", "approximate", "none"},
    {"HardSigmoid", "alpha", "0.2"},
    {"HardSigmoid", "beta", "0.5"},
    {"LRN", "alpha", "1e-4"},
    {"LRN", "beta", "0.75"},
    {"LRN", "bias", "1"},
    {"LeakyRelu", "alpha", "0.01"},
    {"LpNormalization", "axis", "-1"},
    {"LpNormalization", "p", "2"},
    {"Selu", "alpha", "1.6732632423543772"},
    {"Selu", "gamma", "1.0507009873554805"},
};

/* Attributes that change nothing: whatever they say, or if they say TEXT.  */
static const struct {
    const char *type, *name, *text;
} ignored[] = {
    {"BatchNormalization", "consumed_inputs", NULL},
    {"BatchNormalization", "is_test", NULL},
    {"BatchNormalization", "momentum", NULL},
    {"BatchNormalization", "spatial", "1"},
    {"BatchNormalization", "training_mode", "0"},
    {"Relu", "consumed_inputs", NULL},
    {"Sigmoid", "consumed_inputs", NULL},
};

/* Attributes that a reader hears of, if they say VALUE.  */
static const struct {
    const char *type, *name;
    int64_t value;
    const char *why;
} refused[] = {
    {"BatchNormalization", "training_mode", 1,
     "it was written while the network trained, and would depend on the batch: "
     "write it after model.eval()"},
};

/* The text of A as attribute kind KIND takes it; NULL where it is another
 * kind.  */
static const char *attr_text(struct import *r, const Onnx__AttributeProto *a,
                             char kind)
{
    struct arena *arena = &r->g->arena;
    struct str s = {0};
    const char *text;
    char num[FMT_NUM];

    if (kind == 'i' && a->has_i)
        return arena_printf(arena, "%lld", (long long)a->i);
    if (kind == 'b' && a->has_i)
        return a->i ? "yes" : "no";
    if (kind == 'f' && a->has_f)
        return arena_strdup(arena, fmt_f64(num, a->f));
    if (kind == 's' && a->has_s)
        return arena_strndup(arena, (const char *)a->s.data, a->s.len);
    if (kind != 'v' || a->n_ints > SHAPE_MAX)
        return NULL;
    str_addc(&s, '[');
    for (size_t i = 0; i < a->n_ints; i++)
        str_printf(&s, "%s%lld", i ? ", " : "", (long long)a->ints[i]);
    str_addc(&s, ']');
    text = arena_strdup(arena, str_text(&s));
    str_release(&s);
    return text;
}

static const char *default_text(const onode *o, const char *name)
{
    for (size_t i = 0; i < COUNT(defaults); i++)
        if (!strcmp(defaults[i].type, o->op_type) &&
            !strcmp(defaults[i].name, name))
            return defaults[i].text;
    return NULL;
}

static int is_ignored(const onode *o, const Onnx__AttributeProto *a)
{
    for (size_t i = 0; i < COUNT(ignored); i++) {
        int64_t v;

        if (strcmp(ignored[i].type, o->op_type) != 0 || !a->name ||
            strcmp(ignored[i].name, a->name) != 0)
            continue;
        return !ignored[i].text ||
               (a->has_i && parse_i64(ignored[i].text, 0, 9, &v) == 0 &&
                v == a->i);
    }
    return 0;
}

/* Pair OURS, THEIRS of a row agrees with O; fills A.  */
static int match_pair(struct import *r, const onode *o, const struct op *op,
                      const char *ours, const char *theirs, struct attrs *a)
{
    const char kind =
        ours[0] == '=' ? 'i' : op->attr[attr_index(op, ours)].kind;
    const Onnx__AttributeProto *p;
    const char *text;
    char num[FMT_NUM];
    double v;

    if (theirs[0] == '@') {
        if (import_real(r, o, (size_t)(theirs[1] - '0'), &v) < 0)
            return 0;
        text = arena_strdup(&r->g->arena, fmt_f64(num, v));
    } else {
        p = import_attr(o, theirs);
        text = p ? attr_text(r, p, kind) : default_text(o, theirs);
    }
    if (!text)
        return 0;
    if (ours[0] == '=')
        return !strcmp(text, ours + 1);
    import_set(a, ours, text);
    return 1;
}

/* Is A written, but what it would be if it were not.  */
static int is_default(const onode *o, const Onnx__AttributeProto *a)
{
    const char *text = a->name ? default_text(o, a->name) : NULL;
    double v;

    return text && a->has_f && parse_f64(text, -1e9, 1e9, &v) == 0 &&
           a->f == (float)v;
}

/* Attributes of O that no pair of the row of OP names, and that matter.  */
static int has_others(const onode *o, const struct op *op)
{
    for (size_t i = 0; i < o->n_attribute; i++) {
        const char *name = o->attribute[i]->name;
        int named =
            is_ignored(o, o->attribute[i]) || is_default(o, o->attribute[i]);

        for (const char *const *p = op->onnx.attrs; p && *p && name; p += 2)
            named |= !strcmp(p[1], name);
        if (!named)
            return 1;
    }
    return 0;
}

static int match_row(struct import *r, const onode *o, const struct op *op,
                     struct attrs *a)
{
    if (!op->onnx.type || strcmp(op->onnx.type, o->op_type) != 0 ||
        op->onnx.since > r->opset || op->flags & (OP_RANDOM | OP_INTERNAL))
        return 0;
    *a = (struct attrs){.n = 0};
    for (const char *const *p = op->onnx.attrs; p && *p; p += 2)
        if (!match_pair(r, o, op, p[0], p[1], a))
            return 0;
    return !has_others(o, op);
}

/* How many operands of O are ours: those behind are scalars of the row.  */
static int own_operands(const struct op *op, const onode *o)
{
    int n = (int)o->n_input;

    for (const char *const *p = op->onnx.attrs; p && *p; p += 2)
        if (p[1][0] == '@' && p[1][1] - '0' < n)
            n = p[1][1] - '0';
    while (n && !*o->input[n - 1]) /* absent ones at the end */
        n--;
    return n;
}

/* What the file says by operands: that they are there, sizes of a weight.  */
static int put_implied(struct import *r, const struct op *op,
                       struct value *const *in, int n_in, struct attrs *a)
{
    for (int i = 0; op->in[i].name; i++) {
        const char *when = op->in[i].when;

        if (when && (i < 2 || !op->in[i - 1].when ||
                     strcmp(when, op->in[i - 1].when) != 0))
            import_set(a, when, i < n_in && in[i] ? "yes" : "no");
    }
    for (int i = 0; op->attr && op->attr[i].name; i++)
        if (!strcmp(op->attr[i].name, "out")) {
            if (n_in < 2 || !in[1] || !in[1]->shape.rank)
                return -1;
            import_set_int(r, a, "out", in[1]->shape.dim[0]);
        }
    return 0;
}

static int read_row(struct import *r, const onode *o, const struct op *op,
                    struct attrs *a, struct err *e)
{
    const int n_in = own_operands(op, o), join = op->flags & OP_JOIN;
    struct value **in = ARENA_NEWS(&r->g->arena, n_in + 1, struct value *);
    struct node *n;
    int n_op = 0;

    while (op->in[n_op].name)
        n_op++;
    if (!join && n_in > n_op)
        return import_no(o, "too many operands", e);
    for (int i = 0; i < n_in; i++) {
        const enum role role = op->in[join ? 0 : i].role;
        const enum value_kind kind = role == ROLE_PARAM   ? VALUE_PARAM
                                     : role == ROLE_STATE ? VALUE_STATE
                                                          : VALUE_CONST;

        if (import_has(o, (size_t)i) &&
            !(in[i] = import_value(r, o, (size_t)i, kind, e)))
            return -1;
    }
    if (put_implied(r, op, in, n_in, a) < 0)
        return import_no(o, "a weight is missing", e);
    n = import_add(r, o, op->name, in, n_in, a, e);
    return n ? import_results(r, o, n, e) : -1;
}

/* Why no row says O, where that is known; else 0.  */
static int explain(const onode *o, struct err *e)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        const Onnx__AttributeProto *a = strcmp(refused[i].type, o->op_type) == 0
                                            ? import_attr(o, refused[i].name)
                                            : NULL;

        if (a && a->has_i && a->i == refused[i].value)
            return import_no(o, refused[i].why, e);
    }
    return 0;
}

int import_row(struct import *r, const onode *o, struct err *e)
{
    struct attrs a;

    for (int i = 0; o->n_input && op_all[i]; i++)
        if (match_row(r, o, op_all[i], &a))
            return read_row(r, o, op_all[i], &a, e) < 0 ? -1 : 1;
    return explain(o, e);
}
