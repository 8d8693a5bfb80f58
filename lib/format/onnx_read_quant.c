/* onnx_read_quant.c -- 8 bits: pairs of QuantizeLinear and DequantizeLinear,
 * and operators that have the pairs inside.
 * SPDX-License-Identifier: MIT
 *
 * QLinearConv and its like become what they stand for: the operands in
 * floating point, the float op, the result in 8 bits.  Whoever runs the graph
 * finds the 8 bits between the pairs again.  Those of the domain com.microsoft
 * are what ONNX Runtime's quantiser writes.  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"

/* ---- the pairs ---- */

/* X by SCALE and ZERO, which may be NULL: zeros of X's type, or of u8.  */
static struct value *pair(struct import *r, const onode *o, const char *op,
                          struct value *x, struct value *scale,
                          struct value *zero, int64_t axis, struct err *e)
{
    const int to = !strcmp(op, "quantize");
    struct value *in[] = {x, scale, zero};
    struct attrs a = {.n = 0};
    struct tensor t;
    struct node *n;

    if (!x || !scale)
        return NULL;
    if (!zero) { /* ours always has one */
        if (tensor_new(&t, to ? DTYPE_U8 : x->dtype, &scale->shape, e) < 0)
            return NULL;
        in[2] = import_tensor(
            r, arena_printf(&r->g->arena, "%s.zero_point", o->output[0]),
            VALUE_CONST, &t);
        tensor_unref(&t);
    }
    axis += axis < 0 ? x->shape.rank : 0;
    import_set_int(r, &a, "axis", axis);
    if (to)
        import_set(&a, "dtype", dtype_name(in[2]->dtype));
    n = import_add(r, o, op, in, 3, &a, e);
    return n ? n->out[0] : NULL;
}

static int read_pair(struct import *r, const onode *o, const char *op,
                     struct err *e)
{
    struct value *in[3] = {NULL}, *y;

    for (size_t i = 0; i < 3; i++)
        if ((i < 2 || import_has(o, i)) &&
            !(in[i] = import_value(r, o, i, VALUE_CONST, e)))
            return -1;
    if (import_attr_int(o, "block_size", 0))
        return import_no(o, "scales of blocks are not read", e);
    y = pair(r, o, op, in[0], in[1], in[2], import_attr_int(o, "axis", 1), e);
    return y ? import_put(r, o, 0, y, e) : -1;
}

static int read_quantize(struct import *r, const onode *o, struct err *e)
{
    return read_pair(r, o, "quantize", e);
}

static int read_dequantize(struct import *r, const onode *o, struct err *e)
{
    return read_pair(r, o, "dequantize", e);
}

/* ---- operators with pairs inside ---- */

/* Operand AT with scale and zero point behind it, in floating point.  */
static struct value *floats(struct import *r, const onode *o, size_t at,
                            int64_t axis, struct err *e)
{
    struct value *x = import_value(r, o, at, VALUE_CONST, e);
    struct value *scale = x ? import_value(r, o, at + 1, VALUE_CONST, e) : NULL;
    struct value *zero = scale && import_has(o, at + 2)
                             ? import_value(r, o, at + 2, VALUE_CONST, e)
                             : NULL;

    return e->code ? NULL : pair(r, o, "dequantize", x, scale, zero, axis, e);
}

/* Result 0 is Y in 8 bits, by the scale at operand AT and what follows.  */
static int bits(struct import *r, const onode *o, size_t at, struct value *y,
                struct err *e)
{
    struct value *scale = y ? import_value(r, o, at, VALUE_CONST, e) : NULL;
    struct value *zero = scale && import_has(o, at + 1)
                             ? import_value(r, o, at + 1, VALUE_CONST, e)
                             : NULL;

    y = e->code ? NULL : pair(r, o, "quantize", y, scale, zero, 1, e);
    return y ? import_put(r, o, 0, y, e) : -1;
}

/* An operator like O over values of the graph, under names of their own; its
 * result.  */
static struct value *inside(struct import *r, const onode *o, const char *type,
                            struct value *const *in, size_t n, struct err *e)
{
    char *names[4], *out[1];
    onode f = *o;
    const struct import_op *op;
    struct slot *s;

    f.op_type = (char *)(uintptr_t)type;
    f.domain = NULL;
    f.input = names;
    f.n_input = n;
    f.output = out;
    f.n_output = 1;
    for (size_t i = 0; i < n; i++) {
        names[i] = arena_printf(&r->g->arena, "%s\n%zu", o->output[0], i);
        if (!(s = import_new(r, names[i], e)))
            return NULL;
        s->v = in[i];
    }
    out[0] = arena_printf(&r->g->arena, "%s\nfloat", o->output[0]);
    op = import_op_find(&f);
    if (op ? op->read(r, &f, e) < 0 : import_row(r, &f, e) <= 0) {
        import_no(o, "not in a form that is read", e);
        return NULL;
    }
    s = import_find(r, out[0]);
    return s ? s->v : NULL;
}

/* The bias of 32 bits counts products of the scales of x and w.  */
static struct value *sum_bias(struct import *r, const onode *o, size_t at,
                              size_t x_scale, size_t w_scale, struct err *e)
{
    struct value *b = import_value(r, o, at, VALUE_CONST, e), *v;
    const struct tensor *x = import_const(r, o, x_scale);
    const struct tensor *w = import_const(r, o, w_scale);
    struct tensor t;

    if (!b || !x || !w || x->dtype != DTYPE_F32 || w->dtype != DTYPE_F32 ||
        tensor_count(x) != 1 || w->shape.rank > 1)
        return NULL;
    if (tensor_convert(&t, w, DTYPE_F32, e) < 0)
        return NULL;
    for (int64_t i = 0; i < tensor_count(&t); i++)
        ((float *)t.data)[i] *= *(const float *)x->data;
    v = import_tensor(r, arena_printf(&r->g->arena, "%s.scale", o->input[at]),
                      VALUE_CONST, &t);
    tensor_unref(&t);
    return pair(r, o, "dequantize", b, v, NULL, 0, e);
}

static int read_qconv(struct import *r, const onode *o, struct err *e)
{
    struct value *in[3] = {floats(r, o, 0, 1, e)};

    in[1] = in[0] ? floats(r, o, 3, 0, e) : NULL;
    if (in[1] && import_has(o, 8) && !(in[2] = sum_bias(r, o, 8, 1, 4, e)))
        return import_no(o, "its bias is not read", e);
    if (!in[1])
        return -1;
    return bits(r, o, 6, inside(r, o, "Conv", in, in[2] ? 3 : 2, e), e);
}

static int read_qmatmul(struct import *r, const onode *o, struct err *e)
{
    struct value *in[2] = {floats(r, o, 0, 1, e)};

    in[1] = in[0] ? floats(r, o, 3, 1, e) : NULL;
    return in[1] ? bits(r, o, 6, inside(r, o, "MatMul", in, 2, e), e) : -1;
}

/* a, b, a bias of 32 bits, and scales of the result if it is of 8.  */
static int read_qgemm(struct import *r, const onode *o, struct err *e)
{
    struct value *in[3] = {floats(r, o, 0, 1, e)}, *y;
    const int64_t axis = import_attr_int(o, "transB", 0) ? 0 : 1;

    in[1] = in[0] ? floats(r, o, 3, axis, e) : NULL;
    if (in[1] && import_has(o, 6) && !(in[2] = sum_bias(r, o, 6, 1, 4, e)))
        return import_no(o, "its bias is not read", e);
    y = in[1] ? inside(r, o, "Gemm", in, in[2] ? 3 : 2, e) : NULL;
    if (!y)
        return -1;
    return import_has(o, 7) ? bits(r, o, 7, y, e) : import_put(r, o, 0, y, e);
}

static int two(struct import *r, const onode *o, const char *type,
               struct err *e)
{
    struct value *in[2] = {floats(r, o, 0, 1, e)};

    in[1] = in[0] ? floats(r, o, 3, 1, e) : NULL;
    return in[1] ? bits(r, o, 6, inside(r, o, type, in, 2, e), e) : -1;
}

static int read_qadd(struct import *r, const onode *o, struct err *e)
{
    return two(r, o, "Add", e);
}

static int read_qmul(struct import *r, const onode *o, struct err *e)
{
    return two(r, o, "Mul", e);
}

static int one(struct import *r, const onode *o, const char *type,
               struct err *e)
{
    struct value *x = floats(r, o, 0, 1, e);

    return x ? bits(r, o, 3, inside(r, o, type, &x, 1, e), e) : -1;
}

static int read_qpool(struct import *r, const onode *o, struct err *e)
{
    if (import_attr_int(o, "channels_last", 0))
        return import_no(o, "channels are last", e);
    return one(r, o, "GlobalAveragePool", e);
}

static int read_qaverage(struct import *r, const onode *o, struct err *e)
{
    if (import_attr_int(o, "channels_last", 0))
        return import_no(o, "channels are last", e);
    return one(r, o, "AveragePool", e);
}

static int read_qsoftmax(struct import *r, const onode *o, struct err *e)
{
    if (import_attr_int(o, "opset", 13) < 13)
        return import_no(o, "in the form before operator set 13", e);
    return one(r, o, "Softmax", e);
}

static int read_qsigmoid(struct import *r, const onode *o, struct err *e)
{
    return one(r, o, "Sigmoid", e);
}

static int read_qleakyrelu(struct import *r, const onode *o, struct err *e)
{
    return one(r, o, "LeakyRelu", e);
}

/* Scale and zero point of the result, then three operands for each part.  */
static int read_qconcat(struct import *r, const onode *o, struct err *e)
{
    const int n = ((int)o->n_input - 2) / 3;
    struct value **in = ARENA_NEWS(&r->g->arena, n + 1, struct value *);

    if (n < 1 || (int)o->n_input != 3 * n + 2)
        return import_no(o, "not the usual number of operands", e);
    for (int i = 0; i < n; i++)
        if (!(in[i] = floats(r, o, (size_t)(2 + 3 * i), 1, e)))
            return -1;
    return bits(r, o, 0, import_join(r, o, in, n, e), e);
}

/* ---- operators that move numbers of 8 bits ---- */

/* The step into 8 bits that V is the result of, by one scale; or NULL.  */
static const struct node *step_of(const struct value *v)
{
    const struct node *n = v ? v->node : NULL;

    return n && node_is(n, "quantize") && n->in[1]->data.data &&
                   tensor_count(&n->in[1]->data) == 1
               ? n
               : NULL;
}

int import_eight(struct import *r, const onode *o, const struct import_op *op,
                 struct err *e)
{
    const struct slot *s =
        import_has(o, 0) ? import_find(r, o->input[0]) : NULL;
    const struct node *n = step_of(s ? s->v : NULL);
    char **names, *out[1];
    struct slot *in;
    struct value *x;
    onode f = *o;

    if (!n || o->n_output != 1)
        return 0;
    x = pair(r, o, "dequantize", n->out[0], n->in[1], n->in[2], 1, e);
    names = ARENA_NEWS(&r->g->arena, o->n_input, char *);
    memcpy(names, o->input, o->n_input * sizeof *names);
    names[0] = arena_printf(&r->g->arena, "%s\n8", o->output[0]);
    out[0] = arena_printf(&r->g->arena, "%s\nfloat", o->output[0]);
    f.input = names;
    f.output = out;
    if (!x || !(in = import_new(r, names[0], e)))
        return -1;
    in->v = x;
    if (op->read(r, &f, e) < 0 || !(s = import_find(r, out[0])) || !s->v)
        return -1;
    x = pair(r, o, "quantize", s->v, n->in[1], n->in[2], 1, e);
    return x && import_put(r, o, 0, x, e) == 0 ? 1 : -1;
}

const struct import_op import_quants[] = {
    {"DequantizeLinear", 2, 3, read_dequantize},
    {"QGemm", 6, 9, read_qgemm},
    {"QLinearAdd", 7, 8, read_qadd},
    {"QLinearAveragePool", 4, 5, read_qaverage},
    {"QLinearConcat", 5, IMPORT_OPERANDS, read_qconcat},
    {"QLinearConv", 8, 9, read_qconv},
    {"QLinearGlobalAveragePool", 4, 5, read_qpool},
    {"QLinearLeakyRelu", 4, 5, read_qleakyrelu},
    {"QLinearMatMul", 8, 8, read_qmatmul},
    {"QLinearMul", 7, 8, read_qmul},
    {"QLinearSigmoid", 4, 5, read_qsigmoid},
    {"QLinearSoftmax", 4, 5, read_qsoftmax},
    {"QuantizeLinear", 2, 3, read_quantize},
    {0},
};
