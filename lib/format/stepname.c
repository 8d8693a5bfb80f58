/* stepname.c -- see stepname.h.
 * SPDX-License-Identifier: MIT  */
#include "format/stepname.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "format/zoo.h"
#include "graph/graph.h"
#include "op/ops.h"

enum { NAME_BYTES = 1024 };

const char *stepname_join(struct steps *s, const char *path, const char *name)
{
    return *path && *name ? arena_printf(s->arena, "%s.%s", path, name)
           : *name        ? name
                          : path;
}

/* `a/1' is the second output of `a'.  */
static int is_output_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash && slash[1] &&
           strspn(slash + 1, "0123456789") == strlen(slash + 1);
}

int stepname_check(struct steps *s, const struct yaml *y, const char *name)
{
    if (!*name)
        return yaml_err(y, s->e, ERR_FORMAT, "an empty name");
    if (strlen(name) > NAME_BYTES)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "a name of more than 1024 bytes: '%s'", Q(name));
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("$:\"'\\", *p))
            return yaml_err(y, s->e, ERR_FORMAT,
                            "'%s' cannot be a name: it holds '%s'", Q(name),
                            Q(((char[]){*p, 0})));
    if (is_output_name(name))
        return yaml_err(y, s->e, ERR_FORMAT,
                        "'%s' cannot be a name: it means an output of a step",
                        Q(name));
    return 0;
}

/* The value or scope of exactly this name.  */
static struct value *find_exact(struct steps *s, const char *name)
{
    struct value *v = graph_value(s->g, name);
    const int64_t i = v ? -1 : name_map_get(&s->scopes, name);

    return i >= 0 ? s->scope_value[i] : v;
}

struct value *stepname_find(struct steps *s, const char *path, const char *name)
{
    char *p = arena_strdup(s->arena, path);

    while (*p) {
        struct value *v = find_exact(s, stepname_join(s, p, name));
        char *dot = strrchr(p, '.');

        s->work_left -= (int64_t)strlen(p);
        if (v)
            return v;
        *(dot ? dot : p) = 0;
    }
    return find_exact(s, name);
}

void stepname_scope(struct steps *s, const char *path, struct value *v)
{
    const int64_t i = name_map_put(&s->scopes, path, s->n_scope);

    if (i >= 0) {
        s->scope_value[i] = v;
        return;
    }
    ARRAY_GROW(s->scope_value, s->n_scope, s->cap_scope);
    s->scope_value[s->n_scope++] = v;
}

int stepname_unknown(struct steps *s, const struct yaml *y, const char *what,
                     const char *name, const char *const *list)
{
    return yaml_err(y, s->e, ERR_FORMAT, "%s '%s'%s", what, Q(name),
                    NEAR(name, list));
}

/* The library that is compiled in and has block NAME, or NULL.  */
static const char *library_of(struct steps *s, const char *name)
{
    for (const struct zoo_file *z = zoo_files; z->name; z++) {
        const size_t n = strlen(z->name) - strlen(".yaml");
        const struct yaml *y, *blocks;

        if (!str_starts(z->name, ZOO_LIBRARY))
            continue;
        y = yaml_parse(s->arena, z->name, z->text, strlen(z->text), s->e);
        blocks = y ? yaml_get(y, "blocks") : NULL;
        if (blocks && yaml_get(blocks, name))
            return arena_strndup(s->arena, z->name + strlen(ZOO_LIBRARY),
                                 n - strlen(ZOO_LIBRARY));
    }
    return NULL;
}

int stepname_no_step(struct steps *s, const struct yaml *y, const char *name)
{
    const char *library = library_of(s, name), **list;
    int n = 0, n_op = 0;

    if (library)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "block '%s' is not known here: 'use: %s' beside "
                        "'body' makes it so",
                        Q(name), library);
    while (op_all[n_op])
        n_op++;
    list = ARENA_NEWS(s->arena, 2 * n_op + s->n_block + 1, const char *);
    for (int i = 0; i < n_op; i++) {
        list[n++] = op_all[i]->name;
        if (op_all[i]->alias)
            list[n++] = op_all[i]->alias;
    }
    for (int i = 0; i < s->n_block; i++)
        list[n++] = s->block[i].y->key->text;
    return stepname_unknown(s, y, "no op or block is called", name, list);
}

int stepname_no_block(struct steps *s, const struct yaml *y,
                      const char *library, const char *name)
{
    struct str list = {0};

    for (int i = 0; i < s->n_block; i++)
        if (!strcmp(s->block[i].y->file, library))
            str_printf(&list, "%s%s", list.len ? ", " : "",
                       s->block[i].y->key->text);
    if (list.len)
        yaml_err(y, s->e, ERR_FORMAT, "library '%s' has no block '%s', but %s",
                 Q(library), Q(name), str_text(&list));
    else
        yaml_err(y, s->e, ERR_FORMAT, "no library '%s' is used here",
                 Q(library));
    str_release(&list);
    return -1;
}

int stepname_no_value(struct steps *s, const struct yaml *y, const char *name)
{
    enum { LOOK = 1000 };
    const char *list[LOOK + 1] = {0};

    for (int i = s->g->n_value - 1, n = 0; i >= 0 && n < LOOK; i--)
        list[n++] = s->g->value[i]->name;
    return stepname_unknown(s, y, "no value before this step is called", name,
                            list);
}
