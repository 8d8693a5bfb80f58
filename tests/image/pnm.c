/* pnm.c -- tests of lib/image/pnm.c: fault F-060.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "image/codec.h"
#include "ref_files.h"

struct text {
    const char *p;
    size_t n;
};
#define T(s)             \
    {                    \
        s, sizeof(s) - 1 \
    }

static void test_sound(void **state)
{
    static const struct {
        struct text file, want;
    } t[] = {
        {T("P1 2 1 1 0"), T("\0\0\0\xff\xff\xff")},
        {T("P1\n2 1\n10"), T("\0\0\0\xff\xff\xff")},
        {T("P1\n2 1\n1#0\n0"), T("\0\0\0\xff\xff\xff")},
        {T("P2#\r#P3\n 1\t1#1\n\n3 #\n2"), T("\xaa\xaa\xaa")},
        {T("P3\n1 1 255\n1 2 3"), T("\1\2\3")},
        {T("P3\n1 1 65535\n65535 32768 128\n"), T("\xff\x80\0")},
        {T("P4 3 2 \xa0\x40"),
         T("\0\0\0\xff\xff\xff\0\0\0\xff\xff\xff\0\0\0\xff\xff\xff")},
        {T("P5 1 1 255\n\n"), T("\n\n\n")},
        {T("P5 1 1 256 \0\x80"), T("\x80\x80\x80")},
        {T("P5 1 1 65535 \xff\xff"), T("\xff\xff\xff")},
        {T("P6 1 1 255 abcP6 1 1 255 def"), T("abc")},
        {T("P6 1 1 1 \0\1\0"), T("\0\xff\0")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct image im;

        picture_decode(&im, t[i].file.p, t[i].file.n);
        assert_int_equal(im.w * im.h * 3, t[i].want.n);
        assert_memory_equal(im.rgb, t[i].want.p, t[i].want.n);
        image_release(&im);
    }
}

static void test_refused(void **state)
{
    static const struct {
        struct text file;
        int code;
        const char *words;
    } t[] = {
        {T("P7\nWIDTH 1\n"), ERR_UNSUPPORTED, "pamtopnm"},
        {T("P6 "), ERR_FORMAT, "the width is missing"},
        {T("P6 x 1 255 abc"), ERR_FORMAT, "byte 3: the width is no number"},
        {T("P6 -1 1 255 abc"), ERR_FORMAT, "the width is no number"},
        {T("P6 1 +1 255 abc"), ERR_FORMAT, "the height is no number"},
        {T("P6 12345678901234567890 1 255 abc"), ERR_FORMAT,
         "the width is too large"},
        {T("P6 0 1 255 abc"), ERR_FORMAT, "0x1 pixels"},
        {T("P6 1 0 255 abc"), ERR_FORMAT, "1x0 pixels"},
        {T("P6 65536 1 255 abc"), ERR_UNSUPPORTED, "65536x1"},
        {T("P6 65535 65535 255 abc"), ERR_UNSUPPORTED, "limit"},
        {T("P6 9999 9999 255 abc"), ERR_FORMAT, "are needed, 3 are there"},
        {T("P3 9999 9999 255 1 2 3"), ERR_FORMAT, "are needed, 5 are there"},
        {T("P6 1 1 0 abc"), ERR_FORMAT, "the largest value is 0"},
        {T("P6 1 1 65536 abc"), ERR_FORMAT, "the largest value is too large"},
        {T("P6 1 1 99999 abc"), ERR_FORMAT, "the largest value is too large"},
        {T("P6 1 1 255"), ERR_FORMAT, "a blank is missing"},
        {T("P6 1 1 255#abc"), ERR_FORMAT, "a blank is missing"},
        {T("P6 1 1 255 ab"), ERR_FORMAT, "3 bytes of samples are needed"},
        {T("P5 1 1 256 a"), ERR_FORMAT, "2 bytes of samples are needed"},
        {T("P5 1 1 100 \x65"), ERR_FORMAT, "byte 11: a sample is above"},
        {T("P5 1 1 300 \1\x2d"), ERR_FORMAT, "byte 11: a sample is above"},
        {T("P4 9 1 a"), ERR_FORMAT, "2 bytes of samples are needed"},
        {T("P2 1 1 100 101"), ERR_FORMAT, "a sample is too large"},
        {T("P2 2 1 9 1 x"), ERR_FORMAT, "a sample is no number"},
        {T("P2 2 1 9 1 #"), ERR_FORMAT, "a sample is missing"},
        {T("P1 2 1 12"), ERR_FORMAT, "neither 0 nor 1"},
        {T("P1 2 1 1 "), ERR_FORMAT, "a sample is missing"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++)
        picture_refused(t[i].file.p, t[i].file.n, t[i].code, t[i].words);
}

/* Binary files are refused wherever they are cut.  A text file may lose its
 * last line end and still be whole.  */
static void test_cut_and_fuzz(void **state)
{
    struct fuzz_seed seeds[16];
    uint8_t *p[16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ref_files / sizeof *ref_files && n < 16; i++)
        if (!strncmp(ref_files[i].name, "pnm", 3)) {
            p[n] = picture_from_hex(ref_files[i].hex, &seeds[n].n);
            seeds[n].p = p[n];
            if (p[n][1] >= '4')
                assert_int_equal(fuzz_cut(fuzz_image, p[n], seeds[n].n), 0);
            else
                fuzz_cut(fuzz_image, p[n], seeds[n].n);
            n++;
        }
    fuzz_run(fuzz_image, seeds, n, NULL, 10000, 60);
    while (n)
        free(p[--n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut_and_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
