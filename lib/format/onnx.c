/* onnx.c -- writing ONNX: see onnx.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/model.h"
#include "format/onnx_build.h"
#include "format/onnx_front.h"
#include "format/preprocess.h"
#include "graph/graph.h"
#include "pass/pass.h"

/* ---- names ---- */

static void take_name(struct onnx_build *b, int value, const char *name)
{
    b->name[value] = name;
    name_map_put(&b->names, name, 0);
}

static void cast(struct onnx_build *b, const char *x, const char *y,
                 Onnx__TensorProto__DataType to)
{
    onnx_set_int(b, onnx_op(b, "Cast", &x, 1, y), "to", to);
}

/* In f16 the network reads a copy.  */
static void name_input(struct onnx_build *b, const struct value *v)
{
    const char *name = v->name;

    if (b->half && v->dtype == DTYPE_F32) {
        name_map_put(&b->names, name, 0);
        name = arena_printf(&b->arena, "%s:f16", name);
    }
    take_name(b, v->index, name);
}

/* What stands between the inputs of the file and what the network reads.  */
static void put_front(struct onnx_build *b, const struct preprocess *front)
{
    const struct graph *g = b->g;

    if (front)
        onnx_front_write(b, front, "image");
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT &&
            strcmp(b->name[i], g->value[i]->name) != 0)
            cast(b, g->value[i]->name, b->name[i],
                 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16);
}

/* Outputs and inputs bear the names by which they are asked for; a value that
 * two outputs want keeps the first.  Other values keep theirs where it is
 * free.  */
static void name_values(struct onnx_build *b)
{
    const struct graph *g = b->g;

    name_map_put(&b->names, ONNX_FRONT, 0);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            name_input(b, g->value[i]);
    for (int i = 0; i < g->n_output; i++) {
        const struct value *v = g->output[i].value;

        if (b->half)
            name_map_put(&b->names, g->output[i].name, 0);
        else if (v->kind == VALUE_NODE && !b->name[v->index] &&
                 name_map_get(&b->names, g->output[i].name) < 0)
            take_name(b, v->index, g->output[i].name);
    }
    for (int i = 0; i < g->n_value; i++) {
        const char *name = g->value[i]->name;

        for (int k = 1; !b->name[i]; k++) {
            if (name_map_get(&b->names, name) < 0)
                take_name(b, i, name);
            name = arena_printf(&b->arena, "%s:%d", g->value[i]->name, k);
        }
    }
}

/* ---- operators ---- */

/* "@2" is operand 2 of the operator, a scalar: 2, else -1.  */
static int operand_of(const char *theirs)
{
    return theirs[0] == '@' ? theirs[1] - '0' : -1;
}

static void set_attr(struct onnx_build *b, Onnx__NodeProto *op,
                     const struct node *n, const char *ours, const char *theirs)
{
    const int i = attr_index(n->op, ours);

    if (ours[0] == '=') {
        int64_t v;

        if (parse_i64(ours + 1, INT64_MIN, INT64_MAX, &v) < 0)
            BUG("op '%s' sets attribute '%s' to '%s'", n->op->name, theirs,
                ours);
        onnx_set_int(b, op, theirs, v);
        return;
    }
    if (i < 0)
        BUG("op '%s' has no attribute '%s'", n->op->name, ours);
    switch (n->op->attr[i].kind) {
    case 'i':
    case 'b':
        onnx_set_int(b, op, theirs, n->attr[i].i);
        break;
    case 'f':
        onnx_set_real(b, op, theirs, n->attr[i].f);
        break;
    case 's':
        onnx_set_text(b, op, theirs, n->attr[i].s);
        break;
    case 'v':
        onnx_set_ints(b, op, theirs, n->attr[i].v, n->attr[i].n);
        break;
    default:
        BUG("attribute '%s' of op '%s' has no form in ONNX", ours, n->op->name);
    }
}

/* Number OURS ("=6" or the name of an attribute) as a scalar operand.  */
static const char *scalar(struct onnx_build *b, const struct node *n,
                          const char *ours)
{
    double v;

    if (ours[0] != '=')
        return onnx_const_real(b, n, attr_real(n, ours));
    if (parse_f64(ours + 1, -1e300, 1e300, &v) < 0)
        BUG("op '%s' has the operand '%s'", n->op->name, ours);
    return onnx_const_real(b, n, v);
}

/* N by the row of its op.  */
static void emit_row(struct onnx_build *b, const struct node *n)
{
    const char *const *pair = n->op->onnx.attrs;
    const char **in = ARENA_NEWS(&b->arena, n->n_in + 10, const char *);
    const int n_res = node_op_out(n) - n->op->n_aux;
    Onnx__NodeProto *op;
    int n_in = n->n_in;

    for (int i = 0; i < n->n_in; i++)
        in[i] = onnx_in(b, n, i);
    for (int k = 0; pair && pair[k]; k += 2) {
        const int at = operand_of(pair[k + 1]);

        if (at < 0)
            continue;
        while (n_in <= at)
            in[n_in++] = "";
        in[at] = scalar(b, n, pair[k]);
    }
    op = onnx_op(b, n->op->onnx.type, in, n_in, onnx_out(b, n, 0));
    op->n_output = (size_t)n_res;
    op->output = ARENA_NEWS(&b->arena, n_res, char *);
    for (int i = 0; i < n_res; i++)
        op->output[i] = (char *)(uintptr_t)onnx_out(b, n, i);
    for (int k = 0; pair && pair[k]; k += 2)
        if (operand_of(pair[k + 1]) < 0)
            set_attr(b, op, n, pair[k], pair[k + 1]);
}

static int emit(struct onnx_build *b, const struct node *n)
{
    int since = 0;
    onnx_lower_fn *lower = onnx_lower_find(n->op->name, &since);
    const int row = n->op->onnx.type && n->op->onnx.since <= b->opset;

    if (n->dir != DIR_FORWARD || n->train)
        return err_set(b->e, ERR_UNSUPPORTED,
                       "'%s' (%s) is a training step: ONNX holds inference",
                       Q(n->name), n->op->name);
    if (lower && since <= b->opset) {
        const int done = lower(b, n);

        if (done)
            return done < 0 ? -1 : 0;
    }
    if (row) {
        emit_row(b, n);
        return 0;
    }
    if (n->op->onnx.type)
        since = n->op->onnx.since;
    if (since > b->opset)
        return err_set(b->e, ERR_UNSUPPORTED,
                       "op '%s' at '%s' needs opset %d, not %lld", n->op->name,
                       Q(n->name), since, (long long)b->opset);
    return err_set(b->e, ERR_UNSUPPORTED,
                   "op '%s' at '%s' cannot be said in ONNX", n->op->name,
                   Q(n->name));
}

/* Rows of later opsets are used only where a lower one has no words.  */
enum { ROW_LIMIT = 17 };

static int64_t lowest_opset(const struct graph *g)
{
    int64_t opset = ONNX_OPSET_FLOOR;

    for (int i = 0; i < g->n_node; i++) {
        const struct op *op = g->node[i]->op;
        int since = 0;
        const int lowered = onnx_lower_find(op->name, &since) != NULL;

        if (op->onnx.type && (op->onnx.since <= ROW_LIMIT || !lowered) &&
            op->onnx.since > since)
            since = op->onnx.since;
        if (since > opset)
            opset = since;
    }
    return opset;
}

/* ---- the parts of the file ---- */

/* From here on a number rounds to infinity in f16.  */
#define HALF_MAX 65520.0f

/* The numbers of V in f16, which must not become infinite.  */
static Onnx__TensorProto *
tensor_half(struct onnx_build *b, Onnx__TensorProto *t, const struct value *v)
{
    const float *p = v->data.data;
    const int64_t n = tensor_count(&v->data);

    for (int64_t i = 0; i < n; i++)
        if (fabsf(p[i]) >= HALF_MAX) {
            err_set(b->e, ERR_UNSUPPORTED,
                    "tensor '%s' holds %g, which is beyond fp16 (65504)",
                    Q(v->name), (double)p[i]);
            return NULL;
        }
    t->has_data_type = 1;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)n * sizeof(uint16_t);
    t->raw_data.data = arena_alloc(&b->arena, t->raw_data.len + 1);
    dtype_convert(DTYPE_F16, t->raw_data.data, DTYPE_F32, p, n);
    return t;
}

static Onnx__TensorProto *tensor(struct onnx_build *b, const struct value *v)
{
    Onnx__TensorProto *t = ARENA_NEW(&b->arena, Onnx__TensorProto);

    if (!v->data.data) {
        err_set(b->e, ERR_USAGE,
                "'%s' has no data; initialise the model with adze-init",
                Q(v->name));
        return NULL;
    }
    onnx__tensor_proto__init(t);
    t->name = (char *)(uintptr_t)b->name[v->index];
    t->n_dims = (size_t)v->shape.rank;
    t->dims = (int64_t *)(uintptr_t)v->shape.dim;
    if (b->half && v->dtype == DTYPE_F32)
        return tensor_half(b, t, v);
    t->has_data_type = 1;
    t->data_type = onnx_type(v->dtype);
    t->has_raw_data = 1;
    t->raw_data.len = tensor_bytes(&v->data);
    t->raw_data.data = v->data.data;
    return t;
}

static int put_tensors(struct onnx_build *b, Onnx__GraphProto *to)
{
    const struct graph *g = b->g;

    to->initializer = ARENA_NEWS(&b->arena, g->n_value + b->n_tensor + 1,
                                 Onnx__TensorProto *);
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];

        if (!b->used[i] || !value_is_tensor(v))
            continue;
        if (!(to->initializer[to->n_initializer++] = tensor(b, v)))
            return -1;
    }
    for (int i = 0; i < b->n_tensor; i++)
        to->initializer[to->n_initializer++] = b->tensor[i];
    return 0;
}

static void put_dim(struct onnx_build *b, Onnx__TensorShapeProto__Dimension *d,
                    const struct shape *s, int i, int64_t batch)
{
    if (s->batch >> i & 1 && !batch) {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = s->dim[i] == 1 ? arena_strdup(&b->arena, "N")
                                      : arena_printf(&b->arena, "%lldN",
                                                     (long long)s->dim[i]);
    } else {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = s->dim[i] * (s->batch >> i & 1 ? batch : 1);
    }
}

static Onnx__ValueInfoProto *value_info(struct onnx_build *b, const char *name,
                                        const struct value *v, int64_t batch)
{
    Onnx__ValueInfoProto *i = ARENA_NEW(&b->arena, Onnx__ValueInfoProto);
    Onnx__TypeProto *type = ARENA_NEW(&b->arena, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *t = ARENA_NEW(&b->arena, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *s = ARENA_NEW(&b->arena, Onnx__TensorShapeProto);

    onnx__value_info_proto__init(i);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(t);
    onnx__tensor_shape_proto__init(s);
    i->name = (char *)(uintptr_t)name;
    i->type = type;
    type->tensor_type = t;
    t->has_elem_type = 1;
    t->elem_type = onnx_type(v->dtype);
    t->shape = s;
    s->dim = ARENA_NEWS(&b->arena, v->shape.rank + 1,
                        Onnx__TensorShapeProto__Dimension *);
    for (int k = 0; k < v->shape.rank; k++) {
        Onnx__TensorShapeProto__Dimension *d =
            ARENA_NEW(&b->arena, Onnx__TensorShapeProto__Dimension);

        onnx__tensor_shape_proto__dimension__init(d);
        put_dim(b, d, &v->shape, k, batch);
        s->dim[s->n_dim++] = d;
    }
    return i;
}

/* An output that does not bear its value's name becomes a copy.  */
static void put_values(struct onnx_build *b, Onnx__GraphProto *to,
                       const struct onnx_opts *o)
{
    const int64_t batch = o ? o->batch : 0;
    const struct graph *g = b->g;

    to->input = ARENA_NEWS(&b->arena, g->n_value, Onnx__ValueInfoProto *);
    for (int i = 0; i < g->n_value; i++) {
        struct value v = *g->value[i];

        if (v.kind != VALUE_INPUT)
            continue;
        if (o && o->front) {
            v.name = ONNX_FRONT;
            v.dtype = DTYPE_U8;
            v.shape = onnx_front_shape(&v.shape);
        }
        to->input[to->n_input++] = value_info(b, v.name, &v, batch);
    }
    to->output = ARENA_NEWS(&b->arena, g->n_output + 1, Onnx__ValueInfoProto *);
    for (int i = 0; i < g->n_output; i++) {
        const struct value *v = g->output[i].value;
        const char *name = g->output[i].name;

        if (strcmp(b->name[v->index], name) != 0) {
            b->used[v->index] = 1;
            if (b->half)
                cast(b, b->name[v->index], name,
                     ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
            else
                onnx_op(b, "Identity", &b->name[v->index], 1, name);
        }
        to->output[to->n_output++] = value_info(b, name, v, batch);
    }
}

static void put_meta(struct onnx_build *b, Onnx__ModelProto *m,
                     const struct onnx_meta *meta)
{
    size_t n = 0;

    while (meta && meta[n].key)
        n++;
    m->metadata_props =
        ARENA_NEWS(&b->arena, n + 1, Onnx__StringStringEntryProto *);
    for (; m->n_metadata_props < n; m->n_metadata_props++) {
        Onnx__StringStringEntryProto *p =
            ARENA_NEW(&b->arena, Onnx__StringStringEntryProto);

        onnx__string_string_entry_proto__init(p);
        p->key = (char *)(uintptr_t)meta[m->n_metadata_props].key;
        p->value = (char *)(uintptr_t)meta[m->n_metadata_props].value;
        m->metadata_props[m->n_metadata_props] = p;
    }
}

/* The IR version that came with each opset; 4 for those before 9, since in
 * older ones initialisers had to be inputs as well.  */
static int64_t ir_version(int64_t opset)
{
    static const int since[] = {9, 10, 11, 12, 15, 19, 21};
    int64_t version = 3;

    for (size_t i = 0; i < COUNT(since); i++)
        version += opset >= since[i];
    return version < 4 ? 4 : version;
}

/* protobuf-c hands us the file piece by piece.  */
struct sink {
    ProtobufCBuffer base;
    struct str *to;
};

static void append(ProtobufCBuffer *buffer, size_t n, const uint8_t *p)
{
    str_addn(((struct sink *)buffer)->to, (const char *)p, n);
}

static int pack(struct str *to, const Onnx__ModelProto *m, struct err *e)
{
    struct sink sink = {{append}, to};
    const size_t n = onnx__model_proto__get_packed_size(m);

    if (n > INT32_MAX)
        return err_set(e, ERR_UNSUPPORTED,
                       "the file would have %zu bytes; ONNX takes 2 GiB", n);
    onnx__model_proto__pack_to_buffer(m, &sink.base);
    return 0;
}

static int build(struct onnx_build *b, struct str *to,
                 const struct onnx_meta *meta, const struct onnx_opts *o)
{
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets = &opset;

    name_values(b);
    put_front(b, o ? o->front : NULL);
    for (int i = 0; i < b->g->n_node; i++)
        if (emit(b, b->g->node[i]) < 0)
            return -1;
    put_values(b, &graph, o);
    if (put_tensors(b, &graph) < 0)
        return -1;
    graph.name = (char *)(uintptr_t)b->g->name;
    graph.node = b->node;
    graph.n_node = (size_t)b->n_node;
    opset.domain = (char *)(uintptr_t) "";
    opset.has_version = 1;
    opset.version = b->opset;
    m.has_ir_version = 1;
    m.ir_version = ir_version(b->opset);
    m.producer_name = (char *)(uintptr_t) "adze";
    m.producer_version = (char *)(uintptr_t)ADZE_VERSION;
    m.graph = &graph;
    m.opset_import = &opsets;
    m.n_opset_import = 1;
    put_meta(b, &m, meta);
    return pack(to, &m, b->e);
}

/* F fits the only input.  */
static int check_front(const struct graph *g, const struct preprocess *f,
                       struct err *e)
{
    const struct value *x = graph_value(g, "image");

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT && g->value[i] != x)
            return err_set(e, ERR_SHAPE,
                           "a second input, '%s', has no preprocessing",
                           Q(g->value[i]->name));
    if (!x || x->shape.rank != 4 || x->shape.dim[1] != f->channels ||
        x->shape.dim[2] != f->size[0] || x->shape.dim[3] != f->size[1])
        return err_set(
            e, ERR_SHAPE,
            "the preprocessing gives [N,%d,%d,%d], the network reads "
            "%s",
            f->channels, f->size[0], f->size[1],
            x ? ST(&x->shape) : "no 'image'");
    return 0;
}

static int check_opts(const struct graph *g, const struct onnx_opts *o,
                      struct err *e)
{
    if (o && o->half && pass_need_float(g, e) < 0)
        return -1;
    return o && o->front ? check_front(g, o->front, e) : 0;
}

int onnx_encode(struct str *to, const struct graph *in,
                const struct onnx_meta *meta, const struct onnx_opts *o,
                struct err *e)
{
    struct graph *g = pass_simplify(in, e);
    struct onnx_build b = {.g = g, .e = e};
    int bad;

    if (!g)
        return -1;
    b.opset = o && o->opset ? o->opset : lowest_opset(g);
    b.half = o && o->half;
    b.name = ARENA_NEWS(&b.arena, g->n_value + 1, const char *);
    b.used = ARENA_NEWS(&b.arena, g->n_value + 1, char);
    bad = b.opset < ONNX_OPSET_MIN || b.opset > ONNX_OPSET_MAX
              ? err_set(e, ERR_USAGE, "opset %lld is not within %d..%d",
                        (long long)b.opset, ONNX_OPSET_MIN, ONNX_OPSET_MAX)
              : check_opts(g, o, e) < 0 || build(&b, to, meta, o) < 0;
    name_map_release(&b.names);
    free(b.node);
    free(b.tensor);
    arena_release(&b.arena);
    graph_free(g);
    return bad ? -1 : 0;
}

int onnx_encode_model(struct str *to, const struct model *m,
                      const struct onnx_opts *o, struct err *e)
{
    static const char *const keys[] = {"adze.classes", "adze.preprocess",
                                       "adze.history"};
    struct onnx_meta meta[COUNT(keys) + 1] = {{0}};
    struct set set;
    int bad, n = 0;

    if (model_to_set(m, &set, e) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *value = set_meta_get(&set, keys[i]);

        if (value)
            meta[n++] = (struct onnx_meta){keys[i], value};
    }
    bad = onnx_encode(to, m->graph, meta, o, e);
    set_release(&set);
    return bad;
}
