/* onnx_cases.h -- graphs for tests of ONNX files: every op alone, and others.
 * SPDX-License-Identifier: MIT
 *
 * Each fails the running cmocka test where it cannot be made.  */
#ifndef ADZE_TESTS_ONNX_CASES_H
#define ADZE_TESTS_ONNX_CASES_H

struct graph;
struct preprocess;

struct onnx_case {
    const char *op, *attr, *in; /* as in opcase.h */
    int since;                  /* the lowest opset, if it is above 13 */
};

/* Every op of inference that one graph shows whole.  */
extern const struct onnx_case onnx_cases[];
extern const int onnx_n_cases;

/* The op alone, its tensors without data; its results are the outputs y0,
 * y1 ...  */
struct graph *onnx_case_graph(const struct onnx_case *c);

/* A network over pictures of C x 3 x 4, and its preprocessing.  */
struct graph *onnx_case_pictures(struct preprocess *pre, int c);

/* G in 8 bits: pairs, constants of 8 and 32 bits.  */
struct graph *onnx_case_int8(const struct graph *g);

#endif
