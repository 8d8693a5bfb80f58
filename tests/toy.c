/* toy.c -- see toy.h.
 * SPDX-License-Identifier: MIT  */
#include "toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "format/model.h"
#include "format/network.h"
#include "graph/graph.h"
#include "train/initial.h"
#include "train/recipe.h"

static char folder[4096]; /* the scratch folder of this program */

/* Instead of the system's: nobody pulls the plug here, and hundreds of
 * checkpoints are written.  */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- files ---- */

static void put_u32(FILE *f, unsigned v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(v >> shift & 255), f);
}

static FILE *create(const char *name, const char *what, unsigned magic, int n)
{
    struct str path = {0};
    FILE *f;

    str_printf(&path, "%s-%s", name, what);
    f = fopen(str_text(&path), "wb");
    str_release(&path);
    assert_non_null(f);
    put_u32(f, magic);
    put_u32(f, (unsigned)n);
    return f;
}

void toy_data(const char *name, int n, uint64_t seed)
{
    FILE *images = create(name, "images", 0x803, n);
    FILE *labels = create(name, "labels", 0x801, n);
    const struct rng r = rng_at(seed, RNG_TEST, 9, 0);

    put_u32(images, TOY_SIDE);
    put_u32(images, TOY_SIDE);
    for (int i = 0; i < n; i++) {
        const int label = (int)rng_below(&r, (uint64_t)i, TOY_CLASSES);

        fputc(label, labels);
        for (int k = 0; k < TOY_SIDE * TOY_SIDE; k++)
            fputc(60 * label +
                      (int)rng_below(&r, (uint64_t)(n + i * 64 + k), 120),
                  images);
    }
    fclose(images);
    fclose(labels);
}

void toy_remove(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *f;

    while (d && (f = readdir(d))) {
        struct str s = {0};

        str_printf(&s, "%s/%s", path, f->d_name);
        unlink(str_text(&s));
        str_release(&s);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

int toy_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof folder, "%s/adze-toy-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    toy_data("train", TOY_TRAIN, 1);
    toy_data("valid", TOY_VALID, 2);
    return 0;
}

int toy_teardown(void **state)
{
    (void)state;
    if (chdir("/") == 0)
        toy_remove(folder);
    return 0;
}

/* ---- networks ---- */

static const char usual[] =
    "network: toy\n"
    "input: {size: [1, 8, 8]}\n"
    "body:\n"
    "  - conv: {as: conv1, out: 4, kernel: 3, pad: 1, stride: 2}\n"
    "  - bn: {as: bn1}\n"
    "  - relu\n"
    "  - conv: {as: conv2, out: 4, kernel: 3, pad: 1}\n"
    "  - bn: {as: bn2}\n"
    "  - relu\n"
    "  - global_avg_pool\n"
    "  - dropout: {rate: 0.1}\n"
    "  - linear: {as: fc, out: 3}\n";

struct graph *toy_graph(const char *text, uint64_t seed)
{
    const char *t = text ? text : usual;
    struct err e = {0};
    struct graph *g = network_parse("toy", t, strlen(t), NULL, NULL, &e);

    if (!g || initial_fill(g, seed, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    return g;
}

struct model *toy_model(uint64_t seed)
{
    return model_new(toy_graph(NULL, seed));
}

void toy_recipe(struct recipe *r, const char *const *more)
{
    const char *list[32] = {
        "global.epochs=2",       "train.batch=4",
        "valid.batch=8",         "train.last=drop",
        "schedule.lr=0.05",      "schedule.warmup=3 steps",
        "global.save.keep=1000", "train.augment=[{pad_crop: {pad: 1}}, flip]"};
    struct err e = {0};
    int n = 8;

    while (more && *more)
        list[n++] = *more++;
    if (recipe_read(r, NULL, list, &e) < 0)
        fail_msg("%s", e.msg);
}
