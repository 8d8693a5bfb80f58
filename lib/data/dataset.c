/* dataset.c -- see dataset.h: recognise the forms, join parts, map classes.
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/form.h"
#include "data/tar.h"

struct dataset {
    struct form_part *part;
    int n_part, cap_part;
    int64_t n, labels;
    struct arena arena;
    const char **classes; /* NULL-ended */
    int n_class;
    const char **missing; /* NULL-ended */
    char *spec;
};

/* Asked in this order; the list takes any text.  */
static const struct form *const file_forms[] = {
    &form_tar, &form_frames, &form_idx, &form_cifar, &form_list};

/* ---- what was given ---- */

#define FORMS \
    "a folder of class folders, a list file, a tar, frames, IDX or CIFAR files"

static int not_a_set(const struct form_part *p, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s is no data set that is known: " FORMS,
                   FORM_SHOW(p->spec));
}

/* A picture may be text as far as its first bytes tell.  */
static int not_a_picture(const struct form_part *p, struct err *e)
{
    struct codec_info ci;
    struct err none = {0};

    if (codec_info(&ci, p->bytes.data, p->bytes.n, &none) < 0)
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s is a %s picture, not a data set: give " FORMS,
                   FORM_SHOW(p->spec), ci.format);
}

static int open_file(struct form_part *p, const struct dataset_opts *o,
                     struct err *e)
{
    if (bytes_read(&p->bytes, p->spec, SIZE_MAX, e) < 0)
        return -1;
    if (!p->bytes.n)
        return err_set(e, ERR_INPUT, "%s is empty", FORM_SHOW(p->spec));
    if (tar_foreign(p->bytes.data, p->bytes.n, e) < 0)
        return err_in(e, "%s", FORM_SHOW(p->spec));
    for (size_t i = 0; i < COUNT(file_forms) && !p->form; i++)
        if (file_forms[i]->is(&p->bytes))
            p->form = file_forms[i];
    if ((!p->form || p->form == &form_list) && not_a_picture(p, e) < 0)
        return -1;
    return p->form ? p->form->open(p, o, e) : not_a_set(p, e);
}

static int is_folder(const char *path)
{
    struct stat st;

    return strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

static int open_part(struct dataset *d, const char *spec,
                     const struct dataset_opts *o, struct err *e)
{
    struct form_part *p;
    int r;

    ARRAY_GROW(d->part, d->n_part, d->cap_part);
    p = &d->part[d->n_part++];
    *p = (struct form_part){.first = d->n};
    p->spec = arena_strdup(&p->arena, spec);
    if (is_folder(spec)) {
        p->form = &form_folder;
        r = form_folder.open(p, o, e);
    } else {
        r = open_file(p, o, e);
    }
    if (r == 0 && !p->n)
        r = err_set(e, ERR_INPUT, "'%s' holds no pictures", Q(spec));
    d->n += p->n;
    return r;
}

/* A '+' ends an operand, unless what stands there is a file whose name holds
 * the '+'.  */
size_t dataset_operand(const char *s)
{
    const char *first = strchr(s, '+'), *plus = first;

    while (plus) {
        char *path = xstrndup(s, (size_t)(plus - s));
        const int there = access(path, F_OK) == 0;

        free(path);
        if (there)
            return (size_t)(plus - s);
        plus = strchr(plus + 1, '+');
    }
    if (!first || access(s, F_OK) == 0)
        return strlen(s);
    return (size_t)(first - s);
}

static int open_spec(struct dataset *d, const char *spec,
                     const struct dataset_opts *o, struct err *e);

/* A folder of IDX or CIFAR files: its training files, else its test files.  */
static int open_known_folder(struct dataset *d, const char *spec,
                             const struct dataset_opts *o, struct err *e)
{
    char *train, *test;
    int r;

    if (!form_cifar_folder(spec, &train, &test) &&
        !form_idx_folder(spec, &train, &test))
        return open_part(d, spec, o, e);
    r = open_spec(d, train ? train : test, o, e);
    free(train);
    free(test);
    return r;
}

static int open_spec(struct dataset *d, const char *spec,
                     const struct dataset_opts *o, struct err *e)
{
    for (const char *s = spec;;) {
        const char *end = s + dataset_operand(s);
        char *one = xstrndup(s, (size_t)(end - s));
        int r;

        if (!*one)
            r = err_set(e, ERR_USAGE, "an empty name in data set '%s'",
                        Q(spec));
        else
            r = is_folder(one) ? open_known_folder(d, one, o, e)
                               : open_part(d, one, o, e);
        free(one);
        if (r < 0)
            return -1;
        if (!*end)
            return 0;
        s = end + 1;
    }
}

/* ---- classes ---- */

static int same_classes(const struct form_part *a, const struct form_part *b)
{
    if (a->n_class != b->n_class)
        return 0;
    for (int i = 0; i < a->n_class; i++)
        if (strcmp(a->classes[i], b->classes[i]) != 0)
            return 0;
    return 1;
}

/* The names of all parts, each once, sorted; in their own order if they have
 * one and agree.  */
static void classes_from_data(struct dataset *d)
{
    const char **all = NULL;
    int n = 0, cap = 0, kept = 0, ordered = 1;

    for (int k = 0; k < d->n_part; k++) {
        const struct form_part *p = &d->part[k];

        ordered = ordered && p->in_order && same_classes(p, &d->part[0]);
        for (int i = 0; i < p->n_class; i++) {
            ARRAY_GROW(all, n, cap);
            all[n++] = p->classes[i];
        }
    }
    if (ordered && n)
        n = d->part[0].n_class;
    else if (n)
        qsort(all, (size_t)n, sizeof *all, str_order);
    d->classes = ARENA_NEWS(&d->arena, n + 1, const char *);
    for (int i = 0; i < n; i++)
        if (ordered || !kept || strcmp(all[i], d->classes[kept - 1]) != 0)
            d->classes[kept++] = arena_strdup(&d->arena, all[i]);
    d->n_class = kept;
    free(all);
}

static void classes_from_model(struct dataset *d, const struct dataset_opts *o)
{
    d->classes = ARENA_NEWS(&d->arena, o->n_classes + 1, const char *);
    d->n_class = o->n_classes;
    for (int i = 0; i < o->n_classes; i++)
        d->classes[i] = arena_strdup(&d->arena, o->classes[i]);
}

static int unknown_class(const struct dataset *d, const struct form_part *p,
                         const char *name, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "'%s': class '%s' is not among the %d classes of the "
                   "model%s",
                   Q(p->spec), Q(name), d->n_class, NEAR(name, d->classes));
}

static int map_names(const struct dataset *d, struct form_part *p,
                     const struct name_map *index, int unlabelled,
                     struct err *e)
{
    int32_t *now = xcalloc((size_t)p->n_class, sizeof *now);
    int r = 0;

    for (int i = 0; i < p->n_class && r == 0; i++) {
        now[i] = (int32_t)name_map_get(index, p->classes[i]);
        if (now[i] < 0 && !unlabelled)
            r = unknown_class(d, p, p->classes[i], e);
    }
    for (int64_t i = 0; i < p->n && r == 0; i++)
        if (p->item[i].label >= 0)
            p->item[i].label = now[p->item[i].label];
    free(now);
    return r;
}

/* Labels that are indices lie inside the head.  */
static int check_indices(const struct form_part *p, int64_t limit,
                         int unlabelled, struct err *e)
{
    for (int64_t i = 0; i < p->n; i++) {
        struct form_item *it = &p->item[i];

        if (it->label < limit)
            continue;
        if (unlabelled) {
            it->label = -1;
            continue;
        }
        err_set(e, ERR_INPUT, "label %d of '%s' is outside 0 to %lld",
                it->label, Q(it->name + it->rel), (long long)limit - 1);
        return p->form->lines ? err_in(e, "%s, line %llu", FORM_SHOW(p->spec),
                                       (unsigned long long)it->at)
                              : err_in(e, "%s", FORM_SHOW(p->spec));
    }
    return 0;
}

static int map_labels(struct dataset *d, const struct dataset_opts *o,
                      struct err *e)
{
    struct name_map index = {0};
    const int64_t limit = d->n_class     ? d->n_class
                          : o->n_classes ? o->n_classes
                                         : FORM_LABEL_MAX;
    int r = 0;

    for (int i = 0; i < d->n_class; i++)
        name_map_put(&index, d->classes[i], i);
    for (int k = 0; k < d->n_part && r == 0; k++)
        r = d->part[k].n_class
                ? map_names(d, &d->part[k], &index, o->unlabelled, e)
                : check_indices(&d->part[k], limit, o->unlabelled, e);
    name_map_release(&index);
    return r;
}

/* The largest label, and the names without a sample.  */
static void count_labels(struct dataset *d)
{
    char *seen = xcalloc((size_t)d->n_class + 1, 1);
    int n = 0;

    for (int k = 0; k < d->n_part; k++)
        for (int64_t i = 0; i < d->part[k].n; i++) {
            const int32_t label = d->part[k].item[i].label;

            if (label >= d->labels)
                d->labels = label + 1;
            if (label >= 0 && label < d->n_class)
                seen[label] = 1;
        }
    d->missing = ARENA_NEWS(&d->arena, d->n_class + 1, const char *);
    for (int i = 0; i < d->n_class; i++)
        if (!seen[i])
            d->missing[n++] = d->classes[i];
    free(seen);
}

/* A model file holds text; a class without its name would shift the others.
 */
static int check_names(const struct dataset *d, struct err *e)
{
    for (int i = 0; i < d->n_class; i++)
        if (!str_utf8(d->classes[i], strlen(d->classes[i])))
            return err_set(e, ERR_FORMAT,
                           "%s: the class name '%s' is not UTF-8: rename it",
                           FORM_SHOW(d->spec), Q(d->classes[i]));
    return 0;
}

static int resolve(struct dataset *d, const struct dataset_opts *o,
                   struct err *e)
{
    if (o->classes)
        classes_from_model(d, o);
    else
        classes_from_data(d);
    if (!o->classes && o->n_classes && d->n_class > o->n_classes)
        return err_set(e, ERR_INPUT,
                       "%s has %d classes, the model's head has %d",
                       FORM_SHOW(d->spec), d->n_class, o->n_classes);
    if (check_names(d, e) < 0 || map_labels(d, o, e) < 0)
        return -1;
    count_labels(d);
    return 0;
}

/* ---- the set ---- */

/* As one part, whose pictures are files as those of class folders are.  */
static int open_paths(struct dataset *d, const char *const *paths, int64_t n,
                      struct err *e)
{
    struct form_part *p;

    ARRAY_GROW(d->part, d->n_part, d->cap_part);
    p = &d->part[d->n_part++];
    *p = (struct form_part){.form = &form_folder, .spec = "pictures"};
    for (int64_t i = 0; i < n; i++)
        form_add(p, paths[i], (size_t)(form_base(paths[i]) - paths[i]));
    d->n = n;
    return n ? 0 : err_set(e, ERR_INPUT, "no pictures");
}

struct dataset *dataset_paths(const char *const *paths, int64_t n,
                              struct err *e)
{
    static const struct dataset_opts none;
    struct dataset *d = xcalloc(1, sizeof *d);

    d->spec = xstrdup("pictures");
    if (open_paths(d, paths, n, e) == 0 && resolve(d, &none, e) == 0)
        return d;
    dataset_free(d);
    return NULL;
}

struct dataset *dataset_open(const char *spec, const struct dataset_opts *o,
                             struct err *e)
{
    static const struct dataset_opts none;
    struct dataset *d = xcalloc(1, sizeof *d);

    if (!o)
        o = &none;
    d->spec = xstrdup(spec);
    if (open_spec(d, spec, o, e) < 0 || resolve(d, o, e) < 0) {
        dataset_free(d);
        return NULL;
    }
    return d;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    for (int i = 0; i < d->n_part; i++)
        form_release(&d->part[i]);
    free(d->part);
    arena_release(&d->arena);
    free(d->spec);
    free(d);
}

void dataset_spread(struct dataset *d, int64_t n)
{
    const int64_t all = d->n;
    int64_t i = 0, kept = 0;

    if (n >= all)
        return;
    for (int k = 0; k < d->n_part; k++) {
        struct form_part *p = &d->part[k];
        int64_t here = 0;

        p->first = kept;
        /* sample I is the next one to be kept if the KEPT-th place is its */
        for (int64_t m = 0; m < p->n; m++, i++)
            if (kept < n && i == (int64_t)((__int128)kept * all / n)) {
                p->item[here++] = p->item[m];
                kept++;
            }
        p->n = here;
    }
    d->n = kept;
}

int64_t dataset_count(const struct dataset *d)
{
    return d->n;
}

static const struct form_part *part_of(const struct dataset *d, int64_t i)
{
    int k = d->n_part - 1;

    if (i < 0 || i >= d->n)
        BUG("sample %lld of %lld", (long long)i, (long long)d->n);
    while (d->part[k].first > i)
        k--;
    return &d->part[k];
}

struct sample dataset_sample(const struct dataset *d, int64_t i)
{
    const struct form_part *p = part_of(d, i);
    const struct form_item *it = &p->item[i - p->first];

    return (struct sample){it->name, it->label};
}

const char *const *dataset_classes(const struct dataset *d, int *n)
{
    *n = d->n_class;
    return d->classes;
}

int64_t dataset_labels(const struct dataset *d)
{
    return d->labels;
}

const char *const *dataset_missing(const struct dataset *d)
{
    return d->missing;
}

int dataset_image(const struct dataset *d, int64_t i,
                  const struct codec_opts *o, struct image *im, struct err *e)
{
    const struct form_part *p = part_of(d, i);

    if (p->form->image(p, &p->item[i - p->first], o, im, e) < 0)
        return -1;
    return codec_cut(im, o, e);
}

void dataset_fingerprint(const struct dataset *d, char text[HASH_TEXT])
{
    struct hasher *h = hasher_new();

    for (int k = 0; k < d->n_part; k++)
        for (int64_t i = 0; i < d->part[k].n; i++) {
            const struct form_part *p = &d->part[k];
            const struct form_item *it = &p->item[i];
            const int64_t v[2] = {p->form->bytes(p, it), it->label};

            hasher_add_str(h, it->name + it->rel);
            hasher_add(h, v, sizeof v);
        }
    hasher_text(h, text);
    hasher_free(h);
}
