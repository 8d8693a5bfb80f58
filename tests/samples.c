/* samples.c -- see samples.h.
 * SPDX-License-Identifier: MIT  */
#include "samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "data/dataset.h"
#include "data/tar.h"

int samples_enter(void **state)
{
    char *dir = xstrdup("/tmp/adze-test-XXXXXX");

    if (!mkdtemp(dir) || chdir(dir) < 0)
        return -1;
    *state = dir;
    return 0;
}

int samples_leave(void **state)
{
    struct str s = {0};
    int r;

    str_printf(&s, "rm -rf '%s'", (char *)*state);
    r = chdir("/") < 0 || system(str_text(&s));
    str_release(&s);
    free(*state);
    return r;
}

/* ---- files ---- */

void samples_put(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct out o;
    char *dir = xstrdup(path);

    for (char *s = dir; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(dir, 0777);
        *s = '/';
    }
    free(dir);
    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, p, n, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

void samples_text(const char *path, const char *text)
{
    samples_put(path, text, strlen(text));
}

/* A picture of one pixel whose red is V.  */
enum { DOT_BYTES = 14 };

static const char *dot(char p[DOT_BYTES], int v)
{
    memcpy(p, "P6\n1 1\n255\n", 11);
    p[11] = (char)v;
    p[12] = p[13] = 7;
    return p;
}

void samples_dot(const char *path, int v)
{
    char p[DOT_BYTES];

    samples_put(path, dot(p, v), DOT_BYTES);
}

void samples_folders(void)
{
    samples_dot("set/dog/2.ppm", 2);
    samples_dot("set/dog/1.ppm", 1);
    samples_dot("set/cat/deep/er/0.ppm", 3);
    samples_dot("set/cat/9.ppm", 4);
    samples_dot("set/.hidden/x.ppm", 5);
    samples_dot("set/cat/.x.ppm", 5);
    samples_text("set/cat/Thumbs.db", "x");
    samples_text("set/dog/desktop.ini", "x");
    samples_text("set/README", "not a class");
}

void samples_tar(const char *path, const char *const *names)
{
    struct err e = {0};
    struct out o;
    char p[DOT_BYTES];

    assert_int_equal(out_open(&o, path, &e), 0);
    for (int i = 0; names[i]; i++) {
        const char *text = strchr(names[i], '=');
        char *name = text ? xstrndup(names[i], (size_t)(text - names[i]))
                          : xstrdup(names[i]);

        if (text)
            assert_int_equal(
                tar_write(&o, name, text + 1, strlen(text + 1), &e), 0);
        else
            assert_int_equal(tar_write(&o, name, dot(p, i), DOT_BYTES, &e), 0);
        free(name);
    }
    assert_int_equal(tar_write_end(&o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

/* ---- what they are as a set ---- */

int samples_red(const struct dataset *d, int64_t i)
{
    const struct codec_opts o = {0};
    struct err e = {0};
    struct image im;
    int v;

    if (dataset_image(d, i, &o, &im, &e) < 0)
        fail_msg("%s", e.msg);
    v = im.rgb[0];
    image_release(&im);
    return v;
}

struct dataset *samples_open(const char *spec, const struct dataset_opts *o)
{
    struct err e = {0};
    struct dataset *d = dataset_open(spec, o, &e);

    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

void samples_refused(const char *spec, const struct dataset_opts *o,
                     enum err_code code, const char *text)
{
    struct err e = {0};
    struct dataset *d = dataset_open(spec, o, &e);

    if (d)
        fail_msg("'%s' was opened", spec);
    if (e.code != code || !strstr(e.msg, text))
        fail_msg("%d %s", e.code, e.msg);
}

void samples_are(const struct dataset *d, const char *want)
{
    struct str s = {0};

    for (int64_t i = 0; i < dataset_count(d); i++)
        str_printf(&s, "%s%s=%d:%d", i ? " " : "", dataset_sample(d, i).name,
                   (int)dataset_sample(d, i).label, samples_red(d, i));
    assert_string_equal(str_text(&s), want);
    str_release(&s);
}

void samples_names(const char *const *names, const char *want)
{
    struct str s = {0};

    for (; *names; names++)
        str_printf(&s, "%s%s", s.len ? " " : "", *names);
    assert_string_equal(str_text(&s), want);
    str_release(&s);
}
