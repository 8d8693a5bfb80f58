/* augment.c -- the augmentation pipeline as a filter, also to look at.
 * SPDX-License-Identifier: MIT  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "data/form.h"
#include "data/frames.h"
#include "data/loader.h"
#include "data/sink.h"
#include "image/codec.h"
#include "tensor/shape.h"
#include "train/mix.h"
#include "train/recipe.h"

static const char *config, *policy, *data, *output, *grid;
static struct opt_list overrides;
static int64_t size, count, seed = -1, epochs, batch = 64;
static int shuffle, format = -1;

enum format { FRAMES, TAR, FOLDER };
static const char *const formats[] = {"frames", "tar", "folder", NULL};

static const struct opt options[] = {
    OPT_CONFIG(&config),
    OPT_SET(&overrides),
    {0, "policy", OPT_TEXT, &policy, "YAML",
     "operators in order, in place of the recipe's"},
    OPT_DATA(&data),
    {0, "size", OPT_INT, &size, "N", "pixels of a side of the network's input",
     .min = 1, .max = 4096, .def = "the first picture's"},
    OPT_COUNT(&count, "take N pictures, evenly spread over the set",
              "all; 10 with --grid"),
    {0, "epochs", OPT_INT, &epochs, "N", "pass over them so often", .min = 1,
     .max = 1e6, .def = "1; 7 with --grid"},
    {0, "shuffle", OPT_FLAG, &shuffle, NULL,
     "in the order that training takes"},
    OPT_SEED(&seed, "the recipe's"),
    OPT_BATCH(&batch, "64"),
    OPT_FORMAT(&format, formats, "frames, or by the name of -O"),
    {0, "grid", OPT_TEXT, &grid, "FILE",
     "write a contact sheet, a PNG, and nothing else"},
    OPT_OUTPUT(&output),
    OPT_COMMON,
    {0},
};

static const char *const examples[] = {
    "adze-augment -d data/train --grid=sheet.png",
    "adze-augment --policy='[flip, {rotate: {degrees: 30}}]' -O turned *.jpg",
    "adze-augment -d data/train --epochs=3 | scripts/adze_stream.py",
    NULL,
};

static const struct command cmd = {
    .name = "augment",
    .brief = "the augmentation pipeline as a filter, also to look at",
    .usage = "[-c RECIPE] [-o KEY=VALUE] [--policy=YAML] [-d DATA] [--size=N] "
             "[-n N] [--epochs=N] [--shuffle] [-s N] [-b N] "
             "[-f frames|tar|folder] [--grid=FILE] [-O FILE] [-j N] "
             "[picture ...]",
    .options = options,
    .examples = examples,
    .key = recipe_nearest,
    .max_args = -1,
};

/* What the parts below work on.  */
struct job {
    struct recipe r;
    struct dataset *d;
    struct loader_opts lo;
    struct loader *l;
    int64_t steps;
    float *x;
    int64_t *target;
    uint8_t *rgb; /* [batch,h,w,3]: the good ones of a batch */
    int64_t *index;
    int mixes; /* batches, as the recipe says */
};

/* ---- setting up ---- */

static int read_recipe(struct job *j, struct err *e)
{
    const char **all = xcalloc((size_t)overrides.n + 2, sizeof *all);
    struct str s = {0};
    int r;

    for (int i = 0; i < overrides.n; i++)
        all[i] = overrides.item[i];
    if (policy) {
        str_printf(&s, "train.augment=%s", policy);
        all[overrides.n] = str_text(&s);
    }
    r = recipe_read(&j->r, config, all, e);
    str_release(&s);
    free(all);
    return r;
}

static struct dataset *open_data(char **operands, int n, struct err *e)
{
    const struct dataset_opts any = {.unlabelled = 1};

    if (n && data) {
        err_set(e, ERR_USAGE, "give pictures or -d, not both");
        return NULL;
    }
    if (n)
        return dataset_paths((const char *const *)operands, n, e);
    if (!data && cli_streams("-", "", e) < 0)
        return NULL;
    return dataset_open(data ? data : "-", &any, e);
}

/* --size, else that of the first picture that is good.  */
static int find_size(struct job *j, struct err *e)
{
    const struct codec_opts co = {.exif = 1};
    struct err first = {0};
    int *to = j->lo.pre.size;

    to[0] = to[1] = (int)size;
    for (int64_t i = 0; !to[0] && i < j->lo.sampler.n; i++) {
        struct err one = {0};
        struct image im;

        if (dataset_image(j->d, i, &co, &im, &one) == 0) {
            to[0] = im.h;
            to[1] = im.w;
            image_release(&im);
        } else if (!first.code) {
            first = one;
        }
    }
    return to[0] ? 0 : err_set(e, first.code, "%s", first.msg);
}

/* The loader gives value / 255 as it is, which is turned back exactly.  */
static int set_up(struct job *j, struct err *e)
{
    struct loader_opts *lo = &j->lo;
    size_t pixels;

    if (count)
        dataset_spread(j->d, count);
    *lo = (struct loader_opts){
        .pre = {.resize = PREPROCESS_EXACT,
                .interpolation = RESIZE_BILINEAR,
                .std = {1, 1, 1},
                .exif = 1,
                .channels = 3},
        .sampler = {.n = dataset_count(j->d),
                    .batch = batch,
                    .shuffle = shuffle,
                    .keep_last = 1,
                    .seed = (uint64_t)(seed < 0 ? j->r.seed : seed)},
        .augment = &j->r.augment,
        .bad = BAD_DROP,
        .max_bad = INT64_MAX,
        .fast_decode = j->r.decode,
    };
    if (lo->sampler.batch > lo->sampler.n)
        lo->sampler.batch = lo->sampler.n;
    if (find_size(j, e) < 0)
        return -1;
    memcpy(j->r.augment.size, lo->pre.size, sizeof lo->pre.size);
    pixels = mem_mul((size_t)lo->sampler.batch * 3,
                     (size_t)lo->pre.size[0] * (size_t)lo->pre.size[1]);
    j->x = malloc(pixels * sizeof *j->x);
    j->rgb = malloc(pixels);
    if (!j->x || !j->rgb)
        return err_set(e, ERR_NOMEM,
                       "no memory for %lld pictures at once: lower -b",
                       (long long)lo->sampler.batch);
    j->target = xcalloc((size_t)lo->sampler.batch, sizeof *j->target);
    j->index = xcalloc((size_t)lo->sampler.batch, sizeof *j->index);
    j->steps = sampler_steps(&lo->sampler);
    j->l = loader_new(j->d, lo);
    return 0;
}

static void tear_down(struct job *j)
{
    loader_free(j->l);
    dataset_free(j->d);
    recipe_release(&j->r);
    free(j->x);
    free(j->rgb);
    free(j->target);
    free(j->index);
}

/* ---- batches ---- */

/* Planes of value / 255 into pixels.  */
static void unpack(uint8_t *rgb, const float *x, size_t plane)
{
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)(x[c * plane + i] * 255 + .5f);
}

static int mix(struct job *j, int64_t step, int64_t n, struct err *e)
{
    const int64_t dim[] = {n, 3, j->lo.pre.size[0], j->lo.pre.size[1]};
    const struct shape s = shape_make(4, dim);

    return mix_apply(&j->r, step, j->steps, j->x, &s, cli_pool(), e);
}

/* Batch STEP of EPOCH into J->rgb, without the pictures that cannot be used:
 * how many there are, or -1.  */
static int64_t next_batch(struct job *j, int64_t epoch, int64_t step,
                          struct err *e)
{
    const size_t plane = (size_t)j->lo.pre.size[0] * (size_t)j->lo.pre.size[1];
    int64_t n, kept = 0;

    if (loader_batch(j->l, epoch, step, j->x, j->target, &n, cli_pool(), e) < 0)
        return -1;
    if (j->mixes && mix(j, epoch * j->steps + step, n, e) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = loader_index(j->l, i);

        if (at < 0)
            continue;
        unpack(j->rgb + 3 * plane * (size_t)kept, j->x + 3 * plane * (size_t)i,
               plane);
        j->target[kept] = j->target[i];
        j->index[kept++] = at;
    }
    return kept;
}

static struct image picture(const struct job *j, int64_t i)
{
    const int h = j->lo.pre.size[0], w = j->lo.pre.size[1];

    return (struct image){
        .w = w, .h = h, .rgb = j->rgb + (size_t)i * (size_t)(3 * w * h)};
}

static int no_picture(const struct job *j, struct err *e)
{
    const char *const *reason;
    const int64_t *bad;

    loader_bad(j->l, &bad, &reason);
    return err_set(e, ERR_INPUT, "no picture can be used; the first: %s",
                   reason[0]);
}

/* Every batch of all epochs that holds a picture goes to F.  */
typedef int batch_fn(struct job *j, void *ctx, int64_t epoch, int64_t n,
                     struct err *e);

static int each_batch(struct job *j, batch_fn *f, void *ctx, struct err *e)
{
    struct progress bar;
    int64_t n = 0, all = 0;
    int r = 0;

    progress_start(&bar, "augment", "batches", epochs * j->steps);
    for (int64_t t = 0; t < epochs * j->steps && r == 0; t++) {
        n = next_batch(j, t / j->steps, t % j->steps, e);
        r = n < 0 ? -1 : n ? f(j, ctx, t / j->steps, n, e) : 0;
        all += n;
        progress_show(&bar, t + 1, NULL);
    }
    progress_end(&bar);
    return r == 0 && !all ? no_picture(j, e) : r;
}

/* ---- frames ---- */

static int put_frame(struct job *j, void *ctx, int64_t epoch, int64_t n,
                     struct err *e)
{
    struct frame_writer *w = ctx;
    struct frames_batch b = {.rgb = j->rgb,
                             .target = j->target,
                             .n = n,
                             .h = j->lo.pre.size[0],
                             .w = j->lo.pre.size[1]};
    struct str done = {0};
    int r;

    b.names = dataset_classes(j->d, &b.n_names);
    if (!b.n_names)
        b.names = NULL;
    str_printf(&done,
               "{\"decode\":\"%s\",\"orient\":\"exif\",\"size\":[%d,%d]}",
               j->r.decode ? "fast" : "exact", b.h, b.w);
    b.preprocess = str_text(&done);
    r = frames_write(w, &b, epoch, e);
    str_release(&done);
    return r;
}

static int write_frames(struct job *j, struct err *e)
{
    struct frame_writer w;
    struct out o;
    int r;

    if (out_open(&o, output, e) < 0)
        return -1;
    frame_writer_init(&w, &o);
    r = each_batch(j, put_frame, &w, e);
    if (r == 0)
        r = frame_end(&w, e);
    return r < 0 ? out_abort(&o) : out_commit(&o, e);
}

/* ---- pictures ---- */

static int put_pictures(struct job *j, void *ctx, int64_t epoch, int64_t n,
                        struct err *e)
{
    int classes, r = 0;
    const char *const *names = dataset_classes(j->d, &classes);

    for (int64_t i = 0; i < n && r == 0; i++) {
        const struct image im = picture(j, i);
        const int64_t k = j->target[i];
        struct str name = {0};
        uint8_t *png;
        size_t bytes;

        if (k >= 0 && k < classes)
            str_printf(&name, "%s/", names[k]);
        else if (k >= 0)
            str_printf(&name, "%lld/", (long long)k);
        str_printf(&name, "%06lld", (long long)j->index[i]);
        if (epochs > 1)
            str_printf(&name, "-%lld", (long long)epoch);
        str_add(&name, ".png");
        png = codec_png(&im, &bytes, e);
        r = png ? sink_put(ctx, str_text(&name), png, bytes, e) : -1;
        free(png);
        str_release(&name);
    }
    return r;
}

static int write_pictures(struct job *j, enum sink_kind kind, struct err *e)
{
    struct sink *s;

    s = sink_open(output, kind, e);
    if (!s || each_batch(j, put_pictures, s, e) < 0)
        return sink_abort(s);
    return sink_commit(s, e);
}

/* ---- the contact sheet: a row a picture, first as it is ---- */

enum { GAP = 2, ROWS = 10, COLUMNS = 7, SEEN = 64 };

struct sheet {
    struct image im;
    int zoom;
    int *row; /* of each sample; -1: not yet */
    int rows, column;
};

/* Copy cell IM to (ROW, COLUMN), each pixel ZOOM times.  */
static void put_cell(struct sheet *s, const struct image *im, int row,
                     int column)
{
    const int h = im->h * s->zoom, w = im->w * s->zoom;
    const int y0 = row * (h + GAP), x0 = column * (w + GAP);

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(s->im.rgb + 3 * ((size_t)(y0 + y) * (size_t)s->im.w +
                                    (size_t)(x0 + x)),
                   im->rgb + 3 * ((size_t)(y / s->zoom) * (size_t)im->w +
                                  (size_t)(x / s->zoom)),
                   3);
}

static int put_column(struct job *j, void *ctx, int64_t epoch, int64_t n,
                      struct err *e)
{
    struct sheet *s = ctx;

    (void)e;
    for (int64_t i = 0; i < n; i++) {
        const struct image im = picture(j, i);

        if (s->row[j->index[i]] < 0)
            s->row[j->index[i]] = s->rows++;
        put_cell(s, &im, s->row[j->index[i]], s->column + (int)epoch);
    }
    return 0;
}

/* The sheet in white, with room for every sample.  */
static int new_sheet(struct sheet *s, const struct job *j, struct err *e)
{
    const int64_t n = j->lo.sampler.n, columns = epochs + 1;
    const int h = j->lo.pre.size[0], w = j->lo.pre.size[1];
    int64_t wide, high;

    s->zoom = h >= SEEN ? 1 : (SEEN + h - 1) / h;
    wide = columns * (w * s->zoom + GAP) - GAP;
    high = n * (h * s->zoom + GAP) - GAP;
    if (wide > 32767 || high > 32767)
        return err_set(e, ERR_USAGE,
                       "a sheet of %lldx%lld pixels: lower -n or --epochs",
                       (long long)wide, (long long)high);
    if (image_new(&s->im, (int)wide, (int)high, e) < 0)
        return -1;
    memset(s->im.rgb, 255, 3 * (size_t)wide * (size_t)high);
    s->row = xcalloc((size_t)n, sizeof *s->row);
    memset(s->row, -1, (size_t)n * sizeof *s->row);
    return 0;
}

/* A second loader without the policy draws the first column.  */
static int put_originals(struct job *j, struct sheet *s, struct err *e)
{
    struct loader *with = j->l;
    const int64_t all = epochs;
    struct loader_opts lo = j->lo;
    int r;

    lo.augment = NULL;
    j->l = loader_new(j->d, &lo);
    epochs = 1;
    r = each_batch(j, put_column, s, e);
    epochs = all;
    loader_free(j->l);
    j->l = with;
    return r;
}

static int write_sheet(struct job *j, struct err *e)
{
    struct sheet s = {0};
    struct out o;
    int r = new_sheet(&s, j, e);

    if (r == 0)
        r = put_originals(j, &s, e);
    s.column = 1;
    j->mixes = mix_is_on(&j->r);
    if (r == 0)
        r = each_batch(j, put_column, &s, e);
    if (r == 0 && (r = out_open(&o, grid, e)) == 0)
        r = codec_write_png(&s.im, &o, e) < 0 ? out_abort(&o)
                                              : out_commit(&o, e);
    image_release(&s.im);
    free(s.row);
    return r;
}

/* ---- the end ---- */

static void tell_bad(const struct job *j)
{
    const char *const *reason;
    const int64_t *bad;
    const int64_t n = loader_bad(j->l, &bad, &reason);

    for (int64_t i = 0; i < n; i++) {
        struct err one = {0};

        err_set(&one, ERR_INPUT, "%s", reason[i]);
        cli_fail(&one);
    }
}

static void tell_fired(const struct job *j)
{
    int64_t all;
    const int64_t *fired = loader_fired(j->l, &all);

    for (int i = 0; i < j->r.augment.n; i++)
        cli_detail("%s changed %lld of %lld pictures (%.1f %%)",
                   j->r.augment.step[i].op->name, (long long)fired[i],
                   (long long)all,
                   all ? 100. * (double)fired[i] / (double)all : 0);
}

/* What can be known before there are pictures.  */
static int settle(struct err *e)
{
    if (grid && output)
        return err_set(e, ERR_USAGE, "--grid and -O: one at a time");
    if (grid && strchr(form_base(grid), '.') && !str_ends(grid, ".png"))
        return err_set(e, ERR_USAGE, "'%s': the sheet is a PNG, name it so",
                       Q(grid));
    if (format < 0 && sink_check_name(output, e) < 0)
        return -1;
    if (!epochs)
        epochs = grid ? COLUMNS : 1;
    if (!count && grid)
        count = ROWS;
    if (format < 0)
        format = !output || !strcmp(output, "-") ? FRAMES
                 : str_ends(output, ".tar")      ? TAR
                 : strchr(output, '.')           ? FRAMES
                                                 : FOLDER;
    if (grid || format == FOLDER)
        return io_check_file(grid, e);
    return io_check_output(output, e);
}

static int write_output(struct job *j, struct err *e)
{
    if (grid)
        return write_sheet(j, e);
    if (mix_is_on(&j->r))
        cli_note("pictures are not mixed (train.mix) but on a sheet: here each "
                 "has one class");
    if (format == FRAMES)
        return write_frames(j, e);
    return write_pictures(j, format == TAR ? SINK_TAR : SINK_FOLDER, e);
}

/* What is written replaces no picture, tar or list that is read.  */
static int check_inputs(char **operands, int n, struct err *e)
{
    const char *const out = grid ? grid : output;
    const char *const option = grid ? "--grid" : "-O";

    const struct cli_input set[] = {{data ? data : "-", "the data"}, {0}};

    for (int i = 0; i < n; i++) {
        const struct cli_input one[] = {{operands[i], "the picture"}, {0}};

        if (cli_not_input(one, out, option, e) < 0)
            return -1;
    }
    return n ? 0 : cli_not_input(set, out, option, e);
}

static int run(struct job *j, char **operands, int n, struct err *e)
{
    if (check_inputs(operands, n, e) < 0 || settle(e) < 0 ||
        read_recipe(j, e) < 0)
        return -1;
    j->d = open_data(operands, n, e);
    if (!j->d || set_up(j, e) < 0 || write_output(j, e) < 0)
        return -1;
    tell_fired(j);
    tell_bad(j);
    return 0;
}

int main(int argc, char **argv)
{
    const int at = cli_start(&cmd, argc, argv);
    struct job j = {0};
    struct err e = {0};

    run(&j, argv + at, argc - at, &e);
    tear_down(&j);
    return cli_end(&cmd, &e);
}
