/* graph.h -- the graph of a training step, and the step.
 * SPDX-License-Identifier: MIT
 *
 *     struct graph *g = train_graph(network, &recipe, &e);
 *     struct plan *p = plan_new(g, dev, params, &opts, &e);
 *     fill(plan_value(p, "image"), plan_value(p, "target"));
 *     train_step(p, &run_step, rates, &result, &e);  */
#ifndef ADZE_TRAIN_GRAPH_H
#define ADZE_TRAIN_GRAPH_H

struct device;
struct err;
struct graph;
struct params;
struct plan;
struct plan_opts;
struct recipe;
struct run_step;

/* NETWORK in training as R says: its loss (output `loss', input `target' [N]
 * i64, those of mix.h), which is the cross-entropy of `logits' and, so many
 * times as they say, of the outputs that say `loss' (Szegedy et al., CVPR
 * 2015), gradients, and the optimiser's updates (optim.h: input `adze:lr', with
 * averages `adze:ema', output `grad_norm', with a factor on the loss
 * `adze:scale').
 * ERR_USAGE: a pattern in model.freeze that concerns nothing, or nothing left
 * to train; ERR_SHAPE: an output with a loss that is not like `logits'.  */
struct graph *train_graph(const struct graph *network, const struct recipe *r,
                          struct err *e);

/* plan_new() of such a graph.  Its outputs "d(w)" stay with the device, but for
 * plan_fetch(): they are as large as all parameters.  */
struct plan *train_plan(const struct graph *g, const struct device *d,
                        struct params *p, const struct plan_opts *o,
                        struct err *e);

struct train_result {
    double loss, norm; /* mean of the batch; of all gradients */
};

/* What changes from step to step (schedule.h).  */
struct train_rates {
    double lr, ema; /* ema is read where there are averages */
    double scale;   /* of the loss, where it has one (lossscale.h) */
};

/* Forward, backward, and the update at such rates, on the inputs that P, a plan
 * of train_graph(), holds.  1 if loss or norm is not finite: then nothing was
 * updated.  -1 only on devices that can fail.  */
int train_step(struct plan *p, const struct run_step *rs,
               struct train_rates rates, struct train_result *r, struct err *e);

#endif
