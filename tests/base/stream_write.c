/* stream_write.c -- tests of lib/base/stream_write.c, and of how a program
 * begins and ends.
 * SPDX-License-Identifier: MIT  */
#include "base/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../files.h"
#include "base/err.h"
#include "base/temp.h"

static void test_abort_keeps_old(void **state)
{
    struct err e = {0};
    struct stat st;
    struct out o;

    (void)state;
    files_put("f", "old", 3);
    assert_int_equal(chmod("f", 0640), 0);
    assert_int_equal(out_open(&o, "f", &e), 0);
    assert_int_equal(out_write(&o, "new 1", 5, &e), 0);
    assert_int_equal(out_abort(&o), -1);
    files_are("f", "old", 3);
    assert_int_equal(symlink("f", "link"), 0);
    files_put("link", "new", 3);
    files_are("f", "new", 3);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    unlink("f");
    files_put("link", "dangling", 8); /* creates its target */
    files_are("f", "dangling", 8);
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
    assert_int_equal(child_status(closed_descriptors), 0);
    assert_int_equal(child_status(too_long), 0);
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
    assert_int_equal(child_status(end_by_exit), 4);
    assert_int_equal(child_status(end_by_signal), -SIGTERM);
    assert_int_equal(child_status(end_of_child), 0);
    assert_int_equal(temps_here(), 0);
    unlink("err");
}

static void test_modes(void **state)
{
    const mode_t old = umask(027);
    struct stat st;

    (void)state;
    files_put("f", "x", 1);
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    unlink("f");
    umask(0777);
    files_put("f", "x", 1);
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
    files_put("f", "x", 1);
    chmod("f", 0444);
    assert_int_equal(child_status(write_read_only), 0);
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
    files_put(name, "x", 1);
    files_are(name, "x", 1);
    unlink(name);
    files_put("n\n\t\x1b", "x", 1);
    unlink("n\n\t\x1b");
    e = (struct err){0};
    assert_int_equal(out_open(&o, "no\x1b/x", &e), -1);
    assert_null(strchr(e.msg, 27));
    /* a pipe is written to as it is */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    fd = open("fifo", O_RDWR);
    files_put("fifo", "hello", 5);
    assert_int_equal(read(fd, name, 10), 5);
    assert_memory_equal(name, "hello", 5);
    close(fd);
    unlink("fifo");
    files_put("/dev/null", "x", 1);
    e = (struct err){0};
    assert_int_equal(out_open(&o, "f/", &e), -1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort_keeps_old),
        cmocka_unit_test(test_signal_cleanup),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_odd_targets),
        cmocka_unit_test(test_target_changes),
    };

    return cmocka_run_group_tests(tests, files_enter, files_leave);
}
