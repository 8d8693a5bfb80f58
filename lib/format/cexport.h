/* cexport.h -- a network as one C header: weights and a function.
 * SPDX-License-Identifier: MIT
 *
 * Written is C11 without dependency beyond libm:
 *
 *     static inline void NAME(const float *image, float *logits);
 *
 * for one picture, image [C,H,W] as the model's preprocessing makes it, logits
 * [classes].  The network is simplified and its normalisation fused first.
 * Weights are float, or int8 with int32 sums where the model is in 8 bits.  Ops
 * that work element by element are computed in the loop of the layer before
 * them; activations lie in one static block, shared by lifetimes, whose size
 * stands in the header's first comment.  With NAME_TEST defined, the header is
 * a program that computes the logits of a picture that it draws itself and
 * compares them with those of the model.
 *
 * Equal models give equal bytes.
 *
 *     if (cexport_open(&c, m, &e) == 0 && run(c.image, logits) == 0)
 *         cexport_write(&c, &text, logits, &e);
 *     cexport_close(&c);  */
#ifndef ADZE_FORMAT_CEXPORT_H
#define ADZE_FORMAT_CEXPORT_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct graph;
struct model;
struct str;

/* A header's weights are text: what has more is better off in a file.  */
enum { CEXPORT_WEIGHTS = 1 << 24 };

struct cexport {
    const struct model *m;
    struct graph *g; /* what is written */
    float *image;    /* [n_image]: the picture of the proof */
    int64_t n_image, n_logits;
    int64_t weights; /* elements */
    size_t ram, rom; /* bytes, when written: of the block, the weights */
};

/* Borrows M.  ERR_UNSUPPORTED for too many weights; ERR_SHAPE where `image' or
 * `logits' is missing or not of one picture.  */
int cexport_open(struct cexport *c, const struct model *m, struct err *e);
void cexport_close(struct cexport *c);

/* Append the header to TO.  LOGITS are the model's for c->image.
 * ERR_UNSUPPORTED names op and node for which there is no C.  */
int cexport_write(struct cexport *c, struct str *to, const float *logits,
                  struct err *e);

#endif
