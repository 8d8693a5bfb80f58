/* dataset_tar.c -- a tar of class folders, or of WebDataset pairs
 * (key.jpg, key.cls).
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "data/form.h"
#include "data/tar.h"

enum { LABEL_FILE_MAX = 4096 };

static int is_tar(const struct bytes *b)
{
    return tar_is(b->data, b->n);
}

/* The name without "./" and "/" in front.  */
static const char *trimmed(const char *name)
{
    for (;;) {
        if (name[0] == '/')
            name++;
        else if (name[0] == '.' && name[1] == '/')
            name += 2;
        else
            return name;
    }
}

static const char *rel_name(const struct form_item *it)
{
    return it->name + it->rel;
}

/* ---- the index of members ---- */

static int no_duplicate(struct form_part *p, struct name_map *seen,
                        struct err *e)
{
    const struct form_item *it = &p->item[p->n - 1];
    const int64_t old = name_map_put(seen, rel_name(it), p->n - 1);

    if (old < 0)
        return 0;
    return err_set(e, ERR_FORMAT,
                   "two members are named '%s', with data at offsets %llu and "
                   "%llu",
                   Q(rel_name(it)), (unsigned long long)p->item[old].at,
                   (unsigned long long)it->at);
}

static int read_index(struct form_part *p, struct err *e)
{
    struct tar t = {.data = p->bytes.data, .n = p->bytes.n};
    struct tar_member m;
    struct name_map seen = {0};
    struct str full = {0};
    int r;

    while ((r = tar_next(&t, &m, e)) > 0) {
        const char *name = trimmed(m.name);
        struct form_item *it;

        if (form_hidden(name))
            continue;
        str_clear(&full);
        str_printf(&full, "%s:%s", p->spec, name);
        it = form_add(p, str_text(&full), strlen(p->spec) + 1);
        it->at = m.offset;
        it->n = m.n;
        if ((r = no_duplicate(p, &seen, e)) < 0)
            break;
    }
    str_release(&full);
    name_map_release(&seen);
    tar_release(&t);
    return r;
}

/* ---- class folders ---- */

/* The first component of NAME that is a folder: its length, or 0.  */
static size_t first_folder(const char *name)
{
    const char *slash = strchr(name, '/');

    return slash ? (size_t)(slash - name) : 0;
}

/* Bytes of a top folder, with its '/', that all members share and that holds
 * only folders; 0 if there is none.  */
static size_t top_folder(const struct form_part *p,
                         const struct dataset_opts *o)
{
    const char *first = p->n ? rel_name(&p->item[0]) : "";
    const size_t n = first_folder(first);

    if (!n || form_known(o, first, n))
        return 0;
    for (int64_t i = 0; i < p->n; i++) {
        const char *name = rel_name(&p->item[i]);

        if (strncmp(name, first, n + 1) != 0 || !first_folder(name + n + 1))
            return 0;
    }
    return n + 1;
}

static int add_class(struct form_part *p, struct form_item *it,
                     const char *name, size_t n, struct name_map *index,
                     struct err *e)
{
    char *text = xstrndup(name, n);
    int64_t label = name_map_get(index, text);

    free(text);
    if (label < 0) {
        label = form_add_class(p, name, n);
        name_map_put(index, p->classes[label], label);
    }
    it->label = (int32_t)label;
    return p->n_class > FORM_LABEL_MAX
               ? err_set(e, ERR_FORMAT, "more than %d class folders",
                         FORM_LABEL_MAX)
               : 0;
}

/* Files outside all folders have no class: kept where none is needed.  */
static int label_by_folder(struct form_part *p, const struct dataset_opts *o,
                           struct err *e)
{
    const size_t top = top_folder(p, o);
    struct name_map index = {0};
    int64_t kept = 0;
    int r = 0;

    for (int64_t i = 0; i < p->n && r == 0; i++) {
        struct form_item it = p->item[i];
        const char *name;
        size_t n;

        it.rel += (uint32_t)top;
        name = rel_name(&it);
        n = first_folder(name);
        if (n)
            r = add_class(p, &it, name, n, &index, e);
        if (n || o->unlabelled)
            p->item[kept++] = it;
    }
    name_map_release(&index);
    if (r < 0)
        return -1;
    if (!kept && p->n)
        return err_set(e, ERR_INPUT,
                       "holds no class folders: pack one folder per class, or "
                       "pairs key.jpg key.cls");
    p->n = kept;
    form_sort_classes(p);
    return 0;
}

/* ---- WebDataset ---- */

/* The key ends at the first '.' of the file name; the rest tells what the
 * member is.  */
static const char *extension(const char *name)
{
    const char *dot = strchr(form_base(name), '.');

    return dot ? dot + 1 : "";
}

static int is_label(const char *name)
{
    return !strcmp(extension(name), "cls");
}

static int is_picture(const char *name)
{
    static const char *const known[] = {"jpg", "jpeg", "png", "bmp",
                                        "ppm", "pgm",  "pbm", "pnm"};

    for (size_t i = 0; i < COUNT(known); i++)
        if (!strcasecmp(extension(name), known[i]))
            return 1;
    return 0;
}

static int is_webdataset(const struct form_part *p)
{
    for (int64_t i = 0; i < p->n; i++)
        if (is_label(rel_name(&p->item[i])))
            return 1;
    return 0;
}

static char *key_of(const char *name)
{
    return xstrndup(name, (size_t)(extension(name) - name));
}

/* Keys of the pictures that are kept, to their index.  */
struct pairs {
    struct form_part *p;
    struct name_map picture; /* key -> item */
    struct arena keys;
    struct form_item *label; /* the .cls members */
    int64_t n_label, cap_label;
    struct form_labels labels;
};

static int sort_member(struct pairs *w, const struct form_item *it,
                       int64_t *kept, struct err *e)
{
    const char *name = rel_name(it);
    char *key;

    if (is_label(name)) {
        ARRAY_GROW(w->label, w->n_label, w->cap_label);
        w->label[w->n_label++] = *it;
        return 0;
    }
    if (!is_picture(name))
        return 0;
    key = arena_strndup(&w->keys, name, (size_t)(extension(name) - name));
    if (name_map_put(&w->picture, key, *kept) >= 0)
        return err_set(e, ERR_FORMAT, "'%s' is a second picture of its key",
                       Q(name));
    w->p->item[(*kept)++] = *it;
    return 0;
}

/* The text of label member IT goes to its picture.  */
static int apply_label(struct pairs *w, const struct form_item *it,
                       struct err *e)
{
    const char *name = rel_name(it);
    const char *text = (const char *)w->p->bytes.data + it->at;
    size_t n = it->n;
    char *key = key_of(name);
    const int64_t at = name_map_get(&w->picture, key);

    free(key);
    if (at < 0)
        return err_set(e, ERR_FORMAT, "'%s' has no picture of its key",
                       Q(name));
    if (n > LABEL_FILE_MAX)
        return err_set(e, ERR_FORMAT, "'%s' has %zu bytes: not a label",
                       Q(name), n);
    while (n && strchr(" \t\r\n", text[n - 1]) && text[n - 1])
        n--;
    if (memchr(text, 0, n) || memchr(text, '\n', n))
        return err_set(e, ERR_FORMAT, "'%s' is not one line of text", Q(name));
    if (form_label(w->p, &w->labels, &w->p->item[at], text, n, e) < 0)
        return err_in(e, "'%s'", Q(name));
    return 0;
}

static int pair_up(struct pairs *w, const struct dataset_opts *o, struct err *e)
{
    struct form_part *p = w->p;
    int64_t kept = 0;

    for (int64_t i = 0; i < p->n; i++) {
        const struct form_item it = p->item[i];

        if (sort_member(w, &it, &kept, e) < 0)
            return -1;
    }
    p->n = kept;
    for (int64_t i = 0; i < w->n_label; i++)
        if (apply_label(w, &w->label[i], e) < 0)
            return -1;
    for (int64_t i = 0; i < p->n && !o->unlabelled; i++)
        if (p->item[i].label < 0)
            return err_set(e, ERR_FORMAT,
                           "'%s' has no label: no .cls of its "
                           "key",
                           Q(rel_name(&p->item[i])));
    form_sort_classes(p);
    return 0;
}

static int label_by_pair(struct form_part *p, const struct dataset_opts *o,
                         struct err *e)
{
    struct pairs w = {.p = p};
    const int r = pair_up(&w, o, e);

    name_map_release(&w.picture);
    arena_release(&w.keys);
    free(w.label);
    form_labels_release(&w.labels);
    return r;
}

/* ---- the form ---- */

static int tar_open(struct form_part *p, const struct dataset_opts *o,
                    struct err *e)
{
    if (read_index(p, e) < 0 ||
        (is_webdataset(p) ? label_by_pair(p, o, e) : label_by_folder(p, o, e)) <
            0)
        return err_in(e, "%s", FORM_SHOW(p->spec));
    return 0;
}

static int tar_image(const struct form_part *p, const struct form_item *it,
                     const struct codec_opts *o, struct image *im,
                     struct err *e)
{
    if (codec_decode(im, p->bytes.data + it->at, it->n, o, e) < 0)
        return err_in(e, "'%s'", Q(it->name));
    return 0;
}

static int64_t tar_bytes(const struct form_part *p, const struct form_item *it)
{
    (void)p;
    return (int64_t)it->n;
}

const struct form form_tar = {.name = "tar",
                              .is = is_tar,
                              .open = tar_open,
                              .image = tar_image,
                              .bytes = tar_bytes};

int fuzz_tar_set(const uint8_t *p, size_t n)
{
    return form_fuzz(&form_tar, p, n);
}
