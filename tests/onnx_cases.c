/* onnx_cases.c -- see onnx_cases.h.
 * SPDX-License-Identifier: MIT  */
#include "onnx_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "format/preprocess.h"
#include "graph/graph.h"
#include "graph_random.h"
#include "op/ops.h"
#include "opcase.h"
#include "pass/pass.h"
#include "pass_check.h"

const struct onnx_case onnx_cases[] = {
    {"adaptiveavgpool2d", "size=[3,2]", "N,3,7,5"},
    {"add", "", "N,3,4 N,3,4 4"},
    {"add", "", "N,3,4 N,1,4"},
    {"affinegrid", "size=[2,3]", "N,2,3"},
    {"affinegrid", "size=[3,1] residual=yes align_corners=yes", "N,2,3"},
    {"attention", "heads=2", "N,5,12"},
    {"attention", "heads=1", "N,1,6"},
    {"attention", "heads=2 bias=yes", "N,5,12 1,2,5,5"},
    {"attention", "heads=1 bias=yes", "4N,3,6 2,1,3,3"},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "N,2,7,6"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 count_include_pad=no", "N,2,7,6"},
    {"avgpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,7,5"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "N,2,6,6"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes count_include_pad=no",
     "N,2,6,6"},
    {"avgpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,8,6"},
    {"batchnorm2d", "", "N,3,4,4"},
    {"batchnorm2d", "affine=no eps=0.01", "N,3,4,4"},
    {"batchnorm2d", "", "N,3"},
    {"channelshuffle", "groups=3", "N,6,2,3"},
    {"classtoken", "", "N,3,4"},
    {"classtoken", "count=2", "N,1,3"},
    {"clip", "min=-0.5 max=0.75", "N,5"},
    {"concat", "", "N,2,3 N,4,3 N,1,3"},
    {"concat", "axis=2", "N,2,3 N,2,4"},
    {"conv2d", "out=4 kernel=3 pad=[0,1,2,1] stride=[2,1] bias=yes", "N,2,7,5"},
    {"conv2d", "out=4 kernel=[1,3] groups=2 dilation=[1,2]", "N,2,7,5"},
    {"deformconv2d", "out=2 kernel=2", "N,2,3,4 N,8,2,3", 19},
    {"deformconv2d",
     "out=2 kernel=3 pad=[1,2,0,1] stride=2 dilation=[1,2] offset_groups=2 "
     "groups=2 mask=yes bias=yes",
     "N,2,5,4 N,36,2,2 N,18,2,2", 19},
    {"div", "", "N,3,4 N,3,1"},
    {"div", "", "4 N,3,4"},
    {"dropout", "", "N,5"},
    {"droppath", "", "N,5"},
    {"elu", "alpha=0.5", "N,9"},
    {"embedding", "rows=5 dim=3", "i64:N,4"},
    {"erf", "", "N,9"},
    {"exp", "", "N,9"},
    {"flatten", "", "N,2,3,4"},
    {"gelu", "", "N,9"},
    {"gelu", "approximate=tanh", "N,9"},
    {"globalavgpool", "", "N,3,4,5"},
    {"gridsample", "", "N,2,3,4 N,2,3,2", 16},
    {"gridsample", "padding=border align_corners=yes", "N,2,3,4 N,2,3,2", 16},
    {"groupnorm", "groups=2", "N,4,3,2"},
    {"groupnorm", "groups=3 affine=no", "N,3,5"},
    {"hardsigmoid", "", "N,9"},
    {"hardtanh", "min=-0.5 max=0.75", "N,9"},
    {"hardswish", "", "N,9"},
    {"identity", "", "N,9"},
    {"instancenorm", "", "N,3,5"},
    {"instancenorm", "affine=yes eps=1e-3", "N,2,3,4"},
    {"l2norm", "", "N,5,3"},
    {"layernorm", "", "N,5,6"},
    {"layernorm", "axis=1", "N,5,3,2"},
    {"layernorm", "affine=no", "N,5,6"},
    {"leakyrelu", "slope=0.1", "N,9"},
    {"linear", "out=4", "N,5"},
    {"linear", "out=4 bias=no", "N,5"},
    {"linear", "out=4", "N,3,5"},
    {"linear", "out=4 bias=no", "N,3,5"},
    {"log", "", "N,9"},
    {"logsoftmax", "axis=1", "N,4,3"},
    {"lrn", "size=3 alpha=0.5 beta=0.6 k=2", "N,4,3,2"},
    {"matmul", "", "N,2,3,4 N,2,4,5"},
    {"max", "", "N,3,4 N,3,1 N,3,4"},
    {"maxpool2d", "kernel=3 stride=2 pad=1", "N,2,7,6"},
    {"maxpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "N,2,6,6"},
    {"maxpool2d", "kernel=2 stride=2 ceil_mode=yes", "N,2,7,5"},
    {"mish", "", "N,9"},
    {"mul", "", "N,3,4 N,3,1 N,3,4"},
    {"oneslike", "", "N,4,2"},
    {"pad", "pad=[1,2,0,3] value=0.5", "N,2,4,5"},
    {"pad", "pad=1 mode=reflect", "N,2,4,5"},
    {"pad", "pad=2 mode=edge", "N,2,4,5"},
    {"padchannels", "to=7", "N,2,3,3"},
    {"padchannels", "to=6 split=no", "N,2,3,3"},
    {"pow", "exponent=3", "N,9"},
    {"pow", "exponent=-1.5", "N,9"},
    {"prelu", "", "N,3,4,2"},
    {"prelu", "per_channel=yes", "N,3,4,2"},
    {"prelu", "per_channel=yes", "N,5"},
    {"reduce", "axes=[2,3]", "N,2,3,4"},
    {"reduce", "axes=1 kind=max", "N,2,3,4"},
    {"reduce", "axes=[1,2] kind=sum keep=no", "N,2,3,4"},
    {"relu", "", "N,9"},
    {"relu6", "", "N,9"},
    {"reshape", "shape=[2,-1,3]", "N,4,6"},
    {"reshape", "shape=[1,6,4]", "N,4,6"},
    {"scale", "", "N,3,2,2"},
    {"scale", "axis=2", "N,3,4"},
    {"select", "index=2", "N,4,3"},
    {"selu", "", "N,9"},
    {"sigmoid", "", "N,9"},
    {"silu", "", "N,9"},
    {"slice", "start=1 length=2", "N,4,3"},
    {"softmax", "", "N,4,3"},
    {"softmax", "axis=1", "N,4,3"},
    {"softplus", "", "N,9"},
    {"softplus", "beta=2", "N,9"},
    {"softsign", "", "N,9"},
    {"split", "sizes=[1,3,2]", "N,6,2"},
    {"sqrt", "", "N,9"},
    {"subsample", "stride=2", "N,2,5,4"},
    {"tanh", "", "N,9"},
    {"tokens", "", "N,3,4,2"},
    {"transpose", "perm=[0,2,1]", "N,4,3"},
    {"upsample", "", "N,2,3,2"},
    {"upsample", "size=[7,2]", "N,2,3,5"},
    {"upsample", "mode=bilinear size=[7,2]", "N,2,3,5"},
    {"upsample", "mode=bilinear size=[7,2] align_corners=yes", "N,2,3,5"},
    {"windowpartition", "grid=[4,6] size=2", "N,24,3"},
    {"windowpartition", "grid=[5,3] size=3 shift=2", "N,15,2"},
    {"windowreverse", "grid=[4,6] size=2 shift=1", "6N,4,3"},
    {"windowreverse", "grid=[5,3] size=3", "2N,9,2"},
    {"zeroslike", "", "N,4,2"},
};

const int onnx_n_cases = COUNT(onnx_cases);

struct graph *onnx_case_graph(const struct onnx_case *c)
{
    struct graph *g = graph_new(c->op);
    struct attr_text attr[OPCASE_MAX];
    struct value *in[OPCASE_MAX];
    const int n_in = opcase_inputs(g, c->in, in, NULL);
    struct err e = {0};
    struct node *n;

    opcase_attrs(g, c->attr, attr);
    n = graph_add(g, op_find(c->op), "op", in, n_in, attr, &e);
    if (!n)
        fail_msg("%s", e.msg);
    for (int i = 0; i < node_op_out(n) - n->op->n_aux; i++)
        graph_output(g, arena_printf(&g->arena, "y%d", i), n->out[i], 0);
    return g;
}

struct graph *onnx_case_pictures(struct preprocess *pre, int c)
{
    struct graph *g = onnx_case_graph(
        &(struct onnx_case){"linear", "out=2", c == 1 ? "N,1,3,4" : "N,3,3,4"});

    graph_random_fill(g, 1);
    value_rename(g, g->value[0], "image");
    preprocess_init(pre, c, 3, 4);
    return g;
}

struct graph *onnx_case_int8(const struct graph *g)
{
    struct err e = {0};
    struct graph *f = pass_fuse_bn(g, &e), *q;
    struct pass_ranges s;

    pass_check_ranges(&s, f, NULL);
    q = pass_quantize(f, &s.o, &e);
    assert_non_null(q);
    graph_free(f);
    return q;
}
