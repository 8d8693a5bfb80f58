/* weightfile.h -- the tensors of a graph as a file of their own, without the
 * network: safetensors as PyTorch's readers take them, or NPZ.
 * SPDX-License-Identifier: MIT
 *
 * Reading a file of somebody else's into a network is weights.h.  */
#ifndef ADZE_FORMAT_WEIGHTFILE_H
#define ADZE_FORMAT_WEIGHTFILE_H

#include <stdint.h>

struct err;
struct graph;
struct str;

enum weightfile { WEIGHTFILE_SAFETENSORS, WEIGHTFILE_NPZ };

/* Append all tensors of G, in their order, to TO; *N of them.  */
int weightfile_encode(struct str *to, enum weightfile form,
                      const struct graph *g, int64_t *n, struct err *e);

/* A copy of LIKE with the tensors of FROM, for graph_free().  NULL with
 * ERR_FORMAT if FROM is damaged, or a tensor of LIKE is not there in its shape
 * and type.  */
struct graph *weightfile_graph(const struct str *from, enum weightfile form,
                               const struct graph *like, struct err *e);

#endif
