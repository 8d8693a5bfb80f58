/* graph.c -- see graph.h.
 * SPDX-License-Identifier: MIT  */
#include "train/graph.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/plan.h"
#include "train/lossscale.h"
#include "train/mix.h"
#include "train/optim.h"
#include "train/pattern.h"
#include "train/recipe.h"

/* The loss as a graph of its own, while it grows.  */
struct loss {
    struct graph *g;
    const struct shape *shape; /* of logits, and so of all heads */
    struct value *target;
    struct attr_text attr[3];
    struct err *e;
};

/* The cross-entropy of the output NAME, as node LABEL.  */
static struct value *head_loss(struct loss *l, const char *name,
                               const char *label)
{
    struct value *in[] = {graph_input(l->g, name, DTYPE_F32, l->shape),
                          l->target};
    struct node *n =
        graph_add(l->g, op_find("crossentropy"), label, in, 2, l->attr, l->e);

    return n ? n->out[0] : NULL;
}

static struct value *number(struct graph *g, const char *name, double x,
                            struct err *e)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct value *v = NULL;
    struct tensor t;

    if (tensor_new(&t, DTYPE_F32, &one, e) < 0)
        return NULL;
    *(float *)t.data = (float)x;
    v = graph_tensor(g, name, VALUE_CONST, &one, &t);
    tensor_unref(&t);
    return v;
}

/* SUM and WEIGHT times the loss of the output O.  */
static struct value *add_loss(struct loss *l, struct value *sum,
                              const struct output *o)
{
    struct arena *a = &l->g->arena;
    const char *label = arena_printf(a, "loss.%s", o->name);
    struct value *in[2];
    struct node *n;

    in[0] = head_loss(l, o->name, label);
    in[1] = number(l->g, arena_printf(a, "%s.weight", label), o->loss, l->e);
    n = in[0] && in[1]
            ? graph_add(l->g, op_find("mul"), arena_printf(a, "%s.part", label),
                        in, 2, NULL, l->e)
            : NULL;
    if (!n)
        return NULL;
    in[0] = sum;
    in[1] = n->out[0];
    n = graph_add(l->g, op_find("add"), arena_printf(a, "%s.sum", label), in, 2,
                  NULL, l->e);
    return n ? n->out[0] : NULL;
}

/* crossentropy(logits, target) and those of the outputs that say `loss'.  */
static struct graph *loss_graph(const struct graph *network,
                                const struct recipe *r, struct err *e)
{
    static const char *const rule[] = {"k", "k-1"};
    const struct value *logits = graph_output_value(network, "logits");
    const struct shape target = {1, {1}, 1};
    char smoothing[FMT_NUM];
    struct loss l = {.g = graph_new("loss"),
                     .shape = &logits->shape,
                     .attr = {{"smoothing", fmt_f64(smoothing, r->smoothing)},
                              {"smoothing_rule", rule[r->smoothing_rule]}},
                     .e = e};
    struct value *sum;

    l.target = graph_input(l.g, "target", DTYPE_I64, &target);
    if (mix_is_on(r))
        l.target = mix_classes(l.g, l.target, logits->shape.dim[1], e);
    sum = l.target ? head_loss(&l, "logits", "loss") : NULL;
    for (int i = 0; i < network->n_output && sum; i++)
        if (network->output[i].loss > 0)
            sum = add_loss(&l, sum, &network->output[i]);
    if (!sum) {
        graph_free(l.g);
        return NULL;
    }
    graph_output(l.g, "loss", sum, 1);
    return l.g;
}

struct graph *train_graph(const struct graph *network, const struct recipe *r,
                          struct err *e)
{
    struct graph *loss = NULL, *joined = NULL, *g = NULL, *split = NULL;

    if (!graph_output_value(network, "logits"))
        err_set(e, ERR_SHAPE,
                "the network ends in '%s' and gives no logits to train: make "
                "it with adze-init -o classes=N",
                graph_answer(network));
    else if (pass_need_float(network, e) == 0 &&
             pattern_check(r, network, e) == 0)
        loss = loss_graph(network, r, e);
    if (loss)
        joined = pass_join(network, loss, r->freeze, e);
    if (joined && (!mix_is_on(r) || mix_pictures(joined, e) == 0))
        g = pass_differentiate(joined, "loss",
                               lossscale_is_on(r) ? OPTIM_SCALE : NULL, e);
    graph_free(loss);
    graph_free(joined);
    if (g && optim_add(g, r, e) < 0) {
        graph_free(g);
        return NULL;
    }
    if (g)
        split = pass_split_bn(g, e);
    graph_free(g);
    return split;
}

struct plan *train_plan(const struct graph *g, const struct device *d,
                        struct params *ps, const struct plan_opts *o,
                        struct err *e)
{
    struct plan *p = plan_new(g, d, ps, o, e);

    for (int i = 0; p && i < g->n_output; i++)
        if (str_starts(g->output[i].name, "d("))
            plan_leave(p, g->output[i].value->name);
    return p;
}

/* What the gradients are multiplied with: SCALE, if they are.  */
static double set_scale(struct plan *p, double scale)
{
    if (!plan_find(p, OPTIM_SCALE))
        return 1;
    *(float *)plan_value(p, OPTIM_SCALE)->data = (float)scale;
    return scale;
}

int train_step(struct plan *p, const struct run_step *rs,
               struct train_rates rates, struct train_result *r, struct err *e)
{
    const double scale = set_scale(p, rates.scale);

    *(float *)plan_value(p, OPTIM_LR)->data = (float)rates.lr;
    if (plan_find(p, OPTIM_EMA))
        *(float *)plan_value(p, OPTIM_EMA)->data = (float)rates.ema;
    if (plan_run(p, rs, e) < 0)
        return -1;
    r->loss = *(const float *)plan_output(p, "loss")->data;
    r->norm = *(const float *)plan_output(p, "grad_norm")->data / scale;
    if (!isfinite(r->loss) || !isfinite(r->norm))
        return 1;
    return plan_update(p, e);
}
