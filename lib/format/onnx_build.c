/* onnx_build.c -- see onnx_build.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_build.h"

#include <string.h>

#include "base/err.h"
#include "graph/graph.h"

static char *text(const char *s)
{
    return (char *)(uintptr_t)s; /* protobuf-c does not write to it */
}

const char *onnx_in(struct onnx_build *b, const struct node *n, int i)
{
    if (!n->in[i])
        return "";
    b->used[n->in[i]->index] = 1;
    return b->name[n->in[i]->index];
}

const char *onnx_out(struct onnx_build *b, const struct node *n, int i)
{
    return b->name[n->out[i]->index];
}

const char *onnx_temp(struct onnx_build *b, const struct node *n)
{
    for (int i = 1;; i++) {
        const char *name = arena_printf(&b->arena, "%s:%d", n->name, i);

        if (name_map_get(&b->names, name) < 0) {
            name_map_put(&b->names, name, 0);
            return name;
        }
    }
}

Onnx__NodeProto *onnx_op(struct onnx_build *b, const char *type,
                         const char *const *in, int n_in, const char *out)
{
    Onnx__NodeProto *op = ARENA_NEW(&b->arena, Onnx__NodeProto);

    onnx__node_proto__init(op);
    op->op_type = text(type);
    op->name = text(out);
    while (n_in && !*in[n_in - 1]) /* absent ones at the end are not listed */
        n_in--;
    op->n_input = (size_t)n_in;
    op->input = ARENA_NEWS(&b->arena, n_in + 1, char *);
    for (int i = 0; i < n_in; i++)
        op->input[i] = text(in[i]);
    op->n_output = 1;
    op->output = ARENA_NEWS(&b->arena, 1, char *);
    op->output[0] = text(out);
    ARRAY_GROW(b->node, b->n_node, b->cap_node);
    b->node[b->n_node++] = op;
    return op;
}

const char *onnx_op1(struct onnx_build *b, const struct node *n,
                     const char *type, const char *x, const char *out)
{
    out = out ? out : onnx_temp(b, n);
    onnx_op(b, type, &x, 1, out);
    return out;
}

const char *onnx_op2(struct onnx_build *b, const struct node *n,
                     const char *type, const char *x, const char *y,
                     const char *out)
{
    out = out ? out : onnx_temp(b, n);
    onnx_op(b, type, (const char *[]){x, y}, 2, out);
    return out;
}

enum { ATTR_MAX = 16 };

static Onnx__AttributeProto *new_attr(struct onnx_build *b, Onnx__NodeProto *op,
                                      const char *name,
                                      Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = ARENA_NEW(&b->arena, Onnx__AttributeProto);

    onnx__attribute_proto__init(a);
    a->name = text(name);
    a->has_type = 1;
    a->type = type;
    if (!op->attribute)
        op->attribute = ARENA_NEWS(&b->arena, ATTR_MAX, Onnx__AttributeProto *);
    if (op->n_attribute == ATTR_MAX)
        BUG("operator '%s' has too many attributes", op->op_type);
    op->attribute[op->n_attribute++] = a;
    return a;
}

void onnx_set_int(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                  int64_t v)
{
    Onnx__AttributeProto *a =
        new_attr(b, op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    a->has_i = 1;
    a->i = v;
}

void onnx_set_ints(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   const int64_t *v, int count)
{
    Onnx__AttributeProto *a =
        new_attr(b, op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    a->n_ints = (size_t)count;
    a->ints = ARENA_NEWS(&b->arena, count ? count : 1, int64_t);
    memcpy(a->ints, v, (size_t)count * sizeof *v);
}

void onnx_set_real(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   double v)
{
    Onnx__AttributeProto *a =
        new_attr(b, op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    a->has_f = 1;
    a->f = (float)v;
}

void onnx_set_text(struct onnx_build *b, Onnx__NodeProto *op, const char *name,
                   const char *v)
{
    Onnx__AttributeProto *a =
        new_attr(b, op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    a->has_s = 1;
    a->s.len = strlen(v);
    a->s.data = (uint8_t *)arena_strdup(&b->arena, v);
}

static const int types[DTYPE_COUNT] = {
    [DTYPE_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    [DTYPE_F16] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
    [DTYPE_BF16] = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
    [DTYPE_I8] = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    [DTYPE_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    [DTYPE_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    [DTYPE_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    [DTYPE_F64] = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    [DTYPE_BOOL] = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
};

int onnx_type(enum dtype dt)
{
    return types[dt];
}

/* N elements of DT at DATA as bytes of the file, in the arena; f32 as f16 where
 * that is asked for.  */
static void put_data(struct onnx_build *b, Onnx__TensorProto *t, enum dtype dt,
                     const void *data, int64_t n)
{
    const enum dtype to = b->half && dt == DTYPE_F32 ? DTYPE_F16 : dt;

    t->has_data_type = 1;
    t->data_type = onnx_type(to);
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)n * dtype_size(to);
    t->raw_data.data = arena_alloc(&b->arena, t->raw_data.len + 1);
    dtype_convert(to, t->raw_data.data, dt, data, n);
}

static const char *add_const(struct onnx_build *b, const struct node *n,
                             enum dtype dt, const struct shape *s,
                             const void *data)
{
    Onnx__TensorProto *t = ARENA_NEW(&b->arena, Onnx__TensorProto);

    onnx__tensor_proto__init(t);
    t->name = text(onnx_temp(b, n));
    t->n_dims = (size_t)s->rank;
    t->dims = ARENA_NEWS(&b->arena, SHAPE_MAX, int64_t);
    memcpy(t->dims, s->dim, (size_t)s->rank * sizeof *t->dims);
    put_data(b, t, dt, data, shape_count(s));
    ARRAY_GROW(b->tensor, b->n_tensor, b->cap_tensor);
    b->tensor[b->n_tensor++] = t;
    return t->name;
}

const char *onnx_const_ints(struct onnx_build *b, const struct node *n,
                            const int64_t *v, int count)
{
    const struct shape s = {.rank = 1, .dim = {count}};

    return add_const(b, n, DTYPE_I64, &s, v);
}

const char *onnx_const_real(struct onnx_build *b, const struct node *n,
                            double v)
{
    const struct shape s = {.rank = 0};
    const float f = (float)v;

    return add_const(b, n, DTYPE_F32, &s, &f);
}

const char *onnx_const_data(struct onnx_build *b, const struct node *n,
                            const struct shape *s, const float *data)
{
    return add_const(b, n, DTYPE_F32, s, data);
}
