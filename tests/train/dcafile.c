/* dcafile.c -- tests of train/dcafile.h.
 * SPDX-License-Identifier: MIT  */
#include "train/dcafile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "base/err.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static char path[] = "/tmp/adze-test.XXXXXX";

static int setup(void **state)
{
    const int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static float numbers[] = {1, -2, 3, 4.5f, 5, 6};

static struct tensor part(int rank, int64_t m, int64_t n)
{
    const struct shape s = shape_make(rank, (int64_t[]){m, n});

    return tensor_view(DTYPE_F32, &s, numbers);
}

static void save(void)
{
    static char origin[] = "0123 layer3";
    const struct dca d = {.n = 2,
                          .weight = {part(2, 2, 3), part(2, 2, 2)},
                          .bias = {part(1, 2, 0), part(1, 2, 0)},
                          .origin = {NULL, origin}};
    struct err e = {0};

    assert_int_equal(dcafile_save(&d, path, &e), 0);
}

static void round_trip(void **state)
{
    struct err e = {0};
    struct dca d;

    (void)state;
    save();
    assert_int_equal(dcafile_read(&d, path, &e), 0);
    assert_int_equal(d.n, 2);
    assert_int_equal(d.weight[0].shape.dim[1], 3);
    assert_memory_equal(d.weight[0].data, numbers, sizeof numbers);
    assert_memory_equal(d.bias[1].data, numbers, 2 * sizeof *numbers);
    assert_null(d.origin[0]);
    assert_string_equal(d.origin[1], "0123 layer3");
    dca_release(&d);
}

static void refused(const char *name, const struct tensor *t, const char *word)
{
    struct err e = {0};
    struct set was, s;
    struct dca d;

    save();
    assert_int_equal(safetensors_read(&was, path, &e), 0);
    set_init(&s);
    for (int64_t i = 0; i < was.n; i++)
        if (strcmp(was.item[i].name, name) != 0)
            set_put(&s, was.item[i].name, &was.item[i].t);
    if (t)
        set_put(&s, name, t);
    assert_int_equal(safetensors_save(&s, path, &e), 0);
    set_release(&s);
    set_release(&was);
    assert_int_equal(dcafile_read(&d, path, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.msg, word) || !strstr(e.msg, path))
        fail_msg("'%s' is not in: %s", word, e.msg);
}

static void errors(void **state)
{
    const struct tensor one = part(1, 2, 0), more = part(2, 3, 2),
                        none = part(2, 2, 0);
    float bad[] = {0, NAN};
    struct tensor nan = one;

    (void)state;
    nan.data = bad;
    refused("second.weight", NULL, "no tensor 'second.weight'");
    refused("first.weight", &one, "'first.weight' is f32 [2]");
    refused("second.weight", &more, "'second.weight' is f32 [3,2]");
    refused("first.weight", &none, "'first.weight' is f32 [2,0]");
    refused("first.bias", &nan, "'first.bias' holds a number");
}

static void damaged(void **state)
{
    (void)state;
    save();
    fuzz_document(fuzz_dcafile, path, 10000);
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
