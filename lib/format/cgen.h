/* cgen.h -- C text of a network under construction: what cexport.c and the
 * files of ops, cgen_ops.c, cgen_layer.c and cgen_move.c, share.
 * SPDX-License-Identifier: MIT
 *
 *     cgen_for(c, "i", 16);
 *     cgen_line(c, "float v = %s;", cgen_at(c, x, "i"));
 *     cgen_tail(c, step, "i");
 *     cgen_end(c, 1);
 *
 * A step is a node, its head, and those behind it that work element by element
 * and that nobody else reads.  A value that a step gives lies in the block; one
 * that only has another shape, or is the number that a level stands for
 * (dequantize), lies where its operand does.  */
#ifndef ADZE_FORMAT_CGEN_H
#define ADZE_FORMAT_CGEN_H

#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"

struct err;

enum { CGEN_TAIL = 8 };

struct cgen_step {
    const struct node *head, *tail[CGEN_TAIL];
    int n_tail;
    struct value *out;
};

/* Where a value lies, and how its elements are read.  */
struct cgen_value {
    int root;         /* index of the value whose bytes it is */
    enum dtype dtype; /* of those bytes: f32, u8 or i8 */
    int level;        /* each stands for (it - zero) scale */
    float scale;
    int zero;
    const char *name; /* of the array; NULL: not written yet */
    int64_t at;       /* offset in the block, -1: not in it */
};

struct cgen {
    struct arena arena;
    const struct graph *g;
    const char *name; /* of the function */
    struct cgen_value *value;
    struct cgen_step *step;
    char *taken; /* [n_node]: part of a step */
    int n_step, depth, n_table;
    struct str data, code;
    size_t rom;
};

/* A line of code, indented.  */
void cgen_line(struct cgen *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Open a loop of VAR over [0, N), or over [FROM, TO).  */
void cgen_for(struct cgen *c, const char *var, int64_t n);
void cgen_range(struct cgen *c, const char *var, const char *from,
                const char *to);
/* Close N of them.  */
void cgen_end(struct cgen *c, int n);

/* printf into the arena.  */
const char *cgen_text(struct cgen *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* VAR * N.  */
const char *cgen_times(struct cgen *c, const char *var, int64_t n);
/* The index of element (k, p, q) of Y.  */
const char *cgen_pixel(struct cgen *c, const struct value *y);
/* V as a C constant of type float.  */
const char *cgen_real(struct cgen *c, double v);

/* Element INDEX (C text) of V as a float; V may be a tensor, which is then
 * written to the data.  */
const char *cgen_at(struct cgen *c, const struct value *v, const char *index);
/* The name of the array of V.  */
const char *cgen_array(struct cgen *c, const struct value *v);
/* The number of the level at INDEX less its zero point, as int32_t.  */
const char *cgen_level(struct cgen *c, const struct value *v,
                       const char *index);
/* NAME as it may stand in a comment or a text of C.  */
const char *cgen_comment(struct cgen *c, const char *name);
/* Write an array of N floats and return its name.  */
const char *cgen_floats(struct cgen *c, const float *p, int64_t n);

/* What the tail makes of the float v, and its place in the result.  */
void cgen_tail(struct cgen *c, const struct cgen_step *s, const char *index);

/* The sizes of one picture; a batch counts 1.  */
static inline const int64_t *cgen_dims(const struct value *v)
{
    return v->shape.dim;
}

/* ---- ops ---- */

/* Writes the loops that give element `v' of the result of S, and hands it to
 * cgen_tail().  All sizes are constants: the compiler unrolls what it likes. */
typedef int cgen_fn(struct cgen *c, const struct cgen_step *s, struct err *e);

struct cgen_op {
    const char *op; /* NULL ends a table */
    cgen_fn *emit;
    int alone; /* nothing may be its tail */
};

/* cgen_layer.c, cgen_move.c  */
extern const struct cgen_op cgen_layers[], cgen_moves[];

/* How N is written as the head of a step, or NULL; *ALONE: nothing
 * may be its tail.  */
cgen_fn *cgen_head(const struct node *n, int *alone);
/* The statement on v for N, or NULL: "v = v > 0 ? v : 0;" with "$alpha" for
 * attributes.  */
const char *cgen_elementwise(const struct node *n);

#endif
