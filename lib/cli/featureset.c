/* featureset.c -- see featureset.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/featureset.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "tensor/npy.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* ---- reading ---- */

/* The name of the tensor of features.  */
static const char *find(const struct set *s, struct err *e)
{
    static const char name[] = "features";

    if (set_get(s, name))
        return name;
    if (s->n == 1)
        return s->item[0].name;
    err_set(e, ERR_FORMAT,
            "holds %lld tensors and no 'features': write one with "
            "adze-infer --features=NAME",
            (long long)s->n);
    return NULL;
}

/* T with all behind its first size as one row.  */
static int take(struct featureset *f, const struct tensor *t, struct err *e)
{
    const int is_float = t->dtype == DTYPE_F16 || t->dtype == DTYPE_BF16 ||
                         t->dtype == DTYPE_F64;
    const int64_t n = tensor_count(t);

    if (t->shape.rank < 2 || !n || (t->dtype != DTYPE_F32 && !is_float))
        return err_set(e, ERR_FORMAT, "%s %s are no rows of features",
                       dtype_name(t->dtype), ST(&t->shape));
    if (t->dtype == DTYPE_F32)
        f->x = tensor_ref(t);
    else if (tensor_convert(&f->x, t, DTYPE_F32, e) < 0)
        return -1;
    f->x.shape =
        shape_make(2, (int64_t[]){t->shape.dim[0], n / t->shape.dim[0]});
    return 0;
}

static int take_paths(struct featureset *f, const json_t *list, struct err *e)
{
    const int64_t n = f->x.shape.dim[0];

    if (!json_is_array(list) || (int64_t)json_array_size(list) != n)
        return err_set(e, ERR_FORMAT,
                       "'paths' is no list of a path for each of %lld rows",
                       (long long)n);
    f->path = ARENA_NEWS(&f->arena, n, const char *);
    for (int64_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(list, (size_t)i));

        if (!s)
            return err_set(e, ERR_FORMAT, "path %lld is no text",
                           (long long)i + 1);
        f->path[i] = arena_strdup(&f->arena, s);
    }
    return 0;
}

static int from_set(struct featureset *f, const struct set *s, struct err *e)
{
    const char *name = find(s, e), *text = set_meta_get(s, "paths");
    const char *model = set_meta_get(s, "model");
    json_t *list;
    int rc;

    *f = (struct featureset){0};
    if (!name || take(f, set_get(s, name), e) < 0)
        return -1;
    if (model)
        f->origin = arena_printf(&f->arena, "%s %s", model, name);
    if (!text)
        return 0;
    f->paths = arena_strdup(&f->arena, text);
    list = json_loads(text, 0, NULL);
    rc = take_paths(f, list, e);
    json_decref(list);
    if (rc < 0)
        featureset_release(f);
    return rc;
}

static int read_set(struct set *s, const char *path, struct err *e)
{
    struct tensor t;

    if (!str_ends(path, ".npy"))
        return safetensors_read(s, path, e);
    if (npy_read(&t, path, e) < 0)
        return -1;
    set_init(s);
    set_put(s, "features", &t);
    tensor_unref(&t);
    return 0;
}

int featureset_read(struct featureset *f, const char *path, struct err *e)
{
    struct set s;
    int rc;

    if (read_set(&s, path, e) < 0)
        return -1;
    rc = from_set(f, &s, e);
    set_release(&s);
    return rc < 0 ? err_in(e, "'%s'", Q(path)) : 0;
}

void featureset_release(struct featureset *f)
{
    tensor_unref(&f->x);
    arena_release(&f->arena);
    *f = (struct featureset){0};
}

/* ---- two of them ---- */

int featureset_match(const struct featureset *a, const struct featureset *b,
                     struct err *e)
{
    const int64_t n = a->x.shape.dim[0];

    if (n != b->x.shape.dim[0])
        return err_set(e, ERR_SHAPE,
                       "the first file has %lld rows, the second %lld: both "
                       "must be of the same pictures",
                       (long long)n, (long long)b->x.shape.dim[0]);
    for (int64_t i = 0; a->path && b->path && i < n; i++)
        if (strcmp(a->path[i], b->path[i]) != 0)
            return err_set(e, ERR_FORMAT,
                           "row %lld is of '%s' in the first file, of '%s' in "
                           "the second: both must be of the same pictures",
                           (long long)i + 1, Q(a->path[i]), Q(b->path[i]));
    return 0;
}

/* ---- classes ---- */

/* The folder in front of PATH's last part; NULL if there is none.  */
static const char *folder(struct arena *a, const char *path)
{
    const char *end = strrchr(path, '/'), *start;

    while (end && end > path && end[-1] == '/')
        end--;
    if (!end || end == path)
        return NULL;
    for (start = end; start > path && start[-1] != '/';)
        start--;
    return arena_strndup(a, start, (size_t)(end - start));
}

static int64_t distinct(const char **name, int64_t n)
{
    int64_t k = 0;

    qsort(name, (size_t)n, sizeof *name, str_order);
    for (int64_t i = 0; i < n; i++)
        if (!k || strcmp(name[i], name[k - 1]) != 0)
            name[k++] = name[i];
    return k;
}

static int name_classes(const struct featureset *f, struct arena *a,
                        int64_t *label, int64_t *classes, struct err *e)
{
    const int64_t n = f->x.shape.dim[0];
    const char **of = ARENA_NEWS(a, n, const char *);
    const char **name = ARENA_NEWS(a, n, const char *);

    for (int64_t i = 0; i < n; i++) {
        of[i] = name[i] = folder(a, f->path[i]);
        if (!of[i])
            return err_set(e, ERR_FORMAT,
                           "'%s' stands in no folder that would be its "
                           "class: give --classes",
                           Q(f->path[i]));
    }
    *classes = distinct(name, n);
    for (int64_t i = 0; i < n; i++)
        label[i] = (const char **)bsearch(&of[i], name, (size_t)*classes,
                                          sizeof *name, str_order) -
                   name;
    return 0;
}

int featureset_classes(const struct featureset *f, int64_t *label,
                       int64_t *classes, struct err *e)
{
    struct arena a = {0};
    int rc;

    if (!f->path)
        return err_set(e, ERR_FORMAT,
                       "the first file has no paths that would tell the "
                       "classes: give --classes");
    rc = name_classes(f, &a, label, classes, e);
    arena_release(&a);
    return rc;
}

int fuzz_featureset(const uint8_t *p, size_t n)
{
    struct featureset f;
    struct err e = {0};
    struct set s;
    int rc;

    if (safetensors_parse(&s, p, n, NULL, 0, &e) < 0)
        return -1;
    rc = from_set(&f, &s, &e);
    if (rc == 0) {
        int64_t *label = xcalloc((size_t)f.x.shape.dim[0], sizeof *label);
        int64_t classes;

        featureset_classes(&f, label, &classes, &e);
        free(label);
        featureset_release(&f);
    }
    set_release(&s);
    return rc;
}
