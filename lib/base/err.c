/* err.c -- see err.h.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_exit(enum err_code code)
{
    static const unsigned char status[] = {
        [ERR_NONE] = 0,        [ERR_NO] = 1,        [ERR_USAGE] = 2,
        [ERR_INPUT] = 3,       [ERR_FORMAT] = 3,    [ERR_SHAPE] = 3,
        [ERR_UNSUPPORTED] = 3, [ERR_OUTPUT] = 4,    [ERR_NOMEM] = 4,
        [ERR_DEVICE] = 4,      [ERR_NONFINITE] = 6, [ERR_INTERRUPTED] = 75,
    };

    _Static_assert(sizeof status == ERR_COUNT, "a code without a status");
    return status[code];
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (e->code)
        return -1;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return -1;
}

int err_in(struct err *e, const char *fmt, ...)
{
    char old[sizeof e->msg];
    va_list ap;
    int n;

    memcpy(old, e->msg, sizeof old);
    va_start(ap, fmt);
    n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->msg - 3)
        snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %.*s",
                 (int)sizeof old - n - 3, old);
    return -1;
}

int err_blame(struct err *e, enum err_code code)
{
    if (e->code == ERR_USAGE || e->code == ERR_FORMAT || e->code == ERR_SHAPE ||
        e->code == ERR_UNSUPPORTED)
        e->code = code;
    return -1;
}

/* The length of the valid UTF-8 sequence at S, 0 if there is none.  */
static int utf8_len(const unsigned char *s)
{
    int n = s[0] < 0x80   ? 1
            : s[0] < 0xc2 ? 0
            : s[0] < 0xe0 ? 2
            : s[0] < 0xf0 ? 3
            : s[0] < 0xf5 ? 4
                          : 0;

    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* U+0080..9F are controls; overlong forms and surrogates are refused */
    if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
        return 0;
    if (n == 3 &&
        ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
        return 0;
    if (n == 4 &&
        ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
        return 0;
    return n;
}

const char *err_quote(char buf[ERR_QUOTE], const char *s)
{
    enum { MAX = 200 };
    const unsigned char *p = (const unsigned char *)s;
    size_t n = 0;

    while (*p && p - (const unsigned char *)s < MAX) {
        int k = *p < 0x20 || *p == 0x7f || *p == '\'' ? 0 : utf8_len(p);

        if (k) {
            memcpy(buf + n, p, (size_t)k);
            n += (size_t)k;
            p += k;
        } else {
            n += (size_t)snprintf(buf + n, 5, "\\x%02x", *p++);
        }
    }
    memcpy(buf + n, *p ? "..." : "", *p ? 4 : 1);
    return buf;
}

void err_bug(const char *file, int line, const char *fmt, ...)
{
    const char *abrt = getenv("ADZE_ABORT");
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "adze: bug at %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (abrt && !strcmp(abrt, "1"))
        abort();
    exit(5);
}
