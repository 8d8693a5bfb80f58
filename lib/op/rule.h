/* rule.h -- what the infer functions of ops share: checks that set an error
 * which shows both shapes, and setters that complete a node.
 * SPDX-License-Identifier: MIT
 *
 * All return 0, or -1 with E filled.  Operands that the op does not call
 * optional are there when infer runs.  */
#ifndef ADZE_OP_RULE_H
#define ADZE_OP_RULE_H

#include "graph/op.h"

struct err;
struct node;

/* S has elements, fewer than 2^49: counts of bytes and of work fit into an
 * int64_t without a check wherever they are multiplied later.  */
int rule_size(const struct shape *s, struct err *e);

/* For cost(): output 0 at TERMS multiply-adds an element is less than 2^58.  */
int rule_work(const struct node *n, int64_t terms, struct err *e);

/* Operand I is f32.  */
int rule_float(const struct node *n, int i, struct err *e);

/* Operand I is f32, of rank MIN to MAX, and only its first size may count
 * the batch.  */
int rule_data(const struct node *n, int i, int min, int max, struct err *e);

/* A parameter or state operand that may be absent: give it the shape DIM, or
 * check that it has it.  f32.  */
int rule_weight(struct node *n, int i, int rank, const int64_t *dim,
                struct err *e);

/* Set type and shape of output I (NULL in a node without it), which must
 * pass rule_size().  */
int rule_out(struct node *n, int i, enum dtype dt, const struct shape *s,
             struct err *e);

/* infer of ops with one f32 operand and a result of its shape.  */
int rule_same(struct node *n, struct err *e);

/* The integer attribute NAME is an axis of an array of rank RANK; negative
 * counts from the end and is made positive.  */
int rule_axis(struct node *n, const char *name, int rank, int *axis,
              struct err *e);

/* The same of array X, and the axis does not count the batch.  */
int rule_sample_axis(struct node *n, const char *name, const struct shape *x,
                     int *axis, struct err *e);

/* The attribute NAME lies in [MIN, MAX].  */
int rule_int(const struct node *n, const char *name, int64_t min, int64_t max,
             struct err *e);
int rule_real(const struct node *n, const char *name, double min, double max,
              struct err *e);

/* SIZE [2], height and width: those of operand I, a picture, if it is there,
 * else the attribute NAME (one number counts for both; 0: not said).  */
int rule_picture(struct node *n, int i, const char *name, int64_t *size,
                 struct err *e);

/* The number LOW is at most the number HIGH.  */
int rule_range(const struct node *n, const char *low, const char *high,
               struct err *e);

/* The string attribute NAME is one of LIST, ended by NULL.  */
int rule_choice(const struct node *n, const char *name, const char *const *list,
                struct err *e);

/* The size I of S counts the batch.  */
int rule_batch(const struct shape *s, int i);

#endif
