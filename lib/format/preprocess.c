/* preprocess.c -- see preprocess.h.
 * SPDX-License-Identifier: MIT  */
#include "format/preprocess.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/yaml.h"
#include "image/job.h"

enum { VALUES = 4 };

static const char *const resizes[] = {"none", "short", "exact", NULL};
static const char *const orders[] = {"rgb", "bgr", NULL};
static const char *const orients[] = {"ignore", "exif", NULL};
static const char *const crops[] = {"centre", NULL};
static const char *const decodes[] = {"exact", NULL};

#define AT(field) offsetof(struct preprocess, field)

/* kind: i integers, f reals (f32), c index of a choice, k the one value there
 * is.  */
/* clang-format off */
static const struct row {
    const char *key;
    char kind;
    size_t at;
    int n;
    double min, max;
    const char *const *choice;
} rows[] = {
    {"channels",      'i', AT(channels),      1, 1, 3, NULL},
    {"crop",          'k', 0,                 1, 0, 0, crops},
    {"decode",        'k', 0,                 1, 0, 0, decodes},
    {"interpolation", 'c', AT(interpolation), 1, 0, 0, resize_names},
    {"mean",          'f', AT(mean),          3, -1, 1, NULL}, /* pixels are 0 to 1 */
    {"order",         'c', AT(bgr),           1, 0, 0, orders},
    {"orient",        'c', AT(exif),          1, 0, 0, orients},
    {"resize",        'c', AT(resize),        1, 0, 0, resizes},
    {"resize_px",     'i', AT(resize_px),     1, 0, 65535, NULL},
    {"size",          'i', AT(size),          2, 1, 65535, NULL},
    {"std",           'f', AT(std),           3, 1e-6, 1e6, NULL},
};
/* clang-format on */

void preprocess_init(struct preprocess *p, int64_t c, int64_t h, int64_t w)
{
    static const float mean[] = {.485f, .456f, .406f},
                       std[] = {.229f, .224f, .225f};
    const int64_t side = h < w ? h : w;

    *p = (struct preprocess){.size = {(int)h, (int)w}, .exif = 1};
    p->channels = c == 1 ? 1 : 3;
    p->resize = side < 96 ? PREPROCESS_EXACT : PREPROCESS_SHORT;
    p->interpolation = RESIZE_BILINEAR;
    p->resize_px = side < 96 ? 0 : (int)lround((double)side * 256 / 224);
    for (int i = 0; i < 3; i++) {
        p->mean[i] = p->channels == 1 ? .449f : mean[i];
        p->std[i] = p->channels == 1 ? .226f : std[i];
    }
}

/* ---- setting ---- */

static const struct row *find_row(const char *key)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!strcmp(rows[i].key, key))
            return &rows[i];
    return NULL;
}

static int wrong(const struct row *r, const char *value, struct err *e)
{
    struct str may = {0};

    for (int i = 0; r->choice && r->choice[i]; i++)
        str_printf(&may, "%s%s", i ? ", " : "", r->choice[i]);
    if (!r->choice)
        str_printf(&may, "%s from %g to %g",
                   r->kind == 'i' ? "an integer" : "a number", r->min, r->max);
    err_set(e, r->kind == 'k' ? ERR_UNSUPPORTED : ERR_FORMAT,
            "'%s' cannot be '%s': it is %s", r->key, Q(value), str_text(&may));
    str_release(&may);
    return -1;
}

static int set_number(const struct row *r, char *base, int i, const char *text,
                      struct err *e)
{
    double v;

    if (parse_f64(text, r->min, r->max, &v) < 0 ||
        (r->kind == 'i' && v != floor(v)))
        return wrong(r, text, e);
    if (r->kind == 'i')
        ((int *)(base + r->at))[i] = (int)v;
    else
        ((float *)(base + r->at))[i] = (float)v;
    return 0;
}

static int set_choice(const struct row *r, char *base, const char *text,
                      struct err *e)
{
    const int i = str_index(text, r->choice);

    if (i < 0)
        return wrong(r, text, e);
    if (r->kind == 'c')
        *(int *)(base + r->at) = i;
    return 0;
}

/* One value stands for all of a row.  */
static int set(struct preprocess *p, const struct row *r,
               const char *const *text, int n, struct err *e)
{
    if (n != 1 && n != r->n)
        return err_set(e, ERR_FORMAT, "'%s' has %d values, not %d", r->key, n,
                       r->n);
    if (r->choice)
        return set_choice(r, (char *)p, text[0], e);
    for (int i = 0; i < r->n; i++)
        if (set_number(r, (char *)p, i, text[n == 1 ? 0 : i], e) < 0)
            return -1;
    return 0;
}

/* What no single row can say.  */
static int check(const struct preprocess *p, struct err *e)
{
    if (p->channels == 2)
        return err_set(e, ERR_FORMAT, "'channels' cannot be '2': it is 1 or 3");
    if (p->resize == PREPROCESS_SHORT && p->resize_px < 1)
        return err_set(e, ERR_FORMAT, "'resize' short needs 'resize_px'");
    return 0;
}

/* ---- JSON ---- */

/* The decimal of F, so that JSON shows 0.485 and not what float makes of it.
 */
static json_t *json_float(float f)
{
    char num[FMT_NUM];
    double v = 0;

    parse_f64(fmt_f32(num, f), -HUGE_VAL, HUGE_VAL, &v);
    return json_real(v);
}

static json_t *one_json(const struct preprocess *p, const struct row *r, int i)
{
    const char *at = (const char *)p + r->at;

    if (r->kind == 'i')
        return json_integer(((const int *)at)[i]);
    if (r->kind == 'f')
        return json_float(((const float *)at)[i]);
    return json_string(r->choice[r->kind == 'c' ? *(const int *)at : 0]);
}

void preprocess_job(const struct preprocess *p, int w, int h,
                    struct picture_job *j)
{
    const struct box all = {0, 0, w, h};
    int to_w = p->size[1], to_h = p->size[0];

    job_init(j, w, h);
    if (w == to_w && h == to_h && p->resize != PREPROCESS_SHORT)
        return;
    if (p->resize == PREPROCESS_SHORT)
        resize_short_size(w, h, p->resize_px, &to_w, &to_h);
    if (p->resize != PREPROCESS_NONE)
        job_resize(j, &all, to_w, to_h, p->interpolation);
    job_cut(j, geometry_center(j->w, p->size[1]),
            geometry_center(j->h, p->size[0]), p->size[1], p->size[0],
            PAD_CONSTANT);
}

void preprocess_json(struct str *s, const struct preprocess *p)
{
    json_t *o = json_object();
    char *text;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        json_t *list = r->n > 1 ? json_array() : NULL;

        for (int k = 0; k < r->n && list; k++)
            json_array_append_new(list, one_json(p, r, k));
        json_object_set_new(o, r->key, list ? list : one_json(p, r, 0));
    }
    text = json_dumps(o, JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (!text)
        BUG("the preprocessing cannot be written as JSON");
    str_add(s, text);
    free(text);
}

static const char *scalar_text(const json_t *v, char num[FMT_NUM])
{
    if (json_is_number(v))
        return fmt_f64(num, json_number_value(v));
    return json_is_string(v) ? json_string_value(v) : NULL;
}

static int set_json(struct preprocess *p, const struct row *r, const json_t *v,
                    struct err *e)
{
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;
    const char *text[VALUES];
    char num[VALUES][FMT_NUM];

    if (!v)
        return err_set(e, ERR_FORMAT, "no key '%s'", r->key);
    if (n < 1 || n > VALUES)
        return err_set(e, ERR_FORMAT, "'%s' has %zu values", r->key, n);
    for (size_t i = 0; i < n; i++) {
        text[i] =
            scalar_text(json_is_array(v) ? json_array_get(v, i) : v, num[i]);
        if (!text[i])
            return err_set(e, ERR_FORMAT,
                           "'%s' holds something else than "
                           "numbers and texts",
                           r->key);
    }
    return set(p, r, text, (int)n, e);
}

static int parse_object(struct preprocess *p, json_t *o, struct err *e)
{
    const char *key;
    json_t *v;

    if (!json_is_object(o))
        return err_set(e, ERR_FORMAT, "not an object");
    for (size_t i = 0; i < COUNT(rows); i++)
        if (set_json(p, &rows[i], json_object_get(o, rows[i].key), e) < 0)
            return -1;
    json_object_foreach(o, key, v)
    {
        if (!find_row(key))
            return err_set(e, ERR_FORMAT, "unknown key '%s'", Q(key));
    }
    return check(p, e);
}

int preprocess_parse(struct preprocess *p, const char *json, struct err *e)
{
    json_error_t why;
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    int rc;

    if (!o)
        return err_set(e, ERR_FORMAT, "not JSON: %s", Q(why.text));
    *p = (struct preprocess){0};
    rc = parse_object(p, o, e);
    json_decref(o);
    return rc;
}

/* ---- YAML ---- */

static int set_yaml(struct preprocess *p, const struct yaml *y, struct err *e)
{
    const struct row *r = find_row(y->key->text);
    const struct yaml *c = y->kind == YAML_SCALAR ? y : y->child;
    const char *text[VALUES];
    int n = 0;

    for (; c && n < VALUES; c = y->kind == YAML_SCALAR ? NULL : c->next) {
        if (c->kind != YAML_SCALAR)
            return yaml_err(c, e, ERR_FORMAT, "a number or word is wanted");
        text[n++] = c->text;
    }
    return set(p, r, text, n, e) < 0 ? yaml_in(y, e) : 0;
}

static int unknown_key(const struct yaml *y, struct err *e)
{
    const char *list[COUNT(rows) + 1] = {0};

    for (size_t i = 0; i < COUNT(rows); i++)
        list[i] = rows[i].key;
    return yaml_err(y->key, e, ERR_FORMAT, "'preprocess' has no key '%s'%s",
                    Q(y->key->text), NEAR(y->key->text, list));
}

int preprocess_yaml(struct preprocess *p, const struct yaml *y, struct err *e)
{
    if (y->kind != YAML_MAP)
        return yaml_err(y, e, ERR_FORMAT, "'preprocess' is a mapping");
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (!find_row(c->key->text))
            return unknown_key(c, e);
        if (set_yaml(p, c, e) < 0)
            return -1;
    }
    return check(p, e) < 0 ? yaml_in(y, e) : 0;
}
