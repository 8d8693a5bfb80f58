/* print.c -- see print.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/print.h"

#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "base/str.h"
#include "graph/graph.h"

/* The reader makes operand I of N by itself: a tensor of the role's kind.  */
static int is_implied(const struct node *n, int i)
{
    const enum role r = node_in_info(n, i)->role;

    return !(n->op->flags & OP_JOIN) &&
           ((r == ROLE_PARAM && n->in[i]->kind == VALUE_PARAM) ||
            (r == ROLE_STATE && n->in[i]->kind == VALUE_STATE));
}

static int is_role(const struct node *n, int i)
{
    const enum role r = node_in_info(n, i)->role;

    return r == ROLE_PARAM || r == ROLE_STATE;
}

/* V's name is STEM.SUFFIX.  */
static int is_named(const struct value *v, const char *stem, const char *suffix)
{
    const size_t n = strlen(stem);

    return !strncmp(v->name, stem, n) && v->name[n] == '.' &&
           !strcmp(v->name + n + 1, suffix);
}

static void print_dim(struct str *s, const struct shape *shape, int i)
{
    const long long d = (long long)shape->dim[i];

    if (!(shape->batch >> i & 1))
        str_printf(s, "%lld", d);
    else if (d == 1)
        str_addc(s, 'N');
    else
        str_printf(s, "%lldN", d);
}

static void print_shape(struct str *s, const struct shape *shape, int from)
{
    str_addc(s, '[');
    for (int i = from; i < shape->rank; i++) {
        str_add(s, i > from ? ", " : "");
        print_dim(s, shape, i);
    }
    str_addc(s, ']');
}

/* ---- inputs and outputs ---- */

static int is_picture(const struct value *v)
{
    return !strcmp(v->name, "image") && v->dtype == DTYPE_F32 &&
           v->shape.rank == 4 && v->shape.batch == 1 && v->shape.dim[0] == 1;
}

static void print_input(struct str *s, const struct value *v)
{
    quote_yaml(s, v->name);
    str_printf(s, ": {dtype: %s, shape: ", dtype_name(v->dtype));
    print_shape(s, &v->shape, 0);
    str_addc(s, '}');
}

static void print_inputs(struct str *s, const struct graph *g)
{
    const struct value *only = NULL;
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT && ++n)
            only = g->value[i];
    str_add(s, "input: {");
    if (n == 1 && is_picture(only)) {
        str_add(s, "size: ");
        print_shape(s, &only->shape, 1);
    } else {
        for (int i = 0, k = 0; i < g->n_value; i++)
            if (g->value[i]->kind == VALUE_INPUT) {
                str_add(s, k++ ? ", " : "");
                print_input(s, g->value[i]);
            }
    }
    str_add(s, "}\n");
}

static void print_output(struct str *s, const struct output *o)
{
    const int map = o->train || o->loss > 0;
    char num[FMT_NUM];

    quote_yaml(s, o->name);
    str_add(s, map ? ": {from: " : ": ");
    quote_yaml(s, o->value->name);
    str_add(s, o->train ? ", train: yes" : "");
    if (o->loss > 0)
        str_printf(s, ", loss: %s", fmt_f64(num, o->loss));
    str_add(s, map ? "}" : "");
}

static void print_outputs(struct str *s, const struct graph *g)
{
    str_add(s, "outputs: {");
    for (int i = 0; i < g->n_output; i++) {
        str_add(s, i ? ", " : "");
        print_output(s, &g->output[i]);
    }
    str_add(s, "}\n");
}

/* ---- nodes ---- */

static const char *kind_name(enum value_kind k)
{
    return k == VALUE_PARAM ? "param" : k == VALUE_STATE ? "state" : "const";
}

static void print_tensor(struct str *s, const struct value *v)
{
    str_printf(s, "  - %s: {as: ", kind_name(v->kind));
    quote_yaml(s, v->name);
    str_add(s, ", shape: ");
    print_shape(s, &v->shape, 0);
    str_printf(s, ", dtype: %s", dtype_name(v->dtype));
    if (v->init) {
        str_add(s, ", init: ");
        quote_yaml(s, v->init);
    }
    str_add(s, "}\n");
}

static void print_from(struct str *s, const struct node *n)
{
    int count = 0, k = 0;

    for (int i = 0; i < n->n_in; i++)
        count += n->in[i] && !is_role(n, i);
    str_add(s, ", from: ");
    str_add(s, count == 1 ? "" : "[");
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i] || is_role(n, i))
            continue;
        str_add(s, k++ ? ", " : "");
        quote_yaml(s, n->in[i]->name);
    }
    str_add(s, count == 1 ? "" : "]");
}

/* The reader gives operand I of N this name by itself.  */
static int is_own(const struct node *n, int i)
{
    return is_implied(n, i) &&
           is_named(n->in[i], n->name, node_in_info(n, i)->name);
}

/* The parameter that takes the name of attribute A: `bias: NAME' says yes.  */
static const struct value *attr_param(const struct node *n, const char *a)
{
    const int i = node_in_index(n, a);

    return i > 0 && is_role(n, i) && n->in[i] && !is_own(n, i) ? n->in[i]
                                                               : NULL;
}

static void print_attrs(struct str *s, const struct node *n)
{
    for (int i = 0; n->op->attr && n->op->attr[i].name; i++) {
        const struct op_attr *d = &n->op->attr[i];

        if (attr_param(n, d->name))
            continue;
        str_printf(s, ", %s: ", d->name);
        if (d->kind == 's')
            quote_yaml(s, n->attr[i].s);
        else
            attr_print(s, d, &n->attr[i]);
    }
}

static void print_roles(struct str *s, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i] || !is_role(n, i) || is_own(n, i))
            continue;
        str_printf(s, ", %s: ", node_in_info(n, i)->name);
        quote_yaml(s, n->in[i]->name);
    }
}

static int has_own_init(const struct node *n, int i)
{
    const char *usual = node_in_info(n, i)->init;

    return n->in[i] && is_implied(n, i) && n->in[i]->init &&
           (!usual || strcmp(n->in[i]->init, usual) != 0);
}

static void print_init(struct str *s, const struct node *n)
{
    int k = 0;

    for (int i = 0; i < n->n_in; i++) {
        if (!has_own_init(n, i))
            continue;
        str_printf(s, "%s%s: ", k++ ? ", " : ", init: {",
                   node_in_info(n, i)->name);
        quote_yaml(s, n->in[i]->init);
    }
    str_add(s, k ? "}" : "");
}

static void print_node(struct str *s, const struct node *n)
{
    str_printf(s, "  - %s: {as: ", n->op->name);
    quote_yaml(s, n->name);
    print_from(s, n);
    print_attrs(s, n);
    print_roles(s, n);
    print_init(s, n);
    str_add(s, "}\n");
}

/* The tensors that N is the first to read and its reader does not make.  */
static void print_tensors(struct str *s, const struct node *n, char *done)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];

        if (!value_is_tensor(v) || done[v->index])
            continue;
        if (!is_implied(n, i))
            print_tensor(s, v);
        done[v->index] = 1;
    }
}

/* No line stands in the body.  */
static int is_empty(const struct graph *g)
{
    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            return 0;
    return !g->n_node;
}

void graph_print(struct str *s, const struct graph *g)
{
    char *done = xcalloc((size_t)g->n_value + 1, 1);

    str_add(s, "network: ");
    quote_yaml(s, g->name);
    str_addc(s, '\n');
    print_inputs(s, g);
    str_add(s, is_empty(g) ? "body: []\n" : "body:\n");
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->dir == DIR_FORWARD) {
            print_tensors(s, g->node[i], done);
            print_node(s, g->node[i]);
        }
    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]) && !g->value[i]->n_use)
            print_tensor(s, g->value[i]);
    print_outputs(s, g);
    free(done);
}

/* ---- dot ---- */

/* TEXT between double quotes of dot.  */
static void dot_text(struct str *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            str_addc(s, '\\');
        str_addc(s, *text);
    }
}

static void dot_node(struct str *s, const struct node *n)
{
    str_printf(s, "  n%d [label=\"", n->index);
    dot_text(s, n->name);
    str_printf(s, "\\n%s %s\"];\n", n->op->name, ST(&n->out[0]->shape));
}

static void dot_edges(struct str *s, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];

        if (v && v->kind == VALUE_NODE)
            str_printf(s, "  n%d -> n%d;\n", v->node->index, n->index);
        else if (v && (v->kind == VALUE_INPUT || !is_role(n, i)))
            str_printf(s, "  v%d -> n%d;\n", v->index, n->index);
    }
}

static void dot_value(struct str *s, const struct value *v)
{
    str_printf(s, "  v%d [shape=ellipse, label=\"", v->index);
    dot_text(s, v->name);
    str_printf(s, "\\n%s\"];\n", ST(&v->shape));
}

/* V stands in the picture by itself: parameters belong to their nodes.  */
static int dot_shows(const struct value *v)
{
    if (v->kind == VALUE_INPUT)
        return 1;
    for (int i = 0; v->kind != VALUE_NODE && i < v->n_use; i++)
        if (!is_role(v->use[i].node, v->use[i].in))
            return 1;
    return 0;
}

void graph_print_dot(struct str *s, const struct graph *g)
{
    str_add(s, "digraph \"");
    dot_text(s, g->name);
    str_add(s, "\" {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (int i = 0; i < g->n_value; i++)
        if (dot_shows(g->value[i]))
            dot_value(s, g->value[i]);
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->dir == DIR_FORWARD)
            dot_node(s, g->node[i]);
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->dir == DIR_FORWARD)
            dot_edges(s, g->node[i]);
    for (int i = 0; i < g->n_output; i++) {
        str_printf(s, "  o%d [shape=ellipse, label=\"", i);
        dot_text(s, g->output[i].name);
        str_printf(s, "\"];\n");
        if (g->output[i].value->node)
            str_printf(s, "  n%d -> o%d;\n", g->output[i].value->node->index,
                       i);
    }
    str_add(s, "}\n");
}
