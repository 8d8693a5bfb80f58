/* adze.c -- run a command: `adze VERB ...' is `adze-VERB ...'.
 * SPDX-License-Identifier: MIT  */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/opt.h"

static int list;

static const struct opt options[] = {
    {0, "list", OPT_FLAG, &list, NULL, "print the commands, one a line"},
    {'h', "help", OPT_FLAG, &cli.help, NULL, "print this help"},
    {'V', "version", OPT_FLAG, &cli.version, NULL, "print the version"},
    {0},
};

static const char *const examples[] = {
    "adze --list",
    "adze help train",
    "adze init resnet20 -o classes=10 | adze show",
    "eval \"$(adze completion bash)\"",
    NULL,
};

static const struct command cmd = {
    .name = "",
    .brief = "make, shape and ship image classifiers",
    .usage = "[--list] [-h] [-V] command [argument ...]",
    .options = options,
    .examples = examples,
    .max_args = 0,
};

/* Sorted, each once, NULL-ended.  */
struct verbs {
    char **item;
    int n, cap;
};

/* ---- where commands are ---- */

/* The folder of this program; empty if the system does not tell.  */
static void own_folder(struct str *dir)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;

    str_clear(dir);
    if (slash)
        str_addn(dir, path, (size_t)(slash - path));
}

static void add_folder(struct verbs *v, const char *dir)
{
    DIR *d = opendir(dir);

    for (struct dirent *f; d && (f = readdir(d));) {
        if (!str_starts(f->d_name, "adze-") || strchr(f->d_name, '.'))
            continue;
        ARRAY_GROW(v->item, v->n, v->cap);
        v->item[v->n++] = xstrdup(f->d_name + strlen("adze-"));
    }
    if (d)
        closedir(d);
}

static void verbs_sort(struct verbs *v)
{
    int k = 0;

    if (v->n)
        qsort(v->item, (size_t)v->n, sizeof *v->item, str_order);
    for (int i = 0; i < v->n; i++)
        if (k && !strcmp(v->item[k - 1], v->item[i]))
            free(v->item[i]);
        else
            v->item[k++] = v->item[i];
    v->n = k;
    ARRAY_GROW(v->item, v->n, v->cap);
    v->item[k] = NULL;
}

/* The commands beside this program and in PATH.  */
static void verbs_find(struct verbs *v)
{
    const char *p = getenv("PATH");
    struct str dir = {0};

    own_folder(&dir);
    add_folder(v, str_text(&dir));
    while (p && *p) {
        size_t n = strcspn(p, ":");

        str_clear(&dir);
        str_addn(&dir, p, n);
        add_folder(v, str_text(&dir));
        p += n + (p[n] == ':');
    }
    str_release(&dir);
    verbs_sort(v);
}

static void verbs_release(struct verbs *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->item[i]);
    free(v->item);
}

static void print_list(void)
{
    struct verbs v = {0};

    verbs_find(&v);
    for (int i = 0; i < v.n; i++)
        puts(v.item[i]);
    verbs_release(&v);
}

/* ---- running ---- */

static int unknown(const char *verb, struct err *e)
{
    struct verbs v = {0};
    const char *near;

    verbs_find(&v);
    near = NEAR(verb, (const char *const *)v.item);
    err_set(e, ERR_USAGE, "'%s' is not a command%s", Q(verb),
            *near ? near : "; 'adze --list' lists them");
    verbs_release(&v);
    return -1;
}

/* Become adze-VERB: the one beside this program, else one in PATH.  Returns
 * only on failure.  */
static int run(const char *verb, char **argv, struct err *e)
{
    struct str path = {0}, name = {0};

    if (!*verb || strchr(verb, '/'))
        return unknown(verb, e);
    str_printf(&name, "adze-%s", verb);
    own_folder(&path);
    str_printf(&path, "/%s", str_text(&name));
    argv[0] = name.data;
    execv(str_text(&path), argv);
    if (errno == ENOENT)
        execvp(argv[0], argv);
    if (errno == ENOENT)
        unknown(verb, e);
    else
        err_set(e, ERR_INPUT, "cannot run '%s': %s", Q(str_text(&name)),
                strerror(errno));
    str_release(&path);
    str_release(&name);
    return -1;
}

/* Become man(1) with the page beside this program (source tree, installed)
 * if both are there.  */
static void show_page(const char *verb)
{
    static const struct {
        const char *folder, *section;
    } row[] = {{"../man", "1"}, {"../share/man/man1", "1"},
               {"../man", "5"}, {"../share/man/man5", "5"},
               {"../man", "7"}, {"../share/man/man7", "7"}};
    struct str path = {0};

    for (size_t i = 0; i < COUNT(row) && !strchr(verb, '/'); i++) {
        own_folder(&path);
        str_printf(&path, "/%s/adze-%s.%s", row[i].folder, verb,
                   row[i].section);
        if (access(str_text(&path), R_OK) == 0)
            execlp("man", "man", str_text(&path), (char *)NULL);
    }
    str_release(&path);
}

static int help(char **argv, struct err *e)
{
    char option[] = "--help", *args[] = {NULL, option, NULL};

    if (!argv[1]) {
        struct str s = {0};

        opt_help(&s, &cmd);
        fputs(str_text(&s), stdout);
        str_release(&s);
        return 0;
    }
    if (str_starts(argv[1], "adze-"))
        argv[1] += strlen("adze-");
    show_page(argv[1]);
    return run(argv[1], args, e);
}

/* ---- completion: options come from --help, so from the tables ---- */

/* clang-format off */
static const char bash_text[] =
    "_adze() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} c=$1\n"
    "    if [ \"$c\" = adze ]; then\n"
    "        c=adze-${COMP_WORDS[1]}\n"
    "        if [ \"$COMP_CWORD\" = 1 ]; then\n"
    "            COMPREPLY=($(compgen -W \"$(adze --list) help completion\""
    " -- \"$cur\"))\n"
    "            return\n"
    "        fi\n"
    "    fi\n"
    "    case $cur in\n"
    "    -*) COMPREPLY=($(compgen -W \"$(\"$c\" --help 2>/dev/null |\n"
    "        sed -n 's/^  .\\{4\\}\\(--[a-z0-9-]*\\).*/\\1/p')\" -- \"$cur\")) ;;\n"
    "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    esac\n"
    "}\n"
    "complete -o filenames -F _adze adze $(adze --list | sed 's/^/adze-/')\n";

static const char zsh_text[] =
    "autoload -U +X bashcompinit && bashcompinit\n"
    "source <(adze completion bash)\n";

static const char fish_text[] =
    "complete -c adze -n __fish_use_subcommand -f"
    " -a '(adze --list) help completion'\n"
    "for v in (adze --list)\n"
    "    set -l options \"(adze-$v --help |"
    " string match -gr -- '^  .{4}(--[a-z0-9-]+)')\"\n"
    "    complete -c adze-$v -a $options\n"
    "    complete -c adze -n \"__fish_seen_subcommand_from $v\" -a $options\n"
    "end\n";
/* clang-format on */

static int completion(char **argv, struct err *e)
{
    static const struct {
        const char *shell, *text;
    } row[] = {{"bash", bash_text}, {"zsh", zsh_text}, {"fish", fish_text}};

    for (size_t i = 0; argv[1] && i < COUNT(row); i++)
        if (!strcmp(row[i].shell, argv[1]))
            return fputs(row[i].text, stdout), 0;
    return err_set(e, ERR_USAGE, "completion is for bash, zsh or fish");
}

int main(int argc, char **argv)
{
    struct err e = {0};
    int n = 1;

    while (n < argc && argv[n][0] == '-')
        n++;
    cli_start(&cmd, argc < n ? argc : n, argv);
    argv += n;
    if (list)
        print_list();
    else if (n >= argc)
        err_set(&e, ERR_USAGE,
                "a command is missing; 'adze --list' lists them");
    else if (!strcmp(argv[0], "help"))
        help(argv, &e);
    else if (!strcmp(argv[0], "completion"))
        completion(argv, &e);
    else
        run(argv[0], argv, &e);
    return cli_end(&cmd, &e);
}
