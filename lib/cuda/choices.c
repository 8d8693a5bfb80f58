/* choices.c -- see choices.h.
 * SPDX-License-Identifier: MIT  */
#include "cuda/choices.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"

static const char first[] = "# adze: the fastest kernels, by machine and step; 2";
static const char last[] = "end";

enum { FIELDS = 6, MOST = 1 << 14, TEXT_MOST = 1 << 10, FILE_MOST = 1 << 24 };

/* ---- the list ---- */

static void release(struct choice *w)
{
    free(w->machine);
    free(w->step);
    free(w->offer);
}

void choices_release(struct choices *c)
{
    for (int i = 0; i < c->n; i++)
        release(&c->at[i]);
    free(c->at);
    *c = (struct choices){0};
}

static int find(const struct choices *c, const char *machine, const char *step)
{
    for (int i = c->n - 1; i >= 0; i--)
        if (!strcmp(c->at[i].step, step) && !strcmp(c->at[i].machine, machine))
            return i;
    return -1;
}

const struct choice *choices_find(const struct choices *c, const char *machine, const char *step)
{
    const int i = find(c, machine, step);

    return i < 0 ? NULL : &c->at[i];
}

/* Where the list is full, the oldest goes.  */
static struct choice *place(struct choices *c, const struct choice *w)
{
    const int i = find(c, w->machine, w->step);

    if (i >= 0) {
        release(&c->at[i]);
        return &c->at[i];
    }
    if (c->n == MOST) {
        release(&c->at[0]);
        memmove(c->at, c->at + 1, (MOST - 1) * sizeof *c->at);
        return &c->at[MOST - 1];
    }
    ARRAY_GROW(c->at, c->n, c->cap);
    return &c->at[c->n++];
}

void choices_put(struct choices *c, const struct choice *w)
{
    const struct choice copy = {.machine = xstrdup(w->machine),
                                .step = xstrdup(w->step),
                                .offer = xstrdup(w->offer),
                                .way = w->way,
                                .bytes = w->bytes,
                                .ms = w->ms};

    *place(c, &copy) = copy;
    c->changed = 1;
}

/* ---- text ---- */

/* Cut LINE at its tabs; how many fields it has.  */
static int split(char *line, char **field)
{
    int n = 0;

    for (char *p = line; p; n++) {
        char *tab = strchr(p, '\t');

        if (tab)
            *tab++ = '\0';
        if (n < FIELDS)
            field[n] = p;
        p = tab;
    }
    return n;
}

static int parse_line(struct choices *c, char *line)
{
    char *f[FIELDS];
    struct choice w = {0};

    if (split(line, f) != FIELDS || parse_i64(f[3], 0, INT32_MAX, &w.way) < 0 ||
        parse_i64(f[4], 0, INT64_MAX, &w.bytes) < 0 || parse_f64(f[5], 0, 1e9, &w.ms) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (!*f[i] || strlen(f[i]) > TEXT_MOST || !str_utf8(f[i], strlen(f[i])))
            return -1;
    w.machine = f[0];
    w.step = f[1];
    w.offer = f[2];
    choices_put(c, &w);
    return 0;
}

/* The next line of the N bytes at *P, ended by a line end, into S.  */
static int next_line(struct str *s, const char **p, size_t *n)
{
    const char *end = *n ? memchr(*p, '\n', *n) : NULL;
    const size_t len = end ? (size_t)(end - *p) : 0;

    if (!end || memchr(*p, '\0', len))
        return -1;
    str_clear(s);
    str_addn(s, *p, len);
    *p += len + 1;
    *n -= len + 1;
    return 0;
}

int choices_parse(struct choices *c, const char *text, size_t n, struct err *e)
{
    struct str line = {0};
    int number = 1, bad;

    bad = next_line(&line, &text, &n) < 0 || strcmp(str_text(&line), first) != 0;
    while (!bad) {
        number++;
        bad = number > MOST + 2 || next_line(&line, &text, &n) < 0;
        if (bad || !strcmp(str_text(&line), last))
            break;
        bad = !line.len || parse_line(c, line.data) < 0;
    }
    bad |= n > 0;
    str_release(&line);
    c->changed = 0;
    if (!bad)
        return 0;
    choices_release(c);
    return err_set(e, ERR_FORMAT, "line %d is none of a list of the fastest kernels", number);
}

void choices_print(struct str *s, const struct choices *c)
{
    str_printf(s, "%s\n", first);
    for (int i = 0; i < c->n; i++) {
        const struct choice *w = &c->at[i];
        char ms[FMT_NUM];

        str_printf(s, "%s\t%s\t%s\t%lld\t%lld\t%s\n", w->machine, w->step, w->offer,
                   (long long)w->way, (long long)w->bytes, fmt_f64(ms, w->ms));
    }
    str_printf(s, "%s\n", last);
}

/* ---- the file ---- */

int choices_path(struct str *s)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache == '/')
        str_printf(s, "%s/adze/cuda-choices", cache);
    else if (home && *home == '/')
        str_printf(s, "%s/.cache/adze/cuda-choices", home);
    else
        return -1;
    return 0;
}

/* What the file at PATH says.  */
static void read_file(struct choices *c, const char *path)
{
    struct err e = {0};
    struct bytes b;

    *c = (struct choices){0};
    if (bytes_read(&b, path, FILE_MOST, &e) < 0)
        return;
    choices_parse(c, (const char *)b.data, b.n, &e);
    bytes_release(&b);
}

static void add_all(struct choices *c, const struct choices *more)
{
    for (int i = 0; i < more->n; i++)
        choices_put(c, &more->at[i]);
}

void choices_load(struct choices *c)
{
    struct choices there = {0};
    struct str path = {0};
    const int changed = c->changed;

    if (choices_path(&path) == 0)
        read_file(&there, str_text(&path));
    add_all(c, &there);
    c->changed = changed;
    choices_release(&there);
    str_release(&path);
}

/* The folders in front of the last name of PATH, from the first that may be
 * missing.  */
static void make_folders(const char *path)
{
    char *p = xstrdup(path);

    for (char *slash = p + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(p, 0777);
        *slash = '/';
    }
    free(p);
}

static void write_file(const struct choices *c, const char *path)
{
    struct err e = {0};
    struct str s = {0};
    struct out o;

    make_folders(path);
    choices_print(&s, c);
    if (out_open(&o, path, &e) == 0) {
        if (out_write(&o, str_text(&s), s.len, &e) < 0)
            out_abort(&o);
        else
            out_commit(&o, &e);
    }
    str_release(&s);
}

void choices_save(struct choices *c)
{
    struct choices all = {0};
    struct str path = {0};

    if (c->changed && choices_path(&path) == 0) {
        read_file(&all, str_text(&path));
        add_all(&all, c);
        write_file(&all, str_text(&path));
    }
    choices_release(&all);
    str_release(&path);
    c->changed = 0;
}

int fuzz_choices(const uint8_t *p, size_t n)
{
    struct choices c = {0}, again = {0};
    struct str s = {0};
    struct err e = {0};
    const int bad = choices_parse(&c, (const char *)p, n, &e);

    if (!bad) {
        choices_print(&s, &c);
        if (choices_parse(&again, str_text(&s), s.len, &e) < 0)
            BUG("choices_print() is not read back: %s", e.msg);
        if (again.n != c.n)
            BUG("choices_print() reads back as other choices");
    }
    str_release(&s);
    choices_release(&again);
    choices_release(&c);
    return bad;
}
