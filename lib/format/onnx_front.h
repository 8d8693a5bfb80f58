/* onnx_front.h -- preprocessing inside an ONNX file: levels of pixels become
 * what the network reads.
 * SPDX-License-Identifier: MIT
 *
 * The input `image_u8' [N,H,W,C] holds levels 0 to 255 of pictures of the
 * network's size.  In front of `image' [N,C,H,W] stand Cast (to f32), Transpose
 * (channels first), for blue first a Gather (the other order), Div (by 255),
 * Sub (the means), Div (the deviations): the steps of pack_chw(), so that the
 * numbers are the same bit by bit.  */
#ifndef ADZE_FORMAT_ONNX_FRONT_H
#define ADZE_FORMAT_ONNX_FRONT_H

#include "format/onnx.pb-c.h"
#include "tensor/shape.h"

struct err;
struct onnx_build;
struct preprocess;

#define ONNX_FRONT "image_u8"

/* Append the front for P, whose result is called TO.  */
void onnx_front_write(struct onnx_build *b, const struct preprocess *p,
                      const char *to);
/* The shape of the input before an image of shape S.  */
struct shape onnx_front_shape(const struct shape *s);

/* M begins with a front as it is written: fill the mean, std, order, channels
 * and size of *P (NULL: not asked) and return 1; else 0.  */
int onnx_front_read(const Onnx__ModelProto *m, struct preprocess *p);
/* Turn it off: the input of M becomes `image', f32, and the front computes
 * what nobody reads.  */
void onnx_front_off(Onnx__ModelProto *m);

#endif
