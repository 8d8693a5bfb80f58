/* ops.h -- every op record, declared from the list in op.def.
 * SPDX-License-Identifier: MIT
 *
 * To add an op: one file with its record, one line in op.def, one test.  It
 * runs then, as the reference does; an activation is two functions for
 * op/pointwise.h, and a line in cpu/parts.c gives it threads and blocked
 * values.  What makes it fast: its formula in cpu/vec.h (enum act, vf_act(),
 * vf_slope()), its name in cpu/follow.c, its offers in cpu/eltwise_body.h; in
 * the sweep of another op its gradient is taken where cpu/writer.c names it,
 * and 8 bits where op/quant8.c does.  On a GPU: its formulas in cuda/act.cuh,
 * and a line of ACTS there.  What has no ONNX op of its own is written by a
 * table of format/onnx_lower_X.c and recognised by format/onnx_pattern.c; as C
 * source an op is written by format/cgen_ops.c, cgen_layer.c or cgen_move.c.
 */
#ifndef ADZE_OP_OPS_H
#define ADZE_OP_OPS_H

#include "graph/op.h"

#define OP(name) extern const struct op op_##name;
#include "op/op.def"
#undef OP

/* All records in the order of op.def, ended by NULL.  */
extern const struct op *const op_all[];

/* The record whose name or alias is NAME, or NULL.  */
const struct op *op_find(const char *name);

#endif
