/* fuse-bn.c -- adze-fuse-bn: model -> model without batch-norm.
 * SPDX-License-Identifier: MIT  */
#include <stddef.h>

#include "base/err.h"
#include "cli/common.h"
#include "cli/rows.h"
#include "cli/transform.h"
#include "pass/pass.h"

static struct transform t = {
    .nothing = "nothing to fuse: no batch-norm alone reads a convolution or "
               "linear layer"};

static const struct opt options[] = {TRANSFORM_OPTIONS(&t), OPT_COMMON, {0}};

static const char *const examples[] = {
    "adze-fuse-bn -m model.st -O fused.st",
    "adze-fuse-bn < model.st | adze-export -f onnx -O model.onnx", NULL};

static const struct command cmd = {
    .name = "fuse-bn",
    .brief = "fuse batch-norm into convolutions, and prove it",
    .usage = "[-m FILE] [-O FILE] [--json]",
    .options = options,
    .examples = examples,
};

int main(int argc, char **argv)
{
    struct err e = {0};

    cli_start(&cmd, argc, argv);
    transform_exact(&t, pass_fuse_bn, &e);
    return cli_end(&cmd, &e);
}
