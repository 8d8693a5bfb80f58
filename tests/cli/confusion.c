/* confusion.c -- test: a confusion matrix as a table, a picture, a page.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/confusion.h"

static const char *const names[] = {"cat", "<dog>", "tab\there"};
static const int64_t counts[] = {8, 2, 0, 1, 9, 0, 0, 0, 0};
static const struct confusion three = {"Three & more", names, 3, counts};

static int times(const char *text, const char *what)
{
    int n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void test_table(void **state)
{
    struct str s = {0};

    (void)state;
    confusion_tsv(&s, &three);
    assert_string_equal(str_text(&s),
                        "# true\\predicted\tcat\t<dog>\ttab\\there"
                        "\ncat\t8\t2\t0\n<dog>\t1\t9\t0\n"
                        "tab\\there\t0\t0\t0\n");
    str_release(&s);
}

/* A cell for each number that is not 0, and no name as it came.  */
static void test_picture(void **state)
{
    struct str s = {0};

    (void)state;
    confusion_svg(&s, &three);
    assert_int_equal(times(str_text(&s), "<g>"), 4);
    assert_non_null(strstr(str_text(&s), ">Three &amp; more<"));
    assert_non_null(
        strstr(str_text(&s), "cat, taken for &lt;dog&gt;: 2 of 10"));
    assert_non_null(strstr(str_text(&s), "cat, right: 8 of 10"));
    assert_non_null(strstr(str_text(&s), ">80.0%<"));
    assert_int_equal(times(str_text(&s), "%</text>"), 2); /* none of nothing */
    assert_null(strstr(str_text(&s), "<dog>"));
    assert_null(strstr(str_text(&s), "nan"));
    assert_null(strchr(str_text(&s), '\t'));
    str_release(&s);
}

/* With more classes there are smaller cells, without names and numbers.  */
static void test_sizes(void **state)
{
    static const int64_t k[] = {1, 10, 40, 41, 80, 81, 1000};

    (void)state;
    for (size_t i = 0; i < COUNT(k); i++) {
        int64_t *count = xcalloc((size_t)(k[i] * k[i]), sizeof *count);
        const struct confusion c = {"Many", NULL, k[i], count};
        struct str s = {0};

        for (int64_t j = 0; j < k[i]; j++)
            count[j * k[i] + j] = 5000;
        confusion_svg(&s, &c);
        assert_int_equal(times(str_text(&s), "<g>"), k[i]);
        assert_int_equal(times(str_text(&s), ">5000<"), k[i] <= 40 ? k[i] : 0);
        assert_int_equal(times(str_text(&s), ">100.0%<"),
                         k[i] <= 80 ? k[i] : 0);
        str_release(&s);
        free(count);
    }
}

/* The ten largest, the first of equal ones first.  */
static void test_mistakes(void **state)
{
    enum { K = 5 };
    int64_t count[K * K];
    const struct confusion c = {"", NULL, K, count};
    struct str s = {0};
    const char *at;

    (void)state;
    for (int64_t i = 0; i < K * K; i++)
        count[i] = i / 2;
    confusion_mistakes(&s, &c);
    assert_int_equal(times(str_text(&s), "<tr>"), 11);
    at = strstr(str_text(&s), "<td>4</td><td>2</td><td>11</td><td>54</td>");
    assert_non_null(at);
    assert_non_null(strstr(at, "<td>4</td><td>3</td><td>11</td><td>54</td>"));
    str_clear(&s);
    memset(count, 0, sizeof count);
    count[0] = 5;
    confusion_mistakes(&s, &c);
    assert_int_equal(s.len, 0);
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
