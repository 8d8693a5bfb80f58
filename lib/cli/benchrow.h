/* benchrow.h -- what was measured of a model, as a line of a table, of CSV, or
 * of JSON.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_BENCHROW_H
#define ADZE_CLI_BENCHROW_H

#include <stdint.h>

#include "run/bench.h"

struct benchrow {
    const char *model, *dtype;
    int64_t batch, threads, params, mac;
    struct bench_result r;
    double load_s, memory, device_memory; /* seconds, bytes */
    double peak[2]; /* GFLOP/s before and after: clocks rise and fall */
    int reads; /* pictures, and computes nothing: what is of computing has no
                  number then, which is - in a table, empty in CSV, and null */
};

enum benchrow_form { BENCHROW_TABLE, BENCHROW_CSV, BENCHROW_JSONL };
extern const char *const benchrow_forms[]; /* their names, NULL-ended */

/* Of the peak, in the fastest run; 0 where no peak is known.  */
double benchrow_share(const struct benchrow *w);

/* To standard output.  */
void benchrow_head(enum benchrow_form format);
void benchrow_print(enum benchrow_form format, const struct benchrow *w);

#endif
