/* safetensors_write.c -- tests of lib/tensor/safetensors_write.c: files written
 * and read again.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../stfile.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static void check_same(const struct set *a, const struct set *b)
{
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) {
        const struct tensor *x = &a->item[i].t;
        const struct tensor *y = set_get(b, a->item[i].name);

        assert_non_null(y);
        assert_int_equal(x->dtype, y->dtype);
        assert_true(shape_equal(&x->shape, &y->shape));
        assert_memory_equal(x->data, y->data, tensor_bytes(x));
    }
    for (int64_t i = 0; i < a->n_meta; i++) {
        assert_string_equal(a->meta[i].key, b->meta[i].key);
        assert_string_equal(a->meta[i].value, b->meta[i].value);
    }
}

static void test_round_trip(void **state)
{
    struct err e = {0};
    struct bytes one, two;
    struct set s, t;

    (void)state;
    stfile_set(&s);
    for (int hashes = 0; hashes < 2; hashes++) {
        stfile_save(&s, hashes);
        assert_int_equal(safetensors_read(&t, stfile_path, &e), 0);
        check_same(&s, &t);
        assert_int_equal(t.n_meta, s.n_meta + 2 * hashes);
        assert_true(!set_meta_get(&t, "adze.hash") == !hashes);
        assert_int_equal(bytes_read(&one, stfile_path, SIZE_MAX, &e), 0);
        assert_int_equal((8 + one.data[0] + 256 * one.data[1]) % 64, 0);
        assert_int_equal(one.data[8], '{');
        /* to the file it came from; the same bytes */
        stfile_save(&t, hashes);
        assert_int_equal(bytes_read(&two, stfile_path, SIZE_MAX, &e), 0);
        assert_int_equal(one.n, two.n);
        assert_memory_equal(one.data, two.data, one.n);
        bytes_release(&one);
        bytes_release(&two);
        set_release(&t);
    }
    set_release(&s);
    unlink(stfile_path);
}

static void test_stream(void **state)
{
    struct err e = {0};
    struct bytes b;
    struct str two = {0};
    struct set s;
    struct in in;

    (void)state;
    stfile_load(&b);
    str_addn(&two, (const char *)b.data, b.n);
    str_addn(&two, (const char *)b.data, b.n);
    in_memory(&in, two.data, two.len);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(safetensors_read_next(&s, &in, &e), 1);
        assert_int_equal(s.n, 8);
        assert_int_equal((uintptr_t)set_get(&s, "caf\xc3\xa9")->data % 64, 0);
        set_release(&s);
    }
    assert_int_equal(safetensors_read_next(&s, &in, &e), 0);
    in_memory(&in, two.data, two.len - 1);
    assert_int_equal(safetensors_read_next(&s, &in, &e), 1);
    set_release(&s);
    assert_int_equal(safetensors_read_next(&s, &in, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    str_release(&two);
    bytes_release(&b);
}

/* Many tensors are read in linear time.  */
static void test_many(void **state)
{
    enum { N = 30000 };
    const struct shape one = shape_make(1, (int64_t[]){1});
    struct err e = {0};
    struct set s, t;
    char name[32];
    float v = 1;

    (void)state;
    set_init(&s);
    for (int i = 0; i < N; i++) {
        const struct tensor x = tensor_view(DTYPE_F32, &one, &v);

        snprintf(name, sizeof name, "layer.%d.weight", i);
        set_put(&s, name, &x);
    }
    stfile_save(&s, 1);
    assert_int_equal(safetensors_read(&t, stfile_path, &e), 0);
    assert_int_equal(t.n, N);
    set_release(&t);
    set_release(&s);
    unlink(stfile_path);
}

/* ---- files ---- */

/* F-096: who has the file mapped keeps what was there.  */
static void test_replaced_while_mapped(void **state)
{
    enum { N = 1 << 20 };
    const struct shape many = shape_make(1, (int64_t[]){N});
    float *v = malloc(N * sizeof *v);
    struct tensor t = tensor_view(DTYPE_F32, &many, v);
    struct err e = {0};
    struct set s, first, second;

    (void)state;
    for (int i = 0; i < N; i++)
        v[i] = 1;
    set_init(&s);
    set_put(&s, "v", &t);
    stfile_save(&s, 1);
    assert_int_equal(safetensors_read(&first, stfile_path, &e), 0);
    v[0] = v[N - 1] = 2;
    stfile_save(&s, 1);
    assert_int_equal(safetensors_read(&second, stfile_path, &e), 0);
    t = *set_get(&first, "v");
    assert_true(((float *)t.data)[0] == 1 && ((float *)t.data)[N - 1] == 1);
    t = *set_get(&second, "v");
    assert_true(((float *)t.data)[0] == 2 && ((float *)t.data)[N - 1] == 2);
    set_release(&first);
    set_release(&second);
    set_release(&s);
    free(v);
    unlink(stfile_path);
}

static void test_no_file(void **state)
{
    struct err e = {0};
    struct set s;

    (void)state;
    assert_int_equal(safetensors_read(&s, stfile_path, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    set_init(&s);
    set_meta_put(&s, "a", "\xff");
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, stfile_path, &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    set_meta_put(&s, "a", "");
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, "/dev/full", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, "/", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, stfile_path, &e), 0);
    set_release(&s);
    unlink(stfile_path);
}

static void test_unwritable(void **state)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    char longer[1026];
    const char *name[] = {"__metadata__", "\xff", longer};
    float v = 1;
    const struct tensor x = tensor_view(DTYPE_F32, &one, &v);

    (void)state;
    memset(longer, 'a', 1025);
    longer[1025] = 0;
    for (size_t i = 0; i < 3; i++) {
        struct err e = {0};
        struct set s;

        set_init(&s);
        set_put(&s, name[i], &x);
        assert_int_equal(safetensors_save(&s, stfile_path, &e), -1);
        assert_int_equal(e.code, ERR_UNSUPPORTED);
        assert_int_equal(access(stfile_path, F_OK), -1);
        set_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_replaced_while_mapped),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_unwritable),
    };

    return cmocka_run_group_tests(tests, stfile_setup, NULL);
}
