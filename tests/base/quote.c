/* quote.c -- tests of base/quote.h; that YAML reads it back is tested in
 * format/yaml.c.
 * SPDX-License-Identifier: MIT  */
#include "base/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static void yaml(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } t[] = {
        {"layer1.0.conv1", "layer1.0.conv1"},
        {"$a * 2 if $b else 1", "$a * 2 if $b else 1"},
        {"-1", "-1"},
        {".5", ".5"},
        {"no", "no"},
        {"", "\"\""},
        {"-", "\"-\""},
        {"- a", "\"- a\""},
        {"---", "\"---\""},
        {"...", "\"...\""},
        {"a: b", "\"a: b\""},
        {"a #b", "\"a #b\""},
        {"a, b", "\"a, b\""},
        {"a ", "\"a \""},
        {"~", "\"~\""},
        {"*a", "\"*a\""},
        {"a\"\\\n\t", "\"a\\\"\\\\\\u000A\\u0009\""},
        {"K\xc3\xa4se", "\"K\xc3\xa4se\""},
        {"\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "\"\\u0085\\u2028\\uFEFF\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = {0};

        quote_yaml(&s, t[i].text);
        assert_string_equal(str_text(&s), t[i].want);
        str_release(&s);
    }
}

static void json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } t[] = {
        {"", "\"\""},
        {"a'b=<c>", "\"a'b=<c>\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\033\x7f", "\"\\u000a\\u0009\\u001b\\u007f\""},
        {"K\xc3\xa4se", "\"K\xc3\xa4se\""},
        {"K\xe4se", "\"K\\\\xe4se\""},
    };

    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = {0};

        quote_json(&s, t[i].text);
        assert_string_equal(str_text(&s), t[i].want);
        str_release(&s);
    }
}

static void cell(void **state)
{
    static const char *const t[][2] = {
        {"", ""},
        {"it's \"K\xc3\xa4se\"", "it's \"K\xc3\xa4se\""},
        {"a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e"},
        {"\033[1m\x7f", "\\x1b[1m\\x7f"},
        {"K\xe4se", "K\xe4se"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = {0};

        quote_cell(&s, t[i][0]);
        assert_string_equal(str_text(&s), t[i][1]);
        str_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml), cmocka_unit_test(json), cmocka_unit_test(cell)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
