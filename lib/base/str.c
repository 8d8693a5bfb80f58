/* str.c -- see str.h.
 * SPDX-License-Identifier: MIT  */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

const char *str_text(const struct str *s)
{
    return s->data ? s->data : "";
}

/* Room for N more bytes and the NUL.  */
static void reserve(struct str *s, size_t n)
{
    size_t need, cap = s->cap ? s->cap : 32;

    if (__builtin_add_overflow(s->len, n, &need) || need > SIZE_MAX / 4)
        BUG("string of %zu + %zu bytes", s->len, n);
    need++;
    if (need <= s->cap)
        return;
    while (cap < need)
        cap *= 2;
    s->data = xrealloc(s->data, cap, 1);
    s->cap = cap;
}

void str_addn(struct str *s, const char *bytes, size_t n)
{
    reserve(s, n);
    if (n)
        memcpy(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = 0;
}

void str_add(struct str *s, const char *text)
{
    str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
    str_addn(s, &c, 1);
}

void str_printf(struct str *s, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        BUG("bad format '%s'", fmt);
    reserve(s, (size_t)n);
    vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
    va_end(again);
    s->len += (size_t)n;
}

void str_clear(struct str *s)
{
    s->len = 0;
    if (s->data)
        s->data[0] = 0;
}

char *str_take(struct str *s)
{
    char *p = s->data ? s->data : xstrdup("");

    *s = (struct str){0};
    return p;
}

void str_release(struct str *s)
{
    free(s->data);
    *s = (struct str){0};
}

/* ---- numbers ---- */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *s)
{
    while (is_digit(*s))
        s++;
    return s;
}

int parse_i64(const char *s, int64_t min, int64_t max, int64_t *v)
{
    const char *const d = s + (*s == '-');
    char *end;
    long long x;

    if (!is_digit(*d) || (*d == '0' && is_digit(d[1])))
        return -1;
    errno = 0;
    x = strtoll(s, &end, 10);
    if (*end || errno || x < min || x > max)
        return -1;
    *v = x;
    return 0;
}

/* S is [-] digits [. digits] [e [+-] digits] with at least one digit before
 * the exponent.  *ZERO: all of those are 0.  */
static int decimal_shape(const char *s, int *zero)
{
    const char *const d = s + (*s == '-'), *p = skip_digits(d);
    int n = (int)(p > d);

    if (*d == '0' && is_digit(d[1]))
        return 0;
    if (*p == '.') {
        const char *const f = p + 1;

        p = skip_digits(f);
        n += p > f;
    }
    *zero = strspn(d, "0.") >= (size_t)(p - d);
    if (n && (*p == 'e' || *p == 'E')) {
        const char *const x = p + 1 + (p[1] == '+' || p[1] == '-');

        p = skip_digits(x);
        n = p > x;
    }
    return n && !*p;
}

/* The "C" locale is a constant object of the C library: nothing to free.  */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int parse_f64(const char *s, double min, double max, double *v)
{
    int zero;
    double x;

    if (!decimal_shape(s, &zero))
        return -1;
    x = strtod_l(s, NULL, c_locale());
    if (!isfinite(x) || (x == 0 && !zero) || x < min || x > max)
        return -1;
    *v = x;
    return 0;
}

int parse_bool(const char *s, int *v)
{
    static const char *const word[] = {"no", "yes", "false", "true"};

    for (int i = 0; i < 4; i++)
        if (!strcmp(s, word[i])) {
            *v = i & 1;
            return 0;
        }
    return -1;
}

/* V as text with the fewest digits that SAME() accepts.  Within 1e-4..1e16
 * without exponent, as people write such numbers.  */
static const char *fmt_shortest(char buf[FMT_NUM], double v, int max_digits,
                                int (*same)(const char *, double, locale_t))
{
    const locale_t c = c_locale(), old = uselocale(c);
    int digits = 1, ten;

    if (!isfinite(v)) {
        snprintf(buf, FMT_NUM, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    } else {
        do
            snprintf(buf, FMT_NUM, "%.*e", digits - 1, v);
        while (!same(buf, v, c) && digits++ < max_digits);
        ten = (int)strtol(strchr(buf, 'e') + 1, NULL, 10);
        if (ten >= -4 && ten < 16)
            snprintf(buf, FMT_NUM, "%.*f",
                     digits - 1 > ten ? digits - 1 - ten : 0, v);
    }
    uselocale(old);
    return buf;
}

static int same_f64(const char *s, double v, locale_t c)
{
    return strtod_l(s, NULL, c) == v;
}

static int same_f32(const char *s, double v, locale_t c)
{
    return (double)strtof_l(s, NULL, c) == v;
}

const char *fmt_f64(char buf[FMT_NUM], double v)
{
    return fmt_shortest(buf, v, 17, same_f64);
}

const char *fmt_f32(char buf[FMT_NUM], float v)
{
    return fmt_shortest(buf, (double)v, 9, same_f32);
}

/* ---- comparing ---- */

int str_index(const char *s, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!strcmp(list[i], s))
            return i;
    return -1;
}

const char *str_names(char buf[STR_NAMES], const char *const *list)
{
    size_t n = 0;

    buf[0] = 0;
    for (int i = 0; list[i]; i++) {
        const int more =
            snprintf(buf + n, STR_NAMES - n, "%s%s", i ? ", " : "", list[i]);

        n += (size_t)more;
        if (n >= STR_NAMES) {
            memcpy(buf + STR_NAMES - 4, "...", 4);
            break;
        }
    }
    return buf;
}

enum { NEAR_MAX = 64 }; /* longer words have no near names */

static int min3(int a, int b, int c)
{
    const int m = a < b ? a : b;

    return m < c ? m : c;
}

static int same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Levenshtein's distance of A (N bytes) and B (M bytes), both <= NEAR_MAX; a
 * capital is no difference.  */
static int distance(const char *a, size_t n, const char *b, size_t m)
{
    int row[NEAR_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];

        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            const int up = row[j];

            row[j] = min3(up + 1, row[j - 1] + 1,
                          diagonal + !same_letter(a[i - 1], b[j - 1]));
            diagonal = up;
        }
    }
    return row[m];
}

const char *str_nearest(const char *s, const char *const *list)
{
    const size_t n = strlen(s);
    const char *best = NULL;
    int least = n < 4 ? 2 : n < 8 ? 3 : 4; /* one less is still near */

    if (n > NEAR_MAX)
        return NULL;
    for (; *list; list++) {
        const size_t m = strlen(*list);
        const int d = m > NEAR_MAX ? NEAR_MAX : distance(s, n, *list, m);

        if (d < least && (size_t)d < n) {
            least = d;
            best = *list;
        }
    }
    return best;
}

const char *str_suggest(char buf[STR_SUGGEST], const char *s,
                        const char *const *list)
{
    const char *near = str_nearest(s, list);

    buf[0] = 0;
    if (near)
        snprintf(buf, STR_SUGGEST, "; did you mean '%s'?", Q(near));
    return buf;
}

int str_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int str_starts(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

int str_ends(const char *s, const char *suffix)
{
    const size_t n = strlen(s), m = strlen(suffix);

    return m <= n && !memcmp(s + n - m, suffix, m);
}

int str_match(const char *pattern, const char *s)
{
    const char *star = NULL, *from = NULL;

    while (*s) {
        if (*pattern == '*') {
            star = ++pattern;
            from = s;
        } else if (*pattern == '?' || *pattern == *s) {
            pattern++;
            s++;
        } else if (star) { /* let the last star take one byte more */
            pattern = star;
            s = ++from;
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* The length of the UTF-8 sequence in the N bytes at S, 0 if there is none:
 * Table 3-7 of the Unicode standard.  */
static size_t utf8_step(const unsigned char *s, size_t n)
{
    static const struct {
        unsigned char lo, hi, second_lo, second_hi, len;
    } row[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        if (s[0] < row[i].lo || s[0] > row[i].hi || n < row[i].len)
            continue;
        if (row[i].len > 1 &&
            (s[1] < row[i].second_lo || s[1] > row[i].second_hi))
            return 0;
        for (size_t k = 2; k < row[i].len; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return row[i].len;
    }
    return 0;
}

int str_utf8(const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t k;

    for (; n; p += k, n -= k)
        if (!(k = utf8_step(p, n)))
            return 0;
    return 1;
}
