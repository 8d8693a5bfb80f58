/* features.h -- values inside a network, as rows of a file.
 * SPDX-License-Identifier: MIT
 *
 *     g = features_graph(&f, model->graph, names, e);    // plan that
 *     features_open(&f, "f.safetensors", e);
 *     ... features_add(&f, plan, i, path, e);            // of each picture
 *     features_save(&f, g, e);
 *
 * Rows wait in files without a name beside the output, so that memory does
 * not grow with the number of pictures.  */
#ifndef ADZE_CLI_FEATURES_H
#define ADZE_CLI_FEATURES_H

#include <stdint.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/str.h"

struct err;
struct graph;
struct plan;

enum { FEATURES = 64 };

struct features {
    char *name[FEATURES]; /* of the graph's outputs */
    FILE *file[FEATURES];
    int n;
    int64_t rows;
    const char *output;
    char model[HASH_TEXT]; /* fingerprint of what computes them */
    struct str paths;      /* JSON texts with commas between them */
};

/* IN, simplified, with outputs for NAMES ("layer3,features"; a name is that of
 * a value or scope) or, if that is "auto", for `features', which the
 * classifier reads, and the map in front of each down-sampling and the last
 * one.  A map is what alone is handed on there.  ERR_USAGE names what is not
 * there or no value of a picture.  */
struct graph *features_graph(struct features *f, const struct graph *in,
                             const char *names, struct err *e);
void features_release(struct features *f); /* F may be zero */

/* OUTPUT: a name that ends in .npy takes one value as NumPy's array, one in
 * .npz is ERR_USAGE, others get safetensors with the JSON list `paths' and
 * `model', F->model, in the metadata.  */
int features_open(struct features *f, const char *output, struct err *e);

/* Append sample I of what P has run, which is of PATH.  */
int features_add(struct features *f, struct plan *p, int64_t i,
                 const char *path, struct err *e);
int features_save(struct features *f, const struct graph *g, struct err *e);

#endif
