/* network_errors.c -- network files that are wrong: what is said of them, and
 * that nothing worse happens.
 * SPDX-License-Identifier: MIT  */
#include "format/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../fuzz.h"
#include "../network_text.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"

/* The errors say where, what, and what was near.  */
static const struct {
    const char *text, *want;
} errors[] = {
    {"", "t:1:1: a network needs 'body'"},
    {"body: [relu]\n", "the network does not say 'input"},
    {"[1]\n", "t:1:1: a network is a mapping"},
    {"bodie: []\n",
     "t:1:1: a network has no key 'bodie'; did you mean 'body'?"},
    {"body: [rellu]\n" IN,
     "t:1:8: no op or block is called 'rellu'; did you mean 'relu'?"},
    {"body: [se]\n" IN, "t:1:8: block 'se' is not known here: 'use: attention' "
                        "beside 'body' makes it so"},
    {"body: [attention/relu]\nuse: attention\n" IN,
     "t:1:8: library 'attention' has no block 'relu', but se, ese, eca, "},
    {"body: [attention/se]\n" IN, "t:1:8: no library 'attention' is used here"},
    {"body: [conv: {outt: 3, kernel: 1}]\n" IN,
     "t:1:15: op 'conv2d' has no attribute 'outt'; did you mean 'out'?"},
    {"body: [conv: {out: 3}]\n" IN, "t:1:8: 'conv': op 'conv2d' needs "
                                    "attribute 'kernel'"},
    {"body: [conv: {out: 08, kernel: 1}]\n" IN,
     "t:1:20: attribute 'out' is an integer, not '08'"},
    {"body: [conv: {out: 1_000, kernel: 1}]\n" IN, "not '1_000'"},
    {"body: [conv: {out: 1e1, kernel: 1}]\n" IN, "not '1e1'"},
    {"body: [bn: {eps: .nan}]\n" IN, "a number, not '.nan'"},
    {"body: [bn: {affine: on}]\n" IN, "yes or no, not 'on'"},
    {"body: [conv: {out: 3, kernel: 1:30}]\n" IN, "not '1:30'"},
    {"body: [conv: {out: 0, kernel: 1}]\n" IN, "t:1:8: "},
    {"body: [conv: {out: 3, kernel: 99}]\n" IN, "t:1:8: "},
    {"body: [conv: {out: 3, kernel: {a: 1}}]\n" IN, "t:1:31: a mapping where"},
    {"body: [conv: {out: max(3, 4), kernel: 1}]\n" IN, "t:1:"},
    {"body: [conv: {out: $in, kernel: max($in, 4)}]\n" IN,
     "quote expressions that hold commas"},
    {"body: [relu: {from: imag}]\n" IN,
     "t:1:21: no value before this step is called 'imag'; did you mean "
     "'image'?"},
    {"body: [relu: {from: []}]\n" IN, "'from' names no value"},
    {"body: [relu: {as: a}, relu: {as: a}]\n" IN, "two values are called 'a'"},
    {"body: [relu: {as: image}]\n" IN, "two values are called 'image'"},
    {"body: [conv: {as: a, out: 1, kernel: 1}, relu: {as: a.weight}]\n" IN,
     "two values are called 'a.weight'"},
    {"body: [relu: {as: a.weight}, conv: {as: a, out: 1, kernel: 1}]\n" IN,
     "'a.weight' is there already; a step that shares it says weight: "
     "a.weight"},
    {"body: [conv: {as: a, out: 1, kernel: 1}, conv: {as: b, out: 2, kernel: "
     "1, weight: a.weight}]\n" IN,
     "[1,3,1,1]"},
    {"body: [relu: {as: ''}]\n" IN, "an empty name"},
    {"body: [relu: {as: 'a b'}]\n" IN, "'a b' cannot be a name"},
    {"body: [relu: {as: a/1}]\n" IN, "'a/1' cannot be a name"},
    {"body: [relu: {as: 'adze:x'}]\n" IN, "'adze:x' cannot be a name"},
    {"body: [relu: {as: [a]}]\n" IN, "a list or mapping where a name"},
    {"body: [relu: 3]\n" IN, "step 'relu' takes {arguments}, not '3'"},
    {"body: [{conv: , as: x}]\n" IN, "'as' stands beside the step 'conv'"},
    {"body: [[relu]]\n" IN, "a step is NAME or NAME: {arguments}"},
    {"body: [{repeat: 2}]\n" IN, "'do' is missing here"},
    {"body: [{repeat: x, do: relu}]\n" IN, "'x' is not a whole number"},
    {"body: [{repeat: -1, do: relu}]\n" IN, "'-1' is not a whole number"},
    {"body: [{repaet: 2, do: relu}]\n" IN,
     "a control step has no key 'repaet'; did you mean 'repeat'?"},
    {"body: [{repeat: 1, each: {a: [1]}, do: relu}]\n" IN, "nest them"},
    {"body: [{each: {a: [1], b: [1, 2]}, do: relu}]\n" IN,
     "column 'b' has 2 rows, the first one has 1"},
    {"body: [{each: {a: 1}, do: relu}]\n" IN, "column 'a' is not a list"},
    {"body: [relu: {when: maybe}]\n" IN, "'maybe' is neither yes nor no"},
    {"body: [{repeat: 2, as: x, do: [relu: {as: y}]}]\n" IN,
     "two values are called 'x.y'"},
    {"blocks: {relu: {do: relu6}}\nbody: [relu]\n" IN,
     "t:1:10: block 'relu' has the name of an op"},
    {"blocks: {conv: {do: relu6}}\nbody: [relu]\n" IN, "the name of an op"},
    {"blocks: {repeat: {do: relu6}}\nbody: [relu]\n" IN,
     "the name of a control step"},
    {"blocks: {a: {od: relu6}}\nbody: [a]\n" IN, "block 'a' has no 'do'"},
    {"blocks: {a: {do: relu6, wiht: {}}}\nbody: [a]\n" IN,
     "a block has no key 'wiht'; did you mean 'with'?"},
    {"blocks: {a: {do: [b]}, b: {do: [relu, a]}}\nbody: [a]\n" IN,
     "block 'a' holds itself"},
    {"blocks: {a: {with: {width}, do: relu}}\nbody: [a: {widht: 3}]\n" IN,
     "the block has no parameter 'widht'; did you mean 'width'?"},
    {"blocks: {a: {with: {width}, do: relu}}\nbody: [a]\n" IN,
     "t:2:8: the block needs its parameter 'width'"},
    {"blocks: {a: {with: {as: 1}, do: relu}}\nbody: [a]\n" IN,
     "a parameter cannot be called 'as'"},
    {"blocks: {a: {do: relu}}\nbody: [a: [relu]]\n" IN,
     "only ops take branches"},
    {"blocks: {a: {do: relu}}\nbody: [a: {from: [image, image]}]\n" IN,
     "a block starts from one value, not 2"},
    {"body: [relu: [relu, relu6]]\n" IN, "op 'relu' takes 1 values, not 2"},
    {"body: [add: []]\n" IN, "a list of branches is wanted"},
    {"body: [add: [{branches: 0, do: relu}]]\n" IN, "no branch is left here"},
    {"body: [{branches: 2, do: relu}]\n" IN,
     "t:1:8: 'branches' stands in a list of branches"},
    {"body: [add: [{branches: 2, repeat: 2, do: relu}]]\n" IN, "nest them"},
    {"body: [add: [{branches: 2, do: relu, else: relu}]]\n" IN,
     "takes no 'else'"},
    {"body: [add: [{branches: 1001, do: relu}]]\n" IN,
     "'1001' is not a whole number from 0 to 1000"},
    {"body: [add: [{branches: 2, do: relu, from: [image, image]}]]\n" IN,
     "steps start from one value"},
    {"body: [add: [{branches: 2}]]\n" IN, "'do' is missing here"},
    {"blocks: {branches: {do: relu6}}\nbody: [relu]\n" IN,
     "the name of a control step"},
    {"body: [sgd]\n" IN, "op 'sgd' is not for networks"},
    {"body: [bn: {affine: no, weight: x}]\n" IN,
     "'weight' is switched off by 'affine'"},
    {"body: [bn: {init: {wieght: ones}}]\n" IN,
     "op 'batchnorm2d' has no parameter 'wieght'"},
    {"body: [param: {as: p}]\n" IN, "'param' needs 'as' and 'shape'"},
    {"body: [param: {as: p, shape: [-1]}]\n" IN, "not a whole number"},
    {"body: [param: {as: p, shape: [9223372036854775807, 9]}]\n" IN, "t:1:"},
    {"body: [param: {as: p, shape: [1], dtype: f8}]\n" IN,
     "no element type is called 'f8'"},
    {"body: [relu]\ninput: {size: [3, 8]}\n", "'size' is [C, H, W]"},
    {"body: [relu]\ninput: {size: [3, 0, 8]}\n", "'0' is not a size"},
    {"body: [relu]\ninput: {size: [3, -8, 8]}\n", "'-8' is not a size"},
    {"body: [relu]\ninput: {size: [3, 65536, 8]}\n", "more than 65535"},
    {"body: [relu]\ninput: {size: [3, 8, 8N]}\n", "'size' is [C, H, W]"},
    {"body: [relu]\ninput: {size: [3, 8, 8], x: 1}\n", "the only key"},
    {"body: [relu]\ninput: {x: {shape: [N, Nx]}}\n", "'Nx' is not a size"},
    {"body: [relu]\noutputs: {aux: {from: relu, train: yes}}\n" IN,
     "'outputs' are for training alone"},
    {"body: [relu]\noutputs: {logits: x}\n" IN,
     "t:2:19: no value before this step is called 'x'"},
    {"body: [relu]\noutputs: {logits: {from: relu, tarin: yes}}\n" IN,
     "an output has no key 'tarin'; did you mean 'train'?"},
    {"body: [relu]\noutputs: {logits: {from: relu, loss: 2}}\n" IN,
     "t:2:38: the loss of 'logits' counts 1"},
    {"body: [relu]\noutputs: {a: {from: relu, loss: much}}\n" IN,
     "t:2:33: 'much' is not a number from 0 to 1e+06"},
    {"body: [relu]\noutputs: {a: {from: relu, loss: -0.3}}\n" IN,
     "t:2:33: '-0.3' is not a number from 0"},
    {"body: [relu]\noutputs: {a: {from: relu, loss: [1]}}\n" IN,
     "'[1]' is not a number from 0"},
    {"body: [relu]\noutputs: {a: {from: relu, when: $k}}\n" IN,
     "'$k' is not known here"},
    {"body: [relu]\noutputs: {a: {from: relu, when: {}}}\n" IN,
     "a mapping where a value should be"},
    {"body: [relu]\noutputs: {logits: {from: relu, train: on}}\n" IN,
     "'on' is neither yes nor no"},
    {"body: [relu]\nwith: [1]\n" IN, "'with' is a mapping"},
    {"body: [relu]\nwith: {a: }\n" IN, "the network needs its parameter 'a'"},
    {"body: [relu]\nwith: {a: $b, b: 1}\n" IN, "'$b' is not known here"},
    {"base: nothing.yaml\n", "base 'nothing.yaml' is neither beside"},
    {"base: resnet.yaml\nwith: {dephts: [1]}\n",
     "t:2:8: the network has no parameter 'dephts'; did you mean 'depths'?"},
    {"body: [relu]\npreprocess: {men: 1}\n" IN,
     "'preprocess' has no key 'men'; did you mean 'mean'?"},
    {"body: [relu]\npreprocess: {std: 0}\n" IN, "'std' cannot be '0'"},
    {"body: [relu]\npreprocess: {crop: random}\n" IN, "'crop' cannot be"},
    {"body: [relu: {as: $x}]\n" IN, "'$x' is not known here"},
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct err e = {0};
        struct graph *g = network_parse("t", errors[i].text,
                                        strlen(errors[i].text), NULL, NULL, &e);

        if (g || !e.code || !strstr(e.msg, errors[i].want))
            fail_msg("'%s' is not in '%s'\n%s", errors[i].want, e.msg,
                     errors[i].text);
    }
}

/* Text that stands for far more than it is long ends soon with an error.  */
static void bombs(void **state)
{
    (void)state;
    static const char *const t[] = {
        "body: [{repeat: 1000000, do: [relu]}]\n" IN,
        "body: [{repeat: 1000000, do: [{repeat: 1000000, do: []}]}]\n" IN,
        "blocks: {a: {do: [b, b, b, b, b, b, b, b]}, "
        "b: {do: [c, c, c, c, c, c, c, c]}, c: {do: [d, d, d, d, d, d, d, d]}, "
        "d: {do: [e, e, e, e, e, e, e, e]}, e: {do: [f, f, f, f, f, f, f, f]}, "
        "f: {do: [g, g, g, g, g, g, g, g]}, g: {do: []}}\n"
        "body: [{repeat: 100, do: [a]}]\n" IN,
        "body: [{repeat: 1000000, do: [{each: {a: [1, 2, 3]}, do: [{each: {b: [1, "
        "2, 3, 4, 5, 6, 7, 8, 9]}, do: []}]}]}]\n" IN,
    };
    struct str s = {0};
    struct err e = {0};

    for (size_t i = 0; i < COUNT(t); i++) {
        e = (struct err){0};
        assert_null(network_parse("t", t[i], strlen(t[i]), NULL, NULL, &e));
        if (!strstr(e.msg, "grows too large") && !strstr(e.msg, "too many ops"))
            fail_msg("%s", e.msg);
    }
    str_add(&s, "body: [b0]\n" IN "blocks:\n");
    for (int i = 0; i < 100; i++)
        str_printf(&s, "  b%d: {do: [b%d]}\n", i, i + 1);
    str_add(&s, "  b100: {do: [relu]}\n");
    e = (struct err){0};
    assert_null(network_parse("t", str_text(&s), s.len, NULL, NULL, &e));
    assert_non_null(strstr(e.msg, "nested more than 64 deep"));
    str_release(&s);
}

static const char sample[] =
    "network: n\nwith: {w: 2, l: [1, 2]}\n" IN
    "preprocess: {mean: [.5, .5, .5]}\n"
    "blocks:\n"
    "  b:\n"
    "    with: {out, k: $out + 1}\n"
    "    do:\n"
    "    - conv: {as: c, out: $out, kernel: 3, pad: 1, bias: b.w}\n"
    "    - bn: {init: {weight: zeros}}\n"
    "body:\n"
    "- each: {d: $l, o: [relu, relu6]}\n"
    "  as: s$n\n"
    "  do: [{repeat: $d, as: $i, do: [add: [b: {out: $in}, identity, "
    "{branches: $d, do: relu}], $o]}]\n"
    "- add: {of: [relu, param: {as: p, shape: [1, $in, 8, 8]}], when: $w == "
    "2, else: relu}\n"
    "- linear: {as: fc, out: round8($w * 3), weight: s1.w, from: s2}\n"
    "outputs: {logits: fc, aux: {from: s1, train: yes, loss: $w / 4, when: "
    "$w == 2}}\n";

static void every_cut(void **state)
{
    (void)state;
    graph_free(network_text(sample));
    fuzz_cut(fuzz_network, sample, strlen(sample));
}

/* Every operator and function, and all that pictures may be told.  */
static const char sums[] =
    "network: s\n"
    "with: {w: 8, h: .5, y: yes, t: deep, l: [3, [1, 2.5], x]}\n" IN
    "preprocess: {size: [8, 9], resize: short, resize_px: 9, interpolation: bicubic, mean: [.5, .4, .3], std: .2, order: bgr, channels: 3, orient: ignore, decode: exact, crop: centre}\n"
    "body:\n"
    "- conv:\n"
    "    as: a$($w - 2)$t\n"
    "    out: max(1, min(9, $w, 4 + 3), ceil(7 / 2), floor(-2.5))\n"
    "    kernel: 1 + 6 % 4 if $h * 2 >= 1 and not ($w <= 3 or $w > 9) else 5\n"
    "    pad: -(-7 // 2) - 3 if $t == deep else $l[0]\n"
    "    bias: $y and $w != 7.0\n"
    "    stride: $l[1][0] * (2 // 1)\n"
    "- relu: {when: 1 // 0 if $w < 3 else $y or $h % .2 > 1 - 2.5 / 3}\n"
    "- conv: {out: \"round8($w * 1.2, 4) + round8(9.5) + len($l) * sum($l[1], -2.5)\", kernel: 1, pad: $w // $w - 5 % -1 - 1}\n"
    "- flatten\n"
    "- linear: {as: fc, out: \"floor($l[1][1]) + ceil(.5) + min($in, 2e0)\"}\n"
    "outputs: {logits: fc}\n";

static const char based[] = "network: m\n"
                            "base: lenet5.yaml\n"
                            "with: {classes: 3, act: relu6}\n";

/* Values and scopes that are sought from within, outputs by number.  */
static const char scopes[] =
    "network: o\n"
    "with: {w: 4}\n" IN
    "blocks: {pair: {with: {w: 2}, do: [{conv: {as: c, out: $w, kernel: 1}}]}}\n"
    "body:\n"
    "- do:\n"
    "  - do: [{pair: {as: p, w: 4}}, {relu: {as: r, from: p}}]\n"
    "    as: in\n"
    "  - add: {of: [{identity: {from: in}}, {identity: {from: in.p.c}}]}\n"
    "  as: out\n"
    "- split: {as: s, sizes: [1, 3], axis: 1}\n"
    "- concat: {of: [{relu: {from: s/1}}, {sigmoid: {from: s}}]}\n"
    "- global_avg_pool\n"
    "- linear: {as: fc, out: $w, init: {weight: zeros}}\n"
    "outputs: {logits: fc, more: {from: out.in.r}}\n";

/* Inputs by name, each with a type of its own.  */
static const char inputs[] =
    "network: i\n"
    "input: {a: {shape: [N, 3, 4, 4]}, b: {shape: [N, 3, 4, 4], dtype: f32}}\n"
    "body: [{add: {as: s, from: [a, b]}}, {global_avg_pool: }]\n";

static void fuzz(void **state)
{
    (void)state;
    const struct fuzz_seed seeds[] = {
        {sample, strlen(sample)},
        {sums, strlen(sums)},
        {based, strlen(based)},
        {scopes, strlen(scopes)},
        {inputs, strlen(inputs)},
        {network_source("resnet20"), strlen(network_source("resnet20"))},
    };
    struct fuzz_seed wrong[COUNT(errors)];

    for (size_t i = 0; i < COUNT(seeds); i++)
        graph_free(network_text(seeds[i].p));
    for (size_t i = 0; i < COUNT(errors); i++) {
        wrong[i] = (struct fuzz_seed){errors[i].text, strlen(errors[i].text)};
        assert_int_equal(fuzz_network(wrong[i].p, wrong[i].n), -1);
    }
    fuzz_run(fuzz_network, seeds, COUNT(seeds), NULL, 10000, 1);
    fuzz_run(fuzz_network, wrong, COUNT(wrong), NULL, 2000, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(bombs),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
