/* profile.c -- see profile.h.
 * SPDX-License-Identifier: MIT  */
#include "run/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/quote.h"
#include "base/str.h"
#include "run/plan_parts.h"

enum { NAME = 32 };

/* ---- classes ---- */

static const struct {
    const char *op, *class;
} classes[] = {
    {"linear", "linear"},       {"matmul", "matmul"},
    {"attention", "attention"}, {"deformconv2d", "deform"},
    {"batchnorm2d", "norm"},    {"bnapply", "norm"},
    {"bngrad", "norm"},         {"bnstats", "norm"},
    {"bnsums", "norm"},         {"groupnorm", "norm"},
    {"instancenorm", "norm"},   {"l2norm", "norm"},
    {"layernorm", "norm"},      {"lrn", "norm"},
    {"softmax", "softmax"},     {"logsoftmax", "softmax"},
    {"avgpool2d", "pool"},      {"adaptiveavgpool2d", "pool"},
    {"globalavgpool", "pool"},  {"maxpool2d", "pool"},
    {"reduce", "pool"},         {"add", "eltwise"},
    {"mul", "eltwise"},         {"div", "eltwise"},
    {"scale", "eltwise"},       {"max", "eltwise"},
    {"prelu", "eltwise"},       {"dropout", "eltwise"},
    {"droppath", "eltwise"},    {"quantize", "eltwise"},
    {"dequantize", "eltwise"},
};

/* "conv 3x3", "depthwise"; backward nodes have the shape of the filter in
 * place of the filter, where they make its gradient alone.  */
static void conv_class(char name[NAME], const struct node *n)
{
    const struct shape *w = n->in[1] ? &n->in[1]->shape : &n->in_shape[1];
    const int64_t groups = attr_int(n, "groups");

    if (groups > 1 && groups == w->dim[0] && w->dim[1] == 1)
        snprintf(name, NAME, "depthwise");
    else
        snprintf(name, NAME, "%s %lldx%lld", groups > 1 ? "grouped" : "conv",
                 (long long)w->dim[2], (long long)w->dim[3]);
}

/* What moves numbers and leaves them as they are, has none of the others.  */
static const char *class_of(const struct node *n)
{
    if (n->dir == DIR_UPDATE)
        return "update";
    for (size_t i = 0; i < COUNT(classes); i++)
        if (node_is(n, classes[i].op))
            return classes[i].class;
    return n->op->flags & OP_LOSS          ? "loss"
           : n->op->flags & OP_ELEMENTWISE ? "eltwise"
                                           : "move";
}

static void name_class(char name[NAME], const struct step *s)
{
    const struct node *n = s->nodes.node[0];

    if (!s->copy && node_is(n, "conv2d") && n->dir != DIR_UPDATE)
        conv_class(name, n);
    else
        snprintf(name, NAME, "%s", s->copy ? "move" : class_of(n));
}

static enum dir pass_of(const struct plan *p, const struct step *s)
{
    const struct node *n = s->nodes.node[0];

    if (s->copy) /* of a value of that pass */
        n = p->copy[s->copy - 1].value->node;
    return n ? n->dir : DIR_FORWARD;
}

/* ---- what a step must move and do ---- */

/* Places, each counted once.  */
struct places {
    const struct plan *p;
    char *seen; /* by slot */
    size_t bytes;
};

static size_t slot_bytes(const struct plan *p, int slot)
{
    return p->place[slot].bytes   ? p->place[slot].bytes
           : p->tensor[slot].data ? tensor_bytes(&p->tensor[slot])
                                  : 0;
}

static void add_place(void *ctx, int slot)
{
    struct places *t = ctx;

    if (!t->seen[slot])
        t->bytes += slot_bytes(t->p, slot);
    t->seen[slot] = 1;
}

/* Of parameters the packed form is read.  */
static void add_packed(struct places *t, const struct step *s)
{
    const struct node *n = s->nodes.node[0];
    const int count = n->dir == DIR_BACKWARD ? n->n_out : n->n_in;

    for (int i = 0; s->args.packed && i < count; i++) {
        const struct value *v = plan_operand(s, 0, i);

        if (!s->args.packed[i] || !v || t->seen[v->index])
            continue;
        t->bytes += s->kernel->pack_bytes(&s->nodes, i);
        t->seen[v->index] = 1;
    }
}

/* Behind the steps that are done with step I: I itself if it is done with one
 * in front of it.  */
static int group_end(const struct plan *p, int i)
{
    int end = i;

    while (end < p->n_step && (end > i) == p->step[end].joined)
        end++;
    return end;
}

static size_t bytes_of(const struct plan *p, int i, int end)
{
    struct places t = {
        p, xcalloc((size_t)(p->graph->n_value + p->n_copy + 1), 1), 0};

    for (const struct step *s = &p->step[i]; s < &p->step[end]; s++)
        if (!s->view) {
            if (!s->copy)
                add_packed(&t, s);
            plan_reads(p, s, add_place, &t);
            plan_writes(p, s, add_place, &t);
        }
    free(t.seen);
    return t.bytes;
}

/* The kind of products that it makes.  */
static enum peak rate_of(const struct step *s)
{
    const struct kernel *k = s->kernel;
    const enum dtype dt =
        k ? layout_dtype(layout_is_narrow(k->reads) ? k->reads : k->writes,
                         DTYPE_F32)
          : DTYPE_F32;

    if (!k || (!k->quantised && !kernel_is_narrow(k)))
        return PEAK_F32;
    return k->quantised ? PEAK_I8 : dt == DTYPE_F16 ? PEAK_F16 : PEAK_BF16;
}

/* Of a step, or of several.  */
struct cost {
    double seconds, bytes, flop;
    double moving, computing; /* seconds at the ceilings */
    double bound;             /* the sum of the larger of the two */
    int known;                /* what it needs has a ceiling */
};

static struct cost cost_of(const struct plan *p, int i,
                           const struct ceilings *c)
{
    const double rate = c->at[rate_of(&p->step[i])];
    const int end = group_end(p, i);
    struct cost t = {.bytes = (double)bytes_of(p, i, end)};

    for (int k = i; k < end; k++) {
        t.seconds += plan_step(p, k).seconds;
        t.flop += 2 * (double)plan_step(p, k).mac;
    }
    t.known = c->at[PEAK_COPY] > 0 && (rate > 0 || t.flop == 0);
    if (t.known) {
        t.moving = t.bytes / c->at[PEAK_COPY];
        t.computing = t.flop > 0 ? t.flop / rate : 0;
        t.bound = t.moving > t.computing ? t.moving : t.computing;
    }
    return t;
}

static void add_cost(struct cost *sum, const struct cost *t)
{
    sum->seconds += t->seconds;
    sum->bytes += t->bytes;
    sum->flop += t->flop;
    sum->moving += t->moving;
    sum->computing += t->computing;
    sum->bound += t->bound;
    sum->known &= t->known;
}

/* ---- ceilings ---- */

static const char *const peak_names[PEAKS] = {
    [PEAK_COPY] = "copied", [PEAK_F32] = "fp32", [PEAK_BF16] = "bf16",
    [PEAK_F16] = "fp16",    [PEAK_I8] = "int8",
};

/* A moment in which another program has a processor is no ceiling.  */
enum { TRIES = 3 };

void profile_measure(struct ceilings *c, const struct plan *p,
                     struct pool *pool)
{
    int wanted[PEAKS] = {[PEAK_COPY] = 1};

    for (int i = 0; i < p->n_step; i++)
        wanted[rate_of(&p->step[i])] |= plan_step(p, i).mac > 0;
    *c = (struct ceilings){{0}};
    for (int i = 0; p->device->peak && i < TRIES; i++)
        for (int k = 0; k < PEAKS; k++)
            if (wanted[k])
                c->at[k] = fmax(c->at[k],
                                p->device->peak(p->device, (enum peak)k, pool));
}

static void print_ceilings(struct str *out, const struct ceilings *c)
{
    str_add(out, "# ceilings:");
    for (int k = 0; k < PEAKS; k++)
        if (c->at[k] > 0)
            str_printf(out, "%s %.1f %s %s", k ? "," : "", 1e-9 * c->at[k],
                       k ? "GFLOP/s" : "GB/s", peak_names[k]);
    str_addc(out, '\n');
}

/* ---- printing ---- */

/* X per second in units of 1E9, or "-".  */
static void print_rate(struct str *out, double x, double seconds)
{
    if (x > 0 && seconds > 0)
        str_printf(out, "\t%.2f", 1e-9 * x / seconds);
    else
        str_add(out, "\t-");
}

static void print_roof(struct str *out, const struct cost *t)
{
    if (t->known && t->seconds > 0 && t->bound > 0)
        str_printf(out, "\t%.3f", t->bound / t->seconds);
    else
        str_add(out, "\t-");
}

void profile_steps(struct str *out, const struct plan *p,
                   const struct ceilings *c)
{
    str_add(out, "# node\tkernel\tms\tgflops\tgb_s\troof\n");
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step_info info = plan_step(p, i);
        const struct cost t = cost_of(p, i, c);

        quote_cell(out, info.node);
        str_printf(out, "\t%s\t%.4f", info.kernel, 1e3 * t.seconds);
        print_rate(out, t.flop, t.seconds);
        print_rate(out, t.bytes, t.seconds);
        print_roof(out, &t);
        str_addc(out, '\n');
    }
}

struct class
{
    char name[NAME];
    enum dir pass;
    int steps;
    struct cost cost;
};

static struct class *class_at(struct class *list, int *n, const char *name,
                              enum dir pass)
{
    for (int i = 0; i < *n; i++)
        if (list[i].pass == pass && !strcmp(list[i].name, name))
            return &list[i];
    snprintf(list[*n].name, NAME, "%s", name);
    list[*n].pass = pass;
    list[*n].cost.known = 1;
    return &list[(*n)++];
}

static int slower(const void *a, const void *b)
{
    const struct class *x = a, *y = b;
    const double s = x->cost.seconds, t = y->cost.seconds;

    return s != t ? (s < t) - (s > t) : strcmp(x->name, y->name);
}

static void print_class(struct str *out, const struct class *c,
                        const char *pass, double all)
{
    const struct cost *t = &c->cost;

    str_printf(out, "%s\t%s\t%d\t%.4f\t%.3f\t%.3f\t%.3f", c->name, pass,
               c->steps, 1e3 * t->seconds, all > 0 ? t->seconds / all : 0,
               1e-6 * t->bytes, 1e-6 * t->flop);
    print_rate(out, t->flop, t->seconds);
    print_rate(out, t->bytes, t->seconds);
    str_printf(out, "\t%s",
               !t->known || t->bound <= 0 ? "-"
               : t->moving > t->computing ? "memory"
                                          : "compute");
    print_roof(out, t);
    str_addc(out, '\n');
}

void profile_classes(struct str *out, const struct plan *p,
                     const struct ceilings *c)
{
    static const char *const pass[] = {"forward", "backward", "update"};
    struct class *list = xcalloc((size_t)p->n_step + 1, sizeof *list);
    struct class all = {.name = "all", .cost.known = 1};
    int n = 0;

    for (int i = 0; i < p->n_step; i++) {
        const struct cost t = cost_of(p, i, c);
        char name[NAME];
        struct class *k;

        if (p->step[i].view)
            continue;
        name_class(name, &p->step[i]);
        k = class_at(list, &n, name, pass_of(p, &p->step[i]));
        k->steps++;
        all.steps++;
        add_cost(&k->cost, &t);
        add_cost(&all.cost, &t);
    }
    qsort(list, (size_t)n, sizeof *list, slower);
    print_ceilings(out, c);
    str_add(out, "# class\tpass\tsteps\tms\tshare\tmb\tmflop\tgflops\tgb_s\t"
                 "bound\troof\n");
    for (int i = 0; i < n; i++)
        print_class(out, &list[i], pass[list[i].pass], all.cost.seconds);
    print_class(out, &all, "-", all.cost.seconds);
    free(list);
}
