/* onnx_damaged.c -- ONNX files that are cut or changed are refused or read, and
 * no more.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../fuzz.h"
#include "../graph_random.h"
#include "../onnx_cases.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/preprocess.h"
#include "graph/graph.h"

static struct graph *pixels(struct preprocess *pre)
{
    struct graph *g = onnx_case_pictures(pre, 3);

    pre->bgr = 1;
    return g;
}

/* Read a number at *AT; 0 where it is cut off.  */
static int number(const uint8_t *p, size_t end, size_t *at, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        *v |= (uint64_t)(p[*at] & 127) << shift;
        if (p[(*at)++] < 128)
            return 1;
    }
    return 0;
}

/* The number of AT - FROM bytes at FROM becomes V, as far as it fits.  */
static void renumber(uint8_t *p, size_t from, size_t at, uint64_t v)
{
    for (; from < at; from++, v >>= 7)
        p[from] = (uint8_t)((v & 127) | (from + 1 < at ? 128 : 0));
}

/* Parts that are longer than what holds them end with it.  Which fields hold
 * fields, in a model, its graph, a node: enough to get behind them.  */
static void repair_part(uint8_t *p, size_t at, size_t end, int depth)
{
    static const uint64_t parts[] = {1 << 7 | 1 << 8 | 1 << 14,
                                     1 << 1 | 1 << 5 | 1 << 11 | 1 << 12,
                                     1 << 2 | 1 << 5};

    while (at < end) {
        uint64_t tag, len;
        size_t from;

        if (!number(p, end, &at, &tag))
            return;
        from = at;
        if ((tag & 7) == 5 || (tag & 7) == 1) {
            at += (tag & 7) == 5 ? 4 : 8;
            continue;
        }
        if (!number(p, end, &at, &len) || (tag & 7) != 2)
            continue;
        if (len > end - at) {
            len = end - at;
            renumber(p, from, at, len);
        }
        if (depth < 3 && tag >> 3 < 64 && parts[depth] >> (tag >> 3) & 1)
            repair_part(p, at, at + (size_t)len, depth + 1);
        at += (size_t)len;
    }
}

static void repair(uint8_t **p, size_t *n)
{
    repair_part(*p, 0, *n, 0);
}

/* A small quantised network.  */
static struct graph *small_int8(void)
{
    struct graph *g = graph_random(3, 1), *q = onnx_case_int8(g);

    graph_free(g);
    return q;
}

static void damaged(void **state)
{
    const int n = onnx_n_cases + 2; /* 8 bits; levels of pixels in f16 */
    struct str *s = xcalloc((size_t)n, sizeof *s);
    struct fuzz_seed *seeds = xcalloc((size_t)n, sizeof *seeds);
    struct preprocess pre;
    const struct onnx_opts o = {.half = 1, .front = &pre};
    struct err e = {0};

    (void)state;
    for (int i = 0; i < n; i++) {
        struct graph *g = i < onnx_n_cases ? onnx_case_graph(&onnx_cases[i])
                          : i < n - 1      ? small_int8()
                                           : pixels(&pre);

        if (i < onnx_n_cases)
            graph_random_fill(g, 2);

        assert_int_equal(onnx_encode(&s[i], g, NULL, i < n - 1 ? NULL : &o, &e),
                         0);
        seeds[i] = (struct fuzz_seed){s[i].data, s[i].len};
        graph_free(g);
    }
    fuzz_run(fuzz_onnx, seeds, n, repair, 10000, 1);
    fuzz_cut(fuzz_onnx, s[0].data, s[0].len);
    fuzz_cut(fuzz_onnx, s[n - 1].data, s[n - 1].len);
    for (int i = 0; i < n; i++)
        str_release(&s[i]);
    free(seeds);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
