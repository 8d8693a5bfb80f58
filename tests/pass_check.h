/* pass_check.h -- the properties that every pass has, on random graphs.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_PASS_CHECK_H
#define ADZE_TESTS_PASS_CHECK_H

#include <stdint.h>

#include "pass/pass.h"

struct err;
struct graph;

typedef struct graph *pass_fn(const struct graph *in, struct err *e);

/* The exact passes without further arguments, NULL-named at the end.  */
struct pass_named {
    const char *name;
    pass_fn *apply;
};
extern const struct pass_named pass_named[];

/* On graphs of SEEDS seeds: the input stays as it was; graph_check() holds;
 * p(p(g)) = p(g) to the bit of every weight; shapes of outputs stay.  With
 * EXACT also: outputs stay within interp_bound() of both graphs.  Fails the
 * running cmocka test.  */
void pass_check_random(pass_fn *apply, int seeds, int exact);

/* The same for one graph.  */
void pass_check_one(pass_fn *apply, const struct graph *g, int exact);

/* APPLY to G fails with CODE, and its message holds each of the words.  */
void pass_check_fails(pass_fn *apply, const struct graph *g, int code,
                      const char *word1, const char *word2);

/* The ranges that quantizing G wants, seen in one run over 8 samples.  Names
 * belong to G.  */
struct pass_ranges {
    struct range range[200];
    struct quantize_opts o;
};
void pass_check_ranges(struct pass_ranges *s, const struct graph *g,
                       const char *const *skip);

/* NETWORK and a cross entropy behind its logits, layers that match FROZEN
 * frozen; and that with its gradients.  */
struct graph *pass_check_join(const struct graph *network,
                              const char *const *frozen);
struct graph *pass_check_differentiate(const struct graph *g);

/* Nodes of op NAME in G.  */
int pass_check_count(const struct graph *g, const char *op);

#endif
