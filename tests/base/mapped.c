/* mapped.c -- tests of base/mapped.h by way of files that are read whole.
 * SPDX-License-Identifier: MIT  */
#include "base/mapped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../files.h"
#include "base/err.h"
#include "base/stream.h"

static volatile unsigned char sink;

static void shrink_while_reading(void)
{
    struct err e = {0};
    struct bytes b;
    struct out o;

    if (out_open(&o, "victim", &e) < 0 ||
        bytes_read(&b, "big", SIZE_MAX, &e) < 0)
        _exit(98);
    if (!b.mapped || truncate("big", 5000) < 0)
        _exit(97);
    for (size_t i = 0; i < b.n; i += 4096)
        sink = b.data[i];
}

/* A page is gone that is none of the files being read.  */
static void read_wild(void)
{
    const int fd = open("big", O_RDWR);
    struct err e = {0};
    struct bytes b;
    unsigned char *p;

    if (bytes_read(&b, "big", SIZE_MAX, &e) < 0)
        _exit(98);
    bytes_release(&b);
    p = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || ftruncate(fd, 0) < 0)
        _exit(97);
    sink = p[0];
}

static void test_sigbus(void **state)
{
    enum { N = 3 << 20 };
    char *p = calloc(N, 1);

    (void)state;
    files_put("big", p, N);
    assert_int_equal(child_status(shrink_while_reading), 3);
    child_said("mapped: file changed while it was read: 'big'\n");
    files_put("big", p, N);
    assert_int_equal(child_status(read_wild), -SIGBUS);
    unlink("err");
    unlink("big");
    free(p);
}

/* A mapped file may be written to in memory; the file stays.  */
static void test_map_is_private(void **state)
{
    enum { N = 2 << 20 };
    char *p = calloc(N, 1);
    struct err e = {0};
    struct bytes b;

    (void)state;
    files_put("big", p, N);
    assert_int_equal(bytes_read(&b, "big", N, &e), 0);
    assert_int_equal(b.mapped, 1);
    *(unsigned char *)(uintptr_t)b.data = 1;
    bytes_release(&b);
    files_are("big", p, N);
    unlink("big");
    free(p);
}

/* Pages that are forgotten come back as they are in the file; memory that is
 * no file stays.  */
static void test_forget(void **state)
{
    enum { N = 2 << 20 };
    char *p = malloc(N);
    struct err e = {0};
    struct bytes b;

    (void)state;
    memset(p, 7, N);
    files_put("big", p, N);
    assert_int_equal(bytes_read(&b, "big", N, &e), 0);
    assert_memory_equal(b.data, p, N);
    mapped_forget(b.data + 100, N - 5000);
    assert_memory_equal(b.data, p, N);
    mapped_forget(p, N);
    assert_memory_equal(b.data, p, N);
    bytes_release(&b);
    unlink("big");
    free(p);
}

/* More maps than the table notes: the rest is read.  */
static void test_many_maps(void **state)
{
    enum { N = 2 << 20, FILES = 70 };
    struct bytes b[FILES];
    struct err e = {0};
    char *p = calloc(N, 1);
    int mapped = 0;

    (void)state;
    p[N - 1] = 9;
    files_put("f", p, N);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(bytes_read(&b[i], "f", N, &e), 0);
        mapped += b[i].mapped;
    }
    assert_int_equal(mapped, 64);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(b[i].data[N - 1], 9);
        bytes_release(&b[i]);
    }
    assert_int_equal(bytes_read(&b[0], "f", N, &e), 0);
    assert_int_equal(b[0].mapped, 1);
    bytes_release(&b[0]);
    unlink("f");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sigbus),
        cmocka_unit_test(test_map_is_private),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_many_maps),
    };

    return cmocka_run_group_tests(tests, files_enter, files_leave);
}
