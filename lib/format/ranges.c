/* ranges.c -- see ranges.h.
 * SPDX-License-Identifier: MIT  */
#include "format/ranges.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

void ranges_init(struct ranges *r, const char *const *names)
{
    int64_t n = 0;

    memset(r, 0, sizeof *r);
    while (names[n])
        n++;
    r->range = ARENA_NEWS(&r->arena, n + 1, struct range);
    for (; r->n < n; r->n++)
        r->range[r->n].name = arena_strdup(&r->arena, names[r->n]);
    r->model = r->data = "";
    r->options = "{}";
}

void ranges_release(struct ranges *r)
{
    arena_release(&r->arena);
    memset(r, 0, sizeof *r);
}

/* V as f32, not inside of it.  */
static float outwards(double v, double direction)
{
    const float f = (float)v;

    return (direction < 0 ? f <= v : f >= v)
               ? f
               : nextafterf(f, direction < 0 ? -INFINITY : INFINITY);
}

static int put_range(struct set *s, const struct range *r, struct err *e)
{
    const struct shape two = {.rank = 1, .dim = {2}};
    struct tensor t;
    int bad;

    if (tensor_new(&t, DTYPE_F32, &two, e) < 0)
        return -1;
    ((float *)t.data)[0] = outwards(r->min, -1);
    ((float *)t.data)[1] = outwards(r->max, 1);
    bad = set_put(s, r->name, &t);
    tensor_unref(&t);
    return bad < 0 ? err_set(e, ERR_FORMAT, "two ranges of '%s'", Q(r->name))
                   : 0;
}

int ranges_save(const struct ranges *r, const char *path, struct err *e)
{
    struct set s;
    int bad = 0;

    set_init(&s);
    set_meta_put(&s, "adze.format", "1");
    set_meta_put(&s, "adze.kind", "ranges");
    set_meta_put(&s, "adze.model", r->model);
    set_meta_put(&s, "adze.data", r->data);
    set_meta_put(&s, "adze.options", r->options);
    for (int64_t i = 0; i < r->n && !bad; i++)
        bad = put_range(&s, &r->range[i], e) < 0;
    bad = bad || safetensors_save(&s, path, e) < 0;
    set_release(&s);
    return bad ? -1 : 0;
}

static const char *text_of(struct ranges *r, const struct set *s,
                           const char *key, const char *def)
{
    const char *v = set_meta_get(s, key);

    return v ? arena_strdup(&r->arena, v) : def;
}

static int from_set(struct ranges *r, const struct set *s, struct err *e)
{
    const char *kind = set_meta_get(s, "adze.kind");
    const char *format = set_meta_get(s, "adze.format");

    memset(r, 0, sizeof *r);
    if (!kind || strcmp(kind, "ranges") != 0)
        return err_set(e, ERR_FORMAT,
                       "holds no ranges; adze-calibrate writes "
                       "them");
    if (!format || strcmp(format, "1") != 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "is of format '%s', this program knows 1",
                       Q(format ? format : ""));
    r->range = ARENA_NEWS(&r->arena, s->n + 1, struct range);
    for (; r->n < s->n; r->n++) {
        const struct set_item *it = &s->item[r->n];
        const float *v = it->t.data;

        if (it->t.dtype != DTYPE_F32 || tensor_count(&it->t) != 2)
            return err_set(e, ERR_FORMAT, "'%s' is %s %s, not f32 [2]",
                           Q(it->name), dtype_name(it->t.dtype),
                           ST(&it->t.shape));
        r->range[r->n] =
            (struct range){arena_strdup(&r->arena, it->name), v[0], v[1]};
    }
    r->model = text_of(r, s, "adze.model", "");
    r->data = text_of(r, s, "adze.data", "");
    r->options = text_of(r, s, "adze.options", "{}");
    return 0;
}

int ranges_read(struct ranges *r, const char *path, struct err *e)
{
    struct set s;
    int bad;

    if (safetensors_read(&s, path, e) < 0)
        return -1;
    bad = from_set(r, &s, e) < 0;
    set_release(&s);
    if (bad)
        ranges_release(r);
    return bad ? err_in(e, "'%s'", Q(path)) : 0;
}

int fuzz_ranges(const uint8_t *p, size_t n)
{
    struct ranges r;
    struct err e = {0};
    struct set s;
    int bad;

    if (safetensors_parse(&s, p, n, NULL, 0, &e) < 0)
        return -1;
    bad = from_set(&r, &s, &e);
    ranges_release(&r);
    set_release(&s);
    return bad;
}
