/* params.h -- the parameters of a graph, as plans read them.
 * SPDX-License-Identifier: MIT
 *
 * One tensor per PARAM, STATE and CONST value, by name, in host memory: copies,
 * which training changes without touching the graph they came from, or those of
 * the graph.  Kernels work there, or on a copy in the memory of their device.
 * Plans share them.  Packed forms, one per (tensor, kernel, packing), live here
 * too and are made again when their tensor changed.  */
#ifndef ADZE_RUN_PARAMS_H
#define ADZE_RUN_PARAMS_H

#include <stddef.h>
#include <stdint.h>

struct device;
struct err;
struct graph;
struct kernel;
struct step_nodes;
struct tensor;

struct params;

/* Copies of all tensors of G; ERR_USAGE names one that has no data yet
 * ("initialise it with adze-init").  */
struct params *params_new(const struct graph *g, const struct device *d,
                          struct err *e);
/* The tensors of G themselves, for plans that change none; what is packed is
 * taken not to be read again (mapped_forget()).  */
struct params *params_share(const struct graph *g, const struct device *d,
                            struct err *e);
int params_are_shared(const struct params *p);
void params_free(struct params *p);

/* Add the tensors of G that P does not have (optimiser state, a second
 * graph); those it has must have equal shapes.  */
int params_add(struct params *p, const struct graph *g, struct err *e);

/* Borrowed; NULL if there is none: in host memory, as of the last
 * params_fetch(); behind a change, call params_send().  */
struct tensor *params_get(const struct params *p, const char *name);

/* Where the kernels of the device find it.  */
struct tensor *params_on_device(const struct params *p, const char *name);

/* Between the two, where they are not one: all tensors, or the one NAME.  */
int params_fetch(struct params *p, struct err *e);
int params_send(struct params *p, const char *name, struct err *e);

/* Give the tensors back: each tensor value of G that P has gets a copy of
 * P's: of PREFIX and its name, if P has that.  PREFIX may be NULL.  */
int params_store(struct params *p, struct graph *g, const char *prefix,
                 struct err *e);

/* The same without copies: the graph shares the tensors, which nothing may
 * change from now on.  */
int params_give(struct params *p, struct graph *g, const char *prefix,
                struct err *e);

/* NAME changed: its packed forms are stale until params_refresh().  */
void params_touch(struct params *p, const char *name);

/* The packed form of NAME for operand I of step S under kernel K; made here
 * at once.  Lives as long as P.  NULL and ERR_NOMEM.  */
const void *params_packed(struct params *p, const char *name,
                          const struct kernel *k, const struct step_nodes *s,
                          int i, struct err *e);
/* How many there are: what was recorded makes no later ones again.  */
int params_forms(const struct params *p);
/* Make stale packed forms again.  */
struct pool;
void params_refresh(struct params *p, struct pool *pool);

#endif
