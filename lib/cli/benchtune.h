/* benchtune.h -- constants of the planner that make a model faster here, found
 * by trying: adze-benchmark --tune.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_BENCHTUNE_H
#define ADZE_CLI_BENCHTUNE_H

struct benchjob;
struct err;
struct tuning;

/* Try other constants than those of FROM on J, whose row has its batch, for
 * SECONDS each; a table of the trials to standard output, what is faster to the
 * file PATH (planfile.h), and a notice of it.  */
int benchtune_run(struct benchjob *j, int threads, double seconds,
                  const struct tuning *from, const char *path, struct err *e);

#endif
