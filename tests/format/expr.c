/* expr.c -- tests of format/expr.h.
 * SPDX-License-Identifier: MIT  */
#include "format/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "format/yaml.h"

static const struct expr rows[] = {
    {.kind = EXPR_TEXT, .text = "3"},
    {.kind = EXPR_TEXT, .text = "4"},
};
static const struct expr nested[] = {
    {.kind = EXPR_LIST, .n = 2, .item = rows},
};
#define ROWS_8  "$rows, $rows, $rows, $rows, "
#define ROWS_32 ROWS_8 ROWS_8 ROWS_8 ROWS_8
static const struct expr_env names[] = {
    {NULL, "x", {.kind = EXPR_TEXT, .text = "7"}},
    {&names[0], "half", {.kind = EXPR_TEXT, .text = "0.5"}},
    {&names[1], "block", {.kind = EXPR_TEXT, .text = "basic"}},
    {&names[2], "yes", {.kind = EXPR_TEXT, .text = "yes"}},
    {&names[3], "i", {.kind = EXPR_INT, .i = 2}},
    {&names[4], "rows", {.kind = EXPR_LIST, .n = 2, .item = rows}},
    {&names[5], "octal", {.kind = EXPR_TEXT, .text = "08"}},
    {&names[6], "big", {.kind = EXPR_INT, .i = INT64_MAX}},
    {&names[7], "wide_name", {.kind = EXPR_INT, .i = 1}},
    {&names[8], "empty", {.kind = EXPR_LIST}},
    {&names[9], "nest", {.kind = EXPR_LIST, .n = 1, .item = nested}},
};
static const struct expr_env *const env = &names[10];

static struct yaml scalar(const char *text)
{
    return (struct yaml){.line = 3, .column = 5, .file = "t", .text = text};
}

static const struct {
    const char *text, *want;
} good[] = {
    {"3 * 2", "3 * 2"}, /* no $: text */
    {"no", "no"},
    {"$x", "7"},
    {"$x + 1", "8"},
    {"$x*2+1", "15"},
    {"1 + $x * 2 - 3", "12"},
    {"(1 + $x) * 2", "16"},
    {"$x / 2", "3.5"},
    {"$x // 2", "3"},
    {"-$x // 2", "-4"},
    {"$x % 4", "3"},
    {"-$x % 4", "1"},
    {"$x % -4", "-1"},
    {"-$x % 0.5", "0"},
    {"$half * 4", "2"},
    {"- - $x", "7"},
    {"$x - -1", "8"},
    {"2 - 1 - $x", "-6"},
    {"$x == 7", "yes"},
    {"$x != 7.0", "no"},
    {"$x < 8 and $x >= 7", "yes"},
    {"$x > 8 or not $x <= 7", "no"},
    {"$i + 1 in $rows", "yes"},
    {"not $x in $rows or $x < 0", "yes"},
    {"$block in $rows", "no"},
    {"not $yes", "no"},
    {"not not $x", "yes"},
    {"$block == basic", "yes"},
    {"$block != bottleneck", "yes"},
    {"$yes == ($x == 7)", "yes"},
    {"2 if $i == 0 else 1", "1"},
    {"2 if $i == 2 and $x > 1 else 1", "2"},
    {"1 if $i == 0 else 2 if $i == 1 else $x", "7"},
    {"$rows", "[3, 4]"},
    {"$rows[0]", "3"},
    {"$rows[$i - 1] * 2", "8"},
    {"min($x, 3)", "3"},
    {"max($x, 3, 12, 5)", "12"},
    {"max($rows)", "4"}, /* a list stands for its items */
    {"min($rows, 2)", "2"},
    {"sum($rows)", "7"},
    {"sum($half, $rows, $x)", "14.5"},
    {"sum($empty)", "0"},
    {"len($rows)", "2"},
    {"len($rows, $rows, 1)", "5"},
    {"len($empty)", "0"},
    {"len($nest, $block)", "2"},
    {"len(" ROWS_32 ROWS_8 ROWS_8 ROWS_8 "$rows, $rows, $rows, $rows)", "64"},
    {"$i < len($rows)", "no"},
    {"ceil($x / 2)", "4"},
    {"floor($x / 2)", "3"},
    {"round8($x * 4)", "32"},
    {"round8(32 * 0.35 + 0 * $x)", "16"},
    {"round8(24 * 1.4 + 0 * $x)", "32"},
    {"round8($x, 4)", "8"},
    {"1 // 0 if $x == 0 else 5", "5"}, /* what is not used may be bad */
    {"$x == 7 or 1 // 0", "yes"},
    {"$x == 0 and $block + 1", "no"},
    {"1e-4 * $x", "0.0007"},
    {"$i == 2.0", "yes"},
    {"$(x)", NULL},
    {"($x == 7) + 1", "2"},
    {"basic if $yes else other", "basic"},
};

static void values(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(good); i++) {
        struct arena a = {0};
        struct err e = {0};
        struct str s = {0};
        const struct yaml y = scalar(good[i].text);
        struct expr v;
        const int rc = expr_yaml(&v, &y, env, &a, &e);

        if (good[i].want) {
            if (rc < 0)
                fail_msg("%s: %s", good[i].text, e.msg);
            expr_print(&s, &v);
            assert_string_equal(str_text(&s), good[i].want);
        }
        str_release(&s);
        arena_release(&a);
    }
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } t[] = {
        {"$widename", "t:3:5: '$widename' is not known here; did you mean "
                      "'wide_name'?"},
        {"$", "'$' without a name"},
        {"$1", "'$' without a name"},
        {"$x +", "an early end"},
        {"$x 2", "'2' behind the end"},
        {"$x // 0", "division by zero"},
        {"$x % 0", "division by zero"},
        {"$octal + 1", "'08' is not a number"},
        {"08 + $x", "'08' is not a number"},
        {"1_000 + $x", "'1_000' is not a number"},
        {"$block * 2", "'basic' is not a number"},
        {"1 if $block else 2", "'basic' is neither yes nor no"},
        {"$rows * 2", "'[3, 4]' is not a number"},
        {"$rows[2]", "no index into 2 items"},
        {"$rows[-1]", "no index into 2 items"},
        {"$x[0]", "'7' is not a list"},
        {"$big + 1", "too large"},
        {"$big * 2", "too large"},
        {"-$big - 2", "too large"},
        {"1e300 * 1e300 * $x", "too large"},
        {"ceil(1e300 * $x)", "too large"},
        {"sqrt($x)", "there is no function 'sqrt()'"},
        {"flor($x)", "did you mean 'floor'?"},
        {"ceil($x, 2)", "a wrong number of arguments"},
        {"max($empty)", "a wrong number of arguments"},
        {"ceil($rows)", "a wrong number of arguments"},
        {"sum($nest)", "'[3, 4]' is not a number"},
        {"sum($rows, $block)", "'basic' is not a number"},
        {"len(1 // 0, $x)", "division by zero"},
        {"sum($big, 1)", "too large"},
        {"len(" ROWS_32 ROWS_32 "$x)", "more than 64 arguments"},
        {"$x in $i", "'2' is not a list: write [2]"},
        {"$x == in", "a misplaced 'in'"},
        {"round8($x, 0)", "a divisor that is a positive integer"},
        {"1 < $x < 3", "a comparison of a comparison"},
        {"1 if $x", "an 'if' without 'else'"},
        {"$x if", "an early end"},
        {"$x and or 2", "a misplaced 'or'"},
        {"round8(1280 * $x", "quote expressions that hold commas"},
        {"$rows[0", "quote expressions that hold commas"},
        {"8) if $x", "quote expressions that hold commas"},
        {"($x]", "unbalanced"},
        {"$x = 3", "behind the end"},
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena a = {0};
        struct err e = {0};
        const struct yaml y = scalar(t[i].text);
        struct expr v;

        assert_int_equal(expr_yaml(&v, &y, env, &a, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        if (!strstr(e.msg, t[i].want) || !str_starts(e.msg, "t:3:5: "))
            fail_msg("'%s' is not in '%s'", t[i].want, e.msg);
        arena_release(&a);
    }
}

static void is_bounded(void **state)
{
    (void)state;
    static const char *const nest[] = {
        "(", "-", "not ", "$rows[", "min(", "1 if 1 else ", "$x + (", "$("};

    for (size_t i = 0; i < COUNT(nest); i++) {
        struct arena a = {0};
        struct err e = {0};
        struct str s = {0};
        struct expr v;

        str_add(&s, "$x + ");
        while (s.len < 1000)
            str_add(&s, nest[i]);
        struct yaml y = scalar(str_text(&s));

        assert_int_equal(expr_yaml(&v, &y, env, &a, &e), -1);
        e = (struct err){0};
        while (s.len < 100000)
            str_add(&s, nest[i]);
        y = scalar(str_text(&s));
        assert_int_equal(expr_yaml(&v, &y, env, &a, &e), -1);
        assert_non_null(strstr(e.msg, "more than 1024 bytes"));
        str_release(&s);
        arena_release(&a);
    }
}

static void templates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } t[] = {
        {"conv1", "conv1"},
        {"layer$i", "layer2"},
        {"conv.$x", "conv.7"},
        {"conv.$($x + 1)", "conv.8"},
        {"a$($rows[$i - 1])b$(x)", NULL},
        {"a$($rows[($i) - 1])b", "a4b"},
        {"shortcut_$block", "shortcut_basic"},
        {"$block.$i", "basic.2"},
        {"$(1 + ", NULL},
        {"a$", NULL},
        {"$nothing", NULL},
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena a = {0};
        struct err e = {0};
        const struct yaml y = scalar(t[i].text);
        const char *got = expr_template(&y, env, &a, &e);

        if (t[i].want) {
            assert_non_null(got);
            assert_string_equal(got, t[i].want);
        } else if (!got) {
            assert_true(str_starts(e.msg, "t:3:5: "));
        }
        arena_release(&a);
    }
}

static void asks_for_kinds(void **state)
{
    (void)state;
    const struct yaml y = scalar("");
    struct err e = {0};
    int64_t i;
    int b;

    assert_int_equal(expr_truth(&names[3].value, &y, &b, &e), 0);
    assert_true(b);
    assert_int_equal(expr_whole(&names[0].value, &y, 0, 10, &i, &e), 0);
    assert_int_equal(i, 7);
    assert_int_equal(expr_whole(&names[0].value, &y, 0, 6, &i, &e), -1);
    assert_string_equal(e.msg, "t:3:5: '7' is not a whole number from 0 to 6");
    e = (struct err){0};
    assert_int_equal(expr_whole(&names[1].value, &y, 0, 6, &i, &e), -1);
    e = (struct err){0};
    assert_int_equal(expr_truth(&names[2].value, &y, &b, &e), -1);
    assert_string_equal(e.msg, "t:3:5: 'basic' is neither yes nor no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),         cmocka_unit_test(errors),
        cmocka_unit_test(is_bounded),     cmocka_unit_test(templates),
        cmocka_unit_test(asks_for_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
