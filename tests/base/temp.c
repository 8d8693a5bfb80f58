/* temp.c -- tests of files and folders that go away unless they are kept.
 * SPDX-License-Identifier: MIT  */
#include "base/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64];

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(home, sizeof home, "%s/adze-temp-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(home) : -1; /* nothing is left */
}

static int is_there(const char *name)
{
    return access(name, F_OK) == 0;
}

/* NAME/deep/f, and a link out of it that must not be followed.  */
static void furnish(const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/deep", name);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/deep/f", name);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0666)), 0);
    snprintf(path, sizeof path, "%s/deep/out", name);
    assert_int_equal(symlink(home, path), 0);
}

static void test_kept(void **state)
{
    int fd;
    char *a = temp_file("x", &fd), *b = temp_folder("x");

    (void)state;
    assert_int_equal(write(fd, "1", 1), 1);
    assert_int_equal(close(fd), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(strncmp(a, "x.adze-", 7), 0);
    assert_int_equal(rename(a, "a"), 0);
    assert_int_equal(rename(b, "b"), 0);
    temp_keep(a);
    temp_keep(b);
    temp_cleanup_signal();
    assert_true(is_there("a") && is_there("b"));
    assert_int_equal(unlink("a") | rmdir("b"), 0);
    temp_keep(NULL);
    temp_remove(NULL);
}

static void test_removed(void **state)
{
    char *a = temp_folder("x"), *b = temp_folder("x"), gone[256];

    (void)state;
    assert_int_equal(mkdir("other", 0777), 0);
    furnish(a);
    furnish(b);
    snprintf(gone, sizeof gone, "%s", a);
    temp_remove(a);
    assert_false(is_there(gone));
    assert_true(is_there(b));
    if (fork() == 0) { /* a child's end is not its parent's */
        temp_cleanup_signal();
        _exit(0);
    }
    wait(NULL);
    assert_true(is_there(b));
    errno = EDOM;
    temp_cleanup_signal();
    assert_int_equal(errno, EDOM);
    assert_false(is_there(b));
    temp_keep(b);
    assert_true(is_there("other"));
    assert_int_equal(rmdir("other"), 0);
}

static void test_impossible(void **state)
{
    int fd = -1;

    (void)state;
    assert_null(temp_file("none/x", &fd));
    assert_int_equal(errno, ENOENT);
    assert_null(temp_folder("none/x"));
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_impossible),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
