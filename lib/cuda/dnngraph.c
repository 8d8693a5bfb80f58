/* dnngraph.c -- see dnngraph.h.
 * SPDX-License-Identifier: MIT  */
#include "cuda/dnngraph.h"

#include <string.h>

#include "base/mem.h"

enum { ALIGNED = 16, CONFIGS = 32, VIRTUAL = 100 /* unique ids from there on */ };

/* ---- descriptors ---- */

/* NULL, and all that follows does nothing, behind a failure.  */
static void *make(struct dnn_graph *g, int type)
{
    void *d = NULL;

    if (!g->status && g->n_desc == DNN_DESCRIPTORS)
        g->status = -1;
    if (!g->status)
        g->status = g->dnn->make(type, &d);
    if (g->status)
        return NULL;
    g->desc[g->n_desc++] = d;
    return d;
}

static void put(struct dnn_graph *g, void *d, int name, int type, int64_t count, const void *p)
{
    if (!g->status)
        g->status = g->dnn->set(d, name, type, count, p);
}

static void put_int(struct dnn_graph *g, void *d, int name, int type, int v)
{
    put(g, d, name, type, 1, &v);
}

static void put_sizes(struct dnn_graph *g, void *d, int name, int count, const int64_t *v)
{
    put(g, d, name, DNN_TYPE_INT64, count, v);
}

static void put_desc(struct dnn_graph *g, void *d, int name, void *v)
{
    put(g, d, name, DNN_TYPE_DESCRIPTOR, 1, &v);
}

static void put_factor(struct dnn_graph *g, void *d, int name, float v)
{
    put(g, d, name, DNN_TYPE_FLOAT, 1, &v);
}

static void *finalize(struct dnn_graph *g, void *d)
{
    if (!g->status)
        g->status = g->dnn->finalize(d);
    return d;
}

/* Channels last.  */
static void *tensor(struct dnn_graph *g, int64_t id, const int64_t *size, int type)
{
    const int64_t step[] = {size[1] * size[2] * size[3], 1, size[1] * size[3], size[1]};
    const int64_t aligned = ALIGNED;
    const int is_virtual = id >= VIRTUAL;
    const char yes = 1;
    void *d = make(g, DNN_TENSOR);

    put_sizes(g, d, DNN_TENSOR_UNIQUE_ID, 1, &id);
    put_int(g, d, DNN_TENSOR_DATA_TYPE, DNN_TYPE_DATA_TYPE, type);
    put_sizes(g, d, DNN_TENSOR_DIMENSIONS, 4, size);
    put_sizes(g, d, DNN_TENSOR_STRIDES, 4, step);
    put_sizes(g, d, DNN_TENSOR_ALIGNMENT, 1, &aligned);
    if (is_virtual)
        put(g, d, DNN_TENSOR_IS_VIRTUAL, DNN_TYPE_BOOLEAN, 1, &yes);
    return finalize(g, d);
}

static void *operand(struct dnn_graph *g, int which, const int64_t *size)
{
    g->there[which] = 1;
    return tensor(g, which + 1, size, which < DNN_SUM ? g->type : DNN_DATA_FLOAT);
}

/* ---- operations ---- */

static void *convolution(struct dnn_graph *g, const struct dnn_conv *c)
{
    const int64_t directions = 2;
    void *d = make(g, DNN_CONVOLUTION);

    put_sizes(g, d, DNN_CONVOLUTION_SPATIAL_DIMS, 1, &directions);
    put_int(g, d, DNN_CONVOLUTION_COMP_TYPE, DNN_TYPE_DATA_TYPE, DNN_DATA_FLOAT);
    put_int(g, d, DNN_CONVOLUTION_CONV_MODE, DNN_TYPE_CONVOLUTION_MODE, DNN_CROSS_CORRELATION);
    put_sizes(g, d, DNN_CONVOLUTION_DILATIONS, 2, c->dilation);
    put_sizes(g, d, DNN_CONVOLUTION_FILTER_STRIDES, 2, c->stride);
    put_sizes(g, d, DNN_CONVOLUTION_PRE_PADDINGS, 2, c->before);
    put_sizes(g, d, DNN_CONVOLUTION_POST_PADDINGS, 2, c->after);
    return finalize(g, d);
}

/* The operation of each kind, and its attributes.  */
static const struct form {
    int op, x, w, y, conv, alpha, beta;
} forms[] = {
    [DNN_KIND_FORWARD] = {DNN_OP_FORWARD, DNN_FORWARD_X, DNN_FORWARD_W, DNN_FORWARD_Y,
                          DNN_FORWARD_CONV, DNN_FORWARD_ALPHA, DNN_FORWARD_BETA},
    [DNN_KIND_DX] = {DNN_OP_BWD_DATA, DNN_BWD_DATA_DX, DNN_BWD_DATA_W, DNN_BWD_DATA_DY,
                     DNN_BWD_DATA_CONV, DNN_BWD_DATA_ALPHA, DNN_BWD_DATA_BETA},
    [DNN_KIND_DW] = {DNN_OP_BWD_FILTER, DNN_BWD_FILTER_X, DNN_BWD_FILTER_DW, DNN_BWD_FILTER_DY,
                     DNN_BWD_FILTER_CONV, DNN_BWD_FILTER_ALPHA, DNN_BWD_FILTER_BETA},
};

/* Of X or to its gradient, with result or gradient Y.  */
static void *convolve(struct dnn_graph *g, const struct dnn_conv *c, void *x, void *y)
{
    const struct form *f = &forms[c->kind];
    void *d = make(g, f->op);

    put_desc(g, d, f->conv, convolution(g, c));
    put_desc(g, d, f->x, x);
    put_desc(g, d, f->w, operand(g, DNN_W, c->w));
    put_desc(g, d, f->y, y);
    put_factor(g, d, f->alpha, 1);
    put_factor(g, d, f->beta, 0);
    return finalize(g, d);
}

/* One without operands yet.  */
static void *pointwise_of(struct dnn_graph *g, int mode)
{
    void *how = make(g, DNN_POINTWISE), *d;

    put_int(g, how, DNN_POINTWISE_MODE, DNN_TYPE_POINTWISE_MODE, mode);
    put_int(g, how, DNN_POINTWISE_MATH_PREC, DNN_TYPE_DATA_TYPE, DNN_DATA_FLOAT);
    finalize(g, how);
    d = make(g, DNN_OP_POINTWISE);
    put_desc(g, d, DNN_OP_POINTWISE_DESC, how);
    return d;
}

/* Y = MODE(X), or of X and B.  */
static void *pointwise(struct dnn_graph *g, int mode, void *x, void *b, void *y)
{
    void *d = pointwise_of(g, mode);

    put_desc(g, d, DNN_OP_POINTWISE_X, x);
    if (b)
        put_desc(g, d, DNN_OP_POINTWISE_B, b);
    put_desc(g, d, DNN_OP_POINTWISE_Y, y);
    return finalize(g, d);
}

static void *sums(struct dnn_graph *g, void *y, const int64_t *channels)
{
    void *d = make(g, DNN_OP_GENSTATS);

    put_int(g, d, DNN_OP_GENSTATS_MODE, DNN_TYPE_GENSTATS_MODE, DNN_GENSTATS_SUM_SQSUM);
    put_int(g, d, DNN_OP_GENSTATS_MATH_PREC, DNN_TYPE_DATA_TYPE, DNN_DATA_FLOAT);
    put_desc(g, d, DNN_OP_GENSTATS_X, y);
    put_desc(g, d, DNN_OP_GENSTATS_SUM, operand(g, DNN_SUM, channels));
    put_desc(g, d, DNN_OP_GENSTATS_SQSUM, operand(g, DNN_SQUARE, channels));
    return finalize(g, d);
}

/* DX = DY where X > 0, else 0.  */
static void *slope(struct dnn_graph *g, void *x, void *dy, void *dx)
{
    void *d = pointwise_of(g, DNN_POINTWISE_RELU_BWD);

    put_desc(g, d, DNN_OP_POINTWISE_X, x);
    put_desc(g, d, DNN_OP_POINTWISE_DY, dy);
    put_desc(g, d, DNN_OP_POINTWISE_DX, dx);
    return finalize(g, d);
}

enum { MEAN, INVSTD, SCALE, SHIFT, NORM };

static void *products(struct dnn_graph *g, void *v, void *const *norm, void *dx,
                      const int64_t *channels)
{
    void *d = make(g, DNN_OP_BN_BWD_WEIGHTS);

    put_int(g, d, DNN_BN_BWD_WEIGHTS_MATH_PREC, DNN_TYPE_DATA_TYPE, DNN_DATA_FLOAT);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_MEAN, norm[MEAN]);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_INVSTD, norm[INVSTD]);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_SCALE, norm[SCALE]);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_X, v);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_DY, dx);
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_DSCALE, operand(g, DNN_PRODUCT, channels));
    put_desc(g, d, DNN_BN_BWD_WEIGHTS_DBIAS, operand(g, DNN_SUM, channels));
    for (int i = 0; i < 3; i++)
        put_desc(g, d, DNN_BN_BWD_WEIGHTS_EQ_DY + i, operand(g, DNN_UNUSED + i, channels));
    return finalize(g, d);
}

enum { OPS = 7 };

/* The operations, in order; how many.  */
static int list_ops(struct dnn_graph *g, const struct dnn_conv *c, void **op)
{
    const int64_t channels[] = {1, c->y[1], 1, 1};
    const int count = 1 + c->add + c->bias + c->relu;
    void *v = NULL, *next = NULL;
    int n = 0;

    for (int k = 0; k < count; k++) {
        next =
            k + 1 < count ? tensor(g, VIRTUAL + k, c->y, DNN_DATA_FLOAT) : operand(g, DNN_Y, c->y);
        if (k == 0)
            op[n++] = convolve(g, c, operand(g, DNN_X, c->x), next);
        else if (k == 1 && c->add)
            op[n++] = pointwise(g, DNN_POINTWISE_ADD, v, operand(g, DNN_ADD, c->y), next);
        else if (k == 1 + c->add)
            op[n++] = pointwise(g, DNN_POINTWISE_ADD, v, operand(g, DNN_BIAS, channels), next);
        else
            op[n++] = pointwise(g, DNN_POINTWISE_RELU_FWD, v, NULL, next);
        v = next;
    }
    if (c->sums)
        op[n++] = sums(g, v, channels);
    return n;
}

/* conv', slope and sums; likewise.  */
static int list_sums_back(struct dnn_graph *g, const struct dnn_conv *c, void **op)
{
    static const int mode[NORM] = {DNN_POINTWISE_SUB, DNN_POINTWISE_MUL, DNN_POINTWISE_MUL,
                                   DNN_POINTWISE_ADD};
    const int64_t channels[] = {1, c->x[1], 1, 1};
    void *dx = tensor(g, VIRTUAL, c->x, DNN_DATA_FLOAT), *v = operand(g, DNN_V, c->x);
    void *to = operand(g, DNN_X, c->x), *b = v, *next, *norm[NORM];
    int n = 0;

    op[n++] = convolve(g, c, dx, operand(g, DNN_Y, c->y));
    for (int i = 0; i < NORM; i++) {
        norm[i] = operand(g, DNN_MEAN + i, channels);
        next = tensor(g, VIRTUAL + n, c->x, DNN_DATA_FLOAT);
        op[n++] = pointwise(g, mode[i], b, norm[i], next);
        b = next;
    }
    op[n++] = slope(g, b, dx, to);
    op[n++] = products(g, v, norm, to, channels);
    return n;
}

/* ---- engines ---- */

static void *ask(struct dnn_graph *g, const struct dnn_conv *c, void *handle, void *deviceprop)
{
    void *op[OPS] = {0};
    const int back = c->sums && c->kind == DNN_KIND_DX;
    const int n = back ? list_sums_back(g, c, op) : list_ops(g, c, op);
    void *graph = make(g, DNN_GRAPH), *d;

    put(g, graph, DNN_GRAPH_OPS, DNN_TYPE_DESCRIPTOR, n, op);
    if (handle)
        put(g, graph, DNN_GRAPH_HANDLE, DNN_TYPE_HANDLE, 1, &handle);
    finalize(g, graph);
    d = make(g, DNN_ENGINEHEUR);
    put_desc(g, d, DNN_ENGINEHEUR_GRAPH, graph);
    put_int(g, d, DNN_ENGINEHEUR_MODE, DNN_TYPE_HEUR_MODE, DNN_HEUR_MODE_A);
    if (!handle)
        put_desc(g, d, DNN_ENGINEHEUR_DEVICEPROP, deviceprop);
    return finalize(g, d);
}

/* As many of what it proposes as there are, into CONFIG.  */
static int list_configs(struct dnn_graph *g, void *heuristic, void **config)
{
    int64_t n = 0;

    if (!g->status)
        g->status =
            g->dnn->get(heuristic, DNN_ENGINEHEUR_RESULTS, DNN_TYPE_DESCRIPTOR, 0, &n, NULL);
    n = n < CONFIGS ? n : CONFIGS;
    for (int i = 0; i < n; i++)
        if (g->status || (g->status = g->dnn->make(DNN_ENGINECFG, &config[i])))
            return 0;
    if (n)
        g->status =
            g->dnn->get(heuristic, DNN_ENGINEHEUR_RESULTS, DNN_TYPE_DESCRIPTOR, n, &n, config);
    return g->status ? 0 : (int)n;
}

/* The same bits in every run.  */
static int is_fixed(const struct dnn_graph *g, void *config)
{
    int note[DNN_NOTES];
    int64_t n = 0;
    void *engine = NULL;
    int bad = g->dnn->make(DNN_ENGINE, &engine);

    if (!bad)
        bad = g->dnn->get(config, DNN_ENGINECFG_ENGINE, DNN_TYPE_DESCRIPTOR, 1, &n, &engine);
    if (!bad)
        bad = g->dnn->get(engine, DNN_ENGINE_NUMERICAL_NOTE, DNN_TYPE_NUMERICAL_NOTE, DNN_NOTES, &n,
                          note);
    for (int i = 0; !bad && i < n; i++)
        bad = note[i] == DNN_NOTE_NONDETERMINISTIC;
    if (engine)
        g->dnn->drop(engine);
    return !bad;
}

/* A plan for CONFIG, with at most ROOM bytes; NULL.  */
static void *plan_for(struct dnn_graph *g, void *config, void *handle, void *deviceprop,
                      size_t room)
{
    const struct cudnn *dnn = g->dnn;
    int64_t bytes = 0, n;
    void *d = NULL;
    int bad = dnn->make(DNN_PLAN, &d);

    if (!bad)
        bad = dnn->set(d, DNN_PLAN_ENGINECFG, DNN_TYPE_DESCRIPTOR, 1, &config);
    if (!bad)
        bad = handle ? dnn->set(d, DNN_PLAN_HANDLE, DNN_TYPE_HANDLE, 1, &handle)
                     : dnn->set(d, DNN_PLAN_DEVICEPROP, DNN_TYPE_DESCRIPTOR, 1, &deviceprop);
    if (!bad)
        bad = dnn->finalize(d);
    if (!bad)
        bad = dnn->get(d, DNN_PLAN_WORKSPACE_SIZE, DNN_TYPE_INT64, 1, &n, &bytes);
    if (!bad && bytes >= 0 && (size_t)bytes <= room) {
        g->bytes = (size_t)bytes;
        return d;
    }
    if (d)
        dnn->drop(d);
    return NULL;
}

int dnn_make(struct dnn_graph *g, const struct cudnn *dnn, void *handle, void *deviceprop,
             const struct dnn_conv *c, int way, size_t room)
{
    void *config[CONFIGS] = {0};
    int n;

    *g = (struct dnn_graph){.dnn = dnn, .type = c->type};
    n = list_configs(g, ask(g, c, handle, deviceprop), config);
    for (int i = 0; i < n && !g->plan; i++) {
        void *plan =
            is_fixed(g, config[i]) ? plan_for(g, config[i], handle, deviceprop, room) : NULL;

        if (plan && way-- > 0)
            dnn->drop(plan);
        else
            g->plan = plan;
    }
    for (int i = 0; i < CONFIGS; i++)
        if (config[i])
            dnn->drop(config[i]);
    if (g->plan)
        return 0;
    dnn_drop(g);
    return -1;
}

int dnn_bind(struct dnn_graph *g, void *const operand_at[DNN_OPERANDS], void *scratch)
{
    int64_t id[DNN_OPERANDS];
    void *p[DNN_OPERANDS];
    int n = 0;

    for (int i = 0; i < DNN_OPERANDS; i++)
        if (g->there[i]) {
            p[n] = operand_at[i];
            id[n++] = i + 1;
        }
    g->pack = make(g, DNN_VARIANT_PACK);
    put_sizes(g, g->pack, DNN_PACK_UNIQUE_IDS, n, id);
    put(g, g->pack, DNN_PACK_DATA_POINTERS, DNN_TYPE_VOID_PTR, n, p);
    put(g, g->pack, DNN_PACK_WORKSPACE, DNN_TYPE_VOID_PTR, 1, &scratch);
    finalize(g, g->pack);
    return g->status ? -1 : 0;
}

void dnn_drop(struct dnn_graph *g)
{
    if (g->plan)
        g->dnn->drop(g->plan);
    while (g->n_desc > 0)
        g->dnn->drop(g->desc[--g->n_desc]);
    g->plan = g->pack = NULL;
}
