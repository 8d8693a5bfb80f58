/* table.c -- see table.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct table *t, const char *text)
{
    ARRAY_GROW(t->cell, t->n, t->cap);
    t->cell[t->n++] = text;
}

void table_head(struct table *t, const char *columns)
{
    char *side = arena_alloc(&t->arena, strlen(columns) + 1);

    for (const char *p = columns; *p; t->columns++) {
        const size_t n = strcspn(p, "|");
        const int marked = *p == '<' || *p == '>';

        side[t->columns] = marked ? *p : '<';
        add(t, arena_printf(&t->arena, "%s%.*s", t->columns ? "" : "# ",
                            (int)(n - (size_t)marked), p + marked));
        p += n + (p[n] == '|');
    }
    t->side = side;
}

void table_cell(struct table *t, const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    text = arena_alloc(&t->arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    add(t, text);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column.  */
static int width_of(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(const struct table *t, int i, int width)
{
    const int column = i % t->columns, last = column == t->columns - 1;
    const int gap = width - width_of(t->cell[i]);

    if (t->side[column] == '>')
        printf("%*s", gap, "");
    fputs(t->cell[i], stdout);
    if (!last && t->side[column] == '<')
        printf("%*s", gap, "");
    fputs(last ? "\n" : "  ", stdout);
}

void table_release(struct table *t)
{
    free(t->cell);
    arena_release(&t->arena);
    *t = (struct table){0};
}

void table_print(struct table *t)
{
    int *width = xcalloc((size_t)t->columns + 1, sizeof *width);

    for (int i = 0; i < t->n; i++) {
        const int w = width_of(t->cell[i]);

        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    for (int i = 0; i < t->n; i++)
        print_cell(t, i, width[i % t->columns]);
    free(width);
    table_release(t);
}
