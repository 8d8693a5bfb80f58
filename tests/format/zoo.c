/* zoo.c -- tests of the networks in models/: their parameters by count, name
 * and shape, and that their flat form reads back.
 * SPDX-License-Identifier: MIT  */
#include "format/zoo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pass_check.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cpu/cpu.h"
#include "format/network.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/initial.h"

/* Made by scripts/make-ref-names.py: torch 2.15.0, torchvision 0.29.2, timm
 * 1.0.31; the last row from the names of resnet20-cifar10.safetensors.
 * Parameters, tensors (running statistics too), FNV-1a of the sorted lines
 * "NAME [A,B]".  */
static const struct {
    const char *name, *opt;
    int64_t params;
    int tensors;
    uint64_t hash;
} refs[] = {
    {"resnet18", NULL, 11689512, 102, 0x2fb34343a6a39bca},
    {"resnet34", NULL, 21797672, 182, 0x6ca75b811c36c852},
    {"resnet50", NULL, 25557032, 267, 0xcd5b58669e734151},
    {"resnet18", "classes=10", 11181642, 102, 0xf5ca0f282f976c1a},
    {"mobilenet-v2", NULL, 3504872, 262, 0x527b814b96c9178d},
    {"mobilenet-v2", "scale=0.35", 1677128, 262, 0xfe1a7d784f1bdc14},
    {"mobilenet-v2", "scale=1.4", 6108776, 262, 0xf3796ab8780c80b4},
    {"resnet50-vd", NULL, 25576264, 277, 0xf63c32641ee164c4},
    {"resnet50", "variant=c", 25576264, 277, 0xa4f53a7b466045e6},
    {"resnet18", "variant=d", 11708744, 112, 0x743ca495cf7d9f92},
    {"repvgg-a0", NULL, 9108968, 290, 0x48477c89a208bd10},
    {"repvgg-a1", NULL, 14092264, 290, 0xf4143eb42da180c2},
    {"repvgg-a2", NULL, 28210600, 290, 0x5413ee897f10e920},
    {"repvgg-b0", NULL, 15817960, 374, 0xc26c730c9adb808a},
    {"repvgg-b1", NULL, 57415016, 374, 0x8d58d2d539fcc293},
    {"repvgg-b1g4", NULL, 39966056, 374, 0x312e46776daa141f},
    {"repvgg-b2", NULL, 89022376, 374, 0x8cb132fe4a05cfdc},
    {"repvgg-b2g4", NULL, 61758376, 374, 0x824214adc142cdf0},
    {"repvgg-b3", NULL, 123085288, 374, 0xa46e77b794438640},
    {"repvgg-b3g4", NULL, 83825128, 374, 0x5f425dac61484a4c},
    {"mobileone-s0", NULL, 5293272, 1097, 0x841a85e0d447c667},
    {"mobileone-s1", NULL, 4825192, 463, 0x2bdaf42613d8464f},
    {"mobileone-s2", NULL, 7884648, 463, 0x7e14a72e1b9564e7},
    {"mobileone-s3", NULL, 10170600, 463, 0xf8e9ba0172d46003},
    {"mobileone-s4", NULL, 14951248, 511, 0x214ffbbc0b9ef172},
    {"mobilenet-v1-x1.0", NULL, 4231976, 137, 0xced5832af14a808f},
    {"ghostnet-x0.5", NULL, 2587292, 432, 0xc3661e1413d7d754},
    {"ghostnet-x1.0", NULL, 5182508, 432, 0xada9edd3fc777ac2},
    {"ghostnet-x1.3", NULL, 7358820, 432, 0xe486aabf5d6e06b0},
    {"pp-lcnet-x0.35", NULL, 1644370, 147, 0xce023e5e07c52204},
    {"pp-lcnet-x0.5", NULL, 1880856, 147, 0x96c9dccc8b440c62},
    {"pp-lcnet-x0.75", NULL, 2358288, 147, 0x0464d852b7a049d1},
    {"pp-lcnet-x1.0", NULL, 2953800, 147, 0x87cec762b3e4598d},
    {"pp-lcnet-x1.5", NULL, 4501112, 147, 0x0842abc13728bb0d},
    {"pp-lcnet-v2-small", NULL, 4128552, 204, 0xa2c5a0ab39b5dcb8},
    {"pp-lcnet-v2-base", NULL, 6687208, 262, 0xfc88570c15d7aef2},
    {"pp-lcnet-v2-large", NULL, 10542120, 320, 0xf0125ec7d6057712},
    {"darknet53", NULL, 41609928, 262, 0x3e639a0211d0abe4},
    {"se-resnet18", NULL, 11779624, 134, 0x6d5b8de7cea39bac},
    {"se-resnet34", NULL, 21960416, 246, 0x2a7b2df47d34468d},
    {"se-resnet50", NULL, 28088024, 331, 0x253e54d0460055ce},
    {"se-resnext50-32x4d", NULL, 27559896, 331, 0x44ad22120576b16f},
    {"senet154", NULL, 115088984, 987, 0xf1203b0eaa3d014a},
    {"res2net50", NULL, 25699120, 427, 0x798e19d0f436f807},
    {"sk-resnet18", NULL, 11958056, 190, 0xc7e45b6e1603e1e2},
    {"mobilenet-v3-large", NULL, 5483032, 266, 0xf76a7897ccf1c742},
    {"mobilenet-v3-large", "scale=0.75", 3377576, 266, 0x3cd1cec181b69f83},
    {"mobilenet-v3-small", NULL, 2542856, 210, 0x11b0f5a1b6ab0e3b},
    {"shufflenet-v2-x0.5", NULL, 1366792, 282, 0x698dde150f092c13},
    {"shufflenet-v2-x1.0", NULL, 2278604, 282, 0xe9816632b52fb8eb},
    {"shufflenet-v2-x1.5", NULL, 3503624, 282, 0x09e001c7ac84c20d},
    {"shufflenet-v2-x2.0", NULL, 7393996, 282, 0xebdefe585f4fe6b6},
    {"squeezenet1.0", NULL, 1248424, 52, 0x938d47d1a527d597},
    {"squeezenet1.1", NULL, 1235496, 52, 0xf808c0e2ab0be1be},
    {"vit-b-16", NULL, 86567656, 152, 0x51baba89d28b8dca},
    {"vit-b-32", NULL, 88224232, 152, 0x736d9a9c16bdca66},
    {"vit-b-16", "size=384", 86859496, 152, 0x2cbad166911e6a88},
    {"alexnet", NULL, 61100840, 16, 0x55ab6d852e459950},
    {"vgg11", NULL, 132863336, 22, 0x071e22028e29d557},
    {"vgg11-bn", NULL, 132868840, 54, 0x2fb33cfcfcfae2ab},
    {"vgg13", NULL, 133047848, 26, 0x573327006b18ff28},
    {"vgg13-bn", NULL, 133053736, 66, 0x060514744971067c},
    {"vgg16", NULL, 138357544, 32, 0x8841d7d28963b578},
    {"vgg16-bn", NULL, 138365992, 84, 0x42be6a7d6100c2e9},
    {"vgg19", NULL, 143667240, 38, 0xa4bc9b17d2963a62},
    {"vgg19-bn", NULL, 143678248, 102, 0xe1525523f82b7e70},
    {"densenet121", NULL, 7978856, 606, 0xd0958a5febfee42b},
    {"densenet161", NULL, 28681000, 806, 0x341563cec08e87a6},
    {"densenet169", NULL, 14149480, 846, 0x7b52689ae600b4f5},
    {"densenet201", NULL, 20013928, 1006, 0x34590defe5bb07d7},
    {"resnet101", NULL, 44549160, 522, 0xbb768a27d59c5448},
    {"resnet152", NULL, 60192808, 777, 0x6d94b34f87637152},
    {"wide-resnet50-2", NULL, 68883240, 267, 0x4907f9471157d4ad},
    {"wide-resnet101-2", NULL, 126886696, 522, 0x696242124bc0fca8},
    {"resnext50-32x4d", NULL, 25028904, 267, 0x42c3fc2d72c51d9c},
    {"resnext101-32x8d", NULL, 88791336, 522, 0x8da325f60f96392d},
    {"resnext101-64x4d", NULL, 83455272, 522, 0xd2fb3eee35f75eec},
    {"resnet18-vd", NULL, 11708744, 112, 0x743ca495cf7d9f92},
    {"resnet34-vd", NULL, 21816904, 192, 0x0e2a4cdfd885ba16},
    {"resnet101-vd", NULL, 44568392, 532, 0xb1a3037125349815},
    {"resnet152-vd", NULL, 60212040, 787, 0x0ce6c848d020c7a3},
    {"resnet50-vc", NULL, 25576264, 277, 0xa4f53a7b466045e6},
    {"mnasnet0.5", NULL, 2218512, 262, 0x8454c6aa260f86d0},
    {"mnasnet0.75", NULL, 3170208, 262, 0x8e93ad5e95cf10ca},
    {"mnasnet1.0", NULL, 4383312, 262, 0x95dd5ca12e93e212},
    {"mnasnet1.3", NULL, 6282256, 262, 0x1313a393c2d1fb6e},
    {"efficientnet-b0", NULL, 5288548, 311, 0xbfb7478970ce3c86},
    {"efficientnet-b1", NULL, 7794184, 439, 0x2654a71e24fd361a},
    {"efficientnet-b2", NULL, 9109994, 439, 0x0b9ac8c2040ea03b},
    {"efficientnet-b3", NULL, 12233232, 496, 0xbcd0262bb4b1d461},
    {"efficientnet-b4", NULL, 19341616, 610, 0x95532453c98f7de7},
    {"efficientnet-b5", NULL, 30389784, 738, 0xaaf497b66413f387},
    {"efficientnet-b6", NULL, 43040704, 852, 0x62502f4a0d029bb7},
    {"efficientnet-b7", NULL, 66347960, 1037, 0x7b514450382518cf},
    {"efficientnet-v2-s", NULL, 21458488, 672, 0x7096d0803b188376},
    {"efficientnet-v2-m", NULL, 54139356, 963, 0xd25d5a9da1d4d732},
    {"efficientnet-v2-l", NULL, 118515272, 1331, 0x27de27b08db9ec71},
    {"regnet-x-400mf", NULL, 5495976, 357, 0x613985b9c72bcfe8},
    {"regnet-x-800mf", NULL, 7259656, 267, 0xb5848dafca9efb5d},
    {"regnet-x-1.6gf", NULL, 9190136, 297, 0xab895ce75e5072b1},
    {"regnet-x-3.2gf", NULL, 15296552, 402, 0x5c32743e8b6d0d71},
    {"regnet-x-8gf", NULL, 39572648, 372, 0xe6d21541492010b9},
    {"regnet-x-16gf", NULL, 54278536, 357, 0xa70028de70c76e8c},
    {"regnet-x-32gf", NULL, 107811560, 372, 0xef86337145db15d1},
    {"regnet-y-400mf", NULL, 4344144, 331, 0x9f584f4efda9534a},
    {"regnet-y-800mf", NULL, 6432512, 293, 0x7631fefd684ff859},
    {"regnet-y-1.6gf", NULL, 11202430, 540, 0xa8063e3249b3058a},
    {"regnet-y-3.2gf", NULL, 19436338, 426, 0x81579f0f69788c05},
    {"regnet-y-8gf", NULL, 39381472, 350, 0x938c07838496afa4},
    {"regnet-y-16gf", NULL, 83590140, 369, 0x167be3f47d781809},
    {"regnet-y-32gf", NULL, 145046770, 407, 0x35ef2fd701299766},
    {"googlenet", NULL, 13004888, 305, 0x44d2a94252104445},
    {"googlenet", "aux=no", 6624904, 287, 0xe063446b370ae5b7},
    {"inception-v3", NULL, 27161264, 484, 0x37c53470bc49a47e},
    {"inception-v3", "aux=no", 23834568, 472, 0x586ca55450b259a9},
    {"vit-l-16", NULL, 304326632, 296, 0x19d10bccd0e11f12},
    {"vit-l-32", NULL, 306535400, 296, 0xa0a4eba7d237c7e6},
    {"vit-t-16", NULL, 5717416, 152, 0x09c16a2d7c211c8d},
    {"vit-s-16", NULL, 22050664, 152, 0x375f2ad1a04c8698},
    {"vit-s-32", NULL, 22878952, 152, 0x641683af6ca9dd30},
    {"deit-tiny", NULL, 5717416, 152, 0x09c16a2d7c211c8d},
    {"deit-tiny-distilled", NULL, 5910800, 155, 0xc225846096c1f075},
    {"deit-small", NULL, 22050664, 152, 0x375f2ad1a04c8698},
    {"deit-small-distilled", NULL, 22436432, 155, 0x9f041d7b5f9c18da},
    {"deit-base", NULL, 86567656, 152, 0xaa260b45cfcd58de},
    {"deit-base-distilled", NULL, 87338192, 155, 0x050f7a401bbb9d74},
    {"swin-t", NULL, 28288354, 173, 0xbe82b33a4d75f4a9},
    {"swin-s", NULL, 49606258, 329, 0x5069808e20124965},
    {"swin-b", NULL, 87768224, 329, 0xffc24041103b233f},
    {"convnext-tiny", NULL, 28589128, 182, 0x8fd9f76dddd222bd},
    {"convnext-small", NULL, 50223688, 344, 0xb66712b5a3904990},
    {"convnext-base", NULL, 88591464, 344, 0x2e075f23267eff4f},
    {"convnext-large", NULL, 197767336, 344, 0x916b4bc25f32d4f2},
    {"mixer-b-16", NULL, 59880472, 150, 0xc1c895a8ed200778},
    {"resnet20", NULL, 269722, 97, 0x6c7d8dde15a4c38e},
};

/* By formula: features of the papers.  */
static const struct {
    const char *name, *opt;
    int64_t params;
} counts[] = {
    {"resnet20", NULL, 269722},
    {"resnet32", NULL, 464154},
    {"resnet44", NULL, 658586},
    {"resnet56", NULL, 853018},
    {"resnet20", "shortcut=conv", 272474},
    {"resnet32", "shortcut=conv", 466906},
    {"resnet44", "shortcut=conv", 661338},
    {"resnet56", "shortcut=conv", 855770},
    {"resnet110", NULL, 1727962},
    {"resnet1202", NULL, 19421274},
    {"resnet110", "shortcut=conv", 1730714},
    {"resnet18-cifar", NULL, 11173962},
    {"wrn-16-4", NULL, 2748890},
    {"wrn-16-8", NULL, 10961370},
    {"wrn-28-10", NULL, 36479194},
    {"wrn-40-4", NULL, 8949210},
    {"vgg16-bn-cifar", NULL, 14728266},
    {"lenet5", NULL, 61706},
    {"vit-t-16", NULL, 5717416},
    {"vit-s-16", NULL, 22050664},
    {"vit-t-32", NULL, 6131560},
    {"mlp", NULL, 535818},
    {"mlp", "hidden=[]", 7850},
    {"resnet50", "depths=[3,4,23,3]", 44549160},
    {"resnet50-vd", "depths=[3,4,23,3]", 44568392},
    {"mobilenet-v2", "scale=0.5", 1968680},
    {"resnet50", "variant=a", 25557032},
    {"mobilenet-v1-x0.75", NULL, 2585560},
    {"mobilenet-v1-x0.5", NULL, 1331592},
    {"mobilenet-v1-x0.25", NULL, 470072},
    {"repvgg-b1g2", NULL, 45782376},
    {"pp-lcnet-x0.25", NULL, 1522464},
    {"pp-lcnet-x2.0", NULL, 6522792},
    {"pp-lcnet-x2.5", NULL, 9018840},
    {"shufflenet-v1-g1", NULL, 1531936},
    {"shufflenet-v1-g2", NULL, 1733848},
    {"shufflenet-v1-g3", NULL, 1865728},
    {"shufflenet-v1-g4", NULL, 1968344},
    {"shufflenet-v1-g8", NULL, 2434768},
    {"eca-resnet50-vd", NULL, 25576350},
    /* PaddleClas counts running statistics too: 2.83, 3.25, 3.87, 4.64 M */
    {"esnet-x0.25", NULL, 2825658},
    {"esnet-x0.5", NULL, 3239023},
    {"esnet-x0.75", NULL, 3853249},
    {"esnet-x1.0", NULL, 4620318},
};

static struct graph *load(const char *name, const char *opt)
{
    const char *const opts[] = {opt, NULL};
    struct err e = {0};
    struct graph *g = network_read(name, opts, &e);

    if (!g)
        fail_msg("%s: %s", name, e.msg);
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

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t fnv(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    return h;
}

static uint64_t hash_state(const struct graph *g, int *count)
{
    char **line = xcalloc((size_t)g->n_value, sizeof *line);
    struct arena a = {0};
    uint64_t h = 0xcbf29ce484222325;
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_PARAM ||
            g->value[i]->kind == VALUE_STATE)
            line[n++] = arena_printf(&a, "%s %s\n", g->value[i]->name,
                                     ST(&g->value[i]->shape));
    qsort(line, (size_t)n, sizeof *line, by_text);
    for (int i = 0; i < n; i++)
        h = fnv(h, line[i]);
    *count = n;
    arena_release(&a);
    free(line);
    return h;
}

static void names_and_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refs); i++) {
        struct graph *g = load(refs[i].name, refs[i].opt);
        int count;
        const uint64_t h = hash_state(g, &count);

        if (n_params(g) != refs[i].params || count != refs[i].tensors ||
            h != refs[i].hash)
            fail_msg("%s %s: %lld parameters, %d tensors, hash %llx",
                     refs[i].name, refs[i].opt ? refs[i].opt : "",
                     (long long)n_params(g), count, (unsigned long long)h);
        graph_free(g);
    }
}

static void parameter_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct graph *g = load(counts[i].name, counts[i].opt);

        if (n_params(g) != counts[i].params)
            fail_msg("%s %s: %lld parameters", counts[i].name,
                     counts[i].opt ? counts[i].opt : "",
                     (long long)n_params(g));
        graph_free(g);
    }
}

static void same_value(const struct value *a, const struct value *b)
{
    assert_int_equal(!a, !b);
    if (!a)
        return;
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->index, b->index);
    assert_true(shape_equal(&a->shape, &b->shape));
    assert_int_equal(a->n_use, b->n_use);
    assert_string_equal(a->init ? a->init : "", b->init ? b->init : "");
}

static void same_node(const struct node *a, const struct node *b)
{
    struct str s = {0}, t = {0};

    assert_string_equal(a->name, b->name);
    assert_ptr_equal(a->op, b->op);
    assert_int_equal(a->n_in, b->n_in);
    assert_int_equal(a->n_out, b->n_out);
    assert_int_equal(a->n_join, b->n_join);
    for (int i = 0; i < a->n_in; i++)
        same_value(a->in[i], b->in[i]);
    for (int i = 0; i < a->n_out; i++)
        same_value(a->out[i], b->out[i]);
    for (int i = 0; a->op->attr && a->op->attr[i].name; i++) {
        attr_print(&s, &a->op->attr[i], &a->attr[i]);
        attr_print(&t, &b->op->attr[i], &b->attr[i]);
    }
    assert_string_equal(str_text(&s), str_text(&t));
    str_release(&s);
    str_release(&t);
}

static void same_graph(const struct graph *g, const struct graph *h)
{
    assert_string_equal(g->name, h->name);
    assert_int_equal(g->n_node, h->n_node);
    assert_int_equal(g->n_value, h->n_value);
    assert_int_equal(g->n_output, h->n_output);
    for (int i = 0; i < g->n_value; i++)
        same_value(g->value[i], h->value[i]);
    for (int i = 0; i < g->n_node; i++)
        same_node(g->node[i], h->node[i]);
    for (int i = 0; i < g->n_output; i++) {
        assert_string_equal(g->output[i].name, h->output[i].name);
        assert_int_equal(g->output[i].train, h->output[i].train);
        assert_true(g->output[i].loss == h->output[i].loss);
        same_value(g->output[i].value, h->output[i].value);
    }
}

static void flat_form_reads_back(void **state)
{
    (void)state;
    int n = 0;

    for (const char *const *name = network_names(); *name; name++, n++) {
        struct graph *g = load(*name, NULL), *h;
        struct str s = {0};
        struct err e = {0};

        graph_print(&s, g);
        assert_null(strchr(str_text(&s), '$'));
        h = network_parse("flat", str_text(&s), s.len, NULL, NULL, &e);
        if (!h)
            fail_msg("%s: %s", *name, e.msg);
        same_graph(g, h);
        str_release(&s);
        graph_free(g);
        graph_free(h);
    }
    assert_true(n >= 11);
}

/* What passes make of a network is written and read like any other.  */
static void after_passes(void **state)
{
    static const char *const nets[][2] = {
        {"lenet5", NULL},
        {"resnet20", NULL},
        {"mobilenet-v2", "scale=0.35"},
        {"repvgg-a0", "widths=[8,8,16,16]"},
        {"repvgg-b1g4", "widths=[8,8,16,16]"},
        {"mobileone-s0", "widths=[8,8,16,16]"},
        {"pp-lcnet-v2-base", "scale=0.25"},
        {"pp-lcnet-x0.25", NULL},
        {"mobilenet-v1-x0.25", NULL},
        {"shufflenet-v1-g3", NULL},
        {"ghostnet-x0.5", "scale=0.25"},
        {"esnet-x0.25", NULL},
        {"darknet53", "widths=[8,8,16,16,16]"},
        {"res2net50", "widths=[8,8,16,16]"},
        {"se-resnet18", "widths=[8,8,16,16]"},
        {"se-resnext50-32x4d", "widths=[16,16,16,16]"},
        {"eca-resnet50-vd", "widths=[8,8,16,16]"},
        {"sk-resnet18", "widths=[8,8,16,16]"},
        {"senet154", "widths=[32,32,32,32]"},
        {"resnet50-vd", "widths=[8,8,8,8]"},
        {"mobilenet-v3-small", "scale=0.25"},
        {"shufflenet-v2-x0.5", NULL},
        {"squeezenet1.1", NULL},
        {"vgg16-bn-cifar", "widths=[8,8,16,16,16]"},
        {"wrn-16-4", "wide=1"},
        {"densenet121", "growth=4"},
        {"resnext50-32x4d", "widths=[16,32,48,64]"},
        {"mnasnet0.5", "scale=0.25"},
        {"efficientnet-b1", "w=0.3"},
        {"efficientnet-v2-s", "widths=[8,8,16,16,24,32]"},
        {"regnet-y-400mf", "classes=10"},
        {"googlenet", "classes=10"},
        {"vit-t-16", "dim=12"},
        {"vit-b-16", "dim=12"},
        {"deit-tiny-distilled", "dim=12"},
        {"swin-t", "dim=24"},
        {"convnext-tiny", "widths=[8,8,8,8]"},
        {"mlp", NULL},
        {"mixer-b-16", "dim=12"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(nets); i++) {
        struct graph *g = load(nets[i][0], nets[i][1]);
        struct err e = {0};

        assert_int_equal(initial_fill(g, 1, NULL, &e), 0);
        for (const struct pass_named *p = pass_named; p->name; p++) {
            struct graph *h = p->apply(g, &e), *again;
            struct str s = {0}, t = {0};

            if (!h)
                fail_msg("%s %s: %s", nets[i][0], p->name, e.msg);
            graph_print(&s, h);
            again = network_parse("flat", str_text(&s), s.len, NULL, NULL, &e);
            if (!again)
                fail_msg("%s %s: %s", nets[i][0], p->name, e.msg);
            graph_print(&t, again);
            assert_string_equal(str_text(&s), str_text(&t));
            assert_true(n_params(again) == n_params(h));
            str_release(&s);
            str_release(&t);
            graph_free(g);
            graph_free(again);
            g = h;
        }
        graph_free(g);
    }
}

static void lists_and_sources(void **state)
{
    (void)state;
    const char *last = "";
    int family = 0;

    for (const char *const *name = network_names(); *name; name++) {
        assert_true(strcmp(last, *name) < 0);
        last = *name;
        family |= !strcmp(*name, "resnet") || !strcmp(*name, "repvgg");
    }
    assert_false(family);
    assert_non_null(strstr(network_source("resnet50-vd"), "base: resnet.yaml"));
    assert_null(network_source("nothing"));
    assert_non_null(zoo_find("recipes/default.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_shapes),
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(flat_form_reads_back),
        cmocka_unit_test(after_passes),
        cmocka_unit_test(lists_and_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
