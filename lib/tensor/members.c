/* members.c -- see members.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/members.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

static void advance(struct piece *in, size_t n)
{
    in->p += n;
    in->n -= n;
    in->off += n;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct piece *in)
{
    size_t n = 0;

    while (n < in->n && is_blank(in->p[n]))
        n++;
    advance(in, n);
}

int members_bad(struct err *e, const struct piece *at, const char *what)
{
    return err_set(e, ERR_FORMAT, "header byte %zu: %s", at->off, what);
}

/* The length of the string at IN with its quotes, 0 if it does not end.  */
static size_t string_len(const struct piece *in)
{
    for (size_t i = 1; i < in->n; i++) {
        if (in->p[i] == '"')
            return i + 1;
        if (in->p[i] == '\\')
            i++;
    }
    return 0;
}

/* The length of the value at IN: up to a comma or bracket that is not its
 * own.  What it holds is checked by who parses it.  */
static size_t value_len(const struct piece *in)
{
    struct piece at = *in;
    size_t depth = 0;

    while (at.n) {
        const char c = at.p[0];
        size_t n = c == '"' ? string_len(&at) : 1;

        if (!n || (!depth && (c == ',' || c == '}' || c == ']')))
            break;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        advance(&at, n);
    }
    return (size_t)(at.p - in->p);
}

static int take(struct piece *in, size_t n, struct piece *part)
{
    *part = (struct piece){in->p, n, in->off};
    advance(in, n);
    return n > 0;
}

int members_open(struct members *m, struct piece text, struct err *e)
{
    *m = (struct members){.in = text, .first = 1};
    skip_blanks(&m->in);
    if (!m->in.n || m->in.p[0] != '{')
        return members_bad(e, &m->in, "'{' expected");
    advance(&m->in, 1);
    return 0;
}

/* Behind the last member only blanks may stand.  */
static int members_end(struct members *m, struct err *e)
{
    advance(&m->in, 1);
    skip_blanks(&m->in);
    return m->in.n ? members_bad(e, &m->in, "text behind the object") : 0;
}

int members_next(struct members *m, struct err *e)
{
    struct piece *in = &m->in;

    skip_blanks(in);
    if (in->n && in->p[0] == '}')
        return members_end(m, e);
    if (!m->first) {
        if (!in->n || in->p[0] != ',')
            return members_bad(e, in, "',' or '}' expected");
        advance(in, 1);
        skip_blanks(in);
    }
    m->first = 0;
    if (!in->n || in->p[0] != '"' || !take(in, string_len(in), &m->key))
        return members_bad(e, in, "a name in quotes expected");
    skip_blanks(in);
    if (!in->n || in->p[0] != ':')
        return members_bad(e, in, "':' expected");
    advance(in, 1);
    skip_blanks(in);
    if (!take(in, value_len(in), &m->value))
        return members_bad(e, in, "a value expected");
    while (is_blank(m->value.p[m->value.n - 1]))
        m->value.n--;
    return 1;
}

static json_t *parse_piece(const struct piece *v, struct err *e)
{
    json_error_t why;
    json_t *j = json_loadb(v->p, v->n, JSON_DECODE_ANY, &why);

    if (!j && strstr(why.text, "\\u0000"))
        members_bad(e, v, "a NUL byte in a string");
    else if (!j)
        err_set(e, ERR_FORMAT, "header byte %zu: %s",
                v->off + (why.position > 0 ? (size_t)why.position : 0),
                Q(why.text));
    return j;
}

const char *members_string(struct arena *a, const struct piece *v,
                           struct err *e)
{
    const char *text = NULL;
    json_t *j;

    if (v->p[0] != '"') {
        members_bad(e, v, "a string expected");
        return NULL;
    }
    j = parse_piece(v, e);
    if (j)
        text = arena_strdup(a, json_string_value(j));
    json_decref(j);
    return text;
}

int members_numbers(const struct piece *v, int max, int64_t *x, struct err *e)
{
    json_t *j = parse_piece(v, e), *item;
    int n = -1;
    size_t i;

    if (!j)
        return -1;
    if (!json_is_array(j)) {
        members_bad(e, v, "a list of numbers expected");
    } else if (json_array_size(j) > (size_t)max) {
        err_set(e, ERR_FORMAT,
                "header byte %zu: a list of %zu numbers; at most %d are "
                "allowed",
                v->off, json_array_size(j), max);
    } else {
        n = (int)json_array_size(j);
        json_array_foreach(j, i, item)
        {
            if (!json_is_integer(item) || json_integer_value(item) < 0)
                n = members_bad(e, v, "a whole number of at least 0 expected");
            else if (n >= 0)
                x[i] = json_integer_value(item);
        }
    }
    json_decref(j);
    return n;
}
