/* guard.c -- see guard.h.
 * SPDX-License-Identifier: MIT  */
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* The size stands in front of the first guard.  */
enum { LINE = 64, GUARD = 64, FRONT = LINE + GUARD, GUARD_BYTE = 0xa5 };

void *guard_alloc(size_t bytes)
{
    const size_t all = (bytes + FRONT + GUARD + LINE - 1) / LINE * LINE;
    unsigned char *p = aligned_alloc(LINE, all);

    assert_non_null(p);
    memset(p, GUARD_BYTE, all);
    memcpy(p, &bytes, sizeof bytes);
    return p + FRONT;
}

void *guard_nan(size_t bytes)
{
    return memset(guard_alloc(bytes), 0xff, bytes);
}

void guard_check(const void *data)
{
    const unsigned char *p = data;
    size_t bytes;

    memcpy(&bytes, p - FRONT, sizeof bytes);
    for (size_t i = 1; i <= GUARD; i++)
        if (*(p - i) != GUARD_BYTE)
            fail_msg("byte %zu in front of an array was written", i);
    for (size_t i = 0; i < GUARD; i++)
        if (p[bytes + i] != GUARD_BYTE)
            fail_msg("byte %zu behind an array of %zu was written", i, bytes);
}

void guard_free(void *data)
{
    if (!data)
        return;
    guard_check(data);
    free((char *)data - FRONT);
}
