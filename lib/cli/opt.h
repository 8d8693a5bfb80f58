/* opt.h -- one table of options per command: parsing, --help, completion and
 * the check against the man page come from it.
 * SPDX-License-Identifier: MIT
 *
 *     static const char *out = "-";
 *     static const struct opt options[] = {
 *         OPT_COMMON_OUTPUT(&out),
 *         {'n', "count", OPT_INT, &n, "N", "pictures to draw", .min = 1, .max = 1e9},
 *         OPT_COMMON,
 *         {0}};
 *     static const struct command cmd = {
 *         .name = "synth", .brief = "draw the embedded data set",
 *         .usage = "[-n count] [-O file] ...", .options = options, ...};
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct err e = {0};
 *         int rest = cli_start(&cmd, argc, argv);
 *         ...
 *         return cli_end(&cmd, &e);
 *     }
 *
 * Values are parsed whole and checked against their range; an error is one
 * line on stderr and exit 2.  Letters mean the same in every command
 * (design: -c -o -m -d -e -D -j -s -n -b -f -O -R -q -v -h -V).  */
#ifndef ADZE_CLI_OPT_H
#define ADZE_CLI_OPT_H

#include <stdint.h>

struct err;

enum opt_kind {
    OPT_END,
    OPT_FLAG,  /* int *: set to 1, counted when repeated */
    OPT_INT,   /* int64_t *, in [min, max] */
    OPT_REAL,  /* double *, in [min, max] */
    OPT_TEXT,  /* const char ** */
    OPT_LIST,  /* struct opt_list *: may be given many times */
    OPT_CHOICE /* int *: index into the NULL-ended list `choices' */
};

struct opt_list {
    const char **item; /* NULL-ended when n > 0 */
    int n, cap;
};

struct opt {
    char letter;      /* 0: long only */
    const char *name; /* long name */
    enum opt_kind kind;
    void *value;
    const char *arg;  /* "FILE"; NULL for flags */
    const char *help; /* one line, lower case; the default is appended */
    double min, max;
    const char *const *choices;
    const char *def; /* default as shown; NULL: none shown */
};

struct command {
    const char *name;           /* "fuse-bn" */
    const char *brief;          /* the line of NAME in the man page */
    const char *usage;          /* as in SYNOPSIS, without the name */
    const struct opt *options;  /* ended by {0} */
    const char *const *examples; /* NULL-ended lines, shown first */
    int min_args, max_args;     /* operands; max -1: any number */
};

/* Settings that every command has.  */
struct cli {
    int quiet, verbose;
    int64_t threads; /* 0: what the machine gives */
    const char *cpu; /* --cpu, NULL */
};
extern struct cli cli; /* filled by cli_start(), read-only after */

/* -q -v -h -V --cpu -j: in every table through OPT_COMMON.  -h prints help on
 * stdout, exit 0.  -V prints "adze-NAME (adze) VERSION", licence, libraries,
 * instruction set.  Also sets up: closed descriptors 0-2, locale C for
 * numbers, the cpu level.  Returns the index of the first operand in argv.
 */
int cli_start(const struct command *cmd, int argc, char **argv);

/* Print E if it holds an error ("adze-NAME: ..."), flush and close stdout and
 * report its failure, return the exit status.  */
int cli_end(const struct command *cmd, struct err *e);

/* One line on stderr: notices unless -q, details with -v, failures always
 * ("adze-NAME: " in front).  cli_fail() also remembers the first status for
 * cli_end() and clears E: for commands that go on after a failure.  */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_fail(struct err *e);

/* The pool of -j threads, made at first use, freed at exit.  */
struct pool;
struct pool *cli_pool(void);

/* The help text of CMD, as -h prints it.  */
struct str;
void cli_help(struct str *s, const struct command *cmd);

/* ---- a progress line on stderr, only on a terminal ---- */
struct progress {
    const char *what;
    int64_t total; /* 0: unknown */
    double start, shown;
};
void progress_start(struct progress *p, const char *what, int64_t total);
void progress_show(struct progress *p, int64_t done, const char *extra);
void progress_end(struct progress *p);

#endif
