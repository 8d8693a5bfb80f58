/* onnx_pattern.c -- which operators are needed, and which of them are parts of
 * one op.
 * SPDX-License-Identifier: MIT
 *
 * A pattern is an expression of operators, read from the result back.  In it
 * x y are any values (the same wherever they stand), u v constants, e one
 * number that is taken, and a number stands for itself.  Operands of Add and
 * Mul may change places.  Operators that pass a value on (Identity) are looked
 * through.  Going from the last operator to the first, a match asks for what
 * its expression ends in; what nobody asks for is skipped.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/onnx_import.h"
#include "op/ops.h"

struct pattern;

struct match {
    const struct pattern *p; /* NULL: an operator by itself */
    const char *x, *w[3];    /* u v y */
    const onode *inner;      /* the last MatMul or Conv that was met */
    const onode *expand;     /* the last Expand that was met */
    double eps;
    int64_t axis; /* of the means that were met */
    int has_axis;
    int64_t front, behind; /* places that the Pads add */
};

typedef int build_fn(struct import *r, const onode *o, const struct match *m,
                     struct err *e);

struct pattern {
    const char *op, *attr, *value; /* attribute ATTR of the op is VALUE */
    build_fn *build;
    const char *text;
    int (*accept)(struct import *r, const struct match *m); /* or NULL */
};

/* ---- what an operator must be, beyond its type ---- */

/* A constant of one number.  */
static int scalar(struct import *r, const char *name, double *v)
{
    char *const in[] = {(char *)(uintptr_t)name};
    const onode o = {.n_input = 1, .input = (char **)(uintptr_t)in};

    return import_real(r, &o, 0, v);
}

static const onode *producer(const struct import *r, const char *name)
{
    const struct slot *s = import_find(r, name);

    return s && s->from >= 0 ? r->m->node[s->from] : NULL;
}

enum { HOPS = 8 }; /* a file may lead in circles */

/* The name behind operators that pass their operand on.  */
static const char *resolve(const struct import *r, const char *name)
{
    for (int i = 0; i < HOPS; i++) {
        const onode *o = producer(r, name);

        if (!o || !import_has(o, 0) || strcmp(o->output[0], name) != 0 ||
            (strcmp(o->op_type, "Identity") != 0 &&
             strcmp(o->op_type, "Dropout") != 0))
            return name;
        name = o->input[0];
    }
    return name;
}

static int is_const(const struct import *r, const char *name)
{
    const struct slot *s = import_find(r, name);

    return s && (s->is_const || s->file);
}

/* Clip from MIN to MAX, by attributes or operands.  */
static int clips(struct import *r, const onode *o, double min, double max)
{
    double a = import_attr_real(o, "min", -HUGE_VAL);
    double b = import_attr_real(o, "max", HUGE_VAL);

    if (o->n_input > 1 && scalar(r, o->input[1], &a) < 0)
        return 0;
    if (o->n_input > 2 && scalar(r, o->input[2], &b) < 0)
        return 0;
    return a == min && b == max;
}

static int is_relu6(struct import *r, const onode *o, struct match *m)
{
    (void)m;
    return clips(r, o, 0, 6);
}

/* The straight line of hard-swish.  */
static int is_gate(struct import *r, const onode *o, struct match *m)
{
    (void)r;
    (void)m;
    return fabs(import_attr_real(o, "alpha", .2) - 1. / 6) < 1e-6 &&
           import_attr_real(o, "beta", .5) == .5;
}

/* Over one axis, the same each time.  */
static int is_mean(struct import *r, const onode *o, struct match *m)
{
    int n = 0;
    const int64_t *axes = import_list(r, o, "axes", 1, &n);

    if (!axes || n != 1 || (m->has_axis && m->axis != axes[0]) ||
        !import_attr_int(o, "keepdims", 1))
        return 0;
    m->axis = axes[0];
    m->has_axis = 1;
    return 1;
}

/* No less than a small number.  */
static int is_least(struct import *r, const onode *o, struct match *m)
{
    double max = import_attr_real(o, "max", HUGE_VAL);

    m->eps = import_attr_real(o, "min", -HUGE_VAL);
    if (import_has(o, 1) && scalar(r, o->input[1], &m->eps) < 0)
        return 0;
    return !import_has(o, 2) && max == HUGE_VAL && m->eps >= 1e-30 &&
           m->eps <= 1;
}

static int is_expand(struct import *r, const onode *o, struct match *m)
{
    (void)r;
    m->expand = o;
    return o->n_input == 2;
}

/* Zeros along the second of three axes: how many in front and behind.  */
static int pads(struct import *r, const onode *o, int64_t *front,
                int64_t *behind)
{
    int n = 0;
    const int64_t *p = import_list(r, o, "pads", 1, &n);
    const size_t known =
        (import_attr(o, "pads") != NULL) + (import_attr(o, "value") != NULL);

    if (!p || n != 6 || p[0] || p[2] || p[3] || p[5] ||
        o->n_attribute != known || import_attr_real(o, "value", 0) != 0)
        return 0;
    *front = p[1];
    *behind = p[4];
    return 1;
}

static int is_front(struct import *r, const onode *o, struct match *m)
{
    int64_t none;

    return pads(r, o, &m->front, &none) && !none;
}

static int is_behind(struct import *r, const onode *o, struct match *m)
{
    int64_t none;

    return pads(r, o, &none, &m->behind) && !none;
}

static int is_product(struct import *r, const onode *o, struct match *m)
{
    (void)r;
    m->inner = o;
    return 1;
}

/* Words of patterns that are more than a type of operator.  */
static const struct {
    const char *word, *type;
    int (*check)(struct import *r, const onode *o, struct match *m);
} words[] = {
    {"AtLeast", "Clip", is_least},   {"Behind", "Pad", is_behind},
    {"Conv", "Conv", is_product},    {"Expand", "Expand", is_expand},
    {"Front", "Pad", is_front},      {"Gate", "HardSigmoid", is_gate},
    {"Length", "ReduceL2", is_mean}, {"MatMul", "MatMul", is_product},
    {"Mean", "ReduceMean", is_mean}, {"Relu6", "Clip", is_relu6},
};

/* The operator O is what the WORD of N bytes says.  */
static int is_word(struct import *r, const onode *o, const char *word, size_t n,
                   struct match *m)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (strlen(words[i].word) == n && !memcmp(words[i].word, word, n))
            return !strcmp(o->op_type, words[i].type) &&
                   words[i].check(r, o, m);
    return strlen(o->op_type) == n && !memcmp(o->op_type, word, n);
}

/* ---- matching ---- */

/* What follows the expression at P.  */
static const char *past(const char *p)
{
    int depth = 0;

    for (; *p; p++) {
        if (*p == '(')
            depth++;
        else if (*p == ')' && --depth < 0)
            return p;
        else if (*p == ',' && !depth)
            return p;
    }
    return p;
}

static int bind(const char **place, const char *name)
{
    if (*place)
        return !strcmp(*place, name);
    *place = name;
    return 1;
}

/* A leaf at P: a letter or a number.  */
static int match_leaf(struct import *r, const char *p, const char *name,
                      struct match *m)
{
    char num[FMT_NUM];
    double want, v;
    const size_t n = (size_t)(past(p) - p);

    if (*p == 'x')
        return bind(&m->x, name);
    if (*p == 'y')
        return bind(&m->w[2], name);
    if (*p == 'u' || *p == 'v')
        return is_const(r, name) && bind(&m->w[*p - 'u'], name);
    if (scalar(r, name, &v) < 0)
        return 0;
    if (*p == 'e') {
        m->eps = v;
        return 1;
    }
    memcpy(num, p, n < sizeof num ? n : 0);
    num[n < sizeof num ? n : 0] = 0;
    return parse_f64(num, -1e9, 1e9, &want) == 0 &&
           (fabs(v - want) <= 1e-5 * fabs(want) ||
            (float)v == f16_to_f32(f32_to_f16((float)want)));
}

/* NAME is what the expression at P says.  Depth is that of the expression. */
static int match(struct import *r, const char *p, const char *name,
                 struct match *m)
{
    const size_t n = strcspn(p, "(,)");
    const char *a = p + n + 1, *b;
    const onode *o;
    struct match first = *m;

    name = resolve(r, name);
    if (p[n] != '(')
        return match_leaf(r, p, name, m);
    o = producer(r, name);
    if (!o || strcmp(o->output[0], name) != 0 || !is_word(r, o, p, n, m))
        return 0;
    b = past(a);
    if (*b != ',')
        return o->n_input >= 1 && match(r, a, o->input[0], m);
    if (o->n_input != 2)
        return 0;
    first = *m;
    if (match(r, a, o->input[0], m) && match(r, b + 1, o->input[1], m))
        return 1;
    *m = first;
    return (*p == 'A' || (*p == 'M' && p[1] == 'u')) &&
           match(r, a, o->input[1], m) && match(r, b + 1, o->input[0], m);
}

/* ---- building ---- */

/* One op over x.  */
static int build_op(struct import *r, const onode *o, const struct match *m,
                    struct err *e)
{
    struct value *x = import_named(r, m->x, VALUE_CONST, e);
    struct attrs a = {.n = 0};

    if (m->p->attr)
        import_set(&a, m->p->attr, m->p->value);
    x = x ? import_add1(r, o, m->p->op, x, &a, e) : NULL;
    return x ? import_results(r, o, x->node, e) : -1;
}

static int build_layernorm(struct import *r, const onode *o,
                           const struct match *m, struct err *e)
{
    struct value *in[3] = {import_named(r, m->x, VALUE_CONST, e)};
    const int axis = in[0] ? import_axis(m->axis, in[0]->shape.rank) : -1;
    struct attrs a = {.n = 0};
    struct node *n;

    if (!in[0])
        return -1;
    if (axis < 0)
        return import_no(o, "its axis does not fit", e);
    const struct shape c = {.rank = 1, .dim = {in[0]->shape.dim[axis]}};

    import_set_int(r, &a, "axis", axis);
    import_set_real(r, &a, "eps", m->eps);
    import_set(&a, "affine", m->w[0] ? "yes" : "no");
    if (m->w[0])
        in[1] = import_vector(r, m->w[0], c.dim[0], e);
    if (m->w[0])
        in[2] = m->w[1] ? import_vector(r, m->w[1], c.dim[0], e)
                        : import_fill(r,
                                      arena_printf(&r->g->arena, "%s.bias",
                                                   o->output[0]),
                                      VALUE_PARAM, &c, 0, e);
    if (m->w[0] && (!in[1] || !in[2]))
        return import_no(o, "its scale or shift does not fit", e);
    n = import_add(r, o, "layernorm", in, m->w[0] ? 3 : 1, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

/* Expand leads to the sizes of X.  */
static int fits(struct import *r, const onode *o, const struct shape *x)
{
    uint64_t batch = 0;
    int n = 0;
    const int64_t *dim = import_ints(r, o, 1, &n, &batch);

    if (!dim || n > x->rank)
        return 0;
    for (int i = 0; i < n; i++) {
        const int at = x->rank - n + i;
        const int counts = batch >> i & 1 || x->batch >> at & 1;

        if (dim[i] != 1 && dim[i] != x->dim[at] && !counts)
            return 0;
    }
    return 1;
}

/* x over its length, or over a number that it is no less than.  */
static int build_l2norm(struct import *r, const onode *o, const struct match *m,
                        struct err *e)
{
    struct value *x = import_named(r, m->x, VALUE_CONST, e);
    const int axis = x ? import_axis(m->axis, x->shape.rank) : -1;
    struct attrs a = {.n = 0};

    if (!x)
        return -1;
    if (axis < 0 || (m->expand && !fits(r, m->expand, &x->shape)))
        return import_no(o, "its axis does not fit", e);
    import_set_int(r, &a, "axis", axis);
    import_set_real(r, &a, "eps", m->eps > 0 ? m->eps : 1e-30);
    x = import_add1(r, o, "l2norm", x, &a, e);
    return x ? import_results(r, o, x->node, e) : -1;
}

/* A product with a constant matrix, and what is added to it.  */
static int build_linear(struct import *r, const onode *o, const struct match *m,
                        struct err *e)
{
    const size_t at = strcmp(resolve(r, o->input[0]), m->w[1]) ? 1 : 0;

    return import_linear(r, m->inner, o, at, e);
}

static int shape_known(struct import *r, const char *name, struct shape *s)
{
    struct slot *c = import_find(r, name);
    const Onnx__TensorProto *p = c ? c->file : NULL;

    if (!c || (!c->is_const && (!p || p->n_dims > SHAPE_MAX)))
        return 0;
    *s = c->is_const ? c->t.shape : (struct shape){.rank = (int)p->n_dims};
    for (int i = 0; !c->is_const && i < s->rank; i++)
        s->dim[i] = p->dims[i];
    return 1;
}

/* A matrix, and as many numbers as it has columns.  */
static int is_layer(struct import *r, const struct match *m)
{
    struct shape w, b;

    return shape_known(r, m->w[0], &w) && shape_known(r, m->w[1], &b) &&
           w.rank == 2 && b.rank == 1 && b.dim[0] == w.dim[1];
}

/* A convolution of pictures without a bias, and one number a channel: [K,1,1],
 * as PaddlePaddle's files have it.  */
static int build_conv(struct import *r, const onode *o, const struct match *m,
                      struct err *e)
{
    return import_conv(r, m->inner, o, m->w[1], e);
}

static int is_conv(struct import *r, const struct match *m)
{
    struct shape w, b;
    int at;

    if (!shape_known(r, m->w[0], &w) || !shape_known(r, m->w[1], &b) ||
        w.rank != 4 || b.rank < 3 || b.rank > 4)
        return 0;
    at = b.rank - 3;
    return b.dim[0] == (at ? 1 : w.dim[0]) && b.dim[at] == w.dim[0] &&
           b.dim[at + 1] == 1 && b.dim[at + 2] == 1;
}

/* x behind zeros and the tokens before zeros, added: as we write it.  */
static int build_classtoken(struct import *r, const onode *o,
                            const struct match *m, struct err *e)
{
    struct value *in[] = {import_named(r, m->x, VALUE_CONST, e),
                          import_named(r, m->w[2], VALUE_PARAM, e)};
    struct attrs a = {.n = 0};
    struct node *n;

    if (!in[0] || !in[1])
        return -1;
    if (in[0]->shape.rank != 3 || in[1]->shape.rank != 3 ||
        in[1]->shape.dim[1] != m->front || in[0]->shape.dim[1] != m->behind)
        return import_no(o, "not in a form that is read", e);
    import_set_int(r, &a, "count", m->front);
    n = import_add(r, o, "classtoken", in, 2, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

/* ---- the patterns, larger ones first ---- */

#define DEV       "Sub(x,Mean(x))"
#define NORM_POW  "Div(" DEV ",Sqrt(Add(Mean(Pow(" DEV ",2)),e)))"
#define NORM_MUL  "Div(" DEV ",Sqrt(Add(Mean(Mul(" DEV "," DEV ")),e)))"
#define ERF       "Add(Erf(Div(x,1.4142135)),1)"
#define ERF_MUL   "Add(Erf(Mul(x,0.70710678)),1)"
#define CUBE      "Mul(x,Mul(x,x))"
#define TANH(y)   "Add(Tanh(Mul(" y ",0.79788456)),1)"
#define TANH_OURS TANH("Mul(Add(Mul(Mul(x,x),0.044715),1),x)")
#define TANH_POW  TANH("Add(x,Mul(Pow(x,3),0.044715))")
#define TANH_CUBE TANH("Add(x,Mul(" CUBE ",0.044715))")
#define HALF(y)   "Mul(Mul(x," y "),0.5)"
#define HALVED(y) "Mul(Mul(x,0.5)," y ")"
#define INSIDE(y) "Mul(x,Mul(" y ",0.5))"
#define GELU(kind, y)                                       \
    {"gelu", "approximate", kind, build_op, HALF(y)},       \
        {"gelu", "approximate", kind, build_op, HALVED(y)}, \
    {                                                       \
        "gelu", "approximate", kind, build_op, INSIDE(y)    \
    }
#define LINE  "Relu6(Add(x,3))"
#define SIXTH "0.16666667"

static const struct pattern patterns[] = {
    {NULL, NULL, NULL, build_layernorm, "Add(Mul(" NORM_POW ",u),v)"},
    {NULL, NULL, NULL, build_layernorm, "Add(Mul(" NORM_MUL ",u),v)"},
    {NULL, NULL, NULL, build_layernorm, "Mul(" NORM_POW ",u)"},
    {NULL, NULL, NULL, build_layernorm, "Mul(" NORM_MUL ",u)"},
    {NULL, NULL, NULL, build_layernorm, NORM_POW},
    {NULL, NULL, NULL, build_layernorm, NORM_MUL},
    {"l2norm", NULL, NULL, build_l2norm, "Div(x,Expand(AtLeast(Length(x))))"},
    {"l2norm", NULL, NULL, build_l2norm, "Div(x,AtLeast(Length(x)))"},
    {"l2norm", NULL, NULL, build_l2norm, "Div(x,Length(x))"},
    GELU("none", ERF),
    GELU("none", ERF_MUL),
    GELU("tanh", TANH_OURS),
    GELU("tanh", TANH_POW),
    GELU("tanh", TANH_CUBE),
    {"hardswish", NULL, NULL, build_op, "Mul(x,Gate(x))"},
    {"hardswish", NULL, NULL, build_op, "Div(Mul(x," LINE "),6)"},
    {"hardswish", NULL, NULL, build_op, "Mul(x,Div(" LINE ",6))"},
    {"hardswish", NULL, NULL, build_op, "Mul(x,Mul(" LINE "," SIXTH "))"},
    {"hardswish", NULL, NULL, build_op, "Mul(Mul(x," LINE ")," SIXTH ")"},
    {"hardsigmoid", NULL, NULL, build_op, "Div(" LINE ",6)"},
    {"hardsigmoid", NULL, NULL, build_op, "Mul(" LINE "," SIXTH ")"},
    {"mish", NULL, NULL, build_op, "Mul(x,Tanh(Softplus(x)))"},
    {"silu", NULL, NULL, build_op, "Mul(x,Sigmoid(x))"},
    {NULL, NULL, NULL, build_classtoken, "Add(Front(x),Behind(y))"},
    {NULL, NULL, NULL, build_linear, "Add(MatMul(x,u),v)", is_layer},
    {NULL, NULL, NULL, build_conv, "Add(Conv(x,u),v)", is_conv},
};

/* The first pattern that O ends; NULL if there is none.  What passes a value
 * on ends none: the operator behind it does.  */
static struct match *find(struct import *r, const onode *o)
{
    if (resolve(r, o->output[0]) != o->output[0])
        return NULL;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        const struct pattern *p = &patterns[i];
        struct match m = {.p = p}, *keep;

        if (p->op && !op_find(p->op))
            continue;
        if (!match(r, p->text, o->output[0], &m) || (!m.x && !m.w[0]) ||
            (p->accept && !p->accept(r, &m)))
            continue;
        keep = ARENA_NEW(&r->g->arena, struct match);
        *keep = m;
        return keep;
    }
    return NULL;
}

static void need(struct import *r, const char *name)
{
    struct slot *s = name && *name ? import_find(r, name) : NULL;

    if (s)
        s->needed = 1;
}

static int is_needed(const struct import *r, const onode *o)
{
    for (size_t i = 0; i < o->n_output; i++) {
        const struct slot *s = import_find(r, o->output[i]);

        if (s && s->needed)
            return 1;
    }
    return 0;
}

void import_match(struct import *r)
{
    for (size_t i = r->m->n_node; i-- > 0;) {
        const onode *o = r->m->node[i];
        struct match *m;

        if (r->skip[i])
            continue;
        if (!is_needed(r, o)) {
            r->skip[i] = 1;
            continue;
        }
        m = r->match[i] = o->n_output == 1 ? find(r, o) : NULL;
        for (size_t k = 0; !m && k < o->n_input; k++)
            need(r, o->input[k]);
        if (!m)
            continue;
        need(r, m->x);
        need(r, m->expand ? m->expand->input[1] : NULL);
        for (int k = 0; k < 3; k++)
            need(r, m->w[k]);
        for (size_t k = 0; m->inner && k < m->inner->n_input; k++)
            need(r, m->inner->input[k]);
    }
}

int import_matched(struct import *r, size_t at, struct err *e)
{
    const struct match *m = r->match[at];

    if (!m)
        return 0;
    return m->p->build(r, r->m->node[at], m, e) < 0 ? -1 : 1;
}
