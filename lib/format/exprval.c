/* exprval.c -- see exprval.h.
 * SPDX-License-Identifier: MIT  */
#include "format/exprval.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define LARGE "a number grows too large"

struct expr expr_int(int64_t i)
{
    return (struct expr){.kind = EXPR_INT, .i = i};
}

static struct expr real(double r)
{
    return (struct expr){.kind = EXPR_REAL, .r = r};
}

static struct expr truth(int b)
{
    return (struct expr){.kind = EXPR_BOOL, .i = b};
}

struct expr exprval_bad(const char *why)
{
    return (struct expr){.kind = EXPR_BAD, .text = why};
}

const char *exprval_show(struct arena *a, const struct expr *v)
{
    struct str s = {0};
    const char *t;

    expr_print(&s, v);
    t = arena_strdup(a, str_text(&s));
    str_release(&s);
    return t;
}

struct expr exprval_number(struct arena *a, const struct expr *v)
{
    struct expr n = *v;

    if (v->kind == EXPR_BOOL)
        return expr_int(v->i);
    if (v->kind != EXPR_TEXT && v->kind != EXPR_LIST)
        return n;
    if (v->kind == EXPR_TEXT && !parse_i64(v->text, INT64_MIN, INT64_MAX, &n.i))
        n.kind = EXPR_INT;
    else if (v->kind == EXPR_TEXT &&
             !parse_f64(v->text, -HUGE_VAL, HUGE_VAL, &n.r))
        n.kind = EXPR_REAL;
    else
        n = exprval_bad(
            arena_printf(a, "'%s' is not a number", Q(exprval_show(a, v))));
    return n;
}

static double as_real(const struct expr *n)
{
    return n->kind == EXPR_INT ? (double)n->i : n->r;
}

struct expr exprval_truth(struct arena *a, const struct expr *v)
{
    struct expr n;
    int b;

    if (v->kind == EXPR_BOOL || v->kind == EXPR_BAD)
        return *v;
    if (v->kind == EXPR_TEXT && parse_bool(v->text, &b) == 0)
        return truth(b);
    n = exprval_number(a, v);
    if (n.kind == EXPR_BAD)
        return exprval_bad(arena_printf(a, "'%s' is neither yes nor no",
                                        Q(exprval_show(a, v))));
    return truth(as_real(&n) != 0);
}

void expr_print(struct str *s, const struct expr *v)
{
    char num[FMT_NUM];

    switch (v->kind) {
    case EXPR_INT:
        str_printf(s, "%lld", (long long)v->i);
        break;
    case EXPR_REAL:
        str_add(s, fmt_f64(num, v->r));
        break;
    case EXPR_BOOL:
        str_add(s, v->i ? "yes" : "no");
        break;
    case EXPR_LIST:
        str_addc(s, '[');
        for (int i = 0; i < v->n; i++) { /* as deep as YAML allows */
            str_add(s, i ? ", " : "");
            expr_print(s, &v->item[i]);
        }
        str_addc(s, ']');
        break;
    default:
        str_add(s, v->text);
    }
}

/* ---- operators ---- */

static struct expr checked(double r)
{
    return isfinite(r) ? real(r) : exprval_bad(LARGE);
}

static int ints(const struct expr *x, const struct expr *y)
{
    return x->kind == EXPR_INT && y->kind == EXPR_INT;
}

static struct expr do_add(const struct expr *x, const struct expr *y)
{
    int64_t r;

    if (!ints(x, y))
        return checked(as_real(x) + as_real(y));
    return __builtin_add_overflow(x->i, y->i, &r) ? exprval_bad(LARGE)
                                                  : expr_int(r);
}

static struct expr do_sub(const struct expr *x, const struct expr *y)
{
    int64_t r;

    if (!ints(x, y))
        return checked(as_real(x) - as_real(y));
    return __builtin_sub_overflow(x->i, y->i, &r) ? exprval_bad(LARGE)
                                                  : expr_int(r);
}

static struct expr do_mul(const struct expr *x, const struct expr *y)
{
    int64_t r;

    if (!ints(x, y))
        return checked(as_real(x) * as_real(y));
    return __builtin_mul_overflow(x->i, y->i, &r) ? exprval_bad(LARGE)
                                                  : expr_int(r);
}

static struct expr do_div(const struct expr *x, const struct expr *y)
{
    return as_real(y) == 0 ? exprval_bad("division by zero")
                           : checked(as_real(x) / as_real(y));
}

static struct expr do_floordiv(const struct expr *x, const struct expr *y)
{
    int64_t q;

    if (as_real(y) == 0)
        return exprval_bad("division by zero");
    if (!ints(x, y))
        return checked(floor(as_real(x) / as_real(y)));
    if (y->i == -1)
        return do_sub(&(struct expr){.kind = EXPR_INT}, x);
    q = x->i / y->i;
    return expr_int(q - (x->i % y->i != 0 && (x->i < 0) != (y->i < 0)));
}

static struct expr do_mod(const struct expr *x, const struct expr *y)
{
    int64_t r;

    if (as_real(y) == 0)
        return exprval_bad("division by zero");
    if (!ints(x, y))
        return checked(as_real(x) -
                       floor(as_real(x) / as_real(y)) * as_real(y));
    if (y->i == -1)
        return expr_int(0);
    r = x->i % y->i;
    return expr_int(r && (r < 0) != (y->i < 0) ? r + y->i : r);
}

static int order(const struct expr *x, const struct expr *y)
{
    if (ints(x, y))
        return (x->i > y->i) - (x->i < y->i);
    return (as_real(x) > as_real(y)) - (as_real(x) < as_real(y));
}

static struct expr do_lt(const struct expr *x, const struct expr *y)
{
    return truth(order(x, y) < 0);
}

static struct expr do_le(const struct expr *x, const struct expr *y)
{
    return truth(order(x, y) <= 0);
}

static struct expr do_gt(const struct expr *x, const struct expr *y)
{
    return truth(order(x, y) > 0);
}

static struct expr do_ge(const struct expr *x, const struct expr *y)
{
    return truth(order(x, y) >= 0);
}

/* As numbers if both are, else as truths if one is, else as text.  */
static int equal(struct arena *a, const struct expr *x, const struct expr *y)
{
    const struct expr m = exprval_number(a, x), n = exprval_number(a, y);

    if (m.kind != EXPR_BAD && n.kind != EXPR_BAD)
        return order(&m, &n) == 0;
    if (x->kind == EXPR_BOOL || y->kind == EXPR_BOOL) {
        const struct expr s = exprval_truth(a, x), t = exprval_truth(a, y);

        return s.kind == EXPR_BOOL && t.kind == EXPR_BOOL && s.i == t.i;
    }
    return !strcmp(exprval_show(a, x), exprval_show(a, y));
}

static struct expr
apply_number(struct arena *a, const struct expr *x, const struct expr *y,
             struct expr (*op)(const struct expr *, const struct expr *))
{
    const struct expr m = exprval_number(a, x), n = exprval_number(a, y);

    return m.kind == EXPR_BAD ? m : n.kind == EXPR_BAD ? n : op(&m, &n);
}

static struct expr do_equal(struct arena *a, const struct expr *x,
                            const struct expr *y, int want)
{
    if (x->kind == EXPR_BAD || y->kind == EXPR_BAD)
        return x->kind == EXPR_BAD ? *x : *y;
    return truth(equal(a, x, y) == want);
}

/* Is one of the items of list Y equal to X?  */
static struct expr do_in(struct arena *a, const struct expr *x,
                         const struct expr *y)
{
    int found = 0;

    if (x->kind == EXPR_BAD || y->kind == EXPR_BAD)
        return x->kind == EXPR_BAD ? *x : *y;
    if (y->kind != EXPR_LIST)
        return exprval_bad(arena_printf(a, "'%s' is not a list: write [%s]",
                                        Q(exprval_show(a, y)),
                                        Q(exprval_show(a, y))));
    for (int i = 0; i < y->n && !found; i++)
        found = equal(a, x, &y->item[i]);
    return truth(found);
}

/* The value that decides: X if its truth is STOP, else Y.  */
static struct expr do_logic(struct arena *a, const struct expr *x,
                            const struct expr *y, int stop)
{
    const struct expr t = exprval_truth(a, x);

    return t.kind == EXPR_BAD ? t : t.i == stop ? t : exprval_truth(a, y);
}

const struct exprval_op exprval_ops[EXPRVAL_OPS] = {
    {"or", EXPRVAL_OR, NULL},          {"and", EXPRVAL_AND, NULL},
    {"==", EXPRVAL_COMPARE, NULL},     {"!=", EXPRVAL_COMPARE, NULL},
    {"<=", EXPRVAL_COMPARE, do_le},    {">=", EXPRVAL_COMPARE, do_ge},
    {"<", EXPRVAL_COMPARE, do_lt},     {">", EXPRVAL_COMPARE, do_gt},
    {"in", EXPRVAL_COMPARE, NULL},     {"+", EXPRVAL_SUM, do_add},
    {"-", EXPRVAL_SUM, do_sub},        {"*", EXPRVAL_TERM, do_mul},
    {"//", EXPRVAL_TERM, do_floordiv}, {"/", EXPRVAL_TERM, do_div},
    {"%", EXPRVAL_TERM, do_mod},
};

struct expr exprval_apply(struct arena *a, const struct exprval_op *b,
                          const struct expr *x, const struct expr *y)
{
    if (b->number)
        return apply_number(a, x, y, b->number);
    if (b->sign[0] == 'i')
        return do_in(a, x, y);
    return b->rank == EXPRVAL_COMPARE
               ? do_equal(a, x, y, b->sign[0] == '=')
               : do_logic(a, x, y, b->rank == EXPRVAL_OR);
}

struct expr exprval_negate(struct arena *a, const struct expr *x)
{
    const struct expr zero = expr_int(0);

    return apply_number(a, &zero, x, do_sub);
}

/* ---- functions ---- */

static struct expr do_min(const struct expr *x, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (order(&x[i], &x[best]) < 0)
            best = i;
    return x[best];
}

static struct expr do_max(const struct expr *x, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (order(&x[i], &x[best]) > 0)
            best = i;
    return x[best];
}

static struct expr do_sum(const struct expr *x, int n)
{
    struct expr s = expr_int(0);

    for (int i = 0; i < n && s.kind != EXPR_BAD; i++)
        s = do_add(&s, &x[i]);
    return s;
}

static struct expr do_len(const struct expr *x, int n)
{
    (void)x;
    return expr_int(n);
}

static struct expr to_int(double r)
{
    return fabs(r) < 0x1p53 ? expr_int((int64_t)r) : exprval_bad(LARGE);
}

static struct expr do_ceil(const struct expr *x, int n)
{
    (void)n;
    return x->kind == EXPR_INT ? *x : to_int(ceil(x->r));
}

static struct expr do_floor(const struct expr *x, int n)
{
    (void)n;
    return x->kind == EXPR_INT ? *x : to_int(floor(x->r));
}

/* The multiple of a divisor that is nearest to a width, at least the divisor
 * and at least nine tenths of the width: `make_divisible' of the MobileNet
 * papers' code.  */
static struct expr do_round8(const struct expr *x, int n)
{
    const double v = as_real(x), d = n > 1 ? as_real(&x[1]) : 8;
    double r;

    if (d < 1 || d != floor(d))
        return exprval_bad(
            "round8() wants a divisor that is a positive integer");
    r = floor((v + d / 2) / d) * d;
    r = r < d ? d : r;
    return to_int(r < .9 * v ? r + d : r);
}

const struct exprval_function exprval_functions[EXPRVAL_FUNCTIONS] = {
    {"min", 1, EXPRVAL_ARGS, 0, do_min}, {"max", 1, EXPRVAL_ARGS, 0, do_max},
    {"sum", 0, EXPRVAL_ARGS, 0, do_sum}, {"len", 0, EXPRVAL_ARGS, 1, do_len},
    {"ceil", 1, 1, 0, do_ceil},          {"floor", 1, 1, 0, do_floor},
    {"round8", 1, 2, 0, do_round8},
};
