/* optim.c -- see optim.h.
 * SPDX-License-Identifier: MIT  */
#include "train/optim.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "train/recipe.h"

/* The forward node that reads V, and as what.  */
static const struct op_in *reader(const struct value *v, const struct op **op)
{
    for (int u = 0; u < v->n_use; u++) {
        const struct node *n = v->use[u].node;

        if (n->dir == DIR_FORWARD) {
            *op = n->op;
            return node_in_info(n, v->use[u].in);
        }
    }
    return NULL;
}

/* Does weight decay apply to parameter V: not to what recipe key
 * optimizer.decay.except names.  */
static int decays(const struct value *v, const struct recipe *r)
{
    const struct op *op = NULL;
    const struct op_in *in = reader(v, &op);

    for (const char **p = r->no_decay; *p; p++) {
        if (!strcmp(*p, "bias")   ? in && !strcmp(in->name, "bias")
            : !strcmp(*p, "norm") ? op && (strstr(op->name, "norm") != NULL)
                                  : str_match(*p, v->name))
            return 0;
    }
    return 1;
}

static struct value *add_state(struct graph *g, const char *kind,
                               const struct value *v, const struct tensor *t)
{
    return graph_tensor(g, arena_printf(&g->arena, "adze:%s:%s", kind, v->name),
                        VALUE_STATE, NULL, t);
}

/* A state tensor of V's shape (or [1]), zeros.  */
static struct value *state(struct graph *g, const char *kind,
                           const struct value *v, int scalar, struct err *e)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct value *s;
    struct tensor t;

    if (tensor_new(&t, DTYPE_F32, scalar ? &one : &v->shape, e) < 0)
        return NULL;
    s = add_state(g, kind, v, &t);
    tensor_unref(&t);
    return s;
}

/* One parameter, and what its update reads.  */
struct step {
    struct value *param, *grad, *lr;
    struct value *scale; /* of the loss that GRAD is of; NULL: 1 */
    const char *decay;
};

static const char *yes(const void *is)
{
    return is ? "yes" : "no";
}

static struct node *add_sgd(struct graph *g, const struct recipe *r,
                            const struct step *s, struct err *e)
{
    char m[FMT_NUM];
    struct value *in[] = {s->param, s->grad, s->lr,
                          state(g, "momentum", s->param, 0, e), s->scale};
    const struct attr_text attr[] = {{"momentum", fmt_f64(m, r->momentum)},
                                     {"nesterov", r->nesterov ? "yes" : "no"},
                                     {"decay", s->decay},
                                     {"scaled", yes(s->scale)},
                                     {0}};

    return in[3] ? graph_add_step(
                       g, op_find("sgd"),
                       arena_printf(&g->arena, "adze:sgd:%s", s->param->name),
                       in, 5, attr, e)
                 : NULL;
}

static struct node *add_adamw(struct graph *g, const struct recipe *r,
                              const struct step *s, struct err *e)
{
    char b1[FMT_NUM], b2[FMT_NUM], eps[FMT_NUM];
    struct value *in[] = {s->param,
                          s->grad,
                          s->lr,
                          state(g, "m", s->param, 0, e),
                          state(g, "v", s->param, 0, e),
                          state(g, "t", s->param, 1, e),
                          s->scale};
    const struct attr_text attr[] = {
        {"beta1", fmt_f64(b1, r->beta1)},  {"beta2", fmt_f64(b2, r->beta2)},
        {"eps", fmt_f64(eps, r->epsilon)}, {"decay", s->decay},
        {"scaled", yes(s->scale)},         {0}};

    return in[3] && in[4] && in[5]
               ? graph_add_step(
                     g, op_find("adamw"),
                     arena_printf(&g->arena, "adze:adamw:%s", s->param->name),
                     in, 7, attr, e)
               : NULL;
}

static struct node *(*const rules[])(struct graph *, const struct recipe *,
                                     const struct step *, struct err *) = {
    [OPTIM_SGD] = add_sgd,
    [OPTIM_ADAMW] = add_adamw,
};

/* ---- averages ---- */

/* Shares what V begins with: plans work on copies.  */
static struct node *add_average(struct graph *g, struct value *v,
                                struct value *share, struct err *e)
{
    struct value *in[] = {add_state(g, "ema", v, &v->data), v, share};

    return graph_add_step(g, op_find("ema"),
                          arena_printf(&g->arena, "adze:ema:%s", v->name), in,
                          3, NULL, e);
}

/* V is a tensor of the network that some update of G changes.  */
static int is_changed(const struct value *v)
{
    if (!value_is_tensor(v) || v->kind == VALUE_CONST ||
        str_starts(v->name, "adze:"))
        return 0;
    for (int i = 0; i < v->n_use; i++)
        if (v->use[i].node->dir == DIR_UPDATE)
            return 1;
    return 0;
}

/* They stand last: behind what changes the tensors.  */
static int add_averages(struct graph *g, struct err *e)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct value *share = graph_input(g, OPTIM_EMA, DTYPE_F32, &one);
    const int n = g->n_value;

    for (int i = 0; i < n; i++)
        if (is_changed(g->value[i]) && !add_average(g, g->value[i], share, e))
            return -1;
    return 0;
}

const char *optim_average_of(const struct value *v)
{
    return v->kind == VALUE_STATE && str_starts(v->name, OPTIM_EMA_OF)
               ? v->name + strlen(OPTIM_EMA_OF)
               : NULL;
}

void optim_read_averages(struct graph *network, const struct graph *training)
{
    for (int i = 0; i < training->n_value; i++) {
        const struct value *v = training->value[i];
        const char *of = optim_average_of(v);
        struct value *to = of ? graph_value(network, of) : NULL;

        if (to)
            value_rename(network, to, v->name);
    }
}

/* ---- all of it ---- */

/* The norm of all gradients, as the output `grad_norm'.  */
static struct value *add_norm(struct graph *g, struct value *const *d, int n,
                              struct err *e)
{
    struct node *norm =
        graph_add(g, op_find("gradnorm"), "adze:grad_norm", d, n, NULL, e);

    if (!norm)
        return NULL;
    graph_output(g, "grad_norm", norm->out[0], 1);
    return norm->out[0];
}

/* The gradient of S, of the loss itself then, which all together are not too
 * long.  */
static int clip(struct graph *g, const struct recipe *r, struct step *s,
                struct value *norm, struct err *e)
{
    char max[FMT_NUM];
    struct value *in[] = {s->grad, norm, s->scale};
    struct node *n =
        graph_add(g, op_find("clipscale"),
                  arena_printf(&g->arena, "adze:%s", s->grad->name), in, 3,
                  (struct attr_text[]){{"max_norm", fmt_f64(max, r->clip)},
                                       {"scaled", yes(s->scale)},
                                       {0}},
                  e);

    if (!n)
        return -1;
    s->grad = n->out[0];
    s->scale = NULL;
    return 0;
}

/* The gradients among G's outputs; W[i] is what D[i] is the gradient of.  */
static int list_gradients(const struct graph *g, struct value **w,
                          struct value **d)
{
    int n = 0;

    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;
        const size_t len = strlen(name);
        char *stem;

        if (len < 4 || strncmp(name, "d(", 2) || name[len - 1] != ')')
            continue;
        stem = xstrndup(name + 2, len - 3);
        w[n] = graph_value(g, stem);
        free(stem);
        if (w[n] && w[n]->kind == VALUE_PARAM)
            d[n++] = g->output[i].value;
    }
    return n;
}

int optim_add(struct graph *g, const struct recipe *r, struct err *e)
{
    const size_t count = (size_t)g->n_output + 1;
    struct value **w = ARENA_NEWS(&g->arena, count, struct value *);
    struct value **d = ARENA_NEWS(&g->arena, count, struct value *);
    const int n = list_gradients(g, w, d);
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct value *lr = graph_input(g, OPTIM_LR, DTYPE_F32, &one), *norm;
    char rate[FMT_NUM];

    if (!n)
        return err_set(e, ERR_USAGE,
                       "nothing to train: every parameter is frozen");
    fmt_f64(rate, r->decay);
    norm = add_norm(g, d, n, e);
    for (int i = 0; norm && i < n; i++) {
        struct step s = {w[i], d[i], lr, graph_value(g, OPTIM_SCALE),
                         decays(w[i], r) ? rate : "0"};

        if ((r->clip > 0 && clip(g, r, &s, norm, e) < 0) ||
            !rules[r->optimizer](g, r, &s, e))
            return -1;
    }
    if (!norm || (r->ema > 0 && add_averages(g, e) < 0))
        return -1;
    graph_sort(g);
    return graph_check(g, e);
}
