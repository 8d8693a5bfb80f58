/* graph_maps.c -- see graph_maps.h.
 * SPDX-License-Identifier: MIT  */
#include "graph_maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/layout.h"
#include "graph_random.h"
#include "op/ops.h"

enum { STEPS = 14 };

static int below(struct maps *d, int n)
{
    return (int)rng_below(&d->r, d->at++, (uint64_t)n);
}

static struct value *any(struct maps *d)
{
    return d->v[below(d, d->n)];
}

struct node *graph_maps_add(struct maps *d, const char *op, struct value **in,
                            int n, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *to = graph_add(d->g, op_find(op), graph_name_free(d->g, op),
                                in, n, attr, &e);

    if (!to)
        fail_msg("%s", e.msg);
    for (int i = 0; i < to->n_out && d->n < MAPS_KEPT; i++)
        d->v[d->n++] = to->out[i];
    return to;
}

const char *graph_maps_number(struct maps *d, int64_t n)
{
    return arena_printf(&d->g->arena, "%lld", (long long)n);
}

struct value *graph_maps_conv(struct maps *d, struct value *x, const char *out)
{
    return graph_maps_add(
               d, "conv2d", &x, 1,
               (struct attr_text[]){{"out", out}, {"kernel", "1"}, {0}})
        ->out[0];
}

struct value *graph_maps_concat(struct maps *d, struct value *x,
                                struct value *y, struct value *z)
{
    return graph_maps_add(d, "concat", (struct value *[]){x, y, z}, z ? 3 : 2,
                          NULL)
        ->out[0];
}

/* ---- random graphs ---- */

static void some_conv(struct maps *d)
{
    static const char *const out[] = {"16", "16", "32", "48", "7", "20"};
    const int large = below(d, 2);
    struct value *x = any(d);

    graph_maps_add(d, "conv2d", &x, 1,
                   (struct attr_text[]){{"out", out[below(d, (int)COUNT(out))]},
                                        {"kernel", large ? "3" : "1"},
                                        {"pad", large ? "1" : "0"},
                                        {0}});
}

static void some_act(struct maps *d)
{
    struct value *x = any(d);

    graph_maps_add(d, below(d, 2) ? "relu" : "hardswish", &x, 1, NULL);
}

static void some_concat(struct maps *d)
{
    struct value *x[4];
    const int n = 2 + below(d, 3);

    for (int i = 0; i < n; i++)
        x[i] = i && below(d, 3) ? d->v[(d->n - 1 - i + d->n) % d->n] : any(d);
    graph_maps_add(d, "concat", x, n, NULL);
}

static int64_t some_start(struct maps *d, int64_t channels)
{
    const int64_t start = below(d, (int)channels);

    return below(d, 4) ? start / LANES * LANES : start;
}

static void some_slice(struct maps *d)
{
    struct value *x = any(d);
    const int64_t c = x->shape.dim[1], start = some_start(d, c);
    const int64_t length = below(d, 3) || c - start < LANES ? c - start : LANES;

    graph_maps_add(
        d, "slice", &x, 1,
        (struct attr_text[]){{"start", graph_maps_number(d, start)},
                             {"length", graph_maps_number(d, length)},
                             {0}});
}

/* And often what was cut, put together again.  */
static void some_split(struct maps *d)
{
    struct value *x = any(d), *y[2];
    const int64_t c = x->shape.dim[1], first = some_start(d, c);
    struct node *n;

    if (!first)
        return;
    n = graph_maps_add(
        d, "split", &x, 1,
        (struct attr_text[]){
            {"sizes", arena_printf(&d->g->arena, "%lld,%lld", (long long)first,
                                   (long long)(c - first))},
            {0}});
    memcpy(y, n->out, sizeof y);
    if (below(d, 3) == 0)
        graph_maps_add(d, "concat", y, 2, NULL);
}

static void some_shuffle(struct maps *d)
{
    struct value *x = below(d, 2) ? any(d) : d->v[d->n - 1];

    if (x->shape.dim[1] % 2 == 0)
        graph_maps_add(d, "channelshuffle", &x, 1,
                       (struct attr_text[]){{"groups", "2"}, {0}});
}

static void some_add(struct maps *d)
{
    struct value *x[2] = {any(d), NULL};

    for (int i = 0; i < d->n; i++)
        if (d->v[i] != x[0] && shape_equal(&d->v[i]->shape, &x[0]->shape))
            x[1] = d->v[i];
    if (x[1])
        graph_maps_add(d, "add", x, 2, NULL);
}

static void (*const some[])(struct maps *) = {
    some_conv,   some_conv,  some_conv,  some_act, some_concat,
    some_concat, some_slice, some_split, some_add, some_shuffle};

struct graph *graph_maps_random(uint64_t seed)
{
    struct maps d = {.g = graph_new("maps"), .r = rng_at(seed, RNG_TEST, 1, 0)};
    struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 5, 4}};
    struct value *last[3];
    struct node *n;

    s.dim[1] = below(&d, 2) ? 16 : 3;
    s.dim[3] += below(&d, 4);
    d.v[d.n++] = graph_input(d.g, "image", DTYPE_F32, &s);
    some_conv(&d);
    for (int i = 0; i < STEPS; i++)
        some[below(&d, (int)COUNT(some))](&d);
    for (int i = 0; i < 3; i++)
        last[i] = i ? any(&d) : d.v[d.n - 1];
    n = graph_maps_add(&d, "concat", last, 3, NULL);
    n = graph_maps_add(&d, "globalavgpool", n->out, 1, NULL);
    n = graph_maps_add(&d, "flatten", n->out, 1, NULL);
    n = graph_maps_add(&d, "linear", n->out, 1,
                       (struct attr_text[]){{"out", "5"}, {0}});
    graph_output(d.g, "logits", n->out[0], 0);
    if (below(&d, 2) && last[1]->kind == VALUE_NODE)
        graph_output(d.g, "map", last[1], 0);
    graph_random_fill(d.g, seed);
    return d.g;
}
