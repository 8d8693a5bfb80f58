/* catalog.h -- the built-in networks, and what each costs.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_CATALOG_H
#define ADZE_CLI_CATALOG_H

struct device;
struct err;
struct pool;

struct catalog_opts {
    int json;
    const struct device *measure; /* time one picture there; NULL: do not */
    struct pool *pool;
};

/* Print one row a network: parameters, arithmetic and memory access of one
 * picture (graph/summary.h), the time if it was measured (the minimum), input,
 * and what its file says of published weights and the paper.  */
int catalog_print(const struct catalog_opts *o, struct err *e);

#endif
