/* idx.c -- MNIST's IDX files: pictures in one, labels in another beside it.
 * SPDX-License-Identifier: MIT
 *
 * train-images-idx3-ubyte: 00 00 08 03, then count, rows and columns
 * (big-endian, 32 bits), then the pixels.  train-labels-idx1-ubyte:
 * 00 00 08 01, count, labels.  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/word.h"
#include "data/form.h"

enum { IMAGES_HEAD = 16, LABELS_HEAD = 8, SIDE_MAX = 65535 };

static int is_idx(const struct bytes *b)
{
    return b->n >= 4 && !b->data[0] && !b->data[1] &&
           (word_be32(b->data) & 0xff) <= 8 && b->data[2] >= 8 &&
           b->data[2] <= 14;
}

/* The header of a file of RANK and bytes behind it that must agree.  */
static int check_head(const struct bytes *b, int rank, uint64_t *count,
                      struct err *e)
{
    const size_t head = 4 + 4 * (size_t)rank;
    uint64_t n = 1;

    if (b->n < 4 || b->data[0] || b->data[1])
        return err_set(e, ERR_FORMAT, "not an IDX file");
    if (b->data[2] != 8)
        return err_set(e, ERR_UNSUPPORTED,
                       "IDX elements of type 0x%02x; only bytes are read",
                       b->data[2]);
    if (b->data[3] != rank)
        return err_set(e, ERR_FORMAT, "IDX of rank %d where %s of rank %d %s",
                       b->data[3], rank == 3 ? "pictures" : "labels", rank,
                       "are needed");
    if (b->n < head)
        return err_set(e, ERR_FORMAT, "cut short in the header");
    for (int i = 0; i < rank; i++) {
        const uint64_t d = word_be32(b->data + 4 + 4 * i);

        if (i && (!d || d > SIDE_MAX))
            return err_set(e, ERR_FORMAT, "pictures with a side of %llu pixels",
                           (unsigned long long)d);
        n *= d; /* 2^32 * 2^16 * 2^16 at most: d = 0 comes out of i = 0 */
    }
    *count = word_be32(b->data + 4);
    if (n != b->n - head)
        return err_set(e, ERR_FORMAT,
                       "%zu bytes of data where the header "
                       "says %llu: cut short?",
                       b->n - head, (unsigned long long)n);
    return 0;
}

/* TEXT with the last FROM in its file name replaced by TO; NULL if it has
 * none.  */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = NULL;
    struct str s = {0};

    for (const char *p = form_base(text); (p = strstr(p, from)); p++)
        at = p;
    if (!at)
        return NULL;
    str_addn(&s, text, (size_t)(at - text));
    str_add(&s, to);
    str_add(&s, at + strlen(from));
    return str_take(&s);
}

/* train-images-idx3-ubyte -> train-labels-idx1-ubyte; NULL.  */
static char *labels_path(const char *images)
{
    char *kind = replaced(images, "images", "labels");
    char *rank = kind ? replaced(kind, "idx3", "idx1") : NULL;

    if (!rank)
        return kind;
    free(kind);
    return rank;
}

static int apply_labels(struct form_part *p, const struct bytes *b,
                        struct err *e)
{
    uint64_t n;

    if (check_head(b, 1, &n, e) < 0)
        return -1;
    if ((int64_t)n != p->n)
        return err_set(e, ERR_FORMAT, "%llu labels for %lld pictures",
                       (unsigned long long)n, (long long)p->n);
    for (int64_t i = 0; i < p->n; i++)
        p->item[i].label = b->data[LABELS_HEAD + i];
    return 0;
}

static int read_labels(struct form_part *p, struct err *e)
{
    char *path = labels_path(p->spec);
    struct bytes b;
    int r;

    if (!path)
        return err_set(e, ERR_INPUT,
                       "'%s': cannot tell where its labels are: a file named "
                       "...images... has them in ...labels... beside it",
                       Q(p->spec));
    r = bytes_read(&b, path, SIZE_MAX, e);
    if (r == 0) {
        r = apply_labels(p, &b, e);
        if (r < 0)
            err_in(e, "'%s'", Q(path));
        bytes_release(&b);
    }
    free(path);
    return r;
}

/* Items "train-images[17]".  */
static int read_images(struct form_part *p, struct err *e)
{
    const char *base = form_base(p->spec);
    const char *end = strstr(base, "images");
    const int stem = (int)(end ? end - base + 6 : (long)strlen(base));
    struct str name = {0};
    uint64_t n;

    if (check_head(&p->bytes, 3, &n, e) < 0)
        return -1;
    p->h = (int)word_be32(p->bytes.data + 8);
    p->w = (int)word_be32(p->bytes.data + 12);
    for (uint64_t i = 0; i < n; i++) {
        struct form_item *it;

        str_clear(&name);
        str_printf(&name, "%.*s[%llu]", stem, base, (unsigned long long)i);
        it = form_add(p, str_text(&name), 0);
        it->n = (uint64_t)p->w * (uint64_t)p->h;
        it->at = IMAGES_HEAD + i * it->n;
    }
    str_release(&name);
    return 0;
}

static int has_labels(const struct form_part *p)
{
    char *path = labels_path(p->spec);
    const int there = path && form_is_file(path);

    free(path);
    return there;
}

static int idx_open(struct form_part *p, const struct dataset_opts *o,
                    struct err *e)
{
    if (read_images(p, e) < 0)
        return err_in(e, "'%s'", Q(p->spec));
    return o->unlabelled && !has_labels(p) ? 0 : read_labels(p, e);
}

static int idx_image(const struct form_part *p, const struct form_item *it,
                     const struct codec_opts *o, struct image *im,
                     struct err *e)
{
    const unsigned char *grey = p->bytes.data + it->at;

    (void)o;
    if (image_new(im, p->w, p->h, e) < 0)
        return err_in(e, "'%s'", Q(it->name));
    for (uint64_t i = 0; i < it->n; i++)
        memset(im->rgb + 3 * i, grey[i], 3);
    return 0;
}

static int64_t idx_bytes(const struct form_part *p, const struct form_item *it)
{
    (void)p;
    return (int64_t)it->n;
}

const struct form form_idx = {.name = "IDX",
                              .is = is_idx,
                              .open = idx_open,
                              .image = idx_image,
                              .bytes = idx_bytes};

/* DIR/STEM with one of the usual endings, malloc'ed, if it is there.  */
static char *find_images(const char *dir, const char *stem)
{
    static const char *const ends[] = {"-images-idx3-ubyte",
                                       "-images.idx3-ubyte"};

    for (size_t i = 0; i < COUNT(ends); i++) {
        struct str s = {0};

        str_printf(&s, "%s/%s%s", dir, stem, ends[i]);
        if (form_is_file(str_text(&s)))
            return str_take(&s);
        str_release(&s);
    }
    return NULL;
}

int form_idx_folder(const char *dir, char **train, char **test)
{
    *train = find_images(dir, "train");
    *test = find_images(dir, "t10k");
    if (!*test)
        *test = find_images(dir, "test");
    return *train || *test;
}

/* The input is a file of pictures, then one of labels, whose length with its
 * own byte is the last byte.  */
int fuzz_idx(const uint8_t *p, size_t n)
{
    struct form_part part = {.form = &form_idx, .spec = "images"};
    const size_t tail = n ? p[n - 1] : 0, head = tail < n ? n - tail : n;
    const struct bytes labels = {.data = p + head,
                                 .n = tail && tail < n ? tail - 1 : 0};
    struct codec_opts c = {0};
    struct image im = {0};
    struct err e = {0};
    int r;

    part.bytes = (struct bytes){.data = p, .n = head};
    is_idx(&part.bytes);
    r = read_images(&part, &e);
    if (r == 0)
        r = apply_labels(&part, &labels, &e);
    if (r == 0 && part.n)
        r = idx_image(&part, &part.item[part.n - 1], &c, &im, &e);
    image_release(&im);
    free(part.item);
    arena_release(&part.arena);
    return r;
}
