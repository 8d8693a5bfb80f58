/* cpu.h -- the CPU as a device: host memory and kernels by instruction set.
 * SPDX-License-Identifier: MIT
 *
 * The table of kernels is filled in order of preference from what
 * cpu_features() allows; ops without an offer run their reference.  */
#ifndef ADZE_CPU_CPU_H
#define ADZE_CPU_CPU_H

#include "graph/device.h"

/* The device for feature mask FEATURES (usually cpu_features()); freed with
 * device_cpu_free().  Tests make one per mask; the mask ~0 gives
 * every kernel of the layer, whatever the machine has.  */
struct device *device_cpu_new(unsigned features);
void device_cpu_free(struct device *d);

#endif
