/* toy_run.c -- see toy_run.h.
 * SPDX-License-Identifier: MIT  */
#include "toy_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "run/params.h"
#include "run/plan.h"
#include "toy.h"
#include "train/graph.h"

void toy_fill(struct plan *p, float scale)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    struct tensor *x = plan_value(p, "image"), *y = plan_value(p, "target");

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = scale * (float)rng_normal(&r, (uint64_t)i);
    for (int64_t i = 0; i < tensor_count(y); i++)
        ((int64_t *)y->data)[i] = i % TOY_CLASSES;
}

void toy_start(struct toy_run *r, struct graph *network, struct device *d,
               const char *const *more, const struct plan_opts *o)
{
    struct err e = {0};

    toy_recipe(&r->recipe, more);
    r->device = d;
    r->network = network;
    r->graph = train_graph(network, &r->recipe, &e);
    r->params = r->graph ? params_new(r->graph, d, &e) : NULL;
    r->plan = r->params ? train_plan(r->graph, d, r->params, o, &e) : NULL;
    if (!r->plan)
        fail_msg("%s", e.msg);
    toy_fill(r->plan, 1);
}

void toy_end(struct toy_run *r)
{
    plan_free(r->plan);
    params_free(r->params);
    graph_free(r->graph);
    graph_free(r->network);
    r->device->free(r->device);
    recipe_release(&r->recipe);
}
