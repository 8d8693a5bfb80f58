/* onnx_import.c -- files as other programs write them, made from lines of
 * text: which ops they become, and damaged ones.  That the ops compute what
 * ONNX Runtime does is seen in tests/interop/import_ops.py.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../interp.h"
#include "base/err.h"
#include "base/str.h"
#include "format/onnx.h"
#include "format/onnx.pb-c.h"

/* ---- text into a file ----
 *
 *   x [N,3,8,8]              the input
 *   w f32 4 3 3 3            a tensor of those sizes, small numbers
 *   s i64 = 0 24 8           a tensor of those numbers
 *   y = Conv x w pads=1,1    an operator; "_" is an absent operand
 * The first result of the last operator is the output.  */

struct maker {
    struct arena a;
    Onnx__GraphProto g;
    Onnx__NodeProto *node[64];
    Onnx__TensorProto *tensor[64];
    Onnx__ValueInfoProto *input[1], *output[1];
};

static char *word(struct maker *m, const char **p)
{
    const size_t n = strcspn(*p, " ");
    char *s = arena_strndup(&m->a, *p, n);

    *p += n;
    *p += strspn(*p, " ");
    return s;
}

static Onnx__ValueInfoProto *new_info(struct maker *m, char *name)
{
    Onnx__ValueInfoProto *v = ARENA_NEW(&m->a, Onnx__ValueInfoProto);

    onnx__value_info_proto__init(v);
    v->name = name;
    return v;
}

static Onnx__TensorShapeProto__Dimension *new_dim(struct maker *m,
                                                  const char *text)
{
    Onnx__TensorShapeProto__Dimension *d =
        ARENA_NEW(&m->a, Onnx__TensorShapeProto__Dimension);
    char *end;

    onnx__tensor_shape_proto__dimension__init(d);
    d->dim_value = strtol(text, &end, 10);
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (end == text) {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = arena_strndup(&m->a, text, strcspn(text, ",]"));
    }
    return d;
}

static void put_input(struct maker *m, char *name, const char *p)
{
    Onnx__TypeProto *type = ARENA_NEW(&m->a, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *t = ARENA_NEW(&m->a, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *s = ARENA_NEW(&m->a, Onnx__TensorShapeProto);

    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(t);
    onnx__tensor_shape_proto__init(s);
    s->dim = ARENA_NEWS(&m->a, 8, Onnx__TensorShapeProto__Dimension *);
    for (p++; *p && *p != ']'; p += strcspn(p, ",]"), p += *p == ',')
        s->dim[s->n_dim++] = new_dim(m, p);
    t->has_elem_type = 1;
    t->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    t->shape = s;
    type->tensor_type = t;
    m->input[0] = new_info(m, name);
    m->input[0]->type = type;
    m->g.n_input = 1;
}

static int list(const char *p, int64_t *v)
{
    int n = 0;

    for (; *p; p += strspn(p, " ,")) {
        char *end;

        v[n++] = strtol(p, &end, 10);
        p = end;
    }
    return n;
}

static void put_tensor(struct maker *m, char *name, const char *p)
{
    Onnx__TensorProto *t = ARENA_NEW(&m->a, Onnx__TensorProto);
    const char *type = word(m, &p);
    int64_t *v = ARENA_NEWS(&m->a, 16, int64_t), count = 1;
    const int given = *p == '=',
              n = list(p + given + strspn(p + given, " "), v);

    onnx__tensor_proto__init(t);
    t->name = name;
    t->has_data_type = 1;
    t->data_type = !strcmp(type, "f32")  ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
                   : !strcmp(type, "i8") ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                                         : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    t->dims = given ? ARENA_NEWS(&m->a, 1, int64_t) : v;
    t->n_dims = given ? n != 1 : (size_t)n;
    for (int i = 0; i < n && !given; i++)
        count *= v[i];
    if (given)
        t->dims[0] = count = n;
    if (!strcmp(type, "f32")) {
        t->float_data = ARENA_NEWS(&m->a, count, float);
        for (; t->n_float_data < (size_t)count; t->n_float_data++)
            t->float_data[t->n_float_data] =
                given ? (float)v[t->n_float_data] / 1000000
                      : (float)(t->n_float_data % 7) / 7;
    } else if (!strcmp(type, "i8")) {
        t->int32_data = ARENA_NEWS(&m->a, count, int32_t);
        t->n_int32_data = (size_t)count;
    } else {
        t->int64_data = v;
        t->n_int64_data = (size_t)n;
    }
    m->tensor[m->g.n_initializer++] = t;
}

static Onnx__AttributeProto *new_attr(struct maker *m, const char *p)
{
    Onnx__AttributeProto *a = ARENA_NEW(&m->a, Onnx__AttributeProto);
    const char *eq = strchr(p, '=');

    onnx__attribute_proto__init(a);
    a->name = arena_strndup(&m->a, p, (size_t)(eq - p));
    if (strchr(eq, ',')) {
        a->ints = ARENA_NEWS(&m->a, 16, int64_t);
        a->n_ints = (size_t)list(eq + 1, a->ints);
    } else if (strchr(eq, '.')) {
        a->has_f = 1;
        a->f = strtof(eq + 1, NULL);
    } else if (strspn(eq + 1, "-0123456789") == strlen(eq + 1)) {
        a->has_i = 1;
        a->i = strtol(eq + 1, NULL, 10);
    } else {
        a->has_s = 1;
        a->s.len = strlen(eq + 1);
        a->s.data = (uint8_t *)arena_strdup(&m->a, eq + 1);
    }
    return a;
}

static void put_node(struct maker *m, char *name, const char *p)
{
    Onnx__NodeProto *o = ARENA_NEW(&m->a, Onnx__NodeProto);

    onnx__node_proto__init(o);
    o->input = ARENA_NEWS(&m->a, 16, char *);
    o->output = ARENA_NEWS(&m->a, 1, char *);
    o->attribute = ARENA_NEWS(&m->a, 16, Onnx__AttributeProto *);
    o->output[0] = name;
    o->n_output = 1;
    o->op_type = word(m, &p);
    if (!strncmp(o->op_type, "QLinearA", 8))
        o->domain = arena_strdup(&m->a, "com.microsoft");
    while (*p) {
        char *w = word(m, &p);

        if (strchr(w, '='))
            o->attribute[o->n_attribute++] = new_attr(m, w);
        else
            o->input[o->n_input++] = strcmp(w, "_") ? w : (char *)"";
    }
    m->node[m->g.n_node++] = o;
    m->output[0] = new_info(m, name);
}

static void put_line(struct maker *m, const char *line)
{
    char *name = word(m, &line);

    if (*line == '[')
        put_input(m, name, line);
    else if (*line == '=')
        put_node(m, name, line + 2);
    else
        put_tensor(m, name, line);
}

static void make(struct str *to, const char *text, int64_t opset)
{
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto set = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *sets = &set;
    struct maker m = {{0}};
    char *copy = xstrdup(text), *at = copy, *line;

    onnx__graph_proto__init(&m.g);
    m.g.node = m.node;
    m.g.initializer = m.tensor;
    m.g.input = m.input;
    m.g.output = m.output;
    while ((line = strsep(&at, "\n")))
        if (*line)
            put_line(&m, line);
    m.g.n_output = 1;
    set.has_version = 1;
    set.version = opset;
    model.graph = &m.g;
    model.opset_import = &sets;
    model.n_opset_import = 1;
    uint8_t *bytes = xmalloc(onnx__model_proto__get_packed_size(&model));
    const size_t n = onnx__model_proto__pack(&model, bytes);

    str_addn(to, (const char *)bytes, n);
    free(bytes);
    free(copy);
    arena_release(&m.a);
}

/* ---- which ops they become ---- */

#define X   "x [N,3,8,8]\n"
#define ONE "one f32 = 1000000\n"

static const struct row {
    const char *name, *text, *ops;
    int opset; /* 0: 17 */
} rows[] = {
    {"layers",
     X "w f32 4 3 3 3\ns f32 4\ny = Conv x w auto_pad=SAME_UPPER strides=2,2\n"
       "z = BatchNormalization y s s s s momentum=0.5\n",
     "conv2d batchnorm2d", 9},
    {"a weight that is turned",
     X "w f32 192 5\nb f32 5\nf = Flatten x\ny = Gemm f w b\n",
     "flatten linear"},
    {"MatMul and its bias",
     X "w f32 8 5\nb f32 5\ny = MatMul x w\nz = Add b y\n", "linear"},
    {"MatMul and more", X "w f32 8 5\nb f32 8 5\ny = MatMul x w\nz = Add b y\n",
     "linear add"},
    {"Resize to sizes",
     X "s i64 = 1 3 16 12\ny = Resize x _ _ s mode=linear "
       "coordinate_transformation_mode=half_pixel\n",
     "upsample"},
    {"Resize by scales",
     X "s f32 = 1000000 1000000 2000000 2000000\ny = Resize x _ s\n",
     "upsample"},
    {"Upsample",
     X "s f32 = 1000000 1000000 2000000 2000000\ny = Upsample x s\n",
     "upsample", 9},
    {"ReduceMax", X "y = ReduceMax x axes=2,3 keepdims=0\n", "reduce"},
    {"InstanceNormalization", X "w f32 3\ny = InstanceNormalization x w w\n",
     "instancenorm"},
    {"what nobody reads", X "d = Sinh x\ny = Relu x\n", "relu"},
    {"Identity and Dropout",
     X "a = Identity x\nb = Dropout a ratio=0.5\ny = Relu b\n", "relu"},
    {"relu6 by attributes", X "y = Clip x min=0.0 max=6.0\n", "relu6", 7},
    {"limits", X "a f32 = 500000\ny = Clip x _ a\n", "clip"},
    {"hard-swish",
     X "three f32 = 3000000\nsix f32 = 6000000\nzero f32 = 0\n"
       "a = Add x three\nc = Clip a zero six\nm = Mul c x\ny = Div m six\n",
     "hardswish"},
    {"silu", X "s = Sigmoid x\ny = Mul s x\n", "silu"},
    {"gelu",
     X ONE "r f32 = 1414213\nh f32 = 500000\na = Div x r\nb = Erf a\n"
           "c = Add one b\nd = Mul x c\ny = Mul h d\n",
     "gelu"},
    {"layer normalisation",
     X "two f32 = 2000000\ne f32 = 10\ns f32 8\nm = ReduceMean x axes=-1,\n"
       "d = Sub x m\nq = Pow d two\nv = ReduceMean q axes=-1,\n"
       "a = Add v e\nr = Sqrt a\nn = Div d r\nt = Mul n s\ny = Add t s\n",
     "layernorm", 13},
    {"arithmetic",
     X "c f32 3 1 1\ny = Sub x c\nr = Relu x\nz = Sub y r\nt f32 = 3000000\n"
       "p = Pow z t\nn = Neg p\n",
     "add relu mul add mul mul"},
    {"arithmetic of values",
     X "c f32 = 1700000\na = Div x c\nb = Exp a\nd = Div c b\n"
       "y = Div x d\nz = Reciprocal y\ns = Sqrt z\nt = Log s\nu = Erf t\n",
     "mul exp div div div sqrt log erf"},
    {"vectors over their length",
     X "e f32 = 1000\nl = ReduceL2 x axes=1,\nc = Clip l e\ns = Shape x\n"
       "w = Expand c s\ny = Div x w\nm = ReduceL2 y axes=-1,\nz = Div y m\n",
     "l2norm l2norm"},
    {"vectors over the length of others",
     X "r = Relu x\nl = ReduceL2 r axes=1,\nc = Clip l\ny = Div x c\n",
     "relu mul transpose linear reshape sqrt clip div"},
    {"powers",
     X "h f32 = 500000\nt f32 = 2000000\nn f32 = -1500000\na = Pow x h\n"
       "b = Pow a t\nc = Pow b n\n",
     "sqrt mul pow"},
    {"the largest, the smallest, the mean",
     X "r = Relu x\nm = Max r x\nn = Min m x x\ny = Mean n x\n",
     "relu max mul mul mul max mul add mul"},
    {"sums over axes", X "a = ReduceL2 x axes=2,3\nb = ReduceMax a axes=1,\n",
     "mul reshape linear reshape sqrt reduce"},
    {"celu", X "a = Celu x\nb = Celu a alpha=2.5\n", "elu mul elu mul"},
    {"sizes that are asked for",
     X "zero i64 = 0\no i64 = 0 0\nrest i64 = 24 8\ns = Shape x\n"
       "n = Gather s o\nn1 = Slice n one1 two1\nd = Concat n1 rest axis=0\n"
       "one1 i64 = 0 0\ntwo1 i64 = 1 1\n",
     NULL},
    {"Reshape by the batch",
     X "i i64 = 0\nu i64 = 0\nrest i64 = 24 8\ns = Shape x\nn = Gather s i\n"
       "n1 = Unsqueeze n axes=0,\nd = Concat n1 rest axis=0\n"
       "y = Reshape x d\nz = Softmax y axis=2\n",
     "reshape softmax", 11},
    {"a fixed batch", "x [4,3,8,8]\ns i64 = 4 24 8\ny = Reshape x s\n",
     "reshape"},
    {"channels last",
     "x [N,8,6,3]\nw f32 4 3 3 3\nt = Transpose x perm=0,3,1,2\n"
     "y = Conv t w\n",
     "conv2d"},
    {"arithmetic between channels last",
     "x [N,8,6,3]\nw f32 3 3 3 3\nk f32 1 1 1 3\nc f32 3\n"
     "t = Transpose x perm=0,3,1,2\na = Conv t w\n"
     "b = Transpose a perm=0,2,3,1\nd = Mul b k\ne = Relu d\n"
     "f = Concat e b axis=3\ng = Transpose f perm=0,3,1,2\n"
     "y = MaxPool g kernel_shape=2,2\n",
     "conv2d mul relu concat maxpool2d"},
    {"means of channels last",
     "x [N,8,6,3]\ny = Relu x\nz = ReduceMean y axes=1,2 keepdims=0\n",
     "relu globalavgpool", 13},
    {"a bias that is added",
     X "w f32 4 3 3 3\nb f32 1 4 1 1\na = Conv x w\nc = Add a b\n"
       "y = Identity c\n",
     "conv2d"},
    {"what is no bias",
     X "w f32 4 3 3 3\nb f32 1 4 1 6\na = Conv x w\ny = Add a b\n",
     "conv2d add"},
    {"along one axis",
     X "s i64 = 0 3 64\nw f32 4 3 5\na = Reshape x s\n"
       "b = Conv a w pads=2,2\ny = Abs b\n",
     "reshape reshape conv2d reshape relu mul relu add"},
    {"a gate on channels last",
     "x [N,8,6,3]\nw f32 3 3 1 1\ny = Relu x\n"
     "z = ReduceMean y axes=1,2 keepdims=1\n"
     "t = Transpose z perm=0,3,1,2\na = Conv t w\n"
     "b = Transpose a perm=0,2,3,1\nc = Sigmoid b\nd = Mul y c\n"
     "u = Transpose d perm=0,3,1,2\nk = MaxPool u kernel_shape=2,2\n",
     "relu globalavgpool reshape conv2d sigmoid mul maxpool2d", 13},
    {"a bias behind which nothing is done",
     X "w f32 8 5\nb f32 5\nm = MatMul x w\na = Add m b\ny = Identity a\n",
     "linear"},
    {"a token in front",
     X "s i64 = 0 24 8\nk f32 1 1 8\nt = Reshape x s\na = Shape t\n"
       "z i64 = 0 0\nb = Gather a i\ni i64 = 0\ny = Concat k t axis=1\n",
     "reshape classtoken"},
    {"cuts", X "a i64 = 1 2\nb i64 = 3 -1\nc i64 = 2 3\ny = Slice x a b c\n",
     "slice slice"},
    {"steps",
     X "a i64 = 1 0\nb i64 = 8 8\nc i64 = 2 3\nd i64 = 2 1\n"
       "y = Slice x a b c d\n",
     "reshape select"},
    {"places", X "i i64 = 2 0\ny = Gather x i axis=1\n", "slice slice concat"},
    {"means", X "y = ReduceMean x axes=2,3 keepdims=0\nz = Relu y\n",
     "globalavgpool relu", 13},
    {"sums", X "a i64 = 1 2\ny = ReduceSum x a\n",
     "transpose reshape linear reshape", 13},
    {"8 bits",
     X "s f32 = 20000\nz i8 1\nq i8 4 3 3 3\na = QuantizeLinear x s z\n"
       "y = QLinearConv a s z q s z s z\nw = QLinearAdd y s z y s z s z\n"
       "d = DequantizeLinear w s z\n",
     "quantize dequantize dequantize conv2d quantize dequantize dequantize add "
     "quantize dequantize",
     13},
    {"moves in 8 bits",
     X "s f32 = 20000\nz i8 1\na = QuantizeLinear x s z\n"
       "y = MaxPool a kernel_shape=2,2\nt = Transpose y perm=0,2,3,1\n"
       "d = DequantizeLinear t s z\n",
     "quantize dequantize maxpool2d quantize dequantize transpose quantize "
     "dequantize"},
    {"other moves",
     X "y = SpaceToDepth x blocksize=2\nz = DepthToSpace y blocksize=2\n"
       "u = Unsqueeze z axes=1,\nv = Squeeze u axes=1,\n"
       "w = Split v axis=2\np = Pad w pads=0,0,1,1,0,0,0,2\n",
     "reshape transpose reshape reshape transpose reshape reshape reshape "
     "split pad",
     9},
};

static void ops_of(struct str *s, const struct graph *g)
{
    for (int i = 0; i < g->n_node; i++)
        str_printf(s, "%s%s", i ? " " : "", g->node[i]->op->name);
}

static struct graph *read_text(const char *text, int opset, struct err *e)
{
    const struct onnx_source src = {.pictures = 1};
    struct onnx_file f;
    struct str bytes = {0};
    struct graph *g;

    make(&bytes, text, opset ? opset : 17);
    g = onnx_open(&f, (const unsigned char *)bytes.data, bytes.len, e) < 0
            ? NULL
            : onnx_graph(&f, &src, e);
    onnx_close(&f);
    str_release(&bytes);
    return g;
}

static void becomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct graph *g;
        struct str s = {0};

        if (!rows[i].ops)
            continue;
        g = read_text(rows[i].text, rows[i].opset, &e);
        if (!g)
            fail_msg("%s: %s", rows[i].name, e.msg);
        ops_of(&s, g);
        if (strcmp(str_text(&s), rows[i].ops) != 0)
            fail_msg("%s: %s", rows[i].name, str_text(&s));
        str_release(&s);
        graph_free(g);
    }
}

static void names_of_weights(void **state)
{
    struct err e = {0};
    struct graph *g =
        read_text(X "a.w.weight f32 4 3 3 3\nonnx::MatMul_7 f32 6 5\n"
                    "fc.bias f32 5\ny = Conv x a.w.weight\n"
                    "z = MatMul y onnx::MatMul_7\n/o/Add = Add z fc.bias\n",
                  0, &e);

    (void)state;
    assert_non_null(g);
    assert_non_null(graph_value(g, "a.w"));
    assert_non_null(graph_value(g, "a.w.weight"));
    assert_non_null(graph_value(g, "fc.weight"));
    assert_non_null(graph_value(g, "fc"));
    graph_free(g);
}

/* ---- what is refused ---- */

static const struct {
    const char *text, *word;
    int opset, code;
} refusals[] = {
    {X "s f32 3\ny = BatchNormalization x s s s s training_mode=1\n",
     "write it after model.eval()", 0, ERR_UNSUPPORTED},
    {X "y = Sinh x\n", "'Sinh' at 'y': not read", 0, ERR_UNSUPPORTED},
    {X "y = Relu x\n", "operator set 6", 6, ERR_UNSUPPORTED},
    {X "y = Relu z\n", "nothing computes 'z'", 0, ERR_FORMAT},
    {X "y = Relu y\n", "nothing computes 'y'", 0, ERR_FORMAT},
    {X "y = Relu x\ny = Relu x\n", "two operators compute 'y'", 0, ERR_FORMAT},
    {X "x f32 3\ny = Relu x\n", NULL, 0, 0},
    {X "y = Pow x x\n", "no number", 0, ERR_UNSUPPORTED},
    {X "y = ReduceL2 x axes=0,\n", "axes", 0, ERR_UNSUPPORTED},
    {X "y = ReduceMax x axes=4,\n", "axes", 0, ERR_UNSUPPORTED},
    {X "l = ReduceL2 x axes=1,\nc = Clip l e\ne f32 = 1000\ns i64 = 1 3 8 9\n"
       "w = Expand c s\ny = Div x w\n",
     "does not fit", 0, ERR_UNSUPPORTED},
    {X "y = Celu x alpha=0.\n", "above 0", 0, ERR_UNSUPPORTED},
    {X "s i64 = -1 -1\ny = Reshape x s\n", "do not fit", 0, ERR_UNSUPPORTED},
    {X "s i64 = 5 7\ny = Reshape x s\n", "does not hold", 0, ERR_SHAPE},
    {X "y = Transpose x perm=0,1,2\n", "not in a form", 0, ERR_UNSUPPORTED},
    {X "y = Transpose x perm=0,1,2,2\n", "not in a form", 0, ERR_UNSUPPORTED},
    {X "w f32 4 3 3 3\ny = Conv x w strides=0,1\n", "window", 0,
     ERR_UNSUPPORTED},
    {X "w f32 4 3 3 3\ny = Conv x w pads=-1,0,0,0\n", "window", 0,
     ERR_UNSUPPORTED},
    {X "s i64 = 0 3 64\nw f32 4 3 5\na = Reshape x s\n"
       "y = Conv a w strides=0,\n",
     "window", 0, ERR_UNSUPPORTED},
    {X "w f32 4 3 3 3\ny = Conv x w group=0\n", "groups", 0, ERR_FORMAT},
    {X "s f32 = 1000000 1000000 1500000 1500000\ny = Resize x _ s\n",
     "its places", 0, ERR_UNSUPPORTED},
    {X "s f32 = 1000000 1000000 2000000 2000000\ny = Resize x _ s "
       "mode=cubic\n",
     "its mode", 0, ERR_UNSUPPORTED},
    {X "s f32 = 1000000 1000000 2000000000 2000000000000\n"
       "y = Resize x _ s\n",
     "its sizes", 0, ERR_UNSUPPORTED},
    {X "i i64 = 9 9\ny = Gather x i axis=1\n", "places", 0, ERR_UNSUPPORTED},
    {X "s i64 = 99999 99999\nc = ConstantOfShape s\ny = Add x c\n", "too large",
     0, ERR_UNSUPPORTED},
    {"x [N,3,H,8]\ny = Relu x\n", "does not say its size 2", 0,
     ERR_UNSUPPORTED},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct err e = {0};
        struct graph *g = read_text(refusals[i].text, refusals[i].opset, &e);

        graph_free(g);
        if (!refusals[i].word)
            continue;
        if (g || !strstr(e.msg, refusals[i].word) ||
            (int)e.code != refusals[i].code)
            fail_msg("'%s', not '%s' (%d)", e.msg, refusals[i].word,
                     (int)e.code);
    }
}

/* ---- damaged files ---- */

static void damaged(void **state)
{
    struct str s[COUNT(rows)] = {{0}};
    struct fuzz_seed seeds[COUNT(rows)];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        make(&s[i], rows[i].text, rows[i].opset ? rows[i].opset : 17);
        seeds[i] = (struct fuzz_seed){s[i].data, s[i].len};
    }
    fuzz_run(fuzz_onnx, seeds, COUNT(rows), NULL, 10000, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fuzz_cut(fuzz_onnx, s[i].data, s[i].len);
        if (i % 4 == 0)
            fuzz_flip(fuzz_onnx, s[i].data, s[i].len);
        str_release(&s[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes),
        cmocka_unit_test(names_of_weights),
        cmocka_unit_test(refuses),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
