/* set.h -- named tensors in order, with text metadata: what a safetensors
 * file holds.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TENSOR_SET_H
#define ADZE_TENSOR_SET_H

#include "base/hash.h"
#include "base/mem.h"
#include "tensor/tensor.h"

struct set {
    struct arena arena; /* names and metadata */
    struct set_item {
        const char *name;
        struct tensor t; /* a share of its own */
    } * item;
    int64_t n, cap;
    struct name_map index;
    struct set_meta {
        const char *key, *value;
    } * meta; /* in the order of setting */
    int64_t n_meta, cap_meta;
};

void set_init(struct set *s);
void set_release(struct set *s);

/* Put T under NAME (copied); takes a share of T.  -1 if the name is there.  */
int set_put(struct set *s, const char *name, const struct tensor *t);
/* Borrowed, NULL if there is none.  */
const struct tensor *set_get(const struct set *s, const char *name);

/* Metadata: replace or append; the value of KEY or NULL.  */
void set_meta_put(struct set *s, const char *key, const char *value);
const char *set_meta_get(const struct set *s, const char *key);

#endif
