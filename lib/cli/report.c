/* report.c -- see report.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/report.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "cli/chart.h"
#include "train/loop.h"

/* Member AT of each row.  */
static double *column(const struct train_row *row, int64_t n, size_t at)
{
    double *y = xcalloc((size_t)n + 1, sizeof *y);

    for (int64_t i = 0; i < n; i++)
        y[i] = *(const double *)((const char *)&row[i] + at);
    return y;
}

static const struct curves {
    const char *title, *y_name;
    int zero, n;
    struct {
        const char *name;
        size_t at;
    } of[2];
} curves[] = {
    {"Loss",
     "cross-entropy",
     1,
     2,
     {{"training", offsetof(struct train_row, loss)},
      {"evaluation", offsetof(struct train_row, valid_loss)}}},
    {"Top-1 accuracy",
     "share right",
     0,
     2,
     {{"training (augmented)", offsetof(struct train_row, top1)},
      {"evaluation", offsetof(struct train_row, valid_top1)}}},
    {"Learning rate",
     "rate",
     1,
     1,
     {{"last step of the epoch", offsetof(struct train_row, lr)}, {0}}},
};

static void add_chart(struct str *s, const struct curves *k, const double *x,
                      const struct train_row *row, int64_t n)
{
    struct chart c = {.title = k->title,
                      .x_name = "epoch",
                      .y_name = k->y_name,
                      .x = x,
                      .n = (int)n,
                      .n_series = k->n,
                      .zero = k->zero};
    double *y[2] = {NULL};

    for (int i = 0; i < k->n; i++) {
        y[i] = column(row, n, k->of[i].at);
        c.series[i].name = k->of[i].name;
        c.series[i].y = y[i];
    }
    chart_svg(s, &c);
    free(y[0]);
    free(y[1]);
}

/* A cell; empty for what was not measured.  */
static void add_cell(struct str *s, double v)
{
    if (isfinite(v))
        str_printf(s, "<td>%.4f</td>", v);
    else
        str_add(s, "<td></td>");
}

static void add_table(struct str *s, const struct train_row *row, int64_t n)
{
    str_add(s, "<table>\n<tr><th>epoch</th><th>rate</th><th>loss</th>"
               "<th>top-1</th><th>evaluation loss</th>"
               "<th>evaluation top-1</th></tr>\n");
    for (int64_t i = 0; i < n; i++) {
        const struct train_row *r = &row[i];

        str_printf(s, "<tr><td>%lld</td><td>%.4g</td>", (long long)r->epoch,
                   r->lr);
        add_cell(s, r->loss);
        add_cell(s, r->top1);
        add_cell(s, r->valid_loss);
        add_cell(s, r->valid_top1);
        str_add(s, "</tr>\n");
    }
    str_add(s, "</table>\n");
}

int report_training(const char *dir, const char *title,
                    const struct train_row *row, int64_t n, const char *figure,
                    struct err *e)
{
    double *x = xcalloc((size_t)n + 1, sizeof *x);
    struct str s = {0}, path = {0};
    struct out o;
    int bad;

    for (int64_t i = 0; i < n; i++)
        x[i] = (double)row[i].epoch;
    chart_page_begin(&s, title);
    for (size_t i = 0; i < COUNT(curves); i++)
        add_chart(&s, &curves[i], x, row, n);
    if (figure)
        str_add(&s, figure);
    add_table(&s, row, n);
    chart_page_end(&s);
    str_printf(&path, "%s/report.html", dir);
    bad = out_open(&o, str_text(&path), e);
    if (!bad)
        bad = out_write(&o, str_text(&s), s.len, e) < 0 ? out_abort(&o)
                                                        : out_commit(&o, e);
    str_release(&path);
    str_release(&s);
    free(x);
    return bad;
}
