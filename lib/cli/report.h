/* report.h -- the page of curves of a training run.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_REPORT_H
#define ADZE_CLI_REPORT_H

#include <stdint.h>

struct err;
struct train_row;

/* Write DIR/report.html: loss, top-1 and learning rate by epoch, FIGURE, an
 * element that stands behind them (NULL: none), and the table.  */
int report_training(const char *dir, const char *title,
                    const struct train_row *row, int64_t n, const char *figure,
                    struct err *e);

#endif
