/* files.c -- see files.h.
 * SPDX-License-Identifier: MIT  */
#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/stream.h"

static char folder[] = "/tmp/adze-files-XXXXXX";

int files_enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int files_leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

void files_put(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, p, n, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

void files_are(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct bytes b;

    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.data, p, n);
    bytes_release(&b);
}

int child_status(void (*f)(void))
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

void child_said(const char *part)
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
