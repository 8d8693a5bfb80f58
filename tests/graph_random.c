/* graph_random.c -- see graph_random.h.
 * SPDX-License-Identifier: MIT  */
#include "graph_random.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "op/ops.h"

struct draw {
    struct graph *g;
    struct rng r;
    uint64_t at;
    int step;
};

static int below(struct draw *d, int n)
{
    return (int)rng_below(&d->r, d->at++, (uint64_t)n);
}

static struct value *add_op(struct draw *d, const char *op, const char *part,
                            struct value *const *in, int n_in,
                            const struct attr_text *attr)
{
    struct err e = {0};
    const char *name = arena_printf(&d->g->arena, "s%d.%s", d->step, part);
    struct node *n = graph_add(d->g, op_find(op), graph_name_free(d->g, name),
                               in, n_in, attr, &e);

    if (!n)
        BUG("%s", e.msg);
    return n->out[0];
}

static struct value *one(struct draw *d, const char *op, const char *part,
                         struct value *x)
{
    return add_op(d, op, part, &x, 1, NULL);
}

#define NUM(d, v) arena_printf(&(d)->g->arena, "%lld", (long long)(v))

static struct value *conv(struct draw *d, const char *part, struct value *x,
                          int64_t out, int kernel, int stride, int dilation,
                          int64_t groups)
{
    const struct attr_text attr[] = {{"out", NUM(d, out)},
                                     {"kernel", NUM(d, kernel)},
                                     {"stride", NUM(d, stride)},
                                     {"pad", NUM(d, dilation * (kernel / 2))},
                                     {"dilation", NUM(d, dilation)},
                                     {"groups", NUM(d, groups)},
                                     {"bias", below(d, 2) ? "yes" : "no"},
                                     {0}};

    return add_op(d, "conv2d", part, &x, 1, attr);
}

static struct value *maybe_bn(struct draw *d, const char *part, struct value *x)
{
    return below(d, 3) ? one(d, "batchnorm2d", part, x) : x;
}

static int64_t some_groups(struct draw *d, int64_t in, int64_t out)
{
    const int64_t g = 1 + below(d, 3);

    return in % g || out % g ? 1 : g;
}

static struct value *step_conv(struct draw *d, struct value *x)
{
    const int64_t in = x->shape.dim[1], out = 1 + below(d, 6);
    const int kernel = below(d, 2) ? 3 : 1;
    struct value *y = conv(d, "conv", x, out, kernel, 1 + below(d, 2),
                           1 + below(d, 2), some_groups(d, in, out));

    y = maybe_bn(d, "bn", y);
    return below(d, 2) ? one(d, "relu", "relu", y) : y;
}

/* Branches of a RepVGG block, with odd ones among them.  */
static struct value *step_branches(struct draw *d, struct value *x)
{
    const int64_t in = x->shape.dim[1];
    const int stride = 1 + below(d, 2);
    const int64_t out = stride == 1 ? in : 1 + below(d, 6);
    const int64_t groups = some_groups(d, in, out);
    const int dilation = 1 + below(d, 2);
    struct value *v[5];
    int n = 0;

    v[n++] =
        maybe_bn(d, "large.bn",
                 conv(d, "large.conv", x, out, 3, stride, dilation, groups));
    v[n++] = maybe_bn(
        d, "small.bn",
        conv(d, "small.conv", x, out, 1, stride, 1, below(d, 4) ? groups : 1));
    if (stride == 1 && below(d, 2))
        v[n++] = maybe_bn(d, "identity", x);
    if (below(d, 3) == 0)
        v[n++] = conv(d, "odd.conv", x, out, 3, stride, 3 - dilation, groups);
    if (stride == 1 && below(d, 3) == 0)
        v[n++] = one(d, "relu", "other", x);
    return add_op(d, "add", "add", v, n, NULL);
}

static struct value *step_residual(struct draw *d, struct value *x)
{
    const int64_t c = x->shape.dim[1];
    struct value *y = conv(d, "conv1", x, 1 + below(d, 5), 3, 1, 1, 1);

    y = one(d, "relu", "relu1", maybe_bn(d, "bn1", y));
    y = maybe_bn(d, "bn2", conv(d, "conv2", y, c, 3, 1, 1, 1));
    y = add_op(d, "add", "add", (struct value *[]){y, x}, 2, NULL);
    return one(d, "relu", "relu2", y);
}

static struct value *step_pool(struct draw *d, struct value *x)
{
    const struct attr_text attr[] = {{"kernel", "3"},
                                     {"stride", NUM(d, 1 + below(d, 2))},
                                     {"pad", "1"},
                                     {0}};

    return add_op(d, below(d, 2) ? "maxpool2d" : "avgpool2d", "pool", &x, 1,
                  attr);
}

static struct value *step_idle(struct draw *d, struct value *x)
{
    return one(d, below(d, 2) ? "identity" : "dropout", "idle", x);
}

static struct value *step_bn(struct draw *d, struct value *x)
{
    return one(d, "batchnorm2d", "bn", x);
}

static struct value *step_shortcut(struct draw *d, struct value *x)
{
    const struct attr_text attr[] = {{"to", NUM(d, x->shape.dim[1] + 2)}, {0}};

    return add_op(d, "padchannels", "pad", &x, 1, attr);
}

static struct value *(*const steps[])(struct draw *, struct value *) = {
    step_conv, step_branches, step_residual, step_pool,
    step_idle, step_bn,       step_shortcut, step_branches};

static void fill_one(struct value *v, uint64_t seed)
{
    const struct rng r = rng_at(seed, RNG_TEST, hash_name(v->name), 1);
    const int64_t fan =
        v->shape.rank > 1 ? shape_count(&v->shape) / v->shape.dim[0] : 1;
    const int variance = strstr(v->name, "running_var") != NULL;
    const double scale = v->shape.rank > 1 ? 1 / sqrt((double)fan) : 0.5;
    struct tensor t;
    struct err e = {0};

    if (tensor_new(&t, DTYPE_F32, &v->shape, &e) < 0)
        BUG("%s", e.msg);
    for (int64_t i = 0, n = tensor_count(&t); i < n; i++) {
        const double x = rng_normal(&r, (uint64_t)i) * scale;

        ((float *)t.data)[i] = (float)(variance ? 0.3 + x * x : x);
    }
    value_set_data(v, &t);
    tensor_unref(&t);
}

void graph_random_fill(struct graph *g, uint64_t seed)
{
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];

        if ((v->kind == VALUE_PARAM || v->kind == VALUE_STATE) && !v->data.data)
            fill_one(v, seed);
    }
}

struct graph *graph_random(uint64_t seed, int n_steps)
{
    struct draw d = {.g = graph_new("random"),
                     .r = rng_at(seed, RNG_TEST, 0, 0)};
    struct shape s = {.rank = 4, .batch = 1};
    struct value *x;

    s.dim[0] = 1;
    s.dim[1] = 1 + below(&d, 4);
    s.dim[2] = 5 + below(&d, 5);
    s.dim[3] = 5 + below(&d, 5);
    x = graph_input(d.g, "image", DTYPE_F32, &s);
    for (; d.step < n_steps; d.step++)
        x = steps[below(&d, (int)COUNT(steps))](&d, x);
    x = one(&d, "flatten", "flatten", one(&d, "globalavgpool", "pool", x));
    x = add_op(&d, "linear", "fc", &x, 1,
               (struct attr_text[]){{"out", "3"}, {0}});
    if (below(&d, 2))
        x = one(&d, "batchnorm2d", "bn", x);
    graph_output(d.g, "logits", x, 0);
    graph_random_fill(d.g, seed);
    return d.g;
}
