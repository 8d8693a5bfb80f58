/* progress.h -- a progress line on stderr, only on a terminal, never with -q.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_PROGRESS_H
#define ADZE_CLI_PROGRESS_H

#include <stdint.h>

struct progress {
    const char *what;
    int64_t total; /* 0: unknown */
    double start, shown;
};
void progress_start(struct progress *p, const char *what, int64_t total);
void progress_show(struct progress *p, int64_t done, const char *extra);
void progress_end(struct progress *p);
/* Erase the line if one stands there; before any other text on stderr.  */
void progress_hide(void);

#endif
