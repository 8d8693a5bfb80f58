/* safetensors.c -- tests of lib/tensor/safetensors.c.
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

#include "../fuzz.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* A file of HEADER and N bytes of data, all 0.  */
static void make_file(struct str *f, const char *header, size_t n)
{
    const size_t len = strlen(header);

    str_clear(f);
    for (int i = 0; i < 8; i++)
        str_addc(f, (char)(len >> (8 * i) & 0xff));
    str_add(f, header);
    while (n--)
        str_addc(f, 0);
}

/* Parse from a block of exactly the right size, with START % 8 == SHIFT.  */
static int parse(struct set *s, const struct str *f, size_t shift,
                 struct err *e)
{
    static unsigned char *block; /* lives until the next call */

    free(block);
    block = malloc(f->len + shift + 1);
    memcpy(block + shift, f->data, f->len);
    return safetensors_parse(s, block + shift, f->len, NULL, 1, e);
}

#define F32_2 "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void test_accepts(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        int64_t tensors;
    } row[] = {
        {"{}", 0, 0},
        {" \t\r\n{ } \n\t ", 0, 0},
        {"{\"a\":" F32_2 "}", 8, 1},
        {"{\"a\" : { \"data_offsets\" : [ 0 , 8 ] , \"shape\":[2] ,"
         "\"dtype\" : \"F32\" } }",
         8, 1},
        {"{\"__metadata__\":{},\"a\":" F32_2 "}", 8, 1},
        {"{\"a\":" F32_2 ",\"__metadata__\":{\"k\":\"v\"}}", 8, 1},
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
        {"{\"a\\u0041\\n\":" F32_2 "}", 8, 1},
    };
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (size_t shift = 0; shift < 8; shift++) {
            struct err e = {0};
            struct set s;

            make_file(&f, row[i].header, row[i].data);
            if (parse(&s, &f, shift, &e) < 0)
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
    {"{\"a\":" F32_2 "}", 7, "7 bytes of data", ERR_FORMAT},
    {"{\"a\":" F32_2 "}", 9, "9 bytes of data", ERR_FORMAT},
    {"{\"a\":" F32_2 ",\"a\":" F32_2 "}", 8, "stands twice", ERR_FORMAT},
    {"{\"a\":" F32_2 ",\"\\u0061\":" F32_2 "}", 8, "twice", ERR_FORMAT},
    {"{\"a\":" F32_2 ",\"b\":" F32_2 "}", 8, "overlap", ERR_FORMAT},
    {"{\"a\":1}", 0, "'{' expected", ERR_FORMAT},
    {"{\"a\":{}}", 0, "no \"dtype\"", ERR_FORMAT},
    {"{\"a\":" F32_2 " 1}", 8, "behind the object", ERR_FORMAT},
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
    {"{\"\\u0000\":" F32_2 "}", 8, "header byte", ERR_FORMAT},
    {"{a:" F32_2 "}", 8, "a name in quotes", ERR_FORMAT},
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

        make_file(&f, r->header, r->data);
        if (parse(&s, &f, 0, &e) == 0)
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
    make_file(&f, "{}  ", 0);
    f.data[f.len - 1] = f.data[f.len - 2] = 0;
    assert_int_equal(parse(&s, &f, 0, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "behind the object"));
    make_file(&f, A("\"BOOL\"", "[3]", "[0,3]"), 3);
    f.data[f.len - 3] = 1;
    e = (struct err){0};
    assert_int_equal(parse(&s, &f, 0, &e), 0);
    set_release(&s);
    f.data[f.len - 1] = 2;
    assert_int_equal(parse(&s, &f, 0, &e), -1);
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
        assert_int_equal(parse(&s, &f, 0, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        assert_non_null(strstr(e.msg, row[i].say));
        str_release(&f);
    }
}

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
    make_file(&f, str_text(&h), 0);
    assert_int_equal(parse(&s, &f, 0, &e), -1);
    str_clear(&h);
    str_add(&h, "{\"a\":{\"dtype\":\"F32\",\"shape\":");
    for (int i = 0; i < 5000; i++)
        str_addc(&h, '[');
    for (int i = 0; i < 5000; i++)
        str_addc(&h, ']');
    str_add(&h, ",\"data_offsets\":[0,8]}}");
    make_file(&f, str_text(&h), 8);
    e = (struct err){0};
    assert_int_equal(parse(&s, &f, 0, &e), -1);
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
            str_add(&h, "\":" F32_2 "}");
            make_file(&f, str_text(&h), 8);
            r = parse(&s, &f, 0, &e);
            assert_int_equal(r, n <= 1024 ? 0 : -1);
            if (!r)
                set_release(&s);
        }
    str_release(&h);
    str_release(&f);
}

/* ---- writing ---- */

static const int64_t three[] = {3}, two_two[] = {2, 2}, none[] = {0, 5};

/* A set of several types with awkward names.  */
static void make_set(struct set *s)
{
    static float f[3] = {1, -2, 3.5f};
    static int64_t i[4] = {1, 2, 3, INT64_MIN};
    static uint8_t u[3] = {7, 8, 9};
    static uint16_t h[3] = {0x3c00, 1, 0x8000};
    static uint8_t b[3] = {0, 1, 1};
    const struct shape s3 = shape_make(1, three), s22 = shape_make(2, two_two);
    const struct shape s0 = shape_make(2, none), sc = shape_make(0, NULL);
    const struct {
        const char *name;
        struct tensor t;
    } row[] = {{"u", tensor_view(DTYPE_U8, &s3, u)},
               {"f \"quoted\"\\\n", tensor_view(DTYPE_F32, &s3, f)},
               {"caf\xc3\xa9", tensor_view(DTYPE_I64, &s22, i)},
               {"empty", tensor_view(DTYPE_F32, &s0, f)},
               {"bf", tensor_view(DTYPE_BF16, &s3, h)},
               {"bool", tensor_view(DTYPE_BOOL, &s3, b)},
               {"scalar", tensor_view(DTYPE_F32, &sc, f)},
               {"h", tensor_view(DTYPE_F16, &s3, h)}};

    set_init(s);
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        assert_int_equal(set_put(s, row[k].name, &row[k].t), 0);
    set_meta_put(s, "adze.format", "1");
    set_meta_put(s, "adze.kind", "tensors");
    set_meta_put(s, "note", "tab\there, \"q\", \x01, \xe2\x82\xac");
    set_meta_put(s, "", "");
}

static char path[] = "/tmp/adze-st-XXXXXX";

static void save(const struct set *s, int hashes)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(safetensors_write(s, &o, hashes, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

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
    make_set(&s);
    for (int hashes = 0; hashes < 2; hashes++) {
        save(&s, hashes);
        assert_int_equal(safetensors_read(&t, path, &e), 0);
        check_same(&s, &t);
        assert_int_equal(t.n_meta, s.n_meta + 2 * hashes);
        assert_true(!set_meta_get(&t, "adze.hash") == !hashes);
        assert_int_equal(bytes_read(&one, path, SIZE_MAX, &e), 0);
        assert_int_equal((8 + one.data[0] + 256 * one.data[1]) % 64, 0);
        assert_int_equal(one.data[8], '{');
        /* to the file it came from; the same bytes */
        save(&t, hashes);
        assert_int_equal(bytes_read(&two, path, SIZE_MAX, &e), 0);
        assert_int_equal(one.n, two.n);
        assert_memory_equal(one.data, two.data, one.n);
        bytes_release(&one);
        bytes_release(&two);
        set_release(&t);
    }
    set_release(&s);
    unlink(path);
}

static void load(struct bytes *b)
{
    struct err e = {0};
    struct set s;

    make_set(&s);
    save(&s, 1);
    set_release(&s);
    assert_int_equal(bytes_read(b, path, SIZE_MAX, &e), 0);
    unlink(path);
}

/* With hashes no flipped bit goes by.  */
static void test_every_bit(void **state)
{
    struct bytes b;

    (void)state;
    load(&b);
    assert_int_equal(fuzz_safetensors(b.data, b.n), 0);
    assert_int_equal(fuzz_flip(fuzz_safetensors, b.data, b.n), 0);
    assert_int_equal(fuzz_cut(fuzz_safetensors, b.data, b.n), 0);
    bytes_release(&b);
}

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

static void add_text(struct str *s, const char *text)
{
    str_addn(s, text, strlen(text) + 1);
}

/* adze.hash as safetensors.h describes it, put together by hand.  */
static void test_hash(void **state)
{
    const struct shape s2 = shape_make(1, (int64_t[]){2});
    char w_hash[HASH_TEXT], a_hash[HASH_TEXT], all[HASH_TEXT];
    struct str list = {0}, text = {0};
    struct err e = {0};
    float w[2] = {1, 2};
    uint8_t a[2] = {3, 4};
    struct tensor t = tensor_view(DTYPE_F32, &s2, w);
    struct set s;

    (void)state;
    set_init(&s);
    set_put(&s, "w", &t);
    t = tensor_view(DTYPE_U8, &s2, a);
    set_put(&s, "a", &t);
    set_meta_put(&s, "z", "last");
    set_meta_put(&s, "adze.kind", "tensors");
    save(&s, 1);
    set_release(&s);
    hash_bytes(w_hash, w, 8);
    hash_bytes(a_hash, a, 2);
    str_printf(&list, "{\"w\":\"%s\",\"a\":\"%s\"}", w_hash, a_hash);
    add_text(&text, "3");
    add_text(&text, "adze.hashes");
    add_text(&text, str_text(&list));
    add_text(&text, "adze.kind");
    add_text(&text, "tensors");
    add_text(&text, "z");
    add_text(&text, "last");
    add_text(&text, "2");
    add_text(&text, "a");
    add_text(&text, "U8");
    add_text(&text, "[2]");
    add_text(&text, a_hash);
    add_text(&text, "w");
    add_text(&text, "F32");
    add_text(&text, "[2]");
    add_text(&text, w_hash);
    assert_int_equal(safetensors_read(&s, path, &e), 0);
    assert_string_equal(set_meta_get(&s, "adze.hashes"), str_text(&list));
    assert_string_equal(set_meta_get(&s, "adze.hash"),
                        hash_bytes(all, text.data, text.len));
    set_release(&s);
    str_release(&list);
    str_release(&text);
    unlink(path);
}

/* Lists of hashes that do not fit the tensors.  */
static void test_wrong_hashes(void **state)
{
    static const struct {
        const char *hashes, *say;
    } row[] = {
        {"{}", "0 hashes for 1 tensors"},
        {"{\\\"a\\\":\\\"%s\\\",\\\"b\\\":\\\"%s\\\"}",
         "tensor 'b' is not there"},
        {"{\\\"a\\\":\\\"%s\\\",\\\"a\\\":\\\"%s\\\"}",
         "tensor 'a' stands twice"},
        {"{\\\"a\\\":\\\"%.31s0\\\"}", "tensor 'a': the stored hash"},
        {"{\\\"a\\\":7}", "tensor 'a': the stored hash"},
        {"{\\\"a\\\":\\\"%s\\\"}", "'adze.hash': the stored hash"},
        {"[]", "'{' expected"},
        {"{\\\"\\xa\\\":1}", "header byte"},
    };
    static const unsigned char zero[8];
    char h[HASH_TEXT];

    (void)state;
    hash_bytes(h, zero, 8);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct str text = {0}, f = {0};
        struct err e = {0};
        struct set s;

        str_add(&text, "{\"__metadata__\":{\"adze.hashes\":\"");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        str_printf(&text, row[i].hashes, h, h);
#pragma GCC diagnostic pop
        str_add(&text, "\",\"adze.hash\":\"x\"},\"a\":" F32_2 "}");
        make_file(&f, str_text(&text), 8);
        assert_int_equal(parse(&s, &f, 0, &e), -1);
        if (!strstr(e.msg, row[i].say))
            fail_msg("%s: %s", row[i].say, e.msg);
        str_release(&text);
        str_release(&f);
    }
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
        make_file(&f, str_text(&h), 0);
        r = parse(&s, &f, 0, &e);
        assert_int_equal(r, n == 65536 ? 0 : -1);
        if (!r)
            set_release(&s);
        else
            assert_non_null(strstr(e.msg, "more than 65536 pairs"));
    }
    str_release(&h);
    str_release(&f);
}

static void test_no_file(void **state)
{
    struct err e = {0};
    struct set s;

    (void)state;
    assert_int_equal(safetensors_read(&s, path, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    set_init(&s);
    set_meta_put(&s, "a", "\xff");
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, path, &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    set_meta_put(&s, "a", "");
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, "/dev/full", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, "/", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    e = (struct err){0};
    assert_int_equal(safetensors_save(&s, path, &e), 0);
    set_release(&s);
    unlink(path);
}

static void test_stream(void **state)
{
    struct err e = {0};
    struct bytes b;
    struct str two = {0};
    struct set s;
    struct in in;

    (void)state;
    load(&b);
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

static void test_fuzz(void **state)
{
    struct str a = {0}, b = {0};
    struct bytes whole;

    (void)state;
    load(&whole);
    make_file(&a, "{\"a\":" F32_2 "}", 8);
    make_file(&b, refused[20].header, 12);
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
    make_file(&f, str_text(&h), 0);
    assert_int_equal(parse(&s, &f, 0, &e), 0);
    assert_int_equal(strlen(set_meta_get(&s, "a")), 50000000);
    set_release(&s);
    str_clear(&h);
    for (int i = 0; i <= 1000000; i++)
        str_printf(&h,
                   "%c\"%x\":{\"dtype\":\"I8\",\"shape\":[0],"
                   "\"data_offsets\":[0,0]}",
                   i ? ',' : '{', (unsigned)i);
    str_addc(&h, '}');
    make_file(&f, str_text(&h), 0);
    assert_int_equal(parse(&s, &f, 0, &e), -1);
    assert_non_null(strstr(e.msg, "more than 1000000 tensors"));
    str_release(&h);
    str_release(&f);
#endif
}

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
    save(&s, 1);
    assert_int_equal(safetensors_read(&first, path, &e), 0);
    v[0] = v[N - 1] = 2;
    save(&s, 1);
    assert_int_equal(safetensors_read(&second, path, &e), 0);
    t = *set_get(&first, "v");
    assert_true(((float *)t.data)[0] == 1 && ((float *)t.data)[N - 1] == 1);
    t = *set_get(&second, "v");
    assert_true(((float *)t.data)[0] == 2 && ((float *)t.data)[N - 1] == 2);
    set_release(&first);
    set_release(&second);
    set_release(&s);
    free(v);
    unlink(path);
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
    save(&s, 1);
    assert_int_equal(safetensors_read(&t, path, &e), 0);
    assert_int_equal(t.n, N);
    set_release(&t);
    set_release(&s);
    unlink(path);
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
        assert_int_equal(safetensors_save(&s, path, &e), -1);
        assert_int_equal(e.code, ERR_UNSUPPORTED);
        assert_int_equal(access(path, F_OK), -1);
        set_release(&s);
    }
}

static int make_path(void **state)
{
    const int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd) < 0 || unlink(path) < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refused_bytes),
        cmocka_unit_test(test_large_header),
        cmocka_unit_test(test_replaced_while_mapped),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_wrong_hashes),
        cmocka_unit_test(test_many_pairs),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, make_path, NULL);
}
