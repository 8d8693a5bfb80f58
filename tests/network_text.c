/* network_text.c -- see network_text.h.
 * SPDX-License-Identifier: MIT  */
#include "network_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "format/network.h"

struct graph *network_text(const char *text)
{
    struct err e = {0};
    struct graph *g = network_parse("t", text, strlen(text), NULL, NULL, &e);

    if (!g)
        fail_msg("%s\n%s", e.msg, text);
    return g;
}
