/* follow.h -- the epilogue of a step: what is done to a result before it is
 * stored.
 * SPDX-License-Identifier: MIT
 *
 *     y = act(x scale[channel] + shift[channel] + add)
 *
 * covers a bias, batch normalisation with fixed statistics, a residual and an
 * activation, as nodes that follow a head.  */
#ifndef ADZE_CPU_FOLLOW_H
#define ADZE_CPU_FOLLOW_H

#include <stdint.h>

#include "graph/device.h"

struct follow {
    const float *scale, *shift; /* per channel; NULL: none */
    const float *add;           /* of the result's shape; NULL: none */
    int act;                    /* enum act of vec.h */
    float lo, hi;
};

/* The epilogue that follow_accepts() is for: batchnorm2d, add, activation.  */
extern const char *const follow_names[];
/* The activation alone, and with an addition in front.  */
extern const char *const follow_act_names[];
extern const char *const follow_add_names[];

/* Can the nodes behind the head be expressed so?  */
int follow_accepts(const struct step_nodes *s);

/* Read the step's following nodes.  TABLE (2 C floats) holds scale and shift
 * of C channels; BIAS [C] may be NULL.  */
struct follow follow_of(const struct kernel_args *a, int64_t c, const float *bias, float *table);

/* The same for vectors of 16 channels: TABLE has room for 2 C rounded up to
 * them, scale and shift are always there, zeros behind the last channel.  */
struct follow follow_lanes(const struct kernel_args *a, int64_t c, const float *bias, float *table);

/* The activation of node N, its bounds in *LO and *HI; -1 if it is none.  */
int follow_act(const struct node *n, float *lo, float *hi);

/* The same as one value; N NULL: ACT_NONE.  */
struct follow_act {
    int act;
    float lo, hi;
};
struct follow_act follow_act_of(const struct node *n);

#endif
