/* yaml.c -- tests of format/yaml.h: faults F-016 to F-026 and what is read.
 * SPDX-License-Identifier: MIT  */
#include "format/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "base/mem.h"
#include "base/str.h"

static void reads_a_tree(void **state)
{
    (void)state;
    static const char text[] = "# comment\r\n"
                               "a: {b: 08, c: [no, 1e-4, \"x y\"]}\r\n"
                               "d:\r\n"
                               "  - e\r\n"
                               "  - f: |\r\n"
                               "      g\r\n";
    struct arena a = {0};
    struct err e = {0};
    const struct yaml *y = yaml_parse(&a, "t.yaml", text, strlen(text), &e);

    assert_non_null(y);
    assert_int_equal(y->kind, YAML_MAP);
    assert_int_equal(y->n_child, 2);
    assert_string_equal(yaml_get(yaml_get(y, "a"), "b")->text, "08");

    const struct yaml *c = yaml_get(yaml_get(y, "a"), "c");

    assert_int_equal(c->kind, YAML_LIST);
    assert_int_equal(c->n_child, 3);
    assert_string_equal(c->child->text, "no");
    assert_string_equal(c->child->next->text, "1e-4");
    assert_string_equal(c->child->next->next->text, "x y");
    assert_int_equal(c->line, 2);
    assert_int_equal(c->column, 15);
    assert_null(c->child->key);
    assert_string_equal(c->key->text, "c");
    assert_null(yaml_get(y, "e"));
    assert_null(yaml_get(c, "e"));
    assert_string_equal(yaml_get(yaml_get(y, "d")->child->next, "f")->text,
                        "g\n");
    yaml_err(c, &e, ERR_USAGE, "no '%s'", "x");
    assert_string_equal(e.msg, "t.yaml:2:15: no 'x'");
    arena_release(&a);
}

/* F-025: lines as old Macintoshes end them.  */
static void carriage_returns(void **state)
{
    static const char text[] = "a: 1\rb:\r- c\r- d\r";
    struct arena a = {0};
    struct err e = {0};
    const struct yaml *y = yaml_parse(&a, "t", text, strlen(text), &e);

    (void)state;
    assert_non_null(y);
    assert_int_equal(y->n_child, 2);
    assert_string_equal(yaml_get(y, "b")->child->next->text, "d");
    arena_release(&a);
}

static void empty_is_a_map(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "# only\n",    "---\n",
                                        "\n\n", "--- \n...\n", "\xef\xbb\xbf"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena a = {0};
        struct err e = {0};
        const struct yaml *y =
            yaml_parse(&a, "t", texts[i], strlen(texts[i]), &e);

        assert_non_null(y);
        assert_int_equal(y->kind, YAML_MAP);
        assert_int_equal(y->n_child, 0);
        arena_release(&a);
    }
}

static void refuse(const char *text, size_t n, const char *want)
{
    struct arena a = {0};
    struct err e = {0};

    assert_null(yaml_parse(&a, "t", text, n, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.msg, want))
        fail_msg("'%s' is not in '%s'", want, e.msg);
    arena_release(&a);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } t[] = {
        {"a: 1\n---\nb: 2\n", "t:2:1: a second document"},
        {"a: &x 1\n", "t:1:4: anchors '&' are not taken"},
        {"a: &x [*x]\n", "anchors"},
        {"a: *x\n", "aliases '*' are not taken"},
        {"b: {<<: 1}\n", "merge keys"},
        {"a: 1\nb: 2\na: 3\n", "t:3:1: key 'a' stands twice"},
        {"a: !!python/object x\n", "tags '!'"},
        {"a: !!binary aGVsbG8=\n", "tags '!'"},
        {"! a\n", "tags '!'"},
        {"%TAG ! tag:x,2000:\n---\na\n", "tags '!'"},
        {"[a]: b\n", "a key must be a word"},
        {"{a: b}: c\n", "a key must be a word"},
        {"\"\": c\n", "an empty key"},
        {"a: \"\\0\"\n", "a NUL"},
        {"a: [1, 2\n", "t:2:1:"},
        {"a:\n\t- b\n", "blanks, not tabs"},
        {"a: b: c\n", "t:1:5:"},
        {"a: \x01\n", "t:1:4:"},
        {"a: \xff\n", "t:1:1: this line is not UTF-8"},
        {"a: 1\nb: \xc3(\n", "t:2:1: this line is not UTF-8"},
        {"\xff\xfe"
         "a",
         "UTF-8"},
    };

    for (size_t i = 0; i < COUNT(t); i++)
        refuse(t[i].text, strlen(t[i].text), t[i].want);
    refuse("a: b\0c", 6, "UTF-8");
    refuse("a\0: \0b\0", 7, "UTF-8"); /* UTF-16 without a mark */
}

static char *repeat(const char *s, size_t n)
{
    struct str out = {0};

    while (n--)
        str_add(&out, s);
    return str_take(&out);
}

static void bounds_depth_and_size(void **state)
{
    (void)state;
    struct str s = {0};
    struct arena a = {0};
    struct err e = {0};
    char *p = repeat("[", 10000);

    refuse(p, strlen(p), "nested more than 32 deep");
    free(p);
    for (int i = 0; i < 10000; i++) {
        for (int k = 0; k < i && k < 100; k++)
            str_addc(&s, ' ');
        str_add(&s, i < 100 ? "a:\n" : "");
    }
    refuse(str_text(&s), s.len, "nested more than 32 deep");
    str_clear(&s);
    for (int i = 0; i < 32; i++)
        str_addc(&s, '[');
    for (int i = 0; i < 32; i++)
        str_addc(&s, ']');
    assert_non_null(yaml_parse(&a, "t", str_text(&s), s.len, &e));
    str_clear(&s);
    p = repeat("x", 257);
    str_printf(&s, "%s: 1\n", p);
    refuse(str_text(&s), s.len, "a key of more than 160 bytes");
    free(p);
    p = repeat("-\n", 1000001);
    refuse(p, strlen(p), "more than 1000000 nodes");
    free(p);
    p = repeat("a", (16u << 20) + 1);
    refuse(p, strlen(p), "more than the limit of 16 MiB");
    assert_non_null(yaml_parse(&a, "t", p, 1 << 20, &e)); /* F-024 */
    free(p);
    arena_release(&a);
    str_release(&s);
}

/* F-024: many keys in about linear time; a quadratic look for duplicates
 * would take minutes.  */
static void many_keys(void **state)
{
    (void)state;
    struct arena a = {0};
    struct err e = {0};
    struct str s = {0};
    const struct yaml *y;

    for (int i = 0; i < 200000; i++)
        str_printf(&s, "k%d: 1\n", i);
    y = yaml_parse(&a, "t", str_text(&s), s.len, &e);
    assert_non_null(y);
    assert_int_equal(y->n_child, 200000);
    str_release(&s);
    arena_release(&a);
}

static void prints_what_it_reads(void **state)
{
    (void)state;
    static const char text[] = "a: {b: [1, \"x, y\"], c: {}, d: []}\n"
                               "e:\n- - 1\n  - [2, {f: ''}]\n- g: h\n  i: j\n"
                               "'k: l': \"m\\u2028\\n\"\n";
    static const char want[] = "a:\n"
                               "  b: [1, \"x, y\"]\n"
                               "  c: {}\n"
                               "  d: []\n"
                               "e:\n"
                               "  - - 1\n"
                               "    - - 2\n"
                               "      - f: \"\"\n"
                               "  - g: h\n"
                               "    i: j\n"
                               "\"k: l\": \"m\\u2028\\u000A\"\n";
    struct arena a = {0};
    struct err e = {0};
    struct str s = {0};
    const struct yaml *y = yaml_parse(&a, "t", text, strlen(text), &e);

    assert_non_null(y);
    yaml_print(&s, y);
    assert_string_equal(str_text(&s), want);
    fuzz_yaml((const uint8_t *)text, strlen(text));
    /* the longest key, each byte of it six when quoted */
    str_clear(&s);
    str_addc(&s, '"');
    for (int i = 0; i < 160; i++)
        str_add(&s, "\\x01");
    str_add(&s, "\": 1\n");
    assert_non_null(yaml_parse(&a, "t", str_text(&s), s.len, &e));
    fuzz_yaml((const uint8_t *)str_text(&s), s.len);
    str_release(&s);
    arena_release(&a);
}

static void every_cut(void **state)
{
    (void)state;
    static const char text[] = "a: {b: [1, \"x, y\"], c: {d: 'e'}}\n"
                               "f:\n  - |\n    g\n  - >-\n    h\n"
                               "? k\xc3\xa4\n: &a *b !c\n%Y 1\n";

    for (size_t n = 0; n <= strlen(text); n++) {
        char *p = xstrndup(text, n); /* exact, so that ASan sees overruns */

        fuzz_yaml((const uint8_t *)p, n);
        free(p);
    }
}

static void fuzz(void **state)
{
    (void)state;
    static const char a[] = "a: {b: [1, \"x\\u2028\"], c: {d: 'e'}}\n"
                            "f:\n  - |\n    g\n  - >-\n    h\n? i j\n: k\n";
    static const char b[] = "%YAML 1.1\n--- &x !t [*y, <<: {a: 1, a: 2}]\n"
                            "...\n---\n\xef\xbb\xbf- - \t#\n";
    const struct fuzz_seed seeds[] = {{a, sizeof a - 1}, {b, sizeof b - 1}};

    fuzz_run(fuzz_yaml, seeds, COUNT(seeds), NULL, 10000, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree),
        cmocka_unit_test(carriage_returns),
        cmocka_unit_test(empty_is_a_map),
        cmocka_unit_test(refuses),
        cmocka_unit_test(bounds_depth_and_size),
        cmocka_unit_test(many_keys),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
