/* word.c -- tests of base/word.h.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/word.h"

static void test_words(void **state)
{
    static const uint8_t p[] = {0xfe, 2, 3, 0xfc};

    (void)state;
    assert_int_equal(word_le16(p), 0x02fe);
    assert_int_equal(word_be16(p), 0xfe02);
    assert_int_equal(word_le32(p), 0xfc0302fe);
    assert_int_equal(word_be32(p), 0xfe0203fc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
