/* preprocess.c -- tests of format/preprocess.h.
 * SPDX-License-Identifier: MIT  */
#include "format/preprocess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/model.h"

#define IMAGENET                                                         \
    "{\"channels\": 3, \"crop\": \"centre\", \"decode\": \"exact\", "    \
    "\"interpolation\": \"bilinear\", \"mean\": [0.485, 0.456, 0.406], " \
    "\"order\": \"rgb\", \"orient\": \"exif\", \"resize\": \"short\", "  \
    "\"resize_px\": 256, \"size\": [224, 224], "                         \
    "\"std\": [0.229, 0.224, 0.225]}"

static void round_trip(void **state)
{
    struct preprocess p, q;
    struct str s = {0}, t = {0};
    struct err e = {0};

    (void)state;
    preprocess_init(&p, 3, 224, 224);
    preprocess_json(&s, &p);
    assert_string_equal(str_text(&s), IMAGENET);
    assert_int_equal(preprocess_parse(&q, str_text(&s), &e), 0);
    assert_true(q.mean[0] == .485f && q.std[2] == .225f && q.exif && !q.bgr);
    preprocess_json(&t, &q);
    assert_string_equal(str_text(&s), str_text(&t));
    q = (struct preprocess){.size = {3, 4},
                            .resize = PREPROCESS_NONE,
                            .interpolation = RESIZE_BOX,
                            .std = {1, 1, 1},
                            .bgr = 1,
                            .channels = 3};
    str_clear(&s);
    preprocess_json(&s, &q);
    assert_int_equal(preprocess_parse(&p, str_text(&s), &e), 0);
    assert_int_equal(p.resize, PREPROCESS_NONE);
    assert_int_equal(p.interpolation, RESIZE_BOX);
    assert_true(p.size[0] == 3 && p.size[1] == 4 && p.bgr && !p.exif);
    preprocess_init(&p, 1, 28, 32);
    assert_int_equal(p.resize, PREPROCESS_EXACT);
    assert_int_equal(p.channels, 1);
    assert_int_equal(p.size[1], 32);
    str_release(&s);
    str_release(&t);
}

/* IMAGENET with FROM replaced by TO is refused because of WANT.  */
static void refuse(const char *from, const char *to, const char *want,
                   enum err_code code)
{
    const char *at = strstr(IMAGENET, from);
    struct preprocess p;
    struct str s = {0};
    struct err e = {0};

    assert_non_null(at);
    str_addn(&s, IMAGENET, strlen(IMAGENET) - strlen(at));
    str_add(&s, to);
    str_add(&s, at + strlen(from));
    assert_int_equal(preprocess_parse(&p, str_text(&s), &e), -1);
    if (!strstr(e.msg, want) || e.code != code)
        fail_msg("'%s' is not in '%s'", want, e.msg);
    str_release(&s);
}

static void refuses(void **state)
{
    (void)state;
    refuse("{", "[", "not JSON", ERR_FORMAT);
    refuse("\"order\": \"rgb\", ", "", "no key 'order'", ERR_FORMAT);
    refuse("\"order\"", "\"size\"", "not JSON", ERR_FORMAT);
    refuse("{", "{\"x\": 1, ", "unknown key 'x'", ERR_FORMAT);
    refuse("\"rgb\"", "\"rbg\"", "'order' cannot be 'rbg': it is rgb, bgr",
           ERR_FORMAT);
    refuse("\"centre\"", "\"five\"", "'crop' cannot be", ERR_UNSUPPORTED);
    refuse("\"exact\"", "\"fast\"", "'decode' cannot be", ERR_UNSUPPORTED);
    refuse("[224, 224]", "[224, 224, 3]", "'size' has 3 values", ERR_FORMAT);
    refuse("[224, 224]", "[]", "'size' has 0 values", ERR_FORMAT);
    refuse("[224, 224]", "[0, 224]", "'size' cannot be '0'", ERR_FORMAT);
    refuse("[224, 224]", "[65536, 1]", "'size' cannot be", ERR_FORMAT);
    refuse("[224, 224]", "[2.5, 1]", "'size' cannot be '2.5'", ERR_FORMAT);
    refuse("[224, 224]", "[true, 1]", "something else", ERR_FORMAT);
    refuse("0.229", "0", "'std' cannot be '0'", ERR_FORMAT);
    refuse("0.229", "1e99", "'std' cannot be", ERR_FORMAT);
    refuse("256", "0", "needs 'resize_px'", ERR_FORMAT);
    refuse("\"channels\": 3", "\"channels\": 2", "'channels'", ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),
                                       cmocka_unit_test(refuses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
