/* conv2d_direct_8.c -- tests of 8-bit layers: a quantised network through the
 * kernels of each instruction set against its references.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "cpu/kernels.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"

/* A layer, an activation, and a second layer that keeps channels apart, so
 * that a step of the hidden levels moves a result by its weight alone.  */
struct net {
    const char *attr; /* of the convolution */
    const char *act;
    int64_t n, c, h, w;
    const char *kernel; /* that must be at work */
    const char *tail;   /* an op between the activation and the last layer */
    int extreme; /* weights of 7 bits; they and x are as large as can be */
};

#define DIRECT "conv2d_direct_8"
#define SEVEN  "conv2d_direct_7" /* where there is no VNNI, but AVX2 */
#define DENSE  "3 x 3"           /* a kernel of its own, for AVX2 alone */
#define DW     "dwconv2d_blocked_8"

static const struct net nets[] = {
    {"out=19 kernel=3 pad=1 bias=yes", "relu", 2, 13, 9, 11, DENSE, NULL},
    {"out=16 kernel=3 pad=1 stride=2", NULL, 1, 3, 33, 32, DIRECT, NULL},
    {"out=40 kernel=1 bias=yes", "relu6", 1, 300, 7, 7, DIRECT, NULL},
    {"out=8 kernel=1 groups=2", "relu", 2, 64, 16, 16, DIRECT, NULL},
    {"out=12 kernel=5 dilation=2 pad=[4,0,1,5]", NULL, 1, 6, 20, 40, DIRECT,
     NULL},
    {"out=33 kernel=1 stride=2", NULL, 2, 40, 13, 15, DIRECT, NULL},
    {"out=48 kernel=3 pad=1", "relu", 1, 37, 14, 28, DENSE, NULL},
    {"out=64 kernel=7 pad=3 stride=2 bias=yes", "relu", 1, 3, 40, 57, DIRECT,
     NULL},
    {"out=7 kernel=3 dilation=2 stride=3 pad=[0,1,3,2]", NULL, 2, 4, 12, 17,
     DIRECT, NULL},
    {"out=17 kernel=2 pad=1", "clip", 1, 1, 9, 9, DIRECT, NULL},
    {"out=17 kernel=3 pad=1", NULL, 1, 1, 9, 50, DIRECT, NULL},
    {"out=17 kernel=3 pad=1 stride=2", NULL, 1, 2, 9, 51, DIRECT, NULL},
    {"out=17 kernel=3 pad=2 dilation=[2,1]", NULL, 1, 3, 9, 51, DIRECT, NULL},
    {"out=17 kernel=3 pad=9 dilation=9", NULL, 1, 3, 9, 51, DIRECT, NULL},
    {"out=40 kernel=5 pad=2 stride=4", NULL, 1, 3, 9, 101, DIRECT, NULL},
    {"out=40 kernel=3 groups=4 pad=1", "relu", 2, 24, 9, 9, DIRECT, NULL},
    {"out=12 kernel=3 groups=6 pad=1", NULL, 1, 6, 9, 9, DIRECT, NULL},
    {"out=90 kernel=3 groups=3 stride=2", NULL, 1, 96, 11, 9, DIRECT, NULL},
    {"out=6 kernel=3 pad=1 groups=6 bias=yes", "relu", 2, 6, 14, 14, DW, NULL},
    {"out=5 kernel=5 pad=2 stride=2 groups=5", NULL, 1, 5, 37, 41, DW, NULL},
    {"out=40 kernel=5 pad=2 groups=40", NULL, 1, 40, 14, 7, DW, NULL},
    {"out=35 kernel=3 pad=1 stride=2 groups=35", "relu6", 2, 35, 15, 33, DW,
     NULL},
    {"out=18 kernel=7 pad=[3,6] dilation=[1,2] groups=18", NULL, 1, 18, 20, 17,
     DW, NULL},
    {"out=18 kernel=7 pad=3 groups=18", "relu", 2, 18, 14, 19, DW, NULL},
    {"out=33 kernel=7 pad=2 stride=2 groups=33", NULL, 1, 33, 21, 26, DW, NULL},
    {"out=17 kernel=3 pad=1 groups=17", "relu", 1, 17, 61, 70, DW, NULL},
    {"out=17 kernel=5 pad=2 stride=2 groups=17", NULL, 2, 17, 90, 43, DW, NULL},
    {"out=16 kernel=3 pad=1 groups=16", NULL, 2, 16, 9, 13, DW, "add"},
    {"out=3 kernel=[2,4] stride=[1,3] groups=3", NULL, 1, 3, 9, 26, DW, NULL},
    {"out=8 kernel=1", NULL, 2, 3, 9, 21, "add_8", "twice"},
    {"out=24 kernel=1", NULL, 2, 3, 9, 21, DIRECT, "add"},
    {"out=24 kernel=3 pad=1", "relu", 1, 18, 14, 5, DENSE, "add"},
    {"out=24 kernel=3 pad=1", "hardswish", 1, 18, 14, 5, DENSE, NULL},
    {"out=16 kernel=3 groups=16", "silu", 1, 16, 14, 15, DW, NULL},
    {"out=8 kernel=1", "relu", 2, 3, 19, 21, "maxpool2d_blocked_8",
     "maxpool2d"},
    {"out=40 kernel=1", NULL, 2, 3, 19, 21, "avgpool2d_blocked_8", "avgpool2d"},
    {"out=23 kernel=1", "relu", 2, 3, 7, 9, "concat_blocked_8", "concat"},
    {"out=32 kernel=1", NULL, 1, 3, 7, 9, "concat_blocked_8", "concat"},
    {"out=38 kernel=1", "relu", 2, 3, 7, 9, "channels_blocked_8",
     "channelshuffle"},
    {"out=48 kernel=1", NULL, 1, 3, 8, 8, "view", "slice"},
    {"out=48 kernel=1", NULL, 2, 3, 7, 9, "channels_blocked_8", "slice"},
    {"out=45 kernel=1", NULL, 1, 3, 7, 9, "view", "split"},
    {"out=90 kernel=1", "relu", 3, 3, 7, 7, "linear_packed_8", "globalavgpool"},
    {"out=131 kernel=1", "relu", 19, 3, 7, 7, "linear_packed_8",
     "globalavgpool"},
    {"out=90 kernel=1", "relu", 3, 3, 7, 7, "globalavgpool_blocked_8",
     "globalavgpool"},
    {"out=40 kernel=1 bias=yes", "relu6", 1, 300, 7, 7, SEVEN, NULL, 1},
    {"out=33 kernel=1 stride=2", NULL, 2, 41, 13, 15, SEVEN, NULL, 1},
    {"out=19 kernel=5 pad=2 bias=yes", "relu", 2, 13, 9, 11, SEVEN, NULL, 1},
    {"out=16 kernel=3 pad=1 stride=2", NULL, 1, 3, 33, 32, SEVEN, NULL, 1},
    {"out=40 kernel=3 groups=4 pad=1", "relu", 2, 20, 9, 9, SEVEN, NULL, 1},
    {"out=24 kernel=1", NULL, 2, 3, 9, 21, SEVEN, "add", 1},
    {"out=17 kernel=1", "hardswish", 1, 18, 14, 5, SEVEN, NULL, 1},
    {"out=18 kernel=3 pad=1 groups=18", "relu", 2, 18, 14, 19, DW, NULL, 1},
    {"out=131 kernel=1", "relu", 19, 3, 7, 7, "linear_packed_7",
     "globalavgpool", 1},
};

static struct err e;

static float next(uint32_t *r)
{
    *r ^= *r << 13, *r ^= *r >> 17, *r ^= *r << 5;
    return (float)(*r >> 8) / (float)(1 << 23) - 1;
}

/* The end of [-1, 1] that V is nearer to.  */
static float end_of(float v)
{
    return v < 0 ? -1 : 1;
}

static void fill(struct graph *g, int extreme)
{
    uint32_t r = 12345;

    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        struct tensor t;

        if (v->kind != VALUE_PARAM)
            continue;
        assert_int_equal(tensor_new(&t, v->dtype, &v->shape, &e), 0);
        for (int64_t k = 0; k < tensor_count(&t); k++)
            ((float *)t.data)[k] = extreme ? end_of(next(&r)) : next(&r);
        value_set_data(v, &t);
        tensor_unref(&t);
    }
}

static struct value *op(struct graph *g, const char *name, const char *label,
                        struct value *const *in, int n, const char *attr)
{
    struct attr_text a[8] = {{0}};
    char text[128], *save = NULL;
    struct node *d;
    int k = 0;

    snprintf(text, sizeof text, "%s", attr);
    for (char *w = strtok_r(text, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');

        *eq = 0;
        a[k++] = (struct attr_text){w, eq + 1};
    }
    d = graph_add(g, op_find(name), label, in, n, a, &e);
    if (!d)
        fail_msg("%s", e.msg);
    return d->out[0];
}

static struct value *tail(struct graph *g, const struct net *n, struct value *x,
                          struct value *v)
{
    struct value *in[2] = {v};

    if (!strcmp(n->tail, "add") || !strcmp(n->tail, "twice")) {
        in[1] = v;
        if (*n->tail == 'a')
            in[1] = op(g, "conv2d", "other", &x, 1, n->attr);
        v = op(g, "add", "sum", in, 2, "");
        return op(g, "relu", "last", &v, 1, "");
    }
    if (!strcmp(n->tail, "concat")) {
        in[1] = op(g, "maxpool2d", "other", &v, 1, "kernel=3 stride=1 pad=1");
        return op(g, "concat", "tail", in, 2, "axis=1");
    }
    return op(g, n->tail, "tail", &v, 1,
              strstr(n->tail, "pool2d")            ? "kernel=3 stride=2 pad=1"
              : !strcmp(n->tail, "slice")          ? "start=16 length=20"
              : !strcmp(n->tail, "split")          ? "sizes=[7,30,8]"
              : !strcmp(n->tail, "channelshuffle") ? "groups=2"
                                                   : "");
}

static struct graph *build(const struct net *n)
{
    const struct shape s = {4, {n->n, n->c, n->h, n->w}, 0};
    struct graph *g = graph_new("net");
    struct value *x = graph_input(g, "x", DTYPE_F32, &s);
    struct value *v = op(g, "conv2d", "layer", &x, 1, n->attr);
    char each[64];

    if (n->act)
        v = op(g, n->act, "act", &v, 1,
               strcmp(n->act, "clip") ? "" : "min=-0.3 max=0.7");
    if (n->tail)
        v = tail(g, n, x, v);
    snprintf(each, sizeof each, "out=%lld groups=%lld kernel=1",
             (long long)v->shape.dim[1], (long long)v->shape.dim[1]);
    v = v->shape.rank == 2 ? op(g, "linear", "each", &v, 1, "out=10")
                           : op(g, "conv2d", "each", &v, 1, each);
    graph_output(g, "y", v, 0);
    fill(g, n->extreme);
    return g;
}

static struct graph *quantise(const struct graph *g, float reach, int seven)
{
    const char **names = pass_quantize_wants(g, NULL);
    struct range range[8];
    struct quantize_opts o = {.range = range, .reduce_range = seven};
    struct graph *q;

    for (; names[o.n_range]; o.n_range++) {
        const int first = !strcmp(names[o.n_range], "x");

        range[o.n_range] = (struct range){
            names[o.n_range], first ? -1.0 : -0.3 * reach, first ? 0.9 : reach};
    }
    q = pass_quantize(g, &o, &e);
    free(names);
    if (!q)
        fail_msg("%s", e.msg);
    return q;
}

/* Y of Q by the kernels of MASK, or by the references.  */
static float *run(const struct graph *q, int extreme, unsigned mask,
                  int threads, int reference, const char *kernel,
                  int64_t *count)
{
    struct device *d = device_cpu_new(mask);
    struct pool *pool = pool_new(threads);
    struct params *ps = params_new(q, d, &e);
    struct plan_opts o = {.batch = 1, .pool = pool, .keep_values = reference};
    struct plan *p = plan_new(q, d, ps, &o, &e);
    const struct tensor *x, *y;
    uint32_t r = 999;
    int found = 0;
    float *copy;

    assert_non_null(p);
    x = plan_value(p, "x");
    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = extreme ? end_of(next(&r)) : next(&r);
    assert_int_equal(plan_run(p, NULL, &e), 0);
    y = plan_output(p, "y");
    *count = tensor_count(y);
    copy = xmalloc(tensor_bytes(y));
    memcpy(copy, y->data, tensor_bytes(y));
    for (int i = 0; i < plan_steps(p); i++)
        found |= !strncmp(plan_step(p, i).kernel, kernel, strlen(kernel));
    if (!reference && !found)
        fail_msg("no step is done by %s", kernel);
    plan_free(p);
    params_free(ps);
    pool_free(pool);
    device_cpu_free(d);
    return copy;
}

/* What one step of the hidden levels changes, and rounding.  */
static double tolerance(const struct graph *q, const float *want, int64_t count)
{
    const struct node *quantize = NULL;
    double most = 0;

    for (int i = 0; i < q->n_node; i++)
        if (!strcmp(q->node[i]->op->name, "quantize"))
            quantize = q->node[i]; /* the last: of the hidden value */
    for (int64_t i = 0; i < count; i++)
        most = fabs(want[i]) > most ? fabs(want[i]) : most;
    return *(const float *)quantize->in[1]->data.data * 1.001 + most * 1e-5;
}

static const char *kernel_of(const struct net *n, unsigned mask)
{
    if (strcmp(n->kernel, DENSE) == 0)
        return mask == CPU_AVX2 ? "conv2d_winograd_8" : DIRECT;
    if (!strstr(n->kernel, "_7") || mask == CPU_AVX2 ||
        mask == (CPU_AVX2 | CPU_AVX512))
        return n->kernel;
    return !strcmp(n->kernel, SEVEN) ? DIRECT : "linear_packed_8";
}

static void check(const struct net *n, const struct graph *q, const float *want,
                  unsigned mask)
{
    const char *kernel = kernel_of(n, mask);
    int64_t count;
    float *one = run(q, n->extreme, mask, 1, 0, kernel, &count);
    float *three = run(q, n->extreme, mask, 3, 0, kernel, &count);
    const double tol = (n->tail ? 4 : 1) * tolerance(q, want, count);
    int64_t other = 0;

    assert_memory_equal(one, three, (size_t)count * sizeof *one);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(one[i] - want[i]) <= tol))
            fail_msg("net %d, %s: element %lld: %g, not %g (tolerance %g)",
                     (int)(n - nets), cpu_level_name(mask), (long long)i,
                     one[i], want[i], tol);
        other += fabs(one[i] - want[i]) > tol / 100;
    }
    if (!n->tail)
        assert_true(other <= 1 + count / 1000); /* a tie now and then */
    free(one);
    free(three);
}

/* With those that tests/lib.a has stand-ins for: they are linked in front of
 * the library's, as they are asked for here.  */
static unsigned features(void)
{
    const unsigned f = cpu_features();
#if defined(__x86_64__)
    static const struct kernel *const standins[] = {
        conv2d_direct_8_kernels_avxvnni, linear_packed_8_kernels_avxvnni,
        dwconv2d_blocked_8_kernels_avxvnni};

    for (size_t i = 0; i < COUNT(standins); i++)
        assert_int_equal(standins[i]->isa, CPU_AVX2 | CPU_AVXVNNI);
    return f & CPU_AVX2 ? f | CPU_AVXVNNI : f;
#else
    return f;
#endif
}

static void test_layers(void **state)
{
    static const unsigned masks[] = {0, CPU_AVX2, CPU_AVX2 | CPU_AVXVNNI,
                                     CPU_AVX2 | CPU_AVX512,
                                     CPU_AVX2 | CPU_AVX512 | CPU_VNNI};

    (void)state;
    for (size_t i = 0; i < COUNT(nets); i++) {
        struct graph *g = build(&nets[i]);
        struct graph *q =
            quantise(g, 0.5f * sqrtf((float)(nets[i].c * 9)), nets[i].extreme);
        int64_t count;
        float *want = run(q, nets[i].extreme, 0, 1, 1, "", &count);

        for (size_t m = 0; m < COUNT(masks); m++)
            if ((features() & masks[m]) == masks[m])
                check(&nets[i], q, want, masks[m]);
        free(want);
        graph_free(q);
        graph_free(g);
    }
}

/* One weight of more bits, the last, and the kernels for 7 are not chosen.  */
static void test_bits(void **state)
{
    static const struct {
        int8_t weight;
        const char *kernel;
    } cases[] = {{64, SEVEN}, {-64, SEVEN}, {65, DIRECT}, {-65, DIRECT}};
    const struct net n = {"out=9 kernel=1", NULL, 1, 301, 4, 4, SEVEN, NULL, 1};
    struct graph *g = build(&n);

    (void)state;
    for (size_t i = 0; i < COUNT(cases) && features() & CPU_AVX2; i++) {
        struct graph *q = quantise(g, 9, 1);
        const struct tensor *w = &graph_value(q, "layer.weight")->data;
        int64_t count;

        ((int8_t *)w->data)[tensor_count(w) - 1] = cases[i].weight;
        free(run(q, 1, CPU_AVX2, 1, 0, cases[i].kernel, &count));
        graph_free(q);
    }
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers),
                                       cmocka_unit_test(test_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
