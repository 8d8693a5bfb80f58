/* progress.c -- see progress.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common.h"

/* Seconds before the first line and between two.  */
static const double FIRST = 0.5, BETWEEN = 0.1;

static int line_shown; /* the terminal's state, which is global too */

static int wanted(void)
{
    const char *term = getenv("TERM");

    return !cli.quiet && isatty(2) && term && strcmp(term, "dumb") != 0;
}

static int columns(void)
{
    struct winsize w;

    if (ioctl(2, TIOCGWINSZ, &w) < 0 || w.ws_col < 20)
        return 79;
    return w.ws_col < 200 ? w.ws_col - 1 : 199;
}

void progress_hide(void)
{
    if (line_shown)
        fputs("\r\033[K", stderr);
    line_shown = 0;
}

void progress_start(struct progress *p, const char *what, const char *unit,
                    int64_t total)
{
    double now = clock_now();

    *p = (struct progress){.what = what,
                           .unit = unit,
                           .total = total,
                           .start = now,
                           .shown = now + FIRST - BETWEEN};
}

void progress_show(struct progress *p, int64_t done, const char *extra)
{
    const double now = clock_now(), spent = now - p->start;
    const int64_t here = done - p->from;
    char text[256];
    int n;

    if (now - p->shown < BETWEEN || !wanted())
        return;
    p->shown = now;
    n = snprintf(text, sizeof text, "%.60s %" PRId64, p->what, done);
    if (p->total > 0 && here > 0)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "/%" PRId64 " %d%%, %.0f s left", p->total,
                      (int)(100 * done / p->total),
                      spent * (double)(p->total - done) / (double)here);
    if (spent > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %.4g %s/s",
                      (double)here / spent, p->unit);
    if (extra)
        snprintf(text + n, sizeof text - (size_t)n, ", %.80s", extra);
    fprintf(stderr, "\r%.*s\033[K", columns(), text);
    line_shown = 1;
}

void progress_end(struct progress *p)
{
    p->total = 0;
    progress_hide();
}
