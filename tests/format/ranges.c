/* ranges.c -- the file of ranges.
 * SPDX-License-Identifier: MIT  */
#include "format/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "base/err.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/adze-ranges.%d.st", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove(path);
    return 0;
}

static void save(void)
{
    const char *const names[] = {"image", "layer1.0.relu", NULL};
    struct ranges r;
    struct err e = {0};

    ranges_init(&r, names);
    assert_int_equal(r.n, 2);
    r.range[0].min = -2.1;
    r.range[0].max = 0.1;
    r.range[1].min = 0;
    r.range[1].max = 3;
    r.model = "abc";
    r.options = "{\"count\":8}";
    assert_int_equal(ranges_save(&r, path, &e), 0);
    ranges_release(&r);
}

static void round_trip(void **state)
{
    struct ranges r;
    struct err e = {0};

    (void)state;
    save();
    assert_int_equal(ranges_read(&r, path, &e), 0);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.range[1].name, "layer1.0.relu");
    assert_true(r.range[1].min == 0 && r.range[1].max == 3);
    /* Rounded outwards.  */
    assert_true(r.range[0].min <= -2.1 && r.range[0].min > -2.1000003);
    assert_true(r.range[0].max >= 0.1 && r.range[0].max < 0.10000002);
    assert_string_equal(r.model, "abc");
    assert_string_equal(r.data, "");
    assert_string_equal(r.options, "{\"count\":8}");
    ranges_release(&r);
}

static void refuses(const char *kind, const char *format, int rank, int code,
                    const char *word)
{
    const struct shape s = {.rank = rank, .dim = {2, 1}};
    struct set set;
    struct tensor t;
    struct ranges r;
    struct err e = {0};

    set_init(&set);
    set_meta_put(&set, "adze.kind", kind);
    set_meta_put(&set, "adze.format", format);
    assert_int_equal(tensor_new(&t, rank ? DTYPE_F32 : DTYPE_I8, &s, &e), 0);
    set_put(&set, "x", &t);
    tensor_unref(&t);
    assert_int_equal(safetensors_save(&set, path, &e), 0);
    set_release(&set);
    assert_int_equal(ranges_read(&r, path, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
}

static void errors(void **state)
{
    (void)state;
    refuses("model", "1", 1, ERR_FORMAT, "adze-calibrate");
    refuses("ranges", "2", 1, ERR_UNSUPPORTED, "format '2'");
    refuses("ranges", "1", 0, ERR_FORMAT, "'x' is i8");
}

static void damaged(void **state)
{
    (void)state;
    save();
    fuzz_document(fuzz_ranges, path, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(errors),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
