/* reparam.c -- adze-reparam: model -> model with one convolution a block.
 * SPDX-License-Identifier: MIT  */
#include <stddef.h>

#include "base/err.h"
#include "cli/common.h"
#include "cli/rows.h"
#include "cli/transform.h"
#include "pass/pass.h"

static struct transform t = {
    .nothing = "nothing to re-parameterise: no sum has parallel linear "
               "branches of one value"};

static const struct opt options[] = {TRANSFORM_OPTIONS(&t), OPT_COMMON, {0}};

static const char *const examples[] = {
    "adze-reparam -m repvgg.st -O plain.st",
    "adze-reparam < repvgg.st | adze-export -f onnx -O repvgg.onnx", NULL};

static const struct command cmd = {
    .name = "reparam",
    .brief = "turn parallel branches into one convolution, and prove it",
    .usage = "[-m FILE] [-O FILE] [--json]",
    .options = options,
    .examples = examples,
};

int main(int argc, char **argv)
{
    struct err e = {0};

    cli_start(&cmd, argc, argv);
    transform_exact(&t, pass_reparam, &e);
    return cli_end(&cmd, &e);
}
