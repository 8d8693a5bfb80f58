/* box.cuh -- several arrays read by one index of up to SHAPE_MAX axes.
 * SPDX-License-Identifier: MIT
 *
 * Each array is linear in the index: an axis has a step, 0 where the array is
 * broadcast along it.  The axes are put in an order in which neighbouring
 * threads write neighbouring numbers.  */
#ifndef ADZE_CUDA_BOX_CUH
#define ADZE_CUDA_BOX_CUH

#include "cuda/cuda.cuh"

enum { BOX_ARRAYS = 10 };

struct box {
    int rank;
    int64_t count, dim[SHAPE_MAX];
    int64_t step[BOX_ARRAYS][SHAPE_MAX];
};

static inline struct box box_of(const struct shape *s)
{
    struct box b = {};

    b.rank = s->rank;
    b.count = 1;
    for (int d = 0; d < s->rank; d++) {
        b.dim[d] = s->dim[d];
        b.count *= s->dim[d];
    }
    return b;
}

/* Array I has shape S, of which the axes at the end are those of the box or 1,
 * and lies in layout L.  */
static inline void box_steps(struct box *b, int i, const struct shape *s, enum layout l)
{
    int64_t n = 1;

    for (int k = s->rank - 1; k >= 0; k--) {
        const int d = layout_axis(l, s->rank, k);

        if (s->dim[d] != 1)
            b->step[i][d + b->rank - s->rank] = n;
        n *= s->dim[d];
    }
}

/* From here on the axes stand as they do in layout L.  */
static inline void box_order(struct box *b, enum layout l)
{
    const struct box was = *b;

    for (int k = 0; k < b->rank; k++) {
        const int d = layout_axis(l, b->rank, k);

        b->dim[k] = was.dim[d];
        for (int i = 0; i < BOX_ARRAYS; i++)
            b->step[i][k] = was.step[i][d];
    }
}

/* Where index I of the box is in each of N arrays.  */
__device__ __forceinline__ void box_at(const struct box &b, int64_t i, int n, int64_t *at)
{
    for (int a = 0; a < n; a++)
        at[a] = 0;
    for (int d = b.rank - 1; d >= 0; d--) {
        const int64_t k = i % b.dim[d];

        i /= b.dim[d];
        for (int a = 0; a < n; a++)
            at[a] += k * b.step[a][d];
    }
}

/* Array 1 becomes array 0.  */
template <class X, class Y> __global__ void move(struct box b, const X *x, Y *y)
{
    for (EACH (i, b.count)) {
        int64_t at[2];

        box_at(b, i, 2, at);
        put(&y[at[1]], get(x[at[0]]));
    }
}

#endif
