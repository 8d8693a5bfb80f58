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
 * that, point by point, by the transformed weights U [o/16][point][c][16] to
 * M [point][o/16][tile][16], 16 or 32 outputs at a time, and transforms those
 * back.  Each number is one chain over c for each point: results depend on
 * neither strips nor threads, and AVX2 and AVX-512 give the same bits.  Where
 * values are of bf16 all this stays in fp32: U in bf16 was no faster and three
 * times as far off, and V in bf16, with sums in pairs, would be worse.
 *
 * The gradient of x is the same sum over dy, with the filter turned and O and
 * C exchanged.  The gradient of the weights is a convolution of x with tiles of
 * dy to 3 x 3 outputs, which has the same points and inputs:
 *
 *     dg = G' [ sum over tiles of (B' D B) * (A dY A') ] G
 *
 * a sum of outer products with the tiles as k, as in wgrad.h: chunks of tiles,
 * which depend on the shapes alone, have sums of their own, added in order.  */
#ifndef ADZE_CPU_WINOGRAD_H
#define ADZE_CPU_WINOGRAD_H

#include "cpu/ahead.h"
#include "cpu/reader.h"
#include "cpu/writer.h"
#include "graph/device.h"
#include "graph/tuning.h"

struct winograd {
    int64_t n, c, o;
    int64_t in[2], out[2], pad[2];
    int turned; /* the filter is stored as [c][o] */
    int per;    /* channels in 32 bits of V and U: 1, or 2 of 16 bits */
    const struct tuning *tuning;
    int64_t side, points;
    int64_t grid[2], tiles; /* of an image; of all */
    int64_t planes, panels; /* of 16 channels, in and out */

    /* How it is cut; only sums depend on it.  */
    int64_t strip, strips;               /* tiles of a task; tasks */
    int64_t part, parts;                 /* panels of a task; tasks */
    int64_t v_point, m_point;            /* 32 bits each from one point to the next */
    size_t m_at, band_at, thread_floats; /* of M, of copied rows; of all */
};

/* The first outputs of a tile.  */
struct winograd_tile {
    int64_t image, h, w;
};

struct winograd_run {
    const struct winograd *g;
    struct reader x;
    struct writer y;
    const float *u;
    float *scratch;
    struct ahead_arrays read, written; /* and what is read for that */
};

/* Gradients of the weights.  G.strip tiles are transformed at a time; V has
 * the planes of a range, M is Z [point][o/16][tile][16].  */
struct winograd_grad {
    struct winograd g;
    int64_t chunks, per_chunk; /* tiles */
    int64_t range, ranges;     /* planes of a task; tasks */
    size_t sum_floats;         /* [point][c/16][o/16][16 c][16 o] */
    struct reader x, dy;
    float *sums, *scratch, *dw;
};

struct winograd_isa {
    int mr, panels; /* of a product in registers: tiles, groups of 16 */
    int64_t size;   /* bytes of a number of x and y: 4, or 2 of bf16 */
    void (*task)(void *run, int64_t task, int thread);
    void (*grad_task)(void *grad, int64_t task, int thread);
    void (*reduce_task)(void *grad, int64_t task, int thread);
    void (*bias_task)(void *grad, int64_t task, int thread);
    void (*pack)(const struct winograd *g, const float *w, float *to);
};

int winograd_accepts(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s);
size_t winograd_scratch(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s,
                        int threads);
size_t winograd_pack_bytes(int64_t side, const struct step_nodes *s, int i);
void winograd_pack(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s,
                   const struct tensor *t, float *to);
void winograd_run(const struct winograd_isa *isa, int64_t side, const struct kernel_args *a);

/* ---- for conv2d_winograd_8.c ---- */

/* The forward convolution of tiles of SIDE that S's head is of, not cut.  */
struct winograd winograd_forward(int64_t side, const struct step_nodes *s);
/* Is its filter 3 x 3, dense, in steps of 1.  */
int winograd_fits(const struct node *n);
/* Cut G for THREADS.  */
void winograd_cut(const struct winograd_isa *isa, struct winograd *g, int threads);

/* ---- tiles ---- */

static inline struct winograd_tile winograd_tile_of(const struct winograd *g, int64_t t)
{
    const int64_t area = g->grid[0] * g->grid[1];

    return (struct winograd_tile){t / area, t % area / g->grid[1] * g->side,
                                  t % g->grid[1] * g->side};
}

/* The next run of tiles side by side, of those from FIRST to END.  */
static inline int64_t winograd_run_of(const struct winograd *g, int64_t first, int64_t end)
{
    const int64_t rest = g->grid[1] - first % g->grid[1];

    return rest < end - first ? rest : end - first;
}

#endif
