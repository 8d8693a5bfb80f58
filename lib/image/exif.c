/* exif.c -- see exif.h.
 * SPDX-License-Identifier: MIT
 *
 * Only the first directory is read, entry by entry from front to back, so
 * loops of directories and values that point elsewhere have no effect.  */
#include "image/exif.h"

#include <string.h>

enum { ORIENTATION = 0x0112, SHORT = 3, LONG = 4, ENTRY = 12 };

static uint32_t number(const uint8_t *p, int bytes, int big)
{
    uint32_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

static int value(const uint8_t *entry, int big)
{
    const uint32_t type = number(entry + 2, 2, big);
    uint32_t v;

    if ((type != SHORT && type != LONG) || number(entry + 4, 4, big) != 1)
        return 1;
    v = number(entry + 8, type == SHORT ? 2 : 4, big);
    return v >= 1 && v <= 8 ? (int)v : 1;
}

int exif_orientation(const uint8_t *p, size_t n)
{
    int big;
    size_t at, count;

    if (n < 8 || (memcmp(p, "II*\0", 4) && memcmp(p, "MM\0*", 4)))
        return 1;
    big = p[0] == 'M';
    at = number(p + 4, 4, big);
    if (at > n - 2)
        return 1;
    count = number(p + at, 2, big);
    at += 2;
    for (size_t i = 0; i < count && n - at >= ENTRY; i++, at += ENTRY)
        if (number(p + at, 2, big) == ORIENTATION)
            return value(p + at, big);
    return 1;
}
