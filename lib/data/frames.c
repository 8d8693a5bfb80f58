/* frames.c -- see frames.h; also the form of data set that reads frames.
 * SPDX-License-Identifier: MIT  */
#include "data/frames.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "data/form.h"

/* ---- writing ---- */

static void put_names(struct set *s, const struct frames_batch *b)
{
    json_t *list = json_array();
    char *text;

    for (int i = 0; i < b->n_names; i++)
        json_array_append_new(list, json_string(b->names[i]));
    text = json_dumps(list, JSON_COMPACT);
    set_meta_put(s, "names", text ? text : "[]");
    free(text);
    json_decref(list);
}

int frames_write(struct frame_writer *w, const struct frames_batch *b,
                 int64_t epoch, struct err *e)
{
    const struct shape image = shape_make(4, (int64_t[]){b->n, b->h, b->w, 3});
    const struct shape target = shape_make(1, (int64_t[]){b->n});
    /* a view of what is only read */
    const struct tensor x =
        tensor_view(DTYPE_U8, &image, (void *)(uintptr_t)b->rgb);
    const struct tensor t =
        tensor_view(DTYPE_I64, &target, (void *)(uintptr_t)b->target);
    const int first = !w->frames && !w->counts[0].len;
    struct set s;
    int r;

    set_init(&s);
    set_meta_put(&s, "layout", "NHWC");
    if (b->names && first)
        put_names(&s, b);
    if (b->preprocess)
        set_meta_put(&s, "preprocess", b->preprocess);
    set_put(&s, "image", &x);
    set_put(&s, "target", &t);
    r = frame_write(w, &s, epoch, b->n, e);
    set_release(&s);
    return r;
}

/* ---- reading ---- */

/* The pixels are kept here, one set a frame.  */
struct frames {
    struct set *set;
    int64_t n, cap;
};

static int is_frames(const struct bytes *b)
{
    enum { LOOK = 4096 };
    const size_t n = b->n < LOOK ? b->n : LOOK;

    return n > 9 && !b->data[7] && !b->data[6] && b->data[8] == '{' &&
           memmem(b->data + 8, n - 8, "\"adze.kind\"", 11) &&
           memmem(b->data + 8, n - 8, "\"frame\"", 7);
}

static int no_text(const char *names, struct err *e)
{
    return err_set(e, ERR_FORMAT, "'names' is not a list of texts: %s",
                   Q(names));
}

static int read_names(struct form_part *p, const char *names, struct err *e)
{
    json_t *list = json_loads(names, 0, NULL), *one;
    size_t i;
    int r = 0;

    if (!json_is_array(list))
        r = no_text(names, e);
    else
        json_array_foreach(list, i, one)
        {
            if (r == 0 && !json_is_string(one))
                r = no_text(names, e);
            if (r == 0)
                form_add_class(p, json_string_value(one),
                               json_string_length(one));
        }
    p->in_order = 1;
    json_decref(list);
    return r;
}

/* The two tensors are as frames.h says.  */
static int check_frame(const struct set *s, struct err *e)
{
    const struct tensor *x = set_get(s, "image"), *t = set_get(s, "target");
    const char *layout = set_meta_get(s, "layout");

    if (!x || !t)
        return err_set(e, ERR_FORMAT, "it has no tensor '%s'",
                       x ? "target" : "image");
    if (x->dtype != DTYPE_U8 || x->shape.rank != 4 || x->shape.dim[3] != 3 ||
        !layout || strcmp(layout, "NHWC") != 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "'image' is %s %s; read here are u8 [N,H,W,3] in "
                       "layout NHWC",
                       dtype_name(x->dtype), ST(&x->shape));
    if (x->shape.dim[1] < 1 || x->shape.dim[2] < 1 || x->shape.dim[1] > 65535 ||
        x->shape.dim[2] > 65535)
        return err_set(e, ERR_FORMAT, "'image' %s has no pixels or too many",
                       ST(&x->shape));
    if (t->dtype != DTYPE_I64 || t->shape.rank != 1)
        return err_set(e, ERR_UNSUPPORTED,
                       "'target' is %s %s; read here are i64 [N]",
                       dtype_name(t->dtype), ST(&t->shape));
    if (t->shape.dim[0] != x->shape.dim[0])
        return err_set(e, ERR_SHAPE, "'target' %s does not fit 'image' %s",
                       ST(&t->shape), ST(&x->shape));
    return 0;
}

static int add_frame(struct form_part *p, const struct set *s, int64_t frame,
                     struct err *e)
{
    const struct tensor *x = set_get(s, "image"), *t = set_get(s, "target");
    const int64_t limit = p->n_class ? p->n_class : FORM_LABEL_MAX;

    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        const int64_t label = ((const int64_t *)t->data)[i];
        struct form_item *it;
        char name[64];

        if (label < -1 || label >= limit)
            return err_set(e, ERR_INPUT, "label %lld is outside 0 to %lld",
                           (long long)label, (long long)limit - 1);
        snprintf(name, sizeof name, "frame %lld[%lld]", (long long)frame,
                 (long long)i);
        it = form_add(p, name, 0);
        it->label = (int32_t)label;
        it->at = (uint64_t)frame;
        it->n = (uint64_t)i;
    }
    return 0;
}

static int take_frame(struct form_part *p, struct frames *f, struct set *s,
                      struct err *e)
{
    const char *names = set_meta_get(s, "names");

    ARRAY_GROW(f->set, f->n, f->cap);
    f->set[f->n] = *s;
    f->n++;
    if (check_frame(s, e) < 0 ||
        (names && f->n == 1 && read_names(p, names, e) < 0) ||
        add_frame(p, s, f->n - 1, e) < 0)
        return err_in(e, "%s: frame %lld", FORM_SHOW(p->spec),
                      (long long)f->n - 1);
    return 0;
}

static int take_all(struct form_part *p, struct frame_reader *r,
                    struct frames *f, struct err *e)
{
    struct set s;
    int k;

    while ((k = frame_read(r, &s, e)) > 0) {
        if (take_frame(p, f, &s, e) < 0)
            return -1;
        if (r->epoch > 0)
            return err_set(e, ERR_UNSUPPORTED,
                           "%s: a stream of several epochs is no data set: "
                           "write it with --epochs=1",
                           FORM_SHOW(p->spec));
    }
    return k < 0 ? err_in(e, "%s", FORM_SHOW(p->spec)) : 0;
}

static int frames_open(struct form_part *p, const struct dataset_opts *o,
                       struct err *e)
{
    struct frames *f = xcalloc(1, sizeof *f);
    struct frame_reader r;
    struct in in;
    int k;

    (void)o;
    p->state = f;
    in_memory(&in, p->bytes.data, p->bytes.n);
    in.name = strcmp(p->spec, "-") ? p->spec : fd_stdin;
    frame_reader_init(&r, &in);
    k = take_all(p, &r, f, e);
    frame_reader_release(&r);
    in_close(&in);
    bytes_release(&p->bytes); /* the frames hold copies */
    return k;
}

static void frames_close(struct form_part *p)
{
    struct frames *f = p->state;

    for (int64_t i = 0; i < f->n; i++)
        set_release(&f->set[i]);
    free(f->set);
    free(f);
}

static int frames_image(const struct form_part *p, const struct form_item *it,
                        const struct codec_opts *o, struct image *im,
                        struct err *e)
{
    const struct frames *f = p->state;
    const struct tensor *x = set_get(&f->set[it->at], "image");
    const size_t n = (size_t)(x->shape.dim[1] * x->shape.dim[2] * 3);

    (void)o;
    if (image_new(im, (int)x->shape.dim[2], (int)x->shape.dim[1], e) < 0)
        return err_in(e, "'%s'", Q(it->name));
    memcpy(im->rgb, (const uint8_t *)x->data + it->n * n, n);
    return 0;
}

static int64_t frames_bytes(const struct form_part *p,
                            const struct form_item *it)
{
    const struct frames *f = p->state;
    const struct tensor *x = set_get(&f->set[it->at], "image");

    return x->shape.dim[1] * x->shape.dim[2] * 3;
}

const struct form form_frames = {.name = "frames",
                                 .is = is_frames,
                                 .open = frames_open,
                                 .close = frames_close,
                                 .image = frames_image,
                                 .bytes = frames_bytes};

int fuzz_frames(const uint8_t *p, size_t n)
{
    return form_fuzz(&form_frames, p, n);
}
