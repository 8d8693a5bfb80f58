/* opt.c -- see opt.h: parsing and help from one table.
 * SPDX-License-Identifier: MIT  */
#include "cli/opt.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/common.h"

enum { MAX_ROWS = 64, LONG = 256 };

/* getopt's two tables, made from ours.  Long options return LONG + row.  */
struct tables {
    char letters[2 * MAX_ROWS + 2];
    struct option names[MAX_ROWS + 1];
    int n;
};

static void tables_init(struct tables *t, const struct opt *o)
{
    char *p = t->letters;

    *t = (struct tables){0};
    *p++ = ':'; /* a missing value returns ':' */
    for (; o->kind != OPT_END; o++, t->n++) {
        int arg = o->kind == OPT_FLAG ? no_argument
                  : o->bare           ? optional_argument
                                      : required_argument;

        if (t->n == MAX_ROWS)
            BUG("more than %d options", MAX_ROWS);
        t->names[t->n] = (struct option){o->name, arg, NULL, LONG + t->n};
        if (!o->letter)
            continue;
        *p++ = o->letter;
        if (arg)
            *p++ = ':';
    }
}

static const struct opt *by_letter(const struct opt *o, int c)
{
    for (; o->kind != OPT_END; o++)
        if (o->letter && o->letter == c)
            return o;
    return NULL;
}

/* ---- values ---- */

static int set_int(const struct opt *o, const char *text, const char *given,
                   struct err *e)
{
    int any = o->min == 0 && o->max == 0;
    int64_t min = any ? INT64_MIN : (int64_t)o->min;
    int64_t max = any ? INT64_MAX : (int64_t)o->max;

    if (parse_i64(text, min, max, o->value) == 0)
        return 0;
    if (any)
        return err_set(e, ERR_USAGE,
                       "option '%s' needs a whole number, not '%s'", given,
                       Q(text));
    return err_set(
        e, ERR_USAGE,
        "option '%s' needs a whole number from %lld to %lld, not '%s'", given,
        (long long)min, (long long)max, Q(text));
}

static int set_real(const struct opt *o, const char *text, const char *given,
                    struct err *e)
{
    int any = o->min == 0 && o->max == 0;
    double min = any ? -1.7976931348623157e308 : o->min;
    double max = any ? 1.7976931348623157e308 : o->max;
    char a[FMT_NUM], b[FMT_NUM];

    if (parse_f64(text, min, max, o->value) == 0)
        return 0;
    if (any)
        return err_set(e, ERR_USAGE, "option '%s' needs a number, not '%s'",
                       given, Q(text));
    return err_set(e, ERR_USAGE,
                   "option '%s' needs a number from %s to %s, not '%s'", given,
                   fmt_f64(a, min), fmt_f64(b, max), Q(text));
}

static int set_choice(const struct opt *o, const char *text, const char *given,
                      struct err *e)
{
    const int i = str_index(text, o->choices);

    if (i < 0)
        return err_set(e, ERR_USAGE, "option '%s' needs one of %s, not '%s'",
                       given, NAMES(o->choices), Q(text));
    *(int *)o->value = i;
    return 0;
}

static int set_list(const struct opt *o, const char *text)
{
    struct opt_list *l = o->value;

    if (l->n + 1 >= l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->item = xrealloc(l->item, (size_t)l->cap, sizeof *l->item);
    }
    l->item[l->n++] = text;
    l->item[l->n] = NULL;
    return 0;
}

/* GIVEN is the option as messages name it: "-n" or "--count".  */
static int set_value(const struct opt *o, const char *text, const char *given,
                     struct err *e)
{
    if (o->kind == OPT_FLAG)
        return ++*(int *)o->value, 0;
    if (o->kind == OPT_INT)
        return set_int(o, text, given, e);
    if (o->kind == OPT_REAL)
        return set_real(o, text, given, e);
    if (o->kind == OPT_CHOICE)
        return set_choice(o, text, given, e);
    if (!text)
        text = o->bare;
    if (!*text)
        return err_set(e, ERR_USAGE, "option '%s' has an empty value", given);
    if (o->kind == OPT_LIST)
        return set_list(o, text);
    *(const char **)o->value = text;
    return o->check ? o->check(text, e) : 0;
}

/* ---- what getopt did not like ---- */

/* "--name" of the row, or "-x" when only the letter was used.  */
static const char *given_name(char buf[80], const struct opt *o, int c)
{
    if (c < LONG)
        snprintf(buf, 80, "-%c", c);
    else
        snprintf(buf, 80, "--%s", o->name);
    return buf;
}

/* What O had before, where that would not be missed: data, of which there may
 * be several.  */
static const char *had_data(const struct opt *o)
{
    return o->kind == OPT_TEXT && !strcmp(o->arg, "DATA")
               ? *(const char *const *)o->value
               : NULL;
}

/* What was given and then given again; those behind the first few are not told
 * of.  */
struct again {
    int n;
    struct {
        const struct opt *o;
        const char *was;
    } item[8];
};

static void remember(struct again *a, const struct opt *o)
{
    if (had_data(o) && a->n < (int)COUNT(a->item)) {
        a->item[a->n].o = o;
        a->item[a->n++].was = had_data(o);
    }
}

static void note_dropped(const struct opt *o, const char *was)
{
    const char *now = *(const char *const *)o->value;
    char buf[80];

    if (strcmp(was, now) != 0)
        cli_note("%s is given twice: '%s' is left out; '%s+%s' would be both",
                 given_name(buf, o, o->letter ? o->letter : LONG), Q(was),
                 Q(was), Q(now));
}

/* CMD, which has no -m, was given one: it may take operands instead.  */
static int bad_model(const struct command *cmd, const char *given,
                     struct err *e)
{
    return err_set(e, ERR_USAGE,
                   "unknown option '%s'; files are named without it: adze-%s "
                   "%s",
                   given, cmd->name, cmd->usage);
}

enum { HEAD = 4 }; /* letters of an option that begins a longer name */

/* The long option ARG ("--cuont=3", "--batch-size") is unknown or
 * ambiguous.  */
static int bad_long(const struct command *cmd, const char *arg, struct err *e)
{
    const struct opt *o = cmd->options;
    size_t n = strcspn(arg + 2, "=");
    char *name = xstrndup(arg + 2, n);
    const char *all[MAX_ROWS + 1] = {0}, *near, *key, *head = NULL;
    char buf[OPT_KEY];
    struct str list = {0};

    for (int i = 0; o[i].kind != OPT_END; i++) {
        all[i] = o[i].name;
        if (!strncmp(o[i].name, name, n))
            str_printf(&list, "%s--%s", list.len ? ", " : "", o[i].name);
        if (strlen(o[i].name) >= HEAD && str_starts(name, o[i].name))
            head = o[i].name;
    }
    near = head ? head : str_nearest(name, all);
    key = cmd->key ? cmd->key(buf, name) : NULL;
    if (list.len)
        err_set(e, ERR_USAGE, "option '--%s' is ambiguous: %s", Q(name),
                str_text(&list));
    else if (near)
        err_set(e, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?",
                Q(name), near);
    else if (key)
        err_set(e, ERR_USAGE,
                "unknown option '--%s'; did you mean '-o %s=VALUE'?", Q(name),
                key);
    else
        err_set(e, ERR_USAGE, "unknown option '--%s'; -h lists the options",
                Q(name));
    str_release(&list);
    free(name);
    return -1;
}

/* A flag was given a value, which one whose name begins so takes.  */
static int bad_flag(const struct opt *options, const struct opt *flag,
                    const char *given, struct err *e)
{
    const size_t n = strlen(flag->name);

    for (const struct opt *o = options; o->kind != OPT_END; o++)
        if (o->kind != OPT_FLAG && str_starts(o->name, flag->name) &&
            o->name[n] == '-')
            return err_set(e, ERR_USAGE,
                           "option '%s' takes no value; did you mean '--%s'?",
                           given, o->name);
    return err_set(e, ERR_USAGE, "option '%s' takes no value", given);
}

static int bad_option(const struct command *cmd, int c, const char *arg,
                      struct err *e)
{
    char buf[80], letter[2] = {(char)optopt, 0};

    if (c == ':' && optopt < LONG)
        return err_set(e, ERR_USAGE, "option '-%c' needs a value", optopt);
    if (c == ':')
        return err_set(e, ERR_USAGE, "option '--%s' needs a value",
                       cmd->options[optopt - LONG].name);
    if (optopt >= LONG)
        return bad_flag(cmd->options, &cmd->options[optopt - LONG],
                        given_name(buf, &cmd->options[optopt - LONG], optopt),
                        e);
    if (cmd->max_args && optopt == 'm')
        return bad_model(cmd, "-m", e);
    if (cmd->max_args && optopt == 0 &&
        (!strcmp(arg, "--model") || str_starts(arg, "--model=")))
        return bad_model(cmd, "--model", e);
    if (optopt == 0)
        return bad_long(cmd, arg, e);
    return err_set(e, ERR_USAGE, "unknown option '-%s'; -h lists the options",
                   Q(letter));
}

static int check_operands(const struct command *cmd, int n, char **operand,
                          struct err *e)
{
    const struct opt *m = by_letter(cmd->options, 'm');

    if (n < cmd->min_args)
        return err_set(e, ERR_USAGE, "%s; usage: adze%s%s %s",
                       n ? "an operand is missing" : "operands are missing",
                       *cmd->name ? "-" : "", cmd->name, cmd->usage);
    if (cmd->max_args >= 0 && n > cmd->max_args)
        return err_set(
            e, ERR_USAGE, "unexpected operand '%s'; %s-h shows the usage",
            Q(operand[cmd->max_args]), m ? "the model is named with -m; " : "");
    return 0;
}

int opt_parse(const struct command *cmd, int argc, char **argv, struct err *e)
{
    struct again again = {0};
    struct tables t;
    char buf[80];
    int c;

    tables_init(&t, cmd->options);
    optind = 0; /* a fresh scan, in glibc and musl */
    opterr = 0;
    /* argc may be 0, and then argv[0] is NULL (F-007) */
    while (argc > 0 &&
           (c = getopt_long(argc, argv, t.letters, t.names, NULL)) != -1) {
        const struct opt *o = c >= LONG && c < LONG + t.n
                                  ? &cmd->options[c - LONG]
                                  : by_letter(cmd->options, c);

        if (c == '?' || c == ':')
            return bad_option(cmd, c, argv[optind - 1], e);
        remember(&again, o);
        if (set_value(o, optarg, given_name(buf, o, c), e) < 0)
            return -1;
    }
    if (cli.help || cli.version)
        return argc > 0 ? optind : 0;
    for (int i = 0; i < again.n; i++)
        note_dropped(again.item[i].o, again.item[i].was);
    if (argc < 1)
        return check_operands(cmd, 0, argv, e) < 0 ? -1 : 0;
    return check_operands(cmd, argc - optind, argv + optind, e) < 0 ? -1
                                                                    : optind;
}

/* ---- help ---- */

enum { WIDTH = 79, COLUMN = 26 };

/* Append TEXT wrapped at WIDTH, following lines indented to COLUMN; the
 * current line stands at column AT.  */
static void add_wrapped(struct str *s, const char *text, size_t at)
{
    while (*text) {
        size_t n = strcspn(text, " ");

        if (at + n + 1 > WIDTH) {
            str_printf(s, "\n%*s", COLUMN, "");
            at = COLUMN;
        } else if (at > COLUMN) {
            str_addc(s, ' ');
            at++;
        }
        str_addn(s, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    str_addc(s, '\n');
}

static void help_row(struct str *s, const struct opt *o)
{
    size_t start = s->len, used;
    struct str text = {0};

    if (o->letter)
        str_printf(s, "  -%c, --%s", o->letter, o->name);
    else
        str_printf(s, "      --%s", o->name);
    if (o->arg)
        str_printf(s, o->bare ? "[=%s]" : "=%s", o->arg);
    used = s->len - start;
    if (used + 2 > COLUMN) {
        str_addc(s, '\n');
        used = 0;
    }
    str_printf(s, "%*s", (int)(COLUMN - used), "");
    str_add(&text, o->help);
    if (o->choices)
        str_printf(&text, ": %s", NAMES(o->choices));
    if (o->def)
        str_printf(&text, " (default: %s)", o->def);
    add_wrapped(s, str_text(&text), COLUMN);
    str_release(&text);
}

void opt_help(struct str *s, const struct command *cmd)
{
    const char *dash = *cmd->name ? "-" : "";

    str_printf(s, "adze%s%s: %s\n\nusage: adze%s%s %s\n", dash, cmd->name,
               cmd->brief, dash, cmd->name, cmd->usage);
    if (cmd->examples)
        str_add(s, "\nexamples:\n");
    for (int i = 0; cmd->examples && cmd->examples[i]; i++)
        str_printf(s, "  %s\n", cmd->examples[i]);
    str_add(s, "\noptions:\n");
    for (const struct opt *o = cmd->options; o->kind != OPT_END; o++)
        help_row(s, o);
    str_printf(s,
               "\nexit status: 0 done, 1 the answer is no, 2 usage, 3 input, "
               "4 output or\nresource, 5 bug, 6 not a number, 75 interrupted "
               "but resumable\n\nThe manual: man adze%s%s%s\n",
               dash, cmd->name, *dash ? ", man adze" : "");
}
