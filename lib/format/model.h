/* model.h -- the model file: a network with its weights, class names,
 * preprocessing and history, in one safetensors file (adze-formats(5)).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_MODEL_H
#define ADZE_FORMAT_MODEL_H

#include <stdint.h>

#include "base/mem.h"
#include "format/preprocess.h"
#include "tensor/set.h"

struct err;
struct graph;

struct model {
    struct arena arena;
    struct graph *graph;  /* owned; parameters hold their tensors */
    const char **classes; /* names, NULL if the model has none */
    int n_classes;
    struct preprocess pre;
    char *history; /* JSON list of entries, malloc'ed; "[]" when new */
    /* kind, loop state, and `adze:...' tensors of a checkpoint; empty in a
     * plain model */
    const char *kind; /* "model" or "checkpoint" */
    struct set extra;
};

/* A model around GRAPH (taken): preprocessing of torchvision's ImageNet
 * weights at the graph's input size, no classes, no history.  */
struct model *model_new(struct graph *g);
void model_free(struct model *m);

/* Drop what makes M a checkpoint: the state of a run.  */
void model_drop_state(struct model *m);
/* G (taken) in place of the graph; the state of a run belongs to the graph as
 * it was, and goes with it.  */
void model_replace_graph(struct model *m, struct graph *g);

/* ERR_FORMAT for a file that is not a model ("plain weights: use adze-init
 * --from"), of a newer format, damaged, or whose tensors do not fit its
 * graph.  PATH may be "-".  */
struct model *model_read(const char *path, struct err *e);
int model_save(const struct model *m, const char *path, struct err *e);
struct out;
int model_write(const struct model *m, struct out *o, struct err *e);

/* From and to a set of tensors, for checkpoints and tests.  */
struct model *model_from_set(const struct set *s, struct err *e);
int model_to_set(const struct model *m, struct set *s, struct err *e);

/* Copy the class list (N names) into M; NULL removes it.  */
void model_set_classes(struct model *m, const char *const *names, int n);

/* The class list from JSON, as `adze.classes' holds it; NULL leaves M alone. */
int model_read_classes(struct model *m, const char *json, struct err *e);

/* The history from JSON, as `adze.history' holds it; NULL: none.  */
int model_read_history(struct model *m, const char *json, struct err *e);

/* The name of class C, or its number in BUF.  */
enum { MODEL_CLASS = 24 };
const char *model_class_name(const struct model *m, int64_t c,
                             char buf[MODEL_CLASS]);

/* Logits' width: the last dimension of the output `logits', or of the first
 * output; 0 where that is `features'.  */
int64_t model_head(const struct model *m);

/* Was the head ever trained or loaded: refused by infer, evaluate, export
 * where it was not (history of init without --from, without train).  */
int model_trained(const struct model *m);

/* Append an entry to the history.  OPTIONS: pairs name, value, ..., NULL,
 * sorted here; INPUTS: likewise name, fingerprint.  Only what can change the
 * result belongs there.  */
void model_history_add(struct model *m, const char *command,
                       const char *const *options, const char *const *inputs);

/* COMMAND made or changed the model whose `adze.history' is the text HISTORY,
 * which may be NULL or damaged.  */
int model_history_has(const char *history, const char *command);

/* The hash that identifies M as an input of another command.  */
int model_fingerprint(const struct model *m, char text[HASH_TEXT],
                      struct err *e);

int fuzz_model(const uint8_t *p, size_t n);

#endif
