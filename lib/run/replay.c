/* replay.c -- see plan.h: running the steps, and replaying what a device keeps
 * of them: on a GPU a CUDA graph.
 * SPDX-License-Identifier: MIT  */
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"

int plan_finish(const struct plan *p, struct err *e)
{
    return p->device->finish ? p->device->finish(p->device, e) : 0;
}

void plan_forget(const struct plan *p, struct work *w)
{
    if (w->kept)
        p->device->forget(p->device, w->kept);
    w->kept = NULL;
}

static void run_step(struct step *s, const struct run_step *r)
{
    const struct node *n = s->nodes.node[0];

    if ((n->op->flags & OP_RANDOM) && r)
        s->args.op.rng =
            rng_at(r->seed, RNG_DROPOUT,
                   hash_name(n->origin ? n->origin : n->name), r->step);
    if (s->prepared)
        s->kernel->together->run(s->prepared);
    else if (s->kernel)
        s->kernel->run(&s->args);
    else if (n->dir == DIR_FORWARD)
        n->op->forward(&s->args.op);
    else if (n->dir == DIR_BACKWARD)
        n->op->backward(&s->args.op);
    else
        n->op->update(&s->args.op);
}

static void mark(const struct plan *p, int i)
{
    if (p->marks)
        p->device->marking->mark(p->device, p->marks, i);
}

static void run_range(struct plan *p, int from, int to,
                      const struct run_step *r)
{
    for (int i = from; i < to; i++) {
        struct step *s = &p->step[i];
        const double start = p->opts.profile ? clock_now() : 0;

        mark(p, i);
        if (s->copy)
            p->device->rearrange(p->device, &s->args.op.in[0], s->reads,
                                 &s->args.op.out[0], s->writes, p->opts.pool);
        else if (!s->view && !s->joined)
            run_step(s, r);
        if (p->opts.profile)
            s->last = clock_now() - start;
    }
    mark(p, to);
}

/* Of the run that has just been.  The first ones do not count: they make
 * pages, load kernels, and record.  */
static int add_times(struct plan *p, struct work *w, int from, int to,
                     struct err *e)
{
    enum { FIRST = 2 };

    if (p->marks && plan_finish(p, e) < 0)
        return -1;
    if (w->begun++ <= FIRST)
        w->timed = 0;
    w->timed++;
    for (int i = from; i < to; i++) {
        struct step *s = &p->step[i];

        if (p->marks)
            s->last = p->device->marking->between(p->marks, i);
        s->seconds = w->timed > 1 ? s->seconds + s->last : s->last;
    }
    return 0;
}

int plan_first_update(const struct plan *p)
{
    int i = p->n_step;

    while (i && !p->step[i - 1].copy &&
           p->step[i - 1].nodes.node[0]->dir == DIR_UPDATE)
        i--;
    return i;
}

/* What a step is told anew in each run cannot be kept.  */
static int may_record(const struct plan *p, int from, int to)
{
    if (!p->device->record || (p->opts.profile && !p->marks))
        return 0;
    for (int i = from; i < to; i++) {
        const struct node *n = p->step[i].nodes.node[0];

        if (n && n->op->flags & OP_RANDOM && n->train)
            return 0;
    }
    return from < to;
}

/* Steps [FROM, TO); behind the last the packed forms of what they changed.  */
static void run_all(struct plan *p, int from, int to, const struct run_step *r)
{
    run_range(p, from, to, r);
    if (to < p->n_step || !*p->touched)
        return;
    for (const char **t = p->touched; *t; t++)
        params_touch(p->params, *t);
    params_refresh(p->params, p->opts.pool);
}

/* The same, which is work W: kept by the device in the second run (the first
 * lets it prepare what it has to), from then on replayed, as long as no other
 * plan has more forms packed.  */
static int run_or_replay(struct plan *p, struct work *w, int from, int to,
                         const struct run_step *r, struct err *e)
{
    if (!may_record(p, from, to) || !w->runs++) {
        run_all(p, from, to, r);
        return 0;
    }
    if (w->forms != params_forms(p->params))
        plan_forget(p, w);
    if (!w->kept) {
        if (p->device->record(p->device, e) < 0)
            return -1;
        run_all(p, from, to, r);
        w->kept = p->device->recorded(p->device, e);
        w->forms = params_forms(p->params);
    }
    return w->kept ? p->device->replay(p->device, w->kept, e) : -1;
}

static int run_work(struct plan *p, struct work *w, int from, int to,
                    const struct run_step *r, struct err *e)
{
    if (run_or_replay(p, w, from, to, r, e) < 0)
        return -1;
    return p->opts.profile ? add_times(p, w, from, to, e) : 0;
}

/* The inputs to the device, or everything else that is kept from there.  */
static int exchange(struct plan *p, int inputs, struct err *e)
{
    const int places = p->graph->n_value + p->n_copy;
    const struct device *d = p->device;

    for (int i = 0; p->mirror && i < places; i++) {
        const struct tensor *host = &p->mirror[i], *t = &p->tensor[i];
        const int is_input =
            i < p->graph->n_value && p->graph->value[i]->kind == VALUE_INPUT;

        if (host->data && is_input == inputs && !p->left[i] &&
            (inputs ? d->put(d, t->data, host->data, tensor_bytes(t), e)
                    : d->get(d, host->data, t->data, tensor_bytes(t), e)) < 0)
            return -1;
    }
    return 0;
}

int plan_run(struct plan *p, const struct run_step *r, struct err *e)
{
    return exchange(p, 1, e) < 0 ||
                   run_work(p, &p->work[0], 0, plan_first_update(p), r, e) <
                       0 ||
                   exchange(p, 0, e) < 0 || plan_finish(p, e) < 0
               ? -1
               : 0;
}

int plan_update(struct plan *p, struct err *e)
{
    return run_work(p, &p->work[1], plan_first_update(p), p->n_step, NULL, e) <
                   0
               ? -1
               : plan_finish(p, e);
}
