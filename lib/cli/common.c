/* common.c -- see common.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/common.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <yaml.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/thread.h"
#include "cli/opt.h"
#include "cli/progress.h"
#include "data/dataset.h"

struct cli cli;

/* Set by cli_fail() and cli_pool(), used up by cli_end().  */
static enum err_code first_failure;
static struct pool *the_pool;

/* ---- messages ---- */

/* A reader of messages who goes away (head) does not end the program: the
 * file that they tell of may not be there yet.  */
static void put(const char *text)
{
    static const struct timespec now = {0};
    sigset_t pipe, was, due;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &was);
    fputs(text, stderr);
    if (!sigismember(&was, SIGPIPE) && sigpending(&due) == 0 &&
        sigismember(&due, SIGPIPE))
        sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
}

/* One line in one write, so that lines of the programs of a pipe do not
 * mix.  */
static void say(const char *fmt, va_list ap)
{
    char text[2048];
    const char *name = cli.name ? cli.name : "";
    size_t n = (size_t)snprintf(text, sizeof text,
                                "adze%s%s: ", *name ? "-" : "", name);

    vsnprintf(text + n, sizeof text - n - 1, fmt, ap);
    n = strlen(text);
    text[n] = '\n';
    text[n + 1] = '\0';
    progress_hide();
    put(text);
}

void cli_line(const char *text)
{
    struct str s = {0};

    str_printf(&s, "%s\n", text);
    progress_hide();
    put(str_text(&s));
    str_release(&s);
}

void cli_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (!cli.quiet)
        say(fmt, ap);
    va_end(ap);
}

void cli_detail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (cli.verbose)
        say(fmt, ap);
    va_end(ap);
}

static void complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

void cli_fail(struct err *e)
{
    if (!e->code)
        return;
    complain("%s", e->msg);
    if (!first_failure)
        first_failure = e->code;
    *e = (struct err){0};
}

/* ---- start ---- */

static void print_help(const struct command *cmd)
{
    struct str s = {0};

    opt_help(&s, cmd);
    fputs(str_text(&s), stdout);
    str_release(&s);
}

static void print_version(const struct command *cmd)
{
    printf("adze%s%s (adze) " ADZE_VERSION "\n"
           "licence MIT; there is no warranty\n"
           "built with " ADZE_BUILD ", compiler " __VERSION__ "\n"
           "libraries: libyaml %s, jansson " JANSSON_VERSION "\n"
           "instruction set: %s\n",
           *cmd->name ? "-" : "", cmd->name, yaml_get_version_string(),
           cpu_level_name(cpu_features()));
}

int cli_start(const struct command *cmd, int argc, char **argv)
{
    struct err e = {0};
    int rest;

    /* a parent may have ignored it; then writers to a closed pipe would go
     * on for ever */
    signal(SIGPIPE, SIG_DFL);
    stream_init();
    /* what it says of no memory is not always heard, nor always true */
    json_set_alloc_funcs(xmalloc, free);
    cli.name = cmd->name;
    rest = opt_parse(cmd, argc, argv, &e);
    if (rest >= 0 && cli.cpu && cpu_limit(cli.cpu, &e) < 0)
        rest = err_in(&e, "option '--cpu'");
    if (rest < 0)
        exit(cli_end(cmd, &e));
    if (!cli.help && !cli.version) {
        cli_detail("level %s of the instruction set, %d threads",
                   cpu_level_name(cpu_features()),
                   cli.threads ? (int)cli.threads : thread_count_available());
        return rest;
    }
    if (cli.help)
        print_help(cmd);
    else
        print_version(cmd);
    exit(cli_end(cmd, &e));
}

int cli_streams(const char *in, const char *out, struct err *e)
{
    if ((!in || !strcmp(in, "-")) && isatty(0))
        return err_set(e, ERR_USAGE,
                       "standard input is a terminal; name a file or read "
                       "from a pipe (-h shows how)");
    if ((!out || !strcmp(out, "-")) && isatty(1))
        return err_set(e, ERR_USAGE,
                       "binary is not written to a terminal; name a file "
                       "with -O or write to a pipe");
    return 0;
}

static int is_stream(const char *path)
{
    return !path || !strcmp(path, "-");
}

static int same_file(const struct stat *x, const struct stat *y)
{
    return S_ISREG(x->st_mode) && x->st_dev == y->st_dev &&
           x->st_ino == y->st_ino;
}

int cli_stdin_once(const struct cli_input *in, struct err *e)
{
    const struct cli_input *first = NULL;

    for (; in->what; in++) {
        if (!in->path || strcmp(in->path, "-") != 0)
            continue;
        if (first)
            return err_set(e, ERR_USAGE,
                           "standard input cannot be both %s and %s: name a "
                           "file for one of them",
                           first->what, in->what);
        first = in;
    }
    return 0;
}

/* Whether OUT is the file IN, or the one that standard input reads.  */
static int is_input(const char *in, const char *out)
{
    struct stat x, y;

    return !is_stream(out) && stat(out, &y) == 0 &&
           (is_stream(in) ? fstat(0, &x) : stat(in, &x)) == 0 &&
           same_file(&x, &y);
}

/* Whether OUT is SPEC, or one of the files that it joins.  */
static int is_part(const char *spec, const char *out)
{
    int found = is_input(spec, out);

    while (!found && *spec) {
        const size_t n = dataset_operand(spec);
        char *part = xstrndup(spec, n);

        found = n > 0 && is_input(part, out);
        free(part);
        spec += n + (spec[n] == '+');
    }
    return found;
}

int cli_apart(const char *a, const char *b, struct err *e)
{
    struct stat x, y;

    if (!b)
        return 0;
    if (is_stream(a) && is_input(NULL, b))
        return err_set(e, ERR_USAGE,
                       "'%s' is what standard input reads: name another file",
                       Q(b));
    if (!a || (stat(a, &x) == 0 && stat(b, &y) == 0 ? !same_file(&x, &y)
                                                    : strcmp(a, b) != 0))
        return 0;
    return err_set(e, ERR_USAGE, "'%s' is named for two outputs", Q(a));
}

int cli_not_input(const struct cli_input *in, const char *out,
                  const char *option, struct err *e)
{
    for (; in->what; in++)
        if (in->path && is_part(in->path, out))
            return err_set(e, ERR_USAGE,
                           "'%s' is %s itself: name another file with %s",
                           Q(out), in->what, option);
    return 0;
}

int cli_not_model(const char *model, const char *out, const char *option,
                  struct err *e)
{
    const struct cli_input in[] = {{model ? model : "-", "the model"}, {0}};

    return cli_not_input(in, out, option, e);
}

struct pool *cli_pool(void)
{
    if (!the_pool)
        the_pool = pool_new((int)cli.threads);
    return the_pool;
}

/* ---- end ---- */

static int flush_failed; /* the first errno */

void cli_flush(void)
{
    if (fflush(stdout) != 0 && !flush_failed)
        flush_failed = errno;
}

static void close_output(struct err *e)
{
    const int failed = ferror(stdout);

    errno = flush_failed;
    if (fclose(stdout) != 0 || failed)
        err_set(e, ERR_OUTPUT, "cannot write standard output: %s",
                errno ? strerror(errno) : "an earlier write failed");
}

int cli_end(const struct command *cmd, struct err *e)
{
    struct err out = {0};

    cli.name = cmd->name;
    close_output(&out);
    if (out.code && e->code == ERR_NO)
        *e = (struct err){0}; /* an answer that did not arrive is none */
    cli_fail(e);
    cli_fail(&out);
    pool_free(the_pool);
    the_pool = NULL;
    return err_exit(first_failure);
}
