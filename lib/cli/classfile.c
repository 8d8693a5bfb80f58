/* classfile.c -- see classfile.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/classfile.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/model.h"

static int add_class(struct model *m, const char **name, int *n,
                     const char *line, struct err *e)
{
    if (!*line || !str_utf8(line, strlen(line)))
        return err_set(e, ERR_FORMAT, "line %d is no name", *n + 1);
    if (*n == model_head(m))
        return err_set(e, ERR_FORMAT, "more than the %d classes of the head",
                       *n);
    name[(*n)++] = arena_strdup(&m->arena, line);
    return 0;
}

static int check_twice(const char *const *name, int n, struct err *e)
{
    struct name_map seen = {0};
    int64_t at = -1;

    for (int i = 0; i < n && at < 0; i++)
        if ((at = name_map_put(&seen, name[i], i)) >= 0)
            err_set(e, ERR_FORMAT, "'%s' stands in lines %lld and %d",
                    Q(name[i]), (long long)at + 1, i + 1);
    name_map_release(&seen);
    return at < 0 ? 0 : -1;
}

static int read_lines(struct model *m, struct in *in, struct err *e)
{
    const int64_t head = model_head(m);
    const char **name = ARENA_NEWS(&m->arena, head + 1, const char *);
    struct str line = {0};
    int more, n = 0;

    while ((more = in_line(in, &line, '\n', e)) > 0)
        if (add_class(m, name, &n, str_text(&line), e) < 0)
            break;
    str_release(&line);
    if (more || check_twice(name, n, e) < 0)
        return -1;
    if (n < head)
        return err_set(e, ERR_FORMAT, "%d names for a head of %lld classes", n,
                       (long long)head);
    model_set_classes(m, name, n);
    return 0;
}

int classfile_read(struct model *m, const char *path, struct err *e)
{
    struct in in;
    int bad;

    if (in_open(&in, path, e) < 0)
        return -1;
    bad = read_lines(m, &in, e);
    in_close(&in);
    return bad ? err_in(e, "'%s'", Q(path)) : 0;
}
