/* featureset.h -- a file of features, as adze-infer --features writes it: a
 * row a picture.
 * SPDX-License-Identifier: MIT
 *
 * Safetensors or an NPZ archive with a tensor `features', or with one alone,
 * or an .npy file; [rows, ...] of floats.  The metadata of safetensors may
 * hold `paths', a JSON list of a text for each row, and `model', the
 * fingerprint of what computed them.  */
#ifndef ADZE_CLI_FEATURESET_H
#define ADZE_CLI_FEATURESET_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "tensor/tensor.h"

struct err;

struct featureset {
    struct arena arena; /* of the paths */
    struct tensor x;    /* [rows, width] f32 */
    const char **path;  /* [rows], NULL if the file has none */
    const char *paths;  /* the JSON list that they stood in */
    const char *origin; /* model and name of the tensor; NULL: not known */
};

/* ERR_FORMAT where there is no such tensor, or as many paths as rows.  */
int featureset_read(struct featureset *f, const char *path, struct err *e);
void featureset_release(struct featureset *f);

/* ERR_SHAPE unless A and B have as many rows, and ERR_FORMAT unless each row
 * is of the same path, where both have paths.  */
int featureset_match(const struct featureset *a, const struct featureset *b,
                     struct err *e);

/* LABEL[row] gets the place of its class among the *CLASSES sorted names: the
 * folders that the paths stand in.  ERR_FORMAT names a path without one.  */
int featureset_classes(const struct featureset *f, int64_t *label,
                       int64_t *classes, struct err *e);

/* For fuzzing: parse, name the classes, and forget.  */
int fuzz_featureset(const uint8_t *p, size_t n);

#endif
