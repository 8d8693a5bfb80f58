/* frame.c -- tests of lib/tensor/frame.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fuzz.h"
#include "base/err.h"
#include "base/str.h"
#include "tensor/frame.h"
#include "tensor/safetensors.h"

static char path[] = "/tmp/adze-frame-XXXXXX";

static void put(struct set *s, const char *name, enum dtype dt, int rank,
                const int64_t *dim)
{
    const struct shape shape = shape_make(rank, dim);
    struct err e = {0};
    struct tensor t;

    assert_int_equal(tensor_new(&t, dt, &shape, &e), 0);
    assert_int_equal(set_put(s, name, &t), 0);
    tensor_unref(&t);
}

static void one_frame(struct frame_writer *w, int64_t epoch, int64_t n)
{
    struct err e = {0};
    struct set s;

    set_init(&s);
    set_meta_put(&s, "layout", "NHWC");
    put(&s, "image", DTYPE_U8, 4, (int64_t[]){n, 2, 2, 3});
    put(&s, "target", DTYPE_I64, 1, &n);
    assert_int_equal(frame_write(w, &s, epoch, n, &e), 0);
    set_release(&s);
}

/* A stream of epochs 0 (2 + 1 samples) and 2 (3 samples).  */
static void write_stream(int end)
{
    struct frame_writer w;
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    frame_writer_init(&w, &o);
    one_frame(&w, 0, 2);
    one_frame(&w, 0, 1);
    one_frame(&w, 2, 3);
    if (end) {
        assert_int_equal(frame_end(&w, &e), 0);
        assert_int_equal(out_commit(&o, &e), 0);
        return;
    }
    /* the writer dies */
    assert_int_equal(out_commit(&o, &e), 0);
    assert_int_equal(out_open(&o, "/dev/null", &e), 0);
    w.out = &o;
    assert_int_equal(frame_end(&w, &e), 0);
    out_abort(&o);
}

static int read_all(struct frame_reader *r, int64_t *samples, struct err *e)
{
    struct set s;
    int got;

    *samples = 0;
    while ((got = frame_read(r, &s, e)) > 0) {
        *samples += set_get(&s, "image")->shape.dim[0];
        set_release(&s);
    }
    return got;
}

static int read_bytes(const void *p, size_t n, int64_t *samples, struct err *e)
{
    struct frame_reader r;
    struct in in;
    int got;

    in_memory(&in, p, n);
    frame_reader_init(&r, &in);
    got = read_all(&r, samples, e);
    frame_reader_release(&r);
    in_close(&in);
    return got;
}

static void load(struct bytes *b, int end)
{
    struct err e = {0};

    write_stream(end);
    assert_int_equal(bytes_read(b, path, SIZE_MAX, &e), 0);
    unlink(path);
}

static void test_round_trip(void **state)
{
    struct err e = {0};
    struct str twice = {0};
    struct bytes b;
    int64_t n;

    (void)state;
    load(&b, 1);
    assert_int_equal(read_bytes(b.data, b.n, &n, &e), 0);
    assert_int_equal(n, 6);
    str_addn(&twice, (const char *)b.data, b.n);
    str_addn(&twice, (const char *)b.data, b.n);
    assert_int_equal(read_bytes(twice.data, twice.len, &n, &e), 0);
    assert_int_equal(n, 12);
    str_release(&twice);
    bytes_release(&b);
}

static void test_first(void **state)
{
    struct frame_reader r;
    struct err e = {0};
    struct bytes b;
    struct set s;
    struct in in;

    (void)state;
    load(&b, 1);
    in_memory(&in, b.data, b.n);
    frame_reader_init(&r, &in);
    assert_int_equal(frame_read(&r, &s, &e), 1);
    assert_string_equal(s.meta[0].key, "adze.format");
    assert_string_equal(s.meta[1].value, "frame");
    assert_string_equal(s.meta[2].key, "layout");
    assert_string_equal(s.meta[3].value, "0");
    set_release(&s);
    frame_reader_release(&r);
    bytes_release(&b);
}

static void test_no_end(void **state)
{
    struct err e = {0};
    struct bytes b;
    int64_t n;

    (void)state;
    load(&b, 0);
    assert_int_equal(read_bytes(b.data, b.n, &n, &e), -1);
    assert_int_equal(n, 6);
    assert_non_null(strstr(e.msg, "without an end frame"));
    e = (struct err){0};
    assert_int_equal(read_bytes(b.data, 0, &n, &e), -1);
    bytes_release(&b);
}

/* Drop the first frame: the counts of the end frame tell.  */
static void test_lost_frame(void **state)
{
    struct err e = {0};
    struct bytes b;
    struct set s;
    struct in in;
    int64_t n;

    (void)state;
    load(&b, 1);
    in_memory(&in, b.data, b.n);
    {
        struct frame_reader r;

        frame_reader_init(&r, &in);
        assert_int_equal(frame_read(&r, &s, &e), 1);
        set_release(&s);
        frame_reader_release(&r);
    }
    assert_int_equal(
        read_bytes(b.data + in.offset, b.n - (size_t)in.offset, &n, &e), -1);
    assert_non_null(strstr(e.msg, "frames [2,1], but the stream had [1,1]"));
    bytes_release(&b);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *key, *value; /* metadata, changed */
        enum dtype image;
        int image_rank;
        int64_t targets;
        const char *say;
    } row[] = {
        {"adze.kind", "model", DTYPE_U8, 4, 2, "a 'model' where"},
        {"adze.format", "2", DTYPE_U8, 4, 2, "format 2"},
        {"adze.format", "x", DTYPE_U8, 4, 2, "not a number"},
        {"layout", "CHWN", DTYPE_U8, 4, 2, "'CHWN'"},
        {"epoch", "-1", DTYPE_U8, 4, 2, "'epoch'"},
        {"note", "", DTYPE_I8, 4, 2, "'image' is"},
        {"note", "", DTYPE_U8, 3, 2, "'image' is"},
        {"note", "", DTYPE_U8, 4, 3, "2 images, but 3 targets"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct err e = {0};
        struct bytes b;
        struct out o;
        struct set s;
        int64_t n;

        set_init(&s);
        set_meta_put(&s, "adze.format", "1");
        set_meta_put(&s, "adze.kind", "frame");
        set_meta_put(&s, "layout", "NCHW");
        set_meta_put(&s, "epoch", "0");
        set_meta_put(&s, row[i].key, row[i].value);
        put(&s, "image", row[i].image, row[i].image_rank,
            (int64_t[]){2, 3, 2, 2});
        put(&s, "target", DTYPE_I64, 1, &row[i].targets);
        assert_int_equal(out_open(&o, path, &e), 0);
        assert_int_equal(safetensors_write(&s, &o, 1, &e), 0);
        assert_int_equal(out_commit(&o, &e), 0);
        set_release(&s);
        assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
        unlink(path);
        assert_int_equal(read_bytes(b.data, b.n, &n, &e), -1);
        if (!strstr(e.msg, row[i].say))
            fail_msg("%s: %s", row[i].say, e.msg);
        bytes_release(&b);
    }
}

/* Soft targets, pixels as f32, sizes that change, no target at all.  */
static void test_shapes(void **state)
{
    struct frame_writer w;
    struct err e = {0};
    struct bytes b;
    struct out o;
    int64_t n;

    (void)state;
    assert_int_equal(out_open(&o, path, &e), 0);
    frame_writer_init(&w, &o);
    for (int i = 1; i < 4; i++) {
        struct set s;

        set_init(&s);
        set_meta_put(&s, "names", "[\"a\"]");
        set_meta_put(&s, "layout", "NCHW");
        put(&s, "image", DTYPE_F32, 4, (int64_t[]){2, 3, i, 5 * i});
        if (i > 1)
            put(&s, "target", DTYPE_F32, 2, (int64_t[]){2, 10});
        assert_int_equal(frame_write(&w, &s, 0, 2, &e), 0);
        assert_string_equal(s.meta[2].key, "layout");
        set_release(&s);
    }
    assert_int_equal(frame_end(&w, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    assert_int_equal(read_bytes(b.data, b.n, &n, &e), 0);
    assert_int_equal(n, 6);
    bytes_release(&b);
    unlink(path);
}

static void test_no_image(void **state)
{
    struct frame_writer w;
    struct err e = {0};
    struct set s;
    struct out o;

    (void)state;
    assert_int_equal(out_open(&o, "/dev/null", &e), 0);
    frame_writer_init(&w, &o);
    set_init(&s);
    set_meta_put(&s, "layout", "NCHW");
    assert_int_equal(frame_write(&w, &s, 0, 0, &e), -1);
    assert_string_equal(e.msg, "frame has no tensor 'image'");
    set_release(&s);
    e = (struct err){0};
    assert_int_equal(frame_end(&w, &e), 0);
    out_abort(&o);
}

/* The frames of two streams mixed: epoch 2, then epoch 0.  */
static void test_falling_epoch(void **state)
{
    struct str mixed = {0};
    struct err e = {0};
    int64_t n, at[4] = {0};
    struct bytes b;
    struct set s;
    struct in in;

    (void)state;
    load(&b, 1);
    in_memory(&in, b.data, b.n);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(safetensors_read_next(&s, &in, &e), 1);
        set_release(&s);
        at[i] = in.offset;
    }
    str_addn(&mixed, (const char *)b.data + at[2], (size_t)(at[3] - at[2]));
    str_addn(&mixed, (const char *)b.data, (size_t)at[1]);
    assert_int_equal(read_bytes(mixed.data, mixed.len, &n, &e), -1);
    assert_non_null(strstr(e.msg, "frame of epoch 0 behind epoch 2"));
    /* a plain file is no frame */
    e = (struct err){0};
    assert_int_equal(read_bytes("\2\0\0\0\0\0\0\0{}", 10, &n, &e), -1);
    assert_non_null(strstr(e.msg, "no 'adze.format'"));
    str_release(&mixed);
    bytes_release(&b);
}

static void test_fuzz(void **state)
{
    (void)state;
    write_stream(1);
    fuzz_document(fuzz_frame, path, 10000);
    unlink(path);
}

static int make_path(void **state)
{
    const int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd) < 0 || unlink(path) < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_first),
        cmocka_unit_test(test_no_end),     cmocka_unit_test(test_lost_frame),
        cmocka_unit_test(test_refuses),    cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_no_image),   cmocka_unit_test(test_falling_epoch),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, make_path, NULL);
}
