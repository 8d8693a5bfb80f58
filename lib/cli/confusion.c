/* confusion.c -- see confusion.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/confusion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/str.h"
#include "cli/chart.h"

static const char *name_of(const struct confusion *c, int64_t i, char buf[24])
{
    if (c->name)
        return c->name[i];
    snprintf(buf, 24, "%lld", (long long)i);
    return buf;
}

static int64_t row_sum(const struct confusion *c, int64_t i)
{
    int64_t n = 0;

    for (int64_t j = 0; j < c->k; j++)
        n += c->count[i * c->k + j];
    return n;
}

/* ---- a table ---- */

void confusion_tsv(struct str *s, const struct confusion *c)
{
    char buf[24];

    str_add(s, "# true\\predicted");
    for (int64_t j = 0; j < c->k; j++) {
        str_addc(s, '\t');
        quote_cell(s, name_of(c, j, buf));
    }
    str_addc(s, '\n');
    for (int64_t i = 0; i < c->k; i++) {
        quote_cell(s, name_of(c, i, buf));
        for (int64_t j = 0; j < c->k; j++)
            str_printf(s, "\t%lld", (long long)c->count[i * c->k + j]);
        str_addc(s, '\n');
    }
}

/* ---- a picture ---- */

enum { NAME_MAX_CHARS = 24, EDGE = 16, HEAD = 50, AXIS = 22, RECALL = 52 };

/* Where things stand, in pixels.  */
struct layout {
    double cell, left, top; /* the side of a cell; of the first one */
    double font, digits;    /* sizes of letters; 0: none are written */
    double width, height;
};

/* How many bytes of TEXT are its first N characters (UTF-8), and how many
 * characters it has up to there.  */
static size_t cut(const char *text, int n, int *chars)
{
    size_t i = 0;

    for (*chars = 0; text[i]; i++) {
        if (((unsigned char)text[i] & 0xc0) == 0x80)
            continue;
        if (*chars == n)
            break;
        ++*chars;
    }
    return i;
}

static void put_name(struct str *s, const char *name)
{
    int chars;
    const size_t n = cut(name, NAME_MAX_CHARS, &chars);
    char *head = xstrndup(name, n);

    chart_text(s, head);
    if (name[n])
        str_add(s, "\xe2\x80\xa6");
    free(head);
}

static int longest_name(const struct confusion *c)
{
    char buf[24];
    int most = 0;

    for (int64_t i = 0; i < c->k; i++) {
        const char *name = name_of(c, i, buf);
        int chars;
        const size_t n = cut(name, NAME_MAX_CHARS, &chars);

        chars += name[n] != 0;
        most = chars > most ? chars : most;
    }
    return most;
}

static int longest_number(const struct confusion *c)
{
    int64_t most = 0;
    int n = 1;

    for (int64_t i = 0; i < c->k * c->k; i++)
        most = c->count[i] > most ? c->count[i] : most;
    for (; most > 9; most /= 10)
        n++;
    return n;
}

/* A letter is about 0.6 of its size wide.  */
static struct layout arrange(const struct confusion *c)
{
    const int64_t k = c->k;
    const double cell = k <= 10   ? 44
                        : k <= 20 ? 32
                        : k <= 40 ? 20
                        : k <= 80 ? 12
                                  : 960 / (double)k;
    struct layout p = {.cell = cell};
    double names = 0;

    if (cell >= 12) {
        p.font = cell < 15 ? cell - 2 : 12;
        names = 0.6 * p.font * longest_name(c) + 8;
    }
    if (cell >= 20)
        p.digits = fmin(12, (cell - 3) / (0.6 * longest_number(c)));
    if (p.digits < 5)
        p.digits = 0;
    p.left = EDGE + AXIS + names;
    p.top = HEAD + AXIS + names;
    p.width = p.left + cell * (double)k + (p.font > 0 ? RECALL : 0) + EDGE;
    if (p.width < 480) /* the title and the key */
        p.width = 480;
    p.height = p.top + cell * (double)k + EDGE;
    return p;
}

static void put_head(struct str *s, const struct confusion *c,
                     const struct layout *p)
{
    const double side = p->cell * (double)c->k;

    str_printf(s,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f "
               "%.0f\" width=\"%.0f\" height=\"%.0f\" "
               "font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
               "<text x=\"%d\" y=\"22\" font-size=\"15\" "
               "font-weight=\"bold\">",
               p->width, p->height, p->width, p->height, EDGE);
    chart_text(s, c->title);
    str_printf(s,
               "</text>\n<text x=\"%d\" y=\"40\" fill=\"#555\">share of the "
               "true class: <tspan fill=\"#0072b2\" font-weight=\"bold\">"
               "right</tspan>, <tspan fill=\"#d55e00\" font-weight=\"bold\">"
               "wrong</tspan></text>\n",
               EDGE);
    str_printf(s,
               "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">predicted"
               "</text>\n<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\" "
               "transform=\"rotate(-90 %d %.1f)\">true</text>\n",
               p->left + side / 2, HEAD + 14, EDGE + 10, p->top + side / 2,
               EDGE + 10, p->top + side / 2);
    str_printf(s,
               "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
               "fill=\"#fafafa\" stroke=\"#bbb\"/>\n",
               p->left, p->top, side, side);
}

static void put_names(struct str *s, const struct confusion *c,
                      const struct layout *p)
{
    char buf[24];

    for (int64_t i = 0; i < c->k && p->font > 0; i++) {
        const double middle = p->cell * ((double)i + 0.5) + p->font / 3;
        const int64_t n = row_sum(c, i);

        str_printf(s,
                   "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
                   "text-anchor=\"end\">",
                   p->left - 5, p->top + middle, p->font);
        put_name(s, name_of(c, i, buf));
        str_printf(s,
                   "</text>\n<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
                   "transform=\"rotate(-90 %.1f %.1f)\">",
                   p->left + middle, p->top - 5, p->font, p->left + middle,
                   p->top - 5);
        put_name(s, name_of(c, i, buf));
        str_add(s, "</text>\n");
        if (n)
            str_printf(s,
                       "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
                       "fill=\"#555\">%.1f%%</text>\n",
                       p->left + p->cell * (double)c->k + 6, p->top + middle,
                       p->font,
                       100 * (double)c->count[i * c->k + i] / (double)n);
    }
}

/* A colour between white (0) and RGB (1).  */
static void put_colour(struct str *s, const int rgb[3], double share)
{
    str_addc(s, '#');
    for (int i = 0; i < 3; i++)
        str_printf(s, "%02x", (unsigned)(255 - (255 - rgb[i]) * share + 0.5));
}

/* Few mistakes must be seen beside none: the root of their share counts.  */
static void put_cell(struct str *s, const struct confusion *c,
                     const struct layout *p, int64_t i, int64_t j, int64_t n)
{
    static const int right[] = {0x00, 0x72, 0xb2}, wrong[] = {0xd5, 0x5e, 0x00};
    const int64_t count = c->count[i * c->k + j];
    const double share = (double)count / (double)n;
    const double tone =
        i == j ? 0.05 + 0.95 * share : 0.05 + 0.95 * sqrt(share);
    const double x = p->left + p->cell * (double)j,
                 y = p->top + p->cell * (double)i,
                 side = p->cell >= 8 ? p->cell - 1 : p->cell;
    char a[24], b[24];

    str_printf(s,
               "<g><rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
               "fill=\"",
               x, y, side, side);
    put_colour(s, i == j ? right : wrong, tone);
    str_add(s, "\"/><title>");
    chart_text(s, name_of(c, i, a));
    str_add(s, i == j ? ", right: " : ", taken for ");
    if (i != j) {
        chart_text(s, name_of(c, j, b));
        str_add(s, ": ");
    }
    str_printf(s, "%lld of %lld</title>", (long long)count, (long long)n);
    if (p->digits > 0)
        str_printf(s,
                   "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" "
                   "text-anchor=\"middle\" fill=\"%s\">%lld</text>",
                   x + side / 2, y + side / 2 + p->digits / 3, p->digits,
                   tone > 0.6 ? "white" : "#222", (long long)count);
    str_add(s, "</g>\n");
}

void confusion_svg(struct str *s, const struct confusion *c)
{
    const struct layout p = arrange(c);

    put_head(s, c, &p);
    put_names(s, c, &p);
    for (int64_t i = 0; i < c->k; i++) {
        const int64_t n = row_sum(c, i);

        for (int64_t j = 0; j < c->k; j++)
            if (c->count[i * c->k + j])
                put_cell(s, c, &p, i, j, n);
    }
    str_add(s, "</svg>\n");
}

/* ---- the mistakes ---- */

void confusion_mistakes(struct str *s, const struct confusion *c)
{
    enum { ROWS = 10 };
    int64_t at[ROWS];
    char buf[24];
    int n = 0;

    for (int64_t q = 0; q < c->k * c->k; q++) {
        int to = n;

        if (q / c->k == q % c->k || !c->count[q])
            continue;
        while (to > 0 && c->count[at[to - 1]] < c->count[q])
            to--;
        if (to == ROWS)
            continue;
        n += n < ROWS;
        memmove(at + to + 1, at + to, (size_t)(n - 1 - to) * sizeof *at);
        at[to] = q;
    }
    if (!n)
        return;
    str_add(s, "<table>\n<tr><th>true</th><th>taken for</th><th>pictures</th>"
               "<th>of</th></tr>\n");
    for (int i = 0; i < n; i++) {
        str_add(s, "<tr><td>");
        chart_text(s, name_of(c, at[i] / c->k, buf));
        str_add(s, "</td><td>");
        chart_text(s, name_of(c, at[i] % c->k, buf));
        str_printf(s, "</td><td>%lld</td><td>%lld</td></tr>\n",
                   (long long)c->count[at[i]],
                   (long long)row_sum(c, at[i] / c->k));
    }
    str_add(s, "</table>\n");
}
