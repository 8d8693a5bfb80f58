/* chart.h -- curves as SVG, and a page that holds several.
 * SPDX-License-Identifier: MIT
 *
 * Text from outside is escaped; a point that is not finite is a gap.  The page
 * is one self-contained HTML file without scripts.  */
#ifndef ADZE_CLI_CHART_H
#define ADZE_CLI_CHART_H

struct str;

enum { CHART_SERIES = 6 };

struct chart {
    const char *title, *x_name, *y_name;
    const double *x; /* [n], rising */
    int n;
    struct chart_series {
        const char *name;
        const double *y; /* [n] */
    } series[CHART_SERIES];
    int n_series;
    int zero; /* the y axis begins at 0 */
};

/* Append TEXT with the characters that mean something in HTML escaped and
 * control bytes as U+FFFD.  */
void chart_text(struct str *s, const char *text);

/* Append an <svg> element of 640 x 360 pixels.  */
void chart_svg(struct str *s, const struct chart *c);

/* Append the head and the end of a page; between them charts and text of the
 * caller's.  */
void chart_page_begin(struct str *s, const char *title);
void chart_page_end(struct str *s);

#endif
