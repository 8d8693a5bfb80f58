/* fuzz.c -- see fuzz.h.
 * SPDX-License-Identifier: MIT  */
#include "fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/stream.h"

/* One input being made, and where its random numbers are.  */
struct input {
    uint8_t *p;
    size_t n;
    struct rng rng;
    uint64_t at;
    const struct fuzz_seed *seeds;
    size_t n_seeds;
};

/* A number in [0, N), N > 0.  */
static size_t draw(struct input *in, size_t n)
{
    return (size_t)rng_below(&in->rng, in->at++, n);
}

/* Lengths: mostly short.  */
static size_t draw_len(struct input *in, size_t max)
{
    static const size_t scale[] = {4, 16, 64, 4096};
    const size_t s = scale[draw(in, 4)];

    return draw(in, (max < s ? max : s) + 1);
}

/* Replace the GONE bytes at AT with the N bytes at P.  */
static void splice(struct input *in, size_t at, size_t gone, const uint8_t *p,
                   size_t n)
{
    const size_t rest = in->n - at - gone;
    uint8_t *q = xmalloc(in->n - gone + n + 1);

    memcpy(q, in->p, at);
    if (n)
        memcpy(q + at, p, n);
    memcpy(q + at + n, in->p + at + gone, rest);
    free(in->p);
    in->p = q;
    in->n = at + n + rest;
}

/* ---- the damages ---- */

static void flip_bit(struct input *in)
{
    if (in->n)
        in->p[draw(in, in->n)] ^= (uint8_t)(1 << draw(in, 8));
}

static void set_byte(struct input *in)
{
    static const uint8_t nice[] = "\0\x01\x7f\x80\xff 019-+.,:;[]{}()\"'\\\n/";

    if (in->n)
        in->p[draw(in, in->n)] =
            draw(in, 2) ? nice[draw(in, sizeof nice)] : (uint8_t)draw(in, 256);
}

static void set_number(struct input *in)
{
    static const uint64_t edge[] = {0,
                                    1,
                                    0x7f,
                                    0x80,
                                    0xff,
                                    0x7fff,
                                    0x8000,
                                    0xffff,
                                    0x10000,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    0xffffffffffffffff,
                                    0xfffffffffffffff8};
    const size_t size = (size_t)1 << draw(in, 4);
    uint64_t v = edge[draw(in, COUNT(edge))];

    if (in->n < size)
        return;
    if (draw(in, 2))
        v = __builtin_bswap64(v) >> (64 - 8 * size);
    memcpy(in->p + draw(in, in->n - size + 1), &v, size);
}

static void add_to_byte(struct input *in)
{
    if (in->n)
        in->p[draw(in, in->n)] += (uint8_t)(draw(in, 33) - 16);
}

/* A digit for a digit: text stays text.  */
static void set_digit(struct input *in)
{
    for (int try = 0; in->n && try < 64; try++) {
        const size_t at = draw(in, in->n);

        if (in->p[at] >= '0' && in->p[at] <= '9') {
            in->p[at] = (uint8_t)('0' + draw(in, 10));
            return;
        }
    }
}

static void delete_piece(struct input *in)
{
    const size_t at = draw(in, in->n + 1);

    splice(in, at, draw_len(in, in->n - at), NULL, 0);
}

static void cut_end(struct input *in)
{
    in->n = draw(in, in->n + 1);
}

/* A piece of this input or another seed, put in or written over.  */
static void copy_piece(struct input *in)
{
    const struct fuzz_seed *s = &in->seeds[draw(in, in->n_seeds)];
    const uint8_t *const from = draw(in, 2) ? s->p : in->p;
    const size_t have = from == in->p ? in->n : s->n;
    const size_t start = draw(in, have + 1);
    const size_t len = draw_len(in, have - start), at = draw(in, in->n + 1);
    const size_t room = in->n - at;

    if (from)
        splice(in, at,
               draw(in, 2)  ? 0
               : len < room ? len
                            : room,
               from + start, len);
}

static void insert_run(struct input *in)
{
    uint8_t run[256];
    const size_t n = 1 + draw(in, sizeof run);

    memset(run, (int)draw(in, 256), n);
    splice(in, draw(in, in->n + 1), 0, run, n);
}

/* Some head of this one, some tail of another.  */
static void join(struct input *in)
{
    const struct fuzz_seed *s = &in->seeds[draw(in, in->n_seeds)];
    const size_t at = draw(in, in->n + 1), from = draw(in, s->n + 1);

    splice(in, at, in->n - at, (const uint8_t *)s->p + from, s->n - from);
}

static void (*const damage[])(struct input *) = {
    flip_bit,     flip_bit,  set_byte,  set_byte,   set_number,
    add_to_byte,  set_digit, set_digit, copy_piece, insert_run,
    delete_piece, cut_end,   join,
};

/* ---- runs ---- */

static int64_t from_env(const char *name, int64_t v)
{
    const char *s = getenv(name);

    if (s && parse_i64(s, 0, INT64_MAX, &v) < 0) {
        fprintf(stderr, "%s is not a number\n", name);
        exit(2);
    }
    return v;
}

static char *keep_name(uint64_t seed, int64_t run)
{
    const char *dir = getenv("ADZE_FUZZ_KEEP");
    struct str s = {0};

    if (!dir)
        return NULL;
    str_printf(&s, "%s/fuzz-%llu-%lld.bin", dir, (unsigned long long)seed,
               (long long)run);
    return str_take(&s);
}

/* ---- limits: 1 s and 256 MB an input ---- */

enum { MAX_MB = 256 };
static const double MAX_S = 1;

/* What AddressSanitizer offers; absent otherwise, and memory is not seen.  */
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*taken)(const volatile void *, size_t),
    void (*freed)(const volatile void *));
__attribute__((weak)) size_t
__sanitizer_get_allocated_size(const volatile void *p);

static atomic_size_t heap, peak; /* bytes now, and at most since the start */

static void taken(const volatile void *p, size_t n)
{
    const size_t now = atomic_fetch_add(&heap, n) + n;

    (void)p;
    if (now > atomic_load(&peak))
        atomic_store(&peak, now);
}

static void freed(const volatile void *p)
{
    if (p)
        atomic_fetch_sub(&heap, __sanitizer_get_allocated_size(p));
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* F on the N bytes at P within the limits.  */
static int limited(fuzz_fn *f, const uint8_t *p, size_t n)
{
    static int watched;
    size_t before;
    double start;
    int r;

    if (!watched && __sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(taken, freed);
    watched = 1;
    before = atomic_load(&heap);
    atomic_store(&peak, before);
    start = cpu_seconds();
    r = f(p, n);
    start = cpu_seconds() - start;
    if (start > MAX_S || atomic_load(&peak) - before > (size_t)MAX_MB << 20) {
        fprintf(stderr,
                "fuzz: %zu bytes took %.2f s and %zu MB, more than %g s or "
                "%d MB\n",
                n, start, (atomic_load(&peak) - before) >> 20, MAX_S, MAX_MB);
        abort();
    }
    return r;
}

/* Run F on a copy in a block of exactly N bytes; kept in NAME while F runs. */
static int run_one(fuzz_fn *f, const uint8_t *p, size_t n, char *name)
{
    uint8_t *exact = xmalloc(n ? n : 1);
    FILE *keep = name ? fopen(name, "wb") : NULL;
    int r;

    if (keep) {
        fwrite(p, 1, n, keep);
        fclose(keep);
    }
    if (n)
        memcpy(exact, p, n);
    r = limited(f, exact + (n ? 0 : 1), n);
    free(exact);
    if (keep)
        remove(name);
    free(name);
    return r;
}

/* ---- line coverage: scripts/coverage ---- */

/* What --coverage offers.  Only what happens between these two counts: the
 * other tests of a program do not.  */
__attribute__((weak)) void __gcov_reset(void);
__attribute__((weak)) void __gcov_dump(void);

static void count_from_here(void)
{
    if (__gcov_reset)
        __gcov_reset();
}

static void count_to_here(void)
{
    if (__gcov_dump)
        __gcov_dump();
}

/* ---- making inputs ---- */

static void make(struct input *in)
{
    const struct fuzz_seed *s = &in->seeds[draw(in, in->n_seeds)];
    static const size_t most[] = {1, 2, 4, 16};
    size_t times = 1 + draw(in, most[draw(in, COUNT(most))]);

    in->p = xmalloc(s->n + 1);
    in->n = s->n;
    if (s->n)
        memcpy(in->p, s->p, s->n);
    while (times--)
        damage[draw(in, COUNT(damage))](in);
}

void fuzz_run(fuzz_fn *f, const struct fuzz_seed *seeds, size_t n_seeds,
              fuzz_repair *repair, int64_t runs, uint64_t seed)
{
    runs = from_env("ADZE_FUZZ_RUNS", runs);
    seed = (uint64_t)from_env("ADZE_FUZZ_SEED", (int64_t)seed);
    count_from_here();
    for (int64_t i = 0; i < runs; i++) {
        struct input in = {.rng = rng_at(seed, RNG_TEST, (uint64_t)i, 0),
                           .seeds = seeds,
                           .n_seeds = n_seeds};

        make(&in);
        if (repair && i & 1)
            repair(&in.p, &in.n);
        run_one(f, in.p, in.n, keep_name(seed, i));
        free(in.p);
    }
    count_to_here();
}

int64_t fuzz_cut(fuzz_fn *f, const void *p, size_t n)
{
    int64_t taken = 0;

    count_from_here();
    for (size_t k = 0; k <= n; k++)
        taken += run_one(f, p, k, NULL) == 0 && k < n;
    count_to_here();
    return taken;
}

int64_t fuzz_flip(fuzz_fn *f, const void *p, size_t n)
{
    uint8_t *copy = xmalloc(n + 1);
    int64_t taken = 0;

    memcpy(copy, p, n);
    count_from_here();
    for (size_t k = 0; k < n * 8; k++) {
        copy[k / 8] ^= (uint8_t)(1 << k % 8);
        taken += run_one(f, copy, n, NULL) == 0;
        copy[k / 8] ^= (uint8_t)(1 << k % 8);
    }
    count_to_here();
    free(copy);
    return taken;
}

/* ---- repairing safetensors ---- */

static const char META[] = "{\"__metadata__\"";

/* The length of the JSON object at P with the blanks behind; N if it does
 * not end.  */
static size_t object_len(const uint8_t *p, size_t n)
{
    int depth = 0, text = 0;

    for (size_t i = 0; i < n; i++) {
        text ^= p[i] == '"';
        i += text && p[i] == '\\';
        if (text || i >= n)
            continue;
        depth += (p[i] == '{') - (p[i] == '}');
        if (depth)
            continue;
        for (i++; i < n && p[i] == ' ';)
            i++;
        return i;
    }
    return n;
}

struct fuzz_seed fuzz_without_hashes(const void *p, size_t n)
{
    static const char hash[] = "adze.hash";
    uint8_t *copy = memcpy(xmalloc(n + 1), p, n), *at = copy;

    while ((at = memmem(at, n - (size_t)(at - copy), hash, sizeof hash - 1)))
        memcpy(at, "adze.hide", sizeof hash - 1);
    return (struct fuzz_seed){copy, n};
}

void fuzz_document(fuzz_fn *f, const char *path, int64_t runs)
{
    struct fuzz_seed seeds[2];
    struct err e = {0};
    struct bytes b;

    if (bytes_read(&b, path, 1 << 20, &e) < 0)
        fail_msg("%s", e.msg);
    seeds[0] = fuzz_without_hashes(b.data, b.n);
    seeds[1] = (struct fuzz_seed){b.data, b.n};
    for (int i = 0; i < 2; i++)
        assert_int_equal(f(seeds[i].p, b.n), 0);
    fuzz_run(f, seeds, 2, fuzz_repair_documents, runs, 1);
    assert_int_equal(fuzz_cut(f, b.data, b.n), 0);
    free((void *)(uintptr_t)seeds[0].p);
    bytes_release(&b);
}

void fuzz_repair_documents(uint8_t **p, size_t *n)
{
    size_t at = 8;

    while (at < *n) {
        const size_t len = object_len(*p + at, *n - at);
        const uint8_t *next = *p + at;

        for (int i = 0; i < 8; i++)
            (*p)[at - 8 + (size_t)i] = (uint8_t)(len >> (8 * i));
        at += len;
        /* the next one stands behind data of any length */
        next = memmem(*p + at, *n - at, META, sizeof META - 1);
        if (!next || (size_t)(next - *p) < at + 8)
            return;
        at = (size_t)(next - *p);
    }
}

/* ---- repairing tar ---- */

enum { TAR_BLOCK = 512, TAR_SUM = 148, TAR_MAGIC = 257 };

void fuzz_tar_sum(void *header)
{
    unsigned char *h = header;
    unsigned sum = 0;

    memset(h + TAR_SUM, ' ', 8);
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += h[i];
    snprintf((char *)h + TAR_SUM, 8, "%06o", sum);
}

void fuzz_repair_tar(uint8_t **p, size_t *n)
{
    for (size_t at = 0; at + TAR_BLOCK <= *n; at += TAR_BLOCK)
        if (!memcmp(*p + at + TAR_MAGIC, "usta", 4))
            fuzz_tar_sum(*p + at);
}
