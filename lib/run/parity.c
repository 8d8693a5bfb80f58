/* parity.c -- see parity.h.
 * SPDX-License-Identifier: MIT  */
#include "run/parity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/compare.h"
#include "tensor/top.h"

enum { SAMPLES = 16 };

struct side {
    struct graph *g;
    struct params *ps;
    struct plan *p, *kept; /* kept: every value, for the first that differs */
};

static int open_side(struct side *s, const struct graph *g,
                     const struct device *d, const struct parity_opts *o,
                     int narrow, struct err *e)
{
    struct plan_opts po = {
        .batch = PARITY_BATCH, .pool = o->pool, .narrow = narrow};
    const int keep = o->tolerance > 0 && !o->narrow;

    s->g = pass_simplify(g, e);
    s->ps = s->g ? params_share(s->g, d, e) : NULL;
    s->p = s->ps ? plan_new(s->g, d, s->ps, &po, e) : NULL;
    po.keep_values = 1;
    s->kept = s->p && keep ? plan_new(s->g, d, s->ps, &po, e) : NULL;
    return s->p && (s->kept || !keep) ? 0 : -1;
}

static void close_side(struct side *s)
{
    plan_free(s->kept);
    plan_free(s->p);
    params_free(s->ps);
    graph_free(s->g);
}

static int same_ends(const struct side *a, const struct side *b, struct err *e)
{
    const struct tensor *x = plan_find(a->p, "image");
    const struct tensor *y = plan_find(b->p, "image");
    const struct value *u = graph_output_value(a->g, graph_answer(a->g));
    const struct value *v = graph_output_value(b->g, graph_answer(b->g));

    if (!x || !y || !shape_equal(&x->shape, &y->shape))
        return err_set(e, ERR_SHAPE, "the inputs differ: %s and %s",
                       x ? ST(&x->shape) : "none", y ? ST(&y->shape) : "none");
    if (!u || !v || !shape_equal(&u->shape, &v->shape) || u->shape.rank != 2)
        return err_set(e, ERR_SHAPE, "the outputs differ: %s and %s",
                       u ? ST(&u->shape) : "none", v ? ST(&v->shape) : "none");
    return 0;
}

static int draw(const struct parity_opts *o, int64_t from, int64_t n,
                struct tensor *x, struct err *e)
{
    const struct rng r = rng_at(o->seed, RNG_TEST, 1, 0);
    const int64_t each = tensor_count(x) / PARITY_BATCH;
    float *p = x->data;

    if (o->fill)
        return o->fill(o->ctx, from, n, p, e);
    for (int64_t i = 0; i < n * each; i++)
        p[i] = (float)rng_normal(&r, (uint64_t)(from * each + i));
    return 0;
}

static int64_t best(const float *row, int64_t k)
{
    int64_t b = 0;

    top_find(row, k, 1, &b);
    return b;
}

/* Where something is no number there is no best class.  */
static int same_best(const float *a, const float *b, int64_t k)
{
    for (int64_t c = 0; c < k; c++)
        if (isnan(a[c]) || isnan(b[c]))
            return 0;
    return best(a, k) == best(b, k);
}

static void count_nonfinite(struct parity *r, double a, double b)
{
    if ((isnan(a) && isnan(b)) || a == b)
        r->neither++;
    else
        r->nonfinite++;
}

static void compare_rows(struct parity *r, const float *a, const float *b,
                         int64_t n, double *scale)
{
    const int64_t k = r->classes;

    for (int64_t i = 0; i < n; i++, a += k, b += k) {
        r->agree += same_best(a, b, k);
        for (int64_t c = 0; c < k; c++) {
            const double d = fabs((double)a[c] - b[c]);

            if (!isfinite(d)) {
                count_nonfinite(r, a[c], b[c]);
                continue;
            }
            r->class_abs[c] = d > r->class_abs[c] ? d : r->class_abs[c];
            r->max_abs = d > r->max_abs ? d : r->max_abs;
            *scale = fabs(b[c]) > *scale ? fabs(b[c]) : *scale;
        }
    }
}

/* ---- which values of both graphs belong together ---- */

/* "conv2d [N,64,56,56]": the kind of the result of N.  */
static const char *kind_of(struct arena *a, const struct node *n)
{
    return arena_printf(a, "%s %s", n->op->name, ST(&n->out[0]->shape));
}

static const struct node *twin(const struct side *other, const struct node *n)
{
    const struct value *v = graph_value(other->g, n->out[0]->name);

    return v && v->node && v->out == 0 ? v->node : NULL;
}

/* Number the nodes of S of one kind that OTHER has no name of: "conv2d
 * [N,64,56,56] 3" -> index of the node.  */
static void number_kinds(struct arena *a, const struct side *s,
                         const struct side *other, struct name_map *map)
{
    int *count = xcalloc((size_t)s->g->n_node + 1, sizeof *count);
    struct name_map kinds = {0};

    for (int i = 0; i < s->g->n_node; i++) {
        const struct node *n = s->g->node[i];
        const char *kind = kind_of(a, n);
        int64_t k;

        if (twin(other, n))
            continue;
        k = name_map_put(&kinds, kind, i);
        k = k < 0 ? i : k;
        name_map_put(map, arena_printf(a, "%s %d", kind, count[k]++), i);
    }
    name_map_release(&kinds);
    free(count);
}

/* PAIR[i]: the node of B that does what node I of A does, by name, else by
 * the order of those of one op and shape; NULL if there is none.  */
static void pair_nodes(const struct side *a, const struct side *b,
                       const struct node **pair)
{
    struct name_map of_a = {0}, of_b = {0};
    struct arena arena = {0};

    number_kinds(&arena, a, b, &of_a);
    number_kinds(&arena, b, a, &of_b);
    for (int i = 0; i < a->g->n_node; i++)
        pair[i] = twin(b, a->g->node[i]);
    for (int64_t k = 0; k < of_a.cap; k++) {
        const struct name_slot *s = &of_a.slot[k];
        const int64_t j = s->name ? name_map_get(&of_b, s->name) : -1;

        if (j >= 0)
            pair[s->value] = b->g->node[j];
    }
    name_map_release(&of_a);
    name_map_release(&of_b);
    arena_release(&arena);
}

/* ---- the first that differs ---- */

enum { ALONE, AGREES, DIFFERS };

static int look(const struct side *a, const struct node *n,
                const struct side *b, const struct node *m, double tolerance,
                double *rel)
{
    const struct tensor *t = plan_find(a->kept, n->out[0]->name);
    const struct tensor *u = m ? plan_find(b->kept, m->out[0]->name) : NULL;
    struct err shapes = {0};
    struct compare c;

    if (!u || !t || !u->data || !t->data || t->dtype != DTYPE_F32 ||
        compare_tensors(&c, t, u, &shapes) < 0)
        return ALONE;
    *rel = c.max_rel;
    return c.max_rel > tolerance || c.nonfinite ? DIFFERS : AGREES;
}

/* A value behind which something agrees was no pair: a layer before and after
 * its normalisation was folded into it.  */
static int something_agrees(const struct node *n, const char *state,
                            const char *behind)
{
    for (int u = 0; u < n->out[0]->n_use; u++) {
        const int i = n->out[0]->use[u].node->index;

        if (state[i] == AGREES || behind[i])
            return 1;
    }
    return 0;
}

static void find_first(struct parity *r, const struct side *a,
                       const struct side *b, double tolerance)
{
    const int n = a->g->n_node;
    const struct node **pair = xcalloc((size_t)n + 1, sizeof *pair);
    double *rel = xcalloc((size_t)n + 1, sizeof *rel);
    char *state = xcalloc((size_t)n + 1, 1),
         *behind = xcalloc((size_t)n + 1, 1);

    pair_nodes(a, b, pair);
    for (int i = n - 1; i >= 0; i--) {
        const struct node *x = a->g->node[i];

        state[i] = (char)look(a, x, b, pair[i], tolerance, &rel[i]);
        behind[i] = (char)something_agrees(x, state, behind);
        if (state[i] != DIFFERS || behind[i])
            continue;
        snprintf(r->node, sizeof r->node, "%s", x->out[0]->name);
        r->node_rel = rel[i];
    }
    free(pair);
    free(rel);
    free(state);
    free(behind);
}

static int find_node(struct parity *r, struct side *a, struct side *b,
                     const struct tensor *x, double tolerance, struct err *e)
{
    memcpy(plan_value(a->kept, "image")->data, x->data, tensor_bytes(x));
    memcpy(plan_value(b->kept, "image")->data, x->data, tensor_bytes(x));
    if (plan_run(a->kept, NULL, e) < 0 || plan_run(b->kept, NULL, e) < 0)
        return -1;
    find_first(r, a, b, tolerance);
    return 0;
}

static int run_both(struct parity *r, struct side *a, struct side *b,
                    const struct parity_opts *o, struct err *e)
{
    struct tensor *x = plan_value(a->p, "image");
    double scale = 0;

    for (int64_t from = 0; from < r->samples; from += PARITY_BATCH) {
        const int64_t left = r->samples - from;
        const int64_t n = left < PARITY_BATCH ? left : PARITY_BATCH;

        if (draw(o, from, n, x, e) < 0)
            return -1;
        memcpy(plan_value(b->p, "image")->data, x->data, tensor_bytes(x));
        if (a->kept && !*r->node && find_node(r, a, b, x, o->tolerance, e) < 0)
            return -1;
        if (plan_run(a->p, NULL, e) < 0 || plan_run(b->p, NULL, e) < 0)
            return -1;
        const float *u = plan_output(a->p, graph_answer(a->g))->data;
        const float *v = plan_output(b->p, graph_answer(b->g))->data;

        compare_rows(r, u, v, n, &scale);
        if (o->see)
            o->see(o->ctx, from, n, plan_value(a->p, "image")->data, u, v);
    }
    if (r->nonfinite)
        r->max_abs = INFINITY;
    r->max_rel = scale > 0 ? r->max_abs / scale : r->max_abs > 0 ? INFINITY : 0;
    return 0;
}

int parity_run(struct parity *r, const struct graph *a, const struct graph *b,
               const struct device *d, const struct parity_opts *o,
               struct err *e)
{
    struct side s[2] = {{0}};
    int bad;

    memset(r, 0, sizeof *r);
    r->samples = o->samples ? o->samples : SAMPLES;
    bad = open_side(&s[0], a, d, o, 0, e) < 0 ||
          open_side(&s[1], b, d, o, o->narrow, e) < 0 ||
          same_ends(&s[0], &s[1], e) < 0;
    if (!bad) {
        r->classes =
            graph_output_value(s[0].g, graph_answer(s[0].g))->shape.dim[1];
        r->class_abs = xcalloc((size_t)r->classes, sizeof *r->class_abs);
        bad = run_both(r, &s[0], &s[1], o, e) < 0;
    }
    close_side(&s[0]);
    close_side(&s[1]);
    return bad ? -1 : 0;
}

void parity_release(struct parity *r)
{
    free(r->class_abs);
    r->class_abs = NULL;
}

int parity_finite(const struct parity *r, struct err *e)
{
    if (r->nonfinite || !r->neither)
        return 0;
    return err_set(e, ERR_NONFINITE,
                   "%lld of %lld outputs are not finite, on both sides alike: "
                   "that proves nothing",
                   (long long)r->neither, (long long)(r->samples * r->classes));
}

int parity_exact(const struct parity *r, struct err *e)
{
    if (parity_finite(r, e) < 0)
        return -1;
    if (!r->nonfinite && r->max_rel <= PARITY_EXACT)
        return 0;
    return err_set(e, ERR_NO,
                   "not exact: outputs differ by %.3g, %.3g of the largest "
                   "(at most %g); %lld values are finite on one side alone",
                   r->max_abs, r->max_rel, PARITY_EXACT,
                   (long long)r->nonfinite);
}

double parity_half(const struct graph *g, int *steps)
{
    *steps = 0;
    for (int i = 0; i < g->n_node; i++)
        *steps += !(g->node[i]->op->flags & OP_VIEW);
    return 2 * *steps * ldexp(1, -PARITY_HALF_BITS);
}
