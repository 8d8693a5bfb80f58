/* tuning.h -- the constants of the planner that a machine may want otherwise:
 * one table.
 * SPDX-License-Identifier: MIT
 *
 * What a plan computes and how it cuts the work follows from shapes, the
 * instruction-set level, these constants and those that kernels keep to
 * themselves.  Those of the table that only say how work is cut never change a
 * bit of the result; the others are part of its definition and enter
 * plan_hash().  Nothing measures them by itself: a file that adze-benchmark
 * --tune wrote (format/planfile.h) counts where it is named.
 *
 *     const int64_t bytes = tuned(s->tuning, TUNE_DIRECT_BAND_BYTES);
 *
 * A kernel that packs operands never asks for one there: packed forms are
 * shared by plans that may differ in them.  The table of adze-plan(5) is made
 * from this one: make pages.  */
#ifndef ADZE_GRAPH_TUNING_H
#define ADZE_GRAPH_TUNING_H

#include <stdint.h>

struct str;

/* What a constant changes.  */
enum tuning_effect {
    TUNE_CUT,    /* how work is cut: no bit of the result */
    TUNE_CHOICE, /* which kernel is taken, nothing else */
    TUNE_SUMS,   /* how sums are split */
};

enum tune {
    TUNE_DIRECT_BAND_BYTES,
    TUNE_DIRECT_GROUP_BYTES,
    TUNE_DIRECT_FEWEST_ROWS,
    TUNE_DIRECT_TASKS,
    TUNE_WINOGRAD_V_BYTES,
    TUNE_WINOGRAD_TASKS,
    TUNE_LINEAR_BAND_TILES,
    TUNE_LINEAR_ROUND_BYTES,
    TUNE_WINOGRAD_NEAR_BYTES,
    TUNE_WINOGRAD_NEAR,
    TUNE_WINOGRAD_FAR,
    TUNE_WINOGRAD_LEAST,
    TUNE_WINOGRAD_LEAST_BF16,
    TUNE_WINOGRAD_RANGE_BYTES,
    TUNE_WINOGRAD_GRAD_BYTES,
    TUNE_WGRAD_PASS_BYTES,
    TUNE_WGRAD_RANGE_ROWS,
    TUNE_N
};

struct tuning_row {
    const char *name; /* "direct.band_bytes" */
    int64_t def, min, max;
    const char *unit;
    enum tuning_effect effect;
    int training; /* of steps of training alone */
    const char *help;
};
extern const struct tuning_row tuning_rows[TUNE_N + 1]; /* ended by no name */

struct tuning {
    int64_t value[TUNE_N];
};

void tuning_init(struct tuning *t); /* the defaults */

/* NULL stands for the defaults.  */
static inline int64_t tuned(const struct tuning *t, enum tune i)
{
    return t ? t->value[i] : tuning_rows[i].def;
}

/* The row of NAME, or -1; the known names, NULL-ended.  */
int tuning_find(const char *name);
const char *const *tuning_names(const char *list[TUNE_N + 1]);
/* "cut", "kernels", "sums": what the constant changes.  */
const char *tuning_effect_name(enum tuning_effect e);

/* "name=value ..." of the constants that differ from the default, those that
 * change what is computed or all.  */
void tuning_print(struct str *s, const struct tuning *t, int all);

#endif
