/* answers.c -- the networks in models/ answer what torchvision's and timm's
 * do, and have the gradients.
 * SPDX-License-Identifier: MIT
 *
 * tests/ref/zoo/ holds their answers for weights and pictures that are a
 * function of the tensors' names: scripts/make-ref.  */
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../pass_check.h"
#include "../slow.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "format/network.h"
#include "graph/graph.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* As in scripts/make-ref.  */
enum { BATCH = 8, TARGETS = 10 };

/* The sanitizers make large tensors slow and find nothing new in them.  */
#define MAX_PARAMS (SLOW_RUN ? 4000000 : INT64_MAX)

/* ---- numbers ---- */

static uint64_t fnv(const char *s)
{
    uint64_t h = 0xcbf29ce484222325;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    return h;
}

static float unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-23F - 1;
}

/* Element I is FACTOR x + ADD, x in [-1, 1) from NAME and I.  */
static void put_numbers(const char *name, struct tensor *t, float factor,
                        float add)
{
    const uint64_t h = fnv(name);
    const uint32_t key[2] = {(uint32_t)h, (uint32_t)(h >> 32)};
    const int64_t n = tensor_count(t);
    float *p = t->data;

    for (int64_t i = 0; i < n; i += 4) {
        const uint32_t ctr[4] = {(uint32_t)(i / 4)};
        uint32_t word[4];

        philox4x32(ctr, key, word);
        for (int k = 0; k < 4 && i + k < n; k++)
            p[i + k] = unit(word[k]) * factor + add;
    }
}

static void put_weight(struct value *v)
{
    const struct shape *s = &v->shape;
    struct err e = {0};
    struct tensor t;

    assert_int_equal(tensor_new(&t, DTYPE_F32, s, &e), 0);
    if (s->rank > 1)
        put_numbers(v->name, &t,
                    (float)sqrt(6 * (double)s->dim[0] / (double)shape_count(s)),
                    0);
    else
        put_numbers(v->name, &t, 0.25F,
                    str_ends(v->name, "weight") ||
                        str_ends(v->name, "running_var"));
    value_set_data(v, &t);
    tensor_unref(&t);
}

static void put_weights(struct graph *g)
{
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM ||
            g->value[i]->kind == VALUE_STATE)
            put_weight(g->value[i]);
}

/* ---- running ---- */

struct run {
    struct device *device;
    struct params *params;
    struct plan *plan;
};

static void run_start(struct run *r, const struct graph *g, int64_t batch,
                      struct pool *pool)
{
    const struct plan_opts o = {.batch = batch, .pool = pool};
    struct err e = {0};

    r->device = device_cpu_new(cpu_features());
    r->params = params_new(g, r->device, &e);
    r->plan = r->params ? plan_new(g, r->device, r->params, &o, &e) : NULL;
    if (!r->plan)
        fail_msg("%s", e.msg);
    put_numbers("image", plan_value(r->plan, "image"), 2, 0);
}

static void run_go(struct run *r)
{
    struct err e = {0};

    assert_int_equal(plan_run(r->plan, NULL, &e), 0);
}

static void run_end(struct run *r)
{
    plan_free(r->plan);
    params_free(r->params);
    device_cpu_free(r->device);
}

/* ---- comparing ---- */

static void check_near(const char *file, const char *what, const float *got,
                       const struct tensor *want, double bound)
{
    const float *w = want->data;
    double most = 0;

    for (int64_t i = 0; i < tensor_count(want); i++)
        most = fmax(most, fabs((double)w[i]));
    for (int64_t i = 0; i < tensor_count(want); i++)
        if (!(fabs((double)got[i] - (double)w[i]) <= bound * most))
            fail_msg("%s: %s %lld is %.9g, not %.9g, the largest %.9g", file,
                     what, (long long)i, (double)got[i], (double)w[i], most);
}

static void check_logits(const char *file, const struct graph *g,
                         const struct tensor *want, struct pool *pool)
{
    struct err e = {0};
    struct graph *s = pass_simplify(g, &e);
    struct run r;
    const struct tensor *y;

    run_start(&r, s, 1, pool);
    run_go(&r);
    y = plan_output(r.plan, "logits");
    assert_int_equal(tensor_count(y), tensor_count(want));
    check_near(file, "logit", y->data, want, 1e-4);
    run_end(&r);
    graph_free(s);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct value *const *)a)->name,
                  (*(struct value *const *)b)->name);
}

static double norm(const struct tensor *t)
{
    const float *p = t->data;
    double sum = 0;

    for (int64_t i = 0; i < tensor_count(t); i++)
        sum += (double)p[i] * (double)p[i];
    return sqrt(sum);
}

/* A rounding turns the sign of a value in front of a clip now and then: the
 * norms of torch's own float are up to 5e-4 away.  */
static void check_norms(const char *file, const struct graph *g, struct plan *p,
                        const struct tensor *want)
{
    struct value **v = xcalloc((size_t)g->n_value, sizeof(*v));
    float *got = xcalloc((size_t)g->n_value, sizeof *got);
    struct arena a = {0};
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM)
            v[n++] = g->value[i];
    assert_int_equal(n, tensor_count(want));
    qsort(v, (size_t)n, sizeof(*v), by_name);
    for (int i = 0; i < n; i++)
        got[i] =
            (float)norm(plan_output(p, arena_printf(&a, "d(%s)", v[i]->name)));
    check_near(file, "norm of gradient", got, want, 4e-3);
    arena_release(&a);
    free(got);
    free(v);
}

static void check_step(const char *file, const struct graph *g,
                       const struct set *want, struct pool *pool)
{
    struct graph *j = pass_check_join(g, NULL),
                 *d = pass_check_differentiate(j);
    struct err e = {0};
    struct graph *s = pass_split_bn(d, &e);
    struct run r;
    int64_t *target;

    run_start(&r, s, BATCH, pool);
    target = plan_value(r.plan, "target")->data;
    for (int i = 0; i < BATCH; i++)
        target[i] = i * 37 % TARGETS;
    run_go(&r);
    check_near(file, "loss", plan_output(r.plan, "loss")->data,
               set_get(want, "loss"), 1e-4);
    check_norms(file, g, r.plan, set_get(want, "norms"));
    run_end(&r);
    graph_free(s);
    graph_free(d);
    graph_free(j);
}

/* ---- the files ---- */

static struct graph *network_of(const char *file, const struct set *s)
{
    const char *opts[16] = {NULL};
    struct arena a = {0};
    char *save = NULL, *text = arena_strdup(&a, set_meta_get(s, "opts"));
    struct err e = {0};
    struct graph *g;
    int n = 0;

    for (char *w = strtok_r(text, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        opts[n++] = w;
    g = network_read(set_meta_get(s, "network"), opts, &e);
    if (!g)
        fail_msg("%s: %s", file, e.msg);
    arena_release(&a);
    return g;
}

static int64_t n_params(const struct graph *g)
{
    int64_t n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM)
            n += shape_count(&g->value[i]->shape);
    return n;
}

static int check_file(const char *file, struct pool *pool)
{
    struct err e = {0};
    struct graph *g;
    struct set s;
    int small;

    if (safetensors_read(&s, file, &e) < 0)
        fail_msg("%s: %s", file, e.msg);
    g = network_of(file, &s);
    small = n_params(g) <= MAX_PARAMS;
    if (small) {
        put_weights(g);
        check_logits(file, g, set_get(&s, "logits"), pool);
        if (set_get(&s, "norms"))
            check_step(file, g, &s, pool);
    }
    graph_free(g);
    set_release(&s);
    return small;
}

static void answers(void **state)
{
    (void)state;
    struct pool *pool = pool_new(2);
    glob_t found;
    int n = 0;

    assert_int_equal(glob("tests/ref/zoo/*.st", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        n += check_file(found.gl_pathv[i], pool);
    assert_true(n >= 5);
    globfree(&found);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
