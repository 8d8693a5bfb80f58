/* weightfile.c -- tensors as safetensors and NPZ, and back into a graph.
 * SPDX-License-Identifier: MIT  */
#include "format/weightfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"

static const enum weightfile forms[] = {WEIGHTFILE_SAFETENSORS, WEIGHTFILE_NPZ};

static void same_tensors(const struct graph *a, const struct graph *b)
{
    for (int i = 0; i < a->n_value; i++) {
        const struct tensor *x = &a->value[i]->data, *y = &b->value[i]->data;

        assert_true(shape_equal(&x->shape, &y->shape));
        if (value_is_tensor(a->value[i]))
            assert_memory_equal(x->data, y->data, tensor_bytes(x));
    }
}

static void test_back(void **state)
{
    struct graph *g = toy_graph(NULL, 1), *other = toy_graph(NULL, 2);
    int64_t tensors = 0;

    (void)state;
    for (int i = 0; i < g->n_value; i++)
        tensors += value_is_tensor(g->value[i]);
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct str s = {0};
        struct err e = {0};
        struct graph *back;
        int64_t n;

        assert_int_equal(weightfile_encode(&s, forms[i], g, &n, &e), 0);
        assert_int_equal(n, tensors);
        back = weightfile_graph(&s, forms[i], other, &e);
        assert_non_null(back);
        same_tensors(g, back);
        graph_free(back);
        str_release(&s);
    }
    graph_free(other);
    graph_free(g);
}

/* Of another network, and cut short.  */
static void test_other(void **state)
{
    static const char text[] = "network: test\ninput: {size: [3, 8, 8]}\n"
                               "body:\n  - flatten\n"
                               "  - linear: {as: fc, out: 3}\n";
    struct graph *g = toy_graph(NULL, 1), *other = toy_graph(text, 1);

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct str s = {0};
        struct err e = {0}, cut = {0};
        int64_t n;

        assert_int_equal(weightfile_encode(&s, forms[i], g, &n, &e), 0);
        assert_null(weightfile_graph(&s, forms[i], other, &e));
        assert_int_equal(e.code, ERR_FORMAT);
        s.len -= s.len / 3;
        assert_null(weightfile_graph(&s, forms[i], g, &cut));
        assert_int_equal(cut.code, ERR_FORMAT);
        str_release(&s);
    }
    graph_free(other);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
