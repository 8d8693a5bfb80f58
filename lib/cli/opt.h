/* opt.h -- one table of options per command: parsing, --help, completion and
 * the check against the man page come from it.
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
 * Values are parsed whole and checked against their range; an error is one
 * line on stderr and exit 2.  An empty value is an error; of an option given
 * twice the last value holds (OPT_LIST keeps all).  Long names may be cut as
 * long as they stay unique.  Letters mean the same in every command; rows
 * that several commands share are macros below.  */
#ifndef ADZE_CLI_OPT_H
#define ADZE_CLI_OPT_H

#include <stdint.h>

struct err;

enum opt_kind {
    OPT_END,
    OPT_FLAG,  /* int *: set to 1, counted when repeated */
    OPT_INT,   /* int64_t *, in [min, max] */
    OPT_REAL,  /* double *, in [min, max] */
    OPT_TEXT,  /* const char **, not empty */
    OPT_LIST,  /* struct opt_list *: may be given many times */
    OPT_CHOICE /* int *: index into the NULL-ended list `choices' */
};

struct opt_list {
    const char **item; /* NULL-ended when n > 0 */
    int n, cap;
};

/* Values are left alone when an option is not given, so their initial values
 * are the defaults.  An OPT_INT or OPT_REAL whose min and max are both 0 has
 * no range.  */
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
    const char *name;            /* "fuse-bn" */
    const char *brief;           /* the line of NAME in the man page */
    const char *usage;           /* as in SYNOPSIS, without the name */
    const struct opt *options;   /* ended by {0} */
    const char *const *examples; /* NULL-ended lines, shown first */
    int min_args, max_args;      /* operands; max -1: any number */
};

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

/* ERR_USAGE if IN ("-" or NULL: standard input) or OUT (the same for
 * standard output) is a terminal: for commands that read or write binary.
 * Pass "" for a side that is not used.  */
int cli_streams(const char *in, const char *out, struct err *e);

/* ERR_USAGE if two outputs are one file, by name or by what is there; devices
 * and pipes may be.  NULL: not asked for.  */
int cli_apart(const char *a, const char *b, struct err *e);

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

/* Parse argv by CMD's table; what cli_start() does without ending the
 * program.  The index of the first operand, or -1 with ERR_USAGE.  */
int opt_parse(const struct command *cmd, int argc, char **argv, struct err *e);

/* ---- rows that commands share ---- */
/* clang-format off */
/* In every table, last.  */
#define OPT_COMMON \
    {'j', "threads", OPT_INT, &cli.threads, "N", "threads to use", \
     .min = 1, .max = 1024, .def = "all"}, \
    {0, "cpu", OPT_TEXT, &cli.cpu, "LEVEL", \
     "highest instruction set: portable, avx2, avx512, vnni"}, \
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
     "data set: folder, list, tar, IDX, or - for frames"}
#define OPT_EVAL(p) \
    {'e', "eval", OPT_TEXT, (p), "DATA", "data set for evaluation"}
#define OPT_DEVICE(p) \
    {'D', "device", OPT_TEXT, (p), "NAME", "device: cpu or cuda", \
     .def = "cpu"}
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
#define OPT_RUN(p) \
    {'R', "run", OPT_TEXT, (p), "DIR", "run folder"}
/* clang-format on */

/* ---- a progress line on stderr, only on a terminal, never with -q ---- */
struct progress {
    const char *what;
    int64_t total; /* 0: unknown */
    double start, shown;
};
void progress_start(struct progress *p, const char *what, int64_t total);
void progress_show(struct progress *p, int64_t done, const char *extra);
void progress_end(struct progress *p);
/* Erase the line if one stands there; before any other text on stderr.  */
void progress_hide(void);

#endif
