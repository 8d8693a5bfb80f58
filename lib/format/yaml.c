/* yaml.c -- see yaml.h.
 * SPDX-License-Identifier: MIT  */
#include "format/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/str.h"

/* libyaml takes keys of up to 1024 characters, and quoting may write a byte as
 * six (\u0001): every key can be printed again.  */
enum { DEPTH = 32, NODES = 1000000, TEXT_BYTES = 16 << 20, KEY_BYTES = 160 };

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    const char *file, *text;
    size_t n;
    int n_node, n_document, depth;
    struct level {
        struct yaml *node, *last, *key;
        struct name_map seen;
    } level[DEPTH];
    struct yaml *root;
    struct err *e;
};

static int fail_at(struct reader *r, enum err_code code, size_t line,
                   size_t column, const char *msg)
{
    return err_set(r->e, code, "%s:%zu:%zu: %s", Q(r->file), line + 1,
                   column + 1, msg);
}

static int fail(struct reader *r, const yaml_event_t *ev, const char *msg)
{
    return fail_at(r, ERR_FORMAT, ev->start_mark.line, ev->start_mark.column,
                   msg);
}

/* An error at byte AT, where there is no mark.  */
static int fail_byte(struct reader *r, size_t at, const char *msg)
{
    size_t line = 0, column = 0;

    for (size_t i = 0; i < at && i < r->n; i++) {
        column = r->text[i] == '\n' ? 0 : column + 1;
        line += r->text[i] == '\n';
    }
    return fail_at(r, ERR_FORMAT, line, column, msg);
}

static int at_tab(const struct reader *r)
{
    const size_t i = r->parser.problem_mark.index;

    return i < r->n && r->text[i] == '\t';
}

/* What libyaml complains of, as our error.  */
static int fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    char msg[400];

    if (p->error == YAML_MEMORY_ERROR)
        return err_set(r->e, ERR_NOMEM, "%s: no memory to read it", Q(r->file));
    if (p->error == YAML_READER_ERROR)
        return fail_byte(r, p->problem_offset,
                         p->problem ? p->problem : "cannot read it");
    snprintf(msg, sizeof msg, "%s%s%s%s", p->context ? p->context : "",
             p->context ? ", " : "", p->problem ? p->problem : "not YAML",
             at_tab(r) ? ": indent with blanks, not tabs" : "");
    return fail_at(r, ERR_FORMAT, p->problem_mark.line, p->problem_mark.column,
                   msg);
}

static int take_key(struct reader *r, struct level *l, struct yaml *y,
                    const yaml_event_t *ev)
{
    if (y->kind != YAML_SCALAR)
        return fail(r, ev, "a key must be a word, not a list or mapping");
    if (!*y->text)
        return fail(r, ev, "an empty key");
    if (strlen(y->text) > KEY_BYTES)
        return fail(r, ev, "a key of more than 160 bytes");
    if (!strcmp(y->text, "<<"))
        return fail(r, ev, "merge keys '<<' are not taken");
    if (name_map_put(&l->seen, y->text, 0) >= 0)
        return yaml_err(y, r->e, ERR_FORMAT, "key '%s' stands twice",
                        Q(y->text));
    l->key = y;
    return 0;
}

/* Put Y where the reader stands.  */
static int attach(struct reader *r, struct yaml *y, const yaml_event_t *ev)
{
    struct level *l = r->depth ? &r->level[r->depth - 1] : NULL;

    if (!l) {
        r->root = y;
        return 0;
    }
    if (l->node->kind == YAML_MAP && !l->key)
        return take_key(r, l, y, ev);
    y->key = l->key;
    l->key = NULL;
    if (l->last)
        l->last->next = y;
    else
        l->node->child = y;
    l->last = y;
    l->node->n_child++;
    return 0;
}

static struct yaml *node_new(struct reader *r, enum yaml_kind kind,
                             const yaml_event_t *ev)
{
    struct yaml *y;

    if (++r->n_node > NODES) {
        fail(r, ev, "more than 1000000 nodes");
        return NULL;
    }
    y = ARENA_NEW(r->arena, struct yaml);
    y->kind = kind;
    y->line = (int)ev->start_mark.line + 1;
    y->column = (int)ev->start_mark.column + 1;
    y->file = r->file;
    y->text = "";
    return y;
}

static int refuse_names(struct reader *r, const yaml_event_t *ev,
                        const void *anchor, const void *tag)
{
    if (anchor)
        return fail(r, ev, "anchors '&' are not taken");
    if (tag)
        return fail(r, ev, "tags '!' are not taken");
    return 0;
}

static int on_none(struct reader *r, const yaml_event_t *ev)
{
    (void)r, (void)ev;
    return 0;
}

static int on_document(struct reader *r, const yaml_event_t *ev)
{
    if (r->n_document++)
        return fail(r, ev, "a second document");
    if (ev->data.document_start.tag_directives.start !=
        ev->data.document_start.tag_directives.end)
        return fail(r, ev, "tags '!' are not taken");
    return 0;
}

static int on_alias(struct reader *r, const yaml_event_t *ev)
{
    return fail(r, ev, "aliases '*' are not taken: write it out, or quote it");
}

static int on_scalar(struct reader *r, const yaml_event_t *ev)
{
    const char *text = (const char *)ev->data.scalar.value;
    const size_t n = ev->data.scalar.length;
    struct yaml *y;

    if (refuse_names(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag) < 0)
        return -1;
    if (memchr(text, 0, n))
        return fail(r, ev, "a NUL in a text");
    y = node_new(r, YAML_SCALAR, ev);
    if (!y)
        return -1;
    y->text = arena_strndup(r->arena, text, n);
    return attach(r, y, ev);
}

static int open_level(struct reader *r, enum yaml_kind kind,
                      const yaml_event_t *ev)
{
    struct yaml *y = node_new(r, kind, ev);

    if (!y)
        return -1;
    if (r->depth == DEPTH)
        return fail(r, ev, "nested more than 32 deep");
    if (attach(r, y, ev) < 0)
        return -1;
    r->level[r->depth++] = (struct level){.node = y};
    return 0;
}

static int on_list(struct reader *r, const yaml_event_t *ev)
{
    if (refuse_names(r, ev, ev->data.sequence_start.anchor,
                     ev->data.sequence_start.tag) < 0)
        return -1;
    return open_level(r, YAML_LIST, ev);
}

static int on_map(struct reader *r, const yaml_event_t *ev)
{
    if (refuse_names(r, ev, ev->data.mapping_start.anchor,
                     ev->data.mapping_start.tag) < 0)
        return -1;
    return open_level(r, YAML_MAP, ev);
}

static int on_end(struct reader *r, const yaml_event_t *ev)
{
    (void)ev;
    name_map_release(&r->level[--r->depth].seen);
    return 0;
}

static int (*const on_event[])(struct reader *, const yaml_event_t *) = {
    [YAML_NO_EVENT] = on_none,
    [YAML_STREAM_START_EVENT] = on_none,
    [YAML_STREAM_END_EVENT] = on_none,
    [YAML_DOCUMENT_START_EVENT] = on_document,
    [YAML_DOCUMENT_END_EVENT] = on_none,
    [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,
    [YAML_SEQUENCE_START_EVENT] = on_list,
    [YAML_SEQUENCE_END_EVENT] = on_end,
    [YAML_MAPPING_START_EVENT] = on_map,
    [YAML_MAPPING_END_EVENT] = on_end,
};

static int read_events(struct reader *r)
{
    yaml_event_type_t type;

    do {
        yaml_event_t ev;
        int rc;

        if (!yaml_parser_parse(&r->parser, &ev))
            return fail_parser(r);
        type = ev.type;
        rc = on_event[type](r, &ev);
        yaml_event_delete(&ev);
        if (rc < 0)
            return -1;
    } while (type != YAML_STREAM_END_EVENT && type != YAML_NO_EVENT);
    return 0;
}

/* libyaml would take UTF-16 too; we say what it is instead.  */
static int check_text(struct reader *r)
{
    const char *p = r->text, *const end = r->text + r->n;

    if (r->n > TEXT_BYTES)
        return err_set(r->e, ERR_FORMAT,
                       "%s: %zu bytes are more than the limit of 16 MiB",
                       Q(r->file), r->n);
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *const stop = nl ? nl + 1 : end;

        if (!str_utf8(p, (size_t)(stop - p)))
            return fail_byte(r, (size_t)(p - r->text),
                             "this line is not UTF-8 text");
        p = stop;
    }
    return 0;
}

static struct yaml *empty_map(struct reader *r)
{
    struct yaml *y = ARENA_NEW(r->arena, struct yaml);

    y->kind = YAML_MAP;
    y->line = y->column = 1;
    y->file = r->file;
    y->text = "";
    return y;
}

static void skip_mark(struct reader *r)
{
    if (r->n >= 3 && !memcmp(r->text, "\xef\xbb\xbf", 3)) {
        r->text += 3;
        r->n -= 3;
    }
}

struct yaml *yaml_parse(struct arena *a, const char *file, const char *text,
                        size_t n, struct err *e)
{
    struct reader *r = xcalloc(1, sizeof *r);
    struct yaml *root = NULL;

    r->arena = a;
    r->file = arena_strdup(a, file);
    r->text = text;
    r->n = n;
    r->e = e;
    skip_mark(r);
    if (check_text(r) < 0)
        goto out;
    if (!yaml_parser_initialize(&r->parser)) {
        err_set(e, ERR_NOMEM, "%s: no memory to read it", Q(file));
        goto out;
    }
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text,
                                 r->n);
    if (read_events(r) == 0)
        root = r->root && (r->root->kind != YAML_SCALAR || *r->root->text)
                   ? r->root
                   : empty_map(r);
    while (r->depth)
        name_map_release(&r->level[--r->depth].seen);
    yaml_parser_delete(&r->parser);
out:
    free(r);
    return root;
}

struct yaml *yaml_get(const struct yaml *m, const char *key)
{
    if (m->kind == YAML_MAP)
        for (struct yaml *y = m->child; y; y = y->next)
            if (!strcmp(y->key->text, key))
                return y;
    return NULL;
}

int yaml_err(const struct yaml *y, struct err *e, enum err_code code,
             const char *fmt, ...)
{
    char msg[sizeof e->msg];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return err_set(e, code, "%s:%d:%d: %s", Q(y->file), y->line, y->column,
                   msg);
}

int yaml_in(const struct yaml *y, struct err *e)
{
    return err_in(e, "%s:%d:%d", Q(y->file), y->line, y->column);
}

/* ---- printing ---- */

static int leaf(const struct yaml *y)
{
    if (y->kind == YAML_MAP)
        return !y->child;
    for (const struct yaml *c = y->child; c; c = c->next)
        if (c->kind != YAML_SCALAR)
            return 0;
    return 1;
}

static void print_leaf(struct str *s, const struct yaml *y)
{
    if (y->kind == YAML_SCALAR) {
        quote_yaml(s, y->text);
        return;
    }
    str_addc(s, y->kind == YAML_MAP ? '{' : '[');
    for (const struct yaml *c = y->child; c; c = c->next) {
        quote_yaml(s, c->text);
        if (c->next)
            str_add(s, ", ");
    }
    str_addc(s, y->kind == YAML_MAP ? '}' : ']');
}

static void indent(struct str *s, int depth)
{
    for (int i = 0; i < 2 * depth; i++)
        str_addc(s, ' ');
}

/* The entries of Y; the place of the first is there already where HERE.
 * Recursion is as deep as yaml_parse() allows.  */
static void print_block(struct str *s, const struct yaml *y, int depth,
                        int here)
{
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (!here)
            indent(s, depth);
        here = 0;
        if (y->kind == YAML_LIST) {
            str_add(s, "- ");
        } else {
            quote_yaml(s, c->key->text);
            str_addc(s, ':');
            str_addc(s, leaf(c) ? ' ' : '\n');
        }
        if (leaf(c)) {
            print_leaf(s, c);
            str_addc(s, '\n');
        } else {
            print_block(s, c, depth + 1, y->kind == YAML_LIST);
        }
    }
}

void yaml_print(struct str *s, const struct yaml *y)
{
    if (leaf(y)) {
        print_leaf(s, y);
        str_addc(s, '\n');
    } else {
        print_block(s, y, 0, 0);
    }
}

/* ---- fuzzing ---- */

/* A and B say the same.  */
static int same(const struct yaml *a, const struct yaml *b)
{
    const struct yaml *c = a->child, *d = b->child;

    if (a->kind != b->kind || a->n_child != b->n_child ||
        strcmp(a->text, b->text) != 0 || !a->key != !b->key ||
        (a->key && strcmp(a->key->text, b->key->text) != 0))
        return 0;
    for (; c; c = c->next, d = d->next)
        if (!same(c, d))
            return 0;
    return 1;
}

int fuzz_yaml(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct err e = {0};
    struct str s = {0};
    const struct yaml *y = yaml_parse(&a, "fuzz", (const char *)p, n, &e);

    if (y) {
        const struct yaml *z;

        yaml_print(&s, y);
        z = yaml_parse(&a, "printed", str_text(&s), s.len, &e);
        if (!z || !same(y, z))
            BUG("yaml_print() reads back as another tree: %s", e.msg);
    } else if (!e.code) {
        BUG("yaml_parse() fails without a reason");
    }
    str_release(&s);
    arena_release(&a);
    return y ? 0 : -1;
}
