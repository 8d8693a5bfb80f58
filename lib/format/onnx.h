/* onnx.h -- networks as ONNX files, and those files back into graphs.
 * SPDX-License-Identifier: MIT
 *
 * Written is the graph simplified for inference.  An op whose record has an
 * ONNX row becomes that operator; the others have a lowering in
 * onnx_lower.c.  Initialisers keep their names (conv1.weight) and stand in
 * raw_data, the batch is the symbolic size "N", input and output bear the
 * graph's names (image, logits).  metadata_props hold adze.classes,
 * adze.preprocess and adze.history as the model file does.  Equal models give
 * equal bytes.
 *
 * What is written can be read back; that is adze-export's own check.  Files of
 * other programs are not the aim: an operator or a form of it that we do not
 * write is ERR_UNSUPPORTED.  */
#ifndef ADZE_FORMAT_ONNX_H
#define ADZE_FORMAT_ONNX_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct graph;
struct model;
struct str;

enum { ONNX_OPSET_MIN = 11, ONNX_OPSET_MAX = 20 };

struct onnx_opts {
    int64_t opset; /* 0: the lowest that says every op in one operator, at
                      most 17, or has a lowering for it */
    int64_t batch; /* 0: symbolic */
};

/* A pair for metadata_props; a list is ended by a NULL key.  */
struct onnx_meta {
    const char *key, *value;
};

/* Append G as an ONNX file to TO.  META, O may be NULL.  ERR_UNSUPPORTED
 * names an op that cannot be said, and the opset that could; ERR_USAGE a
 * tensor without data.  */
int onnx_encode(struct str *to, const struct graph *g,
                const struct onnx_meta *meta, const struct onnx_opts *o,
                struct err *e);

/* The whole model, with its metadata.  */
int onnx_encode_model(struct str *to, const struct model *m,
                      const struct onnx_opts *o, struct err *e);

/* The graph in the N bytes at P; tensors are copied.  Sizes are checked before
 * memory is taken: at most 8 N + 64 MiB of it.  ERR_FORMAT for bytes that are
 * no ONNX file, ERR_UNSUPPORTED for one that we would not write.  */
struct graph *onnx_read(const unsigned char *p, size_t n, struct err *e);

int fuzz_onnx(const uint8_t *p, size_t n);

#endif
