/* onnx_read_layers.c -- operators that compute: layers, pooling, softmax.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"

static const int64_t zeros[4] = {0}, ones[2] = {1, 1};

/* ---- windows ---- */

struct window_attrs {
    int64_t kernel[2], stride[2], dilation[2], pad[4];
    int64_t in[2];
};

static int64_t span(const struct window_attrs *w, int d)
{
    return w->dilation[d] * (w->kernel[d] - 1) + 1;
}

/* auto_pad: as many places as the stride goes into the input, what is odd in
 * front or behind.  */
static void pad_same(struct window_attrs *w, int lower)
{
    for (int d = 0; d < 2; d++) {
        const int64_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
        int64_t all = (out - 1) * w->stride[d] + span(w, d) - w->in[d];

        all = all > 0 ? all : 0;
        w->pad[d] = (all + lower) / 2;
        w->pad[2 + d] = all - w->pad[d];
    }
}

static int in_range(const int64_t *v, int n, int64_t min)
{
    for (int i = 0; i < n; i++)
        if (v[i] < min || v[i] > INT32_MAX)
            return 0;
    return 1;
}

/* The attributes of O over X [N,C,H,W]; KERNEL is that of the weight, if there
 * is one.  */
static int read_window(const onode *o, const struct value *x,
                       const int64_t *kernel, struct window_attrs *w,
                       struct err *e)
{
    const int64_t *k = import_attr_ints(o, "kernel_shape", 2, kernel);
    const int64_t *s = import_attr_ints(o, "strides", 2, ones);
    const int64_t *d = import_attr_ints(o, "dilations", 2, ones);
    const int64_t *p = import_attr_ints(o, "pads", 4, zeros);
    const int upper = import_attr_is(o, "auto_pad", "SAME_UPPER");
    const int lower = import_attr_is(o, "auto_pad", "SAME_LOWER");

    if (x->shape.rank != 4)
        return import_no(o, "the operand is no picture", e);
    if (!k || !s || !d || !p || !in_range(k, 2, 1) || !in_range(s, 2, 1) ||
        !in_range(d, 2, 1) || !in_range(p, 4, 0))
        return import_no(o, "its window is not one of two sizes", e);
    memcpy(w->kernel, k, sizeof w->kernel);
    memcpy(w->stride, s, sizeof w->stride);
    memcpy(w->dilation, d, sizeof w->dilation);
    memcpy(w->pad, import_attr_is(o, "auto_pad", "VALID") ? zeros : p,
           sizeof w->pad);
    memcpy(w->in, &x->shape.dim[2], sizeof w->in);
    if (upper || lower)
        pad_same(w, lower);
    return 0;
}

static void set_window(struct import *r, struct attrs *a,
                       const struct window_attrs *w)
{
    import_set_ints(r, a, "kernel", w->kernel, 2);
    import_set_ints(r, a, "stride", w->stride, 2);
    import_set_ints(r, a, "pad", w->pad, 4);
}

/* ---- layers ---- */

int import_conv(struct import *r, const onode *o, const onode *add,
                const char *bias, struct err *e)
{
    struct value *in[3] = {import_value(r, o, 0, VALUE_CONST, e),
                           import_value(r, o, 1, VALUE_PARAM, e)};
    struct attrs a = {.n = 0};
    struct window_attrs w;
    struct node *n;

    if (!in[0] || !in[1])
        return -1;
    if (in[1]->shape.rank != 4)
        return import_no(o, "its weight has no four sizes", e);
    if (import_has(o, 2))
        in[2] = import_value(r, o, 2, VALUE_PARAM, e);
    if (bias)
        in[2] = import_vector(r, bias, in[1]->shape.dim[0], e);
    if (((bias || import_has(o, 2)) && !in[2]) ||
        read_window(o, in[0], &in[1]->shape.dim[2], &w, e) < 0)
        return -1;
    set_window(r, &a, &w);
    import_set_ints(r, &a, "dilation", w.dilation, 2);
    import_set_int(r, &a, "out", in[1]->shape.dim[0]);
    import_set_int(r, &a, "groups", import_attr_int(o, "group", 1));
    import_set(&a, "bias", in[2] ? "yes" : "no");
    o = add ? add : o;
    n = import_add(r, o, "conv2d", in, in[2] ? 3 : 2, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

static int read_conv(struct import *r, const onode *o, struct err *e)
{
    const struct tensor *w = import_const(r, o, 1);

    return w && w->shape.rank == 3 ? import_conv1d(r, o, e)
                                   : import_conv(r, o, NULL, NULL, e);
}

/* DeformConv: X, W, offset, B, mask.  */
static int read_deformconv(struct import *r, const onode *o, struct err *e)
{
    static const size_t from[] = {0, 2, 4, 1, 3};
    struct value *in[5] = {NULL};
    struct attrs a = {.n = 0};
    struct window_attrs w;
    struct node *n;

    for (size_t i = 0; i < COUNT(from); i++)
        if (import_has(o, from[i]) &&
            !(in[i] = import_value(r, o, from[i],
                                   i > 2 ? VALUE_PARAM : VALUE_CONST, e)))
            return -1;
    if (!in[0] || !in[1] || !in[3] || in[3]->shape.rank != 4)
        return import_no(o, "its weight has no four sizes", e);
    if (read_window(o, in[0], &in[3]->shape.dim[2], &w, e) < 0)
        return -1;
    set_window(r, &a, &w);
    import_set_ints(r, &a, "dilation", w.dilation, 2);
    import_set_int(r, &a, "out", in[3]->shape.dim[0]);
    import_set_int(r, &a, "groups", import_attr_int(o, "group", 1));
    import_set_int(r, &a, "offset_groups",
                   import_attr_int(o, "offset_group", 1));
    import_set(&a, "mask", in[2] ? "yes" : "no");
    import_set(&a, "bias", in[4] ? "yes" : "no");
    n = import_add(r, o, "deformconv2d", in, 5, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

/* One slope, or one a channel, [C,1,1] along the second axis.  */
static int read_prelu(struct import *r, const onode *o, struct err *e)
{
    struct value *in[] = {import_value(r, o, 0, VALUE_CONST, e), NULL};
    const struct tensor *w = import_const(r, o, 1);
    const int64_t n = w ? tensor_count(w) : 0;
    struct attrs a = {.n = 0};
    struct node *y;

    if (!in[0] || !w || !n)
        return import_no(o, "its slopes are no constants", e);
    int axis = in[0]->shape.rank - w->shape.rank;

    while (axis >= 0 && n > 1 && axis < in[0]->shape.rank &&
           w->shape.dim[axis - in[0]->shape.rank + w->shape.rank] == 1)
        axis++;
    if (n > 1 && (axis < 0 || in[0]->shape.dim[axis] != n))
        return import_no(o, "its slopes are not those of one axis", e);
    if (n > 1) {
        import_set(&a, "per_channel", "yes");
        import_set_int(r, &a, "axis", axis);
    }
    in[1] = import_vector(r, o->input[1], n, e);
    y = in[1] ? import_add(r, o, "prelu", in, 2, &a, e) : NULL;
    return y ? import_results(r, o, y, e) : -1;
}

/* A weight that an exporter has turned and renamed is called as its bias is:
 * fc.bias, fc.weight.  */
static const char *weight_name(struct import *r, const char *name,
                               const char *bias)
{
    const size_t n = bias ? strlen(bias) : 0;

    if (n < 6 || strcmp(bias + n - 5, ".bias") != 0 || strstr(name, ".weight"))
        return name;
    return arena_printf(&r->g->arena, "%.*s.weight", (int)n - 5, bias);
}

/* Operand 1 [ROWS,COLS] as [COLS,ROWS] if TURN, times SCALE; a parameter of
 * the graph, whose BIAS may be NULL.  */
static struct value *weight(struct import *r, const onode *o, int turn,
                            float scale, const char *bias, struct err *e)
{
    const struct tensor *w = import_const(r, o, 1);
    struct shape s = {.rank = 2};
    struct tensor f = {0}, t;
    struct value *v;

    if (!turn && scale == 1)
        return import_value(r, o, 1, VALUE_PARAM, e);
    if (!w && scale == 1 && (v = import_value(r, o, 1, VALUE_PARAM, e)))
        return v->shape.rank == 2 ? import_turn(r, o, v, (int64_t[]){1, 0}, e)
                                  : NULL;
    if (!w || w->shape.rank != 2 || tensor_convert(&f, w, DTYPE_F32, e) < 0)
        return NULL;
    const int64_t rows = w->shape.dim[0], cols = w->shape.dim[1];

    s.dim[0] = turn ? cols : rows;
    s.dim[1] = turn ? rows : cols;
    if (import_spend(r, o, (int64_t)tensor_bytes(&f), e) < 0 ||
        tensor_new(&t, DTYPE_F32, &s, e) < 0) {
        tensor_unref(&f);
        return NULL;
    }
    for (int64_t k = 0; k < rows * cols; k++)
        ((float *)t.data)[turn ? k % cols * rows + k / cols : k] =
            scale * ((const float *)f.data)[k];
    v = import_tensor(r, weight_name(r, o->input[1], bias), VALUE_PARAM, &t);
    tensor_unref(&t);
    tensor_unref(&f);
    return v;
}

/* The bias of operand I, as [K], times SCALE.  */
static struct value *bias(struct import *r, const onode *o, size_t i, int64_t k,
                          float scale, struct err *e)
{
    const struct tensor *c = import_const(r, o, i);
    const int64_t n = c ? tensor_count(c) : 0;
    const struct shape s = {.rank = 1, .dim = {k}};
    struct tensor t, f;
    struct value *v;

    if (!c || (n != k && n != 1) ||
        (n == k && k > 1 && c->shape.rank &&
         c->shape.dim[c->shape.rank - 1] != k)) {
        import_no(o, "its third operand is no bias", e);
        return NULL;
    }
    if (scale == 1 && n == k && c->shape.rank == 1)
        return import_value(r, o, i, VALUE_PARAM, e);
    if (import_spend(r, o, k * 4, e) < 0 ||
        tensor_convert(&f, c, DTYPE_F32, e) < 0)
        return NULL;
    if (tensor_new(&t, DTYPE_F32, &s, e) < 0) {
        tensor_unref(&f);
        return NULL;
    }
    for (int64_t j = 0; j < k; j++)
        ((float *)t.data)[j] = scale * ((const float *)f.data)[n == 1 ? 0 : j];
    v = import_tensor(r, o->input[i], VALUE_PARAM, &t);
    tensor_unref(&t);
    tensor_unref(&f);
    return v;
}

static int add_linear(struct import *r, const onode *o, struct value *x,
                      struct value *w, struct value *b, struct err *e)
{
    struct value *in[] = {x, w, b};
    struct attrs a = {.n = 0};
    struct node *n;

    import_set_int(r, &a, "out", w->shape.dim[0]);
    import_set(&a, "bias", b ? "yes" : "no");
    n = import_add(r, o, "linear", in, b ? 3 : 2, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

static int read_gemm(struct import *r, const onode *o, struct err *e)
{
    const float alpha = (float)import_attr_real(o, "alpha", 1);
    const float beta = (float)import_attr_real(o, "beta", 1);
    const int turned = import_attr_int(o, "transB", 0) != 0;
    int merged;
    struct value *x = import_merged(r, o, 0, &merged, e), *w, *b = NULL;

    if (!x)
        return -1;
    if (import_attr_int(o, "transA", 0) || x->shape.rank != 2 + (merged > 0))
        return import_no(o, "its first operand is turned", e);
    w = weight(r, o, !turned, alpha, import_has(o, 2) ? o->input[2] : NULL, e);
    if (!w || w->shape.rank != 2)
        return import_no(o, "its second operand is no weight", e);
    if (import_has(o, 2)) {
        b = import_const(r, o, 2) ? bias(r, o, 2, w->shape.dim[0], beta, e)
                                  : import_value(r, o, 2, VALUE_PARAM, e);
        if (!b)
            return -1;
    }
    if (add_linear(r, o, x, w, b, e) < 0)
        return -1;
    import_set_merged(r, o, merged);
    return 0;
}

/* A weight behind stacks of vectors is a linear layer; ADD, which may be NULL,
 * puts its operand AT to it as the bias.  */
int import_linear(struct import *r, const onode *o, const onode *add, size_t at,
                  struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *w, *b = NULL;

    if (!x)
        return -1;
    w = weight(r, o, 1, 1, add ? add->input[at] : NULL, e);
    if (!w)
        return -1;
    if (add && !(b = bias(r, add, at, w->shape.dim[0], 1, e)))
        return -1;
    return add_linear(r, add ? add : o, x, w, b, e);
}

static int read_matmul(struct import *r, const onode *o, struct err *e)
{
    const struct tensor *t = import_const(r, o, 1);

    if (!t || t->shape.rank != 2 || import_const(r, o, 0))
        return import_as(r, o, "matmul", 2, NULL, e);
    return import_linear(r, o, NULL, 0, e);
}

/* ---- pooling ---- */

/* Pooling pads by at most half a window here.  What is more is the overhang of
 * ceil_mode, as other files write it.  */
static int overhang(struct window_attrs *w)
{
    int over = 0;

    for (int d = 0; d < 2; d++)
        if (2 * w->pad[2 + d] > w->kernel[d]) {
            w->pad[2 + d] = w->pad[d];
            over = 1;
        }
    return over;
}

static int64_t places(const struct window_attrs *w, int d)
{
    return (w->in[d] + w->pad[d] + w->pad[2 + d] - span(w, d)) / w->stride[d] +
           1;
}

/* O by OP, whose count of places must be that of the file.  */
static int read_pool(struct import *r, const onode *o, const char *op,
                     struct attrs *a, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *y;
    const int ceil_mode = import_attr_int(o, "ceil_mode", 0) != 0;
    struct window_attrs w;

    if (!x || read_window(o, x, NULL, &w, e) < 0)
        return -1;
    if (memcmp(w.dilation, ones, sizeof ones) != 0 ||
        import_attr_int(o, "storage_order", 0))
        return import_no(o, "not in a form that is read", e);
    const int64_t want[] = {places(&w, 0), places(&w, 1)};
    const int over = overhang(&w);

    if (over && import_attr_int(o, "count_include_pad", 0))
        return import_no(o, "its padding is more than half of its window", e);
    set_window(r, a, &w);
    import_set(a, "ceil_mode", over || ceil_mode ? "yes" : "no");
    y = import_add1(r, o, op, x, a, e);
    if (!y)
        return -1;
    if (!ceil_mode && memcmp(want, &y->shape.dim[2], sizeof want) != 0)
        return import_no(o, "its padding is more than half of its window", e);
    return import_results(r, o, y->node, e);
}

static int read_maxpool(struct import *r, const onode *o, struct err *e)
{
    struct attrs a = {.n = 0};

    return read_pool(r, o, "maxpool2d", &a, e);
}

static int read_avgpool(struct import *r, const onode *o, struct err *e)
{
    struct attrs a = {.n = 0};

    import_set(&a, "count_include_pad",
               import_attr_int(o, "count_include_pad", 0) ? "yes" : "no");
    return read_pool(r, o, "avgpool2d", &a, e);
}

static int read_globalavgpool(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);

    if (!x || x->shape.rank != 4)
        return import_no(o, "the operand is no picture", e);
    return import_global_mean(r, o, x, 1, e);
}

static int read_globalmaxpool(struct import *r, const onode *o, struct err *e)
{
    struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    struct attrs a = {.n = 0};

    if (!x || x->shape.rank != 4)
        return import_no(o, "the operand is no picture", e);
    import_set_ints(r, &a, "kernel", &x->shape.dim[2], 2);
    return import_as(r, o, "maxpool2d", 1, &a, e);
}

/* ---- softmax, layer normalisation ---- */

/* Before operator set 13 the axes from the given one on were one.  */
static int read_softmax(struct import *r, const onode *o, struct err *e)
{
    const char *op = !strcmp(o->op_type, "Softmax") ? "softmax" : "logsoftmax";
    struct value *x = import_value(r, o, 0, VALUE_CONST, e), *y;
    const int old = r->opset < 13, rank = x ? x->shape.rank : 0;
    const int axis =
        import_axis(import_attr_int(o, "axis", old ? 1 : -1), rank);
    struct attrs a = {.n = 0};
    struct shape s;

    if (!x || axis < 0 || !op_find(op))
        return import_no(o, "not in a form that is read", e);
    s = x->shape;
    if (old && axis < rank - 1) {
        s.rank = axis + 1;
        s.batch &= (uint8_t)((1 << s.rank) - 1);
        for (int i = axis + 1; i < rank; i++)
            s.dim[axis] *= x->shape.dim[i];
    }
    import_set_int(r, &a, "axis", axis);
    y = import_view(r, o, x, &s, e);
    y = y ? import_add1(r, o, op, y, &a, e) : NULL;
    y = y ? import_view(r, o, y, &x->shape, e) : NULL;
    return y ? import_put(r, o, 0, y, e) : -1;
}

/* Ours scales and shifts, or neither.  */
static int read_layernorm(struct import *r, const onode *o, struct err *e)
{
    struct value *in[3] = {import_value(r, o, 0, VALUE_CONST, e),
                           import_value(r, o, 1, VALUE_PARAM, e)};
    const int rank = in[0] ? in[0]->shape.rank : 0;
    const int axis = import_axis(import_attr_int(o, "axis", -1), rank);
    struct attrs a = {.n = 0};
    struct node *n;

    if (!in[0] || !in[1])
        return -1;
    if (axis != rank - 1)
        return import_no(o, "more than the last axis is normalised", e);
    in[2] = import_has(o, 2)
                ? import_value(r, o, 2, VALUE_PARAM, e)
                : import_fill(
                      r, arena_printf(&r->g->arena, "%s.bias", o->output[0]),
                      VALUE_PARAM, &in[1]->shape, 0, e);
    import_set_int(r, &a, "axis", axis);
    import_set_real(r, &a, "eps", import_attr_real(o, "epsilon", 1e-5));
    n = in[2] ? import_add(r, o, "layernorm", in, 3, &a, e) : NULL;
    return n ? import_results(r, o, n, e) : -1;
}

const struct import_op import_layers[] = {
    {"AveragePool", 1, 1, read_avgpool},
    {"Conv", 2, 3, read_conv},
    {"DeformConv", 3, 5, read_deformconv},
    {"Gemm", 2, 3, read_gemm},
    {"GlobalAveragePool", 1, 1, read_globalavgpool},
    {"GlobalMaxPool", 1, 1, read_globalmaxpool},
    {"LayerNormalization", 2, 3, read_layernorm},
    {"LogSoftmax", 1, 1, read_softmax},
    {"MatMul", 2, 2, read_matmul},
    {"MaxPool", 1, 1, read_maxpool, .moves = 1},
    {"PRelu", 2, 2, read_prelu},
    {"Softmax", 1, 1, read_softmax},
    {0},
};
