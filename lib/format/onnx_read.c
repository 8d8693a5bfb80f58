/* onnx_read.c -- ONNX files into graphs: see onnx.h.
 * SPDX-License-Identifier: MIT
 *
 * The bytes are scanned, then unpacked; names get their places; operators over
 * constants are evaluated; from the outputs back it is seen what is needed and
 * what belongs together; then the operators are read one by one.  What reads
 * an operator stands in an onnx_read_X.c, or is the row of an op's record,
 * backwards: onnx_read_row.c.  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/onnx.h"
#include "format/onnx_front.h"
#include "format/onnx_import.h"
#include "format/onnx_scan.h"
#include "graph/graph.h"

enum { NODE_MAX = 1000000 };

/* ---- which function ---- */

static const struct import_op *find_in(const struct import_op *list,
                                       const char *type)
{
    for (; list->type; list++)
        if (!strcmp(list->type, type))
            return list;
    return NULL;
}

const struct import_op *import_op_find(const onode *o)
{
    const struct import_op *const lists[] = {
        import_joins,    import_layers, import_maths, import_parts,
        import_pictures, import_quants, import_sizes};
    const struct import_op *found = NULL;

    for (size_t i = 0; i < COUNT(lists) && !found; i++)
        found = find_in(lists[i], o->op_type);
    return found;
}

/* Of the domain of ONNX Runtime only its quantiser's operators are known.  */
static int known_domain(const onode *o)
{
    const char *d = o->domain ? o->domain : "";

    return !*d || !strcmp(d, "ai.onnx") ||
           (!strcmp(d, "com.microsoft") && find_in(import_quants, o->op_type));
}

static int read_node(struct import *r, size_t at, struct err *e)
{
    const onode *o = r->m->node[at];
    const struct import_op *op;
    int done = import_matched(r, at, e);

    if (!done)
        done = import_fold(r, o, e);
    if (done)
        return done < 0 ? -1 : 0;
    if (!known_domain(o))
        return import_no(o, "of another domain", e);
    op = import_op_find(o);
    if (op && (o->n_input < op->min || o->n_input > op->max))
        return import_no(o, "not the usual number of operands", e);
    if (op && op->moves)
        done = import_eight(r, o, op, e);
    if (op)
        return done ? (done < 0 ? -1 : 0) : op->read(r, o, e);
    done = import_row(r, o, e);
    return done ? (done < 0 ? -1 : 0) : import_no(o, "not read here", e);
}

/* ---- inputs ---- */

/* "N", "64N": our own way to say it, at any place.  0: another name.  */
static int64_t batches(const char *text)
{
    const size_t n = text ? strlen(text) : 0;
    char number[32];
    int64_t v = 1;

    if (!n || n >= sizeof number || text[n - 1] != 'N')
        return 0;
    memcpy(number, text, n);
    number[n - 1] = 0;
    return n == 1 || parse_i64(number, 2, INT32_MAX, &v) == 0 ? v : 0;
}

/* Size I of an input.  An unknown first one is the batch, unknown rows and
 * columns are as the caller wants them.  */
static int read_dim(const struct import *r, struct shape *s, int i, int rank,
                    const Onnx__TensorShapeProto__Dimension *d)
{
    const int known =
        d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    const int named =
        d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    const int64_t n = named ? batches(d->dim_param) : 0;

    s->dim[i] = known ? d->dim_value : 1;
    if (known && d->dim_value > 0)
        return 0;
    if (n || i == 0) {
        s->dim[i] = n ? n : 1;
        s->batch |= (uint8_t)(1 << i);
        return 0;
    }
    if (rank != 4 || i < 2 || !r->size)
        return -1;
    s->dim[i] = r->size[i - 2];
    return 0;
}

static int read_shape(const struct import *r, const Onnx__ValueInfoProto *v,
                      struct shape *s, enum dtype *dt, struct err *e)
{
    const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
    const int type = t ? onnx_tensor_dtype(t->elem_type) : -1;
    int64_t count;

    if (!v->name || !t || !t->shape || type < 0 || t->shape->n_dim > SHAPE_MAX)
        return err_set(e, ERR_UNSUPPORTED, "input '%s' has no known type",
                       Q(v->name ? v->name : ""));
    *dt = (enum dtype)type;
    if (*dt == DTYPE_F16 || *dt == DTYPE_BF16 || *dt == DTYPE_F64)
        *dt = DTYPE_F32;
    *s = (struct shape){.rank = (int)t->shape->n_dim};
    for (int i = 0; i < s->rank; i++)
        if (read_dim(r, s, i, s->rank, t->shape->dim[i]) < 0)
            return err_set(e, ERR_UNSUPPORTED,
                           "input '%s' does not say its size %d; give it with "
                           "-o size=[H,W]",
                           Q(v->name), i);
    return shape_check(s, (int64_t)dtype_size(*dt), &count, e) < 0
               ? err_in(e, "input '%s'", Q(v->name))
               : 0;
}

/* A file that fixes the batch: its inputs count it all the same.  */
static void free_batch(struct import *r, struct shape *s)
{
    if (s->rank < 2 || s->batch || s->dim[0] < 1)
        return;
    if (!r->batch)
        r->batch = s->dim[0];
    if (s->dim[0] == r->batch) {
        s->dim[0] = 1;
        s->batch = 1;
    }
}

static int is_colours(int64_t n)
{
    return n == 1 || n == 3;
}

/* Pictures whose channels are last become ours, turned where they are read. */
static struct value *picture(struct import *r, const onode *o, struct shape *s,
                             struct err *e)
{
    static const int64_t last[] = {0, 2, 3, 1};
    const struct shape first = {
        4, {s->dim[0], s->dim[3], s->dim[1], s->dim[2]}, s->batch};

    if (s->rank != 4 || !is_colours(s->dim[3]) || is_colours(s->dim[1]))
        return graph_input(r->g, "image", DTYPE_F32, s);
    return import_turn(r, o, graph_input(r->g, "image", DTYPE_F32, &first),
                       last, e);
}

static int read_input(struct import *r, const Onnx__ValueInfoProto *v,
                      const struct onnx_source *src, int symbolic,
                      struct err *e)
{
    char *name[] = {v->name};
    const onode o = {
        .op_type = (char *)(uintptr_t) "input", .n_output = 1, .output = name};
    struct shape s;
    enum dtype dt = DTYPE_F32;
    struct value *x;

    if (read_shape(r, v, &s, &dt, e) < 0)
        return -1;
    if (!symbolic)
        free_batch(r, &s);
    if (!import_new(r, v->name, e))
        return -1;
    if (graph_value(r->g, v->name))
        return err_set(e, ERR_FORMAT, "two inputs are named '%s'", Q(v->name));
    x = src && src->pictures && dt == DTYPE_F32
            ? picture(r, &o, &s, e)
            : graph_input(r->g, v->name, dt, &s);
    return x ? import_put(r, &o, 0, x, e) : -1;
}

static int is_initialiser(const struct import *r, const char *name)
{
    const struct slot *s = name ? import_find(r, name) : NULL;

    return s && s->file;
}

/* Some input has a size that is not a number.  */
static int is_symbolic(const struct import *r)
{
    for (size_t i = 0; i < r->m->n_input; i++) {
        const Onnx__ValueInfoProto *v = r->m->input[i];
        const Onnx__TypeProto__Tensor *t =
            v->type ? v->type->tensor_type : NULL;

        if (!t || !t->shape || is_initialiser(r, v->name))
            continue;
        for (size_t k = 0; k < t->shape->n_dim; k++)
            if (t->shape->dim[k]->value_case !=
                    ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ||
                t->shape->dim[k]->dim_value < 1)
                return 1;
    }
    return 0;
}

static int read_inputs(struct import *r, const struct onnx_source *src,
                       struct err *e)
{
    const int symbolic = is_symbolic(r);
    int inputs = 0;

    for (size_t i = 0; i < r->m->n_input; i++) {
        const Onnx__ValueInfoProto *v = r->m->input[i];

        if (is_initialiser(r, v->name))
            continue;
        if (++inputs > 1 && src && src->pictures)
            return err_set(e, ERR_UNSUPPORTED,
                           "it has more inputs than pictures: '%s'",
                           Q(v->name ? v->name : ""));
        if (read_input(r, v, src, symbolic, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- the graph ---- */

static int check_node(const onode *o, struct err *e)
{
    if (o->op_type && o->n_output && o->n_input <= IMPORT_OPERANDS &&
        o->n_output <= IMPORT_OPERANDS && *o->output[0])
        return 0;
    return err_set(e, ERR_FORMAT, "an operator is incomplete at '%s'",
                   Q(o->name ? o->name : ""));
}

static int name_tensors(struct import *r, struct err *e)
{
    for (size_t i = 0; i < r->m->n_initializer; i++) {
        const Onnx__TensorProto *t = r->m->initializer[i];
        struct slot *s;

        if (!t->name || !*t->name)
            return err_set(e, ERR_FORMAT, "a tensor has no name");
        if (!(s = import_new(r, t->name, e)))
            return -1;
        s->file = t;
    }
    return 0;
}

static int name_results(struct import *r, struct err *e)
{
    for (size_t i = 0; i < r->m->n_node; i++) {
        const onode *o = r->m->node[i];

        if (check_node(o, e) < 0)
            return -1;
        for (size_t k = 0; k < o->n_output; k++) {
            struct slot *s;

            if (!*o->output[k])
                continue;
            if (!(s = import_new(r, o->output[k], e)))
                return -1;
            if (s->from >= 0)
                return err_set(e, ERR_FORMAT, "two operators compute '%s'",
                               Q(o->output[k]));
            s->from = (int)i;
        }
    }
    return 0;
}

/* Operators over constants alone, and those that nobody needs.  */
static int prepare(struct import *r, struct err *e)
{
    for (size_t i = 0; i < r->m->n_node; i++) {
        const int done = import_fold(r, r->m->node[i], e);

        if (done < 0)
            return -1;
        r->skip[i] = (char)done;
    }
    for (size_t i = 0; i < r->m->n_output; i++) {
        const char *name = r->m->output[i]->name;
        struct slot *s = name ? import_find(r, name) : NULL;

        if (!s)
            return err_set(e, ERR_FORMAT, "nothing computes the output '%s'",
                           Q(name ? name : ""));
        s->needed = 1;
    }
    import_match(r);
    return 0;
}

static int read_outputs(struct import *r, struct err *e)
{
    for (size_t i = 0; i < r->m->n_output; i++) {
        char *name[] = {r->m->output[i]->name};
        const onode o = {.op_type = (char *)(uintptr_t) "output",
                         .n_output = 1,
                         .output = name,
                         .n_input = 1,
                         .input = name};
        struct value *v = import_value(r, &o, 0, VALUE_CONST, e);

        if (!v)
            return -1;
        graph_output(r->g, name[0], v, 0);
    }
    return 0;
}

static int read_graph(struct import *r, const struct onnx_source *src,
                      struct err *e)
{
    if (r->m->n_node > NODE_MAX || r->m->n_initializer > NODE_MAX)
        return err_set(e, ERR_FORMAT, "more than %d operators", NODE_MAX);
    if (name_tensors(r, e) < 0 || name_results(r, e) < 0 ||
        read_inputs(r, src, e) < 0 || prepare(r, e) < 0)
        return -1;
    for (size_t i = 0; i < r->m->n_node; i++)
        if (!r->skip[i] && read_node(r, i, e) < 0)
            return -1;
    if (read_outputs(r, e) < 0)
        return -1;
    graph_prune(r->g); /* turns that became one with others */
    return 0;
}

static int64_t opset_of(const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *d = m->opset_import[i]->domain;

        if (!d || !*d || !strcmp(d, "ai.onnx"))
            return m->opset_import[i]->version;
    }
    return 0;
}

static void release(struct import *r)
{
    for (int i = 0; i < r->n_slot; i++)
        tensor_unref(&r->slot[i].t);
    name_map_release(&r->names);
    name_map_release(&r->stems);
    free(r->taken);
    free(r->slot);
    free(r->match);
    free(r->skip);
}

static struct graph *read_model(const Onnx__ModelProto *m, size_t n,
                                const struct onnx_source *src, struct err *e)
{
    struct import r = {.m = m->graph, .opset = opset_of(m)};
    int bad;

    if (!m->graph) {
        err_set(e, ERR_FORMAT, "no ONNX file: it holds no graph");
        return NULL;
    }
    if (r.opset < ONNX_READ_MIN || r.opset > ONNX_READ_MAX) {
        err_set(e, ERR_UNSUPPORTED, "operator set %lld is not within %d..%d",
                (long long)r.opset, ONNX_READ_MIN, ONNX_READ_MAX);
        return NULL;
    }
    onnx_beside_init(&r.beside, src ? src->dir : NULL, n);
    r.size = src && src->size[0] ? src->size : NULL;
    r.bytes_left = 8 * (int64_t)n + (4 << 20);
    r.g = graph_new(m->graph->name ? m->graph->name : "onnx");
    r.match = xcalloc(m->graph->n_node + 1, sizeof *r.match);
    r.skip = xcalloc(m->graph->n_node + 1, 1);
    bad = read_graph(&r, src, e) < 0 || import_attention(r.g, e) < 0 ||
          import_turns(&r.g, e) < 0 || graph_check(r.g, e) < 0;
    release(&r);
    if (bad) {
        graph_free(r.g);
        return NULL;
    }
    return r.g;
}

/* ---- memory ---- */

/* protobuf-c takes its memory here: a second line of defence behind
 * onnx_scan().  */
struct budget {
    size_t left;
    int refused; /* by the system */
};

static void *budget_alloc(void *ctx, size_t n)
{
    struct budget *b = ctx;
    void *p;

    if (n > b->left)
        return NULL;
    b->left -= n;
    p = malloc(n ? n : 1);
    b->refused |= !p;
    return p;
}

static void budget_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

/* ---- the file ---- */

/* What is given instead, by its first bytes.  */
static const struct {
    size_t at, n;
    const char *bytes, *what;
} others[] = {
    {0, 4, "PK\3\4",
     "a zip (NPZ and PyTorch's own files are such: weights without the "
     "network)"},
    {0, 6, "\x93NUMPY", "an array of NumPy"},
    {8, 1, "{",
     "a safetensors file (a model needs no import; adze-init NETWORK --from "
     "takes weights)"},
    {0, 8, "\x89HDF\r\n\x1a\n",
     "HDF5 (if it is Keras', its model.export(format=\"onnx\") makes ONNX)"},
};

static int refuse_others(const unsigned char *p, size_t n, struct err *e)
{
    for (size_t i = 0; i < COUNT(others); i++)
        if (n >= others[i].at + others[i].n &&
            !memcmp(p + others[i].at, others[i].bytes, others[i].n))
            return err_set(e, ERR_FORMAT, "no ONNX file: this is %s",
                           others[i].what);
    return 0;
}

int onnx_open(struct onnx_file *f, const unsigned char *p, size_t n,
              struct err *e)
{
    const size_t limit = 8 * n + ((size_t)64 << 20);
    struct budget budget = {limit, 0};
    ProtobufCAllocator alloc = {budget_alloc, budget_free, &budget};

    *f = (struct onnx_file){.n = n};
    if (onnx_scan(p, n, &onnx__model_proto__descriptor, limit, e) < 0) {
        struct err other = {0};

        if (refuse_others(p, n, &other) < 0)
            *e = other;
        return -1;
    }
    f->m = onnx__model_proto__unpack(&alloc, n, p);
    if (f->m)
        return 0;
    return budget.refused ? err_set(e, ERR_NOMEM, "no memory to read it")
                          : err_set(e, ERR_FORMAT, "no ONNX file");
}

void onnx_close(struct onnx_file *f)
{
    ProtobufCAllocator alloc = {budget_alloc, budget_free, NULL};

    if (f->m)
        onnx__model_proto__free_unpacked(f->m, &alloc);
    f->m = NULL;
}

const char *onnx_meta_get(const struct onnx_file *f, const char *key)
{
    const Onnx__ModelProto *m = f->m;

    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (m->metadata_props[i]->key &&
            !strcmp(m->metadata_props[i]->key, key))
            return m->metadata_props[i]->value;
    return NULL;
}

int onnx_operators(const struct onnx_file *f)
{
    const Onnx__ModelProto *m = f->m;

    return m->graph ? (int)m->graph->n_node : 0;
}

struct graph *onnx_graph(const struct onnx_file *f,
                         const struct onnx_source *src, struct err *e)
{
    struct graph *g;

    onnx_front_off(f->m);
    g = read_model(f->m, f->n, src, e);
    if (e->code == ERR_USAGE) /* what the file asks for, not the user */
        e->code = ERR_FORMAT;
    return g;
}

int onnx_front_of(const struct onnx_file *f, struct preprocess *p)
{
    return onnx_front_read(f->m, p);
}

struct graph *onnx_read(const unsigned char *p, size_t n, struct err *e)
{
    struct onnx_file f;
    struct graph *g =
        onnx_open(&f, p, n, e) < 0 ? NULL : onnx_graph(&f, NULL, e);

    onnx_close(&f);
    return g;
}

int fuzz_onnx(const uint8_t *p, size_t n)
{
    const struct onnx_source src = {.pictures = 1};
    struct err e = {0};
    struct onnx_file f;
    struct graph *g =
        onnx_open(&f, p, n, &e) < 0 ? NULL : onnx_graph(&f, &src, &e);
    const int took = g != NULL;

    graph_free(g);
    if (f.m) { /* and as our own files are read */
        e = (struct err){0};
        graph_free(onnx_graph(&f, NULL, &e));
    }
    onnx_close(&f);
    return took ? 0 : -1;
}
