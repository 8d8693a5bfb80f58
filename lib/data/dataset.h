/* dataset.h -- labelled pictures, wherever they lie: a folder of class
 * folders, a list file, a tar (class folders or WebDataset pairs), IDX
 * (MNIST), CIFAR binary, frames, or several joined with '+'.
 * SPDX-License-Identifier: MIT
 *
 * The form is recognised by content.  Opening reads names and offsets only,
 * never a picture; items keep a fixed order (sorted by class name, then by
 * path for folders; archive and list order otherwise).  Dotfiles,
 * Thumbs.db and desktop.ini are skipped.
 *
 * Classes.  With NAMES given (the model's), folders match by name: one that
 * is not among them is ERR_INPUT naming it, one that is missing is reported
 * in `missing'.  Without, the sorted folder names become the classes.  List
 * files and IDX have indices; one outside [0, n_classes) is an error naming
 * file and line.  */
#ifndef ADZE_DATA_DATASET_H
#define ADZE_DATA_DATASET_H

#include <stdint.h>

#include "base/hash.h"
#include "image/codec.h"

struct err;

struct sample {
    const char *name; /* path, "archive.tar:member", "train-images[17]" */
    int64_t label;    /* -1: unlabelled */
};

struct dataset;

struct dataset_opts {
    const char *const *classes; /* NULL: from the data */
    int n_classes;
    int unlabelled; /* labels are not needed (infer, calibrate) */
};

/* ERR_INPUT, ERR_FORMAT with file and line, offset or member.  */
struct dataset *dataset_open(const char *spec, const struct dataset_opts *o,
                             struct err *e);
/* The length of the first of the operands that SPEC joins by `+'.  */
size_t dataset_operand(const char *spec);
/* N files without labels; they are looked at when they are decoded.  */
struct dataset *dataset_paths(const char *const *paths, int64_t n,
                              struct err *e);
void dataset_free(struct dataset *d);

/* Keep N samples, evenly spread over the set, if it has more.  */
void dataset_spread(struct dataset *d, int64_t n);

int64_t dataset_count(const struct dataset *d);
struct sample dataset_sample(const struct dataset *d, int64_t i);
/* Class names; n 0 if the data has indices only.  */
const char *const *dataset_classes(const struct dataset *d, int *n);
/* Largest label + 1.  */
int64_t dataset_labels(const struct dataset *d);
/* Classes of NAMES that have no sample: notices for the user, NULL-ended.  */
const char *const *dataset_missing(const struct dataset *d);

/* Read and decode picture I, or the part of it that O asks for.  Safe from
 * many threads at once.  The message names the sample.  */
int dataset_image(const struct dataset *d, int64_t i,
                  const struct codec_opts *o, struct image *im, struct err *e);

/* Count, order, names, sizes and labels, hashed: what a checkpoint and a
 * history remember (never a path: names are relative to the set).  */
void dataset_fingerprint(const struct dataset *d, char text[HASH_TEXT]);

/* `-d DIR' that holds only train and val (or test): the two specs, malloc'ed,
 * 1; else 0.  */
int dataset_split_dir(const char *spec, char **train, char **val);

#endif
