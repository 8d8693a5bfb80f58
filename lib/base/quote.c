/* quote.c -- see quote.h.
 * SPDX-License-Identifier: MIT  */
#include "base/quote.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"

static int plain_first(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/$(";

    if (*s == '-' || *s == '.')
        s++;
    return *s && strchr(first, *s);
}

/* S needs no quotes, in any place.  */
static int plain(const char *s)
{
    static const char others[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_./$()+*<>=! -";
    const size_t n = strlen(s);

    return plain_first(s) && strspn(s, others) == n && s[n - 1] != ' ';
}

/* The bytes of the character at S, and whether it may stand raw between
 * double quotes: no control, no line break of YAML, no byte-order mark.  */
static int raw_len(const unsigned char *s, unsigned *code)
{
    const int n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    *code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++)
        *code = *code << 6 | (s[i] & 0x3f);
    return n;
}

static int raw_ok(unsigned c)
{
    return c >= 0x20 && c != '"' && c != '\\' && !(c >= 0x7f && c < 0xa0) &&
           c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe &&
           c != 0xffff;
}

void quote_yaml(struct str *s, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    if (plain(text)) {
        str_add(s, text);
        return;
    }
    str_addc(s, '"');
    while (*p) {
        unsigned c;
        const int n = raw_len(p, &c);

        if (raw_ok(c))
            str_addn(s, (const char *)p, (size_t)n);
        else if (c == '"' || c == '\\')
            str_printf(s, "\\%c", (char)c);
        else
            str_printf(s, "\\u%04X", c);
        p += n;
    }
    str_addc(s, '"');
}

void quote_cell(struct str *s, const char *text)
{
    static const char plain_of[] = "\t\n\r\\", letter[] = "tnr\\";

    for (; *text; text++) {
        const char *at = strchr(plain_of, *text);

        if (at)
            str_printf(s, "\\%c", letter[at - plain_of]);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            str_printf(s, "\\x%02x", (unsigned char)*text);
        else
            str_addc(s, *text);
    }
}

void quote_json(struct str *s, const char *text)
{
    const char *p = str_utf8(text, strlen(text)) ? text : Q(text);

    str_addc(s, '"');
    for (; *p; p++)
        if (*p == '"' || *p == '\\')
            str_printf(s, "\\%c", *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            str_printf(s, "\\u%04x", (unsigned)*p);
        else
            str_addc(s, *p);
    str_addc(s, '"');
}
