/* hash.c -- tests of lib/base/hash.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

/* xxhsum -H128 of the empty input and of "adze".  */
static void test_text(void **state)
{
    char t[HASH_TEXT], u[HASH_TEXT];
    struct hasher *h = hasher_new();

    (void)state;
    assert_string_equal(hash_bytes(t, "", 0),
                        "99aa06d3014798d86001c324468d497f");
    hasher_add(h, "ad", 2);
    hasher_add_str(h, "ze");
    assert_string_equal(hasher_text(h, u), hash_bytes(t, "adze", 5));
    hasher_free(h);
    hasher_free(NULL);
    assert_true(hash_name("a") == hash_u64("a", 1));
    assert_true(hash_name("a") != hash_name("b"));
}

static void test_map(void **state)
{
    enum { N = 20000 };
    char(*name)[16] = malloc(N * sizeof *name);
    struct name_map m = {0};

    (void)state;
    assert_int_equal(name_map_get(&m, "x"), -1);
    for (int i = 0; i < N; i++) {
        snprintf(name[i], sizeof *name, "n%d", i);
        assert_int_equal(name_map_put(&m, name[i], i), -1);
    }
    assert_int_equal(m.n, N);
    assert_int_equal(name_map_put(&m, "n77", 1), 77);
    assert_int_equal(name_map_get(&m, "n77"), 77);
    for (int i = 0; i < N; i++)
        assert_int_equal(name_map_get(&m, name[i]), i);
    assert_int_equal(name_map_get(&m, ""), -1);
    name_map_release(&m);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_map)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
