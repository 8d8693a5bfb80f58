/* convform.c -- see convform.h.
 * SPDX-License-Identifier: MIT  */
#include "format/convform.h"

#include "base/err.h"
#include "base/str.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "graph/graph.h"

enum { FORMS = 64 };

/* A convolution that a form stands for.  */
struct target {
    struct node *conv, *bn; /* BN may be NULL */
    struct value *sum;
    const char *name; /* that the sum gets */
};

/* ---- what is replaced ---- */

static int is_op(const struct node *n, const char *name)
{
    return node_is(n, name) && n->dir == DIR_FORWARD;
}

/* List attribute NAME holds COUNT times the same number: it is *V.  */
static int uniform(const struct node *n, const char *name, int64_t *v)
{
    int count;
    const int64_t *list = attr_ints(n, name, &count);

    *v = list[0];
    for (int i = 1; i < count; i++)
        if (list[i] != *v)
            return 0;
    return 1;
}

static int owns(const struct node *n, const char *name)
{
    const struct value *v = n->in[node_in_index(n, name)];

    return !v || v->n_use == 1;
}

static int is_target(const struct node *n)
{
    int64_t kernel, stride, pad, dilation;

    return is_op(n, "conv2d") && uniform(n, "kernel", &kernel) &&
           (kernel == 3 || kernel == 5 || kernel == 7) &&
           uniform(n, "stride", &stride) && uniform(n, "pad", &pad) &&
           uniform(n, "dilation", &dilation) && dilation == 1 &&
           owns(n, "weight") && owns(n, "bias");
}

/* The normalisation with parameters of its own that alone reads V.  */
static struct node *bn_behind(const struct graph *g, const struct value *v)
{
    struct node *n = v->n_use == 1 ? v->use[0].node : NULL;

    return n && is_op(n, "batchnorm2d") && !value_is_output(g, v) &&
                   attr_int(n, "affine") && owns(n, "weight") &&
                   owns(n, "bias") && owns(n, "running_mean") &&
                   owns(n, "running_var")
               ? n
               : NULL;
}

/* ---- the parameters of a form ---- */

static void bind(struct steps *s, const char *name, struct expr v)
{
    struct expr_env *b = ARENA_NEW(s->arena, struct expr_env);

    *b = (struct expr_env){.up = s->params, .name = name, .value = v};
    s->params = b;
}

static void bind_real(struct steps *s, const char *name, double r)
{
    bind(s, name, (struct expr){.kind = EXPR_REAL, .r = r});
}

static void bind_ints(struct steps *s, const struct node *conv)
{
    static const char *const names[] = {"kernel", "stride", "pad"};
    const struct shape *x = &conv->in[0]->shape;

    bind(s, "out", expr_int(attr_int(conv, "out")));
    bind(s, "groups", expr_int(attr_int(conv, "groups")));
    for (size_t i = 0; i < COUNT(names); i++)
        bind(s, names[i], expr_int(attr_ints(conv, names[i], NULL)[0]));
    bind(s, "height", expr_int(x->dim[2]));
    bind(s, "width", expr_int(x->dim[3]));
}

static void bind_bn(struct steps *s, const struct node *bn)
{
    const char *gamma = "ones";

    if (bn) {
        const char *init = bn->in[node_in_index(bn, "weight")]->init;

        gamma = init ? init : gamma;
        bind_real(s, "eps", attr_real(bn, "eps"));
        bind_real(s, "momentum", attr_real(bn, "momentum"));
    }
    bind(s, "gamma", (struct expr){.kind = EXPR_TEXT, .text = gamma});
}

static int is_bound(const struct steps *s, const char *name)
{
    for (const struct expr_env *b = s->params; b; b = b->up)
        if (!strcmp(b->name, name))
            return 1;
    return 0;
}

/* What the library computes of them, or has by default.  */
static int bind_rest(struct steps *s, const struct yaml *with)
{
    for (const struct yaml *y = with ? with->child : NULL; y; y = y->next) {
        struct expr v;

        if (is_bound(s, y->key->text))
            continue;
        if (expr_yaml(&v, y, s->params, s->arena, s->e) < 0)
            return -1;
        bind(s, y->key->text, v);
    }
    return 0;
}

/* ---- putting it in ---- */

/* The branches of T and their sum, in front of it.  S reads the library:
 * its blocks are not those of the network.  */
static int build(struct steps *s, const struct yaml *lib,
                 const struct yaml *form, struct target *t)
{
    struct place at = {.path = t->conv->name, .x = t->conv->in[0]};
    const int first = s->g->n_node;

    s->params = NULL;
    bind_ints(s, t->conv);
    bind_bn(s, t->bn);
    if (bind_rest(s, yaml_get(lib, "with")) < 0)
        return -1;
    at.env = s->params;
    if (steps_run(s, form, &at, &t->sum) < 0)
        return -1;
    graph_move(s->g, first, t->conv->index);
    return 0;
}

static int build_all(struct steps *s, const struct yaml *lib,
                     const struct yaml *form, struct target *t, int n)
{
    for (int i = 0; i < n; i++)
        if (build(s, lib, form, &t[i]) < 0)
            return err_in(s->e, "'%s'", Q(t[i].conv->name));
    return 0;
}

static int find(const struct graph *g, struct target *t)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        if (is_target(g->node[i])) {
            struct node *conv = g->node[i], *bn = bn_behind(g, conv->out[0]);

            t[n++] = (struct target){
                .conv = conv, .bn = bn, .name = (bn ? bn : conv)->name};
        }
    return n;
}

/* Readers of what T stands for read its sum; what nobody reads goes.  */
static void swap(struct graph *g, const struct target *t, int n)
{
    for (int i = 0; i < n; i++)
        graph_replace(g, (t[i].bn ? t[i].bn : t[i].conv)->out[0], t[i].sum);
    graph_prune(g);
    for (int i = 0; i < n; i++)
        value_rename(g, t[i].sum, t[i].name);
}

static const struct yaml *find_form(const struct yaml *lib, const char *name,
                                    struct err *e)
{
    const struct yaml *forms = yaml_get(lib, "forms");
    const char *list[FORMS + 2] = {"plain"};
    int n = 1;

    for (const struct yaml *y = forms->child; y && n <= FORMS; y = y->next) {
        if (!strcmp(y->key->text, name))
            return y;
        list[n++] = y->key->text;
    }
    err_set(e, ERR_FORMAT, "'conv' is none of %s: '%s'", NAMES(list), Q(name));
    return NULL;
}

int convform_apply(struct steps *st, const struct yaml *lib, const char *name)
{
    const struct yaml *form = find_form(lib, name, st->e);
    struct target *t = ARENA_NEWS(st->arena, st->g->n_node + 1, struct target);
    struct steps s;
    int n, rc;

    if (!form)
        return -1;
    n = find(st->g, t);
    steps_init(&s, st->g, st->arena, st->nodes_left, st->e);
    rc = steps_blocks(&s, yaml_get(lib, "blocks"));
    if (rc == 0)
        rc = build_all(&s, lib, form, t, n);
    steps_release(&s);
    if (rc == 0)
        swap(st->g, t, n);
    return rc;
}
