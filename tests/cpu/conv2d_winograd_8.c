/* conv2d_winograd_8.c -- tests of 8-bit convolution by Winograd's transforms:
 * the bits of the direct kernel, whatever the plan would choose.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../guard.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "op/ops.h"

#define WINOGRAD "conv2d_winograd_8_avx2"
#define DIRECT   "conv2d_direct_8_avx2"

/* What follows the convolution.  */
enum kind { LEVELS, ADDED, ADDED_FIRST, CURVED, FLOATS, KINDS };

/* Numbers of x and of the weights.  */
enum fill { RANDOM, LARGEST, MIXED, FILLS };

struct conv_case {
    int64_t n, c, h, w, o;
    const char *pad;
    enum kind kind;
    int zero; /* of x */
    enum fill fill;
};

struct layer {
    const struct conv_case *c;
    struct graph *g;
    struct step_nodes s;
    struct tensor in[3], y, follow[8];
};

static struct err e;

/* ---- the graph ---- */

static struct value *constant(struct graph *g, const char *name, enum dtype dt,
                              const void *data)
{
    const struct shape one = {.rank = 0};
    struct value *v;
    struct tensor t;

    assert_int_equal(tensor_new(&t, dt, &one, &e), 0);
    memcpy(t.data, data, tensor_bytes(&t));
    v = graph_tensor(g, graph_name_free(g, name), VALUE_CONST, NULL, &t);
    tensor_unref(&t);
    return v;
}

static struct node *node(struct graph *g, const char *op, struct value **in,
                         int n, const struct attr_text *attr)
{
    struct node *d =
        graph_add(g, op_find(op), graph_name_free(g, op), in, n, attr, &e);

    if (!d)
        fail_msg("%s: %s", op, e.msg);
    return d;
}

/* OP is quantize or dequantize.  */
static struct node *grid(struct graph *g, const char *op, struct value *v,
                         float scale, int zero, enum dtype dt)
{
    const uint8_t z = (uint8_t)zero;
    struct value *in[] = {v, constant(g, "scale", DTYPE_F32, &scale),
                          constant(g, "zero", dt, &z)};

    return node(g, op, in, 3, NULL);
}

static void then(struct layer *l, struct node *n, int link)
{
    l->s.link[l->s.n] = link;
    l->s.node[l->s.n++] = n;
}

static struct value *last(const struct layer *l)
{
    return l->s.node[l->s.n - 1]->out[0];
}

static void add(struct layer *l, float scale, int first)
{
    const struct shape s = last(l)->shape;
    struct value *other = graph_input(l->g, "other", DTYPE_U8, &s);
    struct value *in[2];

    then(l, grid(l->g, "dequantize", last(l), scale, 100, DTYPE_U8), 0);
    in[!first] = last(l);
    in[first] =
        grid(l->g, "dequantize", other, scale * 2, 90, DTYPE_U8)->out[0];
    then(l, node(l->g, "add", in, 2, NULL), !first);
}

static void follow(struct layer *l)
{
    const enum kind kind = l->c->kind;
    const float scale =
        (kind == CURVED ? 1 : 60) * sqrtf(9 * (float)l->c->c) / 7;
    struct value *in;

    if (kind == ADDED || kind == ADDED_FIRST) {
        then(l, grid(l->g, "quantize", last(l), scale, 100, DTYPE_U8), 0);
        add(l, scale, kind == ADDED_FIRST);
    }
    in = last(l);
    if (kind != FLOATS) {
        then(l, node(l->g, kind == CURVED ? "silu" : "relu", &in, 1, NULL), 0);
        then(l, grid(l->g, "quantize", last(l), scale, 3, DTYPE_U8), 0);
    }
}

static struct value *weights(struct graph *g, const struct conv_case *c)
{
    const struct shape s = {4, {c->o, c->c, 3, 3}, 0};
    struct tensor t;
    struct value *v;

    assert_int_equal(tensor_new(&t, DTYPE_I8, &s, &e), 0);
    v = graph_tensor(g, "weights", VALUE_CONST, NULL, &t);
    tensor_unref(&t);
    return grid(g, "dequantize", v, c->kind == CURVED ? 0.01f : 1, 0, DTYPE_I8)
        ->out[0];
}

static void build(struct layer *l, const struct conv_case *c)
{
    const struct shape s = {4, {c->n, c->c, c->h, c->w}, 0};
    char out[24];
    const struct attr_text attr[] = {{"out", out},
                                     {"kernel", "3"},
                                     {"pad", c->pad},
                                     {"bias", c->kind == FLOATS ? "no" : "yes"},
                                     {0}};
    struct value *in[2], *x;

    *l = (struct layer){.c = c, .g = graph_new("test"), .s = {.batch = 1}};
    snprintf(out, sizeof out, "%lld", (long long)c->o);
    x = graph_input(l->g, "x", DTYPE_U8, &s);
    in[0] = grid(l->g, "dequantize", x, 1, c->zero, DTYPE_U8)->out[0];
    in[1] = weights(l->g, c);
    then(l, node(l->g, "conv2d", in, 2, attr), 0);
    follow(l);
}

/* ---- numbers ---- */

static uint32_t next(uint32_t *r)
{
    *r ^= *r << 13, *r ^= *r >> 17, *r ^= *r << 5;
    return *r >> 8;
}

static struct tensor blocked(enum dtype dt, const struct shape *shape)
{
    const struct shape s = layout_shape(LAYOUT_C16, shape);
    struct tensor t = tensor_view(dt, &s, NULL);

    t.data = guard_alloc(tensor_bytes(&t));
    return t;
}

static void fill_bytes(enum fill f, int is_x, struct tensor *t)
{
    uint32_t r = 12345u + (uint32_t)is_x;
    uint8_t *p = t->data;

    for (int64_t i = 0; i < tensor_count(t); i++) {
        const uint32_t v = next(&r);

        if (f == RANDOM)
            p[i] = (uint8_t)v;
        else if (f == LARGEST)
            p[i] = is_x ? 255 : 0x80;
        else
            p[i] = v & 1 ? is_x ? 255 : 127 : is_x ? 0 : 0x81;
    }
}

static void fill(struct layer *l)
{
    const struct node *head = l->s.node[0];
    const struct value *w = head->in[1]->node->in[0];
    struct tensor *bias = &l->in[2];
    uint32_t r = 99;

    l->in[0] = blocked(DTYPE_U8, &head->in[0]->shape);
    fill_bytes(l->c->fill, 1, &l->in[0]);
    l->in[1] = w->data;
    fill_bytes(l->c->fill, 0, &l->in[1]);
    if (head->in[2]) {
        *bias = tensor_view(DTYPE_F32, &head->in[2]->shape, NULL);
        bias->data = guard_alloc(tensor_bytes(bias));
        for (int64_t i = 0; i < tensor_count(bias); i++)
            ((float *)bias->data)[i] = (float)next(&r) / 1e5f - 80;
    }
    if (l->c->kind == ADDED || l->c->kind == ADDED_FIRST) {
        struct tensor *t = &l->follow[4]; /* behind two grids */

        *t = blocked(DTYPE_U8, &head->out[0]->shape);
        fill_bytes(RANDOM, 1, t);
    }
    l->y = blocked(last(l)->dtype, &last(l)->shape);
}

static void layer_release(struct layer *l)
{
    guard_free(l->in[0].data);
    if (l->in[2].data)
        guard_free(l->in[2].data);
    if (l->follow[4].data)
        guard_free(l->follow[4].data);
    guard_free(l->y.data);
    graph_free(l->g);
}

/* ---- running ---- */

static const struct kernel *kernel_named(const struct device *d,
                                         const char *name)
{
    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (!strcmp((*k)->name, name) && (*k)->reads == LAYOUT_C16)
            return *k;
    fail_msg("there is no %s", name);
    return NULL;
}

/* A copy of y.  */
static void *run(struct layer *l, const struct kernel *k, int threads)
{
    void *packed[3] = {NULL, guard_alloc(k->pack_bytes(&l->s, 1))};
    struct pool *pool = pool_new(threads);
    const struct kernel_args a = {
        .op = {.node = l->s.node[0], .in = l->in, .out = &l->y},
        .follow = l->follow,
        .step = &l->s,
        .packed = packed,
        .scratch = guard_alloc(k->scratch(&l->s, threads)),
        .pool = pool};
    void *copy = xmalloc(tensor_bytes(&l->y));

    memset(l->y.data, 0xff, tensor_bytes(&l->y));
    k->pack(&l->s, 1, &l->in[1], packed[1]);
    k->run(&a);
    memcpy(copy, l->y.data, tensor_bytes(&l->y));
    guard_check(l->y.data);
    guard_free(packed[1]);
    guard_free(a.scratch);
    pool_free(pool);
    return copy;
}

/* The sum of output O at (H, W), as the op defines it.  */
static int64_t sum_of(const struct layer *l, int64_t n, int64_t o, int64_t h,
                      int64_t w)
{
    const struct conv_case *c = l->c;
    const int64_t planes = (c->c + LANES - 1) / LANES;
    const uint8_t *x = l->in[0].data;
    const int8_t *f = l->in[1].data;
    int64_t sum = 0;

    for (int64_t i = 0; i < c->c; i++)
        for (int64_t r = h < 0 ? -h : 0; r < 3 && h + r < c->h; r++)
            for (int64_t s = w < 0 ? -w : 0; s < 3 && w + s < c->w; s++)
                sum += (x[(((n * planes + i / LANES) * c->h + h + r) * c->w +
                           w + s) *
                              LANES +
                          i % LANES] -
                        c->zero) *
                       f[((o * c->c + i) * 3 + r) * 3 + s];
    return sum;
}

static void check_sums(const struct layer *l, const float *y, int64_t pad_h,
                       int64_t pad_w)
{
    const int64_t *dim = l->s.node[0]->out[0]->shape.dim;
    const int64_t panels = (dim[1] + LANES - 1) / LANES;

    for (int64_t n = 0; n < dim[0]; n++)
        for (int64_t o = 0; o < dim[1]; o++)
            for (int64_t p = 0; p < dim[2] * dim[3]; p++) {
                const float is =
                    y[((n * panels + o / LANES) * dim[2] * dim[3] + p) * LANES +
                      o % LANES];
                const int64_t sum =
                    sum_of(l, n, o, p / dim[3] - pad_h, p % dim[3] - pad_w);

                if (is != (float)sum)
                    fail_msg("output %lld, pixel %lld: %.9g, not %lld",
                             (long long)o, (long long)p, (double)is,
                             (long long)sum);
            }
}

static void check(const struct conv_case *c)
{
    static const int threads[] = {1, 2, 3, 5};
    struct device *d = device_cpu_new(CPU_AVX2);
    struct layer l;
    void *want;

    build(&l, c);
    fill(&l);
    want = run(&l, kernel_named(d, DIRECT), 1);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *is = run(&l, kernel_named(d, WINOGRAD), threads[i]);

        if (memcmp(is, want, tensor_bytes(&l.y)))
            fail_msg("%lld x %lld x %lld x %lld to %lld, pad %s, kind %d, "
                     "zero %d, fill %d, %d threads: other bits",
                     (long long)c->n, (long long)c->c, (long long)c->h,
                     (long long)c->w, (long long)c->o, c->pad, c->kind, c->zero,
                     c->fill, threads[i]);
        free(is);
    }
    if (c->kind == FLOATS && *c->pad != '[')
        check_sums(&l, want, *c->pad - '0', *c->pad - '0');
    free(want);
    layer_release(&l);
    device_cpu_free(d);
}

/* ---- tests ---- */

static int is_here(void)
{
    return (cpu_features() & CPU_AVX2) != 0;
}

/* Every padding and kind for each size; zeros and numbers in turns.  */
static void test_bits(void **state)
{
    static const struct conv_case sizes[] = {
        {1, 16, 1, 1, 16},   {1, 5, 2, 3, 7},     {3, 17, 3, 1, 16},
        {1, 33, 9, 7, 40},   {3, 24, 4, 5, 19},   {1, 48, 7, 7, 96},
        {1, 16, 14, 29, 33}, {3, 130, 5, 6, 129}, {1, 7, 21, 18, 16},
    };
    static const char *const pads[] = {"0", "1", "2", "[1,0,2,1]", "[0,2,1,0]"};
    static const int zeros[] = {0, 128, 255};
    int turn = 0;

    (void)state;
    if (!is_here())
        skip();
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t p = 0; p < COUNT(pads); p++)
            for (int k = 0; k < KINDS; k++, turn++) {
                struct conv_case c = sizes[i];

                if (p == 0 && (c.h < 3 || c.w < 3))
                    continue;
                c.pad = pads[p];
                if (c.h < 2 || c.w < 2)
                    c.pad = p % 2 ? "1" : "2";
                c.kind = (enum kind)k;
                c.zero = zeros[turn % 3];
                c.fill = (enum fill)(turn / 3 % FILLS);
                check(&c);
            }
}

/* Sums at the ends of what fits; one channel more is not taken.  */
static void test_most_channels(void **state)
{
    struct conv_case c = {1, 1827, 4, 3, 16, "1", FLOATS, 0, LARGEST};
    struct device *d;
    struct layer l;

    (void)state;
    if (!is_here())
        skip();
    check(&c);
    c.zero = 255, c.fill = MIXED;
    check(&c);
    c.h = c.w = 32, c.o = 64;
    d = device_cpu_new(CPU_AVX2);
    for (int more = 0; more < 2; more++, c.c++) {
        build(&l, &c);
        assert_int_equal(kernel_named(d, WINOGRAD)->accepts(&l.s), !more);
        graph_free(l.g);
    }
    device_cpu_free(d);
}

/* The kernel that a plan takes with FEATURES, weights up to MOST.  */
static const char *first(unsigned features, const struct conv_case *c,
                         int8_t most)
{
    struct device *d = device_cpu_new(features);
    const char *name = "none";
    struct layer l;

    build(&l, c);
    *(int8_t *)node_dequantize(l.s.node[0], 1)->in[0]->data.data = most;
    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (!strcmp((*k)->op, "conv2d") && (*k)->quantised &&
            (*k)->accepts(&l.s)) {
            name = (*k)->name;
            break;
        }
    graph_free(l.g);
    device_cpu_free(d);
    return name;
}

/* Where there is enough to do, and on AVX2 alone.  */
static void test_choice(void **state)
{
    static const struct {
        struct conv_case c;
        int taken;
    } cases[] = {
        {{1, 64, 56, 56, 64, "1"}, 1},  {{1, 512, 7, 7, 512, "1"}, 1},
        {{1, 16, 28, 28, 16, "1"}, 1},  {{1, 32, 4, 4, 32, "1"}, 1},
        {{1, 8, 28, 28, 64, "1"}, 0},   {{1, 4, 28, 28, 64, "1"}, 0},
        {{1, 512, 2, 2, 512, "1"}, 0},  {{1, 256, 1, 1, 256, "1"}, 0},
        {{16, 512, 2, 2, 512, "1"}, 1}, {{1, 64, 28, 28, 64, "3"}, 0},
    };
    const unsigned more = CPU_AVX2 | CPU_AVX512;

    (void)state;
    if (!is_here())
        skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct conv_case *c = &cases[i].c;

        assert_string_equal(first(CPU_AVX2, c, 127),
                            cases[i].taken ? WINOGRAD : DIRECT);
        assert_string_equal(first(CPU_AVX2, c, 64),
                            cases[i].taken ? WINOGRAD : "conv2d_direct_7_avx2");
        assert_string_equal(first(more, c, 127), "conv2d_direct_8_avx512");
        assert_string_equal(first(more, c, 64), "conv2d_direct_7_avx512");
        for (int most = 63; most < 128; most += 64) {
            assert_string_equal(first(CPU_AVX2 | CPU_AVXVNNI, c, (int8_t)most),
                                "conv2d_direct_8_avxvnni");
            assert_string_equal(first(more | CPU_VNNI, c, (int8_t)most),
                                "conv2d_direct_8_vnni");
            assert_string_equal(first(0, c, (int8_t)most),
                                "conv2d_direct_8_any");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_most_channels),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
