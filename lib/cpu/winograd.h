/* winograd.h -- 3 x 3 convolution of blocked values with fewer products.
 * SPDX-License-Identifier: MIT
 *
 * A tile of SIDE x SIDE outputs (2 or 4) is computed from (SIDE + 2)^2 inputs
 * D by one product a point instead of 9 an output (Lavin, Gray, "Fast
 * algorithms for convolutional neural networks", 2016, equation 8):
 *
 *     Y = A' [ sum over c of (G g G') * (B' D B) ] A
 *
 * The points of SIDE 2 are 0, 1, -1 and infinity; of SIDE 4: 0, +-sqrt(1/2),
 * +-sqrt(2) and infinity, which lose one bit against the direct sum (0, +-1,
 * +-2 lose three).
 *
 * Channels are lanes: the transforms shuffle nothing.  A task takes a STRIP of
 * tiles, transforms all their inputs to V [point][c/16][tile][16], multiplies
 * that by the transformed weights U [o/16][point][c][16] to
 * M [point][o/16][tile][16], 16 or 32 outputs at a time, and transforms those
 * back.  Each number is one chain over c for each point: results depend on
 * neither strips nor threads, and AVX2 and AVX-512 give the same bits.
 *
 * The gradient of x is the same sum over dy, with the filter turned and O and
 * C exchanged.  */
#ifndef ADZE_CPU_WINOGRAD_H
#define ADZE_CPU_WINOGRAD_H

#include "cpu/follow.h"
#include "graph/device.h"

enum { WINOGRAD_POINTS = 36 };

struct winograd {
    int64_t n, c, o;
    int64_t in[2], out[2], pad[2];
    int turned; /* the filter is stored as [c][o] */
    int64_t side, points;
    int64_t grid[2], tiles; /* of an image; of all */
    int64_t planes, panels; /* of 16 channels, in and out */

    /* How it is cut; the result does not depend on it.  */
    int64_t strip, strips;          /* tiles of a task; tasks */
    int64_t part, parts;            /* panels of a task; tasks */
    int64_t v_point, m_point;       /* floats from one point to the next */
    size_t v_floats, thread_floats; /* of V; of V and M */
};

struct winograd_run {
    const struct winograd *g;
    const float *x, *u;
    float *y, *scratch;
    struct follow f;
};

struct winograd_isa {
    int mr, panels; /* of a product in registers: tiles, groups of 16 */
    void (*task)(void *run, int64_t task, int thread);
};

int winograd_accepts(const struct step_nodes *s);
size_t winograd_scratch(const struct winograd_isa *isa, const struct step_nodes *s, int threads);
size_t winograd_pack_bytes(const struct step_nodes *s, int i);
void winograd_pack(const struct step_nodes *s, const struct tensor *t, float *to);
void winograd_run(const struct winograd_isa *isa, const struct kernel_args *a);

#endif
