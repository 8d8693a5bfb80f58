/* netends.h -- the inputs and outputs that a network file states.
 * SPDX-License-Identifier: MIT
 *
 * Both return 0, or -1 with the error of the steps filled.  */
#ifndef ADZE_FORMAT_NETENDS_H
#define ADZE_FORMAT_NETENDS_H

struct steps;
struct value;
struct yaml;

/* The inputs of the mapping Y: {size: [C, H, W]} of a picture, or a mapping of
 * names to {shape, dtype}.  Y may be NULL, which is refused.  */
int netends_inputs(struct steps *st, const struct yaml *y);

/* The outputs of the mapping Y; if that is NULL, LAST as `logits'.  */
int netends_outputs(struct steps *st, const struct yaml *y, struct value *last);

#endif
