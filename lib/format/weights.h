/* weights.h -- take tensors of a file into a network, by name.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_WEIGHTS_H
#define ADZE_FORMAT_WEIGHTS_H

#include <stdint.h>

#include "format/modelname.h"

struct err;
struct graph;
struct set;
struct value;

struct weights_opts {
    int new_head; /* leave the head to be initialised, whatever its shape */
    int partial;  /* take what fits, leave the rest */
};

/* What weights_strip() has cut: from how many names, and of the first.  */
struct weights_strip {
    int n;
    char prefix[64];
};

/* TO becomes FROM (tensors shared, metadata copied) without the prefixes
 * `module.' and `model.', which wrappers of PyTorch put in front, where the
 * rest is the name of a tensor of G that FROM does not have, and the whole is
 * not; and with the shapes of G's tensors where these differ by sizes of 1
 * alone, as the filter of a Conv1d does from ours.  */
void weights_strip(struct set *to, const struct set *from,
                   const struct graph *g, struct weights_strip *cut);

/* What happened; names are borrowed from graph and set.  */
struct weights {
    struct modelname_diff diff; /* unexpected: in the file, left there */
    const char **taken, **head; /* head: new, because asked for */
    int n_taken, n_head, cap_taken, cap_head;
    int64_t taken_params; /* elements of parameters */
};

/* Give the PARAM and STATE values of G the data of the tensors of S of their
 * names; other float types become f32.  The head is as head.h has it.
 * ERR_SHAPE for a head of another
 * shape (says --head=new), ERR_FORMAT if tensors are missing, of another shape
 * or not of this network, unless they may be, or if nothing fits.  With a new
 * head the file may have tensors besides: those of its own.  */
int weights_take(struct weights *w, struct graph *g, const struct set *s,
                 const struct weights_opts *o, struct err *e);
void weights_release(struct weights *w);

#endif
