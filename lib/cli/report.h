/* report.h -- the page of curves of a training run.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_REPORT_H
#define ADZE_CLI_REPORT_H

#include <stdint.h>

struct err;
struct train_row;

/* Write DIR/report.html: loss, top-1 and learning rate by epoch, and the
 * table behind them.  */
int report_training(const char *dir, const char *title,
                    const struct train_row *row, int64_t n, struct err *e);

#endif
