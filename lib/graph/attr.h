/* attr.h -- typed attributes of a node, by name.
 * SPDX-License-Identifier: MIT
 *
 * The type of an attribute comes from the op's table, never from how it is
 * written.  The getters BUG() on a name or kind that the op does not have.  */
#ifndef ADZE_GRAPH_ATTR_H
#define ADZE_GRAPH_ATTR_H

#include <stdint.h>

struct arena;
struct err;
struct node;
struct op;
struct op_attr;
struct str;

struct attr {
    int n; /* v: how many; else 1 */
    union {
        int64_t i; /* i, b */
        double f;
        const char *s;
        int64_t *v;
    };
};

/* An attribute as text, for building: {"stride", "2"}; ended by NULL name. */
struct attr_text {
    const char *name, *text;
};

/* Read TEXT ("2", "[1, 1]", "yes") as D's kind; memory from A.  ERR_USAGE
 * names the attribute.  */
int attr_parse(struct attr *v, const struct op_attr *d, const char *text,
               struct arena *a, struct err *e);
/* Append the text that attr_parse() reads back.  */
void attr_print(struct str *s, const struct op_attr *d, const struct attr *v);

/* The row of the op's table for NAME, or -1.  */
int attr_index(const struct op *op, const char *name);

int64_t attr_int(const struct node *n, const char *name); /* i, b */
double attr_real(const struct node *n, const char *name);
const char *attr_str(const struct node *n, const char *name);
const int64_t *attr_ints(const struct node *n, const char *name, int *count);

void attr_set_int(struct node *n, const char *name, int64_t v);
void attr_set_real(struct node *n, const char *name, double v);
void attr_set_ints(struct node *n, const char *name, const int64_t *v,
                   int count);

/* For infer(): make the list attribute NAME of N COUNT numbers long: one
 * number is repeated, `pad' of two (h, w) becomes four (top, left, bottom,
 * right).  Each must lie in [MIN, MAX].  ERR_USAGE otherwise.  */
int attr_expand(struct node *n, const char *name, int count, int64_t min,
                int64_t max, struct err *e);

/* All attributes of N, in the arena of its graph: from T (may be NULL), or the
 * op's defaults.  ERR_USAGE for a name that the op does not have, one that it
 * needs, or a text of another kind.  */
int attr_read_all(struct node *n, const struct attr_text *t, struct err *e);
/* Those of FROM, of the same op.  */
void attr_copy_all(struct node *to, const struct node *from);

#endif
