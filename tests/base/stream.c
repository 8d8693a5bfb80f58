/* stream.c -- tests of lib/base/stream.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/temp.h"

static char folder[] = "/tmp/adze-stream-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

/* The folder is empty again: nobody left a temporary file.  */
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
    assert_int_equal(out_write(&o, "new 1", 5, &e), 0);
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
    temp_cleanup_signal();
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

/* Run F in a child whose stderr goes to the file "err"; its exit status.  */
static int in_child(void (*f)(void))
{
    const pid_t pid = fork();
    int status;

    if (!pid) {
        const int fd = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);

        dup2(fd, 2);
        f();
        _exit(99);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void check_stderr(const char *part)
{
    struct err e = {0};
    struct bytes b;
    char text[2000];

    assert_int_equal(bytes_read(&b, "err", sizeof text - 1, &e), 0);
    memcpy(text, b.data, b.n);
    text[b.n] = 0;
    if (!strstr(text, part))
        fail_msg("'%s' is not in '%s'", part, text);
    bytes_release(&b);
    unlink("err");
}

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
    put("big", p, N);
    assert_int_equal(in_child(shrink_while_reading), 3);
    check_stderr("stream: file changed while it was read: 'big'\n");
    put("big", p, N);
    assert_int_equal(in_child(read_wild), -SIGBUS);
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
    put("big", p, N);
    assert_int_equal(bytes_read(&b, "big", N, &e), 0);
    assert_int_equal(b.mapped, 1);
    *(unsigned char *)(uintptr_t)b.data = 1;
    bytes_release(&b);
    check_file("big", p, N);
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
    put("big", p, N);
    assert_int_equal(bytes_read(&b, "big", N, &e), 0);
    assert_memory_equal(b.data, p, N);
    bytes_forget(b.data + 100, N - 5000);
    assert_memory_equal(b.data, p, N);
    bytes_forget(p, N);
    assert_memory_equal(b.data, p, N);
    bytes_release(&b);
    unlink("big");
    free(p);
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

static void closed_descriptors(void)
{
    struct err e = {0};
    struct bytes b;
    struct out o;

    close(0);
    close(1);
    stream_init();
    if (open("/dev/null", O_RDONLY) < 3)
        _exit(1);
    if (out_open(&o, "-", &e) < 0 || out_write(&o, "x", 1, &e) < 0 ||
        out_commit(&o, &e) == 0 || e.code != ERR_OUTPUT)
        _exit(2);
    e = (struct err){0};
    if (bytes_read(&b, "-", 10, &e) == 0 || e.code != ERR_INPUT)
        _exit(3);
    _exit(0);
}

static void too_long(void)
{
    const struct rlimit r = {100000, 100000};
    static char block[200000];
    struct err e = {0};
    struct out o;

    stream_init();
    setrlimit(RLIMIT_FSIZE, &r);
    if (out_open(&o, "long", &e) < 0)
        _exit(1);
    if (out_write(&o, block, sizeof block, &e) == 0)
        _exit(2);
    out_abort(&o);
    _exit(e.code == ERR_OUTPUT && strstr(e.msg, "'long'") ? 0 : 3);
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(in_child(closed_descriptors), 0);
    assert_int_equal(in_child(too_long), 0);
    assert_int_equal(access("long", F_OK), -1);
    unlink("err");
}

/* An open temporary file, and the program ends.  */
static struct out open_at_end;

static void begin_file(void)
{
    struct err e = {0};

    signal(SIGHUP, SIG_IGN);
    stream_init();
    if (out_open(&open_at_end, "end", &e) < 0)
        _exit(98);
}

static void end_by_exit(void)
{
    begin_file();
    exit(4);
}

static void end_by_signal(void)
{
    begin_file();
    raise(SIGHUP); /* ignored, as under nohup */
    if (access(open_at_end.temp, F_OK) < 0)
        _exit(1);
    raise(SIGTERM);
}

/* A child of the program that ends does not take its files away.  */
static void end_of_child(void)
{
    int status;
    pid_t pid;

    begin_file();
    pid = fork();
    if (!pid)
        exit(0);
    waitpid(pid, &status, 0);
    _exit(access(open_at_end.temp, F_OK) == 0 ? unlink(open_at_end.temp) : 2);
}

static int temps_here(void)
{
    DIR *d = opendir(".");
    const struct dirent *f;
    int n = 0;

    while ((f = readdir(d)))
        n += strstr(f->d_name, ".adze-") != NULL;
    closedir(d);
    return n;
}

static void test_ends(void **state)
{
    (void)state;
    assert_int_equal(in_child(end_by_exit), 4);
    assert_int_equal(in_child(end_by_signal), -SIGTERM);
    assert_int_equal(in_child(end_of_child), 0);
    assert_int_equal(temps_here(), 0);
    unlink("err");
}

static void test_modes(void **state)
{
    const mode_t old = umask(027);
    struct stat st;

    (void)state;
    put("f", "x", 1);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    unlink("f");
    umask(0777);
    put("f", "x", 1);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0);
    umask(old);
    unlink("f");
}

static void write_read_only(void)
{
    struct err e = {0};
    struct out o;

    if (!geteuid() && seteuid(65534) < 0) /* root may write anywhere */
        _exit(98);
    if (out_open(&o, "f", &e) == 0)
        _exit(97);
    _exit(strcmp(e.msg, "cannot write 'f': Permission denied") ? 96 : 0);
}

static void test_read_only(void **state)
{
    (void)state;
    chmod(".", 0777);
    put("f", "x", 1);
    chmod("f", 0444);
    assert_int_equal(in_child(write_read_only), 0);
    unlink("f");
    unlink("err");
}

static void test_odd_targets(void **state)
{
    char name[256];
    struct err e = {0};
    struct out o;
    int fd;

    (void)state;
    assert_int_equal(symlink("a", "b"), 0);
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(out_open(&o, "a", &e), -1);
    assert_non_null(strstr(e.msg, strerror(ELOOP)));
    unlink("a");
    unlink("b");
    /* the longest name; control bytes in it */
    memset(name, 'n', 255);
    name[255] = 0;
    put(name, "x", 1);
    check_file(name, "x", 1);
    unlink(name);
    put("n\n\t\x1b", "x", 1);
    unlink("n\n\t\x1b");
    e = (struct err){0};
    assert_int_equal(out_open(&o, "no\x1b/x", &e), -1);
    assert_null(strchr(e.msg, 27));
    /* a pipe is written to as it is */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    fd = open("fifo", O_RDWR);
    put("fifo", "hello", 5);
    assert_int_equal(read(fd, name, 10), 5);
    assert_memory_equal(name, "hello", 5);
    close(fd);
    unlink("fifo");
    put("/dev/null", "x", 1);
    e = (struct err){0};
    assert_int_equal(out_open(&o, "f/", &e), -1);
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
    put("f", p, N);
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

/* The target becomes a folder, or its folder goes, while it is written.  */
static void test_target_changes(void **state)
{
    struct err e = {0};
    struct out o;

    (void)state;
    assert_int_equal(out_open(&o, "f", &e), 0);
    assert_int_equal(mkdir("f", 0700), 0);
    assert_int_equal(out_commit(&o, &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    assert_string_equal(e.msg, "cannot rename a file to 'f': Is a directory");
    e = (struct err){0};
    assert_int_equal(out_open(&o, "f/g", &e), 0);
    assert_int_equal(unlink(o.temp), 0);
    assert_int_equal(rmdir("f"), 0);
    assert_int_equal(out_write(&o, "x", 1, &e), 0);
    assert_int_equal(out_commit(&o, &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
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
    put("f", p, N);
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
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_abort_keeps_old),
        cmocka_unit_test(test_signal_cleanup),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_in),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_sigbus),
        cmocka_unit_test(test_map_is_private),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_odd_targets),
        cmocka_unit_test(test_stdin_offset),
        cmocka_unit_test(test_target_changes),
        cmocka_unit_test(test_odd_sources),
        cmocka_unit_test(test_many_maps),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
