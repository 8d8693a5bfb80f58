/* quant8.h -- what kernels of 8 bits read from the quantize and dequantize
 * nodes around a layer.
 * SPDX-License-Identifier: MIT
 *
 * Scales and zero points are constants of the graph; activations are u8 with
 * one scale and zero point, weights i8 with one scale per output and zero
 * point 0.  */
#ifndef ADZE_CPU_QUANT8_H
#define ADZE_CPU_QUANT8_H

#include <stdint.h>

#include "graph/device.h"

struct grid8 {
    float scale;
    int32_t zero;
};

/* Of a quantize or dequantize node of u8 with constant scalars; -1 if N is
 * none.  */
int grid8_of(const struct node *n, struct grid8 *g);
/* Of the dequantize node in front of operand I.  */
int grid8_operand(const struct node *n, int i, struct grid8 *g);

/* Operands WEIGHT and BIAS (absent, f32, or i32) of a layer are as above.  */
int quant8_layer(const struct node *n, int x, int weight, int bias);
/* The scale of output O's weights; the bias of output O, of tensor T.  */
float quant8_weight_scale(const struct node *n, int weight, int64_t o);
float quant8_bias(const struct node *n, int bias, const struct tensor *t, int64_t o);

/* What follows a head: an activation that limits, then quantize; each may be
 * missing.  The result is round(clip(v / scale, lo, hi)) + zero if it is u8,
 * else clip(v, lo, hi).  */
extern const char *const quant8_follow[];
struct requant {
    float lo, hi, zero; /* in units of scale */
    float scale;        /* 1: not quantised */
    int to_u8;
};
int quant8_requant(const struct step_nodes *s, struct requant *r);

#endif
