/* pass_check.c -- see pass_check.h.
 * SPDX-License-Identifier: MIT  */
#include "pass_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "graph_random.h"
#include "interp.h"
#include "op_check.h"

const struct pass_named pass_named[] = {
    {"simplify", pass_simplify},
    {"fuse-bn", pass_fuse_bn},
    {"reparam", pass_reparam},
    {0},
};

static void compare_output(struct interp *a, struct interp *b, const char *name)
{
    const struct tensor *x = interp_output(a, name);
    const struct tensor *y = interp_output(b, name);
    struct tensor bx, by;

    assert_non_null(y);
    assert_true(shape_equal(&x->shape, &y->shape));
    interp_bound(&bx, a, name);
    interp_bound(&by, b, name);
    for (int64_t i = 0, n = tensor_count(x); i < n; i++) {
        const double d =
            fabs((double)((float *)x->data)[i] - ((float *)y->data)[i]);
        const double most =
            (double)((float *)bx.data)[i] + ((float *)by.data)[i];

        if (!(d <= most))
            fail_msg("'%s' [%d]: differs by %g, bound %g", name, (int)i, d,
                     most);
    }
    tensor_unref(&bx);
    tensor_unref(&by);
}

static void compare_graphs(const struct graph *g, const struct graph *p)
{
    struct interp a, b;

    interp_run(&a, g, 2, 7);
    interp_run(&b, p, 2, 7);
    for (int i = 0; i < g->n_output; i++)
        if (!g->output[i].train)
            compare_output(&a, &b, g->output[i].name);
    interp_release(&a);
    interp_release(&b);
}

static struct graph *apply_once(pass_fn *apply, const struct graph *g)
{
    struct err e = {0};
    struct graph *p = apply(g, &e);

    if (!p)
        fail_msg("%s", e.msg);
    if (graph_check(p, &e) < 0)
        fail_msg("%s", e.msg);
    return p;
}

void pass_check_one(pass_fn *apply, const struct graph *g, int exact)
{
    struct str before = {0}, after = {0}, once = {0}, twice = {0};
    struct graph *p, *pp;

    interp_dump(&before, g);
    p = apply_once(apply, g);
    interp_dump(&after, g);
    assert_string_equal(str_text(&before), str_text(&after));
    pp = apply_once(apply, p);
    interp_dump(&once, p);
    interp_dump(&twice, pp);
    assert_string_equal(str_text(&once), str_text(&twice));
    for (int i = 0; i < p->n_output; i++) {
        const struct value *v = graph_output_value(g, p->output[i].name);

        assert_true(shape_equal(&v->shape, &p->output[i].value->shape));
    }
    if (exact)
        compare_graphs(g, p);
    str_release(&before);
    str_release(&after);
    str_release(&once);
    str_release(&twice);
    graph_free(p);
    graph_free(pp);
}

void pass_check_random(pass_fn *apply, int seeds, int exact)
{
    for (int seed = 1; seed <= seeds; seed++) {
        struct graph *g = graph_random((uint64_t)seed, 1 + seed % 7);

        pass_check_one(apply, g, exact);
        graph_free(g);
    }
}

void pass_check_fails(pass_fn *apply, const struct graph *g, int code,
                      const char *word1, const char *word2)
{
    struct err e = {0};
    struct graph *p = apply(g, &e);

    assert_null(p);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word1) || !strstr(e.msg, word2))
        fail_msg("'%s' and '%s' are not in: %s", word1, word2, e.msg);
}

int pass_check_count(const struct graph *g, const char *op)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        n += !strcmp(g->node[i]->op->name, op);
    return n;
}

void pass_check_ranges(struct pass_ranges *s, const struct graph *g,
                       const char *const *skip)
{
    struct interp r;
    const char **names;

    *s = (struct pass_ranges){.o = {.skip = skip}};
    names = pass_quantize_wants(g, &s->o);
    interp_run(&r, g, 8, 9);
    for (int i = 0; names[i]; i++) {
        const struct tensor *t = interp_value(&r, names[i]);
        struct range *x = &s->range[i];

        assert_true(i < 200);
        *x = (struct range){names[i], INFINITY, -INFINITY};
        for (int64_t k = 0; k < tensor_count(t); k++) {
            x->min = fmin(x->min, trial_get(t, k));
            x->max = fmax(x->max, trial_get(t, k));
        }
        s->o.n_range++;
    }
    s->o.range = s->range;
    interp_release(&r);
    free(names);
}

/* ---- training graphs ---- */

/* logits [N,K], target [N] -> loss [1].  */
static struct graph *loss_graph(const struct graph *network)
{
    struct graph *g = graph_new("loss");
    const struct shape t = {.rank = 1, .dim = {1}, .batch = 1};
    struct value *in[] = {
        graph_input(g, "logits", DTYPE_F32,
                    &graph_output_value(network, "logits")->shape),
        graph_input(g, "target", DTYPE_I64, &t)};
    struct err e = {0};
    struct node *n =
        graph_add(g, op_find("crossentropy"), "loss", in, 2, NULL, &e);

    if (!n)
        fail_msg("%s", e.msg);
    graph_output(g, "loss", n->out[0], 1);
    return g;
}

struct graph *pass_check_join(const struct graph *network,
                              const char *const *frozen)
{
    struct graph *loss = loss_graph(network);
    struct err e = {0};
    struct graph *g = pass_join(network, loss, frozen, &e);

    if (!g)
        fail_msg("%s", e.msg);
    graph_free(loss);
    return g;
}

struct graph *pass_check_differentiate(const struct graph *g)
{
    struct err e = {0};
    struct graph *d = pass_differentiate(g, "loss", NULL, &e);

    if (!d || graph_check(d, &e) < 0)
        fail_msg("%s", e.msg);
    return d;
}
