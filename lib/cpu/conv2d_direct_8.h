/* conv2d_direct_8.h -- conv2d_direct.h for u8 values and i8 weights.
 * SPDX-License-Identifier: MIT
 *
 * A slot of 32 bits holds PER channels of a pixel (vec8.h): 4 bytes, read
 * where they lie, or 2 numbers of 16 bits, which the copy of a band widens.
 * Plain x is copied with all its channels side by side.
 *
 * Weights are packed as [O/16][slot][16][PER], and behind them the sum of the
 * weights of each output: sums begin at bias - zero sum(w), and what lies
 * outside x has the level of zero, so that they are those of (x - zero) w.
 *
 * Channels in groups are those of 16 outputs at a time, with weights of 0 for
 * the channels of other groups.  */
#ifndef ADZE_CPU_CONV2D_DIRECT_8_H
#define ADZE_CPU_CONV2D_DIRECT_8_H

#include "cpu/conv2d_direct.h"
#include "cpu/store_8.h"

struct direct8_run {
    struct direct_run r;
    int32_t outside; /* a slot of zeros */
    struct store8 to;
};

int conv2d_direct_8_accepts(const struct step_nodes *s);
int conv2d_direct_8_accepts_plain(const struct step_nodes *s);
size_t conv2d_direct_8_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                               int threads);
size_t conv2d_direct_8_pack_bytes(const struct direct_isa *isa, int planar,
                                  const struct step_nodes *s, int i);
void conv2d_direct_8_pack(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                          const struct tensor *t, void *to);
void conv2d_direct_8_run(const struct direct_isa *isa, int planar, const struct kernel_args *a);
void conv2d_direct_8_together(const struct direct_isa *isa, int planar, const struct siblings *s);

#endif
