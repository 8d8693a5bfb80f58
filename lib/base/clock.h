/* clock.h -- monotonic time.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_BASE_CLOCK_H
#define ADZE_BASE_CLOCK_H

/* Seconds since an arbitrary start; never goes back.  */
double clock_now(void);

#endif
