/* exprval.h -- what the operators and functions of expr.h compute.
 * SPDX-License-Identifier: MIT
 *
 * A value that cannot be computed is EXPR_BAD and says why; everything that
 * is computed from it is the same EXPR_BAD.  Memory comes from A.  */
#ifndef ADZE_FORMAT_EXPRVAL_H
#define ADZE_FORMAT_EXPRVAL_H

#include "format/expr.h"

struct expr exprval_bad(const char *why);
/* V as EXPR_INT or EXPR_REAL; as EXPR_BOOL.  */
struct expr exprval_number(struct arena *a, const struct expr *v);
struct expr exprval_truth(struct arena *a, const struct expr *v);
const char *exprval_show(struct arena *a, const struct expr *v);

enum {
    EXPRVAL_OR = 1, /* ranks: higher binds tighter */
    EXPRVAL_AND,
    EXPRVAL_NOT,
    EXPRVAL_COMPARE,
    EXPRVAL_SUM,
    EXPRVAL_TERM,
    EXPRVAL_OPS = 15,
    EXPRVAL_FUNCTIONS = 7,
    EXPRVAL_ARGS = 64
};

struct exprval_op {
    const char *sign;
    int rank;
    /* both are numbers; NULL: see exprval_apply() */
    struct expr (*number)(const struct expr *x, const struct expr *y);
};

/* No sign stands before one that begins with it.  */
extern const struct exprval_op exprval_ops[EXPRVAL_OPS];

struct expr exprval_apply(struct arena *a, const struct exprval_op *op,
                          const struct expr *x, const struct expr *y);

struct expr exprval_negate(struct arena *a, const struct expr *x);

struct exprval_function {
    const char *name;
    int min, max; /* how many arguments */
    int any;      /* which need not be numbers */
    struct expr (*call)(const struct expr *x, int n);
};

extern const struct exprval_function exprval_functions[EXPRVAL_FUNCTIONS];

#endif
