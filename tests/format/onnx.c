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

#include "../fuzz.h"
#include "../graph_random.h"
#include "../interp.h"
#include "../op_check.h"
#include "../pass_check.h"
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

static const struct one {
    const char *op, *attr, *in; /* as in op_check.h */
    int since;                  /* the lowest opset, if it is above 13 */
} cases[] = {
    {"adaptiveavgpool2d", "size=[3,2]", "N,3,7,5"},
    {"add", "", "N,3,4 N,3,4 4"},
    {"add", "", "N,3,4 N,1,4"},
    {"affinegrid", "size=[2,3]", "N,2,3"},
    {"affinegrid", "size=[3,1] residual=yes align_corners=yes", "N,2,3"},
    {"attention", "heads=2", "N,5,12"},
    {"attention", "heads=1", "N,1,6"},
    {"attention", "heads=2 bias=yes", "N,5,12 1,2,5,5"},
    {"attention", "heads=1 bias=yes", "4N,3,6 2,1,3,3"},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "N,2,7,6"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 count_include_pad=no", "N,2,7,6"},
    {"avgpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,7,5"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "N,2,6,6"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes count_include_pad=no",
     "N,2,6,6"},
    {"avgpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,8,6"},
    {"batchnorm2d", "", "N,3,4,4"},
    {"batchnorm2d", "affine=no eps=0.01", "N,3,4,4"},
    {"batchnorm2d", "", "N,3"},
    {"channelshuffle", "groups=3", "N,6,2,3"},
    {"classtoken", "", "N,3,4"},
    {"classtoken", "count=2", "N,1,3"},
    {"clip", "min=-0.5 max=0.75", "N,5"},
    {"concat", "", "N,2,3 N,4,3 N,1,3"},
    {"concat", "axis=2", "N,2,3 N,2,4"},
    {"conv2d", "out=4 kernel=3 pad=[0,1,2,1] stride=[2,1] bias=yes", "N,2,7,5"},
    {"conv2d", "out=4 kernel=[1,3] groups=2 dilation=[1,2]", "N,2,7,5"},
    {"deformconv2d", "out=2 kernel=2", "N,2,3,4 N,8,2,3", 19},
    {"deformconv2d",
     "out=2 kernel=3 pad=[1,2,0,1] stride=2 dilation=[1,2] offset_groups=2 "
     "groups=2 mask=yes bias=yes",
     "N,2,5,4 N,36,2,2 N,18,2,2", 19},
    {"div", "", "N,3,4 N,3,1"},
    {"div", "", "4 N,3,4"},
    {"dropout", "", "N,5"},
    {"droppath", "", "N,5"},
    {"elu", "alpha=0.5", "N,9"},
    {"embedding", "rows=5 dim=3", "i64:N,4"},
    {"erf", "", "N,9"},
    {"exp", "", "N,9"},
    {"flatten", "", "N,2,3,4"},
    {"gelu", "", "N,9"},
    {"gelu", "approximate=tanh", "N,9"},
    {"globalavgpool", "", "N,3,4,5"},
    {"gridsample", "", "N,2,3,4 N,2,3,2", 16},
    {"gridsample", "padding=border align_corners=yes", "N,2,3,4 N,2,3,2", 16},
    {"groupnorm", "groups=2", "N,4,3,2"},
    {"groupnorm", "groups=3 affine=no", "N,3,5"},
    {"hardsigmoid", "", "N,9"},
    {"hardtanh", "min=-0.5 max=0.75", "N,9"},
    {"hardswish", "", "N,9"},
    {"identity", "", "N,9"},
    {"instancenorm", "", "N,3,5"},
    {"instancenorm", "affine=yes eps=1e-3", "N,2,3,4"},
    {"l2norm", "", "N,5,3"},
    {"layernorm", "", "N,5,6"},
    {"layernorm", "axis=1", "N,5,3,2"},
    {"layernorm", "affine=no", "N,5,6"},
    {"leakyrelu", "slope=0.1", "N,9"},
    {"linear", "out=4", "N,5"},
    {"linear", "out=4 bias=no", "N,5"},
    {"linear", "out=4", "N,3,5"},
    {"linear", "out=4 bias=no", "N,3,5"},
    {"log", "", "N,9"},
    {"logsoftmax", "axis=1", "N,4,3"},
    {"lrn", "size=3 alpha=0.5 beta=0.6 k=2", "N,4,3,2"},
    {"matmul", "", "N,2,3,4 N,2,4,5"},
    {"max", "", "N,3,4 N,3,1 N,3,4"},
    {"maxpool2d", "kernel=3 stride=2 pad=1", "N,2,7,6"},
    {"maxpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "N,2,6,6"},
    {"maxpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,7,5"},
    {"mish", "", "N,9"},
    {"mul", "", "N,3,4 N,3,1 N,3,4"},
    {"oneslike", "", "N,4,2"},
    {"pad", "pad=[1,2,0,3] value=0.5", "N,2,4,5"},
    {"pad", "pad=1 mode=reflect", "N,2,4,5"},
    {"pad", "pad=2 mode=edge", "N,2,4,5"},
    {"padchannels", "to=7", "N,2,3,3"},
    {"padchannels", "to=6 split=no", "N,2,3,3"},
    {"pow", "exponent=3", "N,9"},
    {"pow", "exponent=-1.5", "N,9"},
    {"prelu", "", "N,3,4,2"},
    {"prelu", "per_channel=yes", "N,3,4,2"},
    {"prelu", "per_channel=yes", "N,5"},
    {"reduce", "axes=[2,3]", "N,2,3,4"},
    {"reduce", "axes=1 kind=max", "N,2,3,4"},
    {"reduce", "axes=[1,2] kind=sum keep=no", "N,2,3,4"},
    {"relu", "", "N,9"},
    {"relu6", "", "N,9"},
    {"reshape", "shape=[2,-1,3]", "N,4,6"},
    {"reshape", "shape=[1,6,4]", "N,4,6"},
    {"scale", "", "N,3,2,2"},
    {"scale", "axis=2", "N,3,4"},
    {"select", "index=2", "N,4,3"},
    {"selu", "", "N,9"},
    {"sigmoid", "", "N,9"},
    {"silu", "", "N,9"},
    {"slice", "start=1 length=2", "N,4,3"},
    {"softmax", "", "N,4,3"},
    {"softmax", "axis=1", "N,4,3"},
    {"softplus", "", "N,9"},
    {"softplus", "beta=2", "N,9"},
    {"softsign", "", "N,9"},
    {"split", "sizes=[1,3,2]", "N,6,2"},
    {"sqrt", "", "N,9"},
    {"subsample", "stride=2", "N,2,5,4"},
    {"tanh", "", "N,9"},
    {"tokens", "", "N,3,4,2"},
    {"transpose", "perm=[0,2,1]", "N,4,3"},
    {"upsample", "", "N,2,3,2"},
    {"upsample", "size=[7,2]", "N,2,3,5"},
    {"upsample", "mode=bilinear size=[7,2]", "N,2,3,5"},
    {"upsample", "mode=bilinear size=[7,2] align_corners=yes", "N,2,3,5"},
    {"windowpartition", "grid=[4,6] size=2", "N,24,3"},
    {"windowpartition", "grid=[5,3] size=3 shift=2", "N,15,2"},
    {"windowreverse", "grid=[4,6] size=2 shift=1", "6N,4,3"},
    {"windowreverse", "grid=[5,3] size=3", "2N,9,2"},
    {"zeroslike", "", "N,4,2"},
};

/* "N,3,4" or "2N,3,4": a shape.  Returns what follows.  */
static const char *parse_shape(struct shape *s, const char *p)
{
    *s = (struct shape){.rank = 0};
    for (; *p && *p != ' '; p += *p == ',') {
        char *end = (char *)(uintptr_t)p + 1;

        s->dim[s->rank] = *p == 'N' ? 1 : strtol(p, &end, 10);
        p = *p == 'N' ? p : end;
        s->batch |= (uint8_t)((*p == 'N') << s->rank++);
        p += *p == 'N';
    }
    return p + (*p == ' ');
}

static int parse_inputs(struct graph *g, const char *p, struct value **in)
{
    int n = 0;

    while (*p) {
        const enum dtype dt = str_starts(p, "i64:") ? DTYPE_I64 : DTYPE_F32;
        struct shape s;

        p = parse_shape(&s, p + (dt == DTYPE_I64 ? strlen("i64:") : 0));
        in[n] = graph_input(g, arena_printf(&g->arena, "x%d", n), dt, &s);
        n++;
    }
    return n;
}

static void parse_attrs(struct graph *g, const char *p, struct attr_text *a)
{
    for (; *p; a++) {
        const size_t eq = strcspn(p, "="), end = strcspn(p, " ");

        a->name = arena_strndup(&g->arena, p, eq);
        a->text = arena_strndup(&g->arena, p + eq + 1, end - eq - 1);
        p += end + (p[end] == ' ');
    }
}

/* The op alone; its results are the outputs y0, y1 ...  */
static struct graph *op_graph(const struct one *c)
{
    struct graph *g = graph_new(c->op);
    struct attr_text attr[16] = {{0}};
    struct value *in[8];
    const int n_in = parse_inputs(g, c->in, in);
    struct err e = {0};
    struct node *n;

    parse_attrs(g, c->attr, attr);
    n = graph_add(g, op_find(c->op), "op", in, n_in, attr, &e);
    if (!n)
        fail_msg("%s", e.msg);
    for (int i = 0; i < node_op_out(n) - n->op->n_aux; i++)
        graph_output(g, arena_printf(&g->arena, "y%d", i), n->out[i], 0);
    return g;
}

static void one_op(const struct one *c, int number, int64_t opset)
{
    struct graph *g = op_graph(c);
    struct str name = {0};

    graph_random_fill(g, 2);
    str_printf(&name, "%s-%d-%d", c->op, number, (int)opset);
    round_trip(str_text(&name), g, opset);
    str_release(&name);
    graph_free(g);
}

/* The lowest operator set that says it.  */
static int64_t lowest(const struct one *c)
{
    int64_t opset = ONNX_OPSET_MIN;

    for (;; opset++) {
        const struct onnx_opts o = {.opset = opset};
        struct graph *g = op_graph(c);
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
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct onnx_opts o = {.half = 1,
                                    .opset = cases[i].since > 13
                                                 ? cases[i].since
                                             : i % 2 ? 13
                                                     : 0};
        struct graph *g = op_graph(&cases[i]), *back = NULL;
        struct interp a, b;
        struct str s = {0};
        struct err e = {0};

        graph_random_fill(g, 2);
        if (onnx_encode(&s, g, NULL, &o, &e) < 0 ||
            !(back = onnx_read((const unsigned char *)s.data, s.len, &e)))
            fail_msg("%s, case %d: %s", cases[i].op, (int)i, e.msg);
        interp_run(&a, g, BATCH, 3);
        interp_run(&b, back, BATCH, 3);
        for (int k = 0; k < g->n_output; k++)
            near(cases[i].op, &a, &b, g->output[k].name, ldexp(1, -8));
        interp_release(&a);
        interp_release(&b);
        graph_free(back);
        graph_free(g);
        str_release(&s);
    }
}

/* A network over pictures of C x 3 x 4, and its preprocessing.  */
static struct graph *pictures(struct preprocess *pre, int c)
{
    struct graph *g = op_graph(
        &(struct one){"linear", "out=2", c == 1 ? "N,1,3,4" : "N,3,3,4"});

    graph_random_fill(g, 1);
    value_rename(g, g->value[0], "image");
    preprocess_init(pre, c, 3, 4);
    return g;
}

static struct graph *pixels(struct preprocess *pre)
{
    struct graph *g = pictures(pre, 3);

    pre->bgr = 1;
    return g;
}

/* Levels of pixels in, the same numbers out, whatever stands inside.  */
static void preprocessing_inside(void **state)
{
    (void)state;
    for (int way = 0; way < 8; way++) {
        const int grey = way % 4 == 3;
        struct preprocess pre, back = {0};
        struct graph *g = pictures(&pre, grey ? 1 : 3);
        const struct onnx_opts o = {
            .front = &pre, .half = way & 1, .opset = way & 4 ? 7 : 0};
        struct str s = {0};
        struct err e = {0};
        struct onnx_file f;
        struct graph *h;

        pre.bgr = !grey && way & 2;
        if (onnx_encode(&s, g, NULL, &o, &e) < 0 ||
            onnx_open(&f, (const unsigned char *)s.data, s.len, &e) < 0)
            fail_msg("%d: %s", way, e.msg);
        assert_int_equal(onnx_front_of(&f, &back), 1);
        assert_int_equal(back.bgr, pre.bgr);
        assert_int_equal(back.channels, pre.channels);
        assert_int_equal(back.size[0], 3);
        assert_int_equal(back.size[1], 4);
        assert_memory_equal(back.mean, pre.mean,
                            (size_t)pre.channels * sizeof(float));
        assert_memory_equal(back.std, pre.std,
                            (size_t)pre.channels * sizeof(float));
        h = onnx_graph(&f, NULL, &e);
        if (!h)
            fail_msg("%d: %s", way, e.msg);
        assert_string_equal(ST(&graph_value(h, "image")->shape),
                            grey ? "[N,1,3,4]" : "[N,3,3,4]");
        onnx_close(&f);
        graph_free(h);
        graph_free(g);
        str_release(&s);
    }
}

/* Below 11 much has another form; few ops need more than 7.  */
static void old_operator_sets(void **state)
{
    int first = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t since = lowest(&cases[i]);

        one_op(&cases[i], (int)i, since);
        if (since < 9)
            one_op(&cases[i], (int)i, 9);
        if (since < 10)
            one_op(&cases[i], (int)i, 10);
        first += since == ONNX_OPSET_MIN;
    }
    assert_true(first * 10 > 8 * (int)COUNT(cases));
}

static void every_op(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        one_op(&cases[i], (int)i, 0);
        one_op(&cases[i], (int)i, cases[i].since ? cases[i].since : 13);
        one_op(&cases[i], (int)i, ONNX_OPSET_MAX);
    }
}

/* Ops of several operators come back as one.  */
static void patterns_come_back(void **state)
{
    static const struct one patterns[] = {
        {"attention", "heads=2", "N,5,12"},
        {"classtoken", "", "N,3,4"},
        {"gelu", "", "N,9"},
        {"gelu", "approximate=tanh", "N,9"},
        {"layernorm", "axis=1", "N,5,3,2"},
        {"mish", "", "N,9"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct graph *g = op_graph(&patterns[i]), *back;
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

/* Every op of inference is in a case above, in one of its own, or in
 * quantized() below.  */
static void no_op_is_forgotten(void **state)
{
    static const char *const others =
        "crossentropy quantize dequantize maskedselect windowbias";

    (void)state;
    for (int i = 0; op_all[i]; i++) {
        int seen = strstr(others, op_all[i]->name) != NULL ||
                   op_all[i]->flags & OP_INTERNAL || !op_all[i]->forward;

        for (size_t k = 0; k < COUNT(cases); k++)
            seen |= !strcmp(cases[k].op, op_all[i]->name);
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

/* Networks in 8 bits: pairs, constants of 8 and 32 bits.  */
static struct graph *int8(const struct graph *g)
{
    struct err e = {0};
    struct graph *f = pass_fuse_bn(g, &e), *q;
    struct pass_ranges s;

    pass_check_ranges(&s, f, NULL);
    q = pass_quantize(f, &s.o, &e);
    assert_non_null(q);
    graph_free(f);
    return q;
}

static void quantized(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct graph *g = graph_random(seed, 4), *q = int8(g);
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

static void refuses(struct graph *g, int64_t opset, int code, const char *word)
{
    const struct onnx_opts o = {.opset = opset};
    struct str s = {0};
    struct err e = {0};

    assert_int_equal(onnx_encode(&s, g, NULL, &o, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
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

static void errors_of_forms(void **state)
{
    struct graph *g = op_graph(&(struct one){"linear", "out=3", "N,3"}), *q;
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
    q = int8(g);
    refuses_opts(q, &half, ERR_UNSUPPORTED, "8 bits");
    pre.size[1] = 999;
    refuses_opts(g, &front, ERR_SHAPE, "999], the network reads [N,");
    graph_free(q);
    graph_free(g);
}

static void errors(void **state)
{
    struct graph *g = op_graph(&(struct one){"gelu", "", "N,3"});

    (void)state;
    refuses(g, 8, ERR_UNSUPPORTED, "needs opset 9");
    refuses(g, 5, ERR_USAGE, "not within 7..21");
    graph_free(g);
    g = op_graph(&(struct one){"crossentropy", "", "N,3 N,3"});
    refuses(g, 0, ERR_UNSUPPORTED, "cannot be said");
    graph_free(g);
    g = op_graph(&(struct one){"linear", "out=3", "N,3"});
    refuses(g, 0, ERR_USAGE, "has no data");
    graph_free(g);
}

/* ---- damaged files ---- */

/* Read a number at *AT; 0 where it is cut off.  */
static int number(const uint8_t *p, size_t end, size_t *at, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        *v |= (uint64_t)(p[*at] & 127) << shift;
        if (p[(*at)++] < 128)
            return 1;
    }
    return 0;
}

/* The number of AT - FROM bytes at FROM becomes V, as far as it fits.  */
static void renumber(uint8_t *p, size_t from, size_t at, uint64_t v)
{
    for (; from < at; from++, v >>= 7)
        p[from] = (uint8_t)((v & 127) | (from + 1 < at ? 128 : 0));
}

/* Parts that are longer than what holds them end with it.  Which fields hold
 * fields, in a model, its graph, a node: enough to get behind them.  */
static void repair_part(uint8_t *p, size_t at, size_t end, int depth)
{
    static const uint64_t parts[] = {1 << 7 | 1 << 8 | 1 << 14,
                                     1 << 1 | 1 << 5 | 1 << 11 | 1 << 12,
                                     1 << 2 | 1 << 5};

    while (at < end) {
        uint64_t tag, len;
        size_t from;

        if (!number(p, end, &at, &tag))
            return;
        from = at;
        if ((tag & 7) == 5 || (tag & 7) == 1) {
            at += (tag & 7) == 5 ? 4 : 8;
            continue;
        }
        if (!number(p, end, &at, &len) || (tag & 7) != 2)
            continue;
        if (len > end - at) {
            len = end - at;
            renumber(p, from, at, len);
        }
        if (depth < 3 && tag >> 3 < 64 && parts[depth] >> (tag >> 3) & 1)
            repair_part(p, at, at + (size_t)len, depth + 1);
        at += (size_t)len;
    }
}

static void repair(uint8_t **p, size_t *n)
{
    repair_part(*p, 0, *n, 0);
}

/* A small quantised network.  */
static struct graph *small_int8(void)
{
    struct graph *g = graph_random(3, 1), *q = int8(g);

    graph_free(g);
    return q;
}

static void damaged(void **state)
{
    enum { SEEDS = COUNT(cases) + 2 }; /* 8 bits; levels of pixels in f16 */
    struct str s[SEEDS] = {{0}};
    struct fuzz_seed seeds[SEEDS];
    struct preprocess pre;
    const struct onnx_opts o = {.half = 1, .front = &pre};
    struct err e = {0};

    (void)state;
    for (int i = 0; i < SEEDS; i++) {
        struct graph *g = i < (int)COUNT(cases) ? op_graph(&cases[i])
                          : i < SEEDS - 1       ? small_int8()
                                                : pixels(&pre);

        if (i < (int)COUNT(cases))
            graph_random_fill(g, 2);

        assert_int_equal(
            onnx_encode(&s[i], g, NULL, i < SEEDS - 1 ? NULL : &o, &e), 0);
        seeds[i] = (struct fuzz_seed){s[i].data, s[i].len};
        graph_free(g);
    }
    fuzz_run(fuzz_onnx, seeds, SEEDS, repair, 10000, 1);
    fuzz_cut(fuzz_onnx, s[0].data, s[0].len);
    fuzz_cut(fuzz_onnx, s[SEEDS - 1].data, s[SEEDS - 1].len);
    for (int i = 0; i < SEEDS; i++)
        str_release(&s[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op),
        cmocka_unit_test(old_operator_sets),
        cmocka_unit_test(half_precision),
        cmocka_unit_test(preprocessing_inside),
        cmocka_unit_test(patterns_come_back),
        cmocka_unit_test(window_bias),
        cmocka_unit_test(no_op_is_forgotten),
        cmocka_unit_test(random_graphs),
        cmocka_unit_test(quantized),
        cmocka_unit_test(names),
        cmocka_unit_test(errors),
        cmocka_unit_test(errors_of_forms),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
