/* dataset_list.c -- tests of lib/data/dataset_list.c: files that list pictures.
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "../samples.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/form.h"

static void lists(void **state)
{
    const struct dataset_opts bare = {.unlabelled = 1};
    struct dataset *d;
    int n;

    (void)state;
    samples_dot("l/a b.ppm", 1);
    samples_dot("l/c.ppm", 2);
    samples_text("l/list.txt", "\xef\xbb\xbf"
                               "a b.ppm 3\r\n"
                               "\r\n   \n"
                               "c.ppm\t0  \r\n"
                               "a b.ppm \t 1");
    d = samples_open("l/list.txt", NULL);
    samples_are(d, "l/a b.ppm=3:1 l/c.ppm=0:2 l/a b.ppm=1:1");
    assert_int_equal(dataset_labels(d), 4);
    dataset_classes(d, &n);
    assert_int_equal(n, 0);
    dataset_free(d);
    /* names as labels */
    samples_text("l/names", "c.ppm dog\na b.ppm\tblack cat\n");
    d = samples_open("l/names", NULL);
    samples_are(d, "l/c.ppm=1:2 l/a b.ppm=0:1");
    samples_names(dataset_classes(d, &n), "black cat dog");
    dataset_free(d);
    /* no labels */
    samples_text("l/bare", "c.ppm\na b.ppm\n");
    d = samples_open("l/bare", &bare);
    samples_are(d, "l/c.ppm=-1:2 l/a b.ppm=-1:1");
    dataset_free(d);
    d = samples_open("l/list.txt", &bare);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(samples_red(d, 0), 1);
    dataset_free(d);
}

static void list_faults(void **state)
{
    const struct dataset_opts ten = {.n_classes = 10};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;

    (void)state;
    samples_text("l", "a 1\nb 2\n\nc\n");
    samples_refused("l", NULL, ERR_FORMAT,
                    "'l', line 4: not a path and a label");
    samples_text("l", "a 1\nb ten\n");
    samples_refused("l", NULL, ERR_FORMAT,
                    "'l', line 2: label 'ten' is not a number");
    samples_text("l", "a 1\nb -1\n");
    samples_refused("l", NULL, ERR_INPUT,
                    "'l', line 2: label -1 is outside 0 to");
    samples_text("l", "a 1\nb 2000000\n");
    samples_refused("l", NULL, ERR_INPUT,
                    "'l', line 2: label 2000000 is outside");
    samples_text("l", "a 1\nb 99999999999\n");
    samples_refused("l", NULL, ERR_INPUT,
                    "'l', line 2: label 99999999999 is outside");
    samples_text("l", "a 9\n\nb 10\n");
    samples_refused("l", &ten, ERR_INPUT,
                    "'l', line 3: label 10 of 'b' is outside 0 to 9");
    samples_put("l", "a 1\nb\0c 2\n", 11);
    samples_refused("l", NULL, ERR_FORMAT, "'l' is no data set that is known");
    samples_text("l", "");
    samples_refused("l", NULL, ERR_INPUT, "'l' is empty");
    samples_text("l", "\r\n \n");
    samples_refused("l", NULL, ERR_INPUT, "'l' holds no pictures");
    samples_text("l", "gone.ppm 1\n");
    d = samples_open("l", NULL);
    assert_int_equal(dataset_image(d, 0, &co, &im, &e), -1);
    assert_string_equal(e.msg, "'l', line 1: cannot open 'gone.ppm': No such "
                               "file or directory");
    dataset_free(d);
    samples_dot("1.ppm", 1);
    samples_refused("1.ppm", NULL, ERR_INPUT,
                    "'1.ppm' is a pnm picture, not a data");
}

static void f065_many_classes(void **state)
{
    enum { MANY = 100000 };
    struct str s = {0};
    struct dataset *d;
    double from;
    int n;

    (void)state;
    for (int i = 0; i < MANY; i++)
        str_printf(&s, "p%d\tc%07d\n", i, MANY - i);
    samples_put("list", s.data, s.len);
    from = clock_now();
    d = samples_open("list", NULL);
    assert_true(clock_now() - from < 5); /* 0.1 s; minutes if quadratic */
    dataset_classes(d, &n);
    assert_int_equal(n, MANY);
    assert_int_equal(dataset_sample(d, 0).label, MANY - 1);
    dataset_free(d);
    str_release(&s);
}

/* ---- hostile ---- */

static void hostile_lists(void **state)
{
#define SEED(text)            \
    {                         \
        text, sizeof text - 1 \
    }
    static const struct fuzz_seed seeds[] = {
        SEED("\xef\xbb\xbf"
             "a b.ppm 3\r\n\r\n   \nc.ppm\t0  \r\n"),
        SEED("c.ppm dog\na b.ppm\tblack cat\n"),
        SEED("#x\n"),
        SEED("c.ppm\na b.ppm\n"),
        SEED("/c d.ppm\n"),
    };
    char *large = memset(xmalloc(70000), 'a', 70000);
    const struct fuzz_seed larger[] = {seeds[3], {large, 70000}};

    (void)state;
    fuzz_cut(fuzz_list, seeds[0].p, seeds[0].n);
    fuzz_flip(fuzz_list, seeds[0].p, seeds[0].n);
    fuzz_run(fuzz_list, seeds, COUNT(seeds), NULL, 10000, 1);
    large[5] = 0; /* in the middle of a line */
    fuzz_run(fuzz_list, larger, COUNT(larger), NULL, 300, 1);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(lists),
        SAMPLES_TEST(list_faults),
        SAMPLES_TEST(f065_many_classes),
        cmocka_unit_test(hostile_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
