/* table.h -- columns of text, as wide as they must be.
 * SPDX-License-Identifier: MIT
 *
 *     struct table t = {0};
 *     table_head(&t, "layer|<shape|>flop");    < left, > right; left if none
 *     table_cell(&t, "conv1");
 *     table_cell(&t, "%s", "[N,64]");
 *     table_cell(&t, "%lld", flop);
 *     table_print(&t);                          and releases it
 *
 * The head is printed with "# " in front, the rows without.  */
#ifndef ADZE_CLI_TABLE_H
#define ADZE_CLI_TABLE_H

#include "base/mem.h"

struct table {
    struct arena arena;
    const char **cell;
    int n, cap, columns;
    const char *side; /* '<' or '>' of each column */
};

void table_head(struct table *t, const char *columns);
/* The next cell, row by row.  */
void table_cell(struct table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void table_print(struct table *t); /* to standard output */
void table_release(struct table *t);

#endif
