/* str.c -- tests of lib/base/str.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void test_grow(void **state)
{
    struct str s = {0};
    char *taken;

    (void)state;
    assert_string_equal(str_text(&s), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&s, "%d,", i % 10);
    assert_int_equal(s.len, 2000);
    assert_int_equal(strlen(str_text(&s)), 2000);
    str_clear(&s);
    str_add(&s, "ab");
    str_addc(&s, 'c');
    str_addn(&s, "\0d", 2);
    assert_int_equal(s.len, 5);
    assert_memory_equal(s.data, "abc\0d", 6);
    taken = str_take(&s);
    assert_string_equal(taken, "abc");
    assert_null(s.data);
    free(taken);
    taken = str_take(&s);
    assert_string_equal(taken, "");
    free(taken);
    str_release(&s);
}

static void test_i64(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 7",
                                      "7 ",
                                      "7x",
                                      "0x10",
                                      "1e3",
                                      "01",
                                      "00",
                                      "-01",
                                      "--1",
                                      "1.0",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t v = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_i64(bad[i], INT64_MIN, INT64_MAX, &v), -1);
    assert_int_equal(v, 77);
    assert_int_equal(parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &v),
                     0);
    assert_true(v == INT64_MAX);
    assert_int_equal(
        parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(parse_i64("0", 0, 0, &v), 0);
    assert_true(v == 0);
    assert_int_equal(parse_i64("5", 6, 9, &v), -1);
    assert_int_equal(parse_i64("10", 6, 9, &v), -1);
    assert_int_equal(parse_i64("-0", 0, 9, &v), 0);
}

static void test_f64(void **state)
{
    static const char *const bad[] = {
        "",    "-",   ".",     "+1", " 1",       "1 ",    "nan",    "inf",
        "0x1", "1e",  "1e+",   "e5", "1,5",      "1e999", "1e-400", "01",
        "00",  "1_0", "1.2.3", "-.", "infinity", "1f"};
    static const struct {
        const char *s;
        double v;
    } good[] = {{"0.1", 0.1}, {".5", 0.5},        {"1e-4", 1e-4},
                {"1.", 1},    {"-2.5E+3", -2500}, {"0", 0},
                {"0.0e9", 0}, {"1e-320", 1e-320}, {"-0", 0}};
    double v = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse_f64(bad[i], -INFINITY, INFINITY, &v) == 0)
            fail_msg("'%s' was taken", bad[i]);
    assert_true(v == 77);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse_f64(good[i].s, -1e9, 1e9, &v), 0);
        assert_true(v == good[i].v);
    }
    assert_int_equal(parse_f64("2", 0, 1, &v), -1);
}

static void test_fmt(void **state)
{
    static const struct {
        double v;
        const char *s;
    } row[] = {{0.1, "0.1"},
               {1e-5, "1e-05"},
               {3, "3"},
               {100, "100"},
               {-0.0, "-0"},
               {0.0001, "0.0001"},
               {1e15, "1000000000000000"},
               {1e16, "1e+16"},
               {123456.75, "123456.75"},
               {0.30000000000000004, "0.30000000000000004"},
               {5e-324, "5e-324"},
               {INFINITY, "inf"},
               {-INFINITY, "-inf"},
               {9.5, "9.5"}};
    char b[FMT_NUM];

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_string_equal(fmt_f64(b, row[i].v), row[i].s);
    assert_string_equal(fmt_f64(b, NAN), "nan");
    assert_string_equal(fmt_f32(b, 0.1f), "0.1");
    assert_string_equal(fmt_f32(b, 16777216.0f), "16777216");
    assert_string_equal(fmt_f32(b, 1e-45f), "1e-45");
    assert_string_equal(fmt_f32(b, 3.4028235e38f), "3.4028235e+38");
}

/* Random bits come back, also where the locale writes 0,5.  */
static void test_round_trip(void **state)
{
    uint64_t x = 88172645463325252u;

    (void)state;
    setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* if there is one */
    for (int i = 0; i < 20000; i++) {
        char b[FMT_NUM];
        double d, back;
        float f;
        uint32_t y;

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&d, &x, 8);
        y = (uint32_t)(x >> 32);
        memcpy(&f, &y, 4);
        if (!isfinite(d) || !isfinite(f))
            continue;
        fmt_f64(b, d);
        assert_null(strchr(b, ','));
        assert_int_equal(parse_f64(b, -INFINITY, INFINITY, &back), 0);
        assert_memory_equal(&back, &d, 8);
        fmt_f32(b, f);
        assert_int_equal(parse_f64(b, -INFINITY, INFINITY, &back), 0);
        assert_true((float)back == f);
    }
    setlocale(LC_NUMERIC, "C");
}

static void test_bool(void **state)
{
    int v = 7;

    (void)state;
    assert_int_equal(parse_bool("on", &v), -1);
    assert_int_equal(parse_bool("", &v), -1);
    assert_int_equal(parse_bool("YES", &v), -1);
    assert_int_equal(v, 7);
    assert_true(parse_bool("yes", &v) == 0 && v == 1);
    assert_true(parse_bool("no", &v) == 0 && v == 0);
    assert_true(parse_bool("true", &v) == 0 && v == 1);
    assert_true(parse_bool("false", &v) == 0 && v == 0);
}

static void test_many_names(void)
{
    const char *list[101] = {0};

    for (int i = 0; i < 100; i++)
        list[i] = "eleven char";
    assert_int_equal(strlen(NAMES(list)), STR_NAMES - 1);
    assert_true(str_ends(NAMES(list), "..."));
}

static void test_compare(void **state)
{
    static const char *const list[] = {"kernel", "stride", "pad", "groups",
                                       NULL};

    (void)state;
    assert_string_equal(str_nearest("kernal", list), "kernel");
    assert_string_equal(str_nearest("strid", list), "stride");
    assert_string_equal(str_nearest("pda", list) ? "near" : "none", "none");
    assert_null(str_nearest("momentum", list));
    assert_null(str_nearest("", list));
    assert_string_equal(str_nearest("PAD", list), "pad");
    assert_string_equal(str_nearest("STRID", list), "stride");
    assert_string_equal(NEAR("kernal", list), "; did you mean 'kernel'?");
    assert_string_equal(NEAR("momentum", list), "");
    assert_string_equal(NEAR("a'c", ((const char *[]){"a\"'c", NULL})),
                        "; did you mean 'a\"\\x27c'?");
    assert_int_equal(str_index("kernel", list), 0);
    assert_int_equal(str_index("kerne", list), -1);
    assert_string_equal(NAMES(((const char *[]){"a", "b c", "d", NULL})),
                        "a, b c, d");
    assert_string_equal(NAMES((const char *[]){NULL}), "");
    test_many_names();
    assert_true(str_starts("layer1.conv", "layer1"));
    assert_false(str_starts("lay", "layer1"));
    assert_true(str_ends("a.png", ".png"));
    assert_false(str_ends("g", "png"));
}

static void test_match(void **state)
{
    char deep[3001];

    (void)state;
    assert_true(str_match("*.bias", "layer1.0.conv1.bias"));
    assert_false(str_match("*.bias", "layer1.0.conv1.weight"));
    assert_true(str_match("layer?.*", "layer3.x"));
    assert_false(str_match("layer?", "layer"));
    assert_true(str_match("**", ""));
    assert_true(str_match("a*b*c", "axxbyyc"));
    assert_false(str_match("a*b*c", "axxbyycd"));
    assert_false(str_match("", "a"));
    memset(deep, 'a', 3000);
    deep[3000] = 0;
    assert_false(str_match("a*a*a*a*a*a*a*a*a*a*b", deep));
}

static void test_utf8(void **state)
{
    static const struct {
        const char *s;
        size_t n;
        int ok;
    } row[] = {{"abc", 3, 1},
               {"", 0, 1},
               {"\xc3\xa9", 2, 1},
               {"\xc3", 1, 0},
               {"\xc0\x80", 2, 0},
               {"a\0b", 3, 0},
               {"\xed\xa0\x80", 3, 0},
               {"\xed\x9f\xbf", 3, 1},
               {"\xf4\x8f\xbf\xbf", 4, 1},
               {"\xf4\x90\x80\x80", 4, 0},
               {"\xe0\x9f\x80", 3, 0},
               {"\xf0\x8f\x80\x80", 4, 0},
               {"\xff", 1, 0},
               {"\x80", 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(str_utf8(row[i].s, row[i].n), row[i].ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),       cmocka_unit_test(test_i64),
        cmocka_unit_test(test_f64),        cmocka_unit_test(test_fmt),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bool),
        cmocka_unit_test(test_compare),    cmocka_unit_test(test_match),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
