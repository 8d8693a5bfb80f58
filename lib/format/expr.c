/* expr.c -- see expr.h.
 * SPDX-License-Identifier: MIT  */
#include "format/expr.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "format/exprval.h"
#include "format/yaml.h"

enum { DEPTH = 64, NAMES = 64, WORD = 257, EXPR_BYTES = 1024 };

struct parser {
    const char *text, *p;
    const struct expr_env *env;
    struct arena *arena;
    int depth;
    struct err *e;
};

/* ---- parsing ---- */

static struct expr text(const char *s)
{
    return (struct expr){.kind = EXPR_TEXT, .text = s};
}

static int parse_if(struct parser *p, struct expr *v);

static int wrong(struct parser *p, const char *why)
{
    return err_set(p->e, ERR_FORMAT, "%s in the expression '%s'", why,
                   Q(p->text));
}

static void blanks(struct parser *p)
{
    p->p += strspn(p->p, " \t\n");
}

static int word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Take SIGN if it stands here; a sign of letters must end there.  */
static int take(struct parser *p, const char *sign)
{
    const size_t n = strlen(sign);

    blanks(p);
    if (strncmp(p->p, sign, n) != 0 ||
        (word_char(sign[0]) && word_char(p->p[n])))
        return 0;
    p->p += n;
    return 1;
}

/* The word here into W; it is cut where no name is so long.  */
static const char *take_word(struct parser *p, char w[WORD])
{
    size_t n = 0;

    for (; word_char(*p->p); p->p++)
        if (n < WORD - 1)
            w[n++] = *p->p;
    w[n] = 0;
    return w;
}

static int unknown_name(struct parser *p, const char *name)
{
    const char *list[NAMES + 1];
    int n = 0;

    for (const struct expr_env *v = p->env; v && n < NAMES; v = v->up)
        list[n++] = v->name;
    list[n] = NULL;
    return err_set(p->e, ERR_FORMAT, "'$%s' is not known here%s", name,
                   NEAR(name, list));
}

static int parse_name(struct parser *p, struct expr *v)
{
    char w[WORD];
    const char *const name = take_word(p, w);

    if (!*name || isdigit((unsigned char)*name))
        return wrong(p, "'$' without a name behind it");
    for (const struct expr_env *b = p->env; b; b = b->up)
        if (!strcmp(b->name, name)) {
            *v = b->value;
            return 0;
        }
    return unknown_name(p, name);
}

/* Everything that looks like part of a number, so that `08' and `1_000' are
 * one wrong number and not two right ones.  */
static int parse_number(struct parser *p, struct expr *v)
{
    char w[WORD];
    size_t n = 0;
    struct expr t;

    for (; word_char(*p->p) || *p->p == '.' ||
           (n && (*p->p == '+' || *p->p == '-') && strchr("eE", w[n - 1]) &&
            isdigit((unsigned char)p->p[1]));
         p->p++)
        if (n < WORD - 1)
            w[n++] = *p->p;
    w[n] = 0;
    t = text(w);
    *v = exprval_number(p->arena, &t);
    return v->kind == EXPR_BAD ? wrong(p, v->text) : 0;
}

static int close(struct parser *p, const char *sign)
{
    if (take(p, sign))
        return 0;
    return wrong(p, *sign == ')' ? "an unbalanced parenthesis"
                                 : "an unbalanced bracket");
}

/* A list stands for its items.  */
static int add_arg(struct parser *p, const struct expr *v, struct expr *arg,
                   int *n)
{
    const int list = v->kind == EXPR_LIST, count = list ? v->n : 1;

    if (count > EXPRVAL_ARGS - *n)
        return wrong(p, "more than 64 arguments");
    for (int i = 0; i < count; i++)
        arg[(*n)++] = list ? v->item[i] : *v;
    return 0;
}

static int parse_args(struct parser *p, struct expr *arg, int *n)
{
    struct expr v;

    *n = 0;
    do
        if (parse_if(p, &v) < 0 || add_arg(p, &v, arg, n) < 0)
            return -1;
    while (take(p, ","));
    return close(p, ")");
}

static int unknown_function(struct parser *p, const char *name)
{
    const char *list[EXPRVAL_FUNCTIONS + 1] = {0};

    for (size_t i = 0; i < EXPRVAL_FUNCTIONS; i++)
        list[i] = exprval_functions[i].name;
    return err_set(p->e, ERR_FORMAT, "there is no function '%s()'%s", name,
                   NEAR(name, list));
}

static struct expr call(struct parser *p, const struct exprval_function *f,
                        struct expr *arg, int n)
{
    for (int i = 0; i < n; i++) {
        if (!f->any)
            arg[i] = exprval_number(p->arena, &arg[i]);
        if (arg[i].kind == EXPR_BAD)
            return arg[i];
    }
    return f->call(arg, n);
}

static int parse_call(struct parser *p, const char *name, struct expr *v)
{
    struct expr arg[EXPRVAL_ARGS];
    int n;

    for (size_t i = 0; i < EXPRVAL_FUNCTIONS; i++) {
        const struct exprval_function *const f = &exprval_functions[i];

        if (strcmp(f->name, name) != 0)
            continue;
        if (parse_args(p, arg, &n) < 0)
            return -1;
        if (n < f->min || n > f->max)
            return wrong(p, "a wrong number of arguments");
        *v = call(p, f, arg, n);
        return 0;
    }
    return unknown_function(p, name);
}

static int parse_word(struct parser *p, struct expr *v)
{
    static const char *const reserved[] = {"and", "or", "not",
                                           "in",  "if", "else"};
    char w[WORD];
    const char *const word = take_word(p, w);

    for (size_t i = 0; i < COUNT(reserved); i++)
        if (!strcmp(word, reserved[i]))
            return wrong(p, arena_printf(p->arena, "a misplaced '%s'", word));
    if (take(p, "("))
        return parse_call(p, word, v);
    *v = text(arena_strdup(p->arena, word));
    return 0;
}

static int parse_atom(struct parser *p, struct expr *v)
{
    blanks(p);
    if (take(p, "$") && *p->p != '(')
        return parse_name(p, v);
    if (take(p, "("))
        return parse_if(p, v) < 0 ? -1 : close(p, ")");
    if (isdigit((unsigned char)*p->p) || *p->p == '.')
        return parse_number(p, v);
    if (word_char(*p->p))
        return parse_word(p, v);
    return wrong(p, *p->p ? "something that is no value" : "an early end");
}

static struct expr item(struct arena *a, const struct expr *list,
                        const struct expr *at)
{
    const struct expr n = exprval_number(a, at);

    if (list->kind == EXPR_BAD || n.kind == EXPR_BAD)
        return list->kind == EXPR_BAD ? *list : n;
    if (list->kind != EXPR_LIST)
        return exprval_bad(
            arena_printf(a, "'%s' is not a list", Q(exprval_show(a, list))));
    if (n.kind != EXPR_INT || n.i < 0 || n.i >= list->n)
        return exprval_bad(arena_printf(a, "'%s' is no index into %d items",
                                        Q(exprval_show(a, at)), list->n));
    return list->item[n.i];
}

static int parse_item(struct parser *p, struct expr *v)
{
    if (parse_atom(p, v) < 0)
        return -1;
    while (take(p, "[")) {
        struct expr at;

        if (parse_if(p, &at) < 0 || close(p, "]") < 0)
            return -1;
        *v = item(p->arena, v, &at);
    }
    return 0;
}

static int parse_rank(struct parser *p, struct expr *v, int rank);

static int parse_unary(struct parser *p, struct expr *v, int rank)
{
    struct expr t;

    if (rank <= EXPRVAL_NOT && take(p, "not")) {
        if (parse_rank(p, &t, EXPRVAL_NOT) < 0)
            return -1;
        *v = exprval_truth(p->arena, &t);
        if (v->kind == EXPR_BOOL)
            v->i = !v->i;
        return 0;
    }
    if (take(p, "-")) {
        if (parse_rank(p, &t, EXPRVAL_TERM + 1) < 0)
            return -1;
        *v = exprval_negate(p->arena, &t);
        return 0;
    }
    return parse_item(p, v);
}

/* The operator here that binds at least as tight as RANK.  */
static const struct exprval_op *take_binary(struct parser *p, int rank)
{
    for (size_t i = 0; i < EXPRVAL_OPS; i++)
        if (exprval_ops[i].rank >= rank && take(p, exprval_ops[i].sign))
            return &exprval_ops[i];
    return NULL;
}

static int parse_rank(struct parser *p, struct expr *v, int rank)
{
    const struct exprval_op *b;
    int compared = 0;

    /* bounded, so that no text can exhaust the stack */
    if (++p->depth > DEPTH)
        return wrong(p, "more than 64 levels");
    if (parse_unary(p, v, rank) < 0)
        return -1;
    while ((b = take_binary(p, rank))) {
        struct expr w;

        if (b->rank == EXPRVAL_COMPARE && compared++)
            return wrong(p, "a comparison of a comparison");
        if (parse_rank(p, &w, b->rank + 1) < 0)
            return -1;
        *v = exprval_apply(p->arena, b, v, &w);
    }
    p->depth--;
    return 0;
}

static int parse_if(struct parser *p, struct expr *v)
{
    struct expr c, other;

    if (parse_rank(p, v, EXPRVAL_OR) < 0)
        return -1;
    if (!take(p, "if"))
        return 0;
    if (parse_rank(p, &c, EXPRVAL_OR) < 0)
        return -1;
    if (!take(p, "else"))
        return wrong(p, "an 'if' without 'else'");
    if (++p->depth > DEPTH)
        return wrong(p, "more than 64 levels");
    if (parse_if(p, &other) < 0)
        return -1;
    p->depth--;
    c = exprval_truth(p->arena, &c);
    *v = c.kind == EXPR_BAD ? c : c.i ? *v : other;
    return 0;
}

/* ---- texts ---- */

static int settle(const struct expr *v, struct err *e)
{
    return v->kind == EXPR_BAD ? err_set(e, ERR_FORMAT, "%s", v->text) : 0;
}

/* The value of the expression S as a whole.  */
static int eval(struct expr *v, const char *s, const struct expr_env *env,
                struct arena *a, struct err *e)
{
    struct parser p = {.text = s, .p = s, .env = env, .arena = a, .e = e};

    if (parse_if(&p, v) < 0)
        return -1;
    blanks(&p);
    if (*p.p == ')' || *p.p == ']')
        return wrong(&p, "an unbalanced parenthesis or bracket");
    if (*p.p)
        return wrong(&p, arena_printf(a, "'%s' behind the end", Q(p.p)));
    return settle(v, e);
}

/* Inside {} and [] a comma ends a scalar, so that half an expression arrives
 * here.  */
static int hint(const char *s, const struct yaml *y, struct err *e)
{
    int depth = 0;

    for (; *s; s++)
        depth += (*s == '(' || *s == '[') - (*s == ')' || *s == ']');
    if (!depth)
        return yaml_in(y, e);
    e->code = ERR_NONE;
    return yaml_err(
        y, e, ERR_FORMAT,
        "an unbalanced parenthesis in the expression '%s': inside {} "
        "and [] quote expressions that hold commas or brackets",
        Q(y->text));
}

static int eval_scalar(struct expr *v, const struct yaml *y,
                       const struct expr_env *env, struct arena *a,
                       struct err *e)
{
    if (!strchr(y->text, '$')) {
        *v = text(y->text);
        return 0;
    }
    if (strlen(y->text) > EXPR_BYTES)
        return yaml_err(y, e, ERR_FORMAT,
                        "an expression of more than 1024 bytes");
    return eval(v, y->text, env, a, e) < 0 ? hint(y->text, y, e) : 0;
}

int expr_yaml(struct expr *v, const struct yaml *y, const struct expr_env *env,
              struct arena *a, struct err *e)
{
    struct expr *list;

    if (y->kind == YAML_SCALAR)
        return eval_scalar(v, y, env, a, e);
    if (y->kind == YAML_MAP)
        return yaml_err(y, e, ERR_FORMAT, "a mapping where a value should be");
    list = ARENA_NEWS(a, y->n_child, struct expr);
    *v = (struct expr){.kind = EXPR_LIST, .item = list};
    for (const struct yaml *c = y->child; c; c = c->next)
        if (expr_yaml(&list[v->n++], c, env, a, e) < 0) /* 32 deep at most */
            return -1;
    return 0;
}

/* The expression behind `$' at *S: a name, or up to the parenthesis that
 * closes.  */
static const char *piece(struct arena *a, const char **s)
{
    const char *const start = *s, *p = start + 1;
    int depth = 0;

    if (*p == '(') {
        do
            depth += (*p == '(') - (*p == ')');
        while (*p++ && depth);
        *s = p[-1] ? p : p - 1;
        return arena_strndup(a, start + 1, (size_t)(*s - start - 1));
    }
    while (word_char(*p))
        p++;
    *s = p;
    return arena_strndup(a, start, (size_t)(p - start));
}

const char *expr_template(const struct yaml *y, const struct expr_env *env,
                          struct arena *a, struct err *e)
{
    struct str s = {0};
    const char *out = NULL;

    if (y->kind != YAML_SCALAR) {
        yaml_err(y, e, ERR_FORMAT, "a list or mapping where a name should be");
        return NULL;
    }
    if (!strchr(y->text, '$'))
        return y->text;
    if (strlen(y->text) > EXPR_BYTES) {
        yaml_err(y, e, ERR_FORMAT, "a name of more than 1024 bytes");
        return NULL;
    }
    for (const char *p = y->text; *p;) {
        struct expr v;

        if (*p != '$') {
            str_addc(&s, *p++);
            continue;
        }
        if (eval(&v, piece(a, &p), env, a, e) < 0) {
            hint(y->text, y, e);
            goto out;
        }
        expr_print(&s, &v);
    }
    out = arena_strdup(a, str_text(&s));
out:
    str_release(&s);
    return out;
}

int expr_truth(const struct expr *v, const struct yaml *y, int *b,
               struct err *e)
{
    struct arena a = {0};
    const struct expr t = exprval_truth(&a, v);

    *b = t.kind == EXPR_BOOL && t.i;
    if (settle(&t, e) < 0)
        yaml_in(y, e);
    arena_release(&a);
    return t.kind == EXPR_BAD ? -1 : 0;
}

int expr_whole(const struct expr *v, const struct yaml *y, int64_t min,
               int64_t max, int64_t *i, struct err *e)
{
    struct arena a = {0};
    struct expr n = exprval_number(&a, v);

    if (n.kind == EXPR_REAL && n.r == floor(n.r) && fabs(n.r) < 0x1p53)
        n = expr_int((int64_t)n.r);
    if (n.kind == EXPR_INT && n.i >= min && n.i <= max)
        *i = n.i;
    else
        yaml_err(y, e, ERR_FORMAT,
                 "'%s' is not a whole number from %lld to %lld",
                 Q(exprval_show(&a, v)), (long long)min, (long long)max);
    arena_release(&a);
    return e->code ? -1 : 0;
}

int expr_real(const struct expr *v, const struct yaml *y, double min,
              double max, double *r, struct err *e)
{
    struct arena a = {0};
    const struct expr n = exprval_number(&a, v);

    *r = n.kind == EXPR_INT ? (double)n.i : n.kind == EXPR_REAL ? n.r : NAN;
    if (!(*r >= min && *r <= max))
        yaml_err(y, e, ERR_FORMAT, "'%s' is not a number from %g to %g",
                 Q(exprval_show(&a, v)), min, max);
    arena_release(&a);
    return e->code ? -1 : 0;
}
