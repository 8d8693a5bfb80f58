/* safetensors_hash.c -- tests of lib/tensor/safetensors_hash.c: what stands in
 * the hashes, and what they guard.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "../stfile.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* With hashes no flipped bit goes by.  */
static void test_every_bit(void **state)
{
    struct bytes b;

    (void)state;
    stfile_load(&b);
    assert_int_equal(fuzz_safetensors(b.data, b.n), 0);
    assert_int_equal(fuzz_flip(fuzz_safetensors, b.data, b.n), 0);
    assert_int_equal(fuzz_cut(fuzz_safetensors, b.data, b.n), 0);
    bytes_release(&b);
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
    stfile_save(&s, 1);
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
    assert_int_equal(safetensors_read(&s, stfile_path, &e), 0);
    assert_string_equal(set_meta_get(&s, "adze.hashes"), str_text(&list));
    assert_string_equal(set_meta_get(&s, "adze.hash"),
                        hash_bytes(all, text.data, text.len));
    set_release(&s);
    str_release(&list);
    str_release(&text);
    unlink(stfile_path);
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
        str_add(&text, "\",\"adze.hash\":\"x\"},\"a\":" STFILE_F32 "}");
        stfile_make(&f, str_text(&text), 8);
        assert_int_equal(stfile_parse(&s, &f, 0, &e), -1);
        if (!strstr(e.msg, row[i].say))
            fail_msg("%s: %s", row[i].say, e.msg);
        str_release(&text);
        str_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_wrong_hashes),
    };

    return cmocka_run_group_tests(tests, stfile_setup, NULL);
}
