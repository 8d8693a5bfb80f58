/* convform.h -- the square convolutions of a network in a form for training.
 * SPDX-License-Identifier: MIT
 *
 * A form is a sum of branches that adze-reparam makes one convolution of
 * again, written as steps: models/blocks/conv.yaml.  Its parameters are what
 * the convolution is: out, kernel, stride, pad, groups; height and width of
 * its input; gamma, eps, momentum of the normalisation behind it.  */
#ifndef ADZE_FORMAT_CONVFORM_H
#define ADZE_FORMAT_CONVFORM_H

struct steps;
struct yaml;

/* Put form NAME of library LIB (with, blocks, forms) in the place of each
 * convolution of ST's graph with a kernel of 3x3, 5x5 or 7x7, dilation 1, one
 * stride and one padding, and parameters of its own.  Batch normalisation
 * that reads nothing else and is read by nobody besides goes with it.  The
 * sum bears the name of the last node replaced, the branches stand below the
 * name of the convolution: conv1.square.weight.  ERR_FORMAT for an unknown
 * form, with the choices.  */
int convform_apply(struct steps *st, const struct yaml *lib, const char *name);

#endif
