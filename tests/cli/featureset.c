/* featureset.c -- tests of cli/featureset.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/featureset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static uint16_t numbers[24]; /* any bits */

/* A file of DT [dims] under NAME, and of another tensor if MORE.  */
static void save(const char *name, enum dtype dt, int rank, const char *paths,
                 int more)
{
    const struct shape s = shape_make(rank, (int64_t[]){3, 2, 2}),
                       one = shape_make(1, (int64_t[]){1});
    const struct tensor t = tensor_view(dt, &s, numbers),
                        other = tensor_view(DTYPE_I64, &one, numbers);
    struct err e = {0};
    struct set set;

    set_init(&set);
    set_put(&set, name, &t);
    if (more)
        set_put(&set, "other", &other);
    if (paths)
        set_meta_put(&set, "paths", paths);
    assert_int_equal(safetensors_save(&set, path, &e), 0);
    set_release(&set);
}

static void reads(int64_t width, int has_paths)
{
    struct featureset f;
    struct err e = {0};

    assert_int_equal(featureset_read(&f, path, &e), 0);
    assert_int_equal(f.x.dtype, DTYPE_F32);
    assert_int_equal(f.x.shape.rank, 2);
    assert_int_equal(f.x.shape.dim[0], 3);
    assert_int_equal(f.x.shape.dim[1], width);
    assert_int_equal(f.path != NULL, has_paths);
    featureset_release(&f);
}

static const char three[] = "[\"d/b/1\", \"d/a/1\", \"x//b//2\"]";

static void forms(void **state)
{
    (void)state;
    save("features", DTYPE_F32, 3, three, 1);
    reads(4, 1);
    save("layer3", DTYPE_F16, 2, NULL, 0);
    reads(2, 0);
}

static void classes(void **state)
{
    struct featureset f;
    struct err e = {0};
    int64_t label[3], n;

    (void)state;
    save("features", DTYPE_F32, 2, three, 0);
    assert_int_equal(featureset_read(&f, path, &e), 0);
    assert_int_equal(featureset_classes(&f, label, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_true(label[0] == 1 && label[1] == 0 && label[2] == 1);
    f.path[1] = "/1";
    assert_int_equal(featureset_classes(&f, label, &n, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "'/1' stands in no folder"));
    featureset_release(&f);
}

static void refused(const char *word)
{
    struct featureset f;
    struct err e = {0};

    assert_int_equal(featureset_read(&f, path, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.msg, word) || !strstr(e.msg, path))
        fail_msg("'%s' is not in: %s", word, e.msg);
}

static void errors(void **state)
{
    (void)state;
    save("layer3", DTYPE_F32, 2, NULL, 1);
    refused("2 tensors and no 'features'");
    save("features", DTYPE_I32, 2, NULL, 0);
    refused("i32 [3,2] are no rows");
    save("features", DTYPE_F32, 1, NULL, 0);
    refused("f32 [3] are no rows");
    save("features", DTYPE_F32, 2, "[\"a/b\", \"a/c\"]", 0);
    refused("a path for each of 3 rows");
    save("features", DTYPE_F32, 2, "{}", 0);
    refused("a path for each of 3 rows");
    save("features", DTYPE_F32, 2, "[\"a/b\"", 0);
    refused("a path for each of 3 rows");
    save("features", DTYPE_F32, 2, "[\"a/b\", 1, \"a/c\"]", 0);
    refused("path 2 is no text");
}

static void damaged(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        save(i ? "features" : "f", i ? DTYPE_F32 : DTYPE_F16, 2 + i % 2, three,
             i);
        fuzz_document(fuzz_featureset, path, 3500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(classes),
        cmocka_unit_test(errors),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
