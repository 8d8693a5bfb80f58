/* onnx_tensor.h -- the numbers of an ONNX file, inside it and beside it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_ONNX_TENSOR_H
#define ADZE_FORMAT_ONNX_TENSOR_H

#include "format/onnx.pb-c.h"
#include "tensor/tensor.h"

struct err;

/* Where tensors with data_location EXTERNAL may lie: a file of a plain name
 * beside the ONNX file, a regular one, no link.  DIR NULL: nowhere.  */
struct onnx_beside {
    const char *dir;
    size_t left; /* bytes that may still be read: set by onnx_beside_init() */
};

/* As many bytes may be read as 64 times the N of the ONNX file, which names
 * each tensor, and at least 16 GiB.  */
void onnx_beside_init(struct onnx_beside *b, const char *dir, size_t n);

/* The data of P into *T, its own; sizes are checked before memory is taken.
 * ERR_FORMAT, ERR_UNSUPPORTED (type), ERR_INPUT (the file beside).  */
int onnx_tensor_load(struct tensor *t, const Onnx__TensorProto *p,
                     struct onnx_beside *b, struct err *e);

/* Our type for a type of the file; -1 if we have none.  */
int onnx_tensor_dtype(int type);

#endif
