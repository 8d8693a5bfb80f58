/* pass.h -- a pass is a function from graph to graph.
 * SPDX-License-Identifier: MIT
 *
 * It leaves its input alone, shares unchanged tensors by reference, does no
 * I/O, reads no clock, draws no random number.  An exact pass computes the
 * same function up to rounding; a lossy one does not.  Each result satisfies
 * graph_check().  Those without further arguments, applied twice, equal once.
 *
 *     struct graph *g = pass_fuse_bn(in, &e);     // NULL on error  */
#ifndef ADZE_PASS_PASS_H
#define ADZE_PASS_PASS_H

#include <stdint.h>

struct err;
struct graph;
struct tensor;

/* Exact.  Constants folded (but dequantize of one, which int8 kernels read),
 * what changes nothing (identity, dropout and droppath outside training, pad of
 * 0, reshape or transpose to the same or back, a join of one ...) and dead
 * nodes removed; train-only outputs cut; tokens that nobody wants are not
 * computed (cut_tokens.h).  */
struct graph *pass_simplify(const struct graph *in, struct err *e);

/* Exact.  conv2d, deformconv2d or linear followed by batchnorm2d (evaluation)
 * alone become one with a bias: w' = w g / sqrt(v + eps), b' = beta + (b - m)
 * g / sqrt(v + eps), computed in double.  ERR_NONFINITE for v + eps <= 0 or a
 * result that is not finite, naming node and channel.  */
struct graph *pass_fuse_bn(const struct graph *in, struct err *e);

/* Exact.  An add whose operands are parallel linear branches of one value
 * becomes one conv2d with bias.  A branch is a run of conv2d, batchnorm2d,
 * avgpool2d, pad and slice, or nothing (branch.h); what it reads lies among
 * what one branch that is a conv2d reads.  RepVGG: Ding et al., CVPR 2021;
 * ACNet: Ding et al., ICCV 2019; Diverse Branch Block: Ding et al., CVPR 2021.
 */
struct graph *pass_reparam(const struct graph *in, struct err *e);

/* What quantising needs to know of a value: [min, max] seen.  */
struct range {
    const char *name; /* of the value */
    double min, max;
};

/* Lossy.  quantize/dequantize pairs (ONNX QDQ) around conv2d, linear and the
 * ops between them that work on u8: activations u8 per tensor with zero
 * point, weights s8 symmetric per output channel, biases s32 at scale s_x s_w.
 * A layer's weight keeps its name and becomes a constant of 8 bits.  An
 * activation behind a layer or an add belongs to it: the pair stands behind
 * the activation.  Ranges are of values by name, from observing a run; a
 * missing one is ERR_USAGE naming the value, one that is not finite is
 * ERR_NONFINITE.  Normalisation stays float: fuse it before.  */
struct quantize_opts {
    const struct range *range;
    int64_t n_range;
    const char *const *skip; /* names or patterns of nodes kept in float, by
                                their own name or that in front of `.weight';
                                NULL-ended; NULL: none */
    int reduce_range; /* weights of 7 bits, in [-64, 64], not [-127, 127] */
};
struct graph *pass_quantize(const struct graph *in,
                            const struct quantize_opts *o, struct err *e);

/* The names of the values whose ranges pass_quantize() asks for: a
 * NULL-ended list, freed by the caller (names belong to IN).  */
const char **pass_quantize_wants(const struct graph *in,
                                 const struct quantize_opts *o);

/* The name of the first node of G that quantizes a value, or NULL: whether G
 * is in 8 bits, in whole or in part.  */
const char *pass_quantized(const struct graph *g);

/* ERR_UNSUPPORTED if it is: for what works on float models alone.  */
int pass_need_float(const struct graph *g, struct err *e);

/* The first pattern of O's skip that matches no node of IN, or NULL.  */
const char *pass_quantize_unknown(const struct graph *in,
                                  const struct quantize_opts *o);

/* NETWORK's forward nodes with every OP_TRAIN or OP_RANDOM node set to train
 * (but those of frozen layers, patterns in FROZEN, NULL-ended or NULL), and
 * the nodes of LOSS behind it: LOSS's inputs are joined by name to NETWORK's
 * outputs; its other inputs (targets) become inputs of the result.  Outputs:
 * those of both.  */
struct graph *pass_join(const struct graph *network, const struct graph *loss,
                        const char *const *frozen, struct err *e);

/* IN with backward nodes for the gradient of output LOSS (shape [1]) with
 * respect to every parameter that is not frozen, and update nodes for ops
 * that have one (running statistics).  The gradient of parameter `w' becomes
 * an output named "d(w)".  Values with several uses get their gradients
 * added in the order of their uses.  Parts that reach no parameter are left
 * out.  The gradients are those of the loss times the new input FACTOR [1],
 * unless that is NULL.  */
struct graph *pass_differentiate(const struct graph *in, const char *loss,
                                 const char *factor, struct err *e);

/* Exact.  Each batchnorm2d of a training graph, and its backward node, in
 * parts that can be computed beside other nodes: statistics (bnstats), then
 * their use element by element (bnapply); sums (bnsums), then the gradient
 * element by element (bngrad).  Those that do not train are left alone.  */
struct graph *pass_split_bn(const struct graph *in, struct err *e);

#endif
