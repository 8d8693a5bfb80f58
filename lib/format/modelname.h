/* modelname.h -- do the tensors of a file fit a graph, name by name.
 * SPDX-License-Identifier: MIT
 *
 * Passed over are buffers of PyTorch that follow from the network
 * (num_batches_tracked, relative_position_index, attn_mask) and names that
 * begin with `adze:'.  */
#ifndef ADZE_FORMAT_MODELNAME_H
#define ADZE_FORMAT_MODELNAME_H

struct err;
struct graph;
struct set;

/* Three lists of names, borrowed from graph and set.  */
struct modelname_diff {
    const char **missing, **unexpected, **shape;
    int n_missing, n_unexpected, n_shape;
    int cap_missing, cap_unexpected, cap_shape;
    const struct graph *g;
    const struct set *s;
};

/* D becomes: tensors of G that S does not have, of S that G does not have, and
 * those whose shapes differ.  */
void modelname_compare(struct modelname_diff *d, const struct graph *g,
                       const struct set *s);
void modelname_diff_release(struct modelname_diff *d);

/* D as one sentence, with a name of each list and how many more.  Returns -1.
 */
int modelname_error(const struct modelname_diff *d, struct err *e);

#endif
