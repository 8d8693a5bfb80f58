/* quant8.h -- what kernels of 8 bits, of any device, read from the quantize and
 * dequantize nodes around a layer.
 * SPDX-License-Identifier: MIT
 *
 * Scales and zero points are constants of the graph; activations are u8 with
 * one scale and zero point, weights i8 with one scale per output and zero
 * point 0.  */
#ifndef ADZE_OP_QUANT8_H
#define ADZE_OP_QUANT8_H

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

/* Whether the weights of such a layer are of 7 bits, none beyond QUANT8_MOST_7:
 * products of two of them with u8 have a sum that fits 16 bits.  It reads them
 * all if so.  */
enum { QUANT8_MOST = 127, QUANT8_MOST_7 = 64 };
int quant8_is_7(const struct node *n, int weight);

/* A result on the grid of its 8 bits, in units of its scale: what an
 * activation in front allows and [0, 255] are one range.  */
struct levels {
    float lo, hi, zero;
};

/* What follows a head: an activation, then quantize; each may be missing.  One
 * that limits is part of the grid, round(clip(v / scale, lo, hi)) + zero or
 * clip(v, lo, hi); a curve comes before: v is curve(v) / step, and scale 1.  */
extern const char *const quant8_follow[]; /* that limit */
struct requant {
    float lo, hi, zero; /* in units of scale */
    float scale;        /* 1: not quantised */
    int to_u8;
    const struct node *curve; /* an activation that does more than limit */
    float step;
};
int quant8_requant(const struct step_nodes *s, struct requant *r);

/* The sum of two u8 values.  */
struct sum8 {
    float a, b, zero_a, zero_b; /* scales in units of the result's; zeros */
    struct levels levels;
};
struct sum8 quant8_sum(const struct grid8 *a, const struct grid8 *b,
                       const struct requant *q);

/* Behind a layer any activation may follow, and behind its quantize an add of
 * another u8 value, with what follows that.  */
extern const char *const quant8_layer_follow[];
struct layer_follow {
    struct requant q;
    struct sum8 sum;
    int add;      /* the place of the add in the step; 0: none */
    int is_first; /* the layer's result is the add's first operand */
};
int quant8_layer_requant(const struct step_nodes *s, struct layer_follow *f);
/* The value that is added.  */
const struct tensor *quant8_added(const struct kernel_args *a,
                                  const struct layer_follow *f);

/* The level of each level of FROM; 1 if all stay what they are.  */
int quant8_map(const struct grid8 *from, const struct requant *to,
               uint8_t map[256]);

/* The outputs of a layer whose operands X, WEIGHT and BIAS are 0, 1 and 2,
 * from their sums of products x w:
 *     (base + sum) scale + shift
 * in units of Q's scale.  Sums of u8 times i8 must fit 32 bits.  */
enum { QUANT8_MOST_K = 65000 };
struct outputs8 {
    const int32_t *base;
    const float *scale, *shift;
};
/* TABLE has room for 3 LANES numbers; those behind the last of N outputs are
 * 0.  SUMS: of the weights of each output.  */
struct outputs8 quant8_outputs(const struct kernel_args *a,
                               const struct requant *q, int64_t n,
                               int64_t lanes, const int32_t *sums, void *table);

#endif
