/* network_text.h -- graphs of networks that a test writes as text.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TESTS_NETWORK_TEXT_H
#define ADZE_TESTS_NETWORK_TEXT_H

struct graph;

/* What a network begins or ends with that reads small pictures.  */
#define IN "input: {size: [3, 8, 8]}\n"

/* The graph of TEXT, "t" in messages; fails the running cmocka test.  */
struct graph *network_text(const char *text);

#endif
