/* opt.c -- test: one table of options, every kind of value, every error.
 * SPDX-License-Identifier: MIT  */
#include "cli/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/rows.h"

static int64_t count;
static double rate;
static const char *file;
static struct opt_list keys;
static int format, dry;

static const char *const formats[] = {"onnx", "npz", NULL};

static const struct opt options[] = {
    OPT_COUNT(&count, "things", "7"),
    {'r', "rate", OPT_REAL, &rate, "X", "a rate", .min = 0, .max = 1},
    OPT_OUTPUT(&file),
    OPT_SET(&keys),
    OPT_FORMAT(&format, formats, "onnx"),
    {0, "dry-run", OPT_FLAG, &dry, NULL, "do nothing"},
    {0, "dry-wet", OPT_FLAG, &dry, NULL, "do something"},
    {0, "verbose-to", OPT_TEXT, &file, "FILE", "where to say more"},
    OPT_COMMON,
    {0},
};

static const struct command cmd = {
    .name = "try",
    .brief = "try options",
    .usage = "[-n count] file",
    .options = options,
    .max_args = 1,
};

static int parse(struct err *e, ...)
{
    static char *argv[16];
    int argc = 0;
    va_list ap;

    count = 7;
    rate = .5;
    file = "-";
    format = dry = 0;
    free(keys.item);
    keys = (struct opt_list){0};
    cli = (struct cli){0};
    *e = (struct err){0};
    argv[argc++] = (char[]){"adze-try"};
    va_start(ap, e);
    while ((argv[argc] = va_arg(ap, char *)))
        argc++;
    va_end(ap);
    return opt_parse(&cmd, argc, argv, e);
}

#define PARSE(...) parse(&e, __VA_ARGS__, (char *)NULL)
#define REFUSE(want, ...)                                           \
    do {                                                            \
        assert_int_equal(parse(&e, __VA_ARGS__, (char *)NULL), -1); \
        assert_int_equal(e.code, ERR_USAGE);                        \
        assert_string_equal(e.msg, want);                           \
    } while (0)

static void test_values(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(PARSE("-n", "12", "-r.25", "--output=x", "a"), 5);
    assert_int_equal(count, 12);
    assert_true(rate == .25);
    assert_string_equal(file, "x");
    assert_int_equal(PARSE("-o", "a=1", "--set", "b=2", "-f", "npz"), 7);
    assert_int_equal(keys.n, 2);
    assert_string_equal(keys.item[1], "b=2");
    assert_null(keys.item[2]);
    assert_int_equal(format, 1);
    assert_int_equal(PARSE("-qqv", "--dry-r", "-n1", "-n2"), 5);
    assert_int_equal(cli.quiet, 2);
    assert_int_equal(cli.verbose, 1);
    assert_int_equal(dry, 1);
    assert_int_equal(count, 2);
}

static void test_defaults_stay(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(parse(&e, (char *)NULL), 1);
    assert_int_equal(count, 7);
    assert_string_equal(file, "-");
    assert_int_equal(keys.n, 0);
    assert_int_equal(opt_parse(&cmd, 0, (char *[]){NULL}, &e), 0);
}

static void test_operands(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(PARSE("--", "-x"), 2);
    assert_int_equal(PARSE("-"), 1);
    assert_int_equal(PARSE("a", "-n", "3"), 3);
    assert_int_equal(count, 3);
    REFUSE("unexpected operand 'b'; -h shows the usage", "a", "b");
}

static void test_wrong_numbers(void **state)
{
    static const char *const wrong[] = {
        "-1", "0",   "9223372036854775808", "1e3", " 7", "7x", "0x7",
        "",   "1.5", "1000000001",          "+7",  "07", "7 "};
    static const char *const bad_real[] = {"nan", "inf", "0,5", "",   "1.01",
                                           "-.1", "x",   "1e",  ".5 "};
    struct err e;
    struct str s = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        str_clear(&s);
        str_printf(&s,
                   "option '-n' needs a whole number from 1 to 1000000000, "
                   "not '%s'",
                   wrong[i]);
        REFUSE(str_text(&s), "-n", wrong[i]);
        assert_int_equal(count, 7);
    }
    for (size_t i = 0; i < sizeof bad_real / sizeof *bad_real; i++) {
        str_clear(&s);
        str_printf(&s, "option '--rate' needs a number from 0 to 1, not '%s'",
                   bad_real[i]);
        REFUSE(str_text(&s), "--rate", bad_real[i]);
    }
    str_release(&s);
}

static void test_wrong_options(void **state)
{
    struct err e;

    (void)state;
    REFUSE("unknown option '--cuont'; did you mean '--count'?", "--cuont=3");
    REFUSE("unknown option '--count-all'; did you mean '--count'?",
           "--count-all");
    REFUSE("unknown option '--zzzzzzzz'; -h lists the options", "--zzzzzzzz");
    REFUSE("option '--dry' is ambiguous: --dry-run, --dry-wet", "--dry");
    REFUSE("unknown option '-x'; -h lists the options", "-x");
    REFUSE("unknown option '-\\xff'; -h lists the options", "-\xff");
    REFUSE("unknown option '--\\x1b[31m'; -h lists the options", "--\33[31m");
    REFUSE("option '-n' needs a value", "-n");
    REFUSE("option '--count' needs a value", "--count");
    REFUSE("option '--quiet' takes no value", "--quiet=1");
    REFUSE("option '--verbose' takes no value; did you mean '--verbose-to'?",
           "--verbose=1");
    REFUSE("option '-O' has an empty value", "-O", "");
    REFUSE("option '--output' has an empty value", "--output=");
    REFUSE("option '--set' has an empty value", "--set=");
    REFUSE("option '--format' needs one of onnx, npz, not 'tar'",
           "--format=tar");
    REFUSE("option '-f' needs one of onnx, npz, not ''", "-f", "");
}

static void test_help(void **state)
{
    struct str s = {0};
    const char *text;

    (void)state;
    opt_help(&s, &cmd);
    text = str_text(&s);
    assert_true(str_starts(text, "adze-try: try options\n\n"
                                 "usage: adze-try [-n count] file\n"));
    for (const struct opt *o = options; o->kind; o++) {
        struct str row = {0};

        str_printf(&row, "*\n%s--%s*", o->letter ? "  -?, " : "      ",
                   o->name);
        assert_true(str_match(str_text(&row), text));
        str_release(&row);
    }
    while (*text) {
        const char *end = text;

        while (*end != '\n')
            end++;
        assert_true(end - text < 80);
        text = end + 1;
    }
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
