/* benchrow.c -- see benchrow.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/benchrow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/common.h"

const char *const benchrow_forms[] = {"table", "csv", "jsonl", NULL};

struct cell {
    const char *name;
    int width; /* in a table; 0: it has no room for it */
    const char *text;
    double value; /* if there is no text; NAN: none */
    int digits;
};

enum { CELLS = 19 };

static double gflops_of(const struct benchrow *w)
{
    return w->r.min_s > 0
               ? 2e-9 * (double)w->mac * (double)w->batch / w->r.min_s
               : 0;
}

double benchrow_share(const struct benchrow *w)
{
    const double peak = fmax(w->peak[0], w->peak[1]);

    return peak > 0 ? gflops_of(w) / peak : 0;
}

/* X, which is of computing.  */
static double computed(const struct benchrow *w, double x)
{
    return w->reads ? NAN : x;
}

static void fill(struct cell c[CELLS], const struct benchrow *w)
{
    const double b = (double)w->batch, med = w->r.median_s;
    const struct cell list[CELLS] = {
        {"model", 24, w->model, 0, 0},
        {"dtype", 5, w->dtype, 0, 0},
        {"batch", 5, NULL, b, 0},
        {"threads", 7, NULL, (double)w->threads, 0},
        {"params", 10, NULL, computed(w, (double)w->params), 0},
        {"mmac", 9, NULL, computed(w, 1e-6 * (double)w->mac), 2},
        {"min_ms", 9, NULL, 1e3 * w->r.min_s, 3},
        {"median_ms", 9, NULL, 1e3 * med, 3},
        {"p90_ms", 9, NULL, 1e3 * w->r.p90_s, 3},
        {"p99_ms", 9, NULL, 1e3 * w->r.p99_s, 3},
        {"images_s", 9, NULL, med > 0 ? b / med : 0, 1},
        {"first_ms", 9, NULL, 1e3 * w->load_s, 1},
        {"memory_mb", 9, NULL, 1e-6 * w->memory, 1},
        {"gflops", 8, NULL, computed(w, gflops_of(w)), 1},
        {"peak", 8, NULL, computed(w, fmax(w->peak[0], w->peak[1])), 1},
        {"share", 6, NULL, computed(w, benchrow_share(w)), 3},
        {"peak_before", 0, NULL, computed(w, w->peak[0]), 1},
        {"peak_after", 0, NULL, computed(w, w->peak[1]), 1},
        {"device_mb", 0, NULL, computed(w, 1e-6 * w->device_memory), 1},
    };

    memcpy(c, list, sizeof list);
}

void benchrow_head(enum benchrow_form format)
{
    struct cell c[CELLS];

    fill(c, &(struct benchrow){0});
    for (int i = 0; format != BENCHROW_JSONL && i < CELLS; i++)
        if (format == BENCHROW_CSV)
            printf("%s%s", i ? "," : "", c[i].name);
        else if (c[i].width)
            printf("%s%*s", i ? " " : "# ", i ? c[i].width : -c[i].width,
                   c[i].name);
    if (format != BENCHROW_JSONL)
        putchar('\n');
}

/* A field of CSV or JSON: quoted, and never one that a spreadsheet takes for a
 * formula.  */
static void print_quoted(enum benchrow_form format, const char *s)
{
    putchar('"');
    if (format == BENCHROW_CSV && strchr("=+-@", *s) && *s)
        putchar('\'');
    for (; *s; s++) {
        if (*s == '"' || (format == BENCHROW_JSONL && *s == '\\'))
            putchar(format == BENCHROW_CSV ? '"' : '\\');
        putchar(*s);
    }
    putchar('"');
}

static void print_cell(enum benchrow_form format, const struct cell *c, int i)
{
    static const char *const none[] = {"-", "", "null"};
    char num[64];

    if (format == BENCHROW_TABLE && !c->width)
        return;
    if (isnan(c->value))
        snprintf(num, sizeof num, "%s", none[format]);
    else
        snprintf(num, sizeof num, "%.*f", c->digits, c->value);
    if (format == BENCHROW_TABLE) {
        printf("%s%*s", i ? " " : "  ", i ? c->width : -c->width,
               c->text ? Q(c->text) : num);
        return;
    }
    printf("%s", i ? format == BENCHROW_CSV ? "," : ", "
                 : format == BENCHROW_JSONL ? "{"
                                            : "");
    if (format == BENCHROW_JSONL)
        printf("\"%s\": ", c->name);
    if (c->text)
        print_quoted(format, Q(c->text));
    else
        fputs(num, stdout);
}

void benchrow_print(enum benchrow_form format, const struct benchrow *w)
{
    struct cell c[CELLS];

    fill(c, w);
    for (int i = 0; i < CELLS; i++)
        print_cell(format, &c[i], i);
    puts(format == BENCHROW_JSONL ? "}" : "");
    cli_flush();
}
