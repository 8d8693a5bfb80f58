/* netparam.c -- see netparam.h.
 * SPDX-License-Identifier: MIT  */
#include "format/netparam.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/netfile.h"
#include "format/steps.h"
#include "format/yaml.h"

enum { PARAMS = 256 };

/* Parameters that every network has besides its own; what they do is done to
 * the whole network when it stands.  */
static const char *const common[] = {"conv", "embedding", NULL};

/* The `with' of the family: that of the last file that has one.  */
static const struct yaml *family(const struct netfile *f)
{
    const struct yaml *with = NULL;

    for (int i = 0; i < f->n; i++) {
        const struct yaml *y = yaml_get(f->doc[i], "with");

        with = y ? y : with;
    }
    return with;
}

/* ---- which there are ---- */

static int no_param(struct netfile *f, const struct yaml *at, const char *name,
                    size_t n)
{
    const struct yaml *with = family(f);
    const char *list[PARAMS + COUNT(common)];
    char *key = arena_strndup(&f->arena, name, n);
    int k = 0;

    for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
        list[k++] = c->key->text;
    for (int i = 0; common[i]; i++)
        list[k++] = common[i];
    list[k] = NULL;
    err_set(f->e, at ? ERR_FORMAT : ERR_USAGE,
            "the network has no parameter '%s'%s", Q(key), NEAR(key, list));
    return at ? yaml_in(at, f->e) : -1;
}

static int check_with(struct netfile *f)
{
    const struct yaml *known = family(f);

    for (int i = f->n - 1; i >= 0; i--) {
        const struct yaml *with = yaml_get(f->doc[i], "with");

        if (with && (with->kind != YAML_MAP || with->n_child > PARAMS))
            return yaml_err(with, f->e, ERR_FORMAT,
                            "'with' is a mapping of at most 256 parameters");
        for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
            if (!yaml_get(known, c->key->text) &&
                str_index(c->key->text, common) < 0)
                return no_param(f, c->key, c->key->text, strlen(c->key->text));
    }
    return 0;
}

static int check_opts(struct netfile *f, const char *const *opts)
{
    const struct yaml *with = family(f);

    for (; opts && *opts; opts++) {
        const char *eq = strchr(*opts, '=');
        const size_t n = eq ? (size_t)(eq - *opts) : strlen(*opts);
        const char *key = arena_strndup(&f->arena, *opts, n);

        if (!eq)
            return err_set(f->e, ERR_USAGE, "'%s' is not KEY=VALUE", Q(*opts));
        if ((!with || !yaml_get(with, key)) && str_index(key, common) < 0)
            return no_param(f, NULL, *opts, n);
    }
    return 0;
}

/* ---- what they are ---- */

/* The override of KEY as YAML: the last one counts.  0 where none is.  */
static int from_opts(struct netfile *f, const char *const *opts,
                     const char *key, const struct yaml **y)
{
    const size_t n = strlen(key);
    const char *found = NULL;

    for (; opts && *opts; opts++)
        if (!strncmp(*opts, key, n) && (*opts)[n] == '=')
            found = *opts;
    if (!found)
        return 0;
    if (!found[n + 1])
        return err_set(f->e, ERR_USAGE, "-o %s gives no value", Q(found));
    *y = yaml_parse(&f->arena, arena_printf(&f->arena, "-o %s", found),
                    found + n + 1, strlen(found + n + 1), f->e);
    if (!*y)
        return err_blame(f->e, ERR_USAGE);
    if ((*y)->kind == YAML_MAP)
        return err_set(f->e, ERR_USAGE, "-o %s: a value or list is wanted",
                       Q(found));
    return 0;
}

const struct yaml *netparam_stated(const struct netfile *f, const char *key)
{
    for (int i = 0; i < f->n; i++) {
        const struct yaml *with = yaml_get(f->doc[i], "with");
        const struct yaml *y = with ? yaml_get(with, key) : NULL;

        if (y)
            return y;
    }
    return NULL;
}

/* Put KEY in front of ENV where an option or a file says its value.  */
static int bind_one(struct netfile *f, const char *const *opts, const char *key,
                    const struct expr_env **env)
{
    const struct yaml *y = netparam_stated(f, key);
    struct expr_env *b = ARENA_NEW(&f->arena, struct expr_env);

    if (from_opts(f, opts, key, &y) < 0)
        return -1;
    if (!y)
        return 0;
    if (y->kind == YAML_SCALAR && !*y->text)
        return yaml_err(y, f->e, ERR_USAGE,
                        "the network needs its parameter '%s'", Q(key));
    *b = (struct expr_env){.up = *env, .name = key};
    if (expr_yaml(&b->value, y, *env, &f->arena, f->e) < 0)
        return -1;
    *env = b;
    return 0;
}

int netparam_bind(struct netfile *f, const char *const *opts,
                  const struct expr_env **env)
{
    const struct yaml *with = family(f);

    *env = NULL;
    if (check_with(f) < 0 || check_opts(f, opts) < 0)
        return -1;
    for (const struct yaml *c = with ? with->child : NULL; c; c = c->next)
        if (bind_one(f, opts, c->key->text, env) < 0)
            return -1;
    for (int i = 0; common[i]; i++)
        if (!(with && yaml_get(with, common[i])) &&
            bind_one(f, opts, common[i], env) < 0)
            return -1;
    return 0;
}

static const struct expr *param(const struct steps *st, const char *name)
{
    for (const struct expr_env *b = st->params; b; b = b->up)
        if (!strcmp(b->name, name))
            return &b->value;
    return NULL;
}

const char *netparam_text(struct steps *st, const char *name)
{
    const struct expr *v = param(st, name);
    struct str s = {0};
    const char *text;

    if (!v)
        return NULL;
    expr_print(&s, v);
    text = arena_strdup(st->arena, str_text(&s));
    str_release(&s);
    return text;
}
