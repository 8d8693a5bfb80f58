/* real.h -- the number type of the reference kernels.
 * SPDX-License-Identifier: MIT
 *
 * float in the library.  The tests compile lib/op again with REAL=double, so
 * that each backward can be checked against central differences.  */
#ifndef ADZE_BASE_REAL_H
#define ADZE_BASE_REAL_H

#ifndef REAL
#    define REAL float
#endif

typedef REAL real;

#endif
