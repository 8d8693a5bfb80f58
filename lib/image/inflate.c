/* inflate.c -- see inflate.h.
 * SPDX-License-Identifier: MIT  */
#include "image/inflate.h"

#include <string.h>

#include "base/err.h"

enum { FAST = 10, MAXLEN = 15, LITERALS = 288, DISTANCES = 32 };

/* A canonical code.  FAST bits look up (symbol << 4 | length); longer codes,
 * which give 0 there, are found by counting.  */
struct code {
    uint16_t fast[1 << FAST];
    uint16_t count[MAXLEN + 1], symbol[LITERALS];
};

struct inflate {
    const uint8_t *p;
    size_t n, at;
    uint64_t bits; /* the next HAVE bits, lowest first */
    unsigned have;
    uint8_t *out;
    size_t out_n, done;
    const char *why; /* the first thing that was wrong */
    struct code lit, dist;
};

static int bad(struct inflate *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return -1;
}

static const char *const cut = "the data is cut";

static void fill(struct inflate *s)
{
    while (s->have <= 56 && s->at < s->n) {
        s->bits |= (uint64_t)s->p[s->at++] << s->have;
        s->have += 8;
    }
}

static void drop(struct inflate *s, unsigned k)
{
    s->bits >>= k;
    s->have -= k;
}

/* The next K <= 16 bits, or -1.  */
static int take(struct inflate *s, unsigned k)
{
    int v;

    if (s->have < k)
        fill(s);
    if (s->have < k)
        return bad(s, cut);
    v = (int)(s->bits & ((1u << k) - 1));
    drop(s, k);
    return v;
}

static int decode_long(struct inflate *s, const struct code *c)
{
    int code = 0, first = 0, index = 0;

    for (unsigned len = 1; len <= MAXLEN; len++) {
        if (len > s->have)
            return bad(s, cut);
        code |= (int)(s->bits >> (len - 1) & 1);
        if (code - c->count[len] < first) {
            drop(s, len);
            return c->symbol[index + code - first];
        }
        index += c->count[len];
        first = (first + c->count[len]) << 1;
        code <<= 1;
    }
    return bad(s, "a code that does not exist");
}

static inline int decode(struct inflate *s, const struct code *c)
{
    unsigned v;

    if (s->have < MAXLEN)
        fill(s);
    v = c->fast[s->bits & ((1 << FAST) - 1)];
    if (!v || (v & 15) > s->have)
        return decode_long(s, c);
    drop(s, v & 15);
    return (int)(v >> 4);
}

/* Enter the code CODE of LEN bits, whose first bit comes first.  */
static void enter(struct code *c, unsigned code, unsigned len, unsigned symbol)
{
    unsigned r = 0;

    for (unsigned i = 0; i < len; i++)
        r |= (code >> i & 1) << (len - 1 - i);
    for (; r < 1 << FAST; r += 1u << len)
        c->fast[r] = (uint16_t)(symbol << 4 | len);
}

/* The code of the N lengths at LEN.  Too many codes are an error; too few are
 * one unless there is at most one code of one bit, as zlib has it.  */
static int build(struct inflate *s, struct code *c, const uint8_t *len, int n,
                 int may_lack)
{
    unsigned next[MAXLEN + 1], at[MAXLEN + 1];
    int left = 1, max = 0;

    memset(c, 0, sizeof *c);
    for (int i = 0; i < n; i++)
        c->count[len[i]]++;
    c->count[0] = 0;
    next[0] = at[0] = 0;
    for (int l = 1; l <= MAXLEN; l++) {
        left = 2 * left - c->count[l];
        if (left < 0)
            return bad(s, "a table of codes is over-full");
        if (c->count[l])
            max = l;
        next[l] = (next[l - 1] + c->count[l - 1]) << 1;
        at[l] = at[l - 1] + c->count[l - 1];
    }
    if (left > 0 && (!may_lack || max > 1))
        return bad(s, "a table of codes is incomplete");
    for (int i = 0; i < n; i++) {
        const unsigned l = len[i];

        if (!l)
            continue;
        c->symbol[at[l]++] = (uint16_t)i;
        if (l <= FAST)
            enter(c, next[l], l, (unsigned)i);
        next[l]++;
    }
    return 0;
}

static int stored(struct inflate *s)
{
    int len, inverse;

    drop(s, s->have & 7);
    len = take(s, 16);
    inverse = take(s, 16);
    if (len < 0 || inverse < 0)
        return -1;
    if (len != (inverse ^ 0xffff))
        return bad(s, "a stored block's length is damaged");
    s->at -= s->have / 8; /* give back what was read ahead */
    s->bits = 0;
    s->have = 0;
    if ((size_t)len > s->n - s->at)
        return bad(s, cut);
    if ((size_t)len > s->out_n - s->done)
        return bad(s, "holds more data than the picture needs");
    memcpy(s->out + s->done, s->p + s->at, (size_t)len);
    s->at += (size_t)len;
    s->done += (size_t)len;
    return 0;
}

static int copy(struct inflate *s, size_t dist, size_t len)
{
    uint8_t *to = s->out + s->done;

    if (dist > s->done)
        return bad(s, "a distance reaches before the start");
    if (len > s->out_n - s->done)
        return bad(s, "holds more data than the picture needs");
    if (dist >= len)
        memcpy(to, to - dist, len);
    else
        for (size_t i = 0; i < len; i++)
            to[i] = to[i - dist];
    s->done += len;
    return 0;
}

/* A match whose length symbol is SYM - 257.  */
static int match(struct inflate *s, int sym)
{
    static const uint16_t len_base[] = {
        3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
        31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t len_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                        1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
                                        4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t dist_base[] = {
        1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
        33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
        1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    int len, dist, d;

    if (sym >= 29)
        return bad(s, "a length code that does not exist");
    len = take(s, len_extra[sym]);
    d = len < 0 ? -1 : decode(s, &s->dist);
    if (d < 0)
        return -1;
    if (d >= 30)
        return bad(s, "a distance code that does not exist");
    dist = take(s, d < 4 ? 0 : (unsigned)d / 2 - 1);
    if (dist < 0)
        return -1;
    return copy(s, (size_t)dist_base[d] + (size_t)dist,
                (size_t)len_base[sym] + (size_t)len);
}

static int coded(struct inflate *s)
{
    for (;;) {
        const int sym = decode(s, &s->lit);

        if (sym < 0)
            return -1;
        if (sym == 256)
            return 0;
        if (sym > 256) {
            if (match(s, sym - 257) < 0)
                return -1;
        } else if (s->done == s->out_n) {
            return bad(s, "holds more data than the picture needs");
        } else {
            s->out[s->done++] = (uint8_t)sym;
        }
    }
}

static int fixed(struct inflate *s)
{
    uint8_t len[LITERALS], five[DISTANCES];

    memset(len, 8, 144);
    memset(len + 144, 9, 112);
    memset(len + 256, 7, 24);
    memset(len + 280, 8, 8);
    memset(five, 5, sizeof five);
    build(s, &s->lit, len, LITERALS, 0);
    build(s, &s->dist, five, DISTANCES, 0);
    return coded(s);
}

/* The N code lengths of both tables, themselves coded by s->lit.  */
static int lengths(struct inflate *s, uint8_t *len, int n)
{
    static const struct {
        uint8_t bits, base;
    } repeat[3] = {{2, 3}, {3, 3}, {7, 11}};

    for (int i = 0; i < n;) {
        const int sym = decode(s, &s->lit);
        int times;

        if (sym < 0)
            return -1;
        if (sym < 16) {
            len[i++] = (uint8_t)sym;
            continue;
        }
        if (sym == 16 && !i)
            return bad(s, "a repeat without a length before it");
        times = take(s, repeat[sym - 16].bits);
        if (times < 0)
            return -1;
        times += repeat[sym - 16].base;
        if (times > n - i)
            return bad(s, "a repeat runs past the table");
        memset(len + i, sym == 16 ? len[i - 1] : 0, (size_t)times);
        i += times;
    }
    return 0;
}

static int dynamic(struct inflate *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t len[LITERALS + DISTANCES] = {0}, first[19] = {0};
    const int nlit = take(s, 5), ndist = take(s, 5), nfirst = take(s, 4);

    if (nfirst < 0)
        return -1;
    if (nlit > 29 || ndist > 29)
        return bad(s, "a table holds too many codes");
    for (int i = 0; i < nfirst + 4; i++) {
        const int v = take(s, 3);

        if (v < 0)
            return -1;
        first[order[i]] = (uint8_t)v;
    }
    if (build(s, &s->lit, first, 19, 0) < 0 ||
        lengths(s, len, nlit + ndist + 258) < 0)
        return -1;
    if (!len[256])
        return bad(s, "a block has no end");
    if (build(s, &s->lit, len, nlit + 257, 1) < 0 ||
        build(s, &s->dist, len + nlit + 257, ndist + 1, 1) < 0)
        return -1;
    return coded(s);
}

static int no_such_block(struct inflate *s)
{
    return bad(s, "a block of a kind that does not exist");
}

static int blocks(struct inflate *s)
{
    static int (*const kind[4])(struct inflate *) = {stored, fixed, dynamic,
                                                     no_such_block};
    int last;

    do {
        const int head = take(s, 3);

        if (head < 0 || kind[head >> 1](s) < 0)
            return -1;
        last = head & 1;
    } while (!last);
    return s->done < s->out_n ? bad(s, "holds less than the picture needs") : 0;
}

static uint32_t adler(const uint8_t *p, size_t n)
{
    enum { MOD = 65521, RUN = 5552 }; /* 32 bits hold a run of sums */
    uint32_t a = 1, b = 0;

    while (n) {
        const size_t k = n < RUN ? n : RUN;

        for (size_t i = 0; i < k; i++) {
            a += p[i];
            b += a;
        }
        a %= MOD;
        b %= MOD;
        p += k;
        n -= k;
    }
    return b << 16 | a;
}

static int check_end(struct inflate *s)
{
    uint32_t sum = 0;

    drop(s, s->have & 7);
    for (int i = 0; i < 4; i++) {
        const int v = take(s, 8);

        if (v < 0)
            return -1;
        sum = sum << 8 | (uint32_t)v;
    }
    if (sum != adler(s->out, s->out_n))
        return bad(s, "the Adler-32 is wrong");
    if (s->have || s->at < s->n)
        return bad(s, "something follows the compressed data");
    return 0;
}

static int zlib(struct inflate *s)
{
    const int cmf = take(s, 8), flags = take(s, 8);

    if (flags < 0)
        return -1;
    if ((cmf & 15) != 8 || cmf >> 4 > 7 || flags & 0x20 ||
        (cmf << 8 | flags) % 31)
        return bad(s, "no zlib header");
    return blocks(s) < 0 ? -1 : check_end(s);
}

int inflate_zlib(uint8_t *out, size_t out_n, const uint8_t *p, size_t n,
                 struct err *e)
{
    struct inflate s = {.p = p, .n = n, .out = out, .out_n = out_n};

    if (zlib(&s) == 0)
        return 0;
    return err_set(e, ERR_FORMAT,
                   "byte %zu of %zu compressed ones, %zu of %zu unpacked: %s",
                   s.at - s.have / 8, n, s.done, out_n, s.why);
}
