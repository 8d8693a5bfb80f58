/* print.h -- a graph as text: the flat form of a network, and dot.
 * SPDX-License-Identifier: MIT
 *
 * The flat form is a valid network file (adze-networks(7)) that uses only
 * `network', `input', `body' and `outputs': one op a step, each with `as',
 * `from', parameter names where they are not the step's own, and every
 * attribute.  format/network.c reads it back; model files carry it.  Forward
 * nodes only.  */
#ifndef ADZE_GRAPH_PRINT_H
#define ADZE_GRAPH_PRINT_H

struct graph;
struct str;

void graph_print(struct str *s, const struct graph *g);
void graph_print_dot(struct str *s, const struct graph *g);

#endif
