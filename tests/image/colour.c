/* colour.c -- tests of lib/image/colour.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../picture.h"
#include "base/err.h"
#include "image/colour.h"
#include "ref_ops.h"

static void apply(struct image *im, const char *op, double f)
{
    static const struct {
        const char *name;
        void (*with)(struct image *, double);
        void (*alone)(struct image *);
        void (*whole)(struct image *, int);
    } ops[] = {{"brightness", colour_brightness, NULL, NULL},
               {"contrast", colour_contrast, NULL, NULL},
               {"saturation", colour_saturation, NULL, NULL},
               {"hue", colour_hue, NULL, NULL},
               {"grey", NULL, colour_grey, NULL},
               {"invert", NULL, colour_invert, NULL},
               {"autocontrast", NULL, colour_autocontrast, NULL},
               {"equalize", NULL, colour_equalize, NULL},
               {"posterize", NULL, NULL, colour_posterize},
               {"solarize", NULL, NULL, colour_solarize}};
    struct err e = {0};

    if (!strcmp(op, "sharpness")) {
        assert_int_equal(colour_sharpness(im, f, &e), 0);
        return;
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, op))
            continue;
        if (ops[i].with)
            ops[i].with(im, f);
        else if (ops[i].alone)
            ops[i].alone(im);
        else
            ops[i].whole(im, (int)f);
        return;
    }
    fail_msg("no operation '%s'", op);
}

static void test_like_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ref_colour / sizeof *ref_colour; i++) {
        const struct ref_colour *r = &ref_colour[i];
        const int dim = !strncmp(r->op, "dim ", 4);
        struct image im;

        picture_noise(&im, 24, 16);
        for (int j = 0; dim && j < 24 * 16 * 3; j++)
            im.rgb[j] = (uint8_t)(im.rgb[j] / 3 + 40);
        apply(&im, dim ? r->op + 4 : r->op, r->factor);
        if (image_crc(&im) != r->crc)
            fail_msg("%s %g differs from Pillow", r->op, r->factor);
        image_release(&im);
    }
}

/* Factor 1, a turn of 0 bits, a flat histogram: nothing changes.  */
static void test_identity(void **state)
{
    static const struct {
        const char *op;
        double f;
    } same[] = {{"brightness", 1}, {"contrast", 1},  {"saturation", 1},
                {"sharpness", 1},  {"posterize", 8}, {"solarize", 256}};
    struct image im;
    uint32_t crc;

    (void)state;
    picture_noise(&im, 9, 8);
    crc = image_crc(&im);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        apply(&im, same[i].op, same[i].f);
        assert_int_equal(image_crc(&im), crc);
    }
    memset(im.rgb, 77, 9 * 8 * 3);
    crc = image_crc(&im);
    apply(&im, "equalize", 0);
    apply(&im, "autocontrast", 0);
    assert_int_equal(image_crc(&im), crc);
    image_release(&im);
}

/* Pictures too small to have neighbours.  */
static void test_small(void **state)
{
    static const int size[][2] = {{1, 1}, {2, 9}, {9, 2}, {3, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct image im;
        uint32_t crc;

        picture_noise(&im, size[i][0], size[i][1]);
        crc = image_crc(&im);
        apply(&im, "sharpness", 0.2);
        assert_int_equal(image_crc(&im) == crc, i < 3);
        apply(&im, "hue", 0.3);
        apply(&im, "equalize", 0);
        apply(&im, "contrast", 0);
        image_release(&im);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_pillow),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
