/* onnx_front.c -- see onnx_front.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_front.h"

#include <string.h>

#include "base/err.h"
#include "format/onnx_build.h"
#include "format/preprocess.h"
#include "graph/graph.h"

static const int64_t perm[] = {0, 3, 1, 2};
static const int64_t turned[] = {2, 1, 0};

struct shape onnx_front_shape(const struct shape *s)
{
    return (struct shape){.rank = 4,
                          .batch = s->batch,
                          .dim = {s->dim[0], s->dim[2], s->dim[3], s->dim[1]}};
}

/* ---- writing ---- */

/* One number a channel.  */
static const char *by_channel(struct onnx_build *b, const struct node *n,
                              const float *v, int channels)
{
    const struct shape s = {.rank = 4, .dim = {1, channels, 1, 1}};

    return onnx_const_data(b, n, &s, v);
}

void onnx_front_write(struct onnx_build *b, const struct preprocess *p,
                      const char *to)
{
    const struct node n = {.name = "image"}; /* stem of the names */
    const int half = b->half;
    const char *x = ONNX_FRONT, *y;

    b->half = 0;
    y = onnx_temp(b, &n);
    onnx_set_int(b, onnx_op(b, "Cast", &x, 1, y), "to",
                 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    x = onnx_temp(b, &n);
    onnx_set_ints(b, onnx_op(b, "Transpose", &y, 1, x), "perm", perm, 4);
    if (p->bgr) {
        const char *in[] = {x, onnx_const_ints(b, &n, turned, 3)};

        x = onnx_temp(b, &n);
        onnx_set_int(b, onnx_op(b, "Gather", in, 2, x), "axis", 1);
    }
    x = onnx_op2(b, &n, "Div", x, onnx_const_real(b, &n, 255), NULL);
    x = onnx_op2(b, &n, "Sub", x, by_channel(b, &n, p->mean, p->channels),
                 NULL);
    onnx_op2(b, &n, "Div", x, by_channel(b, &n, p->std, p->channels), to);
    b->half = half;
}

/* ---- reading ---- */

static int has_ints(const Onnx__NodeProto *o, const char *name,
                    const int64_t *v, size_t n)
{
    for (size_t i = 0; i < o->n_attribute; i++) {
        const Onnx__AttributeProto *a = o->attribute[i];

        if (a->name && !strcmp(a->name, name))
            return a->n_ints == n ? !memcmp(a->ints, v, n * sizeof *v)
                                  : !a->n_ints && n == 1 && a->i == *v;
    }
    return 0;
}

/* The initialiser NAME of type TYPE with BYTES bytes; NULL.  */
static const void *constant(const Onnx__GraphProto *g, const char *name,
                            int type, size_t bytes)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];

        if (t->name && !strcmp(t->name, name))
            return t->data_type == type && t->raw_data.len == bytes
                       ? t->raw_data.data
                       : NULL;
    }
    return NULL;
}

/* The chain of operators, each of which reads the one before.  */
struct chain {
    const Onnx__GraphProto *g;
    size_t at;
    const char *x;
};

/* The next one is TYPE, with a second operand or not.  */
static const Onnx__NodeProto *next(struct chain *c, const char *type, size_t n)
{
    const Onnx__NodeProto *o = c->at < c->g->n_node ? c->g->node[c->at] : NULL;

    if (!o || !o->op_type || strcmp(o->op_type, type) != 0 ||
        o->n_output != 1 || o->n_input != n || strcmp(o->input[0], c->x) != 0)
        return NULL;
    c->at++;
    c->x = o->output[0];
    return o;
}

/* V becomes the N numbers of the second operand of a TYPE.  */
static int next_numbers(struct chain *c, const char *type, float *v, int n)
{
    const Onnx__NodeProto *o = next(c, type, 2);
    const size_t bytes = (size_t)n * sizeof *v;
    const void *p = o ? constant(c->g, o->input[1],
                                 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, bytes)
                      : NULL;

    if (p)
        memcpy(v, p, bytes);
    return p != NULL;
}

/* The input is u8 of four sizes, the last of which are [H,W,C].  */
static int read_input(const Onnx__GraphProto *g, int64_t dim[3])
{
    const Onnx__ValueInfoProto *v = g->n_input == 1 ? g->input[0] : NULL;
    const Onnx__TypeProto__Tensor *t =
        v && v->name && !strcmp(v->name, ONNX_FRONT) && v->type
            ? v->type->tensor_type
            : NULL;

    if (!t || t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ||
        !t->shape || t->shape->n_dim != 4)
        return 0;
    for (size_t i = 1; i < 4; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];

        if (d->value_case !=
                ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ||
            d->dim_value < 1 || d->dim_value > INT32_MAX)
            return 0;
        dim[i - 1] = d->dim_value;
    }
    return dim[2] == 1 || dim[2] == 3;
}

/* The last operator of the front, NULL where there is none.  */
static Onnx__NodeProto *front(const Onnx__GraphProto *g, struct preprocess *p)
{
    static const int64_t to = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, axis = 1;
    struct chain c = {g, 0, ONNX_FRONT};
    const Onnx__NodeProto *o;
    int64_t dim[3];
    float most;

    if (!read_input(g, dim) || !(o = next(&c, "Cast", 1)) ||
        !has_ints(o, "to", &to, 1) || !(o = next(&c, "Transpose", 1)) ||
        !has_ints(o, "perm", perm, 4))
        return NULL;
    p->channels = (int)dim[2];
    p->size[0] = (int)dim[0];
    p->size[1] = (int)dim[1];
    p->bgr = 0;
    if ((o = next(&c, "Gather", 2))) {
        const void *order =
            constant(g, o->input[1], ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                     sizeof turned);

        if (!order || memcmp(order, turned, sizeof turned) != 0 ||
            !has_ints(o, "axis", &axis, 1) || p->channels != 3)
            return NULL;
        p->bgr = 1;
    }
    if (!next_numbers(&c, "Div", &most, 1) || most != 255 ||
        !next_numbers(&c, "Sub", p->mean, p->channels) ||
        !next_numbers(&c, "Div", p->std, p->channels) ||
        strcmp(c.x, "image") != 0)
        return NULL;
    return g->node[c.at - 1];
}

int onnx_front_read(const Onnx__ModelProto *m, struct preprocess *p)
{
    struct preprocess own = {0};

    return m->graph && front(m->graph, p ? p : &own) != NULL;
}

/* Input and result swap their names; strings stay the reader's to free.  */
void onnx_front_off(Onnx__ModelProto *m)
{
    struct preprocess own = {0};
    Onnx__NodeProto *last = m->graph ? front(m->graph, &own) : NULL;

    if (!last)
        return;
    Onnx__ValueInfoProto *v = m->graph->input[0];
    Onnx__TensorShapeProto__Dimension **d = v->type->tensor_type->shape->dim;
    Onnx__TensorShapeProto__Dimension *channels = d[3];
    char *name = v->name;

    v->name = last->output[0];
    last->output[0] = name;
    v->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    d[3] = d[2];
    d[2] = d[1];
    d[1] = channels;
}
