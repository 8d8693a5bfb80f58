/* op_check.h -- the test harness of ops.
 * SPDX-License-Identifier: MIT
 *
 * A case says, as text, which op runs with which attributes over which
 * inputs; op_check() does the rest:
 *
 *     static const struct op_case cases[] = {
 *         {"conv2d", "out=4 kernel=3 pad=1", "N,3,5,7", "N,4,5,7"},
 *         {"crossentropy", "", "N,10 i64%10:N", "1"},
 *     };
 *     return op_check_main("conv2d", cases, COUNT(cases), NULL, 0);
 *
 *   - infer gives the shapes named;
 *   - forward (float) writes all of its outputs and nothing else, and equals
 *     forward compiled with double within op_tolerance();
 *   - backward (double) equals central differences, and backward (float)
 *     equals backward (double); an operand that the record does not keep is
 *     not there; each gradient has the same bits wanted alone or with others.
 *
 * Inputs are filled by op_fill(), which scripts/make-ref-op.py knows too: its
 * answers by torch are in ref/op_torch.h and ref/op_torch_math.h.  */
#ifndef ADZE_TESTS_OP_CHECK_H
#define ADZE_TESTS_OP_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"

enum {
    CASE_TRAIN = 1,    /* node->train */
    CASE_NO_DIFF = 2,  /* backward is no derivative (straight through) */
    CASE_POSITIVE = 4, /* all inputs lie in (0.5, 2.5) */
};

struct op_case {
    const char *op;
    const char *attr; /* as in opcase.h: "out=4 kernel=[3,1]" */
    const char *in;   /* the inputs given: "N,3,5,7 i64%10:N" */
    const char *out;  /* the results: "N,4,5,7 N,4"; NULL: not looked at */
    unsigned flags;
    double scale;  /* inputs lie in (-2 scale, 2 scale); 0 is 1 */
    int64_t batch; /* N; 0 is 2 */
};

void op_check(const struct op_case *c, size_t n);

/* The whole of tests/op/NAME.c: the cases, the stored answers for NAME if
 * there are any, and MORE.  What main() returns.  */
int op_check_main(const char *name, const struct op_case *c, size_t n,
                  const struct CMUnitTest *more, size_t n_more);

/* infer refuses each case with CODE and a message that holds PART.  */
struct op_bad {
    struct op_case c;
    enum err_code code;
    const char *part;
};
void op_check_refused(const struct op_bad *b, size_t n);

/* Ten steps of an update op as torch made them (ref/optim_torch.h): operand 0
 * is the parameter, 1 the gradient, 2 the rate, the states behind begin as
 * zeros; after each step the parameter equals the stored one.  Other ops' rows
 * are passed over.  */
struct optim_ref {
    const char *op, *attr;
    const float *value; /* [steps][5] */
};
enum { OPTIM_STEPS = 10, OPTIM_SIZE = 5 };
void op_check_optim(const char *op, const char *in, const struct optim_ref *r);

/* Cost of the case for one unit of batch.  */
struct op_cost op_check_cost(const struct op_case *c);

/* ---- below: one node with memory of its own, for tests that need more ---- */

enum { TRIAL_MAX = 16 };

struct trial {
    const struct op_case *c;
    const struct op *op;
    struct graph *graph;
    struct node *node, *back; /* back: NULL if not differentiable */
    int wide;                 /* f64, by lib/op compiled with double */
    int n_in, n_out, n_res;   /* operands; results with extras; results */
    struct op_args args;
    struct tensor in[TRIAL_MAX], out[TRIAL_MAX];
    struct tensor dout[TRIAL_MAX], din[TRIAL_MAX];
};

/* Build and fill; WIDE chooses double.  An update op (sgd) takes all its
 * operands from the case.  */
void trial_init(struct trial *t, const struct op_case *c, int wide);
void trial_release(struct trial *t); /* checks the guards */
void trial_forward(struct trial *t);
/* Writes din[i] for those operands whose bit is set in WANT.  */
void trial_backward(struct trial *t, unsigned want);
void trial_update(struct trial *t);
/* The operands that can have a gradient.  */
unsigned trial_wants(const struct trial *t);

/* Element I as a double, and setting it; any dtype.  */
double trial_get(const struct tensor *t, int64_t i);
void trial_set(struct tensor *t, int64_t i, double v);
/* Set all of T to a list of numbers.  */
void trial_put(struct tensor *t, const double *v);

/* Number I of operand K: a multiple of 1/256 off by 1/512, in (-2, 2), never
 * twice among 1009 neighbours.  */
double op_fill(int64_t i, int k);

/* How far an f32 result may be from the true one: a sum of LENGTH terms in
 * any order, the results at most SCALE large.  */
double op_tolerance(double length, double scale);

/* Largest absolute element.  */
double trial_scale(const struct tensor *t);
/* Terms behind one element of a result or gradient as large as R.  */
double trial_length(const struct trial *t, const struct tensor *r);
/* Fail unless A equals B (any float dtypes) within TOL; WHAT says which.  */
void trial_equal(const struct trial *t, const char *what,
                 const struct tensor *a, const struct tensor *b, double tol);

/* The records compiled with real = double.  */
extern const struct op *const d_op_all[];

#endif
