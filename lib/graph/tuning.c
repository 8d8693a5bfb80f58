/* tuning.c -- see tuning.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/tuning.h"

#include <string.h>

#include "base/str.h"

enum { KB = 1 << 10, MB = 1 << 20 };

/* clang-format off */
const struct tuning_row tuning_rows[] = {
[TUNE_DIRECT_BAND_BYTES] = {"direct.band_bytes", 256 * KB, 4 * KB, 64 * MB, "bytes", TUNE_CUT, 0, "of the second cache that a task's rows of x may take"},
[TUNE_DIRECT_GROUP_BYTES] = {"direct.group_bytes", 320 * KB, 4 * KB, 64 * MB, "bytes", TUNE_CUT, 0, "of weights that pass over those rows at once"},
[TUNE_DIRECT_FEWEST_ROWS] = {"direct.fewest_rows", 2, 1, 64, "rows", TUNE_CUT, 0, "that a task has at least"},
[TUNE_DIRECT_TASKS] = {"direct.tasks", 4, 1, 64, "tasks", TUNE_CUT, 0, "wanted for each thread where x outweighs the weights or all of those fit"},
[TUNE_WINOGRAD_V_BYTES] = {"winograd.v_bytes", 1 * MB, 4 * KB, 64 * MB, "bytes", TUNE_CUT, 0, "that transformed tiles of a task may take"},
[TUNE_WINOGRAD_TASKS] = {"winograd.tasks", 8, 1, 64, "tasks", TUNE_CUT, 0, "wanted for each thread"},
[TUNE_LINEAR_BAND_TILES] = {"linear.band_tiles", 16, 1, 1024, "tiles", TUNE_CUT, 0, "of rows that pass by a panel of weights"},
[TUNE_LINEAR_ROUND_BYTES] = {"linear.round_bytes", 8 * MB, 64 * KB, 256 * MB, "bytes", TUNE_CUT, 0, "of rows that are copied at a time"},
[TUNE_WINOGRAD_NEAR_BYTES] = {"winograd.near_bytes", 2 * MB, 4 * KB, 1024 * MB, "bytes", TUNE_CHOICE, 0, "of weights that come from the second cache, larger ones from memory"},
[TUNE_WINOGRAD_NEAR] = {"winograd.near", 4, 1, 1000, "products", TUNE_CHOICE, 0, "in the time that the second cache takes to bring a weight"},
[TUNE_WINOGRAD_FAR] = {"winograd.far", 20, 1, 1000, "products", TUNE_CHOICE, 0, "in the time that memory takes to bring a weight"},
[TUNE_WINOGRAD_LEAST] = {"winograd.least", 5, 1, 16, "outputs", TUNE_CHOICE, 1, "of a tile of gradients, of 16, that are worth its products"},
[TUNE_WINOGRAD_LEAST_BF16] = {"winograd.least_bf16", 13, 1, 16, "outputs", TUNE_CHOICE, 1, "the same in bf16"},
[TUNE_WINOGRAD_RANGE_BYTES] = {"winograd.range_bytes", 5 * MB, 64 * KB, 256 * MB, "bytes", TUNE_SUMS, 1, "of sums of gradients that a task has"},
[TUNE_WINOGRAD_GRAD_BYTES] = {"winograd.grad_bytes", 512 * KB, 4 * KB, 64 * MB, "bytes", TUNE_SUMS, 1, "of tiles that it transforms at a time, if its sums have at most 1 MB"},
[TUNE_WGRAD_PASS_BYTES] = {"wgrad.pass_bytes", 256 * KB, 4 * KB, 64 * MB, "bytes", TUNE_SUMS, 1, "of x and dy that a sum in registers runs over"},
[TUNE_WGRAD_RANGE_ROWS] = {"wgrad.range_rows", 144, 16, 65536, "rows", TUNE_SUMS, 1, "of gradients that a task has"},
[TUNE_N] = {0}};

/* clang-format on */

int tuning_find(const char *name)
{
    for (int i = 0; i < TUNE_N; i++)
        if (!strcmp(tuning_rows[i].name, name))
            return i;
    return -1;
}

const char *const *tuning_names(const char *list[TUNE_N + 1])
{
    for (int i = 0; i <= TUNE_N; i++)
        list[i] = tuning_rows[i].name;
    return list;
}

const char *tuning_effect_name(enum tuning_effect e)
{
    static const char *const name[] = {"cut", "kernels", "sums"};

    return name[e];
}

void tuning_init(struct tuning *t)
{
    for (int i = 0; i < TUNE_N; i++)
        t->value[i] = tuning_rows[i].def;
}

void tuning_print(struct str *s, const struct tuning *t, int all)
{
    const size_t start = s->len;

    for (int i = 0; i < TUNE_N; i++)
        if (tuned(t, i) != tuning_rows[i].def &&
            (all || tuning_rows[i].effect != TUNE_CUT))
            str_printf(s, "%s%s=%lld", s->len > start ? " " : "",
                       tuning_rows[i].name, (long long)tuned(t, i));
}
