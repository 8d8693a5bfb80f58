/* onnx_model.h -- an ONNX file as a model: a classifier of pictures.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_ONNX_MODEL_H
#define ADZE_FORMAT_ONNX_MODEL_H

#include <stdint.h>

#include "base/hash.h"

struct err;
struct model;

/* What became of the file; counts are 0 where nothing did.  */
struct onnx_report {
    int operators;        /* in the file */
    int outputs;          /* behind the first one, which are left out */
    int softmax;          /* the last op was one, and is left out */
    int preprocess;       /* the file says how pictures are prepared */
    char hash[HASH_TEXT]; /* of the file */
};

/* The file PATH ("-" is standard input) as a model.  Its input is called
 * `image', its first output `logits', of [N,K]: sizes of 1 behind go away, as
 * does a softmax at the end, for logits are asked for here.  SIZE, two
 * numbers, is that of pictures where the file takes any; else NULL.  Class
 * names, preprocessing and history are those of the metadata adze.classes,
 * adze.preprocess and adze.history; else there are no names, and what
 * torchvision's weights want.  Constants are folded.  ERR_FORMAT,
 * ERR_UNSUPPORTED name what cannot be read.  REP may be NULL.  */
struct model *onnx_model_read(const char *path, const int64_t *size,
                              struct onnx_report *rep, struct err *e);

#endif
