/* zoo.c -- every network of models/ can be bound to the GPU, for training and
 * for inference, in f32 and bf16; some in 8 bits.
 * SPDX-License-Identifier: MIT
 *
 * Nothing runs: the device has no memory, tensors no numbers.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cuda/cuda.h"
#include "format/network.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"
#include "tensor/tensor.h"
#include "train/graph.h"
#include "train/recipe.h"

#include "../toy.h"

/* Pictures of 64 pixels will do for all but these, and those that are small.
 * One is left out: resnet110 ten times over.  */
static const struct {
    const char *name, *option;
} sizes[] = {{"alexnet", "size=96"}, {"inception-v3", "size=299"}};

static const char *const left_out = "resnet1202";

/* Addresses apart from each other, as parameters are told by theirs.  */
static void *no_memory(const struct device *d, size_t bytes, struct err *e)
{
    static uintptr_t free_from = 64;
    const uintptr_t at = free_from;

    (void)d;
    (void)e;
    free_from += bytes / 64 * 64 + 64;
    return (void *)at;
}

static void no_release(const struct device *d, void *p, size_t bytes)
{
    (void)d;
    (void)p;
    (void)bytes;
}

static int no_put(const struct device *d, void *to, const void *host, size_t bytes, struct err *e)
{
    (void)d;
    (void)to;
    (void)host;
    (void)bytes;
    (void)e;
    return 0;
}

static int no_get(const struct device *d, void *host, const void *from, size_t bytes, struct err *e)
{
    (void)d;
    (void)from;
    (void)e;
    memset(host, 0, bytes);
    return 0;
}

static int no_finish(const struct device *d, struct err *e)
{
    (void)d;
    (void)e;
    return 0;
}

static void no_pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    (void)s;
    (void)i;
    (void)t;
    (void)packed;
}

/* GPU's offers, without what would run when a plan is made.  */
enum { MOST = 1024 };
static struct kernel offer[MOST];
static const struct kernel *offers[MOST + 1];

static struct device without_memory(const struct device *gpu)
{
    struct device d = *gpu;

    for (int i = 0; gpu->kernels[i]; i++) {
        assert_true(i < MOST);
        offer[i] = *gpu->kernels[i];
        if (offer[i].pack)
            offer[i].pack = no_pack;
        offers[i] = &offer[i];
    }
    d.kernels = offers;
    d.alloc = no_memory;
    d.release = no_release;
    d.put = no_put;
    d.get = no_get;
    d.finish = no_finish;
    return d;
}

/* The same zeros for all, that no page of memory is spent for, nor of the
 * sanitizer's.  */
#define ZEROS ((size_t)2 << 30) /* bytes; the largest tensor has less */
static void *zeros;

static void fill(struct graph *g)
{
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];

        if (!value_is_tensor(v) || v->data.data)
            continue;
        v->data = tensor_view(v->dtype, &v->shape, zeros);
        assert_true(tensor_bytes(&v->data) <= ZEROS);
    }
}

static void bind(const char *name, const char *what, const struct graph *g, const struct device *d,
                 int *bad)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        const struct plan_opts o = {.batch = 2, .narrow = narrow};
        struct err e = {0};
        struct params *ps = params_share(g, d, &e);
        struct plan *p = ps ? plan_new(g, d, ps, &o, &e) : NULL;

        if (!p) {
            print_message("# %s, %s%s: %s\n", name, what, narrow ? " in bf16" : "", e.msg);
            ++*bad;
        }
        plan_free(p);
        params_free(ps);
    }
}

static struct graph *deformable(const char *name, struct err *e)
{
    const char *const options[] = {"size=64", "dcn=[3,4]", NULL};
    struct network *n = network_open(name, e);
    struct graph *g = n ? network_graph(n, options, e) : NULL;

    network_close(n);
    return g;
}

static struct graph *network(const char *name, struct err *e)
{
    const char *options[] = {"size=64", NULL};
    struct network *n = network_open(name, e);
    struct graph *g;
    const char *usual = n ? network_default(n, "size") : NULL;

    for (size_t i = 0; i < COUNT(sizes); i++)
        if (!strcmp(sizes[i].name, name))
            options[0] = sizes[i].option;
    g = n ? network_graph(n, usual && strlen(usual) > 2 ? options : NULL, e) : NULL;
    network_close(n);
    return g;
}

/* Takes G; E says why there is none.  */
static int one(const char *name, struct graph *g, const struct device *d, const struct recipe *r,
               const struct err *why)
{
    struct err e = {0};
    struct graph *t;
    int bad = 0;

    if (!g)
        fail_msg("%s: %s", name, why->msg);
    fill(g);
    bind(name, "inference", g, d, &bad);
    t = train_graph(g, r, &e);
    if (!t)
        fail_msg("%s: %s", name, e.msg);
    bind(name, "training", t, d, &bad);
    graph_free(t);
    graph_free(g);
    return bad;
}

/* Of models/blocks, what nothing in models/ asks for.  */
static const char *const blocks[] = {"se",
                                     "ese",
                                     "eca",
                                     "cbam",
                                     "sk",
                                     "ge",
                                     "ge: {extent: 2, to: 0}",
                                     "coord",
                                     "spatial_transformer"};

static struct graph *block(const char *step, struct err *e)
{
    struct str text = {0};
    struct graph *g;

    str_printf(&text,
               "network: test\nuse: attention\ninput: {size: [16, 9, 9]}\n"
               "body: [%s, global_avg_pool, linear: {out: 3}]\n",
               step);
    g = network_parse("test", str_text(&text), strlen(str_text(&text)), NULL, NULL, e);
    str_release(&text);
    return g;
}

static int each(const struct device *d, const struct recipe *r)
{
    struct err e = {0};
    int bad = 0;

    for (const char *const *n = network_names(); *n; n++)
        if (strcmp(*n, left_out))
            bad += one(*n, network(*n, &e), d, r, &e);
    bad += one("resnet18", deformable("resnet18", &e), d, r, &e);
    for (size_t i = 0; i < COUNT(blocks); i++)
        bad += one(blocks[i], block(blocks[i], &e), d, r, &e);
    return bad;
}

/* ---- in 8 bits ---- */

static const char *const in_8_bits[] = {"resnet20",   "resnet18",           "mobilenet-v2",
                                        "squeezenet", "mobilenet-v3-small", "shufflenet-v2",
                                        "vit-t-16"};

/* Any ranges will do; takes G.  */
static struct graph *quantise(const char *name, struct graph *g)
{
    struct err e = {0};
    struct graph *f, *q;
    const char **wants;
    struct range *range;
    struct quantize_opts o = {0};

    if (!g)
        fail_msg("%s", name);
    fill(g);
    f = pass_fuse_bn(g, &e);
    wants = pass_quantize_wants(f, NULL);
    while (wants[o.n_range])
        o.n_range++;
    range = xcalloc((size_t)o.n_range + 1, sizeof *range);
    for (int64_t i = 0; i < o.n_range; i++)
        range[i] = (struct range){wants[i], -1, 1};
    o.range = range;
    q = pass_quantize(f, &o, &e);
    if (!q)
        fail_msg("%s: %s", name, e.msg);
    free(wants);
    free(range);
    graph_free(f);
    graph_free(g);
    return q;
}

/* Every layer is in 8 bits: no weight is made float again.  */
static void bind_8(const char *name, const struct graph *g, const struct device *d)
{
    const struct plan_opts o = {.batch = 2};
    struct err e = {0};
    struct params *ps = params_share(g, d, &e);
    struct plan *p = ps ? plan_new(g, d, ps, &o, &e) : NULL;

    if (!p)
        fail_msg("%s: %s", name, e.msg);
    for (int i = 0; i < p->n_step; i++) {
        const struct step *s = &p->step[i];

        if (s->nodes.n && node_is(s->nodes.node[0], "conv2d|linear") && !s->kernel->quantised)
            fail_msg("%s: '%s' is done by %s", name, s->nodes.node[0]->name, s->kernel->name);
    }
    plan_free(p);
    params_free(ps);
}

static void test_8_bits(void **state)
{
    struct err e = {0};
    struct device *gpu = device_cuda_new(0, &e), d;

    (void)state;
    if (!gpu)
        fail_msg("%s", e.msg);
    d = without_memory(gpu);
    for (size_t i = 0; i < COUNT(in_8_bits); i++) {
        struct graph *q = quantise(in_8_bits[i], network(in_8_bits[i], &e));

        bind_8(in_8_bits[i], q, &d);
        graph_free(q);
    }
    gpu->free(gpu);
}

static void test_zoo(void **state)
{
    struct err e = {0};
    struct device *gpu = device_cuda_new(0, &e), d;
    struct recipe r;

    (void)state;
    if (!gpu)
        fail_msg("%s", e.msg);
    d = without_memory(gpu);
    toy_recipe(&r, NULL);
    assert_int_equal(each(&d, &r), 0);
    recipe_release(&r);
    gpu->free(gpu);
}

static int setup(void **state)
{
    (void)state;
    zeros = mmap(NULL, ZEROS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    return zeros == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return munmap(zeros, ZEROS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_zoo), cmocka_unit_test(test_8_bits)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
