/* network.h -- network files (adze-networks(7)) into graphs.
 * SPDX-License-Identifier: MIT
 *
 * The language is data: steps that are ops or blocks, the control steps do,
 * repeat, each, expressions after `$', inheritance by `base'.  The flat form
 * that graph_print() writes is read by the same reader.
 *
 *     struct graph *g = network_read("resnet50-vd", opts, &e);  */
#ifndef ADZE_FORMAT_NETWORK_H
#define ADZE_FORMAT_NETWORK_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct graph;

/* NAME is a built-in network, or a file if it holds '/' or ends in .yaml.  It
 * and its bases are read once: it may be a pipe.
 * OPTS, which may be NULL, override the network's parameters: "classes=10",
 * ended by NULL.
 * An unknown name or parameter is ERR_USAGE with the nearest known one, and so
 * is a value that the network cannot have, with OPTS; an error in a built-in
 * network names it and the files it is based on.  */
struct network *network_open(const char *name, struct err *e);
struct graph *network_graph(struct network *n, const char *const *opts,
                            struct err *e);
/* Set in *P what the network's key `preprocess' states: the pictures that its
 * published weights want.  */
struct preprocess;
int network_preprocess(struct network *n, struct preprocess *p, struct err *e);
/* What it says of itself: KEY is "paper", "weights" (published ones that fit),
 * "top1" (an accuracy that was published, per cent).  Lives as long as N; NULL
 * if it does not say.  */
const char *network_about(struct network *n, const char *key);
/* What its files give parameter KEY, as they write it: NULL for a list, or
 * where none does.  Lives as long as N.  */
const char *network_default(struct network *n, const char *key);
void network_close(struct network *n); /* N may be NULL */

/* The graph alone.  */
struct graph *network_read(const char *name, const char *const *opts,
                           struct err *e);

/* The same from text; FILE is for messages, DIR where `base' is sought (NULL:
 * built-in only).  At most 100,000 ops.  */
struct graph *network_parse(const char *file, const char *text, size_t n,
                            const char *dir, const char *const *opts,
                            struct err *e);

/* Names of the built-in networks (not of families that others are based on),
 * NULL-ended, in order of name; and the source text of one.  */
const char *const *network_names(void);
const char *network_source(const char *name);

int fuzz_network(const uint8_t *p, size_t n);

#endif
