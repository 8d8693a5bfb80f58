/* job.c -- a job that is laid out does what it says.
 * SPDX-License-Identifier: MIT  */
#include "image/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "image/resize_taps.h"

enum { ACROSS, DOWN };

/* Side S of F over IM, of which the first pixel is number FIRST along the side,
 * as job.h defines it.  */
static struct image resized(const struct job_flat *f, int s,
                            const int32_t *words, const struct image *im,
                            int first)
{
    const struct job_side *d = &f->side[s];
    const int32_t *w = words + d->at;
    struct err e = {0};
    struct image to;

    assert_int_equal(image_new(&to, s == ACROSS ? d->n : im->w,
                               s == ACROSS ? im->h : d->n, &e),
                     0);
    for (int y = 0; y < to.h; y++)
        for (int x = 0; x < to.w; x++)
            for (int c = 0; c < 3; c++) {
                const int i = s == ACROSS ? x : y;
                int32_t sum = TAPS_HALF;

                for (int t = 0; t < w[d->n + i]; t++) {
                    const int at = w[i] + t - first;
                    const int px = s == ACROSS ? at : x,
                              py = s == ACROSS ? y : at;

                    assert_in_range(px, 0, im->w - 1);
                    assert_in_range(py, 0, im->h - 1);
                    sum += im->rgb[3 * (py * im->w + px) + c] *
                           w[(2 + t) * d->n + i];
                }
                sum >>= TAPS_BITS;
                to.rgb[3 * (y * to.w + x) + c] = (uint8_t)(sum < 0     ? 0
                                                           : sum > 255 ? 255
                                                                       : sum);
            }
    return to;
}

/* The rows, or columns, of IM that the side that is last needs.  */
static struct image needed(const struct job_flat *f, const struct image *im)
{
    static const uint8_t none[3];
    const int rows = f->last == DOWN;
    struct err e = {0};
    struct image to;

    assert_int_equal(geometry_crop(&to, im, rows ? 0 : f->mid_first,
                                   rows ? f->mid_first : 0,
                                   rows ? im->w : f->mid_n,
                                   rows ? f->mid_n : im->h, none, &e),
                     0);
    return to;
}

static void compare(const struct picture_job *j, const struct image *im)
{
    struct image want, part, mid, got;
    struct job_flat f;
    struct err e = {0};
    size_t n;
    int32_t *words = job_lay(j, im->w, im->h, &f, &n);
    const int picks = f.side[!f.last].picks;

    assert_int_equal(job_run(j, &want, im, &e), 0);
    assert_int_equal(n, (size_t)f.side[0].n * (size_t)(2 + f.side[0].most) +
                            (size_t)f.side[1].n * (size_t)(2 + f.side[1].most));
    assert_true(picks ? !f.mid_n : job_mid_bytes(&f) > 0);
    if (picks)
        assert_int_equal(image_copy(&part, im, &e), 0);
    else
        part = needed(&f, im);
    mid = resized(&f, !f.last, words, &part, 0);
    got = resized(&f, f.last, words, &mid, picks ? 0 : f.mid_first);
    assert_true(got.w == want.w && got.h == want.h);
    assert_memory_equal(got.rgb, want.rgb, 3 * (size_t)(want.w * want.h));
    image_release(&want);
    image_release(&part);
    image_release(&mid);
    image_release(&got);
    free(words);
}

static int below(const struct rng *r, int *i, int n)
{
    return (int)rng_below(r, (uint64_t)(*i)++, (uint64_t)n);
}

/* Jobs of all kinds, drawn.  */
static void test_laid_out(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 400; k++) {
        const struct rng r = rng_at(5, RNG_TEST, k, 0);
        struct picture_job j;
        struct image im;
        int i = 0;

        picture_noise(&im, 1 + below(&r, &i, 30), 1 + below(&r, &i, 30));
        job_init(&j, im.w, im.h);
        if (below(&r, &i, 4)) {
            const int x = below(&r, &i, im.w), y = below(&r, &i, im.h);
            const double some = below(&r, &i, 2) ? 0 : 0.3;
            const struct box b = {x + some, y + some, im.w - x - 2 * some,
                                  im.h - y - 2 * some};

            job_resize(&j, &b, 1 + below(&r, &i, 30), 1 + below(&r, &i, 30),
                       (enum resize_kernel)below(&r, &i, 4));
        }
        if (below(&r, &i, 2))
            job_cut(&j, below(&r, &i, 20) - 9, below(&r, &i, 20) - 9,
                    1 + below(&r, &i, 15), 1 + below(&r, &i, 15),
                    (enum pad_mode)below(&r, &i, 3));
        j.flip_x = below(&r, &i, 2);
        j.flip_y = below(&r, &i, 2);
        compare(&j, &im);
        image_release(&im);
    }
}

static void test_nothing(void **state)
{
    struct picture_job j;
    struct job_flat f;
    struct image im;
    size_t n;

    (void)state;
    picture_noise(&im, 5, 7);
    job_init(&j, 5, 7);
    assert_true(job_is_nothing(&j, &im));
    free(job_lay(&j, 5, 7, &f, &n));
    assert_int_equal(n, 3 * (5 + 7));
    assert_int_equal(job_mid_bytes(&f), 0);
    assert_int_equal(job_keep_bytes(&f), 0);
    j.change[j.n++] = (struct change){.kind = CHANGE_CONTRAST, .by = 2};
    assert_false(job_is_nothing(&j, &im));
    free(job_lay(&j, 5, 7, &f, &n));
    assert_int_equal(job_keep_bytes(&f), 3 * 5 * 7);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_laid_out),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
