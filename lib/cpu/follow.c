/* follow.c -- see follow.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/follow.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cpu/round.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

#define ACTIVATIONS "relu|relu6|clip|hardswish|silu|sigmoid|hardsigmoid|tanh|gelu"

const char *const follow_names[] = {"batchnorm2d", "add", ACTIVATIONS, NULL};
const char *const follow_act_names[] = {ACTIVATIONS, NULL};
const char *const follow_add_names[] = {"add", ACTIVATIONS, NULL};

static const struct {
    const char *op;
    enum act act;
} plain[] = {
    {"hardswish", ACT_HARDSWISH}, {"silu", ACT_SILU}, {"sigmoid", ACT_SIGMOID}, {"tanh", ACT_TANH}};

int follow_act(const struct node *n, float *lo, float *hi)
{
    *lo = 0;
    *hi = INFINITY;
    if (node_is(n, "relu"))
        return ACT_CLIP;
    if (node_is(n, "relu6")) {
        *hi = 6;
        return ACT_CLIP;
    }
    if (node_is(n, "clip")) {
        *lo = (float)attr_real(n, "min");
        *hi = (float)attr_real(n, "max");
        return ACT_CLIP;
    }
    if (node_is(n, "hardsigmoid")) {
        *lo = (float)attr_real(n, "alpha");
        *hi = (float)attr_real(n, "beta");
        return ACT_LINE;
    }
    if (node_is(n, "gelu") && !strcmp(attr_str(n, "approximate"), "none"))
        return ACT_GELU;
    for (size_t i = 0; i < COUNT(plain); i++)
        if (node_is(n, plain[i].op))
            return plain[i].act;
    return -1;
}

struct follow_act follow_act_of(const struct node *n)
{
    struct follow_act f = {.act = ACT_NONE};

    if (n)
        f.act = follow_act(n, &f.lo, &f.hi);
    return f;
}

static int same_shapes(const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (!shape_equal(&n->in[i]->shape, &n->out[0]->shape))
            return 0;
    return 1;
}

int follow_accepts(const struct step_nodes *s)
{
    float lo, hi;

    for (int i = 1; i < s->n; i++) {
        const struct node *n = s->node[i];

        if (node_is(n, "batchnorm2d") ? n->train || s->link[i] != 0
            : node_is(n, "add")       ? n->n_join != 2 || !same_shapes(n)
                                      : follow_act(n, &lo, &hi) < 0)
            return 0;
    }
    return 1;
}

/* y = (x - mean) weight / sqrt(var + eps) + bias; operands T as the op's but
 * for x.  */
static void normalise(const struct node *n, const struct tensor *t, int64_t c, float *scale,
                      float *shift)
{
    const float *weight = t[0].data, *bias = t[1].data, *mean = t[2].data, *var = t[3].data;
    const double eps = attr_real(n, "eps");

    for (int64_t i = 0; i < c; i++) {
        const double a = (weight ? weight[i] : 1) / sqrt(var[i] + eps);

        shift[i] = (float)((shift[i] - mean[i]) * a + (bias ? bias[i] : 0));
        scale[i] = (float)a;
    }
}

/* Scale and shift; 0: neither is needed.  */
static int set_table(const struct kernel_args *a, int64_t c, const float *bias, float *table)
{
    const struct tensor *t = a->follow;
    int some = bias != NULL;

    for (int64_t i = 0; i < c; i++) {
        table[i] = 1;
        table[c + i] = bias ? bias[i] : 0;
    }
    for (int i = 1; i < a->step->n; t += a->step->node[i++]->n_in - 1)
        if (node_is(a->step->node[i], "batchnorm2d")) {
            normalise(a->step->node[i], t, c, table, table + c);
            some = 1;
        }
    return some;
}

/* What is not in the table.  */
static struct follow others(const struct kernel_args *a)
{
    const struct tensor *t = a->follow;
    struct follow f = {0};

    for (int i = 1; i < a->step->n; t += a->step->node[i++]->n_in - 1)
        if (node_is(a->step->node[i], "add"))
            f.add = t[0].data;
        else if (!node_is(a->step->node[i], "batchnorm2d"))
            f.act = follow_act(a->step->node[i], &f.lo, &f.hi);
    return f;
}

struct follow follow_of(const struct kernel_args *a, int64_t c, const float *bias, float *table)
{
    struct follow f = others(a);

    if (set_table(a, c, bias, table)) {
        f.scale = table;
        f.shift = table + c;
    }
    return f;
}

struct follow follow_lanes(const struct kernel_args *a, int64_t c, const float *bias, float *table)
{
    const int64_t lanes = lanes_of(c);
    struct follow f = others(a);

    table = a->kept ? a->kept->table : table;
    f.scale = table;
    f.shift = table + lanes;
    if (a->kept && a->kept->made)
        return f;
    set_table(a, c, bias, table);
    memmove(table + lanes, table + c, (size_t)c * sizeof *table);
    for (int64_t i = c; i < lanes; i++)
        table[i] = table[lanes + i] = 0;
    if (a->kept)
        a->kept->made = 1;
    return f;
}
