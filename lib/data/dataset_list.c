/* dataset_list.c -- list files: one `path label' a line.
 * SPDX-License-Identifier: MIT
 *
 * A tab splits, else the last blank.  CRLF, a byte order mark and blank lines
 * are tolerated.  Relative paths start at the list's own folder.  */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "data/form.h"

enum { LINE_BYTES_MAX = 64 * 1024, LOOK = 4096 };

/* Whatever is text and no other form: asked last.  */
static int is_list(const struct bytes *b)
{
    const size_t n = b->n < LOOK ? b->n : LOOK;

    return !memchr(b->data, 0, n);
}

struct line {
    const char *text;
    size_t n;
    int64_t number; /* from 1 */
};

struct lines {
    const char *p, *end;
    int64_t number;
};

static struct lines lines_of(const struct bytes *b)
{
    const char *p = (const char *)b->data;
    const size_t bom = b->n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0;

    return (struct lines){p + bom, p + b->n, 0};
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that is not blank, without blanks at its end: 1, or 0.  */
static int lines_next(struct lines *l, struct line *line)
{
    while (l->p < l->end) {
        const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
        const char *stop = nl ? nl : l->end;

        *line = (struct line){l->p, (size_t)(stop - l->p), ++l->number};
        l->p = nl ? nl + 1 : l->end;
        while (line->n && is_blank(line->text[line->n - 1]))
            line->n--;
        if (line->n)
            return 1;
    }
    return 0;
}

/* Where the label begins behind its separator; 0 if there is none.  */
static size_t split(const struct line *l, size_t *path_n)
{
    const char *tab = memchr(l->text, '\t', l->n);
    size_t at;

    if (!tab)
        tab = memrchr(l->text, ' ', l->n);
    if (!tab)
        return 0;
    *path_n = (size_t)(tab - l->text);
    for (at = *path_n; at < l->n && is_blank(l->text[at]); at++)
        ;
    while (*path_n && is_blank(l->text[*path_n - 1]))
        --*path_n;
    return at;
}

struct parse {
    struct form_part *p;
    struct form_labels labels;
    struct str folder; /* of the list, with its '/' */
    int bare;          /* lines are paths alone */
};

static struct form_item *add_path(struct parse *w, const struct line *l,
                                  size_t n)
{
    struct str path = {0};
    struct form_item *it;
    const int absolute = l->text[0] == '/';

    if (!absolute)
        str_addn(&path, w->folder.data, w->folder.len);
    str_addn(&path, l->text, n);
    it = form_add(w->p, str_text(&path),
                  absolute ? (size_t)(form_base(path.data) - path.data)
                           : w->folder.len);
    it->at = (uint64_t)l->number;
    str_release(&path);
    return it;
}

static int parse_line(struct parse *w, const struct line *l, struct err *e)
{
    size_t n = l->n, at;

    if (l->n > LINE_BYTES_MAX)
        return err_set(e, ERR_FORMAT, "the line is longer than %d bytes",
                       LINE_BYTES_MAX);
    if (memchr(l->text, 0, l->n))
        return err_set(e, ERR_FORMAT, "the line holds a NUL");
    if (w->bare) {
        add_path(w, l, n);
        return 0;
    }
    at = split(l, &n);
    if (!at || !n)
        return err_set(e, ERR_FORMAT,
                       "not a path and a label with a tab or a blank "
                       "between them");
    return form_label(w->p, &w->labels, add_path(w, l, n), l->text + at,
                      l->n - at, e);
}

static int parse(struct parse *w, struct err *e)
{
    struct lines lines = lines_of(&w->p->bytes);
    struct line l;

    while (lines_next(&lines, &l))
        if (parse_line(w, &l, e) < 0)
            return err_in(e, "%s, line %lld", FORM_SHOW(w->p->spec),
                          (long long)l.number);
    form_sort_classes(w->p);
    return 0;
}

/* Without labels asked for, the first line tells: is all of it a file?  */
static int lines_are_paths(struct parse *w)
{
    struct lines lines = lines_of(&w->p->bytes);
    struct str path = {0};
    struct line l;
    int r;

    if (!lines_next(&lines, &l) || memchr(l.text, '\t', l.n))
        return 0;
    if (!memchr(l.text, ' ', l.n))
        return 1;
    if (l.text[0] != '/')
        str_addn(&path, w->folder.data, w->folder.len);
    str_addn(&path, l.text, l.n);
    r = access(str_text(&path), F_OK) == 0;
    str_release(&path);
    return r;
}

static int list_open(struct form_part *p, const struct dataset_opts *o,
                     struct err *e)
{
    struct parse w = {.p = p};
    int r;

    str_addn(&w.folder, p->spec, (size_t)(form_base(p->spec) - p->spec));
    w.bare = o->unlabelled && lines_are_paths(&w);
    r = parse(&w, e);
    form_labels_release(&w.labels);
    str_release(&w.folder);
    return r;
}

static int list_image(const struct form_part *p, const struct form_item *it,
                      const struct codec_opts *o, struct image *im,
                      struct err *e)
{
    if (codec_read(im, it->name, o, e) < 0)
        return err_in(e, "%s, line %llu", FORM_SHOW(p->spec),
                      (unsigned long long)it->at);
    return 0;
}

static int64_t list_bytes(const struct form_part *p, const struct form_item *it)
{
    struct stat st;

    (void)p;
    return stat(it->name, &st) < 0 ? -1 : (int64_t)st.st_size;
}

const struct form form_list = {.name = "list",
                               .is = is_list,
                               .open = list_open,
                               .image = list_image,
                               .bytes = list_bytes,
                               .lines = 1};

int fuzz_list(const uint8_t *p, size_t n)
{
    return form_fuzz(&form_list, p, n);
}
