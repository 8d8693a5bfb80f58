/* rows.h -- rows of options that several commands share: one letter, one
 * meaning, one wording.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_ROWS_H
#define ADZE_CLI_ROWS_H

#include "cli/common.h"
#include "cli/io.h"
#include "cli/opt.h"
#include "run/plan.h"

/* clang-format off */
/* In every table, last.  */
#define OPT_COMMON \
    {'j', "threads", OPT_INT, &cli.threads, "N", "threads to use", \
     .min = 1, .max = 1024, .def = "all"}, \
    {0, "cpu", OPT_TEXT, &cli.cpu, "LEVEL", \
     "highest instruction set: portable, neon, avx2, avxvnni, avx512, vnni, bf16"}, \
    {'q', "quiet", OPT_FLAG, &cli.quiet, NULL, "no notices"}, \
    {'v', "verbose", OPT_FLAG, &cli.verbose, NULL, "say more"}, \
    {'h', "help", OPT_FLAG, &cli.help, NULL, "print this help"}, \
    {'V', "version", OPT_FLAG, &cli.version, NULL, "print the version"}

#define OPT_CONFIG(p) \
    {'c', "config", OPT_TEXT, (p), "RECIPE", "recipe: a name or a YAML file"}
#define OPT_SET(p) /* struct opt_list * */ \
    {'o', "set", OPT_LIST, (p), "KEY=VALUE", "set one key; may be repeated"}
#define OPT_MODEL(p) \
    {'m', "model", OPT_TEXT, (p), "FILE", "model", .def = "standard input"}
#define OPT_DATA(p) \
    {'d', "data", OPT_TEXT, (p), "DATA", \
     "data set: folder, list, tar, IDX, CIFAR, or - for frames"}
#define OPT_EVAL(p) \
    {'e', "eval", OPT_TEXT, (p), "DATA", "data set for evaluation"}
#define OPT_DEVICE(p) \
    {'D', "device", OPT_TEXT, (p), "NAME", \
     "device: cpu, cuda or cuda:N, +libraries behind", .def = "cpu", \
     .check = io_check_device}
#define OPT_SEED(p, dflt) \
    {'s', "seed", OPT_INT, (p), "N", "seed of all random numbers", \
     .min = 0, .max = 9007199254740992.0, .def = dflt}
#define OPT_COUNT(p, text, dflt) \
    {'n', "count", OPT_INT, (p), "N", text, .min = 1, .max = 1e9, \
     .def = dflt}
#define OPT_BATCH(p, dflt) \
    {'b', "batch", OPT_INT, (p), "N", "samples in a batch", .min = 1, \
     .max = 1e6, .def = dflt}
#define OPT_FORMAT(p, list, dflt) /* int *, names */ \
    {'f', "format", OPT_CHOICE, (p), "FORMAT", "format of the output", \
     .choices = (list), .def = dflt}
#define OPT_JSON(p) \
    {0, "json", OPT_FLAG, (p), NULL, "write JSON"}
#define OPT_OUTPUT(p) \
    {'O', "output", OPT_TEXT, (p), "FILE", "write FILE, whole or not at all", \
     .def = "standard output"}
#define OPT_PLAN(p) /* io_plan() */ \
    {0, "plan", OPT_TEXT, (p), "FILE", \
     "constants of the planner, from adze-benchmark --tune"}
#define OPT_PRECISION(p, text) /* int *: io_narrow() */ \
    {0, "precision", OPT_CHOICE, (p), "FORM", text, \
     .choices = plan_precisions, .def = "fp32"}
#define OPT_PREPARE(p) /* int *: io_prepare() */ \
    {0, "prepare", OPT_CHOICE, (p), "WHERE", \
     "where decoded pictures are resized, changed and normalised", \
     .choices = io_places, .def = "device"}
#define OPT_RUN(p) \
    {'R', "run", OPT_TEXT, (p), "DIR", "run folder"}
/* clang-format on */

#endif
