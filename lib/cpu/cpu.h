/* cpu.h -- the CPU as a device: host memory and kernels by instruction set.
 * SPDX-License-Identifier: MIT
 *
 * The table of kernels is filled in order of preference (cpu.c) from what
 * cpu_features() allows; ops without an offer run their reference.
 *
 * A family is X_body.h, its arithmetic and the records of its offers, which
 * X_ISA.c compile for one instruction set each; what does not depend on that
 * (geometry, cutting, packing) is in X.c and X.h.  *.inc are parts of bodies,
 * against words which the including file defines: of several, or one that grew.
 *
 *     blocked values (graph/layout.h), of float and of bf16 (elem.h)
 *       conv2d_direct     all convolutions; wgrad.c the gradient of weights
 *       conv2d_winograd   3x3 at stride 1, where winograd.c says it is cheaper
 *       dwconv2d_blocked  a filter for each channel, with gradients of its own
 *       pool_blocked, norm_blocked, channels_blocked, eltwise
 *     the same of u8 (vec8.h, op/quant8.h): names with _8
 *     rows of numbers: linear_packed, linear_grad, attention, matmul, layernorm,
 *       rowscale, permute
 *     plain values, where nothing else accepts: conv2d_gemm, dwconv2d, maxpool,
 *       linear.c; pool.c and parts.c run references on pieces
 *
 * A kernel reads by reader.h, which may compute what it reads, and writes by
 * writer.h: follow.h says what happens to a result before it is stored, lanes.h
 * does it.  vec.h has the words for vectors, and the activations.
 *
 * A new instruction set: base/cpuinfo (names.sh says where its name must stand),
 * vec.h (and vec8.h), kernels.h, gemm.h and gemm_packed.c, peak.c, the Makefile's
 * flags for the suffix, an X_ISA.c for each family; tests/standin has what stands
 * in for it where the processor lacks it.  A new family: its files, kernels.h,
 * families[] in cpu.c.  A new op or activation: op/ops.h.  */
#ifndef ADZE_CPU_CPU_H
#define ADZE_CPU_CPU_H

#include "graph/device.h"

/* The device for feature mask FEATURES (usually cpu_features()); freed with
 * device_cpu_free().  Tests make one per mask; the mask ~0 gives
 * every kernel of the layer, whatever the machine has.  */
struct device *device_cpu_new(unsigned features);
void device_cpu_free(struct device *d);

#endif
