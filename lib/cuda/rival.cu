/* rival.cu -- see rival.cuh: trials on random operands.
 * SPDX-License-Identifier: MIT  */
#include "cuda/rival.cuh"

#include <string.h>

#include "cuda/finish.cuh"
#include "cuda/trial.cuh"

enum { RUNS = 20 };

/* Lengths of errors beside those of results: two roundings to bf16 are apart by
 * 2^-8 at most, to f16 by less, sums in another order in f32 by some 2^-24 a term.  */
#define NARROW_ERROR 0x1p-7
#define WIDE_ERROR   0x1p-14

/* ---- which step ---- */

static void add_shape(struct str *s, const struct shape *x)
{
    for (int d = 0; d < x->rank; d++)
        str_printf(s, "%c%lld", d ? 'x' : ' ', (long long)x->dim[d]);
}

const struct node *rival_beside(const char *names, const struct step_nodes *s)
{
    const struct value *y = s->node[s->n - 1]->n_out ? s->node[s->n - 1]->out[0] : NULL;

    for (int i = 0; names && y && i < y->n_use; i++)
        if (node_is(y->use[i].node, names) && y->use[i].node->dir == DIR_FORWARD)
            return y->use[i].node;
    return NULL;
}

/* All that makes a difference to a library, or to the kernel OWN; SIDE: names of
 * what is made beside it.  */
static void key_of(struct str *key, const struct kernel *own, const char *side,
                   const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = x_shape(s), y = shape_bind(*result_shape(n), s->batch);

    str_printf(key, "%s %s %s", n->op->name, n->dir == DIR_FORWARD ? "forward" : "backward",
               layout_name(own->reads));
    add_shape(key, &x);
    add_shape(key, &y);
    for (int i = 0; n->op->attr && n->op->attr[i].name; i++) {
        str_printf(key, " %s=", n->op->attr[i].name);
        attr_print(key, &n->op->attr[i], &n->attr[i]);
    }
    for (int i = 0; i < n->n_out && n->dir == DIR_BACKWARD; i++)
        str_printf(key, "%s%d", i ? "" : " wants ", n->out[i] != NULL);
    for (int i = 1; i < s->n; i++)
        str_printf(key, "+%s", s->node[i]->op->name);
    if (rival_beside(side, s))
        str_printf(key, "|%s", side);
}

/* An own kernel would take over what reads the result of S; a rival must not
 * win by leaving that to others.  */
static int leaves_more(const struct step_nodes *s)
{
    const struct node *n = s->node[s->n - 1];
    const struct value *y = n->n_out ? n->out[0] : NULL;

    return n->dir == DIR_FORWARD && y && y->n_use == 1 &&
           node_is(y->use[0].node, "batchnorm2d|scale|add|" ACT_NAMES) &&
           y->use[0].node->dir == DIR_FORWARD && y->use[0].node->n_out == 1;
}

static const struct rival *const rivals[] = {cuda_cublas_rivals, cuda_cudnn_rivals};

static int is_rival(const struct kernel *k)
{
    for (size_t l = 0; l < COUNT(rivals); l++)
        for (const struct rival *r = rivals[l]; r->kernel; r++)
            if (r->kernel == k)
                return 1;
    return 0;
}

/* R is for the steps that K is for.  */
static int competes(const struct kernel *k, const struct kernel *r)
{
    return !strcmp(k->op, r->op) && k->dir == r->dir && k->reads == r->reads &&
           kernel_is_narrow(k) == kernel_is_narrow(r);
}

/* The first of adze's own offers that computes the nodes of S.  */
static const struct kernel *own_kernel(const struct kernel *k, const struct step_nodes *s)
{
    for (const struct kernel *const *o = s->device->kernels; *o; o++)
        if (!is_rival(*o) && competes(k, *o) && (!(*o)->accepts || (*o)->accepts(s)))
            return *o;
    return NULL;
}

/* ---- timing ---- */

/* What a rival MADE, or else K's run() of A.  */
static void compute(const struct kernel *k, const struct kernel_args *a, void *made)
{
    if (made)
        k->together->run(made);
    else
        k->run(a);
}

/* Milliseconds a time; more than once where it is short.  */
static double time_of(struct trial *t, const struct kernel *k, const struct kernel_args *a,
                      void *made)
{
    cudaEvent_t from = NULL, to = NULL;
    float ms = 0;
    int runs = 0, want = 1;

    cudaEventCreate(&from);
    cudaEventCreate(&to);
    while (runs < want) {
        runs = want;
        cudaEventRecord(from, stream_of(t->d));
        for (int i = 0; i < runs; i++)
            compute(k, a, made);
        cudaEventRecord(to, stream_of(t->d));
        if (cudaEventSynchronize(to) != cudaSuccess ||
            cudaEventElapsedTime(&ms, from, to) != cudaSuccess)
            t->failed = 1;
        want = ms < 1 ? RUNS : 1;
    }
    cudaEventDestroy(from);
    cudaEventDestroy(to);
    return ms / (float)runs;
}

/* ---- rivals ---- */

/* FIRST, which writes theirs, differs from the own results by no more than
 * roundings; SECOND, which writes again, has the bits of FIRST; and no call of the
 * library fails.  */
static int is_right(struct trial *t, const struct kernel *k, void *first, void *second)
{
    const double rounding = layout_is_narrow(k->reads) ? NARROW_ERROR : WIDE_ERROR;
    struct err e = {};
    int near, same;

    trial_poison(t, t->theirs);
    compute(k, &t->a, first);
    near = trial_apart(t, t->own, t->theirs) <= rounding;
    trial_poison(t, t->again);
    compute(k, &t->a, second);
    same = near && trial_apart(t, t->theirs, t->again) == 0;
    return libraries_failed(libraries_of(t->s), &e) == 0 && same;
}

/* Way WAY of R with its results in TO, or NULL.  */
static void *make_way(struct trial *t, const struct rival *r, int way, void *const *to)
{
    trial_write_to(t, to);
    return r->make(&t->a, way, t->room);
}

static void forget(const struct rival *r, void *made)
{
    if (made)
        r->kernel->together->forget(made);
}

/* Way WAY of R against the best so far.  0: there are no more.  */
static int try_way(struct trial *t, const struct rival *r, int way, struct choice *best)
{
    void *first = make_way(t, r, way, t->theirs);
    void *second = first ? make_way(t, r, way, t->again) : NULL;

    if (second && is_right(t, r->kernel, first, second)) {
        const double beside_ms = t->s->n_side ? 0 : t->beside_ms;
        const double ms = time_of(t, r->kernel, &t->a, first) + beside_ms;

        if (!t->failed && ms < best->ms) {
            best->offer = (char *)r->kernel->name;
            best->way = way;
            best->bytes = (int64_t)((struct made *)first)->bytes;
            best->ms = ms;
        }
    }
    forget(r, first);
    forget(r, second);
    return second && !t->failed;
}

/* R is for the step of T, and does as much as the own kernels do.  */
static int may_try(const struct trial *t, const struct rival *r)
{
    const struct kernel *k = r->kernel;

    return competes(t->form, k) && k->sided == t->sided && r->fits(t->s) &&
           (!k->side || t->side.node);
}

static void try_all(struct trial *t, struct choice *best)
{
    for (size_t l = 0; l < COUNT(rivals); l++)
        for (const struct rival *r = rivals[l]; r->kernel && !t->failed; r++) {
            if (!may_try(t, r))
                continue;
            trial_turn_to(t, r->kernel);
            trial_scratch(t, t->room);
            for (int way = 0; way < RIVAL_WAYS && !t->failed; way++)
                if (!try_way(t, r, way, best))
                    break;
        }
}

/* ---- own kernels ---- */

static double time_part(struct trial *t, const struct trial_part *p)
{
    return time_of(t, p->kernel, &p->a, NULL);
}

/* The step by OWN, with which T's own results are there; milliseconds.  */
static double time_own(struct trial *t, const struct kernel *own)
{
    struct trial_part p;

    compute(own, &t->a, NULL);
    t->beside_ms = trial_beside(t, &p) ? time_part(t, &p) : 0;
    return time_of(t, own, &t->a, NULL);
}

static struct step_nodes head_of(const struct step_nodes *s)
{
    struct step_nodes head = *s;

    head.n = 1;
    head.n_side = 0;
    return head;
}

/* The same by one node after the other, OWN for the head; milliseconds behind
 * the head.  */
static double time_parts(struct trial *t, const struct kernel *own)
{
    const struct step_nodes head = head_of(t->s);
    struct kernel_args a = t->a;
    struct trial_part slope, sums;

    a.step = &head;
    compute(own, &a, NULL);
    return trial_behind(t, &slope, &sums) ? time_part(t, &slope) + time_part(t, &sums) : 0;
}

static const struct choice *choose(const struct kernel *k, int sided, const struct step_nodes *s);

/* Milliseconds of the fastest for the head of S alone.  */
static double time_head(const struct kernel *own, const struct step_nodes *s)
{
    const struct step_nodes head = head_of(s);
    const struct choice *c = choose(own, 0, &head);

    return c ? c->ms : 0;
}

/* ---- the choice ---- */

/* The fastest for S, beginning with OWN.  SIDE: names of what may be beside it.
 * Where the trial fails (there is no room) nothing is learnt: 0.  */
static int measure(const struct kernel *own, const char *side, int sided,
                   const struct step_nodes *s, struct choice *best)
{
    const double head_ms = sided ? time_head(own, s) : 0;
    struct trial t;

    trial_init(&t, s, own, rival_beside(side, s), sided);
    trial_turn_to(&t, own);
    trial_scratch(&t, own->scratch ? own->scratch(t.s, 1) : 0);
    if (!t.failed) {
        best->offer = (char *)"own";
        best->way = best->bytes = 0;
        best->ms = sided ? head_ms + time_parts(&t, own) : time_own(&t, own);
        try_all(&t, best);
    }
    trial_release(&t);
    return !t.failed;
}

/* What was the fastest for S, as K computes it; measured if it is not known.
 * SIDED: as such a rival does.  NULL: it cannot be.  */
static const struct choice *choose(const struct kernel *k, int sided, const struct step_nodes *s)
{
    struct libraries *l = libraries_of(s);
    const struct kernel *own = own_kernel(k, s);
    const char *side = sided ? k->side : own ? own->side : NULL;
    struct choice best = {};
    const struct choice *known;
    struct str key = {};

    if (!own)
        return NULL;
    key_of(&key, own, side, s);
    best.machine = (char *)str_text(&l->machine);
    best.step = (char *)str_text(&key);
    known = choices_find(&l->choices, best.machine, best.step);
    if (!known && measure(own, side, sided, s, &best)) {
        choices_put(&l->choices, &best);
        known = choices_find(&l->choices, best.machine, best.step);
    }
    str_release(&key);
    return known;
}

int rival_accepts(const struct rival *r, const struct step_nodes *s)
{
    const struct choice *c;

    if (!libraries_of(s) || leaves_more(s) || !r->fits(s))
        return 0;
    c = choose(r->kernel, r->kernel->sided, s);
    return c && !strcmp(c->offer, r->kernel->name);
}

size_t rival_scratch(const struct rival *r, const struct step_nodes *s)
{
    return (size_t)choose(r->kernel, r->kernel->sided, s)->bytes;
}

void *rival_prepare(const struct rival *r, const struct kernel_args *a, struct err *e)
{
    const struct choice *c = choose(r->kernel, r->kernel->sided, a->step);
    void *made = r->make(a, (int)c->way, (size_t)c->bytes);
    char name[ERR_QUOTE];

    if (made)
        return made;
    err_set(e, ERR_DEVICE,
            "%s no longer computes '%s' as it did when it was measured; remove adze/cuda-choices "
            "from the folder of caches",
            r->kernel->name, err_quote(name, a->step->node[0]->name));
    return NULL;
}
