/* npz.c -- tests of tensor/npz.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/npz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../fuzz.h"
#include "base/crc.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/set.h"

static void put(struct set *s, const char *name, enum dtype dt, int64_t n)
{
    static const unsigned char data[64] = {1, 2, 3, 0, 5};
    const struct shape shape = shape_make(1, &n);
    const struct tensor t = tensor_view(dt, &shape, (void *)(uintptr_t)data);

    set_put(s, name, &t);
}

/* Three arrays, one of them empty.  */
static void encode(struct str *to)
{
    struct err e = {0};
    struct set s;

    set_init(&s);
    put(&s, "conv1.weight", DTYPE_F32, 6);
    put(&s, "n", DTYPE_I8, 5);
    put(&s, "none", DTYPE_F16, 0);
    str_clear(to);
    assert_int_equal(npz_encode(to, &s, &e), 0);
    set_release(&s);
}

static int parse(struct set *s, const struct str *f, struct err *e)
{
    return npz_parse(s, (const unsigned char *)f->data, f->len, e);
}

static void comes_back(void **state)
{
    struct str f = {0}, g = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    encode(&f);
    encode(&g);
    assert_int_equal(f.len, g.len);
    assert_memory_equal(f.data, g.data, f.len);
    assert_true(npz_is((const unsigned char *)f.data, f.len));
    assert_int_equal(parse(&s, &f, &e), 0);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.item[0].name, "conv1.weight");
    assert_int_equal(set_get(&s, "conv1.weight")->dtype, DTYPE_F32);
    assert_int_equal(tensor_count(set_get(&s, "n")), 5);
    assert_int_equal(((const int8_t *)set_get(&s, "n")->data)[4], 5);
    set_release(&s);

    set_init(&s); /* no array at all */
    str_clear(&f);
    assert_int_equal(npz_encode(&f, &s, &e), 0);
    assert_int_equal(f.len, 22);
    set_release(&s);
    assert_int_equal(parse(&s, &f, &e), 0);
    assert_int_equal(s.n, 0);
    set_release(&s);
    str_release(&f);
    str_release(&g);
}

/* A comment behind the end, which may hold the mark of the end itself.  */
static void comment_is_allowed(void **state)
{
    static const char comment[] = "PK\5\6, said somebody";
    struct str f = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    encode(&f);
    f.data[f.len - 2] = sizeof comment;
    str_addn(&f, comment, sizeof comment);
    if (parse(&s, &f, &e) < 0)
        fail_msg("%s", e.msg);
    set_release(&s);
    str_release(&f);
}

static void types_that_npy_has_not(void **state)
{
    struct str f = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    set_init(&s);
    put(&s, "b", DTYPE_BF16, 2);
    assert_int_equal(npz_encode(&f, &s, &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "tensor 'b'"));
    set_release(&s);
    str_release(&f);
}

/* The place of TEXT, the COUNTth from 0, from FROM on.  */
static size_t find(const struct str *f, const char *text, size_t n, int count)
{
    for (size_t i = 0; i + n <= f->len; i++)
        if (!memcmp(f->data + i, text, n) && !count--)
            return i;
    fail_msg("no '%s'", text);
    return 0;
}

static void refuses(void **state)
{
    static const struct {
        int entry; /* of the directory, or -1: its end */
        size_t at; /* byte of it */
        unsigned char value;
        const char *want;
        enum err_code code;
    } cases[] = {
        {0, 10, 8, "'conv1.weight' is compressed", ERR_UNSUPPORTED},
        {0, 8, 1, "compressed or encrypted", ERR_UNSUPPORTED},
        {0, 16, 0xff, "array 'conv1.weight' is damaged", ERR_FORMAT},
        {0, 20, 1, "two sizes", ERR_FORMAT},
        {0, 42, 1, "points to no entry", ERR_FORMAT},
        {0, 50, 0xff, "no UTF-8", ERR_FORMAT},
        {0, 28, 200, "directory is damaged", ERR_FORMAT},
        {1, 1, 0, "directory is damaged", ERR_FORMAT},
        {-1, 1, 0, "no directory", ERR_FORMAT},
        {-1, 10, 2, "does not fit", ERR_FORMAT},
        {-1, 12, 1, "directory is damaged", ERR_FORMAT},
        {-1, 19, 1, "does not fit", ERR_FORMAT},
    };
    struct str f = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = {0};
        struct set s;

        encode(&f);
        const size_t at = cases[i].entry < 0
                              ? find(&f, "PK\5\6", 4, 0)
                              : find(&f, "PK\1\2", 4, cases[i].entry);

        f.data[at + cases[i].at] = (char)cases[i].value;
        assert_int_equal(parse(&s, &f, &e), -1);
        if (!strstr(e.msg, cases[i].want) || e.code != cases[i].code)
            fail_msg("%d: '%s' is not in '%s'", (int)i, cases[i].want, e.msg);
    }
    str_release(&f);
}

/* Entries that point to one array: small files that are large in memory.  */
static void shared_bytes_are_refused(void **state)
{
    struct str f = {0}, entry = {0}, all = {0};
    struct err e = {0};
    struct set s;

    (void)state;
    encode(&f);
    const size_t from = find(&f, "PK\1\2", 4, 0), to = find(&f, "PK\1\2", 4, 1),
                 end = find(&f, "PK\5\6", 4, 0);

    str_addn(&entry, f.data + from, to - from);
    str_addn(&all, f.data, from);
    for (int i = 0; i < 9; i++) {
        entry.data[46] = (char)('a' + i);
        str_addn(&all, entry.data, entry.len);
    }
    str_addn(&all, f.data + end, 22);
    all.data[all.len - 14] = all.data[all.len - 12] = 9;
    all.data[all.len - 10] = (char)(9 * entry.len);
    all.data[all.len - 9] = (char)(9 * entry.len >> 8);
    assert_int_equal(parse(&s, &all, &e), -1);
    if (!strstr(e.msg, "share their bytes"))
        fail_msg("%s", e.msg);
    str_release(&f);
    str_release(&entry);
    str_release(&all);
}

static void fuzz(void **state)
{
    struct str f = {0};

    (void)state;
    encode(&f);
    assert_int_equal(fuzz_cut(fuzz_npz, f.data, f.len), 0);
    fuzz_flip(fuzz_npz, f.data, f.len);
    {
        const struct fuzz_seed seed[] = {{f.data, f.len}};

        fuzz_run(fuzz_npz, seed, COUNT(seed), NULL, 5000, 1);
    }
    str_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(comment_is_allowed),
        cmocka_unit_test(types_that_npy_has_not),
        cmocka_unit_test(refuses),
        cmocka_unit_test(shared_bytes_are_refused),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
