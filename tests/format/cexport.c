/* cexport.c -- networks written as C, compiled, compute what the ops say.
 * SPDX-License-Identifier: MIT
 *
 * All of them are one program, so that the compiler starts once.  */
#include "format/cexport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../graph_random.h"
#include "../interp.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/model.h"
#include "format/network.h"
#include "graph/graph.h"
#include "pass/pass.h"

/* The body over an image [3,7,6].  */
static const char *const bodies[] = {
    "[conv: {out: 4, kernel: 3, pad: [0, 1, 2, 1], stride: [2, 1], bias: yes}]",
    "[conv: {out: 6, kernel: [1, 3], groups: 3, dilation: [1, 2]}, sigmoid]",
    "[conv: {out: 3, kernel: 3, pad: 3, dilation: 2, groups: 3}, silu]",
    "[hardtanh: {max: 2}, leakyrelu: {slope: 0.1}, elu: {alpha: 0.5}, selu]",
    "[softsign, mish, softplus: {beta: 2, threshold: 1}]",
    "[softplus, log, exp, sqrt, pow: {exponent: -1.5}, erf]",
    "[maxpool: {kernel: 3, stride: 2, pad: 1}, tanh]",
    "[maxpool: {kernel: 3, stride: 2, ceil_mode: yes}, clip: {min: 0, max: 1}]",
    "[avgpool: {kernel: 3, stride: 2, pad: 1}, hardswish]",
    "[avgpool: {kernel: 3, stride: 2, pad: 1, count_include_pad: no}, relu6]",
    "[avgpool: {kernel: 3, stride: 2, pad: 1, ceil_mode: yes}, gelu]",
    "[avgpool: {kernel: 2, ceil_mode: yes}, gelu: {approximate: tanh}]",
    "[adaptive_avg_pool: {size: [3, 4]}, hardsigmoid]",
    "[global_avg_pool, {linear: {out: 5}}, softmax]",
    "[{linear: {out: 5, bias: no}}, {softmax: {axis: 1}}]",
    "[bn, relu]",
    "[relu, bn: {affine: no}]",
    "[scale: {axis: 2}]",
    "[{add: {of: [relu, sigmoid, identity]}}, relu]",
    "[{conv: {as: a, out: 3, kernel: 1}}, add: {of: [sigmoid, identity]}]",
    "[{conv: {as: a, out: 3, kernel: 1}}, mul: {of: [identity, identity]}]",
    "[mul: {of: [do: [{adaptive_avg_pool: {size: 1}}, sigmoid], identity]}]",
    "[{concat: {of: [relu, {do: [{conv: {out: 2, kernel: 1}}]}]}}, relu6]",
    "[concat: {axis: 2, of: [relu, sigmoid]}]",
    "[pad: {pad: [1, 2, 0, 3], value: 0.5}]",
    "[pad: {pad: 2, mode: reflect}, relu]",
    "[pad: {pad: 2, mode: edge}]",
    "[pad_channels: {to: 8}, channel_shuffle: {groups: 2}]",
    "[pad_channels: {to: 6, split: no}, subsample: {stride: 2}]",
    "[slice: {axis: 2, start: 1, length: 4}, flatten]",
    "[select: {axis: 2, index: 3}, relu]",
    "[split: {as: s, sizes: [1, 2]}, concat: {of: [{identity: {from: s/1}}, "
    "{identity: {from: s}}]}]",
};

enum { BODIES = COUNT(bodies), RANDOM = 12, STEPS = 8, ALL = BODIES + RANDOM };

static struct graph *network(int i)
{
    struct str text = {0}, name = {0};
    struct err e = {0};
    struct graph *g;

    str_printf(&name, "t%d", i);
    if (i < BODIES) {
        str_printf(&text, "input: {size: [3, 7, 6]}\nbody: %s\n", bodies[i]);
        g = network_parse(str_text(&name), str_text(&text), text.len, NULL,
                          NULL, &e);
        if (!g)
            fail_msg("%s: %s", bodies[i], e.msg);
        graph_random_fill(g, 3);
    } else {
        g = graph_random((uint64_t)i, STEPS);
        g->name = arena_strdup(&g->arena, str_text(&name));
    }
    str_release(&text);
    str_release(&name);
    return g;
}

static void save(const char *dir, const char *name, const struct str *s)
{
    struct str path = {0};
    struct err e = {0};
    struct out o;

    str_printf(&path, "%s/%s", dir, name);
    if (out_open(&o, str_text(&path), &e) < 0 ||
        out_write(&o, str_text(s), s->len, &e) < 0 || out_commit(&o, &e) < 0)
        fail_msg("%s", e.msg);
    str_release(&path);
}

static void remove_file(const char *dir, const char *name)
{
    struct str path = {0};

    str_printf(&path, "%s/%s", dir, name);
    assert_int_equal(unlink(str_text(&path)), 0);
    str_release(&path);
}

/* The header of network I, and its part of the program.  */
static void write_one(const char *dir, int i, struct str *includes,
                      struct str *calls)
{
    struct model *m = model_new(network(i));
    struct str s = {0}, again = {0}, name = {0};
    struct err e = {0};
    struct cexport c;
    struct interp r;

    if (cexport_open(&c, m, &e) < 0)
        fail_msg("%d: %s", i, e.msg);
    interp_fill(&r, m->graph, 1, 1, 0);
    memcpy(interp_value(&r, "image")->data, c.image,
           (size_t)c.n_image * sizeof(float));
    interp_go(&r);
    const float *want = interp_output(&r, "logits")->data;

    if (cexport_write(&c, &s, want, &e) < 0 ||
        cexport_write(&c, &again, want, &e) < 0)
        fail_msg("%d: %s", i, e.msg);
    assert_string_equal(str_text(&s), str_text(&again));
    str_printf(&name, "t%d.h", i);
    save(dir, str_text(&name), &s);
    str_printf(includes, "#include \"%s\"\nstatic const float want%d[] = {",
               str_text(&name), i);
    for (int64_t k = 0; k < c.n_logits; k++)
        str_printf(includes, "%.9ef,", (double)want[k]);
    str_add(includes, "};\n");
    str_printf(calls, "bad |= check(%d, t%d, %lld, %lld, want%d);\n", i, i,
               (long long)c.n_image, (long long)c.n_logits, i);
    interp_release(&r);
    cexport_close(&c);
    str_release(&s);
    str_release(&again);
    str_release(&name);
    model_free(m);
}

static const char program[] =
    "#include <stdio.h>\n"
    "static int check(int i, void (*run)(const float *, float *), int n,\n"
    "                 int m, const float *want)\n"
    "{\n"
    "    static float image[9999], logits[9999];\n"
    "    float most = 0, apart = 0;\n"
    "    uint32_t x = 1;\n"
    "    for (int k = 0; k < n; k++) {\n"
    "        x = x * 1664525U + 1013904223U;\n"
    "        image[k] = (float)(x >> 8) / 4194304.f - 2.f;\n"
    "    }\n"
    "    for (int again = 0; again < 2; again++) /* no state is left */\n"
    "        run(image, logits);\n"
    "    for (int k = 0; k < m; k++) {\n"
    "        const float d = fabsf(logits[k] - want[k]);\n"
    "        apart = d <= apart ? apart : d;\n"
    "        most = fmaxf(most, fabsf(want[k]));\n"
    "    }\n"
    "    if (apart <= 1e-5f * most)\n"
    "        return 0;\n"
    "    fprintf(stderr, \"%d: %g of %g\\n\", i, (double)apart,\n"
    "            (double)most);\n"
    "    return 1;\n"
    "}\n";

static void compiled_networks_agree(void **state)
{
    char dir[] = "/tmp/adze-cexport.XXXXXX";
    struct str all = {0}, calls = {0}, command = {0};
    const char *cc = getenv("CC");

    (void)state;
    assert_non_null(mkdtemp(dir));
    str_add(&all, "#include <math.h>\n#include <stdint.h>\n");
    for (int i = 0; i < ALL; i++)
        write_one(dir, i, &all, &calls);
    str_printf(&all, "%sint main(void)\n{\nint bad = 0;\n%sreturn bad;\n}\n",
               program, str_text(&calls));
    save(dir, "all.c", &all);
    str_printf(&command,
               "cd %s && %s -std=c11 -O1 -Wall -Wextra -Werror -pedantic -o "
               "all all.c -lm && ./all",
               dir, cc && *cc ? cc : "cc");
    assert_int_equal(system(str_text(&command)), 0);
    for (int i = 0; i < ALL; i++) {
        char name[16];

        snprintf(name, sizeof name, "t%d.h", i);
        remove_file(dir, name);
    }
    remove_file(dir, "all.c");
    remove_file(dir, "all");
    assert_int_equal(rmdir(dir), 0);
    str_release(&all);
    str_release(&calls);
    str_release(&command);
}

static void refuse(const char *body, const char *want)
{
    struct str text = {0}, s = {0};
    struct err e = {0};
    struct cexport c;
    struct graph *g;
    struct model *m;
    const float logits[64] = {0};

    str_printf(&text, "input: {size: [3, 4, 4]}\nbody: %s\n", body);
    g = network_parse("t", str_text(&text), text.len, NULL, NULL, &e);
    if (!g)
        fail_msg("%s", e.msg);
    m = model_new(g); /* without data: it comes to none */
    if (cexport_open(&c, m, &e) == 0)
        assert_int_equal(cexport_write(&c, &s, logits, &e), -1);
    if (!strstr(e.msg, want) || e.code != ERR_UNSUPPORTED)
        fail_msg("'%s' is not in '%s'", want, e.msg);
    assert_int_equal(s.len, 0);
    cexport_close(&c);
    model_free(m);
    str_release(&text);
    str_release(&s);
}

static void refuses(void **state)
{
    (void)state;
    refuse("[tokens, {linear: {out: 12}}, attention: {as: at, heads: 2}]",
           "op 'tokens' at 'tokens' has no C");
    refuse("[flatten, {linear: {out: 40}}, linear: {out: 500000}]",
           "the network has 20501960 weights");
}

/* Names that C has, or that no name of C is.  */
static void names_are_of_c(void **state)
{
    static const char *const names[][2] = {{"resnet-50.x", "resnet_50_x("},
                                           {"int", "net_int("},
                                           {"3d", "net_3d("}};
    const float logits[3] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        static const char body[] =
            "input: {size: [3, 4, 4]}\nbody: [{conv: {as: \"x\", out: 3, "
            "kernel: 1}}, global_avg_pool]\n";
        struct str s = {0};
        struct err e = {0};
        struct graph *g =
            network_parse(names[i][0], body, strlen(body), NULL, NULL, &e);
        struct model *m;
        struct cexport c;

        assert_non_null(g);
        graph_random_fill(g, 1);
        m = model_new(g);
        model_set_classes(m, (const char *[]){"a\"?\xc3", "*/", "c"}, 3);
        assert_int_equal(cexport_open(&c, m, &e), 0);
        assert_int_equal(cexport_write(&c, &s, logits, &e), 0);
        assert_non_null(strstr(str_text(&s), names[i][1]));
        assert_non_null(strstr(str_text(&s), "\"a\\042\\077\\303\""));
        cexport_close(&c);
        model_free(m);
        str_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_networks_agree),
        cmocka_unit_test(refuses),
        cmocka_unit_test(names_are_of_c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
