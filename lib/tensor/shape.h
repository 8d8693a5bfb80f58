/* shape.h -- sizes of arrays: each a constant, or a constant times the batch.
 * SPDX-License-Identifier: MIT
 *
 * A graph is built before the batch N is known: [N,64,56,56] or
 * [64*N,49,96].  shape_bind() gives N its value in a plan.  Nothing else is
 * symbolic.  */
#ifndef ADZE_TENSOR_SHAPE_H
#define ADZE_TENSOR_SHAPE_H

#include <stdint.h>

struct err;

enum { SHAPE_MAX = 8 };

struct shape {
    int rank;
    int64_t dim[SHAPE_MAX];
    uint8_t batch; /* bit i: dim[i] counts multiples of the batch */
};

/* shape_make(3, (int64_t[]){3, 224, 224}): constants only.  */
struct shape shape_make(int rank, const int64_t *dim);
/* S with N put in: no batch bits.  */
struct shape shape_bind(struct shape s, int64_t n);
int shape_equal(const struct shape *a, const struct shape *b);
/* Elements of a bound shape; with batch bits, elements per unit of batch.  */
int64_t shape_count(const struct shape *s);
/* The same with every product checked; also dims >= 0 and rank <= SHAPE_MAX,
 * and count * element_bytes must fit: -1 and ERR_SHAPE otherwise.  */
int shape_check(const struct shape *s, int64_t element_bytes, int64_t *count,
                struct err *e);
/* "[N,64,56,56]"; returns BUF.  */
enum { SHAPE_TEXT = 200 };
const char *shape_text(char buf[SHAPE_TEXT], const struct shape *s);
/* ST(s): shape_text() into a temporary of the enclosing block.  */
#define ST(s) shape_text((char[SHAPE_TEXT]){0}, (s))

#endif
