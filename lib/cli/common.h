/* common.h -- what every command does first and last, and what it says.
 * SPDX-License-Identifier: MIT
 *
 *     static const char *out = "-";
 *     static const struct opt options[] = {
 *         OPT_COUNT(&n, "pictures to draw", "1000"),
 *         OPT_OUTPUT(&out),
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
 * A new command: src/X.c, man/adze-X.1 and its line in man/adze.7,
 * tests/cli/X.sh, and a line in the lists of tests/cli/faults.sh,
 * fault-input.sh and fault-memory.sh, which try each command with what goes
 * wrong.  A test fails for each of these that is missing.  */
#ifndef ADZE_CLI_COMMON_H
#define ADZE_CLI_COMMON_H

#include <stdint.h>

struct command;
struct err;
struct pool;

/* Settings that every command has.  */
struct cli {
    const char *name; /* of the command: "fuse-bn" */
    int quiet, verbose;
    int64_t threads; /* 0: what the machine gives */
    const char *cpu; /* --cpu, NULL */
    int help, version;
};
extern struct cli cli; /* filled by cli_start(), read-only after */

/* Set up the program (closed descriptors 0-2, SIGPIPE; numbers are those of
 * locale C, as setlocale() is never called), parse argv, settle the cpu
 * level.  -h prints help on stdout, exit 0.  -V prints "adze-NAME (adze)
 * VERSION", licence, libraries, instruction set.  Ends the program with
 * status 2 on a wrong option or number of operands.  Returns the index of
 * the first operand in argv; options may stand behind operands.  */
int cli_start(const struct command *cmd, int argc, char **argv);

/* Print E if it holds an error ("adze-NAME: ..."), flush and close stdout and
 * report its failure, free the pool, return the exit status: that of the
 * first failure.  */
int cli_end(const struct command *cmd, struct err *e);
/* Rows that people wait for: to standard output now.  Why that failed is said
 * by cli_end().  */
void cli_flush(void);

/* ERR_USAGE if IN ("-" or NULL: standard input) or OUT (the same for
 * standard output) is a terminal: for commands that read or write binary.
 * Pass "" for a side that is not used.  */
int cli_streams(const char *in, const char *out, struct err *e);

/* ERR_USAGE if two of the inputs, ended by one without WHAT, are standard
 * input ("-"), which can be read but once.  A PATH of NULL is none.  */
struct cli_input {
    const char *path, *what; /* "the model" */
};
int cli_stdin_once(const struct cli_input *in, struct err *e);

/* ERR_USAGE if OUT, which OPTION names, is one of the inputs, or of the data
 * that a `+' joins in one; "-" is what standard input reads.  An OUT of NULL or
 * "-" is no file.  */
int cli_not_input(const struct cli_input *in, const char *out,
                  const char *option, struct err *e);
/* The same of the model alone; NULL: standard input's.  */
int cli_not_model(const char *model, const char *out, const char *option,
                  struct err *e);

/* ERR_USAGE if two outputs are one file, by name or by what is there, or B is
 * the file that standard input reads, where A is a standard stream (NULL,
 * "-"); devices and pipes may be.  B NULL: not asked for.  */
int cli_apart(const char *a, const char *b, struct err *e);

/* One line on stderr: notices unless -q, details with -v, failures always
 * ("adze-NAME: " in front).  cli_fail() also remembers the first status for
 * cli_end() and clears E: for commands that go on after a failure.  */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_fail(struct err *e);

/* TEXT as a line of standard error, even with -q: for what is asked for there,
 * as --json.  As with the three above, who reads it may have gone away.  */
void cli_line(const char *text);

/* The pool of -j threads, made at first use, freed at exit.  */
struct pool *cli_pool(void);

#endif
