/* cgen.c -- see cgen.h.
 * SPDX-License-Identifier: MIT  */
#include "format/cgen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "graph/graph.h"

enum { SCALE = 1, ZERO = 2 };

const char *cgen_text(struct cgen *c, const char *fmt, ...)
{
    char small[256];
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < (int)sizeof small)
        return arena_strdup(&c->arena, small);
    char *text = arena_alloc(&c->arena, (size_t)n + 1);

    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

const char *cgen_times(struct cgen *c, const char *var, int64_t n)
{
    return n == 1 ? var : cgen_text(c, "%s * %lld", var, (long long)n);
}

const char *cgen_pixel(struct cgen *c, const struct value *y)
{
    return cgen_text(c, "(k * %lld + p) * %lld + q", (long long)cgen_dims(y)[2],
                     (long long)cgen_dims(y)[3]);
}

/* ---- lines ---- */

static void indent(struct cgen *c)
{
    for (int i = 0; i <= c->depth; i++)
        str_add(&c->code, "    ");
}

void cgen_line(struct cgen *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    indent(c);
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof text)
        BUG("a line of %d bytes", n);
    str_add(&c->code, text);
    str_addc(&c->code, '\n');
}

void cgen_range(struct cgen *c, const char *var, const char *from,
                const char *to)
{
    cgen_line(c, "for (int32_t %s = %s; %s < %s; %s++) {", var, from, var, to,
              var);
    c->depth++;
}

void cgen_for(struct cgen *c, const char *var, int64_t n)
{
    cgen_range(c, var, "0", cgen_text(c, "%lld", (long long)n));
}

void cgen_end(struct cgen *c, int n)
{
    while (n--) {
        c->depth--;
        cgen_line(c, "}");
    }
}

/* ---- numbers ---- */

/* The shortest digits that say it, with a point or an exponent.  */
static const char *real_text(char buf[FMT_NUM + 4], float v)
{
    if (!isfinite(v))
        return isnan(v) ? "NAN" : v > 0 ? "INFINITY" : "-INFINITY";
    fmt_f32(buf, v);
    const size_t n = strlen(buf);

    snprintf(buf + n, 4, "%s", strpbrk(buf, ".e") ? "f" : ".f");
    return buf;
}

const char *cgen_real(struct cgen *c, double v)
{
    char buf[FMT_NUM + 4];

    return arena_strdup(&c->arena, real_text(buf, (float)v));
}

/* ---- arrays ---- */

static const struct {
    enum dtype dtype;
    const char *type;
} types[] = {{DTYPE_F32, "float"},
             {DTYPE_I8, "int8_t"},
             {DTYPE_U8, "uint8_t"},
             {DTYPE_I32, "int32_t"}};

static const char *type_of(enum dtype dt)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (types[i].dtype == dt)
            return types[i].type;
    BUG("no C type for %s", dtype_name(dt));
}

static void put_number(struct str *s, enum dtype dt, const void *p, int64_t i)
{
    char buf[FMT_NUM + 4];

    if (dt == DTYPE_F32)
        str_add(s, real_text(buf, ((const float *)p)[i]));
    else
        str_printf(s, "%d",
                   dt == DTYPE_I8   ? ((const int8_t *)p)[i]
                   : dt == DTYPE_U8 ? ((const uint8_t *)p)[i]
                                    : ((const int32_t *)p)[i]);
}

/* Lines of up to 72 columns.  */
static const char *put_array(struct cgen *c, enum dtype dt, const void *p,
                             int64_t n, const char *what)
{
    const char *name = cgen_text(c, "%s_%d", c->name, c->n_table++);
    size_t line = c->data.len;

    if (what)
        str_printf(&c->data, "/* %s */\n", what);
    str_printf(&c->data, "static const %s %s[%lld] = {", type_of(dt), name,
               (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (i)
            str_addc(&c->data, ',');
        if (!i || c->data.len - line > 68) {
            str_addc(&c->data, '\n');
            line = c->data.len;
        }
        put_number(&c->data, dt, p, i);
    }
    str_add(&c->data, "};\n\n");
    c->rom += (size_t)n * dtype_size(dt);
    return name;
}

const char *cgen_floats(struct cgen *c, const float *p, int64_t n)
{
    return put_array(c, DTYPE_F32, p, n, NULL);
}

const char *cgen_array(struct cgen *c, const struct value *v)
{
    struct cgen_value *at = &c->value[c->value[v->index].root];

    if (!at->name)
        at->name = put_array(c, v->dtype, v->data.data, tensor_count(&v->data),
                             cgen_comment(c, v->name));
    return at->name;
}

const char *cgen_comment(struct cgen *c, const char *name)
{
    char *text = arena_strdup(&c->arena, name);

    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '*' || *p == '\\' || *p == '?')
            *p = '_';
    return text;
}

const char *cgen_level(struct cgen *c, const struct value *v, const char *index)
{
    const struct cgen_value *at = &c->value[v->index];

    return at->zero ? cgen_text(c, "((int32_t)%s[%s] - %d)", cgen_array(c, v),
                                index, at->zero)
                    : cgen_text(c, "%s[%s]", cgen_array(c, v), index);
}

const char *cgen_at(struct cgen *c, const struct value *v, const char *index)
{
    const struct cgen_value *at = &c->value[v->index];

    if (at->level)
        return cgen_text(c, "((float)%s * %s)", cgen_level(c, v, index),
                         cgen_real(c, at->scale));
    return cgen_text(c, "%s[%s]", cgen_array(c, v), index);
}

/* ---- element by element ---- */

/* TEXT with $alpha as the number of N's attribute.  */
static const char *fill(struct cgen *c, const struct node *n, const char *text)
{
    struct str s = {0};
    const char *done;

    for (const char *p = text; *p; p++) {
        char name[32];
        size_t len = 0;

        if (*p != '$') {
            str_addc(&s, *p);
            continue;
        }
        while (len + 1 < sizeof name && p[1] >= 'a' && p[1] <= 'z')
            name[len++] = *++p;
        name[len] = 0;
        str_add(&s, cgen_real(c, attr_real(n, name)));
    }
    done = arena_strdup(&c->arena, str_text(&s));
    str_release(&s);
    return done;
}

static void put_level(struct cgen *c, const struct node *n)
{
    const struct cgen_value *y = &c->value[n->out[0]->index];
    const int low = y->dtype == DTYPE_I8 ? -128 : 0;

    cgen_line(c, "v = rintf(v / %s)%s;", cgen_real(c, y->scale),
              y->zero ? cgen_text(c, " + %d.f", y->zero) : "");
    cgen_line(c, "v = v > %d.f ? v < %d.f ? v : %d.f : %d.f;", low, low + 255,
              low + 255, low);
}

/* The operand of N that is not V.  */
static const struct value *other(const struct node *n, const struct value *v)
{
    return n->in[0] == v ? n->in[1] : n->in[0];
}

void cgen_tail(struct cgen *c, const struct cgen_step *s, const char *index)
{
    const struct value *v = s->head->out[0];
    const enum dtype dt = c->value[s->out->index].dtype;

    for (int i = 0; i < s->n_tail; v = s->tail[i++]->out[0]) {
        const struct node *n = s->tail[i];

        if (node_is(n, "quantize"))
            put_level(c, n);
        else if (node_is(n, "add|mul"))
            cgen_line(c, "v %s= %s;", node_is(n, "add") ? "+" : "*",
                      cgen_at(c, other(n, v), index));
        else
            cgen_line(c, "%s", fill(c, n, cgen_elementwise(n)));
    }
    cgen_line(c, dt == DTYPE_F32 ? "%s[%s] = v;" : "%s[%s] = (%s)v;",
              cgen_array(c, s->out), index, type_of(dt));
}
