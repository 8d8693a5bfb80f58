/* weights.c -- tests of format/weights.h and format/modelname.h.
 * SPDX-License-Identifier: MIT  */
#include "format/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../network_text.h"
#include "base/err.h"
#include "base/mem.h"
#include "format/head.h"
#include "graph/graph.h"
#include "tensor/set.h"

static const char net[] = "input: {size: [3, 2, 2]}\n"
                          "body:\n"
                          "- conv: {as: a, out: 2, kernel: 1}\n"
                          "- bn: {as: b}\n"
                          "- flatten\n"
                          "- linear: {as: fc, out: 4}\n"
                          "- relu\n";

/* All tensors of NET as DT but the one named WITHOUT.  */
static void fill(struct set *s, enum dtype dt, const char *without)
{
    static unsigned char zeros[1024];
    struct graph *g = network_text(net);

    set_init(s);
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];
        const struct tensor t = tensor_view(dt, &v->shape, zeros);

        if ((v->kind == VALUE_PARAM || v->kind == VALUE_STATE) &&
            strcmp(v->name, without) != 0)
            set_put(s, v->name, &t);
    }
    graph_free(g);
}

static void put(struct set *s, const char *name, int64_t n)
{
    static float zeros[64];
    const struct shape shape = shape_make(1, &n);
    const struct tensor t = tensor_view(DTYPE_F32, &shape, zeros);

    set_put(s, name, &t);
}

static void takes_all(void **state)
{
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16,
                                       DTYPE_F64};
    const struct weights_opts o = {0}, partial = {.partial = 1};

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct graph *g = network_text(net);
        struct weights w;
        struct err e = {0};
        struct set s;

        fill(&s, types[i], "");
        put(&s, "b.num_batches_tracked", 1);
        put(&s, "b.relative_position_index", 1);
        assert_int_equal(weights_take(&w, g, &s, &o, &e), 0);
        assert_int_equal(w.n_taken, 7);
        assert_int_equal(w.diff.n_unexpected, 0);
        weights_release(&w);
        put(&s, "other", 1);
        assert_int_equal(weights_take(&w, g, &s, &partial, &e), 0);
        assert_int_equal(w.n_taken, 7);
        assert_int_equal(w.taken_params, 6 + 4 + 36);
        assert_int_equal(w.diff.n_unexpected, 1);
        assert_string_equal(w.diff.unexpected[0], "other");
        assert_int_equal(w.n_head, 0);
        assert_int_equal(graph_value(g, "a.weight")->data.dtype, DTYPE_F32);
        weights_release(&w);
        set_release(&s);
        graph_free(g);
    }
}

static void refuse(struct set *s, struct weights_opts o, const char *want,
                   enum err_code code)
{
    struct graph *g = network_text(net);
    struct weights w;
    struct err e = {0};

    assert_int_equal(weights_take(&w, g, s, &o, &e), -1);
    if (!strstr(e.msg, want) || e.code != code)
        fail_msg("'%s' is not in '%s'", want, e.msg);
    weights_release(&w);
    set_release(s);
    graph_free(g);
}

static void refuses(void **state)
{
    const struct weights_opts plain = {0}, partial = {.partial = 1},
                              new_head = {.new_head = 1};
    struct set s;

    (void)state;
    fill(&s, DTYPE_F32, "b.bias");
    refuse(&s, plain, "missing 'b.bias' (6 of 7 fit; --partial takes those)",
           ERR_FORMAT);
    fill(&s, DTYPE_F32, "b.bias");
    refuse(&s, new_head, "missing 'b.bias'", ERR_FORMAT);
    fill(&s, DTYPE_F32, "");
    put(&s, "other", 1);
    refuse(&s, plain, "unexpected 'other' (7 of 7 fit; --partial takes",
           ERR_FORMAT);
    fill(&s, DTYPE_F32, "b.bias");
    put(&s, "b.bias", 3);
    refuse(&s, plain, "'b.bias' is [3], not [2]", ERR_FORMAT);
    fill(&s, DTYPE_F32, "fc.bias");
    put(&s, "fc.bias", 3);
    refuse(&s, plain, "the head 'fc.bias' is [3] in the file, [4] here",
           ERR_SHAPE);
    fill(&s, DTYPE_F32, "fc.bias");
    refuse(&s, plain, "the file has no head 'fc.bias': --head=new", ERR_FORMAT);
    fill(&s, DTYPE_I32, "");
    refuse(&s, plain, "is i32, not a float", ERR_FORMAT);
    set_init(&s);
    put(&s, "x", 1);
    refuse(&s, partial, "no tensor has a name and shape", ERR_FORMAT);
}

static void new_heads_and_parts(void **state)
{
    const struct weights_opts partial = {.partial = 1},
                              new_head = {.new_head = 1};
    struct graph *g = network_text(net), *h = network_text(net);
    struct weights w;
    struct err e = {0};
    struct set s;

    (void)state;
    fill(&s, DTYPE_F32, "fc.bias");
    put(&s, "fc.bias", 3);
    assert_int_equal(weights_take(&w, g, &s, &new_head, &e), 0);
    assert_int_equal(w.n_taken, 5);
    assert_int_equal(w.n_head, 2);
    assert_null(graph_value(g, "fc.weight")->data.data);
    assert_true(head_has(g, graph_value(g, "fc.weight")));
    assert_false(head_has(g, graph_value(g, "b.weight")));
    weights_release(&w);
    assert_int_equal(weights_take(&w, h, &s, &partial, &e), 0);
    assert_int_equal(w.n_taken, 6);
    assert_int_equal(w.diff.n_shape, 1);
    weights_release(&w);
    set_release(&s);
    graph_free(g);
    graph_free(h);
}

static int has(const struct set *s, const char *name)
{
    return set_get(s, name) != NULL;
}

/* Only where the rest is ours and the whole is not.  */
static void strips_prefixes(void **state)
{
    struct graph *g = network_text(net);
    struct weights_strip cut;
    struct set s, t;

    (void)state;
    set_init(&s);
    set_meta_put(&s, "key", "value");
    put(&s, "module.a.weight", 1);
    put(&s, "module.model.b.weight", 1);
    put(&s, "model.b.bias", 1);
    put(&s, "b.bias", 2);
    put(&s, "model.other", 1);
    put(&s, "module.", 1);
    weights_strip(&t, &s, g, &cut);
    assert_int_equal(cut.n, 2);
    assert_string_equal(cut.prefix, "module.");
    assert_int_equal(t.n, s.n);
    assert_true(has(&t, "a.weight") && has(&t, "b.weight"));
    assert_true(has(&t, "model.b.bias") && has(&t, "model.other"));
    assert_int_equal(tensor_count(set_get(&t, "b.bias")), 2);
    assert_string_equal(set_meta_get(&t, "key"), "value");
    set_release(&t);
    set_release(&s);
    graph_free(g);
}

/* Sizes of 1 do not count, others do, in their order.  */
static void ignores_sizes_of_1(void **state)
{
    static const struct {
        int rank;
        int64_t dim[4];
        int fits;
    } cases[] = {
        {3, {1, 2, 3}, 1},    {2, {2, 3}, 1},       {4, {2, 1, 3, 1}, 1},
        {4, {1, 1, 2, 3}, 1}, {3, {1, 3, 2}, 0},    {1, {6}, 0},
        {3, {2, 3, 2}, 0},    {4, {2, 1, 1, 1}, 0},
    };
    const char *const text = "network: t\ninput: {size: [2, 1, 1]}\nbody: "
                             "[conv: {as: c, out: 2, kernel: [1, 3], pad: "
                             "[0, 1], groups: 2}]\n";
    struct graph *g = network_text(text);
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct shape shape = shape_make(cases[i].rank, cases[i].dim);
        struct weights_strip cut;
        struct set s, t;
        struct tensor x;

        assert_int_equal(tensor_new(&x, DTYPE_F32, &shape, &e), 0);
        set_init(&s);
        set_put(&s, "c.weight", &x);
        weights_strip(&t, &s, g, &cut);
        assert_int_equal(shape_equal(&set_get(&t, "c.weight")->shape,
                                     &graph_value(g, "c.weight")->shape),
                         cases[i].fits);
        set_release(&t);
        set_release(&s);
        tensor_unref(&x);
    }
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_all),
        cmocka_unit_test(refuses),
        cmocka_unit_test(new_heads_and_parts),
        cmocka_unit_test(strips_prefixes),
        cmocka_unit_test(ignores_sizes_of_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
