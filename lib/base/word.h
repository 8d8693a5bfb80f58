/* word.h -- numbers in the bytes of a file: le is little-endian, be big.
 * SPDX-License-Identifier: MIT
 *
 * P needs no alignment; the caller has made sure that the bytes are there.  */
#ifndef ADZE_BASE_WORD_H
#define ADZE_BASE_WORD_H

#include <stdint.h>

static inline uint32_t word_le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t word_le32(const uint8_t *p)
{
    return word_le16(p) | word_le16(p + 2) << 16;
}

static inline uint32_t word_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | (uint32_t)p[1];
}

static inline uint32_t word_be32(const uint8_t *p)
{
    return word_be16(p) << 16 | word_be16(p + 2);
}

#endif
