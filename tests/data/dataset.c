/* dataset.c -- tests of lib/data/dataset.c: what holds in every form, sets that
 * are joined and split.
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../samples.h"
#include "base/err.h"
#include "base/thread.h"

static void joined(void **state)
{
    static const char *const dogs[] = {"dog/1.ppm", "emu/2.ppm", NULL};
    const struct dataset_opts two = {.n_classes = 2};
    struct dataset *d;
    int n;

    (void)state;
    samples_folders();
    samples_tar("a+b.tar", dogs);
    samples_dot("3.ppm", 9);
    samples_text("list", "3.ppm 2\n");
    d = samples_open("set+a+b.tar+list", NULL);
    samples_are(d,
                "set/cat/9.ppm=0:4 set/cat/deep/er/0.ppm=0:3 set/dog/1.ppm=1:1 "
                "set/dog/2.ppm=1:2 a+b.tar:dog/1.ppm=1:0 a+b.tar:emu/2.ppm=2:1 "
                "3.ppm=2:9");
    samples_names(dataset_classes(d, &n), "cat dog emu");
    dataset_free(d);
    /* an index must be inside the names of the others */
    samples_refused("set+list", NULL, ERR_INPUT,
                    "'list', line 1: label 2 of '3.ppm' is outside 0 to 1");
    samples_refused("set+a+b.tar", &two, ERR_INPUT,
                    "has 3 classes, the model's head");
    samples_refused("set+", NULL, ERR_USAGE, "an empty name");
    samples_refused("set+gone", NULL, ERR_INPUT, "cannot open 'gone'");
}

static void print_of(const char *spec, char text[HASH_TEXT])
{
    struct dataset *d = samples_open(spec, NULL);

    dataset_fingerprint(d, text);
    dataset_free(d);
}

static void fingerprints(void **state)
{
    char a[HASH_TEXT], b[HASH_TEXT];

    (void)state;
    samples_folders();
    print_of("set", a);
    assert_int_equal(system("mkdir else && cp -r set else/where"), 0);
    print_of("else/where", b);
    assert_string_equal(a, b); /* never a path */
    print_of("./set/", b);
    assert_string_equal(a, b);
    samples_text("set/cat/9.ppm", "shorter");
    print_of("set", b);
    assert_string_not_equal(a, b); /* a size */
    assert_int_equal(rename("else/where/dog", "else/where/cow"), 0);
    print_of("else/where", b);
    assert_string_not_equal(a, b); /* a name */
    samples_text("l1", "x 1\ny 2\n");
    samples_text("l2", "x 1\ny 1\n");
    print_of("l1", a);
    print_of("l2", b);
    assert_string_not_equal(a, b); /* a label */
}

static void spread(void **state)
{
    struct dataset *d;

    (void)state;
    samples_text("l1", "a 0\nb 1\nc 2\nd 3\n");
    samples_text("l2", "e 4\nf 5\ng 6\n");
    d = samples_open("l1+l2", NULL);
    dataset_spread(d, 9);
    assert_int_equal(dataset_count(d), 7);
    dataset_spread(d, 3);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_sample(d, 0).label, 0);
    assert_int_equal(dataset_sample(d, 1).label, 2);
    assert_int_equal(dataset_sample(d, 2).label, 4);
    dataset_spread(d, 1);
    assert_int_equal(dataset_sample(d, 0).label, 0);
    dataset_free(d);
}

static void files_alone(void **state)
{
    static const char *const paths[] = {"x/1.ppm", "gone", "x/1.ppm"};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct dataset *d;
    struct image im;

    (void)state;
    samples_dot("x/1.ppm", 4);
    d = dataset_paths(paths, 3, &e);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_sample(d, 2).label, -1);
    assert_int_equal(samples_red(d, 2), 4);
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), -1);
    assert_string_equal(e.msg, "cannot open 'gone': No such file or directory");
    dataset_free(d);
    e = (struct err){0};
    assert_null(dataset_paths(NULL, 0, &e));
}

static void splits(void **state)
{
    char *train, *val;

    (void)state;
    samples_dot("d/train/a/1.ppm", 1);
    samples_dot("d/test/a/1.ppm", 1);
    samples_text("d/.DS_Store", "x");
    assert_int_equal(dataset_split_dir("d", &train, &val), 1);
    assert_string_equal(train, "d/train");
    assert_string_equal(val, "d/test");
    free(train);
    free(val);
    samples_dot("d/val/a/1.ppm", 1);
    assert_int_equal(dataset_split_dir("d/", &train, &val), 1);
    assert_string_equal(val, "d/val");
    free(train);
    free(val);
    samples_dot("d/other/1.ppm", 1); /* three classes, two of them odd */
    assert_int_equal(dataset_split_dir("d", &train, &val), 0);
    assert_null(train);
    assert_int_equal(dataset_split_dir("d/val", &train, &val), 0);
    assert_int_equal(dataset_split_dir("gone", &train, &val), 0);
}

/* ---- many threads ---- */

struct reading {
    const struct dataset *d;
    int red[64];
};

static void read_one(void *ctx, int64_t task, int thread)
{
    struct reading *r = ctx;
    const struct codec_opts o = {0};
    struct err e = {0};
    struct image im;

    (void)thread;
    if (dataset_image(r->d, task % dataset_count(r->d), &o, &im, &e) == 0)
        r->red[task] = im.rgb[0];
    image_release(&im);
}

static void threads(void **state)
{
    struct pool *p = pool_new(4);
    struct reading r = {0};
    struct dataset *d;

    (void)state;
    samples_folders();
    d = samples_open("set", NULL);
    r.d = d;
    pool_run(p, 64, read_one, &r);
    for (int i = 0; i < 64; i++)
        assert_int_equal(r.red[i], samples_red(d, i % 4));
    dataset_free(d);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(joined), SAMPLES_TEST(fingerprints),
        SAMPLES_TEST(spread), SAMPLES_TEST(files_alone),
        SAMPLES_TEST(splits), SAMPLES_TEST(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
