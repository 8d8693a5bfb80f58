/* calibration.h -- what adze-calibrate and adze-quantize share: the ranges of
 * a model's activations over pictures.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_CALIBRATION_H
#define ADZE_CLI_CALIBRATION_H

#include <stdint.h>

#include "cli/opt.h"
#include "format/ranges.h"
#include "run/observe.h"

struct dataset;
struct err;
struct graph;
struct loader;
struct model;
struct parity;

struct calibration {
    const char *data, *device;
    int64_t samples, seed;
    int method;           /* enum observe_method; -1: not given */
    double percentile;    /* 0: not given */
    struct opt_list skip; /* nodes that stay float */
};

/* The rows that both commands have.  */
/* clang-format off */
#define OPT_CALIBRATION(c) \
    {0, "method", OPT_CHOICE, &(c)->method, "METHOD", \
     "how to settle a range", \
     .choices = observe_methods, .def = "minmax"}, \
    {'n', "count", OPT_INT, &(c)->samples, "N", \
     "pictures to calibrate on, drawn at random", .min = 1, .max = 1e9, \
     .def = "512"}, \
    {0, "percentile", OPT_REAL, &(c)->percentile, "P", \
     "share of the numbers that percentile keeps at each end", .min = 50, \
     .max = 100, .def = "99.99"}, \
    {0, "skip", OPT_LIST, &(c)->skip, "NAME", \
     "keep this node float; a pattern with * and ?; may be repeated"}
/* clang-format on */

/* Fill in what was not given; ERR_USAGE for --percentile without its method. */
int calibration_settle(struct calibration *c, struct err *e);

/* Of G, a model's graph simplified: ERR_UNSUPPORTED if it is quantized
 * already, ERR_USAGE if a pattern of skip matches no node.  */
int calibration_check(const struct calibration *c, const struct graph *g,
                      struct err *e);

/* A notice if M was never trained, with the result.  */
void calibration_note(const struct model *m);

/* The ranges that quantizing G, which is M's graph simplified, wants, over the
 * pictures of C; with fingerprints and options.  A folder that holds train and
 * val is read at train.  */
int calibration_run(struct ranges *r, const struct calibration *c,
                    const struct model *m, const struct graph *g,
                    struct err *e);

/* A on B (A is proved) over C's pictures, or noise where C names no data.  */
int calibration_compare(struct parity *p, const struct calibration *c,
                        const struct model *m, const struct graph *a,
                        const struct graph *b, struct err *e);

#endif
