/* training_check.c -- see training_check.h.
 * SPDX-License-Identifier: MIT  */
#include "training_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "interp.h"
#include "pass/pass.h"
#include "pass_check.h"
#include "run/plan.h"
#include "toy.h"

/* What the largest element of gradients is taken to be that are zero but for
 * rounding (biases under normalisation).  */
#define SMALL 5e-2

struct graph *training_check_graph(const char *size, const char *body)
{
    struct str text = {0};
    struct graph *n, *g, *d, *s;
    struct err e = {0};

    str_printf(&text,
               "network: test\ninput: {size: %s}\nbody:\n%s"
               "  - global_avg_pool\n  - linear: {as: fc, out: 3}\n",
               size, body);
    n = toy_graph(str_text(&text), 5);
    g = pass_check_join(n, NULL);
    d = pass_check_differentiate(g);
    s = pass_split_bn(d, &e);
    if (!s)
        fail_msg("%s", e.msg);
    graph_free(d);
    graph_free(g);
    graph_free(n);
    str_release(&text);
    return s;
}

struct plan *training_check_plan(const struct graph *g,
                                 const struct device *dev, struct params *p,
                                 struct pool *pool, int narrow,
                                 const struct tuning *tuning,
                                 struct interp *inputs)
{
    const struct plan_opts o = {.batch = inputs->batch,
                                .pool = pool,
                                .narrow = narrow,
                                .tuning = tuning};
    struct err e = {0};
    struct plan *plan = plan_new(g, dev, p, &o, &e);

    if (!plan)
        fail_msg("%s", e.msg);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT) {
            struct tensor *to = plan_value(plan, g->value[i]->name);

            memcpy(to->data, inputs->value[i].data, tensor_bytes(to));
        }
    return plan;
}

double training_check_far(const struct tensor *truth, const struct tensor *t)
{
    double most = 0, size = SMALL;

    for (int64_t i = 0; i < tensor_count(truth); i++) {
        const double x = ((double *)truth->data)[i];

        size = fmax(size, fabs(x));
        most = fmax(most, fabs(x - (double)((float *)t->data)[i]));
    }
    return most / size;
}

double training_check_off(const struct tensor *truth, const struct tensor *t)
{
    double error = 0, size = SMALL * SMALL;

    for (int64_t i = 0; i < tensor_count(truth); i++) {
        const double x = ((double *)truth->data)[i];

        size += x * x;
        error += pow(x - (double)((float *)t->data)[i], 2);
    }
    return sqrt(error / size);
}

void training_check_bits(struct plan *p, const struct graph *g, struct str *s)
{
    for (int i = 0; i < g->n_output; i++) {
        const struct tensor *t = plan_output(p, g->output[i].name);

        str_printf(s, "%016llx ",
                   (unsigned long long)hash_u64(t->data, tensor_bytes(t)));
    }
}
