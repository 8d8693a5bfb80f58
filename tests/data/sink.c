/* sink.c -- tests of lib/data/sink.c.
 * SPDX-License-Identifier: MIT  */
#include "data/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stream.h"

static char dir[] = "/tmp/adze-sink-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return !mkdtemp(dir) || chdir(dir) < 0;
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") < 0 || system("rm -rf /tmp/adze-sink-??????");
}

/* COMMAND, run by sh, ends with 0.  */
static void holds(const char *command)
{
    if (system(command))
        fail_msg("%s", command);
}

static void both_hold_the_same(void **state)
{
    static const char *const paths[] = {"a.tar", "new/er/a/"};
    struct err e = {0};

    (void)state;
    for (int k = SINK_TAR; k <= SINK_FOLDER; k++) {
        struct sink *s = sink_open(paths[k], (enum sink_kind)k, &e);

        assert_non_null(s);
        assert_int_equal(sink_put(s, "x/1", "one", 3, &e), 0);
        assert_int_equal(sink_put(s, "x/y/2", "two", 3, &e), 0);
        assert_int_equal(sink_put(s, "x/3", "", 0, &e), 0);
        assert_int_equal(sink_put(s, "top", "t", 1, &e), 0);
        assert_int_not_equal(access(paths[k], F_OK), 0); /* not yet */
        assert_int_equal(sink_commit(s, &e), 0);
    }
    holds("mkdir t && tar -xf a.tar -C t && diff -r t new/er/a");
    holds("test \"$(cat new/er/a/x/y/2)\" = two");
    holds("test \"$(ls -A new/er | wc -l)\" = 1");
}

static void abandoned_leaves_nothing(void **state)
{
    static const char *const paths[] = {"b.tar", "b"};
    struct err e = {0};

    (void)state;
    for (int k = SINK_TAR; k <= SINK_FOLDER; k++) {
        struct sink *s = sink_open(paths[k], (enum sink_kind)k, &e);

        assert_int_equal(sink_put(s, "x/1", "one", 3, &e), 0);
        assert_int_equal(sink_abort(s), -1);
    }
    assert_int_equal(sink_abort(NULL), -1);
    holds("test -z \"$(ls -A | grep b)\"");
}

static void refuses(const char *path, enum err_code code, const char *text)
{
    struct err e = {0};

    assert_null(sink_open(path, SINK_FOLDER, &e));
    if (e.code != code || !strstr(e.msg, text))
        fail_msg("%d %s", e.code, e.msg);
}

static void folders_that_cannot_be(void **state)
{
    (void)state;
    holds("mkdir -p full empty && touch full/x file");
    refuses("full", ERR_OUTPUT, "folder 'full' is not empty");
    refuses("file", ERR_OUTPUT, "cannot write to folder 'file'");
    refuses("file/x", ERR_OUTPUT, "'file");
    refuses("-", ERR_USAGE, "give -O FOLDER");
}

/* Names come from data sets: they must not lead out of the folder.  */
static void names_stay_inside(void **state)
{
    static const char *const names[] = {"../x", "/x", "a/../../x",
                                        "a/..", "..", ""};
    struct err e = {0};
    struct sink *s = sink_open("empty", SINK_FOLDER, &e);

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct err one = {0};

        assert_int_equal(sink_put(s, names[i], "x", 1, &one), -1);
        assert_int_equal(one.code, ERR_OUTPUT);
    }
    assert_int_equal(sink_put(s, "..x/y..", "x", 1, &e), 0);
    assert_int_equal(sink_put(s, "..x/y..", "x", 1, &e), -1); /* twice */
    sink_abort(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_hold_the_same),
        cmocka_unit_test(abandoned_leaves_nothing),
        cmocka_unit_test(folders_that_cannot_be),
        cmocka_unit_test(names_stay_inside),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
