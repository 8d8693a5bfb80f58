/* vendor.h -- the calls of cuBLASLt and cuDNN that adze makes, in one table.
 * SPDX-License-Identifier: MIT
 *
 * The libraries are sought when a device is opened; adze is neither linked to
 * them nor built with their headers, as a machine may have the CUDA Toolkit
 * alone.  So what is needed of those stands here: names and numbers are those
 * of cublasLt.h (cuBLAS 12 and 13) and of cudnn_graph.h (cuDNN 9), which the
 * first word of each list names; tests/cuda/gpu/vendor.cc compares them with
 * the headers where those are.  Handles and descriptors are pointers, the
 * vendor's enumerations are int.
 *
 * Every function returns 0 when it did its work.  */
#ifndef ADZE_CUDA_VENDOR_H
#define ADZE_CUDA_VENDOR_H

#include <stddef.h>
#include <stdint.h>

/* ---- cuBLASLt ---- */

enum {
    LT_OLDEST = 120000, /* cublasLtGetVersion(): 12.0.0 */

    LT_R_32F = 0, /* cudaDataType */
    LT_R_16F = 2,
    LT_R_16BF = 14,

    LT_COMPUTE_32F = 68, /* cublasComputeType_t: f32, not TF32 */

    LT_OP_T = 1, /* cublasOperation_t */

    LT_DESC_TRANSA = 3, /* cublasLtMatmulDescAttributes_t */
    LT_DESC_TRANSB = 4,
    LT_DESC_EPILOGUE = 7,
    LT_DESC_BIAS_POINTER = 8,

    LT_EPILOGUE_DEFAULT = 1, /* cublasLtEpilogue_t */
    LT_EPILOGUE_RELU = 2,
    LT_EPILOGUE_BIAS = 4,
    LT_EPILOGUE_GELU = 32, /* by tanh */
    LT_EPILOGUE_BGRADB = 512,

    LT_PREF_MAX_WORKSPACE_BYTES = 1, /* cublasLtMatmulPreferenceAttributes_t */
    LT_PREF_REDUCTION_SCHEME_MASK = 3,
    LT_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    LT_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    LT_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    LT_PREF_MIN_ALIGNMENT_D_BYTES = 8,

    LT_REDUCTION_COMPUTE_TYPE = 2, /* cublasLtReductionScheme_t: partial sums
                                      side by side, added in their order */
};

/* cublasLtMatmulAlgo_t, cublasLtMatmulHeuristicResult_t.  */
struct lt_algo {
    uint64_t data[8];
};

struct lt_found {
    struct lt_algo algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

struct cublaslt {
    size_t (*version)(void);
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*desc_create)(void **desc, int compute, int scale);
    int (*desc_set)(void *desc, int attr, const void *p, size_t bytes);
    int (*desc_destroy)(void *desc);
    int (*layout_create)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t step);
    int (*layout_destroy)(void *layout);
    int (*preference_create)(void **preference);
    int (*preference_set)(void *preference, int attr, const void *p, size_t bytes);
    int (*preference_destroy)(void *preference);
    int (*heuristic)(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference,
                     int wanted, struct lt_found *found, int *count);
    int (*matmul)(void *handle, void *desc, const void *alpha, const void *a, void *at,
                  const void *b, void *bt, const void *beta, const void *c, void *ct, void *d,
                  void *dt, const struct lt_algo *algo, void *workspace, size_t bytes,
                  void *stream);
};

/* ---- cuDNN ---- */

enum {
    DNN_OLDEST = 90000, /* cudnnGetVersion(): 9.0.0 */

    DNN_CROSS_CORRELATION = 1, /* cudnnConvolutionMode_t */

    DNN_DATA_FLOAT = 0, /* cudnnDataType_t */
    DNN_DATA_HALF = 2,
    DNN_DATA_BFLOAT16 = 9,

    DNN_POINTWISE_ADD = 0, /* cudnnPointwiseMode_t */
    DNN_POINTWISE_MUL = 1,
    DNN_POINTWISE_SUB = 9,
    DNN_POINTWISE_RELU_FWD = 100,
    DNN_POINTWISE_RELU_BWD = 200,

    DNN_GENSTATS_SUM_SQSUM = 0, /* cudnnGenStatsMode_t */

    DNN_HEUR_MODE_A = 3, /* cudnnBackendHeurMode_t */

    DNN_NOTE_NONDETERMINISTIC = 4, /* cudnnBackendNumericalNote_t */
    DNN_NOTES = 10,

    DNN_TYPE_HANDLE = 0, /* cudnnBackendAttributeType_t */
    DNN_TYPE_DATA_TYPE = 1,
    DNN_TYPE_BOOLEAN = 2,
    DNN_TYPE_INT64 = 3,
    DNN_TYPE_FLOAT = 4,
    DNN_TYPE_VOID_PTR = 6,
    DNN_TYPE_CONVOLUTION_MODE = 7,
    DNN_TYPE_HEUR_MODE = 8,
    DNN_TYPE_NUMERICAL_NOTE = 11,
    DNN_TYPE_POINTWISE_MODE = 14,
    DNN_TYPE_DESCRIPTOR = 15,
    DNN_TYPE_GENSTATS_MODE = 16,
    DNN_TYPE_CHAR = 24,

    DNN_POINTWISE = 0, /* cudnnBackendDescriptorType_t */
    DNN_CONVOLUTION = 1,
    DNN_ENGINE = 2,
    DNN_ENGINECFG = 3,
    DNN_ENGINEHEUR = 4,
    DNN_PLAN = 5,
    DNN_OP_FORWARD = 10,
    DNN_OP_BWD_FILTER = 11,
    DNN_OP_BWD_DATA = 12,
    DNN_OP_POINTWISE = 13,
    DNN_OP_GENSTATS = 14,
    DNN_GRAPH = 15,
    DNN_VARIANT_PACK = 16,
    DNN_TENSOR = 17,
    DNN_OP_BN_BWD_WEIGHTS = 23,
    DNN_DEVICEPROP = 38,

    DNN_POINTWISE_MODE = 0, /* cudnnBackendAttributeName_t */
    DNN_POINTWISE_MATH_PREC = 1,
    DNN_CONVOLUTION_COMP_TYPE = 100,
    DNN_CONVOLUTION_CONV_MODE = 101,
    DNN_CONVOLUTION_DILATIONS = 102,
    DNN_CONVOLUTION_FILTER_STRIDES = 103,
    DNN_CONVOLUTION_POST_PADDINGS = 104,
    DNN_CONVOLUTION_PRE_PADDINGS = 105,
    DNN_CONVOLUTION_SPATIAL_DIMS = 106,
    DNN_ENGINEHEUR_MODE = 200,
    DNN_ENGINEHEUR_GRAPH = 201,
    DNN_ENGINEHEUR_RESULTS = 202,
    DNN_ENGINEHEUR_DEVICEPROP = 204,
    DNN_ENGINECFG_ENGINE = 300,
    DNN_PLAN_HANDLE = 400,
    DNN_PLAN_ENGINECFG = 401,
    DNN_PLAN_WORKSPACE_SIZE = 402,
    DNN_PLAN_DEVICEPROP = 407,
    DNN_FORWARD_ALPHA = 700,
    DNN_FORWARD_BETA = 701,
    DNN_FORWARD_CONV = 702,
    DNN_FORWARD_W = 703,
    DNN_FORWARD_X = 704,
    DNN_FORWARD_Y = 705,
    DNN_BWD_DATA_ALPHA = 706,
    DNN_BWD_DATA_BETA = 707,
    DNN_BWD_DATA_CONV = 708,
    DNN_BWD_DATA_W = 709,
    DNN_BWD_DATA_DX = 710,
    DNN_BWD_DATA_DY = 711,
    DNN_BWD_FILTER_ALPHA = 712,
    DNN_BWD_FILTER_BETA = 713,
    DNN_BWD_FILTER_CONV = 714,
    DNN_BWD_FILTER_DW = 715,
    DNN_BWD_FILTER_X = 716,
    DNN_BWD_FILTER_DY = 717,
    DNN_OP_POINTWISE_DESC = 750,
    DNN_OP_POINTWISE_X = 751,
    DNN_OP_POINTWISE_B = 752,
    DNN_OP_POINTWISE_Y = 753,
    DNN_OP_POINTWISE_DX = 756,
    DNN_OP_POINTWISE_DY = 757,
    DNN_OP_GENSTATS_MODE = 770,
    DNN_OP_GENSTATS_MATH_PREC = 771,
    DNN_OP_GENSTATS_X = 772,
    DNN_OP_GENSTATS_SUM = 773,
    DNN_OP_GENSTATS_SQSUM = 774,
    DNN_GRAPH_HANDLE = 800,
    DNN_GRAPH_OPS = 801,
    DNN_TENSOR_ALIGNMENT = 900,
    DNN_TENSOR_DATA_TYPE = 901,
    DNN_TENSOR_DIMENSIONS = 902,
    DNN_TENSOR_STRIDES = 903,
    DNN_TENSOR_UNIQUE_ID = 906,
    DNN_TENSOR_IS_VIRTUAL = 907,
    DNN_PACK_UNIQUE_IDS = 1000,
    DNN_PACK_DATA_POINTERS = 1001,
    DNN_PACK_WORKSPACE = 1003,
    DNN_ENGINE_NUMERICAL_NOTE = 1303,
    DNN_BN_BWD_WEIGHTS_MATH_PREC = 1620,
    DNN_BN_BWD_WEIGHTS_MEAN = 1621,
    DNN_BN_BWD_WEIGHTS_INVSTD = 1622,
    DNN_BN_BWD_WEIGHTS_SCALE = 1623,
    DNN_BN_BWD_WEIGHTS_X = 1624,
    DNN_BN_BWD_WEIGHTS_DY = 1625,
    DNN_BN_BWD_WEIGHTS_DSCALE = 1626,
    DNN_BN_BWD_WEIGHTS_DBIAS = 1627,
    DNN_BN_BWD_WEIGHTS_EQ_DY = 1628,
    DNN_BN_BWD_WEIGHTS_EQ_X = 1629,
    DNN_BN_BWD_WEIGHTS_EQ_BIAS = 1630,
    DNN_DEVICEPROP_JSON = 2702,
};

struct cudnn {
    size_t (*version)(void);
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*set_stream)(void *handle, void *stream);
    int (*make)(int type, void **desc);
    int (*drop)(void *desc);
    int (*finalize)(void *desc);
    int (*set)(void *desc, int name, int type, int64_t count, const void *p);
    int (*get)(void *desc, int name, int type, int64_t room, int64_t *count, void *p);
    int (*execute)(void *handle, void *plan, void *pack);
};

/* ---- both ---- */

/* What is there and new enough.  A library whose version() is NULL is not.  */
struct vendor {
    struct cublaslt lt;
    struct cudnn dnn;
};

/* Fill V with what the machine has.  */
void vendor_open(struct vendor *v);

#endif
