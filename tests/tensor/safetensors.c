/* safetensors.c -- tests of lib/tensor/safetensors.c: what is taken, what is
 * refused, byte by byte.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../stfile.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static void test_accepts(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        int64_t tensors;
    } row[] = {
        {"{}", 0, 0},
        {" \t\r\n{ } \n\t ", 0, 0},
        {"{\"a\":" STFILE_F32 "}", 8, 1},
        {"{\"a\" : { \"data_offsets\" : [ 0 , 8 ] , \"shape\":[2] ,"
         "\"dtype\" : \"F32\" } }",
         8, 1},
        {"{\"__metadata__\":{},\"a\":" STFILE_F32 "}", 8, 1},
        {"{\"a\":" STFILE_F32 ",\"__metadata__\":{\"k\":\"v\"}}", 8, 1},
        /* scalar; empty; order of spans is not order of names */
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
         1},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]}}",
         0, 1},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[1,3]},"
         "\"b\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[1,1]}}",
         3, 3},
        /* not aligned to its element */
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[1,9]}}",
         9, 2},
        {"{\"a\\u0041\\n\":" STFILE_F32 "}", 8, 1},
    };
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (size_t shift = 0; shift < 8; shift++) {
            struct err e = {0};
            struct set s;

            stfile_make(&f, row[i].header, row[i].data);
            if (stfile_parse(&s, &f, shift, &e) < 0)
                fail_msg("%s: %s", row[i].header, e.msg);
            assert_int_equal(s.n, row[i].tensors);
            for (int64_t k = 0; k < s.n; k++)
                assert_int_equal((uintptr_t)s.item[k].t.data %
                                     dtype_size(s.item[k].t.dtype),
                                 0);
            set_release(&s);
        }
    str_release(&f);
}

#define A(dtype, shape, span)                                                \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" span \
    "}}"

static const struct refused {
    const char *header;
    size_t data;
    const char *say; /* part of the message */
    enum err_code code;
} refused[] = {
    {"", 0, "empty", ERR_FORMAT},
    {"x{}", 0, "'{' expected", ERR_FORMAT},
    {"[]", 0, "'{' expected", ERR_FORMAT},
    {"{}x", 0, "behind the object", ERR_FORMAT},
    {"{}{}", 0, "behind the object", ERR_FORMAT},
    {"{", 0, "empty", ERR_FORMAT},
    {"{ ", 0, "expected", ERR_FORMAT},
    {"{\"a", 0, "expected", ERR_FORMAT},
    {"{\"a\"", 0, "':'", ERR_FORMAT},
    {"{\"a\":", 0, "a value", ERR_FORMAT},
    {"{,}", 0, "expected", ERR_FORMAT},
    {"{\"__metadata__\":{},}", 0, "expected", ERR_FORMAT},
    {"{\"a\":" STFILE_F32 "}", 7, "7 bytes of data", ERR_FORMAT},
    {"{\"a\":" STFILE_F32 "}", 9, "9 bytes of data", ERR_FORMAT},
    {"{\"a\":" STFILE_F32 ",\"a\":" STFILE_F32 "}", 8, "stands twice",
     ERR_FORMAT},
    {"{\"a\":" STFILE_F32 ",\"\\u0061\":" STFILE_F32 "}", 8, "twice",
     ERR_FORMAT},
    {"{\"a\":" STFILE_F32 ",\"b\":" STFILE_F32 "}", 8, "overlap", ERR_FORMAT},
    {"{\"a\":1}", 0, "'{' expected", ERR_FORMAT},
    {"{\"a\":{}}", 0, "no \"dtype\"", ERR_FORMAT},
    {"{\"a\":" STFILE_F32 " 1}", 8, "behind the object", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[8,0]"), 8, "rising", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[4,12]"), 12, "hole at data byte 0", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[-8,0]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,8e0]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,8.0]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,\"8\"]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0]"), 8, "two rising", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,8,8]"), 8, "at most 2", ERR_FORMAT},
    {A("\"F32\"", "[2]", "{}"), 8, "a list", ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,9223372036854775807]"), 8, "needs 8 bytes",
     ERR_FORMAT},
    {A("\"F32\"", "[2]", "[0,9223372036854775808]"), 8, "too big", ERR_FORMAT},
    {A("\"F32\"", "[3]", "[0,8]"), 8, "needs 12 bytes, has 8", ERR_FORMAT},
    {A("\"F32\"", "[-2]", "[0,8]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[02]", "[0,8]"), 8, "header byte", ERR_FORMAT},
    {A("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, "at most 8", ERR_FORMAT},
    {A("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, "too large",
     ERR_SHAPE},
    {A("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0, "too large",
     ERR_SHAPE},
    {A("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, "too large", ERR_SHAPE},
    {A("\"F8_E4M3\"", "[2]", "[0,2]"), 2, "'F8_E4M3' is not read",
     ERR_UNSUPPORTED},
    {A("\"\\u001b[31mXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\"", "[2]", "[0,2]"), 2,
     "not read", ERR_UNSUPPORTED},
    {A("\"f32\"", "[2]", "[0,8]"), 8, "not read", ERR_UNSUPPORTED},
    {A("null", "[2]", "[0,8]"), 8, "a string expected", ERR_FORMAT},
    {A("\"F32\"", "[2],\"x\":1", "[0,8]"), 8, "unknown key", ERR_FORMAT},
    {A("\"F32\"", "[2],\"shape\":[2]", "[0,8]"), 8, "twice", ERR_FORMAT},
    {A("\"F32\"", "[[2]]", "[0,8]"), 8, "whole number", ERR_FORMAT},
    {A("\"F32\"", "[2}", "[0,8]"), 8, "header byte", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":1}}", 0, "a string expected", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "'a' stands twice",
     ERR_FORMAT},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "stands twice",
     ERR_FORMAT},
    {"{\"__metadata__\":[]}", 0, "'{' expected", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "a NUL byte", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0, "header byte", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "header byte", ERR_FORMAT},
    {"{\"__metadata__\":{\"a\":\"\x01\"}}", 0, "header byte", ERR_FORMAT},
    {"{\"\\u0000\":" STFILE_F32 "}", 8, "header byte", ERR_FORMAT},
    {"{a:" STFILE_F32 "}", 8, "a name in quotes", ERR_FORMAT},
    {A("\"F4\"", "[2]", "[0,1]"), 1, "'F4' is not read", ERR_UNSUPPORTED},
    {"{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"b\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
     3, "hole at data byte 1", ERR_FORMAT},
};

static void test_refuses(void **state)
{
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *r = &refused[i];
        struct err e = {0};
        struct set s;

        stfile_make(&f, r->header, r->data);
        if (stfile_parse(&s, &f, 0, &e) == 0)
            fail_msg("taken: %s", r->header);
        if (!strstr(e.msg, r->say) || e.code != r->code)
            fail_msg("%s: code %d, %s", r->header, e.code, e.msg);
        assert_null(strchr(e.msg, '\033'));
        assert_null(s.item);
    }
    str_release(&f);
}

/* Bytes that a text cannot show: NUL behind the header, a BOOL of 2.  */
static void test_refused_bytes(void **state)
{
    struct err e = {0};
    struct str f = {0};
    struct set s;

    (void)state;
    stfile_make(&f, "{}  ", 0);
    f.data[f.len - 1] = f.data[f.len - 2] = 0;
    assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "behind the object"));
    stfile_make(&f, A("\"BOOL\"", "[3]", "[0,3]"), 3);
    f.data[f.len - 3] = 1;
    e = (struct err){0};
    assert_int_equal(stfile_parse(&s, &f, 0, &e), 0);
    set_release(&s);
    f.data[f.len - 1] = 2;
    assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "element 2 of a BOOL tensor is 2"));
    str_release(&f);
}

/* Files of other kinds are named.  */
static void test_other_files(void **state)
{
    static const struct {
        const char *bytes, *say;
    } row[] = {{"PK\3\4 and more of it", "a zip, not a safetensors file"},
               {"{\"weight_map\": {\"a\": \"../x\"}}", /* F-097 */
                "this is JSON, not a safetensors file (if it is an index of"},
               {"network: toy\n", "text or other data, not a safetensors file"},
               {"\x08\x07\x12\x07pytorch", "this is ONNX, not"}};

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct str f = {0};
        struct err e = {0};
        struct set s;

        str_add(&f, row[i].bytes);
        assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        assert_non_null(strstr(e.msg, row[i].say));
        str_release(&f);
    }
}

/* ---- limits ---- */

/* Lengths that lie; nothing is allocated for them.  */
static void test_header_length(void **state)
{
    static const uint64_t len[] = {0,
                                   1,
                                   3,
                                   100,
                                   100000000,
                                   100000001,
                                   1ull << 32,
                                   1ull << 63,
                                   UINT64_MAX,
                                   UINT64_MAX - 7,
                                   UINT64_MAX - 8};
    unsigned char p[10] = "\0\0\0\0\0\0\0\0{}";

    (void)state;
    for (size_t i = 0; i < sizeof len / sizeof *len; i++) {
        struct err e = {0};
        struct set s;
        struct in in;

        memcpy(p, &len[i], 8);
        assert_int_equal(safetensors_parse(&s, p, 10, NULL, 1, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        e = (struct err){0};
        in_memory(&in, p, 10);
        assert_int_equal(safetensors_read_next(&s, &in, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        in_close(&in);
    }
    for (size_t n = 0; n < 8; n++) {
        struct err e = {0};
        struct set s;

        assert_int_equal(safetensors_parse(&s, p, n, NULL, 1, &e), -1);
    }
}

static void test_deep(void **state)
{
    struct str h = {0}, f = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    str_add(&h, "{\"a\":");
    for (int i = 0; i < 1000000; i++)
        str_addc(&h, '[');
    stfile_make(&f, str_text(&h), 0);
    assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
    str_clear(&h);
    str_add(&h, "{\"a\":{\"dtype\":\"F32\",\"shape\":");
    for (int i = 0; i < 5000; i++)
        str_addc(&h, '[');
    for (int i = 0; i < 5000; i++)
        str_addc(&h, ']');
    str_add(&h, ",\"data_offsets\":[0,8]}}");
    stfile_make(&f, str_text(&h), 8);
    e = (struct err){0};
    assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
    str_release(&h);
    str_release(&f);
}

/* Names: 1024 bytes are the limit, before and after unescaping.  */
static void test_names(void **state)
{
    struct str h = {0}, f = {0};

    (void)state;
    for (int n = 1023; n <= 1025; n++)
        for (int escaped = 0; escaped < 2; escaped++) {
            struct err e = {0};
            struct set s;
            int r;

            str_clear(&h);
            str_add(&h, "{\"");
            for (int i = 0; i < n; i++)
                str_add(&h, escaped ? "\\u0062" : "b");
            str_add(&h, "\":" STFILE_F32 "}");
            stfile_make(&f, str_text(&h), 8);
            r = stfile_parse(&s, &f, 0, &e);
            assert_int_equal(r, n <= 1024 ? 0 : -1);
            if (!r)
                set_release(&s);
        }
    str_release(&h);
    str_release(&f);
}

static void test_many_pairs(void **state)
{
    struct str h = {0}, f = {0};

    (void)state;
    for (int n = 65536; n <= 65537; n++) {
        struct err e = {0};
        struct set s;
        int r;

        str_clear(&h);
        str_add(&h, "{\"__metadata__\":{");
        for (int i = 0; i < n; i++)
            str_printf(&h, "%s\"%d\":\"\"", i ? "," : "", i);
        str_add(&h, "}}");
        stfile_make(&f, str_text(&h), 0);
        r = stfile_parse(&s, &f, 0, &e);
        assert_int_equal(r, n == 65536 ? 0 : -1);
        if (!r)
            set_release(&s);
        else
            assert_non_null(strstr(e.msg, "more than 65536 pairs"));
    }
    str_release(&h);
    str_release(&f);
}

/* A text of 50 MB beside the tensors; one tensor more than is read.  */
static void test_large_header(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state; /* seconds there, and no more to see than in small ones */
#else
    struct str h = {0}, f = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    str_add(&h, "{\"__metadata__\":{\"a\":\"");
    for (int i = 0; i < 50; i++) {
        char *m = memset(xmalloc(1000000), 'x', 1000000);

        str_addn(&h, m, 1000000);
        free(m);
    }
    str_add(&h, "\"}}");
    stfile_make(&f, str_text(&h), 0);
    assert_int_equal(stfile_parse(&s, &f, 0, &e), 0);
    assert_int_equal(strlen(set_meta_get(&s, "a")), 50000000);
    set_release(&s);
    str_clear(&h);
    for (int i = 0; i <= 1000000; i++)
        str_printf(&h,
                   "%c\"%x\":{\"dtype\":\"I8\",\"shape\":[0],"
                   "\"data_offsets\":[0,0]}",
                   i ? ',' : '{', (unsigned)i);
    str_addc(&h, '}');
    stfile_make(&f, str_text(&h), 0);
    assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
    assert_non_null(strstr(e.msg, "more than 1000000 tensors"));
    str_release(&h);
    str_release(&f);
#endif
}

/* ---- whole files ---- */

/* Written by safetensors 0.8.0 (scripts/make-ref-tensor.py).  */
static void test_reference(void **state)
{
    static const char file[] =
        "8\001\000\000\000\000\000\000{\"__metadata__\":{\"who\":\"caf\303"
        "\251\"},\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":["
        "0,8]},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":["
        "8,16]},\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[1"
        "6,18]},\"s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[18,"
        "19]},\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[19"
        ",21]}}       \377\377\377\377\377\377\377\377\000\000\300?\000\000"
        "\000\300\0008\003\001\000";
    struct err e = {0};
    struct set s;

    (void)state;
    assert_int_equal(safetensors_parse(&s, (const unsigned char *)file,
                                       sizeof file - 1, NULL, 1, &e),
                     0);
    assert_int_equal(s.n, 5);
    assert_string_equal(set_meta_get(&s, "who"), "caf\xc3\xa9");
    assert_string_equal(ST(&set_get(&s, "w")->shape), "[1,2]");
    assert_true(((float *)set_get(&s, "w")->data)[1] == -2);
    assert_int_equal(*(int64_t *)set_get(&s, "i")->data, -1);
    assert_int_equal(set_get(&s, "b")->dtype, DTYPE_BOOL);
    assert_int_equal(*(uint16_t *)set_get(&s, "h")->data, 0x3800);
    assert_string_equal(ST(&set_get(&s, "s")->shape), "[]");
    set_release(&s);
}

static void test_fuzz(void **state)
{
    struct str a = {0}, b = {0};
    struct bytes whole;

    (void)state;
    stfile_load(&whole);
    stfile_make(&a, "{\"a\":" STFILE_F32 "}", 8);
    stfile_make(&b, refused[20].header, 12);
    {
        const struct fuzz_seed seed[] = {
            fuzz_without_hashes(whole.data, whole.n),
            {whole.data, whole.n},
            {a.data, a.len},
            {b.data, b.len}};

        fuzz_run(fuzz_safetensors, seed, COUNT(seed), fuzz_repair_documents,
                 10000, 1);
        free((void *)(uintptr_t)seed[0].p);
    }
    bytes_release(&whole);
    str_release(&a);
    str_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refused_bytes),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_many_pairs),
        cmocka_unit_test(test_large_header),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, stfile_setup, NULL);
}
