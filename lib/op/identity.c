/* identity.c -- y = x.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  ONNX Identity.  */
#include <string.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_identity = {
    .name = "identity",
    .brief = "pass a value on unchanged",
    .in = in,
    .n_out = 1,
    .flags = OP_VIEW | OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = view_cost,
    .forward = view_forward,
    .backward = view_backward,
    .onnx = {"Identity", 1, NULL},
};
