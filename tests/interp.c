/* interp.c -- see interp.h.
 * SPDX-License-Identifier: MIT  */
#include "interp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op_check.h"

static void make(struct tensor *t, enum dtype dt, const struct shape *s)
{
    struct err e = {0};

    if (tensor_new(t, dt, s, &e) < 0)
        BUG("%s", e.msg);
}

static void draw(struct tensor *t, uint64_t seed, const char *name)
{
    const struct rng r = rng_at(seed, RNG_TEST, hash_name(name), 0);

    for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
        const float x = (float)rng_normal(&r, (uint64_t)i);

        if (t->dtype == DTYPE_F32)
            ((float *)t->data)[i] = x;
        else if (t->dtype == DTYPE_F64)
            ((double *)t->data)[i] = x;
        else if (t->dtype == DTYPE_I64)
            ((int64_t *)t->data)[i] = (int64_t)rng_below(&r, (uint64_t)i, 2);
        else
            BUG("input '%s' is %s", name, dtype_name(t->dtype));
    }
}

void interp_fill(struct interp *r, const struct graph *g, int64_t batch,
                 uint64_t seed, int wide)
{
    r->g = g;
    r->batch = batch;
    r->wide = wide;
    r->value = xcalloc((size_t)g->n_value, sizeof *r->value);
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];
        const struct shape s = shape_bind(v->shape, batch);

        make(&r->value[i], wide && v->dtype == DTYPE_F32 ? DTYPE_F64 : v->dtype,
             &s);
        if (v->kind == VALUE_INPUT)
            draw(&r->value[i], seed, v->name);
        else if (v->data.data)
            dtype_convert(r->value[i].dtype, r->value[i].data, v->dtype,
                          v->data.data, tensor_count(&v->data));
    }
}

/* TO = N operands from number AT on; absent ones have a shape only.  */
static void operands(struct interp *r, struct tensor *to, const struct node *n,
                     int at, int count)
{
    for (int i = 0; i < count; i++) {
        const struct value *v = n->in[at + i];

        if (v)
            to[i] = r->value[v->index];
        else if (n->in_shape)
            to[i].shape = shape_bind(n->in_shape[at + i], r->batch);
    }
}

static void results(struct interp *r, struct tensor *to, const struct node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i])
            to[i] = r->value[n->out[i]->index];
}

enum { MAX = 64 };

/* The record that computes for R.  */
static const struct op *record(const struct interp *r, const struct node *n)
{
    for (int i = 0; r->wide && d_op_all[i]; i++)
        if (!strcmp(d_op_all[i]->name, n->op->name))
            return d_op_all[i];
    return n->op;
}

static void run_node(struct interp *r, const struct node *n)
{
    const struct op *op = record(r, n);
    struct tensor in[MAX] = {{0}}, out[MAX] = {{0}}, dout[MAX] = {{0}},
                  din[MAX] = {{0}};
    struct op_args a = {
        .node = n,
        .in = in,
        .out = out,
        .dout = dout,
        .din = din,
        .rng = rng_at(1, RNG_DROPOUT,
                      hash_name(n->origin ? n->origin : n->name), 0)};
    const int n_in = node_op_in(n), n_out = node_op_out(n);

    if (n->dir == DIR_FORWARD) {
        operands(r, in, n, 0, n->n_in);
        results(r, out, n);
        op->forward(&a);
        return;
    }
    operands(r, in, n, 0, n_in);
    if (n->n_in > n_in)
        operands(r, out, n, n_in, n_out);
    if (n->dir == DIR_UPDATE) {
        op->update(&a);
        return;
    }
    operands(r, dout, n, n_in + n_out, n->n_in - n_in - n_out);
    results(r, din, n);
    op->backward(&a);
}

void interp_go(struct interp *r)
{
    for (int i = 0; i < r->g->n_node; i++)
        run_node(r, r->g->node[i]);
}

void interp_run(struct interp *r, const struct graph *g, int64_t batch,
                uint64_t seed)
{
    interp_fill(r, g, batch, seed, 0);
    interp_go(r);
}

struct tensor *interp_value(struct interp *r, const char *name)
{
    const struct value *v = graph_value(r->g, name);

    return v ? &r->value[v->index] : NULL;
}

struct tensor *interp_output(struct interp *r, const char *name)
{
    const struct value *v = graph_output_value(r->g, name);

    return v ? &r->value[v->index] : NULL;
}

void interp_release(struct interp *r)
{
    for (int i = 0; i < r->g->n_value; i++)
        tensor_unref(&r->value[i]);
    free(r->value);
}

/* ---- bounds ---- */

static void make_abs(struct tensor *to, const struct tensor *t, double sign)
{
    make(to, DTYPE_F32, &t->shape);
    for (int64_t i = 0, n = tensor_count(t); i < n; i++)
        ((float *)to->data)[i] = (float)(sign * fabs(((float *)t->data)[i]));
}

/* Parameters for the bound: absolute values.  With ERR, what is added to the
 * operand (bias, mean) is 0: errors pass through the linear part only; else
 * a mean is negative, so that it is added.  Variances stay.  */
static void bound_param(struct tensor *to, const struct tensor *t,
                        const char *name, int err)
{
    const int adds = !strcmp(name, "bias") || !strcmp(name, "running_mean");

    if (!strcmp(name, "running_var"))
        *to = tensor_ref(t);
    else
        make_abs(to, t,
                 adds && err                     ? 0
                 : !strcmp(name, "running_mean") ? -1
                                                 : 1);
}

/* OUT = node N over the tensors IN of its data operands, by bound_param().  */
static void bound_node(struct interp *r, const struct node *n,
                       const struct tensor *data, int err, struct tensor *out)
{
    struct tensor in[MAX] = {{0}};
    const struct op_args a = {.node = n, .in = in, .out = out};

    for (int i = 0; i < n->n_in; i++) {
        const struct op_in *info = node_in_info(n, i);

        if (!n->in[i])
            continue;
        if (info->role == ROLE_DATA)
            in[i] = tensor_ref(&data[i]);
        else
            bound_param(&in[i], &r->value[n->in[i]->index], info->name, err);
    }
    n->op->forward(&a);
    for (int i = 0; i < n->n_in; i++)
        tensor_unref(&in[i]);
}

/* How many roundings stand behind one element of N's result.  */
static double roundings(const struct node *n)
{
    const int w = node_in_index(n, "weight");
    double length = 4;

    if (w >= 0 && n->in[w] && n->in[w]->shape.rank > 1)
        length +=
            (double)(shape_count(&n->in[w]->shape) / n->in[w]->shape.dim[0]);
    else
        length +=
            (double)shape_count(&n->in[0]->shape) /
            (double)(n->in[0]->shape.rank > 1 ? n->in[0]->shape.dim[1] : 1);
    return length;
}

static void bound_step(struct interp *r, const struct node *n,
                       struct tensor *bound)
{
    struct tensor err[MAX] = {{0}}, mag[MAX] = {{0}}, out[MAX] = {{0}};
    const double u = ldexp(1, -24) * roundings(n);

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && node_in_info(n, i)->role == ROLE_DATA) {
            err[i] = bound[n->in[i]->index];
            make_abs(&mag[i], &r->value[n->in[i]->index], 1);
        }
    for (int i = 0; i < n->n_out; i++) {
        const struct tensor *v = &r->value[n->out[i]->index];

        make(&out[i], v->dtype, &v->shape);
        make(&bound[n->out[i]->index], v->dtype, &v->shape);
    }
    bound_node(r, n, err, 1, &bound[n->out[0]->index]);
    bound_node(r, n, mag, 0, out);
    float *b = bound[n->out[0]->index].data;
    const float *m = out[0].data;

    for (int64_t i = 0, k = tensor_count(&out[0]); i < k; i++)
        b[i] = (float)(1.001 * (b[i] + u * m[i]));
    for (int i = 0; i < n->n_in; i++)
        tensor_unref(&mag[i]);
    for (int i = 0; i < n->n_out; i++)
        tensor_unref(&out[i]);
}

void interp_bound(struct tensor *to, struct interp *r, const char *name)
{
    const struct graph *g = r->g;
    struct tensor *bound = xcalloc((size_t)g->n_value, sizeof *bound);

    for (int i = 0; i < g->n_value; i++)
        if (!g->value[i]->node)
            make(&bound[i], r->value[i].dtype, &r->value[i].shape);
    for (int i = 0; i < g->n_node; i++)
        bound_step(r, g->node[i], bound);
    *to = tensor_ref(&bound[graph_output_value(g, name)->index]);
    for (int i = 0; i < g->n_value; i++)
        tensor_unref(&bound[i]);
    free(bound);
}

/* ---- text ---- */

static void dump_value(struct str *s, const struct value *v)
{
    char hash[HASH_TEXT] = "-";

    if (!v) {
        str_add(s, " -");
        return;
    }
    if (v->data.data)
        hash_bytes(hash, v->data.data, tensor_bytes(&v->data));
    str_printf(s, " %s:%d:%s:%s:%s%s", v->name, (int)v->kind,
               dtype_name(v->dtype), ST(&v->shape), hash,
               v->frozen ? ":frozen" : "");
}

void interp_dump(struct str *s, const struct graph *g)
{
    str_printf(s, "%s\n", g->name);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            dump_value(s, g->value[i]);
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = g->node[i];

        str_printf(s, "\n%s %s %d %d {", n->name, n->op->name, (int)n->dir,
                   n->train);
        for (int k = 0; n->op->attr && n->op->attr[k].name; k++) {
            str_printf(s, " %s=", n->op->attr[k].name);
            attr_print(s, &n->op->attr[k], &n->attr[k]);
        }
        str_add(s, " }");
        for (int k = 0; k < n->n_in; k++)
            dump_value(s, n->in[k]);
        str_add(s, " ->");
        for (int k = 0; k < n->n_out; k++)
            dump_value(s, n->out[k]);
    }
    for (int i = 0; i < g->n_output; i++)
        str_printf(s, "\n%s = %s %d", g->output[i].name,
                   g->output[i].value->name, g->output[i].train);
    str_addc(s, '\n');
}
