/* cifar.c -- CIFAR-10 and CIFAR-100 binary batches.
 * SPDX-License-Identifier: MIT
 *
 * A record is one label byte (CIFAR-100: coarse, then fine, which counts)
 * and 3072 bytes: red, green, blue planes of 32 x 32.  There is no header:
 * the size and every label must fit.  Class names come from the list beside,
 * in its order.  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "data/form.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE };

static const struct layout {
    int labels; /* bytes before the pixels; the last one counts */
    int limit[2];
    int classes;
    const char *names; /* file beside */
} layouts[] = {
    {1, {10, 0}, 10, "batches.meta.txt"},
    {2, {20, 100}, 100, "fine_label_names.txt"},
};

static int fits(const struct layout *l, const struct bytes *b)
{
    const size_t stride = (size_t)(l->labels + PIXELS);

    if (!b->n || b->n % stride)
        return 0;
    for (size_t at = 0; at < b->n; at += stride)
        for (int i = 0; i < l->labels; i++)
            if (b->data[at + (size_t)i] >= l->limit[i])
                return 0;
    return 1;
}

static const struct layout *layout_of(const struct bytes *b)
{
    for (size_t i = 0; i < COUNT(layouts); i++)
        if (fits(&layouts[i], b))
            return &layouts[i];
    return NULL;
}

static int is_cifar(const struct bytes *b)
{
    return layout_of(b) != NULL;
}

/* The names in IN, one a line; none if there are more or less of them than
 * classes.  */
static void read_names(struct form_part *p, const struct layout *l,
                       struct in *in)
{
    struct str line = {0};
    struct err none = {0};

    while (in_line(in, &line, '\n', &none) > 0)
        if (line.len)
            form_add_class(p, line.data, line.len);
    if (p->n_class != l->classes)
        p->n_class = 0;
    str_release(&line);
}

/* The file beside the batch need not be there.  */
static void find_names(struct form_part *p, const struct layout *l)
{
    struct str path = {0};
    struct err none = {0};
    struct in in;

    str_addn(&path, p->spec, (size_t)(form_base(p->spec) - p->spec));
    str_add(&path, l->names);
    if (in_open(&in, str_text(&path), &none) == 0) {
        read_names(p, l, &in);
        in_close(&in);
    }
    p->in_order = 1;
    str_release(&path);
}

static void read_records(struct form_part *p, const struct layout *l)
{
    const char *base = form_base(p->spec), *dot = strrchr(base, '.');
    const int stem = (int)(dot ? dot - base : (long)strlen(base));
    const size_t stride = (size_t)(l->labels + PIXELS);
    struct str name = {0};

    for (size_t at = 0, i = 0; at < p->bytes.n; at += stride, i++) {
        struct form_item *it;

        str_clear(&name);
        str_printf(&name, "%.*s[%zu]", stem, base, i);
        it = form_add(p, str_text(&name), 0);
        it->label = p->bytes.data[at + (size_t)l->labels - 1];
        it->at = at + (size_t)l->labels;
        it->n = PIXELS;
    }
    str_release(&name);
}

static int cifar_open(struct form_part *p, const struct dataset_opts *o,
                      struct err *e)
{
    const struct layout *l = layout_of(&p->bytes);

    (void)o;
    if (!l)
        return err_set(e, ERR_FORMAT, "'%s' is not a CIFAR batch", Q(p->spec));
    read_records(p, l);
    find_names(p, l);
    return 0;
}

static int cifar_image(const struct form_part *p, const struct form_item *it,
                       const struct codec_opts *o, struct image *im,
                       struct err *e)
{
    const unsigned char *x = p->bytes.data + it->at;

    (void)o;
    if (image_new(im, SIDE, SIDE, e) < 0)
        return err_in(e, "'%s'", Q(it->name));
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            im->rgb[3 * i + c] = x[c * PLANE + i];
    return 0;
}

static int64_t cifar_bytes(const struct form_part *p,
                           const struct form_item *it)
{
    (void)p;
    return (int64_t)it->n;
}

const struct form form_cifar = {.name = "CIFAR",
                                .is = is_cifar,
                                .open = cifar_open,
                                .image = cifar_image,
                                .bytes = cifar_bytes};

/* Those of NAMES that are in DIR, joined with '+'; NULL if none is.  */
static char *present(const char *dir, const char *const *names)
{
    struct str all = {0};

    for (; *names; names++) {
        struct str s = {0};

        str_printf(&s, "%s/%s", dir, *names);
        if (form_is_file(str_text(&s)))
            str_printf(&all, "%s%s", all.len ? "+" : "", str_text(&s));
        str_release(&s);
    }
    return all.len ? str_take(&all) : NULL;
}

int form_cifar_folder(const char *dir, char **train, char **test)
{
    static const char *const trains[] = {"data_batch_1.bin",
                                         "data_batch_2.bin",
                                         "data_batch_3.bin",
                                         "data_batch_4.bin",
                                         "data_batch_5.bin",
                                         "train.bin",
                                         NULL};
    static const char *const tests[] = {"test_batch.bin", "test.bin", NULL};

    *train = present(dir, trains);
    *test = present(dir, tests);
    return *train || *test;
}

/* The input is a batch, then a file of names, whose length with its own byte
 * is the last byte.  */
int fuzz_cifar(const uint8_t *p, size_t n)
{
    const size_t tail = n ? p[n - 1] : 0, head = tail < n ? n - tail : n;
    struct form_part part = {.form = &form_cifar};
    struct in names;

    in_memory(&names, p + head, n - head);
    read_names(&part, layouts, &names);
    in_close(&names);
    form_release(&part);
    return form_fuzz(&form_cifar, p, head);
}
