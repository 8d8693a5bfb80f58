/* attr.c -- see attr.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/attr.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"

enum { LIST_MAX = 4096 };

static int bad(const struct op_attr *d, const char *text, const char *want,
               struct err *e)
{
    return err_set(e, ERR_USAGE, "attribute '%s' is %s, not '%s'", d->name,
                   want, Q(text));
}

/* "[1, 2]" or "1": the items between brackets and commas.  */
static int parse_list(struct attr *v, const struct op_attr *d, const char *text,
                      struct arena *a, struct err *e)
{
    char *copy = arena_strdup(a, text), *p = copy;
    size_t n = strlen(copy);

    if (n >= 2 && p[0] == '[' && p[n - 1] == ']') {
        p[n - 1] = 0;
        p++;
    }
    v->v = arena_alloc(a, sizeof *v->v);
    for (int cap = 1; *p;) {
        char *item = p + strspn(p, " "), *end = item + strcspn(item, ",");
        char *last = end;

        p = *end ? end + 1 : end;
        if (p > end && !*p)
            return bad(d, text, "a list without a comma at its end", e);
        while (last > item && last[-1] == ' ')
            last--;
        *last = 0;
        if (v->n == LIST_MAX)
            return bad(d, text, "a list of at most 4096 items", e);
        if (v->n == cap) {
            int64_t *grown = ARENA_NEWS(a, cap *= 2, int64_t);

            memcpy(grown, v->v, (size_t)v->n * sizeof *grown);
            v->v = grown;
        }
        if (parse_i64(item, INT64_MIN, INT64_MAX, &v->v[v->n]) < 0)
            return bad(d, item, "a list of integers", e);
        v->n++;
    }
    return 0;
}

int attr_parse(struct attr *v, const struct op_attr *d, const char *text,
               struct arena *a, struct err *e)
{
    int yes;

    memset(v, 0, sizeof *v);
    v->n = 1;
    switch (d->kind) {
    case 'i':
        return parse_i64(text, INT64_MIN, INT64_MAX, &v->i) < 0
                   ? bad(d, text, "an integer", e)
                   : 0;
    case 'f':
        return parse_f64(text, -1e300, 1e300, &v->f) < 0
                   ? bad(d, text, "a number", e)
                   : 0;
    case 'b':
        if (parse_bool(text, &yes) < 0)
            return bad(d, text, "yes or no", e);
        v->i = yes;
        return 0;
    case 's':
        v->s = arena_strdup(a, text);
        return 0;
    case 'v':
        v->n = 0;
        return parse_list(v, d, text, a, e);
    }
    BUG("attribute '%s' has kind '%c'", d->name, d->kind);
}

static void print_list(struct str *s, const struct attr *v)
{
    str_addc(s, '[');
    for (int i = 0; i < v->n; i++)
        str_printf(s, "%s%lld", i ? ", " : "", (long long)v->v[i]);
    str_addc(s, ']');
}

void attr_print(struct str *s, const struct op_attr *d, const struct attr *v)
{
    char num[FMT_NUM];

    switch (d->kind) {
    case 'i':
        str_printf(s, "%lld", (long long)v->i);
        break;
    case 'f':
        str_add(s, fmt_f64(num, v->f));
        break;
    case 'b':
        str_add(s, v->i ? "yes" : "no");
        break;
    case 's':
        str_add(s, v->s);
        break;
    default:
        print_list(s, v);
    }
}

int attr_index(const struct op *op, const char *name)
{
    for (int i = 0; op->attr && op->attr[i].name; i++)
        if (!strcmp(op->attr[i].name, name))
            return i;
    return -1;
}

static struct attr *find(const struct node *n, const char *name,
                         const char *kinds)
{
    const int i = attr_index(n->op, name);

    if (i < 0 || !strchr(kinds, n->op->attr[i].kind))
        BUG("op '%s' has no attribute '%s' of kind '%s'", n->op->name, name,
            kinds);
    return &n->attr[i];
}

int64_t attr_int(const struct node *n, const char *name)
{
    return find(n, name, "ib")->i;
}

double attr_real(const struct node *n, const char *name)
{
    return find(n, name, "f")->f;
}

const char *attr_str(const struct node *n, const char *name)
{
    return find(n, name, "s")->s;
}

const int64_t *attr_ints(const struct node *n, const char *name, int *count)
{
    const struct attr *a = find(n, name, "v");

    if (count)
        *count = a->n;
    return a->v;
}

void attr_set_int(struct node *n, const char *name, int64_t v)
{
    find(n, name, "ib")->i = v;
}

void attr_set_real(struct node *n, const char *name, double v)
{
    find(n, name, "f")->f = v;
}

void attr_set_ints(struct node *n, const char *name, const int64_t *v,
                   int count)
{
    struct attr *a = find(n, name, "v");

    a->v = ARENA_NEWS(&n->graph->arena, count ? count : 1, int64_t);
    memcpy(a->v, v, (size_t)count * sizeof *v);
    a->n = count;
}

int attr_expand(struct node *n, const char *name, int count, int64_t min,
                int64_t max, struct err *e)
{
    const struct attr *a = find(n, name, "v");
    int64_t v[8];

    if (a->n != count && a->n != 1 && !(count == 4 && a->n == 2))
        return err_set(e, ERR_USAGE, "attribute '%s' has %d numbers, not %d",
                       name, a->n, count);
    for (int i = 0; i < count; i++) {
        v[i] = a->v[a->n == 1 ? 0 : i % a->n];
        if (v[i] < min || v[i] > max)
            return err_set(
                e, ERR_USAGE, "attribute '%s' is %lld, not within %lld..%lld",
                name, (long long)v[i], (long long)min, (long long)max);
    }
    attr_set_ints(n, name, v, count);
    return 0;
}

/* ---- those of a node, all of them ---- */

static int attr_count(const struct op *op)
{
    int n = 0;

    while (op->attr && op->attr[n].name)
        n++;
    return n;
}

/* Which names an op takes, for messages.  */
static int unknown_attr(const struct op *op, const char *name, struct err *e)
{
    const char *list[64] = {0};

    for (int i = 0; i < attr_count(op) && i < 63; i++)
        list[i] = op->attr[i].name;
    return err_set(e, ERR_USAGE, "op '%s' has no attribute '%s'%s", op->name,
                   Q(name), NEAR(name, list));
}

int attr_read_all(struct node *n, const struct attr_text *t, struct err *e)
{
    const struct op *op = n->op;
    const int count = attr_count(op);
    struct arena *a = &n->graph->arena;

    n->attr = ARENA_NEWS(a, count ? count : 1, struct attr);
    for (const struct attr_text *p = t; p && p->name; p++)
        if (attr_index(op, p->name) < 0)
            return unknown_attr(op, p->name, e);
    for (int i = 0; i < count; i++) {
        const char *text = op->attr[i].def;

        for (const struct attr_text *p = t; p && p->name; p++)
            if (!strcmp(p->name, op->attr[i].name))
                text = p->text;
        if (!text)
            return err_set(e, ERR_USAGE, "op '%s' needs attribute '%s'",
                           op->name, op->attr[i].name);
        if (attr_parse(&n->attr[i], &op->attr[i], text, a, e) < 0)
            return -1;
    }
    return 0;
}

void attr_copy_all(struct node *to, const struct node *from)
{
    const int count = attr_count(from->op);
    struct arena *a = &to->graph->arena;

    to->attr = ARENA_NEWS(a, count ? count : 1, struct attr);
    for (int i = 0; i < count; i++) {
        const char kind = from->op->attr[i].kind;
        const struct attr *f = &from->attr[i];

        to->attr[i] = *f;
        if (kind == 's')
            to->attr[i].s = arena_strdup(a, f->s);
        if (kind == 'v') {
            to->attr[i].v = ARENA_NEWS(a, f->n ? f->n : 1, int64_t);
            memcpy(to->attr[i].v, f->v, (size_t)f->n * sizeof *f->v);
        }
    }
}
