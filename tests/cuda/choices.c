/* choices.c -- test: the fastest kernels, kept: round trip, refusals, damage.
 * SPDX-License-Identifier: MIT  */
#include "cuda/choices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

static const char first[] = "# adze: the fastest kernels, by machine and step; 2\n";

static struct choice row(const char *machine, const char *step, const char *offer)
{
    return (struct choice){(char *)machine, (char *)step, (char *)offer, 2, 4096, 0.125};
}

static struct choices some(void)
{
    struct choices c = {0};
    struct choice w[] = {row("GPU A", "conv2d forward 3x8x7x7", "cudnn"),
                         row("GPU A", "linear forward 3x8", "own"),
                         row("GPU B, \xc3\xa9", "linear forward 3x8", "cublas")};

    for (size_t i = 0; i < COUNT(w); i++)
        choices_put(&c, &w[i]);
    return c;
}

static void test_list(void **state)
{
    struct choices c = some();
    struct choice w = row("GPU A", "linear forward 3x8", "cublas");

    (void)state;
    assert_int_equal(c.changed, 1);
    assert_string_equal(choices_find(&c, "GPU A", "linear forward 3x8")->offer, "own");
    assert_null(choices_find(&c, "GPU C", "linear forward 3x8"));
    choices_put(&c, &w);
    assert_int_equal(c.n, 3);
    assert_string_equal(choices_find(&c, "GPU A", "linear forward 3x8")->offer, "cublas");
    choices_release(&c);
    for (int i = 0; i < (1 << 14) + 5; i++) {
        char step[16];

        snprintf(step, sizeof step, "%d", i);
        w.step = step;
        choices_put(&c, &w);
    }
    assert_int_equal(c.n, 1 << 14);
    assert_null(choices_find(&c, "GPU A", "4"));
    assert_non_null(choices_find(&c, "GPU A", "5"));
    choices_release(&c);
}

static void test_text(void **state)
{
    static const char *const bad[] = {
        "",
        "a\tb\tc\t0\t0\t0\n",
        "a\tb\tc\t0\t0\nend\n",
        "a\tb\tc\t0\t0\t0\t0\nend\n",
        "\tb\tc\t0\t0\t0\nend\n",
        "a\tb\tc\t-1\t0\t0\nend\n",
        "a\tb\tc\t0\t1e3\t0\nend\n",
        "a\tb\tc\t0\t0\tnan\nend\n",
        "a\tb\t\xff\t0\t0\t1\nend\n",
        "end\nend\n",
        "\nend\n",
    };
    struct choices c = some(), d = {0};
    struct str s = {0};
    struct err e = {0};

    (void)state;
    choices_print(&s, &c);
    assert_int_equal(choices_parse(&d, str_text(&s), s.len, &e), 0);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.changed, 0);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(d.at[i].machine, c.at[i].machine);
        assert_string_equal(d.at[i].step, c.at[i].step);
        assert_string_equal(d.at[i].offer, c.at[i].offer);
        assert_int_equal(d.at[i].way, 2);
        assert_int_equal(d.at[i].bytes, 4096);
        assert_float_equal(d.at[i].ms, 0.125, 0);
    }
    choices_release(&d);
    for (size_t i = 0; i < COUNT(bad); i++) {
        e = (struct err){0};
        str_clear(&s);
        str_printf(&s, "%s%s", first, bad[i]);
        if (choices_parse(&d, str_text(&s), s.len, &e) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(e.code, ERR_FORMAT);
        assert_int_equal(d.n, 0);
    }
    str_release(&s);
    choices_release(&c);
}

/* Kept together with what others wrote; where no file can be, none is.  */
static void test_file(void **state)
{
    char folder[] = "/tmp/choices-XXXXXX";
    struct choices c = some(), d = {0};
    struct choice w = row("GPU D", "x", "own");
    struct str path = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    choices_load(&d);
    assert_int_equal(d.n, 0);
    choices_save(&c);
    assert_int_equal(c.changed, 0);
    choices_put(&d, &w);
    choices_save(&d);
    choices_release(&d);
    choices_load(&d);
    assert_int_equal(d.n, 4);
    assert_int_equal(d.changed, 0);
    choices_release(&d);
    assert_int_equal(choices_path(&path), 0);
    assert_int_equal(truncate(str_text(&path), 100), 0);
    choices_load(&d);
    assert_int_equal(d.n, 0);
    unlink(str_text(&path));
    str_clear(&path);
    str_printf(&path, "%s/adze", folder);
    rmdir(str_text(&path));
    rmdir(folder);
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    c.changed = 1;
    choices_save(&c);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/h", 1);
    str_clear(&path);
    assert_int_equal(choices_path(&path), 0);
    assert_string_equal(str_text(&path), "/h/.cache/adze/cuda-choices");
    unsetenv("HOME");
    assert_int_equal(choices_path(&path), -1);
    str_release(&path);
    choices_release(&c);
}

static void test_damage(void **state)
{
    struct choices c = some();
    struct str s = {0};
    struct fuzz_seed seed;

    (void)state;
    choices_print(&s, &c);
    seed = (struct fuzz_seed){str_text(&s), s.len};
    assert_int_equal(fuzz_choices(seed.p, seed.n), 0);
    assert_int_equal(fuzz_cut(fuzz_choices, seed.p, seed.n), 0);
    fuzz_flip(fuzz_choices, seed.p, seed.n);
    fuzz_run(fuzz_choices, &seed, 1, NULL, 3000, 1);
    str_release(&s);
    choices_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
