/* cases.h -- networks that take every offer of the GPU.
 * SPDX-License-Identifier: MIT
 *
 * For training.c alone; behind each stand a mean, a linear layer, the loss.  */
#ifndef ADZE_TESTS_CUDA_CASES_H
#define ADZE_TESTS_CUDA_CASES_H

struct cuda_case {
    const char *what, *size, *body;
};

#define BN_RELU "  - bn\n  - relu\n"

static const struct cuda_case cases[] = {
    {"convolutions", "[3, 13, 11]",
     "  - conv: {out: 20, kernel: 3, pad: 1, bias: yes}\n  - relu\n"
     "  - conv: {out: 17, kernel: 1}\n" BN_RELU
     "  - conv: {out: 70, kernel: [3, 5], stride: [2, 1], pad: [1, 2]}\n" BN_RELU
     "  - conv: {out: 16, kernel: 3, dilation: 2, pad: 2}\n"},
    {"stem", "[3, 30, 27]",
     "  - conv: {out: 12, kernel: 7, stride: 2, pad: 3}\n" BN_RELU
     "  - maxpool2d: {kernel: 3, stride: 2, pad: 1}\n"
     "  - conv: {out: 16, kernel: 1, stride: 2}\n"},
    {"groups", "[16, 9, 8]",
     "  - conv: {out: 32, kernel: 3, pad: 1, groups: 4, bias: yes}\n" BN_RELU
     "  - conv: {out: 64, kernel: 1, groups: 2}\n"},
    {"depthwise", "[6, 12, 9]",
     "  - conv: {out: 40, kernel: 1}\n  - bn\n  - relu6\n"
     "  - conv: {out: 40, kernel: 3, pad: 1, groups: 40, stride: 2}\n"
     "  - bn\n  - hardswish\n"
     "  - conv: {out: 80, kernel: 5, pad: 2, groups: 40, bias: yes}\n"
     "  - silu\n"},
    {"residual", "[3, 10, 10]",
     "  - conv: {out: 16, kernel: 3, pad: 1}\n" BN_RELU "  - add:\n"
     "    - do: [conv: {out: 16, kernel: 3, pad: 1}, bn, relu,"
     " conv: {out: 16, kernel: 3, pad: 1}, bn]\n"
     "    - do: [identity]\n  - relu\n"
     "  - add:\n"
     "    - do: [conv: {out: 24, kernel: 3, stride: 2, pad: 1}, bn]\n"
     "    - do: [subsample: {stride: 2}, pad_channels: {to: 24}]\n  - relu\n"},
    {"squeeze and excite", "[8, 12, 12]",
     "  - conv: {out: 20, kernel: 1}\n" BN_RELU "  - mul:\n"
     "    - identity\n"
     "    - do: [global_avg_pool, reshape: {shape: [1, 20, 1, 1]},"
     " conv: {out: 5, kernel: 1, bias: yes}, relu,"
     " conv: {out: 20, kernel: 1, bias: yes}, hardsigmoid]\n"},
    {"concat of groups", "[3, 9, 7]",
     "  - conv: {out: 16, kernel: 1}\n" BN_RELU "  - concat: [conv: {out: 32, kernel: 1},"
     " conv: {out: 16, kernel: 3, pad: 1}]\n"},
    {"pools", "[5, 15, 14]",
     "  - conv: {out: 12, kernel: 1, bias: yes}\n"
     "  - concat:\n"
     "    - maxpool2d: {kernel: 3, stride: 2, ceil_mode: yes}\n"
     "    - avgpool2d: {kernel: 3, stride: 2, ceil_mode: yes}\n"
     "  - avgpool2d: {kernel: 3, stride: 1, pad: 1, count_include_pad: no}\n"
     "  - maxpool2d: {kernel: 2}\n"},
    {"activations", "[4, 7, 6]",
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - gelu\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - sigmoid\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - tanh\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - mish\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - elu\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - selu\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - softplus\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - softsign\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n  - leakyrelu\n"
     "  - conv: {out: 8, kernel: 1, bias: yes}\n"
     "  - gelu: {approximate: tanh}\n"},
    {"activations by themselves", "[4, 7, 6]",
     "  - conv: {out: 8, kernel: 1, bias: yes}\n"
     "  - clip: {min: -0.5, max: 0.7}\n  - hardtanh: {min: -0.4, max: 0.6}\n"
     "  - sigmoid\n  - tanh\n  - bn\n  - hardsigmoid\n  - leakyrelu\n"
     "  - elu: {alpha: 0.5}\n"},
    {"arithmetic", "[4, 7, 6]",
     "  - conv: {as: c, out: 8, kernel: 1, bias: yes}\n  - erf\n"
     "  - exp: {as: p}\n  - sqrt\n  - log: {as: l}\n  - exp\n"
     "  - pow: {as: q, exponent: -1.5}\n  - global_avg_pool\n"
     "  - reshape: {as: g, shape: [1, 8, 1, 1]}\n"
     "  - div: {as: d, from: [l, p]}\n  - div: {from: [d, g]}\n"
     "  - max: [identity, {do: [identity], from: c}]\n"},
    {"broadcast", "[4, 9, 8]",
     "  - conv: {out: 12, kernel: 1}\n" BN_RELU "  - add:\n"
     "    - identity\n"
     "    - do: [global_avg_pool, linear: {out: 12},"
     " reshape: {shape: [1, 12, 1, 1]}]\n"
     "    - do: [conv: {out: 1, kernel: 1}]\n"},
    {"rows", "[7, 3, 5]",
     "  - flatten\n  - linear: {out: 70}\n  - bn\n  - relu\n"
     "  - linear: {out: 9, bias: no}\n  - softmax\n  - logsoftmax\n"
     "  - reshape: {shape: [1, 9, 1, 1]}\n"},
    {"transformer", "[3, 18, 16]",
     "  - conv: {out: 24, kernel: 2, stride: 2, bias: yes}\n  - tokens\n"
     "  - classtoken: {count: 2}\n"
     "  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 72}, attention: {heads: 3},"
     " linear: {out: 24}]\n"
     "  - add:\n    - identity\n"
     "    - do: [ln: {affine: no}, linear: {out: 30}, gelu, linear: {out: 24},"
     " scale: {axis: 2}]\n"
     "  - ln\n  - select: {index: 1}\n  - reshape: {shape: [1, 24, 1, 1]}\n"},
    {"sequences", "[3, 14, 10]",
     "  - conv: {out: 24, kernel: 2, stride: 2, bias: yes}\n  - tokens\n"
     "  - classtoken\n"
     "  - add:\n    - identity\n    - param: {as: place, shape: [1, 36, 24], init: normal 0.3}\n"
     "  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 120}, attention: {heads: 1}, linear: {out: 24}]\n"
     "  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 40, bias: no}, gelu, linear: {out: 24}, scale: {axis: 2}]\n"
     "  - linear: {out: 240}\n  - attention: {heads: 1}\n  - linear: {out: 80}\n"
     "  - add: [identity, softmax: {axis: 1}, do: [logsoftmax]]\n"
     "  - slice: {axis: 1, start: 1, length: 35}\n"
     "  - transpose: {perm: [0, 2, 1]}\n  - reshape: {shape: [1, 80, 7, 5]}\n"
     "  - tokens\n  - window_partition: {grid: [7, 5], size: 3}\n"
     "  - window_reverse: {grid: [7, 5], size: 3}\n"
     "  - ln\n  - select: {index: 1}\n  - reshape: {shape: [1, 80, 1, 1]}\n"},
    {"wide heads", "[3, 7, 5]",
     "  - conv: {out: 6, kernel: 1}\n  - tokens\n  - linear: {out: 210}\n"
     "  - attention: {heads: 1}\n  - linear: {out: 399}\n"
     "  - attention: {heads: 1}\n  - linear: {out: 297}\n"
     "  - attention: {heads: 3}\n  - linear: {out: 4}\n"
     "  - transpose: {perm: [0, 2, 1]}\n"
     "  - reshape: {shape: [1, 4, 7, 5]}\n"},
    {"windows", "[3, 4, 3]",
     "  - conv: {out: 8, kernel: 1}\n  - tokens\n"
     "  - window_partition: {as: windows, grid: [4, 3], size: 3, shift: 1}\n"
     "  - linear: {as: qkv, out: 48}\n"
     "  - param: {as: table, shape: [25, 2], init: normal 1}\n"
     "  - window_bias: {as: bias, size: 3, grid: [4, 3], shift: 1}\n"
     "  - attention: {heads: 2, bias: yes, from: [qkv, bias]}\n"
     "  - window_reverse: {grid: [4, 3], size: 3, shift: 1}\n"
     "  - window_partition: {grid: [4, 3], size: 2}\n"
     "  - linear: {as: qkv2, out: 24}\n"
     "  - param: {as: table2, shape: [9, 2], init: normal 1}\n"
     "  - window_bias: {as: bias2, size: 2}\n"
     "  - attention: {heads: 2, bias: yes, from: [qkv2, bias2]}\n"
     "  - reshape: {shape: [4, 2, 2, 8]}\n"
     "  - transpose: {perm: [0, 2, 1, 3]}\n"
     "  - reshape: {shape: [1, 4, 4, 8]}\n"},
    {"moves", "[4, 6, 5]",
     "  - conv: {out: 12, kernel: 1, bias: yes}\n"
     "  - split: {as: part, sizes: [5, 4, 3]}\n"
     "  - concat:\n"
     "    - do: [slice: {from: part/1, start: 1, length: 3}]\n"
     "    - do: [identity: {from: part}]\n"
     "    - do: [slice: {from: part, axis: 1, start: 1, length: 1}]\n"
     "  - channelshuffle: {groups: 3}\n"
     "  - split: {as: half, sizes: [5, 4]}\n"
     "  - concat: [identity: {from: half/1}, identity: {from: half}]\n"
     "  - transpose: {as: turned, perm: [0, 1, 3, 2]}\n"
     "  - add:\n"
     "    - identity\n"
     "    - do: [select: {from: turned, axis: 3, index: 2},"
     " reshape: {shape: [1, 9, 5, 1]}]\n"
     "    - do: [zeroslike: {from: turned}]\n"
     "    - do: [oneslike: {from: turned}]\n"
     "  - mul:\n"
     "    - identity\n"
     "    - do: [reshape: {shape: [1, 9, 30]}, channelshuffle: {groups: 3},"
     " split: {as: rows, axis: 2, sizes: [10, 20]},"
     " slice: {from: rows/1, axis: 2, start: 4, length: 5},"
     " select: {axis: 2, index: 3}, reshape: {shape: [1, 9, 1, 1]}]\n"},
    {"plain transpose", "[3, 4, 5]",
     "  - reshape: {shape: [1, 5, 3, 4]}\n"
     "  - transpose: {perm: [0, 2, 3, 1]}\n"
     "  - conv: {out: 5, kernel: 1}\n"
     "  - reshape: {shape: [1, 4, 5, 5]}\n"
     "  - transpose: {perm: [0, 3, 1, 2]}\n"
     "  - reshape: {shape: [1, 10, 5, 2]}\n"},
    {"pictures", "[4, 7, 6]",
     "  - conv: {out: 8, kernel: 1, bias: yes}\n"
     "  - pad: {pad: [1, 2, 0, 1], value: 0.5}\n"
     "  - pad: {pad: [2, 1, 3, 4], mode: reflect}\n"
     "  - pad: {pad: [1, 0, 2, 1], mode: edge}\n"
     "  - conv: {out: 8, kernel: 1}\n"
     "  - upsample: {scale: 2}\n"
     "  - upsample: {size: [11, 37], mode: bilinear}\n"
     "  - upsample: {size: [7, 9]}\n"
     "  - upsample: {scale: [2, 1], mode: bilinear, align_corners: yes}\n"
     "  - adaptive_avg_pool: {as: cells, size: [4, 6]}\n"
     "  - mul:\n"
     "    - identity\n"
     "    - upsample:\n"
     "        of:\n"
     "          - do: [conv: {out: 8, kernel: 3, stride: 2}]\n"
     "          - identity\n"
     "        like: yes\n"},
    {"norms of channels", "[4, 7, 6]",
     "  - conv: {out: 12, kernel: 1, bias: yes}\n  - ln: {axis: 1}\n"
     "  - conv: {out: 12, kernel: 1}\n"
     "  - groupnorm: {groups: 3}\n  - scale\n  - prelu\n"},
    {"norms of pictures", "[4, 7, 6]",
     "  - conv: {out: 12, kernel: 1, bias: yes}\n  - ln: {axis: 3}\n"
     "  - conv: {out: 12, kernel: 1}\n"
     "  - instancenorm: {affine: yes}\n  - prelu: {per_channel: yes}\n"},
    {"lengths", "[4, 7, 6]",
     "  - conv: {out: 7, kernel: 1, bias: yes}\n  - l2norm\n"
     "  - conv: {out: 7, kernel: 1}\n  - lrn: {size: 3, alpha: 0.5}\n"
     "  - conv: {out: 7, kernel: 1}\n"},
    {"norms of rows", "[4, 7, 6]",
     "  - conv: {out: 9, kernel: 1, bias: yes}\n  - tokens\n"
     "  - linear: {out: 12}\n  - groupnorm: {groups: 7}\n"
     "  - l2norm: {axis: 2}\n  - prelu\n  - ln: {axis: 1}\n"
     "  - instancenorm\n  - prelu: {per_channel: yes, axis: 2}\n"
     "  - scale\n  - lrn: {size: 5, alpha: 0.3, beta: 0.6}\n"
     "  - reshape: {shape: [1, 6, 7, 12]}\n"},
    {"reduced", "[4, 7, 6]",
     "  - conv: {as: base, out: 10, kernel: 1, bias: yes}\n  - mul:\n"
     "    - identity\n"
     "    - do: [reduce: {axes: [1]}]\n"
     "    - do: [reduce: {axes: [2, 3], kind: max}]\n"
     "    - do: [reduce: {from: base, axes: [2], kind: sum}]\n"
     "    - do: [reduce: {from: base, axes: [1], kind: max, keep: no},"
     " reshape: {shape: [1, 1, 7, 6]}]\n"
     "    - do: [reduce: {from: base, axes: [2, 3], keep: no},"
     " linear: {out: 10}, reshape: {shape: [1, 10, 1, 1]}]\n"
     "    - do: [tokens: {from: base}, reduce: {axes: [1], kind: max},"
     " reshape: {shape: [1, 10, 1, 1]}]\n"},
    {"matrices", "[3, 6, 4]",
     "  - conv: {as: base, out: 5, kernel: 1}\n"
     "  - param: {as: left, shape: [70, 6], init: normal 0.3}\n"
     "  - param: {as: right, shape: [5, 4, 3], init: normal 0.3}\n"
     "  - matmul:\n"
     "    - do: [identity: {from: left}]\n"
     "    - do: [matmul: {from: [base, right]}]\n"
     "  - matmul:\n"
     "    - identity\n"
     "    - do: [transpose: {perm: [0, 1, 3, 2]}]\n"},
    {"stacks", "[3, 4, 6]",
     "  - conv: {out: 32, kernel: 1}\n  - tokens: {as: seq}\n"
     "  - matmul:\n"
     "    - matmul:\n"
     "      - do: [linear: {from: seq, out: 32}, reshape: {shape: [1, 24, 2, 16]},"
     " transpose: {perm: [0, 2, 1, 3]}]\n"
     "      - do: [linear: {from: seq, out: 16}, reshape: {shape: [1, 24, 1, 16]},"
     " transpose: {perm: [0, 2, 3, 1]}]\n"
     "    - do: [linear: {from: seq, out: 144}, reshape: {shape: [1, 24, 2, 72]},"
     " transpose: {perm: [0, 2, 1, 3]}]\n"
     "  - transpose: {perm: [0, 2, 1, 3]}\n  - reshape: {shape: [1, 24, 144]}\n"
     "  - matmul: [identity, do: [transpose: {perm: [0, 2, 1]}]]\n"
     "  - reshape: {shape: [1, 24, 6, 4]}\n"},
    {"turned", "[3, 8, 7]",
     "  - conv: {as: base, out: 6, kernel: 1, bias: yes}\n"
     "  - gridsample:\n"
     "    - identity\n"
     "    - affinegrid:\n"
     "        of:\n"
     "          - do: [reduce: {axes: [2, 3]}, flatten, linear: {out: 6},"
     " reshape: {shape: [1, 2, 3]}]\n"
     "          - identity\n"
     "        like: yes\n"
     "        residual: yes\n"
     "  - gridsample:\n"
     "      of:\n"
     "        - identity\n"
     "        - do:\n"
     "          - reduce: {from: base, axes: [2, 3]}\n"
     "          - flatten\n          - linear: {out: 6}\n"
     "          - reshape: {shape: [1, 2, 3]}\n"
     "          - affinegrid: {size: [5, 9], align_corners: yes}\n"
     "      padding: border\n      align_corners: yes\n"},
    {"moved taps", "[3, 7, 6]",
     "  - conv: {as: base, out: 12, kernel: 1, bias: yes}\n"
     "  - deformconv:\n"
     "      of: [identity, conv: {out: 36, kernel: 3, stride: 2, pad: 1, bias: yes}]\n"
     "      out: 10\n      kernel: 3\n      stride: 2\n      pad: 1\n"
     "      groups: 2\n      offset_groups: 2\n      bias: yes\n"
     "  - deformconv:\n"
     "      of:\n"
     "        - identity\n"
     "        - do: [conv: {as: both, out: 18, kernel: 1, bias: yes},"
     " split: {as: moves, sizes: [12, 6]}]\n"
     "        - sigmoid: {from: moves/1}\n"
     "      out: 9\n      kernel: [2, 3]\n      pad: [1, 1, 0, 1]\n      mask: yes\n"},
    {"many", "[4, 5, 6]",
     "  - conv: {as: base, out: 8, kernel: 1}\n  - add:\n"
     "    - identity\n    - do: [relu]\n    - do: [tanh]\n"
     "    - do: [conv: {out: 8, kernel: 1}]\n    - do: [sigmoid]\n"
     "    - do: [conv: {out: 8, kernel: 3, pad: 1}]\n    - do: [silu]\n"},
};

#endif
