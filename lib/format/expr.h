/* expr.h -- the expressions of network files.
 * SPDX-License-Identifier: MIT
 *
 * A scalar that holds `$' is an expression; any other is the text that it is.
 * Text becomes a number or a truth where one is asked for and nowhere else.
 *
 *     $name  12  0.5  word              a word stands for itself
 *     + - * / // % (floors)  == != < <= > >=  x in LIST
 *     and or not  a if c else b
 *     x[i]  min max sum len ceil floor round8(v), round8(v, divisor)
 *                                       an argument that is a list: its items
 *
 * A value that cannot be (1 // 0) is an error only if it is used, so that a
 * condition can stand guard.  Integers are of 64 bits and never wrap.  */
#ifndef ADZE_FORMAT_EXPR_H
#define ADZE_FORMAT_EXPR_H

#include <stdint.h>

struct arena;
struct err;
struct str;
struct yaml;

enum expr_kind {
    EXPR_TEXT,
    EXPR_INT,
    EXPR_REAL,
    EXPR_BOOL, /* in i */
    EXPR_LIST,
    EXPR_BAD /* text says why; never seen outside expr.c */
};

struct expr {
    enum expr_kind kind;
    int n; /* LIST: items */
    union {
        int64_t i;
        double r;
        const char *text;
        const struct expr *item;
    };
};

/* A name and its value; UP holds the ones around it.  */
struct expr_env {
    const struct expr_env *up;
    const char *name;
    struct expr value;
};

struct expr expr_int(int64_t i);

/* The value of Y, a scalar or a list of values.  Memory from A.  The error
 * names the place.  */
int expr_yaml(struct expr *v, const struct yaml *y, const struct expr_env *env,
              struct arena *a, struct err *e);

/* The text of Y with every $name and $(expression) in it replaced, from A;
 * NULL on error.  */
const char *expr_template(const struct yaml *y, const struct expr_env *env,
                          struct arena *a, struct err *e);

/* V as a truth: yes, no, true, false, or a number; as an integer, as a number
 * in [MIN, MAX].  Y is the place for messages.  */
int expr_truth(const struct expr *v, const struct yaml *y, int *truth,
               struct err *e);
int expr_whole(const struct expr *v, const struct yaml *y, int64_t min,
               int64_t max, int64_t *i, struct err *e);
int expr_real(const struct expr *v, const struct yaml *y, double min,
              double max, double *r, struct err *e);

/* Append V as text that means V again: "3", "yes", "[1, 2]".  */
void expr_print(struct str *s, const struct expr *v);

#endif
