/* params.c -- tests of run/params.h.
 * SPDX-License-Identifier: MIT  */
#include "run/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "op/ops.h"

static struct device *device;

static struct graph *linear(const char *out)
{
    char text[128];

    snprintf(text, sizeof text,
             "network: l\ninput: {size: [1, 8, 8]}\n"
             "body: [flatten, {linear: {as: fc, out: %s}}]\n",
             out);
    return toy_graph(text, 1);
}

static struct params *make(const struct graph *g)
{
    struct err e = {0};
    struct params *p = params_new(g, device, &e);

    if (!p)
        fail_msg("%s", e.msg);
    return p;
}

/* Copies: the graph does not see what is done to them until they are stored.
 */
static void test_copies(void **state)
{
    struct graph *g = linear("3"), *other;
    struct params *p = make(g);
    struct tensor *w = params_get(p, "fc.weight");
    const float was = *(const float *)graph_value(g, "fc.weight")->data.data;
    struct err e = {0};

    (void)state;
    assert_int_equal(tensor_count(w), 3 * 64);
    assert_null(params_get(p, "none"));
    *(float *)w->data = was + 1;
    assert_true(*(const float *)graph_value(g, "fc.weight")->data.data == was);
    other = graph_copy(g);
    assert_int_equal(params_store(p, g, NULL, &e), 0);
    assert_true(*(const float *)graph_value(g, "fc.weight")->data.data ==
                was + 1);
    assert_true(*(const float *)graph_value(other, "fc.weight")->data.data ==
                was);
    *(float *)w->data = was + 2; /* nor is what was stored shared */
    assert_true(*(const float *)graph_value(g, "fc.weight")->data.data ==
                was + 1);
    params_free(p);
    graph_free(g);
    graph_free(other);
}

/* Given: the graph has the tensors themselves, others stay.  */
static void test_give(void **state)
{
    struct graph *g = linear("3"), *other = graph_copy(g);
    struct params *p = make(g);
    const float *w = params_get(p, "fc.weight")->data;
    const void *was = graph_value(g, "fc.weight")->data.data;
    struct err e = {0};

    (void)state;
    assert_int_equal(params_give(p, g, NULL, &e), 0);
    params_free(p);
    assert_ptr_equal(graph_value(g, "fc.weight")->data.data, w);
    assert_ptr_equal(graph_value(other, "fc.weight")->data.data, was);
    assert_true(w[5] == ((const float *)was)[5]);
    graph_free(g);
    graph_free(other);
}

/* Shared: the graph's own tensors, given back as copies all the same.  */
static void test_share(void **state)
{
    struct graph *g = linear("3"), *other = graph_copy(g);
    struct err e = {0};
    struct params *p = params_share(g, device, &e);
    const void *w = graph_value(g, "fc.weight")->data.data;

    (void)state;
    assert_non_null(p);
    assert_ptr_equal(params_get(p, "fc.weight")->data, w);
    assert_int_equal(params_store(p, other, NULL, &e), 0);
    assert_ptr_not_equal(graph_value(other, "fc.weight")->data.data, w);
    graph_free(g); /* the tensors stay with P */
    assert_ptr_equal(params_get(p, "fc.weight")->data, w);
    params_free(p);
    graph_free(other);
}

static void test_add(void **state)
{
    struct graph *g = linear("3"), *toy = toy_graph(NULL, 1), *wide;
    struct params *p = make(g);
    struct tensor *w = params_get(p, "fc.weight");
    struct err e = {0};

    (void)state;
    wide = linear("4");
    assert_int_equal(params_add(p, wide, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    assert_non_null(strstr(e.msg, "'fc.weight' is f32 [3,64] in one graph"));
    e = (struct err){0};
    assert_int_equal(params_add(p, g, &e), 0);
    assert_ptr_equal(params_get(p, "fc.weight")->data, w->data);
    params_free(p);
    p = make(toy);
    assert_non_null(params_get(p, "bn1.running_var"));
    graph_free(g);
    graph_free(wide);
    graph_free(toy);
    params_free(p);
}

static void test_no_values(void **state)
{
    const struct shape s = {4, {1, 1, 8, 8}, 1};
    struct graph *g = graph_new("empty");
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);
    struct err e = {0};

    (void)state;
    graph_add(g, op_find("batchnorm2d"), "bn", &x, 1, NULL, &e);
    assert_null(params_new(g, device, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "adze-init"));
    graph_free(g);
}

/* ---- packed forms ---- */

static int packings; /* how often pack() ran */

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    (void)s;
    return i == 1 ? sizeof(float) : 0;
}

/* The sum.  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t,
                 void *packed)
{
    float sum = 0;

    (void)s;
    (void)i;
    for (int64_t k = 0; k < tensor_count(t); k++)
        sum += ((const float *)t->data)[k];
    *(float *)packed = sum;
    packings++;
}

static void test_packed(void **state)
{
    static const struct kernel a = {.name = "a",
                                    .pack_bytes = pack_bytes,
                                    .pack = pack},
                               b = {.name = "b",
                                    .pack_bytes = pack_bytes,
                                    .pack = pack};
    struct graph *g = linear("3");
    const struct step_nodes s = {1, {g->node[g->n_node - 1]}, {0}, 1};
    struct params *p = make(g);
    struct tensor *w = params_get(p, "fc.weight");
    struct pool *pool = pool_new(2);
    struct err e = {0};
    const float *x, *y;
    float was;

    (void)state;
    packings = 0;
    x = params_packed(p, "fc.weight", &a, &s, 1, &e);
    y = params_packed(p, "fc.weight", &b, &s, 1, &e);
    assert_int_equal(packings, 2);
    assert_ptr_equal(params_packed(p, "fc.weight", &a, &s, 1, &e), x);
    assert_ptr_not_equal(x, y);
    assert_int_equal(packings, 2);
    was = *x;
    params_refresh(p, pool); /* nothing changed */
    assert_int_equal(packings, 2);
    for (int64_t i = 0; i < tensor_count(w); i++)
        ((float *)w->data)[i] = 1;
    params_touch(p, "fc.bias");
    params_touch(p, "none");
    params_refresh(p, pool);
    assert_true(*x == was);
    params_touch(p, "fc.weight");
    params_refresh(p, pool);
    assert_int_equal(packings, 4);
    assert_true(*x == 192 && *y == 192);
    pool_free(pool);
    params_free(p);
    graph_free(g);
}

static int setup(void **state)
{
    (void)state;
    device = device_cpu_new(cpu_features());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    device_cpu_free(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),    cmocka_unit_test(test_give),
        cmocka_unit_test(test_share),     cmocka_unit_test(test_add),
        cmocka_unit_test(test_no_values), cmocka_unit_test(test_packed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
