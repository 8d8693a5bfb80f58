/* recipe_kind.c -- see recipe_kind.h.
 * SPDX-License-Identifier: MIT  */
#include "train/recipe_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/quote.h"
#include "base/str.h"
#include "format/yaml.h"
#include "run/plan.h"
#include "train/recipe.h"

static int wrong(const struct yaml *y, const struct recipe_row *w,
                 const char *want, struct err *e)
{
    if (y->kind != YAML_SCALAR)
        return yaml_err(y, e, ERR_USAGE, "'%s' is %s, not a list or map",
                        w->key, want);
    return yaml_err(y, e, ERR_USAGE, "'%s' is %s, not '%s'", w->key, want,
                    Q(y->text));
}

static int out_of_range(const struct yaml *y, const struct recipe_row *w,
                        struct err *e)
{
    return yaml_err(y, e, ERR_USAGE, "'%s' is '%s', not within %g..%g", w->key,
                    Q(y->text), w->min, w->max);
}

static int set_int(struct recipe *r, const struct recipe_row *w,
                   const struct yaml *y, void *at, struct err *e)
{
    (void)r;
    if (parse_i64(y->text, INT64_MIN, INT64_MAX, at) < 0)
        return wrong(y, w, "an integer", e);
    const double v = (double)*(int64_t *)at;

    return v < w->min || v > w->max ? out_of_range(y, w, e) : 0;
}

static int set_real(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, void *at, struct err *e)
{
    double *v = at;

    (void)r;
    if (parse_f64(y->text, -1e300, 1e300, v) < 0)
        return wrong(y, w, "a number", e);
    return *v < w->min || *v > w->max ? out_of_range(y, w, e) : 0;
}

static int set_bool(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, void *at, struct err *e)
{
    (void)r;
    return parse_bool(y->text, at) < 0 ? wrong(y, w, "yes or no", e) : 0;
}

static int set_choice(struct recipe *r, const struct recipe_row *w,
                      const struct yaml *y, void *at, struct err *e)
{
    const int i = str_index(y->text, w->choices);
    char want[STR_NAMES + 8];

    (void)r;
    if (i < 0) {
        snprintf(want, sizeof want, "one of %s", NAMES(w->choices));
        return wrong(y, w, want, e);
    }
    *(int *)at = i;
    return 0;
}

/* "0.1 per 128"  */
static int set_rate(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, void *at, struct err *e)
{
    struct recipe_rate *v = at;
    char *text = arena_strdup(&r->arena, y->text), *per = strstr(text, " per ");

    v->per = 0;
    if (per) {
        *per = 0;
        if (parse_f64(per + 5, 1, 1e9, &v->per) < 0)
            return wrong(y, w, "a rate such as 0.1 per 128", e);
    }
    if (parse_f64(text, -1e300, 1e300, &v->rate) < 0)
        return wrong(y, w, "a rate such as 0.1 per 128", e);
    return v->rate < w->min || v->rate > w->max ? out_of_range(y, w, e) : 0;
}

/* "2 epochs", "500 steps"  */
static int set_span(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, void *at, struct err *e)
{
    struct recipe_span *v = at;
    char *text = arena_strdup(&r->arena, y->text), *unit = strchr(text, ' ');

    if (unit)
        *unit++ = 0;
    v->steps = unit && (!strcmp(unit, "steps") || !strcmp(unit, "step"));
    if ((unit && !v->steps && strcmp(unit, "epochs") &&
         strcmp(unit, "epoch")) ||
        parse_f64(text, -1e300, 1e300, &v->n) < 0)
        return wrong(y, w, "a span such as 2 epochs or 500 steps", e);
    return v->n < w->min || v->n > w->max ? out_of_range(y, w, e) : 0;
}

/* PyTorch's numbers.  */
static const struct recipe_scale dynamic = {65536, 2000};

/* "none", "1024", "auto", "dynamic from 65536 every 2000"  */
static int set_scale(struct recipe *r, const struct recipe_row *w,
                     const struct yaml *y, void *at, struct err *e)
{
    static const char want[] = "a factor such as 1024, none, auto or "
                               "dynamic from 65536 every 2000";
    struct recipe_scale *v = at;
    char *text = arena_strdup(&r->arena, y->text), *save;
    const char *word = strtok_r(text, " ", &save);
    const int automatic = word && !strcmp(word, "auto");
    int bad = !word;

    *v = (struct recipe_scale){.start = 1};
    if (automatic)
        v->start = 0;
    else if (word && !strcmp(word, "dynamic"))
        *v = dynamic;
    else if (word && strcmp(word, "none"))
        bad = parse_f64(word, -1e300, 1e300, &v->start) < 0;
    while (!bad && (word = strtok_r(NULL, " ", &save))) {
        const char *number = strtok_r(NULL, " ", &save);

        bad =
            !v->every || !number ||
            (!strcmp(word, "from") ? parse_f64(number, -1e300, 1e300, &v->start)
             : !strcmp(word, "every")
                 ? parse_i64(number, 1, 1000000000, &v->every)
                 : -1) < 0;
    }
    if (bad)
        return wrong(y, w, want, e);
    return !automatic && (v->start < w->min || v->start > w->max)
               ? out_of_range(y, w, e)
               : 0;
}

struct recipe_scale recipe_loss_scale(const struct recipe *r)
{
    if (r->loss_scale.start > 0)
        return r->loss_scale;
    return r->precision == PRECISION_FP16 ? dynamic
                                          : (struct recipe_scale){.start = 1};
}

static int set_patterns(struct recipe *r, const struct recipe_row *w,
                        const struct yaml *y, void *at, struct err *e)
{
    const char **list = ARENA_NEWS(&r->arena, y->n_child + 1, const char *);
    int n = 0;

    if (y->kind != YAML_LIST)
        return wrong(y, w, "a list of names", e);
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (c->kind != YAML_SCALAR)
            return wrong(c, w, "a list of names", e);
        list[n++] = c->text;
    }
    *(const char ***)at = list;
    return 0;
}

/* The only row of its kind also counts: n_milestones.  */
static int set_numbers(struct recipe *r, const struct recipe_row *w,
                       const struct yaml *y, void *at, struct err *e)
{
    double *list = ARENA_NEWS(&r->arena, y->n_child + 1, double);
    int n = 0;

    if (y->kind != YAML_LIST)
        return wrong(y, w, "a list of numbers", e);
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (set_real(r, w, c, &list[n], e) < 0)
            return -1;
        if (n && list[n] <= list[n - 1])
            return yaml_err(c, e, ERR_USAGE, "'%s' must rise", w->key);
        n++;
    }
    *(const double **)at = list;
    r->n_milestones = n;
    return 0;
}

static int unknown_augment(const struct yaml *y, const char *name,
                           struct err *e)
{
    const char *list[128] = {0};

    for (int i = 0; augment_ops[i] && i < 127; i++)
        list[i] = augment_ops[i]->name;
    return yaml_err(y, e, ERR_USAGE, "no augmentation '%s'%s", Q(name),
                    NEAR(name, list));
}

static int add_augment(struct augment *a, const struct yaml *step,
                       struct err *e)
{
    const struct yaml *name = step->kind == YAML_MAP ? step->child->key : step;
    const struct yaml *args = step->kind == YAML_MAP ? step->child : NULL;
    const struct augment_op *op;

    if (name->kind != YAML_SCALAR || (args && step->n_child != 1))
        return yaml_err(step, e, ERR_USAGE,
                        "an augmentation is NAME or {NAME: {arguments}}");
    op = augment_find(name->text);
    if (!op)
        return unknown_augment(name, name->text, e);
    augment_add(a, op);
    if (!args || (args->kind == YAML_SCALAR && !*args->text))
        return 0;
    if (args->kind != YAML_MAP)
        return yaml_err(args, e, ERR_USAGE, "arguments of '%s' are a map",
                        op->name);
    for (const struct yaml *c = args->child; c; c = c->next) {
        struct err inner = {0};

        if (c->kind != YAML_SCALAR)
            return yaml_err(c, e, ERR_USAGE, "argument '%s' is one value",
                            Q(c->key->text));
        if (augment_set(a, c->key->text, c->text, &inner) < 0)
            return yaml_err(c, e, inner.code, "%s", inner.msg);
    }
    return 0;
}

static int set_augment(struct recipe *r, const struct recipe_row *w,
                       const struct yaml *y, void *at, struct err *e)
{
    struct augment *a = at;

    (void)r;
    augment_release(a);
    if (y->kind != YAML_LIST)
        return wrong(y, w, "a list of operators", e);
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (c->kind == YAML_LIST || (c->kind == YAML_MAP && !c->child))
            return wrong(c, w, "a list of operators", e);
        if (add_augment(a, c, e) < 0)
            return -1;
    }
    return 0;
}

static int set_map(struct recipe *r, const struct recipe_row *w,
                   const struct yaml *y, void *at, struct err *e)
{
    (void)r;
    if (y->kind != YAML_MAP)
        return wrong(y, w, "a map", e);
    *(const struct yaml **)at = y;
    return 0;
}

static const struct {
    char letter;
    int scalar;
    int (*set)(struct recipe *, const struct recipe_row *, const struct yaml *,
               void *, struct err *);
} kinds[] = {
    {'i', 1, set_int},     {'f', 1, set_real},     {'b', 1, set_bool},
    {'c', 1, set_choice},  {'r', 1, set_rate},     {'t', 1, set_span},
    {'l', 1, set_scale},   {'p', 0, set_patterns}, {'n', 0, set_numbers},
    {'a', 0, set_augment}, {'m', 0, set_map},
};

int recipe_kind_set(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, struct err *e)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        if (kinds[k].letter != w->kind)
            continue;
        if (kinds[k].scalar && y->kind != YAML_SCALAR)
            return wrong(y, w, "one value", e);
        return kinds[k].set(r, w, y, (char *)r + w->offset, e);
    }
    BUG("recipe key '%s' has kind '%c'", w->key, w->kind);
}
