/* step.h -- the name that plan_parts.h had, for files that still use it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_RUN_STEP_H
#define ADZE_RUN_STEP_H

#include "run/plan_parts.h"

#endif
