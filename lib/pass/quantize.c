/* quantize.c -- quantize/dequantize pairs around what runs in 8 bits: see
 * pass.h.
 * SPDX-License-Identifier: MIT
 *
 * Layers (conv2d, linear) and the ops behind them that work on 8 bits are
 * taken.  Each activation that one of them reads goes through one pair, which
 * all of its readers share, but for results of a layer or an add whose only
 * reader is an activation: that is part of the same step, and the pair stands
 * behind it.  A result that only float ops read, such as the logits, stays
 * float, and so does a sum that reaches no layer in 8 bits.  Ops that move
 * numbers hand their input's scale on; what only a concat reads takes the
 * scale of its result, and is rounded once.
 *
 * With x = s_x (q - z) and w = s_w p, a layer is s_x s_w (sum p (q - z) + b),
 * all integers.  The rounding is that of ONNX: half to even.  */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/quant8.h"
#include "pass/match.h"
#include "pass/pass.h"

#define LAYERS      "conv2d|linear"
#define ACTIVATIONS "relu|relu6|clip"
/* Ops whose results are numbers of their input, or zeros.  */
#define MOVES                                                                \
    "maxpool2d|flatten|reshape|transpose|subsample|padchannels|slice|split|" \
    "select|channelshuffle|identity"
#define OTHERS "add|avgpool2d|globalavgpool|concat|" ACTIVATIONS "|" MOVES

/* What is done with each value and node of the input graph.  */
struct choice {
    const struct graph *g;
    char *taken;  /* [n_node]: works on 8 bits */
    char *wanted; /* [n_value]: gets a pair */
    int *like;    /* [n_value]: takes the scale of that value, or -1 */
};

/* N's weight: f32 data that nothing computes.  */
static const struct value *weight_of(const struct node *n)
{
    const struct value *w = n->in[node_in_index(n, "weight")];

    return value_is_tensor(w) && w->dtype == DTYPE_F32 ? w : NULL;
}

static int is_skipped(struct graph *names, const struct node *n,
                      const struct quantize_opts *o)
{
    if (!o || !o->skip)
        return 0;
    return match_name(n->name, o->skip) ||
           match_name(match_stem(names, n), o->skip);
}

static int reads_taken(const struct choice *c, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->node && c->taken[n->in[i]->node->index])
            return 1;
    return 0;
}

/* Behind a first pass the operands come from dequantize: nothing is taken
 * twice.  */
static int is_done(const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->kind == VALUE_NODE &&
            !match_op(n->in[i]->node, "dequantize"))
            return 0;
    return n->n_in > 0 && n->in[0]->kind == VALUE_NODE;
}

/* V is finished by the activation that alone reads it.  */
static int is_inner(const struct choice *c, const struct value *v)
{
    const struct node *reader = match_reader(c->g, v);

    return reader && match_op(reader, ACTIVATIONS) &&
           match_op(v->node, LAYERS "|add") && c->taken[v->node->index] &&
           c->taken[reader->index];
}

/* Does N's result reach a layer in 8 bits, through ops in 8 bits: USEFUL has
 * the answer for the nodes behind it.  */
static int is_useful(const struct choice *c, const struct node *n,
                     const char *useful)
{
    for (int k = 0; k < n->n_out; k++)
        for (int u = 0; n->out[k] && u < n->out[k]->n_use; u++) {
            const struct node *reader = n->out[k]->use[u].node;

            if (c->taken[reader->index] &&
                (match_op(reader, LAYERS) || useful[reader->index]))
                return 1;
        }
    return 0;
}

/* Sums that no layer in 8 bits reads stay float: a transformer carries them
 * from block to block and gives them to normalisations, which are float, and
 * which make of a small token what one scale for all tokens has left of it.  */
static void spare_sums(struct choice *c)
{
    char *useful = xcalloc((size_t)c->g->n_node + 1, 1);

    for (int i = c->g->n_node - 1; i >= 0; i--) {
        const struct node *n = c->g->node[i];

        useful[i] = is_useful(c, n, useful);
        if (!useful[i] && match_op(n, "add"))
            c->taken[i] = 0;
    }
    for (int i = 0; i < c->g->n_node; i++)
        c->taken[i] &=
            match_op(c->g->node[i], LAYERS) || reads_taken(c, c->g->node[i]);
    free(useful);
}

static void choose_nodes(struct choice *c, const struct quantize_opts *o)
{
    struct graph names = {0}; /* an arena for match_stem() */

    for (int i = 0; i < c->g->n_node; i++) {
        const struct node *n = c->g->node[i];

        if (n->train || is_skipped(&names, n, o))
            continue;
        if (match_op(n, LAYERS))
            c->taken[i] = weight_of(n) != NULL;
        else
            c->taken[i] =
                match_op(n, OTHERS) && reads_taken(c, n) && !is_done(n);
    }
    spare_sums(c);
    arena_release(&names.arena);
}

/* The value whose scale V takes, or -1.  */
static int like_of(const struct choice *c, const struct value *v)
{
    const struct node *n = v->node, *reader = match_reader(c->g, v);

    if (match_op(n, MOVES) && c->taken[n->index] && c->wanted[n->in[0]->index])
        return n->in[0]->index;
    if (match_op(reader, "concat") && c->taken[reader->index] &&
        c->wanted[reader->out[0]->index])
        return reader->out[0]->index;
    return -1;
}

static void choose_values(struct choice *c)
{
    for (int i = 0; i < c->g->n_node; i++) {
        const struct node *n = c->g->node[i];

        for (int k = 0; c->taken[i] && k < n->n_in; k++) {
            const struct value *v = n->in[k];

            if (v && !value_is_tensor(v) && v->dtype == DTYPE_F32 &&
                !is_inner(c, v) && !match_op(v->node, "dequantize"))
                c->wanted[v->index] = 1;
        }
    }
    for (int i = 0; i < c->g->n_value; i++)
        c->like[i] = c->wanted[i] ? like_of(c, c->g->value[i]) : -1;
}

static void choose(struct choice *c, const struct graph *g,
                   const struct quantize_opts *o)
{
    c->g = g;
    c->taken = xcalloc((size_t)g->n_node + 1, 1);
    c->wanted = xcalloc((size_t)g->n_value + 1, 1);
    c->like = xcalloc((size_t)g->n_value + 1, sizeof *c->like);
    choose_nodes(c, o);
    choose_values(c);
}

static void choice_release(struct choice *c)
{
    free(c->taken);
    free(c->wanted);
    free(c->like);
}

const char **pass_quantize_wants(const struct graph *in,
                                 const struct quantize_opts *o)
{
    const char **names = xcalloc((size_t)in->n_value + 1, sizeof *names);
    struct choice c;
    int n = 0;

    choose(&c, in, o);
    for (int i = 0; i < in->n_value; i++)
        if (c.wanted[i] && c.like[i] < 0)
            names[n++] = in->value[i]->name;
    choice_release(&c);
    return names;
}

const char *pass_quantized(const struct graph *g)
{
    for (int i = 0; i < g->n_node; i++)
        if (match_op(g->node[i], "quantize"))
            return g->node[i]->name;
    return NULL;
}

int pass_need_float(const struct graph *g, struct err *e)
{
    const char *already = pass_quantized(g);

    return already ? err_set(e, ERR_UNSUPPORTED,
                             "the model is in 8 bits already ('%s'): begin "
                             "with the float model that it was made of",
                             Q(already))
                   : 0;
}

const char *pass_quantize_unknown(const struct graph *in,
                                  const struct quantize_opts *o)
{
    const char *unknown = NULL;
    struct graph names = {0};

    for (const char *const *p = o->skip; p && *p && !unknown; p++) {
        const char *const one[] = {*p, NULL};
        const struct quantize_opts alone = {.skip = one};

        unknown = *p;
        for (int i = 0; i < in->n_node && unknown; i++)
            if (is_skipped(&names, in->node[i], &alone))
                unknown = NULL;
    }
    arena_release(&names.arena);
    return unknown;
}

/* ---- activations ---- */

struct grid {
    float scale;
    uint8_t zero;
};

/* The 256 levels that cover [min, max] and 0 exactly.  A value that is
 * always 0, or too small to tell from it, gets the scale 1.  */
static int grid_of(struct grid *g, const struct range *r, struct err *e)
{
    const double min = r->min < 0 ? r->min : 0, max = r->max > 0 ? r->max : 0;
    const double scale = (max - min) / 255;

    if (!isfinite(r->min) || !isfinite(r->max) || r->min > r->max)
        return err_set(e, ERR_NONFINITE, "the range of '%s' is [%g, %g]",
                       Q(r->name), r->min, r->max);
    if (scale > FLT_MAX)
        return err_set(e, ERR_NONFINITE,
                       "the range of '%s', [%g, %g], is too large", Q(r->name),
                       r->min, r->max);
    g->scale = scale < 1e-30 ? 1 : (float)scale;
    g->zero = (uint8_t)fmin(255, rint(-min / (double)g->scale));
    return 0;
}

static int find_grid(struct grid *g, const char *name,
                     const struct quantize_opts *o, const struct name_map *at,
                     struct err *e)
{
    const int64_t i = name_map_get(at, name);

    if (i < 0)
        return err_set(e, ERR_USAGE,
                       "no range for '%s'; calibrate with this model", Q(name));
    return grid_of(g, &o->range[i], e);
}

/* A CONST value NAME.PART, or NAME.PART_2 ...  DATA is copied.  */
static struct value *constant(struct graph *g, const char *name,
                              const char *part, enum dtype dt,
                              const struct shape *s, const void *data,
                              struct err *e)
{
    const char *want = arena_printf(&g->arena, "%s%s", name, part);
    struct tensor t;
    struct value *v;

    if (tensor_new(&t, dt, s, e) < 0)
        return NULL;
    if (data)
        memcpy(t.data, data, tensor_bytes(&t));
    v = graph_tensor(g, graph_name_free(g, want), VALUE_CONST, NULL, &t);
    tensor_unref(&t);
    return v;
}

static struct node *add_named(struct graph *g, const char *op, const char *name,
                              const char *part, struct value *const *in,
                              const char *axis, struct err *e)
{
    const char *want = arena_printf(&g->arena, "%s%s", name, part);

    return graph_add(g, op_find(op), graph_name_free(g, want), in, 3,
                     (struct attr_text[]){{"axis", axis}, {0}}, e);
}

/* V -> quantize -> dequantize -> all that read V until now.  */
static int add_pair(struct graph *g, struct value *v, const struct grid *grid,
                    struct err *e)
{
    const struct shape one = {.rank = 0};
    const int readers = v->n_use;
    struct use *old = ARENA_NEWS(&g->arena, readers + 1, struct use);
    struct value *in[] = {
        v, constant(g, v->name, ".scale", DTYPE_F32, &one, &grid->scale, e),
        constant(g, v->name, ".zero_point", DTYPE_U8, &one, &grid->zero, e)};
    struct node *q = NULL, *d = NULL;

    memcpy(old, v->use, (size_t)readers * sizeof *old);
    if (in[1] && in[2])
        q = add_named(g, "quantize", v->name, ".quantize", in, "1", e);
    if (!q)
        return -1;
    in[0] = q->out[0];
    d = add_named(g, "dequantize", v->name, ".dequantize", in, "1", e);
    if (!d)
        return -1;
    for (int i = 0; i < readers; i++)
        node_set_in(old[i].node, old[i].in, d->out[0]);
    return 0;
}

/* ---- weights ---- */

/* The scale of the numbers that LAYER reads from its input.  */
static float input_scale(const struct node *layer)
{
    const struct node *d = layer->in[0]->node;

    return *(const float *)d->in[1]->data.data;
}

/* A sum of 32 bits must hold the bias with room for the products.  */
#define BIAS_LIMIT 1073741824.0 /* 2^30 */

/* Scales of the K rows of W: the largest weight is MOST.  Where the bias B
 * would not fit at s_x s_w, the scale grows until it does; a row of zeros
 * without bias gets 1.  */
static int row_scales(float *scale, const struct tensor *w, int64_t most,
                      const float *b, float sx, const char *node, struct err *e)
{
    const int64_t k = w->shape.dim[0], row = k ? tensor_count(w) / k : 0;

    for (int64_t i = 0; i < k; i++) {
        const float *p = (const float *)w->data + i * row;
        double far = 0;

        for (int64_t j = 0; j < row; j++)
            far = fabs((double)p[j]) <= far ? far : fabs((double)p[j]);
        const double bias = b ? fabs((double)b[i]) : 0;

        if (!isfinite(far) || !isfinite(bias))
            return err_set(e, ERR_NONFINITE,
                           "'%s': channel %lld: a weight or the bias is not "
                           "finite",
                           Q(node), (long long)i);
        scale[i] = (float)fmax(far / (double)most, bias / (sx * BIAS_LIMIT));
        if (scale[i] < 1e-30f)
            scale[i] = 1;
    }
    return 0;
}

static int64_t level(double x, double scale, int64_t limit)
{
    const double q = rint(x / scale);

    return (int64_t)(q > (double)limit    ? (double)limit
                     : q < -(double)limit ? -(double)limit
                                          : q);
}

/* Put P, whose name is V's, in the place of operand I of N.  V itself goes if
 * nobody else reads it.  */
static int put_levels(struct graph *g, struct node *n, int i,
                      const struct tensor *levels, const struct tensor *scale,
                      struct err *e)
{
    struct value *v = n->in[i], *in[3];
    const char *name = v->name;
    struct node *d;

    if (v->n_use > 1)
        v = graph_tensor(g, graph_name_free(g, name), VALUE_CONST, NULL,
                         levels);
    else
        value_set_data(v, levels);
    v->kind = VALUE_CONST;
    v->init = NULL;
    in[0] = v;
    in[1] = constant(g, v->name, "_scale", DTYPE_F32, &scale->shape,
                     scale->data, e);
    in[2] = constant(g, v->name, "_zero_point", levels->dtype, &scale->shape,
                     NULL, e);
    if (!in[1] || !in[2])
        return -1;
    node_set_in(n, i, NULL);
    d = add_named(g, "dequantize", v->name, ".dequantize", in, "0", e);
    if (!d)
        return -1;
    node_set_in(n, i, d->out[0]);
    return 0;
}

static int quantize_weight(struct graph *g, struct node *n, int i, int64_t most,
                           const struct tensor *scale, struct err *e)
{
    const struct tensor w = n->in[i]->data;
    const int64_t k = w.shape.dim[0], row = k ? tensor_count(&w) / k : 0;
    const float *s = scale->data;
    struct tensor q;
    int bad;

    if (tensor_new(&q, DTYPE_I8, &w.shape, e) < 0)
        return -1;
    for (int64_t j = 0; j < k * row; j++)
        ((int8_t *)q.data)[j] =
            (int8_t)level(((const float *)w.data)[j], s[j / row], most);
    bad = put_levels(g, n, i, &q, scale, e);
    tensor_unref(&q);
    return bad;
}

static int quantize_bias(struct graph *g, struct node *n, int i,
                         const struct tensor *scale, float sx, struct err *e)
{
    const struct tensor b = n->in[i]->data;
    struct tensor q, s = {0};
    int bad = -1;

    if (tensor_new(&q, DTYPE_I32, &b.shape, e) < 0 ||
        tensor_new(&s, DTYPE_F32, &b.shape, e) < 0)
        goto out;
    for (int64_t j = 0; j < tensor_count(&b); j++) {
        float *sj = (float *)s.data + j;

        *sj = sx * ((const float *)scale->data)[j];
        ((int32_t *)q.data)[j] =
            (int32_t)level(((const float *)b.data)[j], *sj, INT32_MAX);
    }
    bad = put_levels(g, n, i, &q, &s, e);
out:
    tensor_unref(&q);
    tensor_unref(&s);
    return bad;
}

static int quantize_layer(struct graph *g, struct node *n, int64_t most,
                          struct err *e)
{
    const int wi = node_in_index(n, "weight"), bi = node_in_index(n, "bias");
    const struct value *w = n->in[wi], *b = n->in[bi];
    const struct shape rows = {.rank = 1, .dim = {w->shape.dim[0]}};
    const float sx = input_scale(n);
    struct tensor scale;
    int bad;

    if (!w->data.data || (b && !b->data.data))
        return err_set(e, ERR_USAGE,
                       "'%s' has no data; initialise the model with adze-init",
                       Q(w->name));
    if (tensor_new(&scale, DTYPE_F32, &rows, e) < 0)
        return -1;
    bad = row_scales(scale.data, &w->data, most, b ? b->data.data : NULL, sx,
                     n->name, e) < 0 ||
          quantize_weight(g, n, wi, most, &scale, e) < 0 ||
          (b && quantize_bias(g, n, bi, &scale, sx, e) < 0);
    tensor_unref(&scale);
    return bad ? -1 : 0;
}

/* ---- the pass ---- */

struct pairs {
    struct graph *g;
    const struct choice *c;
    const struct quantize_opts *o;
    struct name_map at;
};

/* A pair for value V of the input graph, if it wants one.  */
static int pair(struct pairs *p, const struct value *v, struct err *e)
{
    struct grid grid;
    int like = v->index;

    if (!p->c->wanted[v->index])
        return 0;
    while (p->c->like[like] >= 0)
        like = p->c->like[like];
    if (find_grid(&grid, p->c->g->value[like]->name, p->o, &p->at, e) < 0)
        return -1;
    return add_pair(p->g, p->g->value[v->index], &grid, e);
}

static int all_pairs(struct pairs *p, struct err *e)
{
    const struct graph *in = p->c->g;

    for (int i = 0; i < in->n_value; i++)
        if (in->value[i]->kind == VALUE_INPUT && pair(p, in->value[i], e) < 0)
            return -1;
    for (int i = 0; i < in->n_node; i++)
        for (int k = 0; k < in->node[i]->n_out; k++)
            if (in->node[i]->out[k] && pair(p, in->node[i]->out[k], e) < 0)
                return -1;
    return 0;
}

static int layers(struct graph *g, const struct choice *c, int64_t most,
                  struct err *e)
{
    for (int i = 0; i < c->g->n_node; i++)
        if (c->taken[i] && match_op(c->g->node[i], LAYERS) &&
            quantize_layer(g, g->node[i], most, e) < 0)
            return -1;
    return 0;
}

/* ---- splits ---- */

/* Piece I, which begins at START.  */
static struct node *piece(struct graph *g, const struct node *split, int i,
                          int64_t start, struct err *e)
{
    const int64_t axis = attr_int(split, "axis");
    const int64_t length = split->out[i]->shape.dim[axis];
    const char *name = arena_printf(&g->arena, "%s.%d", split->name, i);
    const struct attr_text attr[] = {
        {"axis", arena_printf(&g->arena, "%lld", (long long)axis)},
        {"start", arena_printf(&g->arena, "%lld", (long long)start)},
        {"length", arena_printf(&g->arena, "%lld", (long long)length)},
        {0}};

    return graph_add(g, op_find("slice"), graph_name_free(g, name),
                     &split->in[0], 1, attr, e);
}

/* The pieces of SPLIT by a slice each: a step in 8 bits has one result, behind
 * which its pair stands.  */
static int cut_apart(struct graph *g, struct node *split, struct err *e)
{
    int64_t start = 0;

    for (int i = 0; i < split->n_out; i++) {
        struct node *slice = piece(g, split, i, start, e);

        if (!slice)
            return -1;
        start += attr_int(slice, "length");
        graph_replace(g, split->out[i], slice->out[0]);
    }
    graph_remove(g, split);
    return 0;
}

static int splits(struct graph *g, const struct choice *c, struct err *e)
{
    for (int i = 0; i < c->g->n_node; i++) {
        const struct node *n = c->g->node[i];

        if (c->taken[i] && match_op(n, "split") &&
            cut_apart(g, graph_value(g, n->name)->node, e) < 0)
            return -1;
    }
    return 0;
}

struct graph *pass_quantize(const struct graph *in,
                            const struct quantize_opts *o, struct err *e)
{
    struct graph *g = graph_copy(in);
    struct choice c;
    struct pairs p = {.g = g, .c = &c, .o = o};
    int bad;

    choose(&c, in, o);
    for (int64_t i = 0; i < o->n_range; i++)
        name_map_put(&p.at, o->range[i].name, i);
    bad = all_pairs(&p, e) < 0 ||
          layers(g, &c, o->reduce_range ? QUANT8_MOST_7 : QUANT8_MOST, e) < 0 ||
          splits(g, &c, e) < 0;
    choice_release(&c);
    name_map_release(&p.at);
    if (!bad) {
        graph_sort(g);
        graph_prune(g);
        bad = graph_check(g, e) < 0;
    }
    if (bad) {
        graph_free(g);
        return NULL;
    }
    return g;
}
