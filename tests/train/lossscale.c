/* lossscale.c -- tests of train/lossscale.h.
 * SPDX-License-Identifier: MIT  */
#include "train/lossscale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "train/recipe.h"

/* As a recipe with these keys begins; NULL: the default.  */
static struct lossscale begin(const char *precision, const char *scale, int *on)
{
    const char *const over[] = {precision, scale, NULL};
    struct lossscale s;
    struct err e = {0};
    struct recipe r;

    if (recipe_read(&r, NULL, over, &e) < 0)
        fail_msg("%s", e.msg);
    s = lossscale_new(&r);
    *on = lossscale_is_on(&r);
    recipe_release(&r);
    return s;
}

static void test_kinds(void **state)
{
    static const struct {
        const char *precision, *scale;
        int on;
        double value;
        int64_t every;
    } t[] = {
        {"global.precision=fp32", NULL, 0, 1, 0},
        {"global.precision=bf16", "global.loss_scale=auto", 0, 1, 0},
        {"global.precision=fp16", NULL, 1, 65536, 2000},
        {"global.precision=fp16", "global.loss_scale=none", 0, 1, 0},
        {"global.precision=fp16", "global.loss_scale=1", 0, 1, 0},
        {"global.precision=fp16", "global.loss_scale=1024", 1, 1024, 0},
        {"global.precision=fp32", "global.loss_scale=dynamic", 1, 65536, 2000},
        {"global.precision=fp32", "global.loss_scale=dynamic every 5", 1, 65536,
         5},
        {"global.precision=fp32", "global.loss_scale=dynamic every 5 from 1", 1,
         1, 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int on;
        const struct lossscale s = begin(t[i].precision, t[i].scale, &on);

        assert_int_equal(on, t[i].on);
        assert_true(s.value == t[i].value);
        assert_int_equal(s.every, t[i].every);
        assert_int_equal(s.good, 0);
        assert_int_equal(s.overflows, 0);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *key, *words;
    } t[] = {
        {"global.loss_scale=much", "is a factor such as 1024,"},
        {"global.loss_scale=dynamic from", "is a factor such as"},
        {"global.loss_scale=dynamic to 3", "is a factor such as"},
        {"global.loss_scale=dynamic every 0", "is a factor such as"},
        {"global.loss_scale=dynamic from x", "is a factor such as"},
        {"global.loss_scale=1024 every 3", "is a factor such as"},
        {"global.loss_scale=auto from 3", "is a factor such as"},
        {"global.loss_scale=[1]", "not a list"},
        {"global.loss_scale=0", "not within 1..1e+30"},
        {"global.loss_scale=0.5", "not within 1..1e+30"},
        {"global.loss_scale=dynamic from 1e31", "not within 1..1e+30"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *const over[] = {t[i].key, NULL};
        struct err e = {0};
        struct recipe r;

        assert_int_equal(recipe_read(&r, NULL, over, &e), -1);
        assert_int_equal(e.code, ERR_USAGE);
        if (!strstr(e.msg, t[i].words))
            fail_msg("%s: %s", t[i].key, e.msg);
    }
}

static void test_moves(void **state)
{
    struct lossscale s = {.value = 1 << 22, .every = 3};

    (void)state;
    for (int i = 0; i < 2; i++)
        lossscale_good(&s);
    assert_true(s.value == 1 << 22);
    assert_int_equal(lossscale_halve(&s), 1);
    assert_int_equal(s.good, 0);
    for (int i = 0; i < 30; i++)
        lossscale_good(&s);
    assert_true(s.value == 1 << 24); /* and no more */
    for (int i = 0; i < 24; i++)
        assert_int_equal(lossscale_halve(&s), 1);
    assert_true(s.value == 1);
    assert_int_equal(lossscale_halve(&s), 0);
    assert_int_equal(s.overflows, 25);
    s = (struct lossscale){.value = 1024};
    lossscale_good(&s);
    assert_int_equal(lossscale_halve(&s), 0);
    assert_true(s.value == 1024 && !s.good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
