/* benchrow.h -- what was measured of a model, as a line of a table, of CSV, or
 * of JSON.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_BENCHROW_H
#define ADZE_CLI_BENCHROW_H

#include <stdint.h>

#include "run/bench.h"

struct bench_row {
    const char *model, *dtype;
    int64_t batch, threads, params, mac;
    struct bench_result r;
    double load_s, memory, device_memory; /* seconds, bytes */
    double peak[2]; /* GFLOP/s before and after: clocks rise and fall */
    int saves;      /* fewer multiply-adds than MAC were needed */
};

enum bench_form { BENCH_TABLE, BENCH_CSV, BENCH_JSONL };
extern const char *const bench_forms[]; /* their names, NULL-ended */

/* Of the peak, in the fastest run; 0 where no peak is known.  */
double bench_row_share(const struct bench_row *w);

/* To standard output.  */
void bench_row_head(enum bench_form format);
void bench_row_print(enum bench_form format, const struct bench_row *w);

#endif
