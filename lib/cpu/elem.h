/* elem.h -- how kernels of blocked values keep numbers: as float, or as bf16 in
 * files that define ELEM_BF16.
 * SPDX-License-Identifier: MIT
 *
 *     elem                a number
 *     elem_load(p)        VL of them, as float
 *     elem_store(p, v)    to nearest even
 *     ELEM_LAYOUT         of the values
 *     ELEM_NAME           what the names of kernels have behind the family
 *     FAMILY(name)        the family's table  */
#ifndef ADZE_CPU_ELEM_H
#define ADZE_CPU_ELEM_H

#include "cpu/vec.h"
#include "graph/layout.h"

#if defined(ELEM_BF16)
typedef uint16_t elem;
#    define elem_load(p)     vf_load_bf16(p)
#    define elem_store(p, v) vf_store_bf16(p, v)
#    define ELEM_LAYOUT      LAYOUT_C16H
#    define ELEM_NAME        "_bf16"
#    define FAMILY(name)     ISA_OF(name##_bf16_kernels)
#else
typedef float elem;
#    define elem_load(p)     vf_load(p)
#    define elem_store(p, v) vf_store(p, v)
#    define ELEM_LAYOUT      LAYOUT_C16
#    define ELEM_NAME        ""
#    define FAMILY(name)     ISA_OF(name##_kernels)
#endif

#endif
