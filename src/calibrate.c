/* calibrate.c -- adze-calibrate: model + pictures -> ranges.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "cli/calibration.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "format/model.h"
#include "graph/graph.h"

static struct calibration job = {
    .device = "cpu", .samples = 512, .seed = 1, .method = -1};
static const char *model, *output;

static const struct opt options[] = {OPT_DATA(&job.data),
                                     OPT_DEVICE(&job.device),
                                     OPT_CALIBRATION(&job),
                                     OPT_MODEL(&model),
                                     OPT_OUTPUT(&output),
                                     OPT_SEED(&job.seed, "1"),
                                     OPT_COMMON,
                                     {0}};

static const char *const examples[] = {
    "adze-calibrate -m fused.st -d data/train -n 1000 -O ranges.st", NULL};

static const struct command cmd = {
    .name = "calibrate",
    .brief = "find the ranges of activations",
    .usage = "-d DATA [-m FILE] [-O FILE] [-n N] [--method=METHOD]",
    .options = options,
    .examples = examples,
};

static int calibrate(struct err *e)
{
    struct model *m;
    struct graph *g;
    struct ranges r;
    int bad;

    const struct cli_input inputs[] = {
        {model ? model : "-", "the model"}, {job.data, "the data"}, {0}};

    if (!job.data)
        return err_set(e, ERR_USAGE, "no data: give it with -d");
    if (cli_stdin_once(inputs, e) < 0 ||
        cli_not_input(inputs, output, "-O", e) < 0 ||
        calibration_settle(&job, e) < 0 || io_check_output(output, e) < 0)
        return -1;
    m = io_plain_model(model, e);
    g = m ? pass_simplify(m->graph, e) : NULL;
    bad = !g || calibration_check(&job, g, e) < 0 ||
          calibration_run(&r, &job, m, g, e) < 0;
    if (!bad) {
        bad = ranges_save(&r, output ? output : "-", e) < 0;
        calibration_note(m);
        cli_note("ranges of %lld values", (long long)r.n);
        ranges_release(&r);
    }
    graph_free(g);
    model_free(m);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};

    cli_start(&cmd, argc, argv);
    calibrate(&e);
    return cli_end(&cmd, &e);
}
