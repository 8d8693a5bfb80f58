/* dataset_folder.c -- tests of lib/data/dataset_folder.c: a folder of classes.
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../samples.h"
#include "base/err.h"

static void folders(void **state)
{
    struct dataset *d;
    int n;

    (void)state;
    samples_folders();
    d = samples_open("set", NULL);
    samples_are(d, "set/cat/9.ppm=0:4 set/cat/deep/er/0.ppm=0:3 "
                   "set/dog/1.ppm=1:1 set/dog/2.ppm=1:2");
    samples_names(dataset_classes(d, &n), "cat dog");
    assert_int_equal(n, 2);
    assert_int_equal(dataset_labels(d), 2);
    samples_names(dataset_missing(d), "");
    dataset_free(d);
}

static void folders_below_a_top_one(void **state)
{
    const char *const cat[] = {"set"};
    const struct dataset_opts o = {.classes = cat, .n_classes = 1};
    struct dataset *d;

    (void)state;
    samples_dot("top/set/a/1.ppm", 1);
    samples_dot("top/set/b/1.ppm", 2);
    d = samples_open("top/", NULL);
    samples_are(d, "top/set/a/1.ppm=0:1 top/set/b/1.ppm=1:2");
    dataset_free(d);
    /* unless the model knows a class of that name */
    d = samples_open("top", &o);
    samples_are(d, "top/set/a/1.ppm=0:1 top/set/b/1.ppm=0:2");
    dataset_free(d);
}

static void folders_match_by_name(void **state)
{
    const char *const names[] = {"dog", "bird", "cat"};
    const char *const cats[] = {"cat", "dot"};
    const struct dataset_opts o = {.classes = names, .n_classes = 3};
    const struct dataset_opts wrong = {.classes = cats, .n_classes = 2};
    const struct dataset_opts any = {
        .classes = cats, .n_classes = 2, .unlabelled = 1};
    struct dataset *d;

    (void)state;
    samples_folders();
    d = samples_open("set", &o);
    samples_are(d, "set/cat/9.ppm=2:4 set/cat/deep/er/0.ppm=2:3 "
                   "set/dog/1.ppm=0:1 set/dog/2.ppm=0:2");
    samples_names(dataset_missing(d), "bird");
    dataset_free(d);
    samples_refused(
        "set", &wrong, ERR_INPUT,
        "class 'dog' is not among the 2 classes of the model; did you mean "
        "'dot'?");
    d = samples_open("set", &any);
    assert_int_equal(dataset_sample(d, 3).label, -1);
    dataset_free(d);
}

static void folder_faults(void **state)
{
    const struct dataset_opts flat = {.unlabelled = 1};
    struct dataset *d;

    (void)state;
    samples_refused("nothing", NULL, ERR_INPUT, "cannot open 'nothing'");
    mkdir("empty", 0777);
    samples_refused("empty", NULL, ERR_INPUT, "'empty' holds no class folders");
    mkdir("empty/cat", 0777);
    samples_refused("empty", NULL, ERR_INPUT, "'empty' holds no pictures");
    samples_dot("flat/1.ppm", 1);
    samples_refused("flat", NULL, ERR_INPUT, "'flat' holds no class folders");
    d = samples_open("flat", &flat);
    samples_are(d, "flat/1.ppm=-1:1");
    dataset_free(d);
    /* an empty class is a class without a sample */
    samples_dot("part/b/1.ppm", 1);
    mkdir("part/a", 0777);
    d = samples_open("part", NULL);
    samples_are(d, "part/b/1.ppm=1:1");
    samples_names(dataset_missing(d), "a");
    dataset_free(d);
    assert_int_equal(symlink(".", "part/b/loop"), 0);
    samples_refused("part", NULL, ERR_INPUT,
                    "nested deeper than 32: a loop of links?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(folders),
        SAMPLES_TEST(folders_below_a_top_one),
        SAMPLES_TEST(folders_match_by_name),
        SAMPLES_TEST(folder_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
