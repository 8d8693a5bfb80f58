/* quantize.c -- adze-quantize: model + ranges -> model in 8 bits.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "cli/calibration.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "format/model.h"
#include "graph/graph.h"
#include "run/parity.h"

static struct calibration job = {
    .device = "cpu", .samples = 512, .seed = 1, .method = -1};
static const char *model, *output, *ranges_path;
static double min_agreement = -1;
static int reduce_range;

static const struct opt options[] = {
    OPT_DATA(&job.data),
    OPT_DEVICE(&job.device),
    OPT_CALIBRATION(&job),
    {0, "min-agreement", OPT_REAL, &min_agreement, "SHARE",
     "exit 1 if the best class stays for less than SHARE of the pictures",
     .min = 0, .max = 1},
    OPT_MODEL(&model),
    OPT_OUTPUT(&output),
    {0, "ranges", OPT_TEXT, &ranges_path, "FILE",
     "ranges from adze-calibrate, in place of -d"},
    {0, "reduce-range", OPT_FLAG, &reduce_range, NULL,
     "weights of 7 bits, in [-64, 64]: faster without VNNI"},
    OPT_SEED(&job.seed, "1"),
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-fuse-bn < model.st | adze-quantize -d data/train -O int8.st",
    "adze-quantize -m fused.st --ranges ranges.st -O int8.st", NULL};

static const struct command cmd = {
    .name = "quantize",
    .brief = "turn a network into 8-bit integers",
    .usage = "[-d DATA | --ranges=FILE] [-m FILE] [-O FILE] [-n N]",
    .options = options,
    .examples = examples,
};

struct work {
    struct model *m;
    struct graph *g, *q; /* simplified; in 8 bits */
    struct ranges r;
    char hash[HASH_TEXT]; /* of the model read */
};

static int get_ranges(struct work *w, struct err *e)
{
    if (!ranges_path)
        return calibration_run(&w->r, &job, w->m, w->g, e);
    if (ranges_read(&w->r, ranges_path, e) < 0)
        return -1;
    if (strcmp(w->r.model, w->hash) != 0)
        return err_set(e, ERR_USAGE,
                       "the ranges in '%s' are of another model: calibrate "
                       "again",
                       Q(ranges_path));
    return 0;
}

static int64_t count_op(const struct graph *g, const char *op)
{
    int64_t n = 0;

    for (int i = 0; i < g->n_node; i++)
        n += !strcmp(g->node[i]->op->name, op);
    return n;
}

static size_t weight_bytes(const struct graph *g)
{
    size_t n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->data.data)
            n += tensor_bytes(&g->value[i]->data);
    return n;
}

static int report(const struct work *w, struct err *e)
{
    struct parity p = {0};
    int bad = calibration_compare(&p, &job, w->m, w->q, w->g, e) < 0;

    if (!bad) {
        const double agree = (double)p.agree / (double)p.samples;

        cli_note("largest difference %.3g, %.3g of the largest output; the "
                 "best class agrees for %.2f %% of %lld inputs",
                 p.max_abs, p.max_rel, 100 * agree, (long long)p.samples);
        cli_note("weights %zu -> %zu bytes", weight_bytes(w->g),
                 weight_bytes(w->q));
        if (!pass_quantized(w->q))
            cli_note("nothing is in 8 bits: every layer was skipped");
        if (agree < min_agreement)
            bad = err_set(e, ERR_NO,
                          "the best class agrees for %.4f, below "
                          "%.4f",
                          agree, min_agreement);
    }
    parity_release(&p);
    return bad ? -1 : 0;
}

static void history(struct work *w)
{
    const char *options_of[] = {"calibration", w->r.options, NULL, NULL,
                                NULL,          NULL,         NULL};
    const char *inputs[] = {"data", w->r.data, "model", w->hash, NULL};
    const char *skip = "";
    int n = 2;

    for (int i = 0; i < job.skip.n; i++)
        skip = arena_printf(&w->m->arena, "%s%s%s", skip, i ? " " : "",
                            job.skip.item[i]);
    if (job.skip.n) {
        options_of[n++] = "skip";
        options_of[n++] = skip;
    }
    if (reduce_range) {
        options_of[n++] = "reduce-range";
        options_of[n++] = "yes";
    }
    model_history_add(w->m, "quantize", options_of, inputs);
}

static int quantize(struct work *w, struct err *e)
{
    struct quantize_opts o = {.skip = job.skip.item,
                              .reduce_range = reduce_range};

    w->m = io_plain_model(model, e);
    w->g = w->m ? pass_simplify(w->m->graph, e) : NULL;
    if (!w->g || calibration_check(&job, w->g, e) < 0 ||
        model_fingerprint(w->m, w->hash, e) < 0)
        return -1;
    if (count_op(w->g, "batchnorm2d"))
        cli_note("%lld batch normalisations stay float: fold them with "
                 "adze-fuse-bn, those of parallel branches with adze-reparam, "
                 "before",
                 (long long)count_op(w->g, "batchnorm2d"));
    if (get_ranges(w, e) < 0)
        return -1;
    o.range = w->r.range;
    o.n_range = w->r.n;
    w->q = pass_quantize(w->g, &o, e);
    if (!w->q || report(w, e) < 0)
        return -1;
    calibration_note(w->m);
    history(w);
    model_replace_graph(w->m, w->q);
    w->q = NULL;
    return io_write_model(w->m, output, e);
}

static int check(struct err *e)
{
    const struct cli_input inputs[] = {{model ? model : "-", "the model"},
                                       {job.data, "the data"},
                                       {ranges_path, "the file of ranges"},
                                       {0}};

    if (!job.data == !ranges_path)
        return err_set(e, ERR_USAGE, "give either -d DATA or --ranges FILE");
    if (ranges_path && job.method >= 0)
        return err_set(e, ERR_USAGE,
                       "--method is for -d: --ranges are settled");
    if (cli_stdin_once(inputs, e) < 0 ||
        cli_not_input(inputs + 1, output, "-O", e) < 0) /* but the model */
        return -1;
    return calibration_settle(&job, e) < 0 || io_check_output(output, e) < 0
               ? -1
               : 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct work w = {0};

    cli_start(&cmd, argc, argv);
    if (check(&e) == 0)
        quantize(&w, &e);
    ranges_release(&w.r);
    graph_free(w.q);
    graph_free(w.g);
    model_free(w.m);
    return cli_end(&cmd, &e);
}
