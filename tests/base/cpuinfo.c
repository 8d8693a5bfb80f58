/* cpuinfo.c -- tests of lib/base/cpuinfo.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(cpu_level_name(0), "portable");
    assert_string_equal(cpu_level_name(CPU_NEON), "neon");
    assert_string_equal(cpu_level_name(CPU_AVX2), "avx2");
    assert_string_equal(cpu_level_name(CPU_AVX2 | CPU_AVX512), "avx512");
    assert_string_equal(cpu_level_name(CPU_AVX512), "portable");
    assert_string_equal(cpu_level_name(CPU_AVX2 | CPU_AVXVNNI), "avxvnni");
    assert_string_equal(cpu_level_name(CPU_AVX2 | CPU_AVXVNNI | CPU_AVX512),
                        "avx512");
    assert_string_equal(cpu_level_name(15), "bf16");
}

static void test_limit(void **state)
{
    const unsigned all = cpu_features();
    struct err e = {0};

    (void)state;
    assert_true(cpu_has_level("portable"));
    assert_true(cpu_has_level(cpu_level_name(all)));
    assert_int_equal(cpu_has_level("avx2"), (all & CPU_AVX2) != 0);
    assert_int_equal(cpu_has_level("neon"), (all & CPU_NEON) != 0);
    assert_int_equal(cpu_limit("sse9", &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "avx512"));
    assert_int_equal(cpu_features(), all);
    e = (struct err){0};
    assert_int_equal(cpu_limit("portable", &e), 0);
    assert_int_equal(cpu_features(), 0);
    assert_int_equal(cpu_limit(cpu_level_name(all), &e), 0);
    assert_string_equal(cpu_level_name(cpu_features()), cpu_level_name(all));
    for (int i = 0; cpu_level_names[i]; i++) {
        struct err f = {0};

        if (cpu_limit(cpu_level_names[i], &f) < 0)
            assert_int_equal(f.code, ERR_DEVICE);
        assert_int_equal(cpu_features() & ~all, 0);
    }
}

static void test_near(void **state)
{
    static const char *const pairs[][2] = {
        {"AVX2", "avx2"},         {"avx-2", "avx2"},
        {"Avx512", "avx512"},     {"avx512vnni", "vnni"},
        {"AVX512_VNNI", "vnni"},  {"avx512-bf16", "bf16"},
        {"avx512f", "avx512"},    {"AVX-VNNI", "avxvnni"},
        {"portabel", "portable"}, {"avx-512", "avx512"},
        {"NEON", "neon"}};
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char want[64];

        e = (struct err){0};
        snprintf(want, sizeof want, "; did you mean '%s'?", pairs[i][1]);
        assert_int_equal(cpu_limit(pairs[i][0], &e), -1);
        assert_int_equal(e.code, ERR_USAGE);
        if (!strstr(e.msg, want))
            fail_msg("%s: %s", pairs[i][0], e.msg);
    }
    e = (struct err){0};
    assert_int_equal(cpu_limit("sse9", &e), -1);
    assert_null(strstr(e.msg, "mean"));
}

static void test_brand(void **state)
{
    char buf[CPU_BRAND];
    const char *name = cpu_brand(buf);

    (void)state;
    assert_true(*name && strlen(name) < CPU_BRAND);
    assert_null(strpbrk(name, "\"\\\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_near), cmocka_unit_test(test_brand)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
