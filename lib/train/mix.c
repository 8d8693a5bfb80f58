/* mix.c -- see mix.h.
 * SPDX-License-Identifier: MIT  */
#include "train/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/tensor.h"
#include "train/recipe.h"

/* Inputs: who is joined, how much of the pixels in a box and of the class is
 * the picture's own, and the boxes.  */
#define PAIR  "adze:mix.pair"
#define SHARE "adze:mix.share"
#define OWN   "adze:mix.own"
#define BOX   "adze:mix.box"

int mix_is_on(const struct recipe *r)
{
    return r->mix_prob > 0 && (r->mixup > 0 || r->cutmix > 0);
}

/* ---- graphs ---- */

static struct value *input(struct graph *g, const char *name, enum dtype dt,
                           int rank)
{
    const struct shape s = {rank, {1, 4}, 1};
    struct value *v = graph_value(g, name);

    return v ? v : graph_input(g, name, dt, &s);
}

static struct value *mix(struct graph *g, const char *name, struct value *x,
                         const char *share, int box, struct err *e)
{
    const struct attr_text attr[] = {{"box", box ? "yes" : "no"}, {0}};
    struct value *in[] = {x, input(g, PAIR, DTYPE_I64, 1),
                          input(g, share, DTYPE_F32, 1),
                          box ? input(g, BOX, DTYPE_I64, 2) : NULL};
    struct node *n =
        graph_add(g, op_find("mix"), name, in, box ? 4 : 3, attr, e);

    return n ? n->out[0] : NULL;
}

int mix_pictures(struct graph *g, struct err *e)
{
    struct value *image = graph_value(g, "image");
    struct value *y = mix(g, "mix", image, SHARE, 1, e);

    if (!y)
        return -1;
    graph_replace(g, image, y);
    node_set_in(y->node, 0, image);
    graph_sort(g);
    return 0;
}

struct value *mix_classes(struct graph *g, struct value *target,
                          int64_t classes, struct err *e)
{
    const struct attr_text attr[] = {
        {"classes", arena_printf(&g->arena, "%lld", (long long)classes)}, {0}};
    struct node *n =
        graph_add(g, op_find("onehot"), "classes", &target, 1, attr, e);

    return n ? mix(g, "classes.mix", n->out[0], OWN, 0, e) : NULL;
}

/* ---- draws ---- */

/* The numbers of a step's stream.  */
enum { DRAW_PROB, DRAW_SWITCH, DRAW_X, DRAW_Y, DRAW_PAIRS, DRAW_SHARE };

struct drawn {
    float share, own;
    int64_t box[4];
};

/* A box around a place drawn, of sides sqrt(1 - L) of the picture's, cut at the
 * edges.  */
static void draw_box(const struct rng *r, double l, int64_t h, int64_t w,
                     struct drawn *d)
{
    const int64_t size[2] = {h, w};
    int64_t area = 1;

    for (int i = 0; i < 2; i++) {
        const double n = (double)size[i], half = n * sqrt(1 - l) / 2;
        const double at = n * (double)rng_uniform(r, i ? DRAW_X : DRAW_Y);

        d->box[i] = (int64_t)fmax(0, round(at - half));
        d->box[i + 2] = (int64_t)fmin(n, round(at + half));
        area *= d->box[i + 2] - d->box[i];
    }
    d->share = 0;
    d->own = (float)(1 - (double)area / (double)(h * w));
}

/* What is no longer mixed at STEP.  */
static int is_over(const struct recipe *r, int64_t step, int64_t steps)
{
    const double until =
        r->mix_until.steps ? r->mix_until.n : r->mix_until.n * (double)steps;

    return until > 0 && (double)step >= until;
}

static struct drawn draw(const struct recipe *r, const struct rng *s, int64_t h,
                         int64_t w)
{
    struct drawn d = {1, 1, {0, 0, h, w}};
    const struct rng share = rng_sub(s, DRAW_SHARE);
    const int both = r->mixup > 0 && r->cutmix > 0;
    const int cut =
        both ? rng_uniform(s, DRAW_SWITCH) < r->mix_switch : r->cutmix > 0;

    if (rng_uniform(s, DRAW_PROB) >= r->mix_prob)
        return d;
    if (cut)
        draw_box(s, rng_beta(&share, r->cutmix), h, w, &d);
    else
        d.share = d.own = (float)rng_beta(&share, r->mixup);
    return d;
}

void mix_draw(const struct recipe *r, int64_t step, int64_t steps,
              struct plan *p)
{
    const struct rng s = rng_at((uint64_t)r->seed, RNG_MIX, (uint64_t)step, 0);
    const struct rng pairs = rng_sub(&s, DRAW_PAIRS);
    struct tensor *pair = plan_find(p, PAIR), *own = plan_find(p, OWN);
    struct drawn d;

    if (!pair)
        return;
    const int64_t n = pair->shape.dim[0];
    const int64_t *size = plan_value(p, "image")->shape.dim + 2;

    d = draw(r, &s, size[0], size[1]);
    if (is_over(r, step, steps))
        d.share = d.own = 1;
    for (int64_t i = 0; i < n; i++) {
        ((int64_t *)pair->data)[i] =
            (int64_t)rng_permute(&pairs, (uint64_t)i, (uint64_t)n);
        ((float *)plan_value(p, SHARE)->data)[i] = d.share;
        if (own) /* classes are there */
            ((float *)own->data)[i] = d.own;
        memcpy((int64_t *)plan_value(p, BOX)->data + 4 * i, d.box,
               sizeof d.box);
    }
}

/* A graph that mixes and does nothing else.  */
static struct graph *bare(const struct shape *s, struct err *e)
{
    struct graph *g = graph_new("mix");
    struct shape one = *s;
    struct value *y;

    one.batch = one.dim[0] = 1;
    y = mix(g, "mix", graph_input(g, "image", DTYPE_F32, &one), SHARE, 1, e);
    if (!y) {
        graph_free(g);
        return NULL;
    }
    graph_output(g, "mixed", y, 0);
    return g;
}

int mix_apply(const struct recipe *r, int64_t step, int64_t steps, float *x,
              const struct shape *s, struct pool *pool, struct err *e)
{
    const struct plan_opts o = {.batch = s->dim[0], .pool = pool};
    const size_t bytes = (size_t)shape_count(s) * sizeof *x;
    struct device *d = device_cpu_new(cpu_features());
    struct graph *g = bare(s, e);
    struct params *ps = g ? params_new(g, d, e) : NULL;
    struct plan *p = ps ? plan_new(g, d, ps, &o, e) : NULL;
    int bad = !p;

    if (p) {
        memcpy(plan_value(p, "image")->data, x, bytes);
        mix_draw(r, step, steps, p);
        bad = plan_run(p, NULL, e);
        memcpy(x, plan_output(p, "mixed")->data, bytes);
    }
    plan_free(p);
    params_free(ps);
    graph_free(g);
    d->free(d);
    return bad ? -1 : 0;
}

int64_t mix_class(struct plan *p, const int64_t *target, int64_t i)
{
    const struct tensor *pair = plan_find(p, PAIR);

    if (!pair || ((const float *)plan_value(p, OWN)->data)[i] >= 0.5f)
        return target[i];
    return target[((const int64_t *)pair->data)[i]];
}
