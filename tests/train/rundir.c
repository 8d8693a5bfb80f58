/* rundir.c -- tests of train/rundir.h.
 * SPDX-License-Identifier: MIT  */
#include "train/rundir.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "train/loop.h"

static void put(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fclose(f);
}

static int has(const struct rundir *d, const char *name)
{
    char *path = rundir_path(d, name);
    const int there = access(path, F_OK) == 0;

    free(path);
    return there;
}

static void file_is(const char *path, const char *want)
{
    struct err e = {0};
    struct bytes b;

    assert_int_equal(bytes_read(&b, path, 10000, &e), 0);
    assert_int_equal(b.n, strlen(want));
    assert_memory_equal(b.data, want, b.n);
    bytes_release(&b);
}

static void test_open(void **state)
{
    struct err e = {0};
    struct rundir d, second;
    char pid[64];

    (void)state;
    assert_int_equal(rundir_open(&d, "a/b//c", 0, &e), 0);
    assert_int_equal(access("a/b/c/lock", F_OK), 0);
    assert_int_equal(rundir_open(&second, "a/b/c", 0, &e), -1);
    snprintf(pid, sizeof pid, "in use by process %ld", (long)getpid());
    assert_int_equal(e.code, ERR_OUTPUT);
    assert_non_null(strstr(e.msg, pid));
    e = (struct err){0};
    assert_int_equal(rundir_idle("a/b/c", &e), -1);
    assert_non_null(strstr(e.msg, pid));
    rundir_close(&d);
    e = (struct err){0};
    assert_int_equal(rundir_idle("a/b/c", &e), 0);
    assert_int_equal(rundir_idle("a/none", &e), 0);
    assert_false(access("a/none", F_OK) == 0);
    rundir_close(&d);
    e = (struct err){0};
    assert_int_equal(rundir_open(&second, "a/b/c", 0, &e), 0);
    rundir_close(&second);
    toy_remove("a/b/c");
    toy_remove("a/b");
    toy_remove("a");
}

static void refused(const char *path, size_t need, const char *words)
{
    struct err e = {0};
    struct rundir d;

    assert_int_equal(rundir_open(&d, path, need, &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    if (!strstr(e.msg, words))
        fail_msg("'%s' has no '%s'", e.msg, words);
}

static void test_refusals(void **state)
{
    (void)state;
    put("file");
    refused("file", 0, "'file' is no folder");
    refused("file/x", 0, "cannot make folder 'file/x': Not a directory");
    refused("full", SIZE_MAX, "bytes for checkpoints");
    unlink("file");
    toy_remove("full");
}

/* What a killed run left goes away, but not under a run that is alive.  */
static void test_temporary(void **state)
{
    struct err e = {0};
    struct rundir d, second;

    (void)state;
    assert_int_equal(rundir_open(&d, "run", 0, &e), 0);
    put("run/.adze-12-0.tmp");
    put("run/kept.tmp");
    assert_int_equal(rundir_open(&second, "run", 0, &e), -1);
    assert_int_equal(has(&d, ".adze-12-0.tmp"), 1);
    rundir_close(&d);
    e = (struct err){0};
    assert_int_equal(rundir_open(&d, "run", 0, &e), 0);
    assert_int_equal(has(&d, ".adze-12-0.tmp"), 0);
    assert_int_equal(has(&d, "kept.tmp"), 1);
    rundir_close(&d);
    toy_remove("run");
}

/* The oldest by number, not by letters.  */
static void test_rotate(void **state)
{
    static const int epochs[] = {8, 9, 10, 999999, 1000000};
    struct err e = {0};
    struct rundir d;
    char name[64];

    (void)state;
    assert_int_equal(rundir_open(&d, "run", 0, &e), 0);
    for (size_t i = 0; i < COUNT(epochs); i++) {
        snprintf(name, sizeof name, "run/epoch-%06d.st", epochs[i]);
        put(name);
    }
    put("run/last.st");
    rundir_rotate(&d, 7);
    assert_int_equal(has(&d, "epoch-000008.st"), 1);
    rundir_rotate(&d, 2);
    assert_int_equal(has(&d, "epoch-000010.st"), 0);
    assert_int_equal(has(&d, "epoch-999999.st"), 1);
    rundir_rotate(&d, 1);
    assert_int_equal(has(&d, "epoch-999999.st"), 0);
    assert_int_equal(has(&d, "epoch-1000000.st"), 1);
    assert_int_equal(has(&d, "last.st"), 1);
    rundir_close(&d);
    toy_remove("run");
}

static void test_write(void **state)
{
    const struct train_row row[] = {{.epoch = 1,
                                     .step = 10,
                                     .lr = 0.1,
                                     .loss = 2.5,
                                     .top1 = 1 / 3.0,
                                     .valid_loss = NAN,
                                     .valid_top1 = NAN,
                                     .valid_top5 = NAN,
                                     .loss_scale = 65536,
                                     .overflows = 3},
                                    {.epoch = 2,
                                     .step = 20,
                                     .lr = 1e-5,
                                     .loss = INFINITY,
                                     .top1 = -0.0,
                                     .valid_loss = 5e-324,
                                     .valid_top1 = 0.5,
                                     .valid_top5 = 1,
                                     .loss_scale = 1}};
    struct err e = {0};
    struct rundir d;

    (void)state;
    assert_int_equal(rundir_open(&d, "run", 0, &e), 0);
    assert_int_equal(rundir_metrics(&d, row, 2, &e), 0);
    file_is("run/metrics.csv",
            "epoch,step,lr,loss,top1,valid_loss,valid_top1,valid_top5,"
            "loss_scale,overflows\n"
            "1,10,0.1,2.5,0.3333333333333333,,,,65536,3\n"
            "2,20,1e-05,,-0,5e-324,0.5,1,1,0\n");
    file_is("run/metrics.jsonl",
            "{\"epoch\": 1, \"step\": 10, \"lr\": 0.1, \"loss\": 2.5, "
            "\"top1\": 0.3333333333333333, \"valid_loss\": null, "
            "\"valid_top1\": null, \"valid_top5\": null, "
            "\"loss_scale\": 65536, \"overflows\": 3}\n"
            "{\"epoch\": 2, \"step\": 20, \"lr\": 1e-05, \"loss\": null, "
            "\"top1\": -0, \"valid_loss\": 5e-324, \"valid_top1\": 0.5, "
            "\"valid_top5\": 1, \"loss_scale\": 1, \"overflows\": 0}\n");
    assert_int_equal(rundir_metrics(&d, row, 0, &e), 0);
    file_is("run/metrics.jsonl", "");
    assert_int_equal(rundir_write(&d, "x/y", "z", &e), -1);
    assert_int_equal(e.code, ERR_OUTPUT);
    rundir_close(&d);
    toy_remove("run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_temporary), cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
