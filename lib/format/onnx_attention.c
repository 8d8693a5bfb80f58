/* onnx_attention.c -- softmax between products, as the op attention.
 * SPDX-License-Identifier: MIT
 *
 * Exporters write the heads of attention in many orders of reshapes,
 * transposes and cuts.  What they come to is seen by carrying the number of
 * each element of the source [T,3C] of one sample through them: queries, keys
 * and values must be those that the op reads, the result what it writes.
 * Before that, layers on rows of tokens become layers on tokens.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"
#include "pass/match.h"

enum { STEPS = 16, OUTPUTS = 64, NUMBERS = 1 << 24 }; /* exact in f32 */

/* The way from a value to what it is a part of.  */
struct way {
    struct node *step[STEPS];
    int n;
    double scale;
    struct value *from;
};

static int moves(const struct node *n)
{
    return n && n->dir == DIR_FORWARD && n->n_out <= OUTPUTS &&
           node_is(n, "reshape|transpose|select|slice|split|flatten|identity");
}

/* N multiplies by one number, its operand I.  */
static int number_of(const struct node *n)
{
    for (int i = 0; n && node_is(n, "mul") && n->n_in == 2 && i < 2; i++)
        if (n->in[i]->kind == VALUE_CONST && n->in[i]->data.data &&
            tensor_count(&n->in[i]->data) == 1)
            return i;
    return -1;
}

static struct value *scaled(struct value *v, double *scale)
{
    int i;

    while ((i = number_of(v->node)) >= 0) {
        *scale *= *(const float *)v->node->in[i]->data.data;
        v = v->node->in[1 - i];
    }
    return v;
}

static int find_way(struct way *w, struct value *v)
{
    *w = (struct way){.scale = 1};
    for (v = scaled(v, &w->scale); moves(v->node);
         v = scaled(v->node->in[0], &w->scale)) {
        if (w->n == STEPS)
            return -1;
        w->step[w->n++] = v->node;
    }
    w->from = v;
    return 0;
}

/* *T goes through N, whose result OUT is kept.  Frees what *T was.  */
static int step(const struct node *n, int out, struct tensor *t, struct err *e)
{
    struct tensor y[OUTPUTS] = {{0}};
    const struct op_args a = {.node = n, .in = t, .out = y};
    int bad = 0;

    for (int i = 0; i < n->n_out && !bad; i++) {
        const struct shape s = shape_bind(n->out[i]->shape, 1);

        bad = tensor_new(&y[i], DTYPE_F32, &s, e) < 0;
    }
    if (!bad)
        n->op->forward(&a);
    for (int i = 0; i < n->n_out; i++)
        if (i != out || bad)
            tensor_unref(&y[i]);
    tensor_unref(t);
    *t = bad ? (struct tensor){0} : y[out];
    return bad ? -1 : 0;
}

/* The numbers of the elements of W's source, at its end.  */
static int carry(const struct way *w, const struct value *end, struct tensor *t,
                 struct err *e)
{
    const struct shape s = shape_bind(w->from->shape, 1);

    if (tensor_new(t, DTYPE_F32, &s, e) < 0)
        return -1;
    for (int64_t i = 0; i < tensor_count(t); i++)
        ((float *)t->data)[i] = (float)i;
    for (int i = w->n - 1; i >= 0; i--) {
        const struct value *next = i ? w->step[i - 1]->in[0] : end;
        double one = 1;

        next = scaled((struct value *)(uintptr_t)next, &one);
        if (step(w->step[i], next->out, t, e) < 0)
            return -1;
    }
    return 0;
}

struct heads {
    int64_t h, t, d;
};

/* Element (head, token, number) of part PART stands there in *X, which is
 * turned for the keys.  */
static int lies_right(const struct tensor *x, const struct heads *n, int part,
                      int turned)
{
    const int64_t c = n->h * n->d;
    const float *p = x->data;

    if (tensor_count(x) != n->t * c)
        return 0;
    for (int64_t h = 0; h < n->h; h++)
        for (int64_t t = 0; t < n->t; t++)
            for (int64_t d = 0; d < n->d; d++) {
                const int64_t at = (h * n->t + t) * n->d + d;
                const int64_t other = (h * n->d + d) * n->t + t;

                if (p[turned ? other : at] !=
                    (float)((3 * t + part) * c + h * n->d + d))
                    return 0;
            }
    return 1;
}

/* The value V is part PART of W's source.  */
static int is_part(const struct way *w, const struct value *v,
                   const struct heads *n, int part, struct err *e)
{
    struct tensor t;
    int good;

    if (carry(w, v, &t, e) < 0)
        return 0;
    good = lies_right(&t, n, part, part == 1);
    tensor_unref(&t);
    return good;
}

/* Numbers of the op's result [T,C] where the product V has them.  */
static int number_result(struct tensor *t, const struct value *v,
                         const struct heads *n, struct err *e)
{
    const struct shape s = shape_bind(v->shape, 1);
    float *p;

    if (tensor_new(t, DTYPE_F32, &s, e) < 0)
        return -1;
    p = t->data;
    for (int64_t h = 0; h < n->h; h++)
        for (int64_t i = 0; i < n->t; i++)
            for (int64_t d = 0; d < n->d; d++)
                *p++ = (float)((i * n->h + h) * n->d + d);
    return 0;
}

static int in_order(const struct tensor *t)
{
    for (int64_t i = 0; i < tensor_count(t); i++)
        if (((const float *)t->data)[i] != (float)i)
            return 0;
    return 1;
}

/* [N,T,C] or [T,N,C].  */
static int is_sequence(const struct value *v, int64_t t, int64_t c)
{
    const struct shape *s = &v->shape;

    return s->rank == 3 && s->dim[2] == c &&
           ((s->batch == 1 && s->dim[0] == 1 && s->dim[1] == t) ||
            (s->batch == 2 && s->dim[1] == 1 && s->dim[0] == t));
}

/* Behind the product V: the value that is the op's result; NULL if there is
 * none.  */
static struct value *find_result(const struct graph *g, struct value *v,
                                 const struct heads *n, struct err *e)
{
    struct tensor t;
    struct node *next;
    int steps = 0, found = 0;

    if (number_result(&t, v, n, e) < 0)
        return NULL;
    while (!found && (next = match_reader(g, v)) && moves(next) &&
           next->n_out == 1 && steps++ < STEPS) {
        if (step(next, 0, &t, e) < 0)
            return NULL;
        v = next->out[0];
        found = is_sequence(v, n->t, n->h * n->d) && in_order(&t);
    }
    tensor_unref(&t);
    return found ? v : NULL;
}

/* ---- the op in place of all that ---- */

struct found {
    struct value *x, *y; /* read, written */
    int64_t heads;
};

static struct value *turned(struct graph *g, const char *name, struct value *v,
                            struct err *e)
{
    const struct attr_text a[] = {{"perm", "[1, 0, 2]"}, {0}};
    struct node *n = graph_add(g, op_find("transpose"),
                               graph_name_free(g, name), &v, 1, a, e);

    return n ? n->out[0] : NULL;
}

static int replace(struct graph *g, const struct found *f, struct err *e)
{
    const char *name = arena_printf(&g->arena, "%s.attention", f->x->name);
    const struct attr_text a[] = {
        {"heads", arena_printf(&g->arena, "%lld", (long long)f->heads)}, {0}};
    struct value *x = f->x, *y;
    struct node *n;

    if (x->shape.batch == 2)
        x = turned(g, name, x, e);
    n = x ? graph_add(g, op_find("attention"), graph_name_free(g, name), &x, 1,
                      a, e)
          : NULL;
    y = n ? n->out[0] : NULL;
    if (y && f->y->shape.batch == 2)
        y = turned(g, name, y, e);
    if (!y)
        return -1;
    graph_replace(g, f->y, y);
    return 0;
}

/* The softmax N is that of an attention.  */
static int is_attention(const struct graph *g, const struct node *n,
                        struct found *f, struct err *e)
{
    double scale = 1;
    struct node *scores = scaled(n->in[0], &scale)->node;
    struct node *mix = match_reader(g, n->out[0]);
    struct way q, k, v;

    if (!scores || !node_is(scores, "matmul") || !mix ||
        !node_is(mix, "matmul") || mix->in[0] != n->out[0] ||
        attr_int(n, "axis") != n->in[0]->shape.rank - 1 ||
        find_way(&q, scores->in[0]) < 0 || find_way(&k, scores->in[1]) < 0 ||
        find_way(&v, mix->in[1]) < 0 || q.from != k.from || q.from != v.from ||
        v.scale != 1)
        return 0;
    const struct shape *s = &scores->in[0]->shape;
    struct heads h = {.t = s->dim[s->rank - 2], .d = s->dim[s->rank - 1]};
    const int64_t c = q.from->shape.dim[2] / 3;

    scale *= q.scale * k.scale * sqrt((double)h.d);
    if (!is_sequence(q.from, h.t, 3 * c) || c % h.d || fabs(scale - 1) > 1e-5 ||
        shape_count(&q.from->shape) > NUMBERS)
        return 0;
    h.h = c / h.d;
    *f = (struct found){.x = q.from, .heads = h.h};
    if (!is_part(&q, scores->in[0], &h, 0, e) ||
        !is_part(&k, scores->in[1], &h, 1, e) ||
        !is_part(&v, mix->in[1], &h, 2, e))
        return 0;
    f->y = find_result(g, mix->out[0], &h, e);
    return f->y != NULL;
}

/* ---- linear layers on tokens ---- */

/* N is a layer on rows, [N T,C] -> [N T,K], of tokens [N,T,C] that become
 * [N,T,K] behind it: the reshape there, or NULL.  */
static struct node *behind_rows(const struct graph *g, const struct node *n)
{
    const struct node *before = n->in[0]->node;
    struct node *after = match_reader(g, n->out[0]);

    if (!node_is(n, "linear") || n->in[0]->shape.rank != 2 || !before ||
        !node_is(before, "reshape") || !after || !node_is(after, "reshape"))
        return NULL;
    const struct shape *x = &before->in[0]->shape, *y = &after->out[0]->shape;

    return x->rank == 3 && y->rank == 3 && x->batch == y->batch &&
                   x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1] &&
                   x->dim[2] == n->in[0]->shape.dim[1] &&
                   y->dim[2] == n->out[0]->shape.dim[1]
               ? after
               : NULL;
}

/* Gemm takes rows; the op linear takes tokens, and between pairs it stands
 * right behind them, which makes it one of 8 bits.  */
static int layers_on_tokens(struct graph *g, struct err *e)
{
    const int count = g->n_node;

    for (int i = 0; i < count; i++) {
        struct node *n = g->node[i], *after = behind_rows(g, n), *y;

        if (!after)
            continue;
        const struct attr_text a[] = {
            {"out", arena_printf(&g->arena, "%lld",
                                 (long long)n->out[0]->shape.dim[1])},
            {"bias", n->in[2] ? "yes" : "no"},
            {0}};
        struct value *in[] = {n->in[0]->node->in[0], n->in[1], n->in[2]};

        y = graph_add(g, n->op, graph_name_free(g, after->out[0]->name), in,
                      n->in[2] ? 3 : 2, a, e);
        if (!y)
            return -1;
        graph_replace(g, after->out[0], y->out[0]);
    }
    if (g->n_node > count) {
        graph_sort(g);
        graph_prune(g);
    }
    return 0;
}

int import_attention(struct graph *g, struct err *e)
{
    int count, found = 0;

    if (layers_on_tokens(g, e) < 0)
        return -1;
    count = g->n_node;
    for (int i = 0; i < count; i++) {
        struct found f;

        if (!node_is(g->node[i], "softmax") ||
            !is_attention(g, g->node[i], &f, e))
            continue;
        found = 1;
        if (replace(g, &f, e) < 0)
            return -1;
    }
    if (e->code)
        return -1;
    if (found) {
        graph_sort(g);
        graph_prune(g);
    }
    return 0;
}
