/* onnx_front.c -- tests of preprocessing inside the graph of an ONNX file.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../onnx_cases.h"
#include "base/err.h"
#include "base/str.h"
#include "format/preprocess.h"
#include "graph/graph.h"

/* Levels of pixels in, the same numbers out, whatever stands inside.  */
static void preprocessing_inside(void **state)
{
    (void)state;
    for (int way = 0; way < 8; way++) {
        const int grey = way % 4 == 3;
        struct preprocess pre, back = {0};
        struct graph *g = onnx_case_pictures(&pre, grey ? 1 : 3);
        const struct onnx_opts o = {
            .front = &pre, .half = way & 1, .opset = way & 4 ? 7 : 0};
        struct str s = {0};
        struct err e = {0};
        struct onnx_file f;
        struct graph *h;

        pre.bgr = !grey && way & 2;
        if (onnx_encode(&s, g, NULL, &o, &e) < 0 ||
            onnx_open(&f, (const unsigned char *)s.data, s.len, &e) < 0)
            fail_msg("%d: %s", way, e.msg);
        assert_int_equal(onnx_front_of(&f, &back), 1);
        assert_int_equal(back.bgr, pre.bgr);
        assert_int_equal(back.channels, pre.channels);
        assert_int_equal(back.size[0], 3);
        assert_int_equal(back.size[1], 4);
        assert_memory_equal(back.mean, pre.mean,
                            (size_t)pre.channels * sizeof(float));
        assert_memory_equal(back.std, pre.std,
                            (size_t)pre.channels * sizeof(float));
        h = onnx_graph(&f, NULL, &e);
        if (!h)
            fail_msg("%d: %s", way, e.msg);
        assert_string_equal(ST(&graph_value(h, "image")->shape),
                            grey ? "[N,1,3,4]" : "[N,3,3,4]");
        onnx_close(&f);
        graph_free(h);
        graph_free(g);
        str_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preprocessing_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
