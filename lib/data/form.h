/* form.h -- what each form of data set provides to dataset.c: one record of
 * functions, and the index it fills.
 * SPDX-License-Identifier: MIT
 *
 * A form knows its files and its own class names; what a class name means to
 * the model, and that an index is inside the head, is dataset.c's.  */
#ifndef ADZE_DATA_FORM_H
#define ADZE_DATA_FORM_H

#include <stdint.h>

#include "base/mem.h"
#include "base/stream.h"
#include "data/dataset.h"

struct err;

/* One picture.  */
struct form_item {
    const char *name; /* as messages show it; alive as long as the part */
    uint32_t rel;     /* name + rel is relative to the set: no path */
    int32_t label;    /* into the part's classes, or the index; -1 */
    uint64_t at, n;   /* of the form: offset and bytes, or line */
};

/* One operand of `a+b'.  */
struct form_part {
    const struct form *form;
    const char *spec;   /* as given */
    struct bytes bytes; /* file forms: the whole file */
    struct arena arena; /* names */
    struct form_item *item;
    int64_t n, cap;
    const char **classes; /* none: labels are indices */
    int n_class, cap_class;
    int in_order;  /* the classes' own order counts, not the alphabet's */
    int64_t first; /* the first item's index in the whole set */
    int w, h;      /* IDX: of all pictures */
    void *state;   /* of the form */
};

struct form {
    const char *name;
    /* The file is of this form; folders never come here.  */
    int (*is)(const struct bytes *b);
    /* Fill items and classes; P->spec and P->bytes are set.  */
    int (*open)(struct form_part *p, const struct dataset_opts *o,
                struct err *e);
    /* Free P->state, also after open has failed; may be NULL.  */
    void (*close)(struct form_part *p);
    /* Decode one.  Thread-safe.  */
    int (*image)(const struct form_part *p, const struct form_item *it,
                 const struct codec_opts *o, struct image *im, struct err *e);
    /* Bytes of the picture, for the fingerprint; -1 if it is not there.  */
    int64_t (*bytes)(const struct form_part *p, const struct form_item *it);
    int lines; /* `at' is a line number that messages should show */
};

extern const struct form form_folder, form_list, form_tar, form_idx, form_cifar,
    form_frames;

/* Give all back, the bytes too.  */
void form_release(struct form_part *p);

/* Append an item; NAME is copied.  */
struct form_item *form_add(struct form_part *p, const char *name, size_t rel);
/* Append a class; its index.  NAME is copied.  */
int form_add_class(struct form_part *p, const char *name, size_t n);

/* Sort the part's classes and renumber the labels.  */
void form_sort_classes(struct form_part *p);

/* Labels as texts: all indices if the first is one, else all names.  LABEL is
 * stored in IT; WHERE stands in messages.  */
struct form_labels {
    int mode; /* 0 not known yet, 1 indices, 2 names */
    struct name_map index;
};
int form_label(struct form_part *p, struct form_labels *l, struct form_item *it,
               const char *text, size_t n, struct err *e);
void form_labels_release(struct form_labels *l);

enum { FORM_LABEL_MAX = 1000000 }; /* classes, at most */

/* NAME (without folder) is no picture: dotfiles, Thumbs.db, ...  */
int form_skips(const char *name);
/* So is some part of the path NAME; `..' is.  */
int form_hidden(const char *name);
/* NAME is among the model's classes.  */
int form_known(const struct dataset_opts *o, const char *name, size_t n);

/* The training and test files of a folder of IDX or CIFAR files as specs
 * joined with '+', malloc'ed, or NULL each; 0 if DIR is no such folder.  */
int form_idx_folder(const char *dir, char **train, char **test);
int form_cifar_folder(const char *dir, char **train, char **test);
int form_is_file(const char *path); /* a regular file, or a link to one */
/* SPEC as messages show it: "'data/val'", "standard input".  */
#define FORM_SHOW(spec) FD_SHOW(strcmp(spec, "-") ? (spec) : fd_stdin)
/* The part of PATH behind the last '/'.  */
const char *form_base(const char *path);

/* Read the N bytes at P as a file of form F, and its last picture unless that
 * lies in another file; without labels where N is odd.  */
int form_fuzz(const struct form *f, const uint8_t *p, size_t n);
int fuzz_list(const uint8_t *p, size_t n);
int fuzz_tar_set(const uint8_t *p, size_t n);
int fuzz_idx(const uint8_t *p, size_t n);
int fuzz_cifar(const uint8_t *p, size_t n);

#endif
