/* cifar.c -- tests of lib/data/cifar.c: the binary files of CIFAR.
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
#include "base/err.h"
#include "base/mem.h"
#include "data/form.h"

static void put_cifar(const char *path, int labels, int n)
{
    const size_t stride = (size_t)labels + 3072;
    unsigned char *p = xcalloc((size_t)n, stride);

    for (int i = 0; i < n; i++) {
        unsigned char *r = p + (size_t)i * stride;

        r[labels - 1] = (unsigned char)(9 - i);
        memset(r + labels, 100 + i, 1024);
        r[labels + 1024] = 5;
    }
    samples_put(path, p, stride * (size_t)n);
    free(p);
}

static void cifar(void **state)
{
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;
    char *train, *test;
    int n;

    (void)state;
    put_cifar("c/data_batch_1.bin", 1, 2);
    put_cifar("c/data_batch_2.bin", 1, 1);
    put_cifar("c/test_batch.bin", 1, 3);
    samples_text("c/batches.meta.txt", "z\ny\nx\nw\nv\nu\nt\ns\nr\nq\n\n");
    d = samples_open("c", NULL);
    samples_are(d, "data_batch_1[0]=9:100 data_batch_1[1]=8:101 "
                   "data_batch_2[0]=9:100");
    samples_names(dataset_classes(d, &n), "z y x w v u t s r q");
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), 0);
    assert_true(im.w == 32 && im.h == 32);
    assert_memory_equal(im.rgb, "\x65\x05\x00\x65\x00\x00", 6);
    image_release(&im);
    dataset_free(d);
    assert_int_equal(dataset_split_dir("c", &train, &test), 1);
    assert_string_equal(train, "c/data_batch_1.bin+c/data_batch_2.bin");
    assert_string_equal(test, "c/test_batch.bin");
    free(train);
    free(test);
    put_cifar("h/train.bin", 2, 2); /* CIFAR-100: the fine label */
    d = samples_open("h/train.bin", NULL);
    samples_are(d, "train[0]=9:100 train[1]=8:101");
    dataset_free(d);
}

/* ---- hostile ---- */

static const char cifar_names[] = "a\nb\n\nc\nd\ne\nf\ng\nh\ni\nj\n\x16";

/* Whole records of the first layout, names behind.  */
static void fit_batch(uint8_t **p, size_t *n)
{
    enum { NAMES = sizeof cifar_names - 1 };
    const size_t records = *n > 2 * 3073 ? 2 : 1, want = records * 3073 + NAMES;

    *p = xrealloc(*p, want, 1);
    if (want > *n)
        memset(*p + *n, 0, want - *n);
    *n = want;
    for (size_t i = 0; i < records; i++)
        (*p)[i * 3073] %= 10;
    (*p)[*n - 1] = NAMES;
}

static void hostile_cifar(void **state)
{
    enum { NAMES = sizeof cifar_names - 1 };
    unsigned char *p = xcalloc(11000, 1);
    const struct fuzz_seed seeds[] = {
        {p, 3073 + NAMES}, {p + 1, 3073}, {p + 1, 3074}, {p + 4000, 2 * 3074}};

    (void)state;
    memcpy(p + 3073, cifar_names, NAMES);
    assert_int_equal(fuzz_cifar(p, 3073 + NAMES), 0);
    fuzz_run(fuzz_cifar, seeds, COUNT(seeds), fit_batch, 10000, 1);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(cifar),
        cmocka_unit_test(hostile_cifar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
