/* quantize.c -- networks in 8 bits.
 * SPDX-License-Identifier: MIT  */
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
#include "../op_check.h"
#include "../pass_check.h"
#include "base/str.h"
#include "pass/pass.h"

static struct graph *quantize(const struct graph *g,
                              const struct quantize_opts *o)
{
    struct err e = {0};
    struct graph *q = pass_quantize(g, o, &e);

    if (!q || graph_check(q, &e) < 0)
        fail_msg("%s", e.msg);
    return q;
}

static struct graph *fused(uint64_t seed, int steps)
{
    struct graph *g = graph_random(seed, steps);
    struct err e = {0};
    struct graph *s = pass_simplify(g, &e), *f = pass_fuse_bn(s, &e);

    if (!f)
        fail_msg("%s", e.msg);
    graph_free(g);
    graph_free(s);
    return f;
}

/* sum (a - b)^2 / sum b^2 of the logits.  */
static double error_of(const struct graph *q, const struct graph *g)
{
    struct interp a, b;
    double d = 0, all = 0;

    interp_run(&a, q, 8, 9);
    interp_run(&b, g, 8, 9);
    const struct tensor *x = interp_output(&a, "logits");
    const struct tensor *y = interp_output(&b, "logits");

    assert_true(shape_equal(&x->shape, &y->shape));
    for (int64_t i = 0; i < tensor_count(x); i++) {
        d += pow(trial_get(x, i) - trial_get(y, i), 2);
        all += pow(trial_get(y, i), 2);
    }
    interp_release(&a);
    interp_release(&b);
    return d / all;
}

static void random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct graph *g = fused(seed, 1 + (int)(seed % 6)), *q, *qq;
        struct str before = {0}, after = {0}, once = {0}, twice = {0};
        const char **names;
        struct pass_ranges s;

        pass_check_ranges(&s, g, NULL);
        interp_dump(&before, g);
        q = quantize(g, &s.o);
        interp_dump(&after, g);
        assert_string_equal(str_text(&before), str_text(&after));
        names = pass_quantize_wants(q, &s.o);
        assert_null(names[0]);
        free(names);
        qq = quantize(q, &s.o);
        interp_dump(&once, q);
        interp_dump(&twice, qq);
        assert_string_equal(str_text(&once), str_text(&twice));
        assert_true(pass_check_count(q, "quantize") > 0);
        /* Some ten roundings to 1/256 of the range.  */
        if (!(error_of(q, g) < 0.01))
            fail_msg("seed %d: error %g", (int)seed, error_of(q, g));
        str_release(&before);
        str_release(&after);
        str_release(&once);
        str_release(&twice);
        graph_free(qq);
        graph_free(q);
        graph_free(g);
    }
}

static struct value *add(struct graph *g, const char *op, const char *name,
                         struct value *x, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *n = graph_add(g, op_find(op), name, &x, 1, attr, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n->out[0];
}

/* image [N,1,2,2] -> conv1 1x1, 2 channels, bias -> relu -> fc -> logits.  */
static struct graph *small(const float *w, const float *b)
{
    const struct shape s = {.rank = 4, .dim = {1, 1, 2, 2}, .batch = 1};
    struct graph *g = graph_new("small");
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);

    x = add(g, "conv2d", "conv1", x,
            (struct attr_text[]){
                {"out", "2"}, {"kernel", "1"}, {"bias", "yes"}, {0}});
    x = add(g, "relu", "relu", x, NULL);
    x = add(g, "flatten", "flat", x, NULL);
    x = add(g, "linear", "fc", x, (struct attr_text[]){{"out", "3"}, {0}});
    graph_output(g, "logits", x, 0);
    graph_random_fill(g, 1);
    memcpy(graph_value(g, "conv1.weight")->data.data, w, 2 * sizeof *w);
    memcpy(graph_value(g, "conv1.bias")->data.data, b, 2 * sizeof *b);
    return g;
}

static const struct range usual[] = {{"image", -1, 1.55}, {"relu", 0, 5.1}};
static const struct quantize_opts usual_opts = {.range = usual, .n_range = 2};

static void known(void **state)
{
    const float w[] = {0.5f, -1.27f}, b[] = {1, -2};
    struct graph *g = small(w, b), *q = quantize(g, &usual_opts);
    const char **names = pass_quantize_wants(g, &usual_opts);
    const float *scale = graph_value(q, "conv1.weight_scale")->data.data;
    const int8_t *p = graph_value(q, "conv1.weight")->data.data;
    const int32_t *bias = graph_value(q, "conv1.bias")->data.data;
    const float sx = *(float *)graph_value(q, "image.scale")->data.data;

    (void)state;
    assert_string_equal(names[0], "image");
    assert_string_equal(names[1], "relu"); /* flat has relu's scale */
    assert_null(names[2]);
    free(names);
    assert_float_equal(sx, 0.01, 1e-9);
    assert_int_equal(*(uint8_t *)graph_value(q, "image.zero_point")->data.data,
                     100);
    assert_int_equal(graph_value(q, "conv1.weight")->dtype, DTYPE_I8);
    assert_int_equal(p[0], 127);
    assert_int_equal(p[1], -127);
    assert_true(scale[0] == 0.5f / 127 && scale[1] == (float)(1.27f / 127.));
    assert_int_equal(bias[0], 25400);
    assert_int_equal(bias[1], -20000);
    assert_true(*(float *)graph_value(q, "flat.scale")->data.data ==
                *(float *)graph_value(q, "relu.scale")->data.data);
    /* The relu is read by nothing but its pair, the conv by the relu.  */
    assert_string_equal(graph_value(q, "conv1")->use[0].node->name, "relu");
    assert_string_equal(graph_value(q, "relu")->use[0].node->op->name,
                        "quantize");
    assert_string_equal(graph_output_value(q, "logits")->name, "fc");
    graph_free(q);
    graph_free(g);
}

/* Weights of 7 bits; all else as it was.  */
static void reduced_range(void **state)
{
    const float w[] = {0.5f, -1.27f}, b[] = {0.5f, -1};
    struct quantize_opts o = usual_opts;
    struct graph *g = small(w, b), *q;
    const float *scale;
    const int8_t *p;

    (void)state;
    o.reduce_range = 1;
    q = quantize(g, &o);
    scale = graph_value(q, "conv1.weight_scale")->data.data;
    p = graph_value(q, "conv1.weight")->data.data;
    assert_int_equal(p[0], 64);
    assert_int_equal(p[1], -64);
    assert_true(scale[0] == 0.5f / 64 && scale[1] == (float)(1.27f / 64.));
    assert_float_equal(*(float *)graph_value(q, "image.scale")->data.data, 0.01,
                       1e-9);
    graph_free(q);
    graph_free(g);
}

/* A dead channel; a bias that needs a larger scale.  */
static void odd_channels(void **state)
{
    const float w[] = {0, 1e-9f}, b[] = {0, 3};
    struct graph *g = small(w, b), *q = quantize(g, &usual_opts);
    const float *scale = graph_value(q, "conv1.weight_scale")->data.data;
    const int32_t *bias = graph_value(q, "conv1.bias")->data.data;
    const float *sb = graph_value(q, "conv1.bias_scale")->data.data;

    (void)state;
    assert_true(scale[0] == 1);
    assert_int_equal(bias[0], 0);
    assert_true(bias[1] > 1 << 29 && bias[1] <= (1 << 30) + 64);
    assert_float_equal(bias[1] * (double)sb[1], 3, 1e-6);
    graph_free(q);
    graph_free(g);
}

static void skipping(void **state)
{
    static const char *const conv[] = {"conv*", NULL}, *const all[] = {"*",
                                                                       NULL};
    const float w[] = {0.5f, -1.27f}, b[] = {1, -2};
    struct graph *g = small(w, b), *q;
    struct pass_ranges s;

    (void)state;
    pass_check_ranges(&s, g, conv);
    q = quantize(g, &s.o);
    assert_int_equal(graph_value(q, "conv1.weight")->dtype, DTYPE_F32);
    assert_int_equal(graph_value(q, "fc.weight")->dtype, DTYPE_I8);
    assert_int_equal(pass_check_count(q, "quantize"), 1);
    assert_non_null(pass_quantized(q));
    graph_free(q);
    pass_check_ranges(&s, g, all);
    q = quantize(g, &s.o);
    assert_int_equal(pass_check_count(q, "quantize"), 0);
    assert_null(pass_quantized(q));
    assert_int_equal(q->n_node, g->n_node);
    graph_free(q);
    graph_free(g);
}

static void fails(const struct range *r, int n, float weight, int code,
                  const char *word)
{
    const float w[] = {0.5f, weight}, b[] = {1, -2};
    const struct quantize_opts o = {.range = r, .n_range = n};
    struct graph *g = small(w, b);
    struct err e = {0};

    assert_null(pass_quantize(g, &o, &e));
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
    graph_free(g);
}

/* F-151: nothing seen, constants, outliers.  */
static void odd_ranges(void **state)
{
    const struct range inf[] = {{"image", 0, INFINITY}, {"relu", 0, 1}};
    const struct range none[] = {{"image", INFINITY, -INFINITY},
                                 {"relu", 0, 1}};
    const struct range huge[] = {{"image", -1e300, 1}, {"relu", 0, 1}};
    const struct range flat[] = {{"image", 3, 3}, {"relu", 0, 1e30}};
    const struct quantize_opts o = {.range = flat, .n_range = 2};
    const float w[] = {0.5f, -1}, b[] = {1, -2};
    struct graph *g = small(w, b), *q = quantize(g, &o);

    (void)state;
    assert_float_equal(*(float *)graph_value(q, "image.scale")->data.data,
                       3. / 255, 1e-9);
    graph_free(q);
    graph_free(g);
    fails(usual, 1, 1, ERR_USAGE, "'relu'");
    fails(inf, 2, 1, ERR_NONFINITE, "'image'");
    fails(none, 2, 1, ERR_NONFINITE, "'image'");
    fails(huge, 2, 1, ERR_NONFINITE, "too large");
    fails(usual, 2, NAN, ERR_NONFINITE, "'conv1': channel 1");
    fails(usual, 2, INFINITY, ERR_NONFINITE, "'conv1': channel 1");
}

static void shared_weight(void **state)
{
    const struct shape s = {.rank = 2, .dim = {1, 4}, .batch = 1};
    struct graph *g = graph_new("shared"), *q;
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);
    struct value *a =
        add(g, "linear", "a", x, (struct attr_text[]){{"out", "4"}, {0}});
    struct err e = {0};
    struct value *in[] = {add(g, "relu", "r", a, NULL),
                          graph_value(g, "a.weight"), graph_value(g, "a.bias")};
    struct node *b = graph_add(g, op_find("linear"), "b", in, 3,
                               (struct attr_text[]){{"out", "4"}, {0}}, &e);
    struct pass_ranges seen;

    (void)state;
    graph_output(g, "logits", b->out[0], 0);
    graph_random_fill(g, 1);
    pass_check_ranges(&seen, g, NULL);
    q = quantize(g, &seen.o);
    assert_true(error_of(q, g) < 0.001);
    assert_int_equal(graph_value(q, "a.weight")->dtype, DTYPE_I8);
    assert_int_equal(graph_value(q, "a.weight_2")->dtype, DTYPE_I8);
    graph_free(q);
    graph_free(g);
}

static float scale_of(const struct graph *q, const char *name)
{
    struct str s = {0};
    const struct value *v;
    float scale;

    str_printf(&s, "%s.scale", name);
    v = graph_value(q, str_text(&s));
    assert_non_null(v);
    scale = *(const float *)v->data.data;
    str_release(&s);
    return scale;
}

/* a and b are read by a concat alone, c by another layer too; two concats in a
 * row have one scale.  */
static void concatenated(void **state)
{
    const struct shape s = {.rank = 4, .dim = {1, 3, 4, 4}, .batch = 1};
    const struct attr_text conv[] = {{"out", "2"}, {"kernel", "1"}, {0}};
    struct graph *g = graph_new("concats"), *q;
    struct value *x = graph_input(g, "image", DTYPE_F32, &s), *in[3];
    struct pass_ranges r;
    struct err e = {0};

    (void)state;
    in[0] = add(g, "conv2d", "a", x, conv);
    in[1] = add(g, "relu", "b", add(g, "conv2d", "b0", x, conv), NULL);
    in[0] = graph_add(g, op_find("concat"), "ab", in, 2, NULL, &e)->out[0];
    in[1] = add(g, "conv2d", "c", x, conv);
    in[2] = add(g, "conv2d", "d", in[1], conv);
    x = graph_add(g, op_find("concat"), "all", in, 3, NULL, &e)->out[0];
    x = add(g, "globalavgpool", "pool", add(g, "conv2d", "f", x, conv), NULL);
    graph_output(g, "logits", add(g, "flatten", "flat", x, NULL), 0);
    graph_random_fill(g, 1);
    pass_check_ranges(&r, g, NULL);
    q = quantize(g, &r.o);
    assert_true(scale_of(q, "a") == scale_of(q, "all"));
    assert_true(scale_of(q, "b") == scale_of(q, "all"));
    assert_true(scale_of(q, "ab") == scale_of(q, "all"));
    assert_true(scale_of(q, "d") == scale_of(q, "all"));
    assert_true(scale_of(q, "c") != scale_of(q, "all"));
    assert_true(error_of(q, g) < 0.01);
    graph_free(q);
    graph_free(g);
}

/* Pieces keep the scale of what was split, by a slice each.  */
static void split(void **state)
{
    const struct shape s = {.rank = 4, .dim = {1, 3, 4, 4}, .batch = 1};
    const struct attr_text conv[] = {{"out", "6"}, {"kernel", "1"}, {0}};
    struct graph *g = graph_new("split"), *q;
    struct value *x = graph_input(g, "image", DTYPE_F32, &s), *in[2];
    struct pass_ranges r;
    struct err e = {0};
    struct node *n;

    (void)state;
    x = add(g, "conv2d", "a", x, conv);
    x = add(g, "channelshuffle", "mixed", x,
            (struct attr_text[]){{"groups", "2"}, {0}});
    n = graph_add(g, op_find("split"), "half", &x, 1,
                  (struct attr_text[]){{"sizes", "2,4"}, {0}}, &e);
    in[0] = add(g, "conv2d", "b", n->out[0], conv);
    in[1] = add(g, "conv2d", "c", n->out[1], conv);
    x = graph_add(g, op_find("add"), "sum", in, 2, NULL, &e)->out[0];
    x = add(g, "globalavgpool", "pool", x, NULL);
    graph_output(g, "logits", add(g, "flatten", "flat", x, NULL), 0);
    graph_random_fill(g, 1);
    pass_check_ranges(&r, g, NULL);
    q = quantize(g, &r.o);
    assert_int_equal(pass_check_count(q, "split"), 0);
    assert_int_equal(pass_check_count(q, "slice"), 2);
    assert_true(scale_of(q, "half") == scale_of(q, "a"));
    assert_true(scale_of(q, "half/1") == scale_of(q, "a"));
    assert_true(error_of(q, g) < 0.01);
    graph_free(q);
    graph_free(g);
}

static struct value *sum(struct graph *g, const char *name, struct value *a,
                         struct value *b)
{
    struct err e = {0};

    return graph_add(g, op_find("add"), name, (struct value *[]){a, b}, 2, NULL,
                     &e)
        ->out[0];
}

/* Sums that a transformer carries along, which normalisations alone read, stay
 * float; the same sum is in 8 bits where a layer reads it.  */
static void carried(void **state)
{
    const struct shape s = {.rank = 3, .dim = {1, 5, 4}, .batch = 1};
    const struct attr_text four[] = {{"out", "4"}, {0}};

    (void)state;
    for (int read = 0; read < 2; read++) {
        struct graph *g = graph_new("carried"), *q;
        struct value *x = graph_input(g, "tokens", DTYPE_F32, &s), *y;
        struct pass_ranges r;

        x = add(g, "linear", "a", x, four);
        y = add(g, "linear", "b", add(g, "layernorm", "n", x, NULL), four);
        x = sum(g, "first", x, y);
        y = read ? x : add(g, "layernorm", "m", x, NULL);
        x = sum(g, "second", x, add(g, "linear", "c", y, four));
        graph_output(g, "logits", add(g, "layernorm", "end", x, NULL), 0);
        graph_random_fill(g, 1);
        pass_check_ranges(&r, g, NULL);
        q = quantize(g, &r.o);
        assert_int_equal(graph_value(q, "first.quantize") != NULL, read);
        assert_null(graph_value(q, "second.quantize"));
        assert_int_equal(graph_value(q, "a.quantize") != NULL, read);
        assert_non_null(graph_value(q, read ? "n.quantize" : "m.quantize"));
        assert_true(error_of(q, g) < 0.01);
        graph_free(q);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs), cmocka_unit_test(known),
        cmocka_unit_test(carried),       cmocka_unit_test(odd_channels),
        cmocka_unit_test(reduced_range), cmocka_unit_test(concatenated),
        cmocka_unit_test(split),         cmocka_unit_test(skipping),
        cmocka_unit_test(odd_ranges),    cmocka_unit_test(shared_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
