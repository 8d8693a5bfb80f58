/* fuse.c -- nodes into steps: each takes the first offer of the device that
 * accepts it, with as many of the nodes behind it as the offer takes over.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/thread.h"
#include "run/step.h"

/* NAME is one of the names in LIST, which '|' separates.  */
static int named(const char *list, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = list; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (!strncmp(p, name, n) && (p[n] == 0 || p[n] == '|'))
            return 1;
    }
    return 0;
}

/* The only reader of the head's result, if it may be taken over: no other
 * step has it, and nobody reads more of it than its result.  */
static const struct node *follower(const struct plan *p, const char *taken,
                                   const struct node *n, int *link)
{
    const struct value *v = n->out[0];
    const struct node *f;

    if (v->n_use != 1 || value_is_output(p->graph, v))
        return NULL;
    f = v->use[0].node;
    if (f->dir != DIR_FORWARD || f->n_out < 1 || taken[f->index])
        return NULL;
    for (int i = 1; i < f->n_out; i++)
        if (f->out[i]->n_use || value_is_output(p->graph, f->out[i]))
            return NULL;
    *link = v->use[0].in;
    return f;
}

static void match_epilogue(const struct plan *p, const char *taken,
                           const struct kernel *k, struct step_nodes *s)
{
    for (const char *const *place = k->epilogue; place && *place; place++) {
        const struct node *f;
        int link;

        if (s->n == STEP_NODES)
            return;
        f = follower(p, taken, s->node[s->n - 1], &link);
        if (f && named(*place, f->op->name)) {
            s->link[s->n] = link;
            s->node[s->n++] = f;
        }
    }
}

/* What kernel K reads as operand I of node N of its step.  */
static const struct value *operand(const struct kernel *k, const struct node *n,
                                   int i)
{
    const struct node *d = k && k->quantised ? node_dequantize(n, i) : NULL;

    return d ? d->in[0] : n->in[i];
}

const struct value *plan_operand(const struct step *s, int k, int i)
{
    return operand(s->kernel, s->nodes.node[k], i);
}

static int dtypes_fit(const struct kernel *k, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = operand(k, n, i);

        if (v && !(k->dtypes >> v->dtype & 1))
            return 0;
    }
    return 1;
}

/* Packed forms are made once, of tensors: an operand that is computed (by
 * dequantize, say) has none.  */
static int packs_computed(const struct kernel *k, const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    for (int i = 0; k->pack_bytes && i < n->n_in && n->dir == DIR_FORWARD; i++)
        if (n->in[i] && n->in[i]->kind == VALUE_NODE && k->pack_bytes(s, i) &&
            !(k->dtypes >> DTYPE_I8 & 1))
            return 1;
    return 0;
}

static int accepted(const struct kernel *k, struct step_nodes *s)
{
    if (packs_computed(k, s))
        return 0;
    while (k->accepts && !k->accepts(s))
        if (--s->n == 0)
            return 0;
    return 1;
}

/* The forward node's operand that operand I of a BACKWARD node stands for, or
 * -1: a result, an extra, or a gradient of a result.  */
static int stands_for(const struct node *n, int i)
{
    return n->dir == DIR_FORWARD || i < node_op_in(n) ? i : -1;
}

/* An activation or its gradient; parameters and theirs are always plain.  */
static int is_activation(const struct node *n, const struct value *v, int i)
{
    return v && !value_is_tensor(v) && v->shape.rank == 4 &&
           n->dir != DIR_UPDATE &&
           (i < 0 || node_in_info(n, i)->role == ROLE_DATA);
}

/* The value whose layout decides for N: its first data operand; backward the
 * gradient of the result.  */
static const struct value *leader(const struct kernel *k, const struct node *n)
{
    const int i = n->dir == DIR_FORWARD ? 0 : n->n_in - 1;
    const struct value *v = n->n_in ? operand(k, n, i) : NULL;

    return is_activation(n, v, stands_for(n, i)) ? v : NULL;
}

static enum layout layout_of(const struct plan *p, const struct value *v)
{
    return v && !value_is_tensor(v) ? p->layout[v->index] : LAYOUT_PLAIN;
}

static int layout_fits(const struct plan *p, const struct kernel *k,
                       const struct node *n)
{
    if (k->reads == LAYOUT_PLAIN && k->writes == LAYOUT_PLAIN)
        return 1;
    return p->blocked && (k->pulls || (leader(k, n) &&
                                       layout_of(p, leader(k, n)) == k->reads));
}

static const struct kernel *choose(const struct plan *p, const char *taken,
                                   const struct node *n, struct step_nodes *s)
{
    for (const struct kernel *const *k = p->device->kernels; k && *k; k++) {
        *s = (struct step_nodes){1, {n}, {0}, p->opts.batch};
        if ((*k)->dir != n->dir || strcmp((*k)->op, n->op->name) ||
            !layout_fits(p, *k, n) || !dtypes_fit(*k, n) ||
            ((*k)->quantised && (p->opts.no_fuse || p->opts.keep_values)))
            continue;
        if (n->dir == DIR_FORWARD && !p->opts.no_fuse && !p->opts.keep_values)
            match_epilogue(p, taken, *k, s);
        if (accepted(*k, s))
            return *k;
    }
    *s = (struct step_nodes){1, {n}, {0}, p->opts.batch};
    return NULL;
}

/* The result of a view op is its input; so is the gradient of its input.  */
static int is_view(const struct node *n)
{
    return (n->op->flags & OP_VIEW) && n->dir != DIR_UPDATE;
}

/* Blocked if one of N's activations is: the others are rearranged then.  */
static enum layout common_layout(const struct plan *p, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (is_activation(n, n->in[i], stands_for(n, i)) &&
            layout_of(p, n->in[i]) != LAYOUT_PLAIN)
            return layout_of(p, n->in[i]);
    return LAYOUT_PLAIN;
}

/* Steps that work wherever their operands lie take those as they come; a view
 * that changes no shape its operand.  */
static void set_layouts(struct plan *p, struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    const struct value *v = leader(s->kernel, n);

    if (s->kernel) {
        s->reads = s->kernel->reads;
        s->writes = s->kernel->writes;
    }
    if (v && s->kernel && s->kernel->any_layout)
        s->reads = s->writes = common_layout(p, n);
    else if (v && s->view && shape_equal(&v->shape, &last->out[0]->shape))
        s->reads = s->writes = layout_of(p, v);
    for (int i = 0; i < last->n_out; i++)
        if (is_activation(last, last->out[i],
                          last->dir == DIR_BACKWARD ? i : -1))
            p->layout[last->out[i]->index] = s->writes;
}

static int has_reference(const struct node *n)
{
    return n->dir == DIR_FORWARD    ? n->op->forward != NULL
           : n->dir == DIR_BACKWARD ? n->op->backward != NULL
                                    : n->op->update != NULL;
}

static int build(struct plan *p, const char *taken, const struct node *n,
                 struct step *s, struct err *e)
{
    static const char *const dir[] = {"forward", "backward", "update"};

    s->view = is_view(n);
    s->kernel = choose(p, taken, n, &s->nodes);
    if (s->view) {
        s->nodes.n = 1;
        s->kernel = NULL;
    }
    if (!s->kernel && !s->view && !(p->device->reference && has_reference(n)))
        return err_set(e, ERR_UNSUPPORTED,
                       "op '%s' at '%s' has no %s kernel on %s", n->op->name,
                       Q(n->name), dir[n->dir], p->device->name);
    if (s->kernel && s->kernel->scratch)
        s->scratch_bytes =
            s->kernel->scratch(&s->nodes, pool_threads(p->opts.pool));
    set_layouts(p, s);
    return 0;
}

/* A dequantize step that all readers look past is not needed.  */
static int is_passed(const struct plan *p, const struct step *at,
                     const int *owner, const struct node *n)
{
    const struct value *v = n->n_out ? n->out[0] : NULL;

    if (n->dir != DIR_FORWARD || strcmp(n->op->name, "dequantize") ||
        value_is_output(p->graph, v))
        return 0;
    for (int i = 0; i < v->n_use; i++) {
        const struct step *s = &at[owner[v->use[i].node->index]];
        int k = 0;

        while (s->nodes.node[k] != v->use[i].node)
            k++;
        if (plan_operand(s, k, v->use[i].in) == v)
            return 0;
    }
    return 1;
}

static void drop_passed(const struct plan *p, struct step *at)
{
    const struct graph *g = p->graph;
    int *owner = xcalloc((size_t)g->n_node + 1, sizeof *owner);

    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < at[i].nodes.n; k++)
            owner[at[i].nodes.node[k]->index] = i;
    for (int i = 0; i < g->n_node; i++)
        if (at[i].nodes.n == 1 && is_passed(p, at, owner, at[i].nodes.node[0]))
            at[i].nodes.n = 0;
    free(owner);
}

/* ---- layouts ---- */

int plan_slot_in(const struct plan *p, const struct value *v, enum layout l)
{
    const struct shape s = shape_bind(v->shape, p->opts.batch);

    if (p->layout[v->index] == l || value_is_tensor(v) || layout_same(&s))
        return v->index;
    for (int i = 0; i < p->n_copy; i++)
        if (p->copy[i].value == v)
            return p->graph->n_value + i;
    return -1;
}

/* The layout in which step S reads operand I of its node K.  */
static enum layout wanted(const struct step *s, int k, int i)
{
    const struct node *n = s->nodes.node[k];

    if (!is_activation(n, plan_operand(s, k, i), stands_for(n, i)) ||
        (!k && s->kernel && stands_for(n, i) >= 0 &&
         s->kernel->plain >> stands_for(n, i) & 1))
        return LAYOUT_PLAIN;
    return k ? s->writes : s->reads;
}

int plan_slot(const struct plan *p, const struct step *s, int k, int i)
{
    return plan_slot_in(p, plan_operand(s, k, i), wanted(s, k, i));
}

static void append(struct plan *p, struct step s)
{
    ARRAY_GROW(p->step, p->n_step, p->cap_step);
    p->step[p->n_step++] = s;
}

/* A step in front that copies V, if it does not lie in layout L.  */
static void want_layout(struct plan *p, const struct value *v, enum layout l)
{
    if (!v || plan_slot_in(p, v, l) >= 0)
        return;
    ARRAY_GROW(p->copy, p->n_copy, p->cap_copy);
    p->copy[p->n_copy++] = (struct copy){v, l};
    append(p, (struct step){.copy = p->n_copy});
}

static void want_operands(struct plan *p, const struct step *s)
{
    for (int k = 0; k < s->nodes.n; k++)
        for (int i = 0; i < s->nodes.node[k]->n_in; i++)
            if (!(k && i == s->nodes.link[k]))
                want_layout(p, plan_operand(s, k, i), wanted(s, k, i));
}

static void append_all(struct plan *p, const struct step *at)
{
    const struct graph *g = p->graph;

    for (int i = 0; i < g->n_node; i++)
        if (at[i].nodes.n) {
            want_operands(p, &at[i]);
            append(p, at[i]);
        }
    for (int i = 0; i < g->n_output; i++)
        want_layout(p, g->output[i].value, LAYOUT_PLAIN);
}

/* A step runs where its last node stands: there all operands are ready.  */
int plan_fuse(struct plan *p, struct err *e)
{
    const struct graph *g = p->graph;
    struct step *at = xcalloc((size_t)g->n_node + 1, sizeof *at);
    char *taken = xcalloc((size_t)g->n_node + 1, 1);
    int bad = 0;

    p->layout = ARENA_NEWS(&p->arena, g->n_value + 1, enum layout);
    p->blocked = p->device->rearrange && !p->opts.keep_values;
    for (int i = 0; i < g->n_node && !bad; i++) {
        struct step s = {0};

        if (taken[i])
            continue;
        bad = build(p, taken, g->node[i], &s, e) < 0;
        for (int k = 0; k < s.nodes.n; k++)
            taken[s.nodes.node[k]->index] = 1;
        if (!bad)
            at[step_last(&s)->index] = s;
    }
    if (!bad) {
        drop_passed(p, at);
        append_all(p, at);
    }
    free(at);
    free(taken);
    return bad ? -1 : 0;
}
