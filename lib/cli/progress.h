/* progress.h -- a progress line on stderr, only on a terminal, never with -q.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_PROGRESS_H
#define ADZE_CLI_PROGRESS_H

#include <stdint.h>

struct progress {
    const char *what, *unit;
    int64_t total; /* 0: unknown */
    int64_t from;  /* done before the start: in neither rate nor time left */
    double start, shown;
};
/* WHAT goes on, counted in UNIT ("steps"): "train 12/480 2%, 81 s left,
 * 4.859 steps/s".  */
void progress_start(struct progress *p, const char *what, const char *unit,
                    int64_t total);
/* DONE so far; EXTRA stands behind, NULL: nothing.  */
void progress_show(struct progress *p, int64_t done, const char *extra);
void progress_end(struct progress *p);
/* Erase the line if one stands there; before any other text on stderr.  */
void progress_hide(void);

#endif
