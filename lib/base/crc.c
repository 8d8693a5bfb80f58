/* crc.c -- see crc.h.
 * SPDX-License-Identifier: MIT  */
#include "base/crc.h"

#include "base/word.h"

void crc_init(struct crc *c)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;

        for (int b = 0; b < 8; b++)
            v = v & 1 ? 0xedb88320u ^ v >> 1 : v >> 1;
        c->t[0][i] = v;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            c->t[k][i] = c->t[0][c->t[k - 1][i] & 0xff] ^ c->t[k - 1][i] >> 8;
}

uint32_t crc_add(const struct crc *c, uint32_t crc, const uint8_t *p, size_t n)
{
    uint32_t v = ~crc;

    for (; n >= 8; n -= 8, p += 8) {
        const uint32_t a = v ^ word_le32(p), b = word_le32(p + 4);

        v = c->t[7][a & 0xff] ^ c->t[6][a >> 8 & 0xff] ^
            c->t[5][a >> 16 & 0xff] ^ c->t[4][a >> 24] ^ c->t[3][b & 0xff] ^
            c->t[2][b >> 8 & 0xff] ^ c->t[1][b >> 16 & 0xff] ^ c->t[0][b >> 24];
    }
    while (n--)
        v = c->t[0][(v ^ *p++) & 0xff] ^ v >> 8;
    return ~v;
}
