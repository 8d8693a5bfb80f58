/* inflate.c -- tests of lib/image/inflate.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../picture.h"
#include "base/err.h"
#include "image/inflate.h"

/* A deflate stream written bit by bit, between a zlib header and the right
 * sum of DATA.  */
struct writer {
    uint8_t p[512];
    size_t bits;
};

static void put(struct writer *w, unsigned v, int n)
{
    for (int i = 0; i < n; i++, w->bits++)
        w->p[w->bits / 8] |= (uint8_t)((v >> i & 1) << w->bits % 8);
}

/* A code word: its first bit is the highest.  */
static void code(struct writer *w, unsigned v, int n)
{
    for (int i = n - 1; i >= 0; i--)
        put(w, v >> i & 1, 1);
}

/* A symbol of the fixed code.  */
static void fixed(struct writer *w, unsigned sym)
{
    if (sym < 144)
        code(w, 0x30 + sym, 8);
    else if (sym < 256)
        code(w, 0x190 + sym - 144, 9);
    else if (sym < 280)
        code(w, sym - 256, 7);
    else
        code(w, 0xc0 + sym - 280, 8);
}

static struct writer begin(unsigned last, unsigned kind)
{
    struct writer w = {.bits = 0};

    put(&w, 0x0178, 16);
    put(&w, last, 1);
    put(&w, kind, 2);
    return w;
}

static size_t end(struct writer *w, const char *data)
{
    uint32_t a = 1, b = 0;

    for (; *data; data++) {
        a += (uint8_t)*data;
        b += a;
    }
    w->bits = (w->bits + 7) & ~(size_t)7;
    for (int i = 0; i < 4; i++)
        put(w, (i < 2 ? b : a) >> (i % 2 ? 0 : 8) & 255, 8);
    return w->bits / 8;
}

static void gives(const struct writer *w, size_t n, const char *want)
{
    uint8_t out[64];
    struct err e = {0};

    if (inflate_zlib(out, strlen(want), w->p, n, &e) < 0)
        fail_msg("%s", e.msg);
    assert_memory_equal(out, want, strlen(want));
}

static void fails(const void *p, size_t n, size_t out_n, const char *words)
{
    uint8_t out[64];
    struct err e = {0};

    assert_int_equal(inflate_zlib(out, out_n, p, n, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not hold '%s'", e.msg, words);
}

/* The small case of each kind of block, by hand.  */
static void test_blocks(void **state)
{
    struct writer w = begin(1, 0);

    (void)state;
    w.bits = 24;
    put(&w, 3, 16);
    put(&w, 0xfffc, 16);
    put(&w, 'a' | 'b' << 8 | 'c' << 16, 24);
    gives(&w, end(&w, "abc"), "abc");

    w = begin(1, 1);
    fixed(&w, 'a');
    fixed(&w, 'b');
    fixed(&w, 257); /* 3 bytes from 2 back */
    code(&w, 1, 5);
    fixed(&w, 256);
    gives(&w, end(&w, "ababa"), "ababa");

    w = begin(0, 1); /* two blocks, the first empty */
    fixed(&w, 256);
    put(&w, 1, 1);
    put(&w, 1, 2);
    fixed(&w, 200);
    fixed(&w, 256);
    gives(&w, end(&w, "\xc8"), "\xc8");
}

/* A dynamic block: symbols 'a' and 256 of one bit each, HDIST codes as the
 * caller wants.  */
static struct writer dynamic(void)
{
    struct writer w = begin(1, 2);

    put(&w, 0, 5);               /* 257 literal codes */
    put(&w, 0, 5);               /* one distance code */
    put(&w, 18 - 4, 4);          /* 18 lengths of the code of lengths */
    for (int i = 0; i < 18; i++) /* 18 and 1 have one bit */
        put(&w, i == 2 || i == 17 ? 1 : 0, 3);
    return w;
}

static void zeros(struct writer *w, unsigned n)
{
    code(w, 1, 1);
    put(w, n - 11, 7);
}

static void test_dynamic(void **state)
{
    struct writer w = dynamic();

    (void)state;
    zeros(&w, 97);
    code(&w, 0, 1); /* 'a' */
    zeros(&w, 138);
    zeros(&w, 20);
    code(&w, 0, 1); /* 256 */
    code(&w, 0, 1); /* distance 0 */
    code(&w, 0, 1);
    code(&w, 0, 1);
    code(&w, 1, 1);
    gives(&w, end(&w, "aa"), "aa");

    w = dynamic(); /* the end has no code */
    zeros(&w, 97);
    code(&w, 0, 1);
    zeros(&w, 138);
    zeros(&w, 22);
    fails(w.p, end(&w, ""), 2, "no end");

    w = dynamic(); /* one literal code only: incomplete in bits, but allowed;
                      the other half of it is no code */
    zeros(&w, 138);
    zeros(&w, 118);
    code(&w, 0, 1);
    code(&w, 0, 1);
    code(&w, 1, 1);
    put(&w, 0, 32);
    fails(w.p, end(&w, ""), 2, "does not exist");

    w = dynamic(); /* three codes of one bit */
    code(&w, 0, 1);
    code(&w, 0, 1);
    zeros(&w, 138);
    zeros(&w, 116);
    code(&w, 0, 1);
    code(&w, 0, 1);
    fails(w.p, end(&w, ""), 2, "over-full");

    w = dynamic(); /* a repeat past the table */
    zeros(&w, 138);
    zeros(&w, 138);
    fails(w.p, end(&w, ""), 2, "past the table");
}

static void test_tables(void **state)
{
    struct writer w = begin(1, 2);

    (void)state;
    put(&w, 30, 5);
    put(&w, 0, 9);
    fails(w.p, end(&w, ""), 2, "too many codes");

    w = begin(1, 2);
    put(&w, 0, 5);
    put(&w, 30, 5);
    put(&w, 0, 4);
    fails(w.p, end(&w, ""), 2, "too many codes");

    w = begin(1, 2); /* symbol 16 first */
    put(&w, 0, 10);
    put(&w, 0, 4);
    put(&w, 1, 3);
    put(&w, 1, 3);
    put(&w, 0, 6);
    code(&w, 0, 1);
    put(&w, 0, 2);
    fails(w.p, end(&w, ""), 2, "without a length");

    w = begin(1, 2); /* a code of lengths that is incomplete */
    put(&w, 0, 10);
    put(&w, 0, 4);
    put(&w, 2, 3);
    put(&w, 0, 9);
    fails(w.p, end(&w, ""), 2, "incomplete");
}

/* F-051: codes that the fixed tables hold but deflate does not have.  */
static void test_absent_codes(void **state)
{
    (void)state;
    for (unsigned sym = 286; sym < 288; sym++) {
        struct writer w = begin(1, 1);

        fixed(&w, 'a');
        fixed(&w, sym);
        put(&w, 0, 5);
        fixed(&w, 256);
        fails(w.p, end(&w, "a"), 1, "length code that does not exist");
    }
    for (unsigned sym = 30; sym < 32; sym++) {
        struct writer w = begin(1, 1);

        fixed(&w, 'a');
        fixed(&w, 257);
        code(&w, sym, 5);
        fixed(&w, 256);
        fails(w.p, end(&w, "aaaa"), 4, "distance code that does not exist");
    }
}

static void test_damage(void **state)
{
    struct writer w = begin(1, 1);
    size_t n;

    (void)state;
    fixed(&w, 'a');
    fixed(&w, 'b');
    fixed(&w, 256);
    n = end(&w, "ab");
    gives(&w, n, "ab");
    fails(w.p, n, 3, "less than");
    fails(w.p, n, 1, "more data");
    fails(w.p, n + 1, 2, "follows");
    w.p[n - 1] ^= 1;
    fails(w.p, n, 2, "Adler-32");
    w.p[n - 1] ^= 1;
    w.p[0] = 0x79;
    fails(w.p, n, 2, "zlib header");
    w.p[0] = 0x78;
    w.p[1] = 0x20; /* asks for a dictionary; the check bits fit */
    fails(w.p, n, 2, "zlib header");

    w = begin(1, 1);
    fixed(&w, 'a');
    fixed(&w, 257);
    code(&w, 1, 5);
    fixed(&w, 256);
    fails(w.p, end(&w, "aaaa"), 4, "before the start");

    w = begin(1, 3);
    fails(w.p, end(&w, ""), 1, "kind that does not exist");

    w = begin(1, 0);
    w.bits = 24;
    put(&w, 3, 16);
    put(&w, 0xfffd, 16);
    fails(w.p, end(&w, ""), 3, "stored block");
}

/* A dynamic block with long codes, by zlib 1.2.13 through Python 3.11:
 * b"".join(b"abracadabra%d" % (i * i * 977) for i in range(64)), level 9  */
static const char *const by_zlib =
    "78da5d93c975c40008435b42ec94e32415a4ff4398b904cdc9e619c34788e7ebf7f97e"
    "7e9e7dc8f3ff3e5527b2913e61d7d80911697a6275d7b87f07ea7ef7eabaffa786def2"
    "35b06216b96c402b6e025cb26f0564008438f021464c13a4860094d16a716bd856f5a6"
    "b934e753262275938ea2d1b5f3d60864dbed12a91597232149a499e2945150a51a9531"
    "d465f54ae2786d9048c7ba69168888d3b8cb61438aac60e3241ab08d89169a09921e66"
    "15bc1d87142fd03b8577fc3219db207dc7a69c5273b2125ad2c96ce8b502d91153cd86"
    "55c932b634a241a6578d95e8f6dade517436ef4320660d0738277d21a94eb91bf76aef"
    "619e89f838b2dd4ed35c8672a5d96dcd97a48fb9c89086ef6325664b5b6acaa988a07d"
    "6deb2ad81fd7cb65fb";

static void test_by_zlib(void **state)
{
    char want[1133], *to = want;
    uint8_t out[1101], *p;
    struct err e = {0};
    size_t n;

    (void)state;
    for (int i = 0; i < 64; i++)
        to += snprintf(to, 32, "abracadabra%d", i * i * 977);
    p = picture_from_hex(by_zlib, &n);
    if (inflate_zlib(out, (size_t)(to - want), p, n, &e) < 0)
        fail_msg("%s", e.msg);
    assert_memory_equal(out, want, (size_t)(to - want));
    free(p);
}

static int reads(const uint8_t *p, size_t n)
{
    static const size_t sizes[] = {0, 5, 64, 512};
    int r = -1;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *out = malloc(sizes[i] + 1);
        struct err e = {0};

        if (inflate_zlib(out, sizes[i], p, n, &e) == 0)
            r = 0;
        else
            assert_true(e.msg[0]);
        free(out);
    }
    return r;
}

static void test_cut_and_fuzz(void **state)
{
    struct writer w = begin(1, 1), d = dynamic();
    struct fuzz_seed seeds[2];

    (void)state;
    for (int i = 0; i < 4; i++)
        fixed(&w, (unsigned)"wxyz"[i]);
    fixed(&w, 257);
    code(&w, 3, 5);
    fixed(&w, 256);
    seeds[0] = (struct fuzz_seed){w.p, end(&w, "wxyzwxy")};
    zeros(&d, 97);
    code(&d, 0, 1);
    zeros(&d, 138);
    zeros(&d, 20);
    code(&d, 0, 1);
    code(&d, 0, 1);
    for (int i = 0; i < 5; i++)
        code(&d, 0, 1);
    code(&d, 1, 1);
    seeds[1] = (struct fuzz_seed){d.p, end(&d, "aaaaa")};
    assert_int_equal(reads(seeds[1].p, seeds[1].n), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fuzz_cut(reads, seeds[i].p, seeds[i].n), 0);
    fuzz_run(reads, seeds, 2, NULL, 10000, 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_absent_codes),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_by_zlib),
        cmocka_unit_test(test_cut_and_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
