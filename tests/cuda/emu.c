/* emu.c -- the emulator of CUDA computes what a GPU does, and finds faults.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "emu.h"
#include "emu_kernels.h"
#include "tensor/dtype.h"

/* cudaError_t, which is C++'s */
enum { OUT_OF_MEMORY = 2, BAD_CONFIGURATION = 9, NO_DEVICE = 100, CAPTURE_INVALIDATED = 901 };

/* Small whole numbers, so that sums are exact in any order. */
static float *whole_numbers(int n)
{
    float *x = malloc(n * sizeof *x);

    for (int i = 0; i < n; i++)
        x[i] = (float)(i * 37 % 101 - 50);
    return x;
}

static void test_sum(void **state)
{
    const int sizes[] = {1, 31, 32, 33, 1000, 4097};

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        float *x = whole_numbers(sizes[k]), expected = 0, y;
        for (int i = 0; i < sizes[k]; i++)
            expected += x[i];
        for (int threads = 32; threads <= 1024; threads += 31 * 32) {
            emu_seed((uint64_t)threads);
            assert_int_equal(emu_sum(x, sizes[k], threads, &y), 0);
            assert_float_equal(y, expected, 0);
        }
        free(x);
    }
    assert_int_equal(emu_sum(&(float){1}, 1, 2048, &(float){0}), BAD_CONFIGURATION);
    assert_int_equal(emu_used(), 0);
}

static void transposes(int h, int w)
{
    uint32_t *x = malloc(sizeof *x * h * w), *y = malloc(sizeof *y * h * w);
    uint16_t *x2 = (uint16_t *)x, *y2 = (uint16_t *)y;

    for (int i = 0; i < h * w; i++)
        x[i] = (uint32_t)i;
    assert_int_equal(emu_transpose(x, h, w, 1, y), 0);
    for (int i = 0; i < h * w; i++)
        assert_int_equal(y[i % w * h + i / w], i);
    for (int i = 0; i < h * w; i++)
        x2[i] = (uint16_t)i;
    assert_int_equal(emu_transpose(x, h, w, 0, y), 0);
    for (int i = 0; i < h * w; i++)
        assert_int_equal(y2[i % w * h + i / w], (uint16_t)i);
    free(x);
    free(y);
}

static void test_transpose(void **state)
{
    (void)state;
    transposes(1, 1);
    transposes(32, 64);
    transposes(33, 31);
    transposes(70, 100);
}

enum { TILES = 64 };

static float value(uint16_t bits, int half)
{
    return half ? f16_to_f32(bits) : bf16_to_f32(bits);
}

/* A unit for each of the two additions that round, of what they add up. */
static void check_tile(const uint16_t *a, const uint16_t *b, const float *c, const float *d,
                       int half)
{
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            double sum = c[i * 8 + j], size = fabs(sum);
            for (int k = 0; k < 16; k++) {
                double p = (double)value(a[i * 16 + k], half) * value(b[k * 8 + j], half);
                sum += p;
                size += fabs(p);
            }
            assert_true(fabs(d[i * 8 + j] - sum) <= 2 * size * 0x1p-23);
        }
}

static void test_mma(void **state)
{
    static uint16_t a[TILES * 256], b[TILES * 128];
    static float c[TILES * 128], d[TILES * 128];
    const struct rng r = rng_at(1, RNG_TEST, 0, 0);
    uint64_t drawn = 0;

    (void)state;
    for (int half = 0; half < 2; half++) {
        uint16_t (*narrow)(float) = half ? f32_to_f16 : f32_to_bf16;
        for (int i = 0; i < TILES * 256; i++)
            a[i] = narrow((float)rng_normal(&r, drawn++));
        for (int i = 0; i < TILES * 128; i++) {
            b[i] = narrow((float)rng_normal(&r, drawn++));
            c[i] = d[i] = (float)rng_normal(&r, drawn++);
        }
        assert_int_equal(emu_mma(a, b, d, TILES, half), 0);
        for (int t = 0; t < TILES; t++)
            check_tile(&a[t * 256], &b[t * 128], &c[t * 128], &d[t * 128], half);
    }
}

/* Row I of A times row J of B.  */
static int product8(const uint8_t *a, int i, const int8_t *b, int j)
{
    int sum = 0;

    for (int k = 0; k < 32; k++)
        sum += a[i * 32 + k] * b[j * 32 + k];
    return sum;
}

static void test_mma8(void **state)
{
    static uint8_t a[TILES * 512];
    static int8_t b[TILES * 256];
    static int c[TILES * 128], d[TILES * 128], dots[TILES * 32];
    const struct rng r = rng_at(2, RNG_TEST, 0, 0);
    uint64_t drawn = 0;

    (void)state;
    for (int i = 0; i < TILES * 512; i++)
        a[i] = (uint8_t)rng_below(&r, drawn++, 256);
    for (int i = 0; i < TILES * 256; i++)
        b[i] = (int8_t)((int)rng_below(&r, drawn++, 256) - 128);
    for (int i = 0; i < TILES * 128; i++)
        c[i] = d[i] = (int)rng_below(&r, drawn++, 1 << 20) - (1 << 19);
    assert_int_equal(emu_mma8(a, b, d, dots, TILES), 0);
    for (int t = 0; t < TILES; t++) {
        for (int i = 0; i < 128; i++)
            assert_int_equal(d[t * 128 + i],
                             c[t * 128 + i] + product8(&a[t * 512], i / 8, &b[t * 256], i % 8));
        for (int i = 0; i < 32; i++)
            assert_int_equal(dots[t * 32 + i], product8(&a[t * 512], i % 16, &b[t * 256], i % 8));
    }
}

/* Sums of columns of 256; whether they are right. */
static int pipeline_is_right(int n, int wait)
{
    float *x = whole_numbers(n), y[256], expected[256] = {0};
    int right = 1;

    for (int i = 0; i < n; i++)
        expected[i % 256] += x[i];
    assert_int_equal(emu_pipeline(x, n, wait, y), 0);
    for (int i = 0; i < 256; i++)
        right = right && y[i] == expected[i];
    free(x);
    return right;
}

static void test_pipeline(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        emu_seed(seed);
        assert_true(pipeline_is_right(256 * 7, 1));
        assert_true(pipeline_is_right(256 * 7 - 20, 1));
        assert_true(pipeline_is_right(4, 1));
        assert_false(pipeline_is_right(256 * 7, 0));
    }
}

static void test_votes(void **state)
{
    int v[64];
    unsigned y[7] = {0}, set = 0, many = 0;

    (void)state;
    for (int i = 0; i < 64; i++) {
        v[i] = i % 3 == 0;
        many += (unsigned)v[i];
        set |= i < 32 && v[i] ? 1u << i : 0;
    }
    assert_int_equal(emu_votes(v, 64, y), 0);
    assert_int_equal(y[0], set);
    assert_int_equal(y[1], 1);
    assert_int_equal(y[2], 0);
    assert_int_equal(y[3], many);
    assert_int_equal(y[4], 11);
    assert_int_equal(y[5], 1);
    assert_in_range(y[6], 2, 3);
}

/* ---- faults, each in a process of its own ---- */
static void read_all(int fd, char *text, size_t n)
{
    size_t at = 0;
    ssize_t got;

    while (at < n - 1 && (got = read(fd, text + at, n - 1 - at)) > 0)
        at += (size_t)got;
    text[at] = 0;
}

/* Runs emu_wrong(WHAT); TEXT is what it said. */
static int run_wrong(int what, char *text, size_t n)
{
    int fd[2], status, y[64];
    pid_t child;

    assert_int_equal(pipe(fd), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        dup2(fd[1], 2);
        close(fd[1]);
        _exit(emu_wrong(what, y) != 0);
    }
    close(fd[1]);
    read_all(fd[0], text, n);
    close(fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void finds(int what, const char *const *words)
{
    char text[4096];
    int status = run_wrong(what, text, sizeof text);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fail_msg("fault %d: status %x: %s", what, (unsigned)status, text);
    for (; *words; words++)
        if (!strstr(text, *words))
            fail_msg("fault %d: no '%s' in: %s", what, *words, text);
    assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text)); /* one line */
}

static void test_faults(void **state)
{
    static const struct {
        int what;
        const char *words[5];
    } faults[] = {
        {WRONG_LEFT,
         {"wrong(int, int*, int*)", "launched at emu_kernels.cu:", "not all come to the barrier",
          "thread (5,0,0) has ended"}},
        {WRONG_BARRIERS,
         {"emu: emu_kernels.cu:", "threads come to different barriers", "waits at"}},
        {WRONG_WARP_LEFT, {"a lane of its mask does not come", "thread (7,0,0) has ended"}},
        {WRONG_MASK, {"lanes disagree on the mask"}},
        {WRONG_LINES, {"lanes disagree on the operation", "waits at emu_kernels.cu:"}},
        {WRONG_OWN, {"mask 0000ffff is without the lane itself, "}},
        {WRONG_SOURCE, {"reads lane 20, which is not in mask 0000ffff"}},
        {WRONG_LANES, {"few_lanes", "mask ffffffff names lanes that the block does not have"}},
        {WRONG_CROSS, {"a lane of its mask does not come", "waits at emu_kernels.cu:"}},
        {WRONG_ALIGN, {"is not aligned to 16 bytes"}},
        {WRONG_PLACE, {"is not in shared memory"}},
        {WRONG_HOST, {"argument 2 of the kernel is not device memory", "emu_wrong"}},
    };

    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            emu_seed(seed);
            finds(faults[i].what, faults[i].words);
        }
}

#ifdef __SANITIZE_ADDRESS__
static void test_bounds(void **state)
{
    char text[4096];

    (void)state;
    assert_int_not_equal(run_wrong(WRONG_BOUNDS, text, sizeof text), 0);
    assert_non_null(strstr(text, "AddressSanitizer"));
}
#endif

/* Other seeds, other bits: in so many of 8. */
static int changes(int what)
{
    int first[64], y[64], n = 0;

    emu_seed(0);
    assert_int_equal(emu_wrong(what, first), 0);
    for (uint64_t seed = 1; seed < 8; seed++) {
        emu_seed(seed);
        assert_int_equal(emu_wrong(what, y), 0);
        n += memcmp(first, y, sizeof y) != 0;
        emu_seed(seed);
        assert_int_equal(emu_wrong(what, first), 0);
        assert_memory_equal(first, y, sizeof y); /* the same seed again */
    }
    return n;
}

static void test_race(void **state)
{
    (void)state;
    assert_int_equal(changes(WRONG_NOT), 0);
    assert_true(changes(WRONG_RACE) >= 6);
}

static void test_poison(void **state)
{
    int y[64];

    (void)state;
    assert_int_equal(emu_wrong(WRONG_POISON, y), 0);
    assert_int_equal(y[3], 3 + -1 - 2);
    assert_int_equal(y[32 + 3], 3 + -1 - 2);
    assert_int_equal(emu_wrong(WRONG_DYNAMIC, y), 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(y[i], -1);
}

static void test_replay(void **state)
{
    enum { N = 100, ROUNDS = 3 };
    float *x = whole_numbers(N * ROUNDS), y[N * ROUNDS];
    uint64_t before = emu_launches();
    int early;

    (void)state;
    assert_int_equal(emu_replay(x, y, N, ROUNDS, &early), 0);
    assert_int_equal(early, 0);
    assert_int_equal(emu_launches() - before, ROUNDS);
    for (int i = 0; i < N * ROUNDS; i++)
        assert_float_equal(y[i], x[i] + 1, 0);
    assert_int_equal(emu_bad_capture(), CAPTURE_INVALIDATED);
    free(x);
}

static void test_devices(void **state)
{
    float y = 7;

    (void)state;
    emu_limit(64);
    assert_int_equal(emu_sum((float[3]){1, 2, 3}, 3, 32, &y), 0);
    assert_float_equal(y, 6, 0);
    emu_limit(12); /* no room for the result */
    assert_int_equal(emu_sum((float[3]){1, 2, 3}, 3, 32, &y), OUT_OF_MEMORY);
    emu_limit((size_t)1 << 40);
    emu_devices(0);
    assert_int_equal(emu_sum((float[3]){1, 2, 3}, 3, 32, &y), NO_DEVICE);
    emu_devices(1);
    assert_int_equal(emu_used(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),      cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_mma),      cmocka_unit_test(test_mma8),
        cmocka_unit_test(test_pipeline), cmocka_unit_test(test_votes),
        cmocka_unit_test(test_faults),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_bounds),
#endif
        cmocka_unit_test(test_race),     cmocka_unit_test(test_poison),
        cmocka_unit_test(test_replay),   cmocka_unit_test(test_devices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
