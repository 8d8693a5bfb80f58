/* stream.c -- tests of lib/base/stream.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"

static char folder[] = "/tmp/adze-stream-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void put(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, p, n, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

static void check_file(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct bytes b;

    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.data, p, n);
    bytes_release(&b);
}

static void test_sizes(void **state)
{
    static const size_t size[] = {0,     1,      65535,  65536,
                                  65537, 131072, 200000, (1 << 20) + 5};
    unsigned char *p = malloc((1 << 20) + 5);

    (void)state;
    for (size_t i = 0; i < (1 << 20) + 5; i++)
        p[i] = (unsigned char)(i * 7 + (i >> 8));
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        struct err e = {0};
        struct out o;

        put("f", p, size[k]);
        check_file("f", p, size[k]);
        /* the same in pieces of an odd length */
        assert_int_equal(out_open(&o, "f", &e), 0);
        for (size_t at = 0; at < size[k]; at += 777)
            assert_int_equal(out_write(&o, p + at,
                                       size[k] - at < 777 ? size[k] - at : 777,
                                       &e),
                             0);
        assert_int_equal(o.offset, size[k]);
        assert_int_equal(out_commit(&o, &e), 0);
        check_file("f", p, size[k]);
    }
    unlink("f");
    free(p);
}

static void test_errors(void **state)
{
    struct err e = {0};
    struct bytes b;
    struct out o;

    (void)state;
    assert_int_equal(bytes_read(&b, "x.png", 100, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    assert_string_equal(e.msg,
                        "cannot open 'x.png': No such file or directory");
    e = (struct err){0};
    assert_int_equal(bytes_read(&b, ".", 100, &e), -1);
    assert_string_equal(e.msg, "cannot read '.': Is a directory");
    put("f", "abcdef", 6);
    e = (struct err){0};
    assert_int_equal(bytes_read(&b, "f", 5, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    unlink("f");
    e = (struct err){0};
    assert_int_equal(out_open(&o, ".", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    assert_string_equal(e.msg, "cannot write '.': Is a directory");
    e = (struct err){0};
    assert_int_equal(out_open(&o, "no/f", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    e = (struct err){0};
    assert_int_equal(out_open(&o, "", &e), -1);
    e = (struct err){0};
    assert_int_equal(out_open(&o, "/dev/full", &e), 0);
    assert_int_equal(out_write(&o, "x", 1, &e), 0);
    assert_int_equal(out_commit(&o, &e), -1);
    assert_string_equal(e.msg,
                        "cannot write '/dev/full': No space left on device");
}

static void test_abort_keeps_old(void **state)
{
    struct err e = {0};
    struct stat st;
    struct out o;

    (void)state;
    put("f", "old", 3);
    assert_int_equal(chmod("f", 0640), 0);
    assert_int_equal(out_open(&o, "f", &e), 0);
    assert_int_equal(out_printf(&o, &e, "new %d", 1), 0);
    assert_int_equal(out_abort(&o), -1);
    check_file("f", "old", 3);
    assert_int_equal(symlink("f", "link"), 0);
    put("link", "new", 3);
    check_file("f", "new", 3);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    unlink("f");
    put("link", "dangling", 8); /* creates its target */
    check_file("f", "dangling", 8);
    unlink("f");
    unlink("link");
}

static void test_signal_cleanup(void **state)
{
    struct err e = {0};
    struct out o;

    (void)state;
    assert_int_equal(out_open(&o, "f", &e), 0);
    assert_int_equal(access(o.temp, F_OK), 0);
    out_cleanup_signal();
    assert_int_equal(access(o.temp, F_OK), -1);
    out_abort(&o);
}

static void test_in(void **state)
{
    unsigned char *p = malloc(300000), *q = malloc(300000);
    const unsigned char *look;
    struct err e = {0};
    struct in i;

    (void)state;
    for (size_t k = 0; k < 300000; k++)
        p[k] = (unsigned char)(k % 251);
    put("f", p, 300000);
    assert_int_equal(in_open(&i, "f", &e), 0);
    assert_int_equal(in_peek(&i, &look, 10, &e), 10);
    assert_memory_equal(look, p, 10);
    assert_int_equal(in_exact(&i, q, 65530, &e), 0);
    assert_int_equal(in_peek(&i, &look, 4096, &e), 4096);
    assert_memory_equal(look, p + 65530, 4096);
    assert_int_equal(in_exact(&i, q + 65530, 200000, &e), 0);
    assert_memory_equal(p, q, 265530);
    assert_int_equal(in_skip(&i, 34469, &e), 0);
    assert_int_equal(i.offset, 299999);
    assert_int_equal(in_peek(&i, &look, 5, &e), 1);
    assert_int_equal(in_exact(&i, q, 2, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_string_equal(e.msg, "'f' ends after 1 of 2 bytes at offset 299999");
    in_close(&i);
    unlink("f");
    free(p);
    free(q);
}

static void test_lines(void **state)
{
    static const char text[] = "one\r\n\ntwo\nlast";
    struct err e = {0};
    struct str s = {0};
    struct in i;

    (void)state;
    put("f", text, sizeof text - 1);
    assert_int_equal(in_open(&i, "f", &e), 0);
    assert_int_equal(in_line(&i, &s, '\n', &e), 1);
    assert_string_equal(str_text(&s), "one");
    assert_int_equal(in_line(&i, &s, '\n', &e), 1);
    assert_string_equal(str_text(&s), "");
    assert_int_equal(in_line(&i, &s, '\n', &e), 1);
    assert_string_equal(str_text(&s), "two");
    assert_int_equal(in_line(&i, &s, '\n', &e), 1);
    assert_string_equal(str_text(&s), "last");
    assert_int_equal(in_line(&i, &s, '\n', &e), 0);
    in_close(&i);
    str_release(&s);
    unlink("f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_abort_keeps_old),
        cmocka_unit_test(test_signal_cleanup),
        cmocka_unit_test(test_in),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
