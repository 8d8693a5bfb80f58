/* initial.c -- see initial.h.
 * SPDX-License-Identifier: MIT  */
#include "train/initial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "train/pattern.h"

struct fan {
    double in, out;
};

static double no_spread(const struct fan *f, double arg)
{
    (void)f;
    return arg;
}

static double xavier(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(6 / (f->in + f->out));
}

static double xavier_normal(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(2 / (f->in + f->out));
}

static double lecun(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(3 / f->in);
}

static double kaiming(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(2 / f->out);
}

static double kaiming_in(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(2 / f->in);
}

static double kaiming_uniform(const struct fan *f, double arg)
{
    (void)arg;
    return sqrt(6 / f->in);
}

static double fan_in(const struct fan *f, double arg)
{
    (void)arg;
    return f->in;
}

static float draw_constant(const struct rng *r, uint64_t i, double c)
{
    (void)r, (void)i;
    return (float)c;
}

static float draw_uniform(const struct rng *r, uint64_t i, double a)
{
    return (float)(a * (2 * (double)rng_uniform(r, i) - 1));
}

static float draw_normal(const struct rng *r, uint64_t i, double s)
{
    return (float)(s * rng_normal(r, i));
}

/* Of a row of WIDTH numbers: that of its own place.  */
static float draw_identity(const struct rng *r, uint64_t i, double width)
{
    const uint64_t n = (uint64_t)width;

    (void)r;
    return i % n == i / n % n;
}

static float draw_trunc(const struct rng *r, uint64_t i, double s)
{
    double z = rng_normal(r, i);

    for (uint64_t again = 1; fabs(z) > 2; again++) {
        const struct rng sub = rng_sub(r, again);

        z = rng_normal(&sub, i);
    }
    return (float)(s * z);
}

/* ARG: the number behind the name; NAN where there must be one.  */
static const struct kind {
    const char *name;
    double arg;
    double (*spread)(const struct fan *f, double arg);
    float (*draw)(const struct rng *r, uint64_t i, double spread);
} kinds[] = {
    {"zeros", 0, no_spread, draw_constant},
    {"ones", 1, no_spread, draw_constant},
    {"constant", NAN, no_spread, draw_constant},
    {"identity", 0, fan_in, draw_identity},
    {"uniform", NAN, no_spread, draw_uniform},
    {"normal", NAN, no_spread, draw_normal},
    {"trunc_normal", NAN, no_spread, draw_trunc},
    {"xavier", 0, xavier, draw_uniform},
    {"xavier_normal", 0, xavier_normal, draw_normal},
    {"lecun", 0, lecun, draw_uniform},
    {"kaiming", 0, kaiming, draw_normal},
    {"kaiming_in", 0, kaiming_in, draw_normal},
    {"kaiming_uniform", 0, kaiming_uniform, draw_uniform},
};

static int unknown_kind(const char *name, struct err *e)
{
    const char *list[COUNT(kinds) + 1] = {0};

    for (size_t i = 0; i < COUNT(kinds); i++)
        list[i] = kinds[i].name;
    return err_set(e, ERR_USAGE, "no initialiser is called '%s'%s", Q(name),
                   NEAR(name, list));
}

/* "normal 0.02"  */
static int parse_kind(const char *text, const struct kind **k, double *arg,
                      struct err *e)
{
    const size_t n = strcspn(text, " ");
    struct arena a = {0};
    const char *name = arena_strndup(&a, text, n);

    *k = NULL;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            *k = &kinds[i];
    if (!*k)
        unknown_kind(name, e);
    else if (!isnan((*k)->arg) && text[n])
        err_set(e, ERR_USAGE, "initialiser '%s' takes no number", name);
    else if (isnan((*k)->arg) &&
             (!text[n] || parse_f64(text + n + 1, -1e30, 1e30, arg) < 0))
        err_set(e, ERR_USAGE,
                "initialiser '%s' takes one number, as in '%s 0.02'", Q(text),
                name);
    else if (!isnan((*k)->arg))
        *arg = (*k)->arg;
    arena_release(&a);
    return e->code ? -1 : 0;
}

/* ---- which ---- */

/* The node that reads V first, and as what.  */
static const struct node *reader(const struct value *v, const struct op_in **in)
{
    for (int i = 0; i < v->n_use; i++) {
        const struct node *n = v->use[i].node;

        *in = node_in_info(n, v->use[i].in);
        if ((*in)->role == ROLE_PARAM || (*in)->role == ROLE_STATE)
            return n;
    }
    *in = NULL;
    return NULL;
}

static int is_op(const struct op *op, const char *key)
{
    return op_find(key) == op;
}

static int is_fan(const struct value *v)
{
    return v->init && !strcmp(v->init, "fan");
}

/* The text of the initialiser for V; marks the rules that concern it.  */
static const char *choose(const struct value *v, const struct yaml *rules,
                          char *used)
{
    const struct op_in *in;
    const struct node *n = reader(v, &in);
    const char *by_op = NULL, *by_name = NULL;
    int i = 0;

    for (const struct yaml *y = rules ? rules->child : NULL; y;
         y = y->next, i++) {
        const int op = op_find(y->key->text) != NULL;

        if (op ? !n || !is_op(n->op, y->key->text) || !is_fan(v)
               : !str_match(y->key->text, v->name))
            continue;
        used[i] = 1;
        *(op ? &by_op : &by_name) = y->text;
    }
    if (by_name || by_op)
        return by_name ? by_name : by_op;
    if (is_fan(v))
        return n && node_is(n, "conv2d|deformconv2d") ? "kaiming" : "xavier";
    return v->init ? v->init : "zeros";
}

static struct fan fan_of(const struct value *v)
{
    const struct op_in *in;
    const struct node *n = reader(v, &in);
    const struct shape *s = &v->shape;
    struct fan f = {1, 1};
    double taps = 1;

    for (int i = 2; i < s->rank; i++)
        taps *= (double)s->dim[i];
    if (s->rank >= 1)
        f.in = f.out = (double)s->dim[0];
    if (s->rank >= 2) {
        f.in = (double)s->dim[1] * taps;
        f.out = (double)s->dim[0] * taps;
    }
    if (n && attr_index(n->op, "groups") >= 0)
        f.out /= (double)attr_int(n, "groups");
    return f;
}

/* ---- filling ---- */

static int fill(struct value *v, uint64_t seed, const char *text, struct err *e)
{
    const struct rng r = rng_at(seed, RNG_INIT, hash_name(v->name), 0);
    const struct fan f = fan_of(v);
    const struct kind *k;
    struct tensor t;
    double arg = 0, spread;
    float *p;

    if (parse_kind(text, &k, &arg, e) < 0 ||
        tensor_new(&t, DTYPE_F32, &v->shape, e) < 0)
        return err_in(e, "'%s'", Q(v->name));
    spread = k->spread(&f, arg);
    p = t.data;
    for (int64_t i = 0; i < tensor_count(&t); i++)
        p[i] = k->draw(&r, (uint64_t)i, spread);
    value_set_data(v, &t);
    tensor_unref(&t);
    return 0;
}

static int check_rules(const struct yaml *rules, struct err *e)
{
    const struct kind *k;
    double arg;

    for (const struct yaml *y = rules ? rules->child : NULL; y; y = y->next) {
        if (y->kind != YAML_SCALAR)
            return yaml_err(y, e, ERR_USAGE, "an initialiser is wanted");
        if (strcmp(y->text, "fan") && parse_kind(y->text, &k, &arg, e) < 0)
            return yaml_in(y, e);
    }
    return 0;
}

/* KEY may have been meant for an op or for a tensor of G.  */
static int unknown_rule(const struct yaml *key, const struct graph *g,
                        struct err *e)
{
    if (op_find(key->text))
        return yaml_err(key, e, ERR_USAGE,
                        "no layer '%s' here has a weight to initialise",
                        key->text);
    return yaml_err(
        key, e, ERR_USAGE, "'%s' is no op and matches no tensor's name%s",
        Q(key->text), pattern_near((char[PATTERN_NEAR]){0}, key->text, g, 1));
}

static int check_used(const struct yaml *rules, const struct graph *g,
                      const char *used, struct err *e)
{
    int i = 0;

    for (const struct yaml *y = rules ? rules->child : NULL; y;
         y = y->next, i++)
        if (!used[i])
            return unknown_rule(y->key, g, e);
    return 0;
}

int initial_fill(struct graph *g, uint64_t seed, const struct yaml *rules,
                 struct err *e)
{
    char *used;
    int rc = 0;

    if (rules && rules->kind != YAML_MAP)
        return yaml_err(rules, e, ERR_USAGE,
                        "a mapping of initialisers is wanted");
    if (check_rules(rules, e) < 0)
        return -1;
    used = xcalloc(rules ? (size_t)rules->n_child + 1 : 1, 1);
    for (int i = 0; rc == 0 && i < g->n_value; i++) {
        struct value *v = g->value[i];
        const char *text;

        if (v->kind != VALUE_PARAM && v->kind != VALUE_STATE)
            continue;
        text = choose(v, rules, used);
        if (!strcmp(text, "fan"))
            text = choose(v, NULL, NULL);
        if (!v->data.data)
            rc = fill(v, seed, text, e);
    }
    if (rc == 0)
        rc = check_used(rules, g, used, e);
    free(used);
    return rc;
}
