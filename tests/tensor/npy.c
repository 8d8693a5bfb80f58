/* npy.c -- tests of lib/tensor/npy.c.
 * SPDX-License-Identifier: MIT  */
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
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/npy.h"
#include "tensor/tensor.h"

/* Version MAJOR with HEADER as it stands and N bytes of data.  */
static void make_file(struct str *f, int major, const char *header,
                      const void *data, size_t n)
{
    const size_t len = strlen(header);

    str_clear(f);
    str_addn(f, "\x93NUMPY", 6);
    str_addc(f, (char)major);
    str_addc(f, 0);
    for (int i = 0; i < (major == 1 ? 2 : 4); i++)
        str_addc(f, (char)(len >> (8 * i) & 0xff));
    str_add(f, header);
    str_addn(f, data, n);
}

static int parse(struct tensor *t, const struct str *f, struct err *e)
{
    return npy_parse(t, (const unsigned char *)f->data, f->len, e);
}

#define H(descr, order, shape) \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static const unsigned char data[64] = {0, 0, 0x80, 0x3f, 1, 0, 0, 0};

static void test_accepts(void **state)
{
    static const struct {
        const char *header;
        size_t n;
        enum dtype dtype;
        const char *shape;
    } row[] = {
        {H("'<f4'", "False", "(2,)") "   \n", 8, DTYPE_F32, "[2]"},
        {H("'<f4'", "False", "()") "\n", 4, DTYPE_F32, "[]"},
        {H("'<f4'", "False", "(0,)"), 0, DTYPE_F32, "[0]"},
        {H("'<f4'", "False", "(0, 3)"), 0, DTYPE_F32, "[0,3]"},
        {H("'<f2'", "False", "(2, 3)"), 12, DTYPE_F16, "[2,3]"},
        {H("'<f8'", "False", "(2, 3,)"), 48, DTYPE_F64, "[2,3]"},
        {H("'<i4'", "False", "(2L, 3L)"), 24, DTYPE_I32, "[2,3]"},
        {H("'<i8'", "False", "(2 ,1)"), 16, DTYPE_I64, "[2,1]"},
        {H("'|i1'", "False", "(1,1,1,1,1,1,1,2)"), 2, DTYPE_I8,
         "[1,1,1,1,1,1,1,2]"},
        {H("'|u1'", "False", "(2,)"), 2, DTYPE_U8, "[2]"},
        {H("'<u1'", "False", "(2,)"), 2, DTYPE_U8, "[2]"},
        {H("'|b1'", "False", "(2,)"), 2, DTYPE_BOOL, "[2]"},
        {"{\"shape\":(2,),\"descr\":\"<f4\",\"fortran_order\":False}", 8,
         DTYPE_F32, "[2]"},
    };
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int major = 1; major <= 3; major++) {
            static const unsigned char zero[64];
            struct err e = {0};
            struct tensor t;

            make_file(&f, major, row[i].header, zero, row[i].n);
            if (parse(&t, &f, &e) < 0)
                fail_msg("%s: %s", row[i].header, e.msg);
            assert_int_equal(t.dtype, row[i].dtype);
            assert_string_equal(ST(&t.shape), row[i].shape);
            tensor_unref(&t);
        }
    str_release(&f);
}

static const struct {
    const char *header;
    size_t n;
    const char *say;
    enum err_code code;
} refused[] = {
    {"", 0, "'{'", ERR_FORMAT},
    {"\n", 0, "'{'", ERR_FORMAT},
    {"{}", 0, "no 'descr'", ERR_FORMAT},
    {H("'<f4'", "False", "(2,)") "x", 8, "behind", ERR_FORMAT},
    {H("'<f4'", "False", "(2,)"), 7, "has 7 bytes, not 8", ERR_FORMAT},
    {H("'<f4'", "False", "(2,)"), 9, "has 9 bytes, not 8", ERR_FORMAT},
    {H("'<f4'", "True", "(2,)"), 8, "Fortran", ERR_UNSUPPORTED},
    {H("'<f4'", "1", "(2,)"), 8, "True or False", ERR_FORMAT},
    {H("'<f4'", "False", "(2)"), 8, "(3,) a shape", ERR_FORMAT},
    {H("'<f4'", "False", "[2]"), 8, "'('", ERR_FORMAT},
    {H("'<f4'", "False", "(-2,)"), 8, "negative", ERR_FORMAT},
    {H("'<f4'", "False", "(02,)"), 8, "starts with 0", ERR_FORMAT},
    {H("'<f4'", "False", "(2 2)"), 8, "')'", ERR_FORMAT},
    {H("'<f4'", "False", "((2,),)"), 8, "a number", ERR_FORMAT},
    {H("'<f4'", "False", "(2.0,)"), 8, "')'", ERR_FORMAT},
    {H("'<f4'", "False", "(9223372036854775807,)"), 8, "too large", ERR_SHAPE},
    {H("'<f4'", "False", "(9223372036854775808,)"), 8, "too large", ERR_FORMAT},
    {H("'<f4'", "False", "(4294967296,4294967296,0)"), 0, "too large",
     ERR_SHAPE},
    {H("'<f4'", "False", "(1,1,1,1,1,1,1,1,2)"), 8, "8 dimensions", ERR_FORMAT},
    {H("'|O'", "False", "(2,)"), 8, "Python objects", ERR_UNSUPPORTED},
    {H("'>f4'", "False", "(2,)"), 8, "big-endian", ERR_UNSUPPORTED},
    {H("'<c8'", "False", "(1,)"), 8, "'<c8' is not", ERR_UNSUPPORTED},
    {H("'|V2'", "False", "(4,)"), 8, "not read here", ERR_UNSUPPORTED},
    {H("'<U3'", "False", "(4,)"), 8, "not read here", ERR_UNSUPPORTED},
    {H("''", "False", "(4,)"), 8, "not read here", ERR_UNSUPPORTED},
    {H("[('a', '<f4')]", "False", "(2,)"), 8, "records", ERR_UNSUPPORTED},
    {H("'<f4", "False", "(2,)"), 8, "'<f4, ' is not", ERR_UNSUPPORTED},
    {H("'<f4'", "False", "(2,), 'x': 1"), 8, "unknown key", ERR_FORMAT},
    {H("'<f4'", "False", "(2,), 'shape': (2,)"), 8, "twice", ERR_FORMAT},
    {H("'|b1'", "False", "(8,)"), 8, "bool", ERR_FORMAT},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", 8, "'}'",
     ERR_FORMAT},
    {"{'descr': '<f4'", 8, "expected", ERR_FORMAT},
};

static void test_refuses(void **state)
{
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct err e = {0};
        struct tensor t;

        make_file(&f, 1, refused[i].header, data, refused[i].n);
        if (parse(&t, &f, &e) == 0)
            fail_msg("taken: %s", refused[i].header);
        if (!strstr(e.msg, refused[i].say) || e.code != refused[i].code)
            fail_msg("%s: code %d, %s", refused[i].header, e.code, e.msg);
        assert_null(t.data);
    }
    str_release(&f);
}

static void test_start(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        enum err_code code;
    } row[] = {
        {"", 0, ERR_FORMAT},
        {"\x93NUMPY", 6, ERR_FORMAT},
        {"\x93NUMPX\1\0\0\0", 10, ERR_FORMAT},
        {"\x93NUMPY\0\0\0\0\0\0", 12, ERR_FORMAT},
        {"\x93NUMPY\4\0\0\0\0\0", 12, ERR_FORMAT},
        {"\x93NUMPY\1\1\0\0\0\0", 12, ERR_FORMAT},
        {"\x93NUMPY\2\0\0\0", 10, ERR_FORMAT},
        {"\x93NUMPY\2\0\xff\xff\xff\xff", 12, ERR_FORMAT},
        {"\x93NUMPY\1\0\xff\xff", 10, ERR_FORMAT},
        {"PK\3\4abcdefgh", 12, ERR_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct err e = {0};
        struct tensor t;
        struct in in;

        assert_int_equal(
            npy_parse(&t, (const unsigned char *)row[i].p, row[i].n, &e), -1);
        assert_int_equal(e.code, row[i].code);
        in_memory(&in, row[i].p, row[i].n);
        e = (struct err){0};
        assert_int_equal(npy_read_next(&t, &in, &e), row[i].n ? -1 : 0);
    }
}

/* What numpy 2 writes for np.arange(6, dtype='<f4').reshape(2, 3).  */
static void test_bytes(void **state)
{
    static const char want[] =
        "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, "
        "3), }                                                          \n";
    const struct shape s = shape_make(2, (int64_t[]){2, 3});
    float v[6] = {0, 1, 2, 3, 4, NAN};
    const struct tensor t = tensor_view(DTYPE_F32, &s, v);
    const char *path = "/tmp/adze-npy-test.npy";
    struct err e = {0};
    struct tensor back;
    struct bytes b;

    (void)state;
    assert_int_equal(npy_save(&t, path, &e), 0);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    assert_int_equal(b.n, 128 + 24);
    assert_memory_equal(b.data, want, 128);
    bytes_release(&b);
    assert_int_equal(npy_read(&back, path, &e), 0);
    assert_memory_equal(back.data, v, sizeof v);
    tensor_unref(&back);
    unlink(path);
    assert_int_equal(npy_read(&back, path, &e), -1);
}

static void test_stream(void **state)
{
    struct str f = {0}, all = {0};
    struct err e = {0};
    struct tensor t;
    struct in in;

    (void)state;
    make_file(&f, 1, H("'<f4'", "False", "(2,)"), data, 8);
    for (int i = 0; i < 3; i++)
        str_addn(&all, f.data, f.len);
    in_memory(&in, all.data, all.len);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(npy_read_next(&t, &in, &e), 1);
        assert_true(((float *)t.data)[0] == 1);
        tensor_unref(&t);
    }
    assert_int_equal(npy_read_next(&t, &in, &e), 0);
    in_memory(&in, all.data, all.len - 1);
    assert_int_equal(npy_read_next(&t, &in, &e), 1);
    tensor_unref(&t);
    assert_int_equal(npy_read_next(&t, &in, &e), 1);
    tensor_unref(&t);
    assert_int_equal(npy_read_next(&t, &in, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    str_release(&f);
    str_release(&all);
}

static void test_bf16(void **state)
{
    const struct shape s = shape_make(0, NULL);
    uint16_t v = 0;
    const struct tensor t = tensor_view(DTYPE_BF16, &s, &v);
    struct err e = {0};

    (void)state;
    assert_int_equal(npy_save(&t, "/dev/null", &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
}

/* The length says again where the newline behind the dictionary is.  */
static void repair(uint8_t **p, size_t *n)
{
    const uint8_t *end = *n > 10 ? memchr(*p + 10, '\n', *n - 10) : NULL;
    const size_t len = end ? (size_t)(end - *p) + 1 - 10 : 0;

    if (!end)
        return;
    (*p)[8] = (uint8_t)len;
    (*p)[9] = (uint8_t)(len >> 8);
}

static void test_fuzz(void **state)
{
    struct str a = {0}, b = {0}, c = {0}, wrong[COUNT(refused)] = {{0}};
    struct fuzz_seed bad[COUNT(refused)];

    (void)state;
    make_file(&c, 1, H("'|b1'", "False", "()") "\n", "\1", 1);
    make_file(&a, 1, H("'<f4'", "False", "(2, 1)") "  \n", data, 8);
    make_file(&b, 2, H("'|u1'", "False", "(3,)") "\n", data, 3);
    assert_int_equal(fuzz_cut(fuzz_npy, a.data, a.len), 0);
    assert_int_equal(fuzz_cut(fuzz_npy, b.data, b.len), 0);
    {
        const struct fuzz_seed seed[] = {
            {a.data, a.len}, {b.data, b.len}, {c.data, c.len}};

        fuzz_run(fuzz_npy, seed, COUNT(seed), repair, 10000, 2);
    }
    for (size_t i = 0; i < COUNT(refused); i++) {
        make_file(&wrong[i], 1, refused[i].header, data, refused[i].n);
        bad[i] = (struct fuzz_seed){wrong[i].data, wrong[i].len};
    }
    fuzz_run(fuzz_npy, bad, COUNT(bad), repair, 2000, 3);
    for (size_t i = 0; i < COUNT(refused); i++)
        str_release(&wrong[i]);
    str_release(&a);
    str_release(&b);
    str_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_start),   cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_stream),  cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
