/* graph.c -- see graph.h.
 * SPDX-License-Identifier: MIT  */
#include "train/graph.h"

#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/plan.h"
#include "train/optim.h"
#include "train/pattern.h"
#include "train/recipe.h"

/* loss = crossentropy(logits, target) as a graph of its own.  */
static struct graph *loss_graph(const struct graph *network,
                                const struct recipe *r, struct err *e)
{
    static const char *const rule[] = {"k", "k-1"};
    const struct value *logits = graph_output_value(network, "logits");
    struct shape target = {1, {1}, 1};
    struct graph *g = graph_new("loss");
    char smoothing[FMT_NUM];
    const struct attr_text attr[] = {
        {"smoothing", fmt_f64(smoothing, r->smoothing)},
        {"smoothing_rule", rule[r->smoothing_rule]},
        {0}};
    struct value *in[2];
    struct node *n;

    in[0] = graph_input(g, "logits", DTYPE_F32, &logits->shape);
    in[1] = graph_input(g, "target", DTYPE_I64, &target);
    n = graph_add(g, op_find("crossentropy"), "loss", in, 2, attr, e);
    if (!n) {
        graph_free(g);
        return NULL;
    }
    graph_output(g, "loss", n->out[0], 1);
    return g;
}

struct graph *train_graph(const struct graph *network, const struct recipe *r,
                          struct err *e)
{
    struct graph *loss = NULL, *joined = NULL, *g = NULL, *split = NULL;

    if (pass_need_float(network, e) == 0 && pattern_check(r, network, e) == 0)
        loss = loss_graph(network, r, e);
    if (loss)
        joined = pass_join(network, loss, r->freeze, e);
    if (joined)
        g = pass_differentiate(joined, "loss", e);
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

int train_step(struct plan *p, const struct run_step *rs, double lr,
               struct train_result *r, struct err *e)
{
    *(float *)plan_value(p, "adze:lr")->data = (float)lr;
    if (plan_run(p, rs, e) < 0)
        return -1;
    r->loss = *(const float *)plan_output(p, "loss")->data;
    r->norm = *(const float *)plan_output(p, "grad_norm")->data;
    if (!isfinite(r->loss) || !isfinite(r->norm))
        return 1;
    return plan_update(p, e);
}
