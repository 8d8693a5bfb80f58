/* onnx.h -- networks as ONNX files, and those files back into graphs.
 * SPDX-License-Identifier: MIT
 *
 * Written is the graph simplified for inference.  An op whose record has an
 * ONNX row becomes that operator; the others have a lowering
 * (onnx_lower.h).  Initialisers keep their names (conv1.weight) and stand in
 * raw_data, the batch is the symbolic size "N", input and output bear the
 * graph's names (image, logits).  metadata_props hold adze.classes,
 * adze.preprocess and adze.history as the model file does.  Equal models give
 * equal bytes.
 *
 * What is written can be read back; that is adze-export's own check.  Read are
 * files of other programs, too (operator sets 7 to 23): an operator, or a form
 * of it, that no op says is ERR_UNSUPPORTED with its name.  Names of
 * initialisers are kept, but for bytes that our files cannot hold.
 *
 *     onnx.c, onnx_build, onnx_lower_X, onnx_front     writing
 *     onnx_read         reading, the way in: the file, its inputs, its
 *                       operators in order; onnx_model: as a model
 *     onnx_scan, onnx_tensor   bytes before they are unpacked; arrays
 *     onnx_import       what the readers of operators share
 *     onnx_read_row     an operator that is one op, by the row of its record
 *     onnx_read_X       the other operators; each file ends with their list
 *     onnx_fold_X       operators over constants, evaluated
 *     onnx_pattern, onnx_attention   several operators that are one op
 *     onnx_turns        arithmetic with channels last, done with them first  */
#ifndef ADZE_FORMAT_ONNX_H
#define ADZE_FORMAT_ONNX_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct graph;
struct model;
struct preprocess;
struct str;

/* FLOOR: the lowest that is taken unasked.  Below it, limits and borders are
 * attributes, and programs of today have ceased to read some of them.  */
enum { ONNX_OPSET_MIN = 7, ONNX_OPSET_FLOOR = 11, ONNX_OPSET_MAX = 21 };
enum { ONNX_READ_MIN = 7, ONNX_READ_MAX = 23 };

struct onnx_opts {
    int64_t opset; /* 0: the lowest from the floor on that says every op in one
                      operator, at most 17, or has a lowering for it */
    int64_t batch; /* 0: symbolic */
    int half;      /* weights and arithmetic in f16; inputs and outputs f32 */
    const struct preprocess *front; /* inside the graph (onnx_front.h); NULL */
};

/* A pair for metadata_props; a list is ended by a NULL key.  */
struct onnx_meta {
    const char *key, *value;
};

/* Append G as an ONNX file to TO.  META, O may be NULL.  ERR_UNSUPPORTED
 * names an op that cannot be said, and the opset that could, a tensor that has
 * no f16, or 8 bits where f16 is asked for; ERR_USAGE a tensor without data;
 * ERR_SHAPE a front that does not fit.  */
int onnx_encode(struct str *to, const struct graph *g,
                const struct onnx_meta *meta, const struct onnx_opts *o,
                struct err *e);

/* The whole model, with its metadata.  */
int onnx_encode_model(struct str *to, const struct model *m,
                      const struct onnx_opts *o, struct err *e);

/* A file that is unpacked.  */
struct onnx_file {
    void *m;  /* the Onnx__ModelProto, owned */
    size_t n; /* bytes of the file */
};

/* The N bytes at P, which must stay.  Sizes are checked before memory is
 * taken: at most 8 N + 64 MiB of it.  ERR_FORMAT for bytes that are no ONNX
 * file.  Closed in either case.  */
int onnx_open(struct onnx_file *f, const unsigned char *p, size_t n,
              struct err *e);
void onnx_close(struct onnx_file *f);
/* A value of metadata_props, NULL if it is not there; lives as F does.  */
const char *onnx_meta_get(const struct onnx_file *f, const char *key);

int onnx_operators(const struct onnx_file *f);

/* What the file does not say.  */
struct onnx_source {
    const char *dir; /* where files of tensors beside it lie; NULL: refused */
    int64_t size[2]; /* rows and columns of an input that is of any; 0: none */
    int pictures;    /* the input is pictures, and is called `image': channels
                        become first, a batch that is fixed symbolic */
};

/* The graph of F, tensors copied, computed constants of at most 8 N + 4 MiB.
 * SRC may be NULL.  ERR_UNSUPPORTED names operator and node, ERR_FORMAT what is
 * damaged.  */
struct graph *onnx_graph(const struct onnx_file *f,
                         const struct onnx_source *src, struct err *e);

/* Preprocessing that stands inside the file, in a form that is written here:
 * fill mean, std, order, channels and size of *P and return 1; else 0.
 * onnx_graph() leaves it out.  */
int onnx_front_of(const struct onnx_file *f, struct preprocess *p);

/* All of it, as our own files are read.  */
struct graph *onnx_read(const unsigned char *p, size_t n, struct err *e);

int fuzz_onnx(const uint8_t *p, size_t n);

#endif
