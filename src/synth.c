/* synth.c -- draw the embedded data set.
 * SPDX-License-Identifier: MIT  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "data/sink.h"
#include "data/synth.h"
#include "image/codec.h"

static int64_t count = 100, size = 32, seed = 1;
static const char *output;
static int format = -1;

static const struct opt options[] = {
    OPT_COUNT(&count, "pictures of each class", "100"),
    {0, "size", OPT_INT, &size, "N", "pixels of a side", .min = 8, .max = 4096,
     .def = "32"},
    OPT_SEED(&seed, "1"),
    OPT_FORMAT(&format, sink_names, "by the name of -O"),
    OPT_OUTPUT(&output),
    OPT_COMMON,
    {0},
};

static const char *const examples[] = {
    "adze-synth -n 400 -O data/train",
    "adze-synth -n 100 -s 2 -O data/val",
    "adze-synth --size=64 | tar -t",
    NULL,
};

static const struct command cmd = {
    .name = "synth",
    .brief = "draw the embedded data set",
    .usage = "[-n N] [--size=N] [-s N] [-f tar|folder] [-O FILE] [-j N]",
    .options = options,
    .examples = examples,
};

enum { CHUNK = 64 };

/* Pictures that are drawn at once; one task each.  */
struct chunk {
    int64_t from; /* number of the first, in the order of writing */
    struct drawn {
        uint8_t *png;
        size_t n;
        struct err err;
    } at[CHUNK];
};

static void draw(void *ctx, int64_t task, int thread)
{
    struct chunk *c = ctx;
    struct drawn *d = &c->at[task];
    const int64_t i = c->from + task;
    struct image im;

    (void)thread;
    *d = (struct drawn){0};
    if (synth_image(&im, (uint64_t)seed, (int)(i / count), i % count, (int)size,
                    &d->err) < 0)
        return;
    d->png = codec_png(&im, &d->n, &d->err);
    image_release(&im);
}

static int put(struct sink *s, const struct drawn *d, int64_t i, struct err *e)
{
    char name[64];

    if (!d->png)
        return err_set(e, d->err.code, "%s", d->err.msg);
    snprintf(name, sizeof name, "%s/%05lld.png", synth_classes[i / count],
             (long long)(i % count));
    return sink_put(s, name, d->png, d->n, e);
}

static int write_all(struct sink *s, struct progress *bar, struct err *e)
{
    const int64_t all = SYNTH_CLASSES * count;
    struct chunk *c = xcalloc(1, sizeof *c);
    int r = 0;

    for (c->from = 0; c->from < all && r == 0; c->from += CHUNK) {
        const int64_t n = all - c->from < CHUNK ? all - c->from : CHUNK;

        pool_run(cli_pool(), n, draw, c);
        for (int64_t k = 0; k < n; k++) {
            if (r == 0)
                r = put(s, &c->at[k], c->from + k, e);
            free(c->at[k].png);
        }
        progress_show(bar, c->from + n, NULL);
    }
    free(c);
    return r;
}

/* A tar goes to standard output and into files that end in .tar.  */
static enum sink_kind kind(void)
{
    if (format >= 0)
        return (enum sink_kind)format;
    return !output || !strcmp(output, "-") || str_ends(output, ".tar")
               ? SINK_TAR
               : SINK_FOLDER;
}

static int run(struct err *e)
{
    struct progress bar;
    struct sink *s;
    int r;

    if (format < 0 && sink_check_name(output, e) < 0)
        return -1;
    if (kind() == SINK_TAR && cli_streams("", output, e) < 0)
        return -1;
    s = sink_open(output, kind(), e);
    if (!s)
        return -1;
    progress_start(&bar, "draw", "pictures", SYNTH_CLASSES * count);
    r = write_all(s, &bar, e);
    progress_end(&bar);
    return r < 0 ? sink_abort(s) : sink_commit(s, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};

    cli_start(&cmd, argc, argv);
    run(&e);
    return cli_end(&cmd, &e);
}
