/* dataset_folder.c -- class folders: DIR/CLASS/.../picture.
 * SPDX-License-Identifier: MIT
 *
 * Names come from readdir alone; a file is looked at when it is decoded.  */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/form.h"

enum { DEPTH_MAX = 32 };

/* What a folder holds, sorted by name.  */
struct listing {
    char **dir, **file;
    int64_t n_dir, n_file, cap_dir, cap_file;
};

static void listing_release(struct listing *l)
{
    for (int64_t i = 0; i < l->n_dir; i++)
        free(l->dir[i]);
    for (int64_t i = 0; i < l->n_file; i++)
        free(l->file[i]);
    free(l->dir);
    free(l->file);
    *l = (struct listing){0};
}

static int cannot_read(const char *path, struct err *e)
{
    return err_set(e, ERR_INPUT, "cannot read folder '%s': %s", Q(path),
                   strerror(errno));
}

/* The entry is a folder; only links and file systems that do not say need to
 * be looked at.  A link to nothing counts as a file and fails when read.  */
static int is_folder(DIR *d, const struct dirent *ent)
{
    struct stat st;

    if (ent->d_type != DT_UNKNOWN && ent->d_type != DT_LNK)
        return ent->d_type == DT_DIR;
    return fstatat(dirfd(d), ent->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int list_folder(struct listing *l, const char *path, struct err *e)
{
    DIR *d = opendir(path);
    struct dirent *ent;

    *l = (struct listing){0};
    if (!d)
        return cannot_read(path, e);
    while (errno = 0, (ent = readdir(d))) {
        if (form_skips(ent->d_name))
            continue;
        if (is_folder(d, ent)) {
            ARRAY_GROW(l->dir, l->n_dir, l->cap_dir);
            l->dir[l->n_dir++] = xstrdup(ent->d_name);
        } else {
            ARRAY_GROW(l->file, l->n_file, l->cap_file);
            l->file[l->n_file++] = xstrdup(ent->d_name);
        }
    }
    if (errno) {
        cannot_read(path, e);
        closedir(d);
        listing_release(l);
        return -1;
    }
    closedir(d);
    if (l->n_dir)
        qsort(l->dir, (size_t)l->n_dir, sizeof *l->dir, str_order);
    if (l->n_file)
        qsort(l->file, (size_t)l->n_file, sizeof *l->file, str_order);
    return 0;
}

/* A folder that is still to be read.  */
struct todo {
    char *path;
    int depth;
};

struct walk {
    struct form_part *p;
    size_t rel;
    int label;
    struct todo *todo;
    int64_t n, cap;
};

static void push(struct walk *w, char *path, int depth)
{
    ARRAY_GROW(w->todo, w->n, w->cap);
    w->todo[w->n++] = (struct todo){path, depth};
}

static char *joined(const char *dir, const char *name)
{
    struct str s = {0};

    str_printf(&s, "%s/%s", dir, name);
    return str_take(&s);
}

static int walk_one(struct walk *w, const struct todo *t, struct err *e)
{
    struct listing l;

    if (list_folder(&l, t->path, e) < 0)
        return -1;
    if (l.n_dir && t->depth == DEPTH_MAX) {
        listing_release(&l);
        return err_set(e, ERR_INPUT,
                       "folders in '%s' are nested deeper than %d: a loop of "
                       "links?",
                       Q(t->path), DEPTH_MAX);
    }
    for (int64_t i = 0; i < l.n_file; i++) {
        char *path = joined(t->path, l.file[i]);

        form_add(w->p, path, w->rel)->label = w->label;
        free(path);
    }
    for (int64_t i = 0; i < l.n_dir; i++)
        push(w, joined(t->path, l.dir[i]), t->depth + 1);
    listing_release(&l);
    return 0;
}

static int by_item_name(const void *a, const void *b)
{
    const struct form_item *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Every file below PATH (taken) gets LABEL.  */
static int walk_class(struct form_part *p, char *path, size_t rel, int label,
                      struct err *e)
{
    struct walk w = {.p = p, .rel = rel, .label = label};
    const int64_t from = p->n;
    int r = 0;

    push(&w, path, 0);
    while (w.n) {
        const struct todo t = w.todo[--w.n];

        if (r == 0)
            r = walk_one(&w, &t, e);
        free(t.path);
    }
    free(w.todo);
    if (p->n > from)
        qsort(p->item + from, (size_t)(p->n - from), sizeof *p->item,
              by_item_name);
    return r;
}

/* `train' beside `val' are parts of a set, not classes of one.  */
static int check_parts(const struct listing *l, const char *root, struct err *e)
{
    static const char *const other[] = {"val", "valid", "validation", "test"};
    int train = 0, more = -1;

    for (int64_t i = 0; i < l->n_dir; i++) {
        train |= !strcasecmp(l->dir[i], "train");
        for (int k = 0; k < (int)COUNT(other); k++)
            if (!strcasecmp(l->dir[i], other[k]))
                more = k;
    }
    if (!train || more < 0)
        return 0;
    return err_set(e, ERR_INPUT,
                   "'%s' holds the folders train and %s, which are sets, not "
                   "classes: give one of them",
                   Q(root), other[more]);
}

static int add_classes(struct form_part *p, const struct listing *l,
                       const char *root, struct err *e)
{
    if (l->n_dir > FORM_LABEL_MAX)
        return err_set(e, ERR_FORMAT, "'%s' has more than %d class folders",
                       Q(root), FORM_LABEL_MAX);
    if (check_parts(l, root, e) < 0)
        return -1;
    for (int64_t i = 0; i < l->n_dir; i++) {
        const int label = form_add_class(p, l->dir[i], strlen(l->dir[i]));

        if (walk_class(p, joined(root, l->dir[i]), strlen(root) + 1, label, e) <
            0)
            return -1;
    }
    return 0;
}

/* Pictures without folders around them: enough where no label is needed.  */
static int add_flat(struct form_part *p, const struct listing *l,
                    const char *root, const struct dataset_opts *o,
                    struct err *e)
{
    if (!o->unlabelled)
        return err_set(e, ERR_INPUT,
                       "'%s' holds no class folders: put the pictures into one "
                       "folder per class, or give a list file",
                       Q(root));
    for (int64_t i = 0; i < l->n_file; i++) {
        char *path = joined(root, l->file[i]);

        form_add(p, path, strlen(root) + 1);
        free(path);
    }
    return 0;
}

/* DIR holds one folder that holds only folders: that one is the set.  */
static int descend(struct listing *l, struct str *root,
                   const struct dataset_opts *o, struct err *e)
{
    struct listing inner;
    char *path;

    if (l->n_dir != 1 || l->n_file ||
        form_known(o, l->dir[0], strlen(l->dir[0])))
        return 0;
    path = joined(str_text(root), l->dir[0]);
    if (list_folder(&inner, path, e) < 0) {
        free(path);
        return -1;
    }
    if (inner.n_dir && !inner.n_file) {
        listing_release(l);
        *l = inner;
        str_clear(root);
        str_add(root, path);
    } else {
        listing_release(&inner);
    }
    free(path);
    return 0;
}

static int folder_open(struct form_part *p, const struct dataset_opts *o,
                       struct err *e)
{
    struct listing l;
    struct str root = {0};
    size_t n = strlen(p->spec);
    int r;

    while (n > 1 && p->spec[n - 1] == '/')
        n--;
    str_addn(&root, p->spec, n);
    if (list_folder(&l, str_text(&root), e) < 0) {
        str_release(&root);
        return -1;
    }
    r = descend(&l, &root, o, e);
    if (r == 0)
        r = l.n_dir ? add_classes(p, &l, str_text(&root), e)
                    : add_flat(p, &l, str_text(&root), o, e);
    listing_release(&l);
    str_release(&root);
    return r;
}

static int folder_image(const struct form_part *p, const struct form_item *it,
                        const struct codec_opts *o, struct image *im,
                        struct err *e)
{
    (void)p;
    return codec_read(im, it->name, o, e);
}

static int64_t folder_bytes(const struct form_part *p,
                            const struct form_item *it)
{
    struct stat st;

    (void)p;
    return stat(it->name, &st) < 0 ? -1 : (int64_t)st.st_size;
}

const struct form form_folder = {.name = "class folders",
                                 .open = folder_open,
                                 .image = folder_image,
                                 .bytes = folder_bytes};
