/* eigen.h -- eigenvectors of a symmetric matrix and singular vectors of any,
 * in double, by rotations.
 * SPDX-License-Identifier: MIT
 *
 * For small matrices, of some hundred rows: an iteration costs some N^3, and
 * about ten are needed.  Matrices are row-major, and each vector is a row of
 * its result.  Values fall; of equal ones the vectors are some basis of their
 * space.  The largest number of an eigenvector or left singular vector, the
 * first of equal ones, is positive.  Elements must be finite and their squares
 * neither overflow nor vanish, as those of f32 do not; no other number is
 * read, no thread started: equal input gives equal bits.
 *
 *     double value[3], vector[9];
 *     eigen_symmetric(value, vector, a, 3);    // a = sum value v' v
 *
 * Golub and Van Loan, Matrix Computations, 4th edition, 8.5 (Jacobi) and 8.6.3
 * (one-sided, by Hestenes).  */
#ifndef ADZE_BASE_EIGEN_H
#define ADZE_BASE_EIGEN_H

#include <stdint.h>

/* A [n,n], of which the part above the diagonal and the diagonal are read, is
 * the sum of VALUE[i] v' v with v the row i of VECTOR [n,n], which are
 * orthonormal.  */
void eigen_symmetric(double *value, double *vector, const double *a, int64_t n);

/* A [m,n] is the sum of VALUE[i] u' v with u and v the rows i of LEFT [k,m] and
 * RIGHT [k,n], k = min(m, n), each orthonormal.  A value that rounding hides
 * behind the largest one is 0; its vectors are 0 where they belong to the
 * longer side of A (LEFT if m = n).  */
void eigen_singular(double *value, double *left, double *right, const double *a,
                    int64_t m, int64_t n);

#endif
