/* rearrange.h -- a value from one layout to the other, by threads.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_REARRANGE_H
#define ADZE_CPU_REARRANGE_H

#include "graph/layout.h"
#include "tensor/tensor.h"

struct device;
struct pool;

/* struct device's rearrange().  */
void rearrange(const struct device *d, const struct tensor *x, enum layout from,
               const struct tensor *y, enum layout to, struct pool *pool);

#endif
