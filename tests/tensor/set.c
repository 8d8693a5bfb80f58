/* set.c -- tests of lib/tensor/set.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/err.h"
#include "tensor/set.h"

static void test_tensors(void **state)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct err e = {0};
    struct tensor t;
    struct set s;
    char name[16];

    (void)state;
    set_init(&s);
    assert_null(set_get(&s, "n0"));
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(tensor_new(&t, DTYPE_I32, &one, &e), 0);
        *(int32_t *)t.data = i;
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(set_put(&s, name, &t), 0);
        tensor_unref(&t); /* the set has its own share */
    }
    assert_int_equal(set_put(&s, "n7", set_get(&s, "n8")), -1);
    assert_int_equal(s.n, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(*(int32_t *)set_get(&s, name)->data, i);
        assert_string_equal(s.item[i].name, name);
    }
    set_release(&s);
    set_release(&s);
}

static void test_meta(void **state)
{
    struct set s;

    (void)state;
    set_init(&s);
    assert_null(set_meta_get(&s, "a"));
    set_meta_put(&s, "b", "1");
    set_meta_put(&s, "a", "2");
    set_meta_put(&s, "b", "3");
    assert_int_equal(s.n_meta, 2);
    assert_string_equal(s.meta[0].key, "b");
    assert_string_equal(set_meta_get(&s, "b"), "3");
    assert_string_equal(set_meta_get(&s, "a"), "2");
    set_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tensors),
                                       cmocka_unit_test(test_meta)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
