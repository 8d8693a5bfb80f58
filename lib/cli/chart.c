/* chart.c -- see chart.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/chart.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

enum {
    WIDTH = 640,
    HEIGHT = 360,
    LEFT = 64,
    RIGHT = 16,
    TOP = 40,
    BOTTOM = 56
};

/* Told apart by people with any colour vision (Okabe, Ito, 2008).  */
static const char *const colours[CHART_SERIES] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

void chart_text(struct str *s, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } special[] = {{'<', "&lt;"},
                   {'>', "&gt;"},
                   {'&', "&amp;"},
                   {'"', "&quot;"},
                   {'\'', "&#39;"}};

    for (; *text; text++) {
        const char *entity =
            (unsigned char)*text < 0x20 ? "\xef\xbf\xbd" : NULL;

        for (size_t i = 0; i < sizeof special / sizeof *special; i++)
            if (special[i].c == *text)
                entity = special[i].entity;
        if (entity)
            str_add(s, entity);
        else
            str_addc(s, *text);
    }
}

struct axis {
    double lo, hi, step;
};

/* A step of 1, 2 or 5 times a power of ten that gives 4 to 8 ticks.  */
static struct axis nice(double lo, double hi)
{
    const double span = hi > lo ? hi - lo : fabs(lo) > 0 ? fabs(lo) : 1;
    const double raw = span / 5, power = pow(10, floor(log10(raw)));
    const double f = raw / power;
    const double step = power * (f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10);

    return (struct axis){floor(lo / step) * step, ceil(hi / step) * step, step};
}

static void widen(double *lo, double *hi, double v)
{
    if (!isfinite(v))
        return;
    *lo = v < *lo ? v : *lo;
    *hi = v > *hi ? v : *hi;
}

static struct axis y_axis(const struct chart *c)
{
    double lo = INFINITY, hi = -INFINITY;

    for (int k = 0; k < c->n_series; k++)
        for (int i = 0; i < c->n; i++)
            widen(&lo, &hi, c->series[k].y[i]);
    if (!isfinite(lo))
        lo = 0, hi = 1;
    return nice(c->zero && lo > 0 ? 0 : lo, hi);
}

static struct axis x_axis(const struct chart *c)
{
    double lo = INFINITY, hi = -INFINITY;

    for (int i = 0; i < c->n; i++)
        widen(&lo, &hi, c->x[i]);
    if (!isfinite(lo))
        lo = 0, hi = 1;
    struct axis a = nice(lo, hi);

    a.lo = lo; /* no empty room before the first epoch */
    a.hi = hi > lo ? hi : lo + 1;
    return a;
}

static double px(const struct axis *a, double v)
{
    return LEFT + (v - a->lo) / (a->hi - a->lo) * (WIDTH - LEFT - RIGHT);
}

static double py(const struct axis *a, double v)
{
    const double span = a->hi > a->lo ? a->hi - a->lo : 1;

    return HEIGHT - BOTTOM - (v - a->lo) / span * (HEIGHT - TOP - BOTTOM);
}

static void tick_text(struct str *s, double v)
{
    char num[FMT_NUM];

    str_add(s, fmt_f32(num, (float)(fabs(v) < 1e-12 ? 0 : v)));
}

static void draw_axes(struct str *s, const struct chart *c,
                      const struct axis *x, const struct axis *y)
{
    for (double v = y->lo; v <= y->hi + y->step / 2; v += y->step) {
        str_printf(s,
                   "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" "
                   "stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" "
                   "text-anchor=\"end\">",
                   LEFT, WIDTH - RIGHT, py(y, v), py(y, v), LEFT - 6,
                   py(y, v) + 4);
        tick_text(s, v);
        str_add(s, "</text>\n");
    }
    for (double v = ceil(x->lo / x->step) * x->step; v <= x->hi + 1e-9;
         v += x->step) {
        str_printf(s, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                   px(x, v), HEIGHT - BOTTOM + 18);
        tick_text(s, v);
        str_add(s, "</text>\n");
    }
    str_printf(s, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
               (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20);
    chart_text(s, c->x_name);
    str_printf(s,
               "</text>\n<text x=\"14\" y=\"%d\" text-anchor=\"middle\" "
               "transform=\"rotate(-90 14 %d)\">",
               (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2);
    chart_text(s, c->y_name);
    str_add(s, "</text>\n");
}

static void draw_series(struct str *s, const struct chart *c, int k,
                        const struct axis *x, const struct axis *y)
{
    const double *v = c->series[k].y;
    int open = 0;

    for (int i = 0; i <= c->n; i++) {
        const int there = i < c->n && isfinite(v[i]);

        if (there && !open)
            str_printf(s,
                       "<polyline fill=\"none\" stroke=\"%s\" "
                       "stroke-width=\"2\" points=\"",
                       colours[k]);
        if (there)
            str_printf(s, "%.1f,%.1f ", px(x, c->x[i]), py(y, v[i]));
        else if (open)
            str_add(s, "\"/>\n");
        open = there;
    }
    for (int i = 0; i < c->n && c->n <= 60; i++)
        if (isfinite(v[i]))
            str_printf(s,
                       "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" "
                       "fill=\"%s\"/>\n",
                       px(x, c->x[i]), py(y, v[i]), colours[k]);
}

static void draw_legend(struct str *s, const struct chart *c)
{
    int at = LEFT;

    for (int k = 0; k < c->n_series; k++) {
        str_printf(s,
                   "<line x1=\"%d\" x2=\"%d\" y1=\"32\" y2=\"32\" "
                   "stroke=\"%s\" stroke-width=\"3\"/><text x=\"%d\" "
                   "y=\"36\">",
                   at, at + 18, colours[k], at + 23);
        chart_text(s, c->series[k].name);
        str_add(s, "</text>\n");
        at += 40 + 7 * (int)strlen(c->series[k].name);
    }
}

void chart_svg(struct str *s, const struct chart *c)
{
    const struct axis x = x_axis(c), y = y_axis(c);

    str_printf(s,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d "
               "%d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
               "font-size=\"12\" role=\"img\">\n<rect width=\"100%%\" "
               "height=\"100%%\" fill=\"white\"/>\n<text x=\"%d\" y=\"18\" "
               "font-size=\"15\" font-weight=\"bold\">",
               WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    chart_text(s, c->title);
    str_add(s, "</text>\n");
    draw_axes(s, c, &x, &y);
    for (int k = 0; k < c->n_series; k++)
        draw_series(s, c, k, &x, &y);
    draw_legend(s, c);
    str_add(s, "</svg>\n");
}

void chart_page_begin(struct str *s, const char *title)
{
    str_add(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
               "<meta charset=\"utf-8\">\n<title>");
    chart_text(s, title);
    str_add(s, "</title>\n<style>\nbody { font-family: sans-serif; max-width: "
               "1320px; margin: 2em auto; color: #222; }\nsvg { border: 1px "
               "solid #ddd; margin: 4px; }\ntable { border-collapse: collapse; "
               "}\ntd, th { padding: 2px 10px; text-align: right; "
               "border-bottom: 1px solid #eee; }\n</style>\n</head>\n<body>\n"
               "<h1>");
    chart_text(s, title);
    str_add(s, "</h1>\n");
}

void chart_page_end(struct str *s)
{
    str_add(s, "</body>\n</html>\n");
}
