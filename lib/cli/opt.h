/* opt.h -- one table of options per command: parsing, --help, completion and
 * the check against the man page come from it.
 * SPDX-License-Identifier: MIT
 *
 *     static const struct opt options[] = {
 *         {'n', "count", OPT_INT, &n, "N", "pictures to draw", .min = 1,
 *          .max = 1e9, .def = "1000"},
 *         OPT_OUTPUT(&out),
 *         OPT_COMMON,
 *         {0}};
 *
 * Rows that several commands share are macros in rows.h; common.h has what a
 * command does with its table.
 *
 * Values are parsed whole and checked against their range; an error is one
 * line on stderr and exit 2.  An empty value is an error; of an option given
 * twice the last value holds (OPT_LIST keeps all).  Long names may be cut as
 * long as they stay unique.  Letters mean the same in every command.  */
#ifndef ADZE_CLI_OPT_H
#define ADZE_CLI_OPT_H

#include <stdint.h>

struct err;
struct str;

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
    const char *def;  /* default as shown; NULL: none shown */
    const char *bare; /* OPT_TEXT, long only: the value where none is given;
                         NULL: one must be */
    int (*check)(const char *text, struct err *e); /* OPT_TEXT: what is wrong
                                                      with it; or NULL */
};

enum { OPT_KEY = 64 };

struct command {
    const char *name;            /* "fuse-bn" */
    const char *brief;           /* the line of NAME in the man page */
    const char *usage;           /* as in SYNOPSIS, without the name */
    const struct opt *options;   /* ended by {0} */
    const char *const *examples; /* NULL-ended lines, shown first */
    int min_args, max_args;      /* operands; max -1: any number */
    /* what -o may set that an unknown long option was meant for, in BUF, or
     * NULL; may be NULL */
    const char *(*key)(char buf[OPT_KEY], const char *name);
};

/* Parse argv by CMD's table; what cli_start() does without ending the
 * program.  The index of the first operand, or -1 with ERR_USAGE.  */
int opt_parse(const struct command *cmd, int argc, char **argv, struct err *e);

/* The help text of CMD, as -h prints it.  */
void opt_help(struct str *s, const struct command *cmd);

#endif
