/* stream.c -- tests of lib/base/stream.c: bytes come back as they were written.
 * SPDX-License-Identifier: MIT  */
#include "base/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../files.h"
#include "base/err.h"
#include "base/str.h"

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

        files_put("f", p, size[k]);
        files_are("f", p, size[k]);
        /* the same in pieces of an odd length */
        assert_int_equal(out_open(&o, "f", &e), 0);
        for (size_t at = 0; at < size[k]; at += 777)
            assert_int_equal(out_write(&o, p + at,
                                       size[k] - at < 777 ? size[k] - at : 777,
                                       &e),
                             0);
        assert_int_equal(o.offset, size[k]);
        assert_int_equal(out_commit(&o, &e), 0);
        files_are("f", p, size[k]);
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
    files_put("f", "abcdef", 6);
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

static void test_in(void **state)
{
    unsigned char *p = malloc(300000), *q = malloc(300000);
    const unsigned char *look;
    struct err e = {0};
    struct in i;

    (void)state;
    for (size_t k = 0; k < 300000; k++)
        p[k] = (unsigned char)(k % 251);
    files_put("f", p, 300000);
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
    files_put("f", text, sizeof text - 1);
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

static void on_alarm(int sig)
{
    (void)sig;
}

/* Every call is interrupted, every read and write may be refused or short. */
static void test_pipe(void **state)
{
    enum { N = 300000 };
    const struct itimerval often = {{0, 500}, {0, 500}},
                           never = {{0, 0}, {0, 0}};
    struct sigaction sa = {.sa_handler = on_alarm}, old;
    unsigned char *p = malloc(N);
    const int in = dup(0), out = dup(1);
    struct err e = {0};
    struct bytes b;
    int fd[2], status;
    pid_t pid;

    (void)state;
    for (int i = 0; i < N; i++)
        p[i] = (unsigned char)(i * 31 >> 3);
    assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
    fcntl(fd[0], F_SETPIPE_SZ, 4096);
    sigaction(SIGALRM, &sa, &old);
    pid = fork();
    if (!pid) {
        struct out o;

        setitimer(ITIMER_REAL, &often, NULL);
        dup2(fd[1], 1);
        close(fd[0]);
        close(fd[1]);
        if (out_open(&o, "-", &e) < 0)
            _exit(1);
        for (int i = 0; i < N; i += 100)
            if (out_write(&o, p + i, 100, &e) < 0)
                _exit(2);
        if (out_commit(&o, &e) < 0)
            _exit(3);
        close(1);
        _exit(0);
    }
    dup2(fd[0], 0);
    close(fd[0]);
    close(fd[1]);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(bytes_read(&b, "-", N, &e), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    dup2(in, 0);
    close(in);
    close(out);
    assert_true(waitpid(pid, &status, 0) == pid && status == 0);
    assert_int_equal(b.n, N);
    assert_memory_equal(b.data, p, N);
    bytes_release(&b);
    free(p);
}

/* Standard input that stands behind its start is read from there.  */
static void test_stdin_offset(void **state)
{
    enum { N = 2 << 20 };
    char *p = calloc(N, 1);
    const int in = dup(0);
    struct err e = {0};
    struct bytes b;
    int fd;

    (void)state;
    p[1000] = 7;
    files_put("f", p, N);
    fd = open("f", O_RDONLY);
    dup2(fd, 0);
    lseek(0, 1000, SEEK_SET);
    assert_int_equal(bytes_read(&b, "-", SIZE_MAX, &e), 0);
    assert_int_equal(b.n, N - 1000);
    assert_int_equal(b.data[0], 7);
    bytes_release(&b);
    dup2(in, 0);
    close(in);
    close(fd);
    unlink("f");
    free(p);
}

static void test_odd_sources(void **state)
{
    struct err e = {0};
    struct bytes b;
    struct in i;
    int fd;

    (void)state;
    assert_int_equal(in_open(&i, ".", &e), -1);
    assert_string_equal(e.msg, "cannot read '.': Is a directory");
    e = (struct err){0};
    assert_int_equal(in_open(&i, "none", &e), -1);
    e = (struct err){0};
    assert_int_equal(bytes_read(&b, "/dev/zero", SIZE_MAX, &e), -1);
    assert_string_equal(e.msg, "cannot read '/dev/zero': it is a device");
    /* the size of a pipe shows only on reading */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    fd = open("fifo", O_RDWR);
    assert_int_equal(write(fd, "hello", 5), 5);
    e = (struct err){0};
    assert_int_equal(bytes_read(&b, "fifo", 4, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    close(fd);
    unlink("fifo");
    /* files without a size */
    e = (struct err){0};
    assert_int_equal(bytes_read(&b, "/proc/self/status", SIZE_MAX, &e), 0);
    assert_true(b.n > 100);
    bytes_release(&b);
}

static void test_memory(void **state)
{
    const unsigned char *look;
    struct err e = {0};
    struct str s = {0};
    struct in i;
    char c[4];

    (void)state;
    in_memory(&i, "ab\0cd", 5);
    assert_int_equal(in_line(&i, &s, 0, &e), 1);
    assert_string_equal(str_text(&s), "ab");
    assert_int_equal(in_peek(&i, &look, 4, &e), 2);
    assert_memory_equal(look, "cd", 2);
    assert_int_equal(in_read(&i, c, 4, &e), 2);
    assert_int_equal(in_read(&i, c, 4, &e), 0);
    assert_int_equal(in_peek(&i, &look, 4, &e), 0);
    assert_int_equal(in_skip(&i, 1, &e), -1);
    in_close(&i);
    str_release(&s);
}

static void test_long_line(void **state)
{
    enum { N = (1 << 20) + 2 };
    char *p = malloc(N);
    struct err e = {0};
    struct str s = {0};
    struct in i;

    (void)state;
    memset(p, 'x', N);
    in_memory(&i, p, N);
    assert_int_equal(in_line(&i, &s, '\n', &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    p[N - 2] = '\n';
    in_memory(&i, p, N);
    e = (struct err){0};
    assert_int_equal(in_line(&i, &s, '\n', &e), 1);
    assert_int_equal(s.len, N - 2);
    str_release(&s);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_in),          cmocka_unit_test(test_lines),
        cmocka_unit_test(test_pipe),        cmocka_unit_test(test_stdin_offset),
        cmocka_unit_test(test_odd_sources), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, files_enter, files_leave);
}
