/* opcase.c -- see opcase.h.
 * SPDX-License-Identifier: MIT  */
#include "opcase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"

/* The next word of *TEXT, which moves on; NULL behind the last.  */
static char *next_word(struct graph *g, const char **text)
{
    const char *const word = *text + strspn(*text, " ");
    const size_t n = strcspn(word, " ");

    *text = word + n;
    return n ? arena_strndup(&g->arena, word, n) : NULL;
}

void opcase_attrs(struct graph *g, const char *text, struct attr_text *attr)
{
    int n = 0;

    for (char *word; (word = next_word(g, &text)); n++) {
        char *const value = strchr(word, '=');

        assert_non_null(value);
        assert_true(n + 1 < OPCASE_MAX);
        *value = 0;
        attr[n] = (struct attr_text){word, value + 1};
    }
    attr[n] = (struct attr_text){0};
}

/* "i64%10:", if it is there, at *TEXT, which moves behind it.  */
static enum dtype read_type(const char **text, int *modulus)
{
    const char *const colon = strchr(*text, ':');
    char type[16];

    *modulus = 0;
    if (!colon)
        return DTYPE_F32;
    const size_t n = strcspn(*text, "%:");

    snprintf(type, sizeof type, "%.*s", (int)n, *text);
    if ((*text)[n] == '%')
        *modulus = (int)strtol(*text + n + 1, NULL, 10);
    *text = colon + 1;
    return (enum dtype)dtype_by_name(type);
}

/* "64*N,3", or "64N,3"  */
static struct shape read_shape(const char *text)
{
    struct shape s = {0};

    while (*text && *text != '-') {
        char *end = NULL;
        const int64_t d =
            isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : 1;
        const char *p = end ? end : text;

        p += *p == '*';
        if (*p == 'N') {
            s.batch |= (uint8_t)(1 << s.rank);
            p++;
        }
        s.dim[s.rank++] = d;
        text = p + (*p == ',');
    }
    return s;
}

int opcase_inputs(struct graph *g, const char *text,
                  struct value *in[OPCASE_MAX], int modulus[OPCASE_MAX])
{
    int n = 0;

    for (const char *word; (word = next_word(g, &text)); n++) {
        int below;
        const enum dtype dt = read_type(&word, &below);
        const struct shape s = read_shape(word);

        assert_true(n < OPCASE_MAX);
        if (modulus)
            modulus[n] = below;
        in[n] = graph_input(g, arena_printf(&g->arena, "x%d", n), dt, &s);
    }
    return n;
}
