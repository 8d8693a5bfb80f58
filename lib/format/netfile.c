/* netfile.c -- see netfile.h.
 * SPDX-License-Identifier: MIT  */
#include "format/netfile.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/netname.h"
#include "format/yaml.h"
#include "format/zoo.h"

enum { TEXT_BYTES = 16 << 20 };

static const char *const keys[] = {
    "network",    "with",  "input",   "blocks", "body", "outputs", "base",
    "preprocess", "paper", "weights", "top1",   "use",  NULL};
static const char *const library_keys[] = {"blocks", NULL};

int netfile_is_path(const char *name)
{
    return strchr(name, '/') || str_ends(name, ".yaml");
}

const char *netfile_stem(struct arena *a, const char *file)
{
    const char *slash = strrchr(file, '/'), *s = slash ? slash + 1 : file;

    return str_ends(s, ".yaml") ? arena_strndup(a, s, strlen(s) - 5)
                                : arena_strdup(a, s);
}

/* ---- files ---- */

/* WHAT ("a network") has only the keys of LIST.  */
static int check_keys(struct netfile *f, const struct yaml *y, const char *what,
                      const char *const *list)
{
    if (y->kind != YAML_MAP)
        return yaml_err(y, f->e, ERR_FORMAT, "%s is a mapping", what);
    for (const struct yaml *c = y->child; c; c = c->next)
        if (str_index(c->key->text, list) < 0)
            return yaml_err(c->key, f->e, ERR_FORMAT, "%s has no key '%s'%s",
                            what, Q(c->key->text), NEAR(c->key->text, list));
    return 0;
}

static int add_path(struct netfile *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dir =
        slash ? arena_strndup(&f->arena, path, (size_t)(slash - path + 1)) : "";
    struct bytes b;
    int rc;

    if (str_ends(path, ".onnx"))
        return err_set(f->e, ERR_UNSUPPORTED,
                       "'%s' is ONNX, not a network file: adze-import makes a "
                       "model of it",
                       Q(path));
    if (bytes_read(&b, path, TEXT_BYTES, f->e) < 0)
        return -1;
    rc = netfile_text(f, path, (const char *)b.data, b.n, dir);
    bytes_release(&b);
    return rc;
}

static int add_zoo(struct netfile *f, const char *name)
{
    const char *text = zoo_find(name);

    return netfile_text(f, name, text, strlen(text), NULL);
}

/* `base' is sought beside the file, then built in.  */
static int add_base(struct netfile *f, const struct yaml *y, const char *dir)
{
    const char *path;

    if (y->kind != YAML_SCALAR || !*y->text)
        return yaml_err(y, f->e, ERR_FORMAT, "'base' names one file");
    if (f->n == NETFILE_BASES)
        return yaml_err(y, f->e, ERR_FORMAT,
                        "more than 8 files based on each "
                        "other");
    path = dir && *y->text != '/'
               ? arena_printf(&f->arena, "%s%s", dir, y->text)
               : y->text;
    if (dir && access(path, F_OK) == 0)
        return add_path(f, path);
    if (zoo_find(y->text))
        return add_zoo(f, y->text);
    return yaml_err(y, f->e, ERR_INPUT,
                    "base '%s' is neither beside this file nor built in",
                    Q(y->text));
}

/* ---- libraries of blocks ---- */

static int add_library(struct netfile *f, const char *name, const char *text,
                       size_t n)
{
    const struct yaml *y = yaml_parse(&f->arena, name, text, n, f->e);

    if (!y || check_keys(f, y, "a library of blocks", library_keys) < 0)
        return -1;
    f->library[f->n_library++] = y;
    return 0;
}

static int add_library_path(struct netfile *f, const char *path)
{
    struct bytes b;
    int rc;

    if (bytes_read(&b, path, TEXT_BYTES, f->e) < 0)
        return -1;
    rc = add_library(f, path, (const char *)b.data, b.n);
    bytes_release(&b);
    return rc;
}

static int no_library(struct netfile *f, const struct yaml *y)
{
    const char **list;
    int n = 0;

    while (zoo_files[n].name)
        n++;
    list = ARENA_NEWS(&f->arena, n + 1, const char *);
    n = 0;
    for (const struct zoo_file *z = zoo_files; z->name; z++)
        if (str_starts(z->name, ZOO_LIBRARY))
            list[n++] = netfile_stem(&f->arena, z->name);
    return yaml_err(y, f->e, ERR_FORMAT,
                    "no library of blocks is called '%s'%s (a file is written "
                    "with '/' or '.yaml')",
                    Q(y->text), NEAR(y->text, list));
}

/* One of `use': a library that is compiled in, or a file beside this one.  */
static int add_use(struct netfile *f, const struct yaml *y, const char *dir)
{
    const char *text;

    if (y->kind != YAML_SCALAR || !*y->text)
        return yaml_err(y, f->e, ERR_FORMAT,
                        "'use' is a list of libraries of blocks");
    if (f->n_library == NETFILE_LIBRARIES)
        return yaml_err(y, f->e, ERR_FORMAT, "more than 16 libraries");
    if (dir && netfile_is_path(y->text))
        return add_library_path(
            f, *y->text == '/' ? y->text
                               : arena_printf(&f->arena, "%s%s", dir, y->text));
    text = zoo_find(arena_printf(&f->arena, ZOO_LIBRARY "%s.yaml", y->text));
    return text ? add_library(f, y->text, text, strlen(text))
                : no_library(f, y);
}

static int add_uses(struct netfile *f, const struct yaml *y, const char *dir)
{
    if (y->kind != YAML_LIST)
        return add_use(f, y, dir);
    for (const struct yaml *c = y->child; c; c = c->next)
        if (add_use(f, c, dir) < 0)
            return -1;
    return 0;
}

/* ---- all that is read ---- */

int netfile_text(struct netfile *f, const char *name, const char *text,
                 size_t n, const char *dir)
{
    const struct yaml *y = yaml_parse(&f->arena, name, text, n, f->e), *base;
    const struct yaml *use;

    if (!y || check_keys(f, y, "a network", keys) < 0)
        return -1;
    f->doc[f->n++] = y;
    use = yaml_get(y, "use");
    if (use && add_uses(f, use, dir) < 0)
        return -1;
    base = yaml_get(y, "base");
    return base ? add_base(f, base, dir) : 0;
}

int netfile_open(struct netfile *f, const char *name)
{
    const char *file = arena_printf(&f->arena, "%s.yaml", name);

    if (netfile_is_path(name))
        return add_path(f, name);
    if (zoo_find(file))
        return add_zoo(f, file);
    return err_set(f->e, ERR_USAGE,
                   "no built-in network is called '%s'%s (a file is written "
                   "with '/' or '.yaml')",
                   Q(name),
                   netname_suggest((char[STR_SUGGEST]){0}, name, zoo_networks));
}

const struct yaml *netfile_library(struct netfile *f, const char *name)
{
    const char *file = arena_printf(&f->arena, ZOO_LIBRARY "%s.yaml", name);
    const char *text = zoo_find(file);

    if (!text)
        BUG("no library '%s' is built in", name);
    return yaml_parse(&f->arena, file, text, strlen(text), f->e);
}

const struct yaml *netfile_get(const struct netfile *f, const char *key)
{
    for (int i = 0; i < f->n; i++) {
        const struct yaml *y = yaml_get(f->doc[i], key);

        if (y)
            return y;
    }
    return NULL;
}
