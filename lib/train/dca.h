/* dca.h -- discriminant correlation analysis: two sets of features of the same
 * samples become one.
 * SPDX-License-Identifier: MIT
 *
 * Haghighat, Abdel-Mottaleb, Alhalabi, "Discriminant Correlation Analysis:
 * Real-Time Feature Level Fusion for Multimodal Biometric Recognition", IEEE
 * Trans. Information Forensics and Security 11(9), 2016.  Features are rows
 * here, columns there.
 *
 * First each set is projected by itself, so that its classes lie apart alike
 * in all directions: the scatter between classes is Sb = P P', column k of P
 * being sqrt(n_k) (mean of class k - mean of all).  P'P is as small as there
 * are classes.  With its eigenvalues L, of which at most one less than the
 * classes is not 0, and eigenvectors Q, the projection W = P Q / L makes W' Sb
 * W the identity.  (The paper's P Q L^-1/2 is that for P Q with columns scaled
 * to length 1.)
 *
 * Then the two are turned to each other: with U S V' the singular value
 * decomposition of the covariance between the projected sets, summed over the
 * samples, W U S^-1/2 and W V S^-1/2 make that covariance the identity: each
 * component of one set goes with a single one of the other.
 *
 * Here both sets are centred by the means of what was fitted, as a covariance
 * asks; a bias does that.  The components fall by their singular value, which
 * is how far they go together.  Left out are those whose eigenvalue is under
 * 1e-10, or whose singular value is under 1e-6, of the largest: divided by
 * these, the rounding of f32 would be large.  The two sets may have unlike
 * numbers of directions that separate classes; the smaller counts.
 *
 *     if (dca_fit(&d, x, &o, e) < 0) ...
 *     dca_fuse(&y, &d, x, DCA_ADD, pool, e);     // [n, d.n]
 *
 * Sums are of doubles in a fixed order: equal bits for any pool.  */
#ifndef ADZE_TRAIN_DCA_H
#define ADZE_TRAIN_DCA_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/tensor.h"

struct err;
struct pool;

enum { DCA_CLASSES = 4096 };

/* The fused components: the two sums of each pair, or those of the first set
 * and behind them those of the second (equations 17 and 18).  */
enum dca_how { DCA_ADD, DCA_CONCAT };

struct dca {
    int64_t n;               /* components */
    struct tensor weight[2]; /* [n, width of the set] f32 */
    struct tensor bias[2];   /* [n] f32 */
    char *origin[2];         /* of the sets that were fitted; NULL: not known */
};

struct dca_opts {
    const int64_t *label; /* [samples] in [0, classes) */
    int64_t classes;
    int64_t most; /* directions of each set; 0: all that there are */
    struct pool *pool;
};

/* Fit D to the sets X[0] and X[1], [samples, width] f32.  A class may have one
 * sample, or none.  ERR_SHAPE if the samples are not as many, ERR_FORMAT for
 * less than two classes or more than DCA_CLASSES, and where nothing separates
 * the classes of a set or nothing goes together; ERR_NONFINITE names set and
 * row.  D is released on failure.  */
int dca_fit(struct dca *d, const struct tensor x[2], const struct dca_opts *o,
            struct err *e);
void dca_release(struct dca *d); /* frees `origin' */

/* The first step alone: *W [rank, width] and *MEAN [width], f64, of one set,
 * which is called NAME in messages.  */
int dca_separate(struct tensor *w, struct tensor *mean, const struct tensor *x,
                 const char *name, const struct dca_opts *o, struct err *e);

/* Y, a tensor of its own, is [samples, n] or [samples, 2 n] f32.  ERR_SHAPE if
 * X does not fit.  */
int dca_fuse(struct tensor *y, const struct dca *d, const struct tensor x[2],
             enum dca_how how, struct pool *pool, struct err *e);

#endif
