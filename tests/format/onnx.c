/* onnx.c -- graphs written as ONNX and read back compute the same.
 * SPDX-License-Identifier: MIT
 *
 * With ADZE_ONNX_DIR=DIR each file is also kept there, with the inputs and
 * outputs of the references as .npy: tests/interop runs them elsewhere.  */
#include "format/onnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../graph_random.h"
#include "../interp.h"
#include "../onnx_cases.h"
#include "../op_check.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/preprocess.h"
#include "tensor/npy.h"

enum { BATCH = 2 };

/* ---- one graph ---- */

static void save_bytes(const char *path, const struct str *s)
{
    struct err e = {0};
    struct out o;

    if (out_open(&o, path, &e) < 0 || out_write(&o, s->data, s->len, &e) < 0 ||
        out_commit(&o, &e) < 0)
        fail_msg("%s", e.msg);
}

static void save_tensor(const char *dir, const char *name, const char *what,
                        const char *value, const struct tensor *t)
{
    struct str path = {0};
    struct err e = {0};

    str_printf(&path, "%s/%s.%s.%s.npy", dir, name, what, value);
    if (npy_save(t, str_text(&path), &e) < 0)
        fail_msg("%s", e.msg);
    str_release(&path);
}

static void keep(const char *name, const struct graph *g, struct interp *r,
                 const struct str *bytes)
{
    const char *dir = getenv("ADZE_ONNX_DIR");
    struct str path = {0};

    if (!dir)
        return;
    str_printf(&path, "%s/%s.onnx", dir, name);
    save_bytes(str_text(&path), bytes);
    str_release(&path);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            save_tensor(dir, name, "in", g->value[i]->name, &r->value[i]);
    for (int i = 0; i < g->n_output; i++)
        save_tensor(dir, name, "out", g->output[i].name,
                    interp_output(r, g->output[i].name));
}

static void near(const char *name, struct interp *a, struct interp *b,
                 const char *output, double share)
{
    const struct tensor *x = interp_output(a, output);
    const struct tensor *y = interp_output(b, output);
    double scale = 0;

    assert_non_null(y);
    if (!shape_equal(&x->shape, &y->shape))
        fail_msg("%s: %s is %s, was %s", name, output, ST(&y->shape),
                 ST(&x->shape));
    for (int64_t i = 0; i < tensor_count(x); i++)
        scale = fmax(scale, fabs(trial_get(x, i)));
    for (int64_t i = 0; i < tensor_count(x); i++) {
        const double d = fabs(trial_get(x, i) - trial_get(y, i));
        const int none = isnan(trial_get(x, i)) && isnan(trial_get(y, i));

        if (!none && !(d <= share * scale))
            fail_msg("%s: %s [%d] is %.9g, was %.9g", name, output, (int)i,
                     trial_get(y, i), trial_get(x, i));
    }
}

/* Some 100 roundings of sums no larger than 16 times the result.  */
static void compare(const char *name, struct interp *a, struct interp *b,
                    const char *output)
{
    near(name, a, b, output, 100 * 16 * ldexp(1, -24));
}

static void round_trip(const char *name, const struct graph *g, int64_t opset)
{
    const struct onnx_opts o = {.opset = opset};
    struct str one = {0}, two = {0};
    struct err e = {0};
    struct interp a, b;
    struct graph *back;

    if (onnx_encode(&one, g, NULL, &o, &e) < 0 ||
        onnx_encode(&two, g, NULL, &o, &e) < 0)
        fail_msg("%s: %s", name, e.msg);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    interp_run(&a, g, BATCH, 3);
    keep(name, g, &a, &one);
    back = onnx_read((const unsigned char *)one.data, one.len, &e);
    if (!back)
        fail_msg("%s: %s", name, e.msg);
    interp_run(&b, back, BATCH, 3);
    for (int i = 0; i < g->n_output; i++)
        compare(name, &a, &b, g->output[i].name);
    interp_release(&a);
    interp_release(&b);
    graph_free(back);
    str_release(&one);
    str_release(&two);
}

/* ---- every op ---- */

static void one_op(const struct onnx_case *c, int number, int64_t opset)
{
    struct graph *g = onnx_case_graph(c);
    struct str name = {0};

    graph_random_fill(g, 2);
    str_printf(&name, "%s-%d-%d", c->op, number, (int)opset);
    round_trip(str_text(&name), g, opset);
    str_release(&name);
    graph_free(g);
}

/* The lowest operator set that says it.  */
static int64_t lowest(const struct onnx_case *c)
{
    int64_t opset = ONNX_OPSET_MIN;

    for (;; opset++) {
        const struct onnx_opts o = {.opset = opset};
        struct graph *g = onnx_case_graph(c);
        struct str s = {0};
        struct err e = {0};

        graph_random_fill(g, 2);
        const int bad = onnx_encode(&s, g, NULL, &o, &e) < 0;

        if (bad && !strstr(e.msg, "needs opset"))
            fail_msg("%s", e.msg);
        graph_free(g);
        str_release(&s);
        if (!bad)
            return opset;
    }
}

/* In f16 numbers are rounded, and some ops round many of them.  */
static void half_precision(void **state)
{
    (void)state;
    for (int i = 0; i < onnx_n_cases; i++) {
        const struct onnx_opts o = {.half = 1,
                                    .opset = onnx_cases[i].since > 13
                                                 ? onnx_cases[i].since
                                             : i % 2 ? 13
                                                     : 0};
        struct graph *g = onnx_case_graph(&onnx_cases[i]), *back = NULL;
        struct interp a, b;
        struct str s = {0};
        struct err e = {0};

        graph_random_fill(g, 2);
        if (onnx_encode(&s, g, NULL, &o, &e) < 0 ||
            !(back = onnx_read((const unsigned char *)s.data, s.len, &e)))
            fail_msg("%s, case %d: %s", onnx_cases[i].op, i, e.msg);
        interp_run(&a, g, BATCH, 3);
        interp_run(&b, back, BATCH, 3);
        for (int k = 0; k < g->n_output; k++)
            near(onnx_cases[i].op, &a, &b, g->output[k].name, ldexp(1, -8));
        interp_release(&a);
        interp_release(&b);
        graph_free(back);
        graph_free(g);
        str_release(&s);
    }
}

/* Below 11 much has another form; few ops need more than 7.  */
static void old_operator_sets(void **state)
{
    int first = 0;

    (void)state;
    for (int i = 0; i < onnx_n_cases; i++) {
        const int64_t since = lowest(&onnx_cases[i]);

        one_op(&onnx_cases[i], i, since);
        if (since < 9)
            one_op(&onnx_cases[i], i, 9);
        if (since < 10)
            one_op(&onnx_cases[i], i, 10);
        first += since == ONNX_OPSET_MIN;
    }
    assert_true(first * 10 > 8 * onnx_n_cases);
}

static void every_op(void **state)
{
    (void)state;
    for (int i = 0; i < onnx_n_cases; i++) {
        one_op(&onnx_cases[i], i, 0);
        one_op(&onnx_cases[i], i,
               onnx_cases[i].since ? onnx_cases[i].since : 13);
        one_op(&onnx_cases[i], i, ONNX_OPSET_MAX);
    }
}

/* Ops of several operators come back as one.  */
static void patterns_come_back(void **state)
{
    static const struct onnx_case patterns[] = {
        {"attention", "heads=2", "N,5,12"},
        {"classtoken", "", "N,3,4"},
        {"gelu", "", "N,9"},
        {"gelu", "approximate=tanh", "N,9"},
        {"layernorm", "axis=1", "N,5,3,2"},
        {"mish", "", "N,9"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct graph *g = onnx_case_graph(&patterns[i]), *back;
        struct str s = {0};
        struct err e = {0};

        graph_random_fill(g, 2);
        assert_int_equal(onnx_encode(&s, g, NULL, NULL, &e), 0);
        back = onnx_read((const unsigned char *)s.data, s.len, &e);
        assert_non_null(back);
        assert_int_equal(back->n_node, 1);
        assert_string_equal(back->node[0]->op->name, patterns[i].op);
        str_release(&s);
        graph_free(back);
        graph_free(g);
    }
}

/* A table of distances becomes a constant, and is no operand.  */
static void window_bias(void **state)
{
    const struct shape table = shape_make(2, (int64_t[]){9, 2});
    static const struct attr_text attr[] = {
        {"size", "2"}, {"grid", "[2, 4]"}, {"shift", "1"}, {0}};
    static const struct attr_text heads[] = {
        {"heads", "2"}, {"bias", "yes"}, {0}};
    struct shape x = shape_make(3, (int64_t[]){2, 4, 12});
    struct graph *g = graph_new("bias");
    struct value *in[2], *t;
    struct err e = {0};
    struct str s = {0};

    (void)state;
    x.batch = 1;
    in[0] = graph_input(g, "x", DTYPE_F32, &x);
    t = graph_tensor(g, "table", VALUE_PARAM, &table, NULL);
    in[1] = graph_add(g, op_find("windowbias"), "b", &t, 1, attr, &e)->out[0];
    graph_output(
        g, "y",
        graph_add(g, op_find("attention"), "a", in, 2, heads, &e)->out[0], 0);
    assert_int_equal(onnx_encode(&s, g, NULL, NULL, &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    graph_random_fill(g, 2);
    round_trip("windowbias", g, 0);
    str_release(&s);
    graph_free(g);
}

/* Every op of inference is in onnx_cases, in a case of its own, or in
 * quantized() below.  */
static void no_op_is_forgotten(void **state)
{
    static const char *const others =
        "crossentropy quantize dequantize maskedselect windowbias";

    (void)state;
    for (int i = 0; op_all[i]; i++) {
        int seen = strstr(others, op_all[i]->name) != NULL ||
                   op_all[i]->flags & OP_INTERNAL || !op_all[i]->forward;

        for (int k = 0; k < onnx_n_cases; k++)
            seen |= !strcmp(onnx_cases[k].op, op_all[i]->name);
        if (!seen)
            fail_msg("no case writes op '%s'", op_all[i]->name);
    }
}

static void random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct graph *g = graph_random(seed, 5);
        char name[32];

        snprintf(name, sizeof name, "random-%d", (int)seed);
        round_trip(name, g, 0);
        graph_free(g);
    }
}

static void quantized(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct graph *g = graph_random(seed, 4), *q = onnx_case_int8(g);
        char name[32];

        snprintf(name, sizeof name, "int8-%d", (int)seed);
        round_trip(name, q, 0);
        graph_free(q);
        graph_free(g);
    }
}

/* ---- errors and names ---- */

static void names(void **state)
{
    struct graph *g = graph_random(1, 2), *back;
    struct str s = {0};
    struct err e = {0};

    (void)state;
    graph_output(g, "again", graph_output_value(g, "logits"), 0);
    assert_int_equal(onnx_encode(&s, g, NULL, NULL, &e), 0);
    back = onnx_read((const unsigned char *)s.data, s.len, &e);
    assert_non_null(back);
    assert_non_null(graph_value(back, "s2.fc.weight"));
    assert_non_null(graph_value(back, "image"));
    assert_non_null(graph_output_value(back, "logits"));
    assert_non_null(graph_output_value(back, "again"));
    graph_free(back);
    graph_free(g);
    str_release(&s);
}

static void refuses_opts(struct graph *g, const struct onnx_opts *o, int code,
                         const char *word)
{
    struct str s = {0};
    struct err e = {0};

    assert_int_equal(onnx_encode(&s, g, NULL, o, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
    str_release(&s);
}

static void refuses(struct graph *g, int64_t opset, int code, const char *word)
{
    const struct onnx_opts o = {.opset = opset};

    refuses_opts(g, &o, code, word);
}

static void errors_of_forms(void **state)
{
    struct graph *g = onnx_case_graph(
                     &(struct onnx_case){"linear", "out=3", "N,3"}),
                 *q;
    const struct onnx_opts half = {.half = 1};
    struct preprocess pre;
    const struct onnx_opts front = {.front = &pre};

    (void)state;
    preprocess_init(&pre, 3, 8, 8);
    graph_random_fill(g, 1);
    refuses_opts(g, &front, ERR_SHAPE, "a second input, 'x0'");
    ((float *)graph_value(g, "op.weight")->data.data)[1] = 70000;
    refuses_opts(g, &half, ERR_UNSUPPORTED,
                 "'op.weight' holds 70000, which is beyond fp16");
    graph_free(g);
    g = graph_random(1, 3);
    q = onnx_case_int8(g);
    refuses_opts(q, &half, ERR_UNSUPPORTED, "8 bits");
    pre.size[1] = 999;
    refuses_opts(g, &front, ERR_SHAPE, "999], the network reads [N,");
    graph_free(q);
    graph_free(g);
}

static void errors(void **state)
{
    struct graph *g = onnx_case_graph(&(struct onnx_case){"gelu", "", "N,3"});

    (void)state;
    refuses(g, 8, ERR_UNSUPPORTED, "needs opset 9");
    refuses(g, 5, ERR_USAGE, "not within 7..21");
    graph_free(g);
    g = onnx_case_graph(&(struct onnx_case){"crossentropy", "", "N,3 N,3"});
    refuses(g, 0, ERR_UNSUPPORTED, "cannot be said");
    graph_free(g);
    g = onnx_case_graph(&(struct onnx_case){"linear", "out=3", "N,3"});
    refuses(g, 0, ERR_USAGE, "has no data");
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op),        cmocka_unit_test(old_operator_sets),
        cmocka_unit_test(half_precision),  cmocka_unit_test(patterns_come_back),
        cmocka_unit_test(window_bias),     cmocka_unit_test(no_op_is_forgotten),
        cmocka_unit_test(random_graphs),   cmocka_unit_test(quantized),
        cmocka_unit_test(names),           cmocka_unit_test(errors),
        cmocka_unit_test(errors_of_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
