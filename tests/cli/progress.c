/* progress.c -- test: the line of progress, on a terminal and nowhere else.
 * SPDX-License-Identifier: MIT  */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/common.h"
#include "cli/progress.h"

/* What two calls a while after the start, a note and the end write to a
 * standard error that is a terminal, or a pipe.  */
static void written(int terminal, int64_t from, char *text, size_t size)
{
    const int saved = dup(2);
    int end[2];
    struct progress p;
    size_t n = 0;
    ssize_t got;

    if (terminal) {
        end[0] = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(end[0] >= 0);
        assert_int_equal(grantpt(end[0]) | unlockpt(end[0]), 0);
        end[1] = open(ptsname(end[0]), O_RDWR | O_NOCTTY);
    } else {
        assert_int_equal(pipe(end), 0);
    }
    assert_true(end[1] >= 0);
    dup2(end[1], 2);

    progress_start(&p, "draw", "pictures", 200);
    p.from = from;
    /* the clock is moved by more than a busy machine can lose */
    p.shown += 1000;
    progress_show(&p, 1, NULL); /* too early */
    p.start -= 10;
    p.shown -= 2000;
    progress_show(&p, 50, "loss 0.5");
    p.shown += 1000;
    progress_show(&p, 51, NULL); /* too soon */
    cli_note("a note");
    progress_end(&p);

    fputs("$", stderr); /* so that there is something to read */
    dup2(saved, 2);
    close(saved);
    close(end[1]);
    do {
        got = read(end[0], text + n, size - 1 - n);
        n += got > 0 ? (size_t)got : 0;
        text[n] = '\0';
    } while (got > 0 && !strchr(text, '$'));
    close(end[0]);
}

static void test_terminal(void **state)
{
    char text[1024];

    (void)state;
    cli = (struct cli){.name = "try"};
    setenv("TERM", "xterm", 1);
    written(1, 0, text, sizeof text);
    assert_true(str_match("\rdraw 50/200 25%, ?? s left, * pictures/s, "
                          "loss 0.5\033[K\r\033[Kadze-try: a note*",
                          text));
    assert_null(strstr(text, "51/200"));
}

/* What another process did has no part in how long the rest takes.  */
static void test_resumed(void **state)
{
    char text[1024];

    (void)state;
    cli = (struct cli){.name = "try"};
    setenv("TERM", "xterm", 1);
    written(1, 40, text, sizeof text);
    assert_true(
        str_match("\rdraw 50/200 25%, 1?? s left, * pictures/s, *", text));
}

static void test_elsewhere(void **state)
{
    char text[1024];

    (void)state;
    cli = (struct cli){.name = "try"};
    setenv("TERM", "xterm", 1);
    written(0, 0, text, sizeof text);
    assert_string_equal(text, "adze-try: a note\n$");
    setenv("TERM", "dumb", 1);
    written(1, 0, text, sizeof text);
    assert_string_equal(text, "adze-try: a note\r\n$");
    setenv("TERM", "xterm", 1);
    cli.quiet = 1;
    written(1, 0, text, sizeof text);
    assert_string_equal(text, "$");
    cli.quiet = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
