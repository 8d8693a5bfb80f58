/* err.c -- tests of base/err.h: the first error stays; who is to blame.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void first(void **state)
{
    (void)state;
    struct err e = {0};

    assert_int_equal(err_set(&e, ERR_FORMAT, "byte %d", 7), -1);
    assert_int_equal(err_set(&e, ERR_NOMEM, "later"), -1);
    assert_int_equal(err_in(&e, "'%s'", "f.st"), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_string_equal(e.msg, "'f.st': byte 7");
}

/* A word of the command line read as YAML is a mistake of usage, unless the
 * machine had no memory to read it (F-140).  */
static void blame(void **state)
{
    (void)state;
    for (int code = ERR_NO; code < ERR_COUNT; code++) {
        struct err e = {.code = (enum err_code)code};
        const int given =
            code == ERR_USAGE || (err_exit(e.code) == 3 && code != ERR_INPUT);

        assert_int_equal(err_blame(&e, ERR_USAGE), -1);
        assert_int_equal(e.code, given ? ERR_USAGE : (enum err_code)code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first),
                                       cmocka_unit_test(blame)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
