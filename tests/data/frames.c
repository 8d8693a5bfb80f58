/* frames.c -- tests of lib/data/frames.c: pictures as frames and back.
 * SPDX-License-Identifier: MIT  */
#include "data/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "data/dataset.h"

static char path[] = "/tmp/adze-stream-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static const char *const names[] = {"zebra", "ant"};
static const uint8_t pixels[3 * 2 * 1 * 3] = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
static const int64_t labels[] = {1, -1, 0};

/* Two frames: pictures 0 and 1, then 2, of 2 x 1 pixels.  */
static void write_stream(const int64_t *target, int named, int64_t epoch)
{
    struct frames_batch b = {.rgb = pixels,
                             .target = target,
                             .n = 2,
                             .h = 1,
                             .w = 2,
                             .names = named ? names : NULL,
                             .n_names = 2,
                             .preprocess = "{\"size\":[1,2]}"};
    struct frame_writer w;
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    frame_writer_init(&w, &o);
    assert_int_equal(frames_write(&w, &b, 0, &e), 0);
    b.rgb += 12;
    b.target += 2;
    b.n = 1;
    assert_int_equal(frames_write(&w, &b, epoch, &e), 0);
    assert_int_equal(frame_end(&w, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

static void refused(const char *text)
{
    struct err e = {0};

    assert_null(dataset_open(path, NULL, &e));
    if (!strstr(e.msg, text))
        fail_msg("%s", e.msg);
}

static void there_and_back(void **state)
{
    const struct codec_opts co = {0};
    const char *const model[] = {"ant", "bee", "zebra"};
    const struct dataset_opts o = {.classes = model, .n_classes = 3};
    struct err e = {0};
    struct dataset *d;
    struct image im;
    int n;

    (void)state;
    write_stream(labels, 1, 0);
    d = dataset_open(path, NULL, &e);
    assert_non_null(d);
    assert_int_equal(dataset_count(d), 3);
    assert_string_equal(dataset_classes(d, &n)[0], "zebra");
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(dataset_sample(d, i).label, labels[i]);
        assert_int_equal(dataset_image(d, i, &co, &im, &e), 0);
        assert_true(im.w == 2 && im.h == 1);
        assert_memory_equal(im.rgb, pixels + 6 * i, 6);
        image_release(&im);
    }
    assert_string_equal(dataset_sample(d, 2).name, "frame 1[0]");
    dataset_free(d);
    d = dataset_open(path, &o, &e); /* matched by name */
    assert_non_null(d);
    assert_int_equal(dataset_sample(d, 0).label, 0);
    assert_int_equal(dataset_sample(d, 2).label, 2);
    dataset_free(d);
}

static void first_frame_has_the_names(void **state)
{
    struct frame_reader r;
    struct err e = {0};
    struct in in;
    struct set s;

    (void)state;
    write_stream(labels, 1, 0);
    assert_int_equal(in_open(&in, path, &e), 0);
    frame_reader_init(&r, &in);
    assert_int_equal(frame_read(&r, &s, &e), 1);
    assert_string_equal(set_meta_get(&s, "names"), "[\"zebra\",\"ant\"]");
    assert_string_equal(set_meta_get(&s, "layout"), "NHWC");
    assert_string_equal(set_meta_get(&s, "preprocess"), "{\"size\":[1,2]}");
    set_release(&s);
    assert_int_equal(frame_read(&r, &s, &e), 1);
    assert_null(set_meta_get(&s, "names"));
    set_release(&s);
    assert_int_equal(frame_read(&r, &s, &e), 0);
    frame_reader_release(&r);
    in_close(&in);
}

static void faults(void **state)
{
    static const int64_t large[] = {1, 0, 2}, low[] = {1, -2, 0};
    struct err e = {0};
    struct dataset *d;
    struct bytes b;
    struct out o;

    (void)state;
    write_stream(large, 1, 0);
    refused("frame 1: label 2 is outside 0 to 1");
    write_stream(large, 0, 0); /* without names any index will do */
    d = dataset_open(path, NULL, &e);
    assert_int_equal(dataset_labels(d), 3);
    dataset_free(d);
    write_stream(low, 1, 0);
    refused("frame 0: label -2 is outside 0 to 1");
    write_stream(labels, 1, 1);
    refused("a stream of several epochs is no data set");
    write_stream(labels, 1, 0);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, b.data, b.n - 300, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    bytes_release(&b);
    refused("ends after");
}

#define DESCRIBED(type, shape) "\"dtype\":\"" type "\",\"shape\":[" shape "]"
#define PIXELS                 DESCRIBED("U8", "1,2,2,3")
#define LABEL                  DESCRIBED("I64", "1")

static const struct {
    const char *names, *image, *target, *words; /* of the refusal, or NULL */
} odd[] = {
    {"[\\\"a\\\"]", PIXELS, LABEL, NULL},
    {"[1]", PIXELS, LABEL, "'names' is not a list of texts: [1]"},
    {"x", PIXELS, LABEL, "'names' is not a list of texts: x"},
    {"[]", DESCRIBED("F32", "1,1,1,3"), LABEL, "'image' is f32 [1,1,1,3]"},
    {"[]", DESCRIBED("U8", "1,1,3,4"), LABEL, "'image' is u8 [1,1,3,4]"},
    {"[]", DESCRIBED("U8", "1,2,2,3"), DESCRIBED("F32", "1,2"),
     "'target' is f32 [1,2]; read here are i64 [N]"},
    {"[]", PIXELS, DESCRIBED("I64", "1,1"), "'target' is [1,1] of i64"},
};

/* A stream of one frame of one sample whose tensors have 12 and 8 bytes, told
 * apart by their descriptions.  */
static void odd_frame(struct str *s, size_t i)
{
    static const char end[] = "{\"__metadata__\":{\"adze.format\":\"1\","
                              "\"adze.kind\":\"end\",\"frames\":\"[1]\","
                              "\"samples\":\"[1]\"}}";
    struct str header = {0};

    str_printf(&header,
               "{\"__metadata__\":{\"adze.format\":\"1\","
               "\"adze.kind\":\"frame\",\"layout\":\"NHWC\","
               "\"epoch\":\"0\",\"names\":\"%s\"},"
               "\"image\":{%s,\"data_offsets\":[0,12]},"
               "\"target\":{%s,\"data_offsets\":[12,20]}}",
               odd[i].names, odd[i].image, odd[i].target);
    str_addc(s, (char)(header.len & 0xff));
    str_addc(s, (char)(header.len >> 8));
    str_addn(s, "\0\0\0\0\0", 6);
    str_addn(s, header.data, header.len);
    str_addn(s, "abcdefghijkl\0\0\0\0\0\0\0", 20);
    str_addc(s, (char)strlen(end));
    str_addn(s, "\0\0\0\0\0\0", 7);
    str_add(s, end);
    str_release(&header);
}

static void odd_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct str s = {0};
        struct err e = {0};
        struct out o;

        odd_frame(&s, i);
        assert_int_equal(out_open(&o, path, &e), 0);
        assert_int_equal(out_write(&o, s.data, s.len, &e), 0);
        assert_int_equal(out_commit(&o, &e), 0);
        if (odd[i].words)
            refused(odd[i].words);
        else
            dataset_free(dataset_open(path, NULL, &e));
        assert_int_equal(e.code, 0);
        str_release(&s);
    }
}

static void hostile(void **state)
{
    struct fuzz_seed seeds[2 + COUNT(odd)];
    struct str more[COUNT(odd)] = {{0}};
    struct err e = {0};
    struct bytes b;

    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        odd_frame(&more[i], i);
        seeds[2 + i] = (struct fuzz_seed){more[i].data, more[i].len};
    }
    write_stream(labels, 1, 0);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    seeds[0] = fuzz_without_hashes(b.data, b.n);
    seeds[1] = (struct fuzz_seed){b.data, b.n};
    assert_int_equal(fuzz_frames(seeds[0].p, b.n), 0);
    assert_int_equal(fuzz_cut(fuzz_frames, b.data, b.n), 0);
    fuzz_run(fuzz_frames, seeds, COUNT(seeds), fuzz_repair_documents, 10000, 1);
    for (size_t i = 0; i < COUNT(odd); i++)
        str_release(&more[i]);
    free((void *)(uintptr_t)seeds[0].p);
    bytes_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(first_frame_has_the_names),
        cmocka_unit_test(faults),
        cmocka_unit_test(odd_frames),
        cmocka_unit_test(hostile),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
