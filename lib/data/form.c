/* form.c -- see form.h: what the forms have in common.
 * SPDX-License-Identifier: MIT  */
#include "data/form.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"

void form_release(struct form_part *p)
{
    if (p->state)
        p->form->close(p);
    bytes_release(&p->bytes);
    free(p->item);
    free(p->classes);
    arena_release(&p->arena);
}

struct form_item *form_add(struct form_part *p, const char *name, size_t rel)
{
    struct form_item *it;

    ARRAY_GROW(p->item, p->n, p->cap);
    it = &p->item[p->n++];
    *it = (struct form_item){.name = arena_strdup(&p->arena, name),
                             .rel = (uint32_t)rel,
                             .label = -1};
    return it;
}

int form_add_class(struct form_part *p, const char *name, size_t n)
{
    ARRAY_GROW(p->classes, p->n_class, p->cap_class);
    p->classes[p->n_class] = arena_strndup(&p->arena, name, n);
    return p->n_class++;
}

struct ranked {
    const char *name;
    int was;
};

static int by_name(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void form_sort_classes(struct form_part *p)
{
    struct ranked *r;
    int *now;

    if (!p->n_class)
        return; /* labels are indices */
    r = xcalloc((size_t)p->n_class, sizeof *r);
    now = xcalloc((size_t)p->n_class, sizeof *now);
    for (int i = 0; i < p->n_class; i++)
        r[i] = (struct ranked){p->classes[i], i};
    qsort(r, (size_t)p->n_class, sizeof *r, by_name);
    for (int i = 0; i < p->n_class; i++) {
        p->classes[i] = r[i].name;
        now[r[i].was] = i;
    }
    for (int64_t i = 0; i < p->n; i++)
        if (p->item[i].label >= 0)
            p->item[i].label = now[p->item[i].label];
    free(r);
    free(now);
}

/* A label that is a number; its text is not terminated.  */
static int index_of(const char *text, size_t n, int64_t *v)
{
    char digits[16];

    if (!n || n >= sizeof digits)
        return -1;
    memcpy(digits, text, n);
    digits[n] = 0;
    return parse_i64(digits, INT32_MIN, INT32_MAX, v);
}

static int label_index(struct form_item *it, const char *text, int64_t v,
                       int known, struct err *e)
{
    const char *const digits = text + (*text == '-');

    if (!known && (!*digits || digits[strspn(digits, "0123456789")]))
        return err_set(e, ERR_FORMAT,
                       "label '%s' is not a number, as the first one is",
                       Q(text));
    if (!known || v < 0 || v >= FORM_LABEL_MAX)
        return err_set(e, ERR_INPUT, "label %s is outside 0 to %d", Q(text),
                       FORM_LABEL_MAX - 1);
    it->label = (int32_t)v;
    return 0;
}

int form_label(struct form_part *p, struct form_labels *l, struct form_item *it,
               const char *text, size_t n, struct err *e)
{
    char *name;
    int64_t v = 0;
    const int number = index_of(text, n, &v) == 0;
    int r = 0;

    if (!n)
        return err_set(e, ERR_FORMAT, "the label is empty");
    if (!l->mode)
        l->mode = number ? 1 : 2;
    name = xstrndup(text, n);
    if (l->mode == 1) {
        r = label_index(it, name, v, number, e);
    } else {
        v = name_map_get(&l->index, name);
        if (v < 0) {
            v = form_add_class(p, text, n);
            name_map_put(&l->index, p->classes[v], v);
        }
        it->label = (int32_t)v;
        if (p->n_class > FORM_LABEL_MAX)
            r = err_set(e, ERR_FORMAT, "more than %d classes", FORM_LABEL_MAX);
    }
    free(name);
    return r;
}

void form_labels_release(struct form_labels *l)
{
    name_map_release(&l->index);
}

int form_skips(const char *name)
{
    static const char *const names[] = {"Thumbs.db", "desktop.ini", "__MACOSX"};

    if (name[0] == '.' || !name[0])
        return 1;
    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return 1;
    return 0;
}

int form_hidden(const char *name)
{
    for (;;) {
        const char *slash = strchr(name, '/');
        char part[16];

        if (!slash)
            return form_skips(name);
        /* the longest name that is passed over has 11 bytes */
        if (slash - name < (int)sizeof part) {
            memcpy(part, name, (size_t)(slash - name));
            part[slash - name] = 0;
            if (form_skips(part))
                return 1;
        } else if (name[0] == '.') {
            return 1;
        }
        name = slash + 1;
    }
}

int form_known(const struct dataset_opts *o, const char *name, size_t n)
{
    for (int i = 0; o->classes && i < o->n_classes; i++)
        if (!strncmp(o->classes[i], name, n) && !o->classes[i][n])
            return 1;
    return 0;
}

const char *form_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int form_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int form_fuzz(const struct form *f, const uint8_t *p, size_t n)
{
    const struct dataset_opts o = {.unlabelled = n & 1};
    const struct codec_opts c = {0};
    struct form_part part = {.form = f, .spec = "-"};
    struct image im = {0};
    struct err e = {0};
    int r;

    part.bytes.data = memcpy(xmalloc(n + !n), p, n);
    part.bytes.n = n;
    f->is(&part.bytes);
    r = f->open(&part, &o, &e);
    if (r == 0 && part.n && !f->lines) {
        const struct form_item *last = &part.item[part.n - 1];

        if (f->bytes(&part, last) < 0)
            BUG("a picture is there and has no bytes");
        r = f->image(&part, last, &c, &im, &e);
    }
    image_release(&im);
    form_release(&part);
    return r;
}
