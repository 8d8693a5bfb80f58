/* elem.h -- how kernels of blocked values keep numbers: as float, or as bf16 in
 * files for the instruction set that has it.
 * SPDX-License-Identifier: MIT
 *
 *     elem                   a number
 *     elem_load(p)           VL of them, as float
 *     elem_all(p)            the one at P, in all lanes
 *     elem_store(p, v)       to nearest even
 *     elem_load_n(p, n)      the first N; zeros behind them
 *     elem_store_n(p, v, n)
 *     ELEM_LAYOUT            of the values
 *     ELEM_ANY               where any layout will do: that of bf16 stays  */
#ifndef ADZE_CPU_ELEM_H
#define ADZE_CPU_ELEM_H

#include "cpu/vec.h"
#include "graph/layout.h"

#if defined(__AVX512BF16__)
typedef uint16_t elem;
#    define elem_load(p)     vf_load_bf16(p)
#    define elem_all(p)      vf_bits(VI1((int32_t)((uint32_t) * (p) << 16)))
#    define elem_store(p, v) vf_store_bf16(p, v)
#    define ELEM_LAYOUT      LAYOUT_C16H
#    define ELEM_ANY         LAYOUT_C16H

INLINE vf elem_load_n(const elem *p, int64_t n)
{
    elem t[VL] = {0};

    memcpy(t, p, (size_t)n * sizeof *t);
    return elem_load(t);
}

INLINE void elem_store_n(elem *p, vf v, int64_t n)
{
    elem t[VL];

    elem_store(t, v);
    memcpy(p, t, (size_t)n * sizeof *t);
}
#else
typedef float elem;
#    define elem_load(p)          vf_load(p)
#    define elem_all(p)           VF1(*(p))
#    define elem_store(p, v)      vf_store(p, v)
#    define elem_load_n(p, n)     vf_load_n(p, n)
#    define elem_store_n(p, v, n) vf_store_n(p, v, n)
#    define ELEM_LAYOUT           LAYOUT_C16
#    define ELEM_ANY              LAYOUT_PLAIN
#endif

#endif
