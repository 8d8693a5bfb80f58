/* idx.c -- tests of lib/data/idx.c: IDX files, of pictures and of labels.
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

static const unsigned char idx_images[] = {
    0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 60};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};

static void idx(void **state)
{
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;
    char *train, *test;

    (void)state;
    samples_put("m/train-images-idx3-ubyte", idx_images, sizeof idx_images);
    samples_put("m/train-labels-idx1-ubyte", idx_labels, sizeof idx_labels);
    d = samples_open("m/train-images-idx3-ubyte", NULL);
    samples_are(d, "train-images[0]=7:10 train-images[1]=9:40");
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), 0);
    assert_true(im.w == 3 && im.h == 1);
    assert_memory_equal(im.rgb, "\x28\x28\x28\x32\x32\x32\x3c\x3c\x3c", 9);
    image_release(&im);
    dataset_free(d);
    samples_put("m/t10k-images-idx3-ubyte", idx_images, sizeof idx_images);
    samples_put("m/t10k-labels-idx1-ubyte", idx_labels, sizeof idx_labels);
    assert_int_equal(dataset_split_dir("m", &train, &test), 1);
    assert_string_equal(train, "m/train-images-idx3-ubyte");
    assert_string_equal(test, "m/t10k-images-idx3-ubyte");
    free(train);
    free(test);
    d = samples_open("m", NULL);
    assert_int_equal(dataset_count(d), 2);
    dataset_free(d);
}

static void idx_faults(void **state)
{
    const struct dataset_opts any = {.unlabelled = 1};
    struct dataset *d;
    unsigned char b[sizeof idx_images];

    (void)state;
    samples_put("x-images", idx_images, sizeof idx_images);
    d = samples_open("x-images", &any);
    samples_are(d, "x-images[0]=-1:10 x-images[1]=-1:40");
    dataset_free(d);
    samples_refused("x-images", NULL, ERR_INPUT, "cannot open 'x-labels'");
    samples_put("x-labels", idx_labels, sizeof idx_labels - 1);
    samples_refused("x-images", NULL, ERR_FORMAT,
                    "'x-labels': 1 bytes of data where");
    samples_refused("x-labels", NULL, ERR_FORMAT,
                    "IDX of rank 1 where pictures");
    samples_put("y-images", idx_images, sizeof idx_images - 1);
    samples_refused("y-images", NULL, ERR_FORMAT,
                    "'y-images': 5 bytes of data where");
    samples_put("pixels", idx_images, sizeof idx_images);
    samples_refused("pixels", NULL, ERR_INPUT,
                    "cannot tell where its labels are");
    memcpy(b, idx_images, sizeof b);
    b[2] = 13;
    samples_put("y-images", b, sizeof b);
    samples_refused("y-images", NULL, ERR_UNSUPPORTED, "elements of type 0x0d");
    memcpy(b, idx_images, sizeof b);
    b[8] = 1;
    samples_put("y-images", b, sizeof b);
    samples_refused("y-images", NULL, ERR_FORMAT, "side of 16777217 pixels");
}

/* ---- hostile ---- */

/* The last byte tells where the labels begin: 10 bytes before the end.  */
static void put_length(uint8_t **p, size_t *n)
{
    if (*n > 32)
        (*p)[*n - 1] = 11;
}

static void hostile_idx(void **state)
{
    unsigned char both[sizeof idx_images + sizeof idx_labels + 1];
    static const unsigned char one[] = {0, 0, 8, 1, 0, 0, 0, 1, 7, 10};
    unsigned char odd[sizeof idx_images + sizeof one]; /* two pictures */
    const struct fuzz_seed seeds[] = {{both, sizeof both}, {odd, sizeof odd}};

    (void)state;
    memcpy(both, idx_images, sizeof idx_images);
    memcpy(both + sizeof idx_images, idx_labels, sizeof idx_labels);
    both[sizeof both - 1] = 11;
    fuzz_cut(fuzz_idx, both, sizeof both);
    fuzz_flip(fuzz_idx, both, sizeof both);
    memcpy(odd, idx_images, sizeof idx_images);
    memcpy(odd + sizeof idx_images, one, sizeof one);
    fuzz_run(fuzz_idx, seeds, COUNT(seeds), put_length, 10000, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLES_TEST(idx),
        SAMPLES_TEST(idx_faults),
        cmocka_unit_test(hostile_idx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
