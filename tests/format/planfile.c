/* planfile.c -- test: files of constants: round trip, refusals, damage.
 * SPDX-License-Identifier: MIT  */
#include "format/planfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"

static char path[] = "/tmp/planfile-XXXXXX";

static int setup(void **state)
{
    const int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* The Ith constant at its least, its default, its most, in turns.  */
static struct tuning some(void)
{
    struct tuning t;

    tuning_init(&t);
    for (int i = 0; i < TUNE_N; i++)
        t.value[i] = i % 3 == 0   ? tuning_rows[i].min
                     : i % 3 == 1 ? tuning_rows[i].def
                                  : tuning_rows[i].max;
    return t;
}

static void rows(void **state)
{
    (void)state;
    for (int i = 0; i < TUNE_N; i++) {
        const struct tuning_row *w = &tuning_rows[i];

        assert_true(w->min >= 1 && w->min < w->def && w->def < w->max);
        assert_int_equal(tuning_find(w->name), i);
    }
    assert_int_equal(tuning_find("direct"), -1);
}

static void round_trip(void **state)
{
    const struct tuning t = some();
    struct planfile f;
    struct err e = {0};
    struct str s = {0};

    (void)state;
    assert_int_equal(planfile_save(&t, "a note", path, &e), 0);
    assert_int_equal(planfile_read(&f, path, &e), 0);
    assert_memory_equal(&f.tuning, &t, sizeof t);
    assert_int_equal(strlen(f.hash), HASH_TEXT - 1);
    tuning_print(&s, &t, 1);
    assert_non_null(strstr(str_text(&s), "direct.band_bytes=4096"));
    assert_null(strstr(str_text(&s), "direct.group_bytes"));
    str_clear(&s);
    tuning_print(&s, &t, 0);
    assert_null(strstr(str_text(&s), "direct.band_bytes"));
    str_release(&s);
}

/* HEAD, this machine's level, TAIL: WORDS are in the message, CODE is its
 * kind.  */
static void refuses_as(enum err_code code, const char *level, const char *tail,
                       const char *words)
{
    struct planfile f;
    struct err e = {0};
    struct str s = {0};
    struct out o;

    str_printf(&s, "adze: 1\nlevel: %s\ncpu: some\n%s", level, tail);
    assert_int_equal(out_open(&o, path, &e), 0);
    out_write(&o, str_text(&s), s.len, &e);
    assert_int_equal(out_commit(&o, &e), 0);
    str_release(&s);
    if (planfile_read(&f, path, &e) == 0)
        fail_msg("taken: %s", tail);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, words))
        fail_msg("'%s' is not in: %s", words, e.msg);
}

static void refuses(const char *level, const char *tail, const char *words)
{
    refuses_as(ERR_USAGE, level, tail, words);
}

static void errors(void **state)
{
    const char *here = cpu_level_name(cpu_features());
    const int lowest = !strcmp(here, "portable");
    struct planfile f;
    struct err e = {0};

    (void)state;
    refuses(here, "direct.band_byte: 8192\nend: yes\n",
            ":4:1: no constant 'direct.band_byte'; did you mean "
            "'direct.band_bytes'?");
    refuses(here, "direct.tasks: 65\nend: yes\n",
            ":4:15: 'direct.tasks' is a whole number from 1 to 64 (tasks), "
            "not '65'");
    refuses(here, "direct.tasks: 4k\nend: yes\n", "not '4k'");
    refuses(here, "direct.tasks: [4]\nend: yes\n", "is one value");
    refuses_as(ERR_INPUT, here, "direct.tasks: 4\n",
               "no line 'end: ...': the file was cut");
    refuses(here, "end: no\n", "the last line is 'end: yes'");
    refuses(here, "end: yes\ndirect.tasks: 4\n", "the last line is");
    if (!lowest)
        refuses("portable", "end: yes\n",
                "as here: name the level with --cpu, or tune");
    refuses(strcmp(here, "neon") ? "neon" : "avx2", "end: yes\n",
            "as here: tune for this one");
    refuses("avx3", "end: yes\n", "no instruction-set level 'avx3'");
    refuses("", "end: yes\n", "no instruction-set level ''");
    assert_int_equal(planfile_read(&f, "/none", &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
}

static void damaged(void **state)
{
    static const char list[] = "- adze\n- end\n",
                      nothing[] = "cpu:\nend: yes\n";
    const struct tuning t = some();
    struct str s = {0};
    struct fuzz_seed seeds[3];

    (void)state;
    planfile_print(&s, &t, "a note");
    seeds[0] = (struct fuzz_seed){str_text(&s), s.len};
    seeds[1] = (struct fuzz_seed){list, sizeof list - 1};
    seeds[2] = (struct fuzz_seed){nothing, sizeof nothing - 1};
    assert_int_equal(fuzz_planfile(seeds[0].p, s.len), 0);
    fuzz_run(fuzz_planfile, seeds, 3, NULL, 10000, 1);
    /* but for the last newline nothing may be missing */
    assert_int_equal(fuzz_cut(fuzz_planfile, seeds[0].p, s.len), 1);
    fuzz_flip(fuzz_planfile, seeds[0].p, s.len);
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(errors),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
