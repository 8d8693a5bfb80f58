/* dataset_tar.c -- tests of lib/data/dataset_tar.c: a tar of classes, or of
 * pictures and their labels; in a pipe, too (F-077).
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "../samples.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stream.h"
#include "data/form.h"

static void tar_of_folders(void **state)
{
    static const char *const plain[] = {
        "dog/7.ppm",     "cat/1.ppm", "./dog/0.ppm",  "README=text",
        "cat/.x.ppm",    ".git/x",    "/cat/b/2.ppm", "../cat/x",
        "cat/../up.ppm", NULL};
    static const char *const top[] = {"set/dog/1.ppm", "set/cat/2.ppm", NULL};
    static const char *const none[] = {"1.ppm", "2.ppm", NULL};
    const struct dataset_opts flat = {.unlabelled = 1};
    struct dataset *d;
    int n;

    (void)state;
    samples_tar("a.tar", plain);
    d = samples_open("a.tar", NULL);
    samples_are(d,
                "a.tar:dog/7.ppm=1:0 a.tar:cat/1.ppm=0:1 a.tar:dog/0.ppm=1:2 "
                "a.tar:cat/b/2.ppm=0:6");
    samples_names(dataset_classes(d, &n), "cat dog");
    dataset_free(d);
    samples_tar("b.tar", top);
    d = samples_open("b.tar", NULL);
    samples_are(d, "b.tar:set/dog/1.ppm=1:0 b.tar:set/cat/2.ppm=0:1");
    dataset_free(d);
    samples_tar("c.tar", none);
    samples_refused("c.tar", NULL, ERR_INPUT,
                    "'c.tar': holds no class folders");
    d = samples_open("c.tar", &flat);
    samples_are(d, "c.tar:1.ppm=-1:0 c.tar:2.ppm=-1:1");
    dataset_free(d);
}

static void tar_faults(void **state)
{
    static const char *const twice[] = {"a/1.ppm", "b/1.ppm", "a/1.ppm", NULL};
    static const char *const empty[] = {NULL};
    static const char *const broken[] = {"a/1.ppm=P6\n9 9\n255\nxx", NULL};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;

    (void)state;
    samples_tar("t.tar", twice);
    samples_refused("t.tar", NULL, ERR_FORMAT,
                    "two members are named 'a/1.ppm'");
    samples_tar("t.tar", empty);
    samples_refused("t.tar", NULL, ERR_INPUT, "'t.tar' holds no pictures");
    samples_text("t.tar", "\x1f\x8b rest");
    samples_refused("t.tar", NULL, ERR_UNSUPPORTED,
                    "'t.tar': gzip data, not a tar: unpack it first");
    samples_tar("t.tar", broken);
    d = samples_open("t.tar", NULL);
    assert_int_equal(dataset_image(d, 0, &co, &im, &e), -1);
    assert_non_null(strstr(e.msg, "'t.tar:a/1.ppm': "));
    dataset_free(d);
}

static void webdataset(void **state)
{
    static const char *const numbers[] = {
        "x/1.cls=3\n", "x/1.ppm", "x/2.ppm", "x/2.cls=0", "x/2.json={}", NULL};
    static const char *const words[] = {
        "1.a.ppm=", "2.ppm", "2.cls=dog\r\n", "3.ppm", "3.cls=cat", NULL};
    static const char *const bare[] = {"1.ppm", "2.ppm", "2.cls=1", NULL};
    static const char *const alone[] = {"1.ppm", "1.cls=1", "2.cls=1", NULL};
    static const char *const three[] = {"1.ppm", "1.PNG", "1.cls=1", NULL};
    static const char *const mixed[] = {"1.ppm", "1.cls=1", "2.ppm", "2.cls=x",
                                        NULL};
    static const char *const lines[] = {"1.ppm", "1.cls=a\nb", NULL};
    struct dataset *d;
    int n;

    (void)state;
    samples_tar("n.tar", numbers);
    d = samples_open("n.tar", NULL);
    samples_are(d, "n.tar:x/1.ppm=3:1 n.tar:x/2.ppm=0:2");
    dataset_classes(d, &n);
    assert_int_equal(n, 0);
    assert_int_equal(dataset_labels(d), 4);
    dataset_free(d);
    samples_tar("w.tar", words);
    d = samples_open("w.tar", NULL);
    samples_are(d, "w.tar:2.ppm=1:1 w.tar:3.ppm=0:3");
    samples_names(dataset_classes(d, &n), "cat dog");
    dataset_free(d);
    samples_tar("b.tar", bare);
    samples_refused("b.tar", NULL, ERR_FORMAT, "'1.ppm' has no label");
    samples_tar("b.tar", alone);
    samples_refused("b.tar", NULL, ERR_FORMAT,
                    "'2.cls' has no picture of its key");
    samples_tar("b.tar", three);
    samples_refused("b.tar", NULL, ERR_FORMAT, "'1.PNG' is a second picture");
    samples_tar("b.tar", mixed);
    samples_refused("b.tar", NULL, ERR_FORMAT,
                    "'2.cls': label 'x' is not a number");
    samples_tar("b.tar", lines);
    samples_refused("b.tar", NULL, ERR_FORMAT,
                    "'1.cls' is not one line of text");
}

/* ---- standard input ---- */

/* Standard input is a pipe that holds the N bytes at P.  */
static int feed(const void *p, size_t n)
{
    const int saved = dup(STDIN_FILENO);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], p, n), n);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    return saved;
}

static void unfeed(int saved)
{
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void f077_pipes(void **state)
{
    static const char *const names[] = {"a/1.ppm", "b/2.ppm", NULL};
    struct err e = {0};
    struct dataset *d;
    struct bytes b;
    int saved;

    (void)state;
    samples_tar("t.tar", names);
    assert_int_equal(bytes_read(&b, "t.tar", SIZE_MAX, &e), 0);
    saved = feed(b.data, b.n);
    d = samples_open("-", NULL);
    unfeed(saved);
    samples_are(d, "-:a/1.ppm=0:0 -:b/2.ppm=1:1");
    dataset_free(d);
    /* a writer that died is not an end */
    saved = feed(b.data, 512 + 5);
    samples_refused("-", NULL, ERR_FORMAT, "cut short?");
    unfeed(saved);
    saved = feed(b.data, 1024);
    samples_refused("-", NULL, ERR_FORMAT, "cut short?");
    unfeed(saved);
    bytes_release(&b);
}

/* ---- hostile ---- */

/* Folders and pairs, right ones and wrong ones.  */
static void hostile_tar_sets(void **state)
{
    static const char *const members[][8] = {
        {"dog/7.ppm", "cat/1.ppm", "./dog/0.ppm", "README=text", "cat/.x.ppm",
         "../cat/x"},
        {"set/dog/1.ppm", "set/cat/2.ppm", "set/a-long-hidden-folder/.x"},
        {"1.ppm", "2.ppm", "2.ppm"},
        {"x/1.cls=3\n", "x/1.ppm", "x/2.ppm", "x/2.cls=0", "x/2.json={}"},
        {"1.a.ppm=", "2.ppm", "2.cls=dog\r\n", "3.ppm", "3.cls=cat"},
        {"1.ppm", "1.PNG", "1.cls=1"},
        {"1.ppm", "1.cls=a\nb"},
        {"1.ppm", "2.cls=1"},
        {"1.ppm", "1.cls=1", "2.ppm"},
        {"1.ppm", "1.cls=1", "2.ppm", "2.cls=x"},
    };
    struct fuzz_seed seeds[COUNT(members)];
    struct bytes b[COUNT(members)];
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        samples_tar("t.tar", members[i]);
        assert_int_equal(bytes_read(&b[i], "t.tar", SIZE_MAX, &e), 0);
        remove("t.tar");
        seeds[i] = (struct fuzz_seed){b[i].data, b[i].n};
    }
    fuzz_run(fuzz_tar_set, seeds, COUNT(seeds), fuzz_repair_tar, 10000, 1);
    for (size_t i = 0; i < COUNT(members); i++)
        bytes_release(&b[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(tar_of_folders),   SAMPLES_TEST(tar_faults),
        SAMPLES_TEST(webdataset),       SAMPLES_TEST(f077_pipes),
        SAMPLES_TEST(hostile_tar_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
