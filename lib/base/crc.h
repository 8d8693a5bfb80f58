/* crc.h -- CRC-32 as PNG and zlib use it (IEEE 802.3, reflected).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_BASE_CRC_H
#define ADZE_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Eight bytes a step; 8 KB, meant for the stack.  */
struct crc {
    uint32_t t[8][256];
};

void crc_init(struct crc *c);

/* The CRC of the N bytes at P, continuing from CRC (0 at the start).  */
uint32_t crc_add(const struct crc *c, uint32_t crc, const uint8_t *p, size_t n);

#endif
