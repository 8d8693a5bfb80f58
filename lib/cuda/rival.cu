/* rival.cu -- see rival.cuh: trials on random operands.
 * SPDX-License-Identifier: MIT  */
#include "cuda/rival.cuh"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/finish.cuh"
#include "cuda/random.cuh"

enum {
    OPERANDS = 8,         /* of the head; of those that follow */
    RESULTS = 5,          /* at most; forward has one, and those beside it */
    BESIDE = 2,           /* the mean, and 1 / deviation; two sums */
    BUFFERS = 64,         /* of a trial */
    ROOM_MOST = 64 << 20, /* bytes of scratch that a library may have, at most; */
    ROOM_TIMES = 4,       /* so many times the operands', */
    ROOM_MORE = 1 << 20,  /* and so many more, for small ones */
    RUNS = 20,
    PARTS = 256,
};

/* Operands of bnsums; what relu's backward node keeps.  */
enum { SUMS_X, SUMS_MEAN, SUMS_INVSTD, SUMS_DY, SUMS_SCALE, SUMS_SHIFT };
enum { KEPT = 1 };

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
           node_is(y->use[0].node, "batchnorm2d|scale|add|" FINISH_ACTS) &&
           y->use[0].node->dir == DIR_FORWARD && y->use[0].node->n_out == 1;
}

/* ---- the operands of a trial ---- */

template <class T> __global__ void fill_random(struct rng r, int64_t count, T *p)
{
    for (EACH (i, count))
        put(p + i, (float)random_word(r, (uint64_t)i) * 0x1p-31f - 1);
}

template <class T>
static void fill(const struct device *d, const struct rng &r, int64_t count, void *p)
{
    launch(d, fill_random<T>, blocks_for(count), THREADS, r, count, (T *)p);
}

/* Sums of squares of a - b, and of a, of a part of the numbers; not a number
 * where one is not.  */
template <class T>
__global__ void compare_parts(int64_t count, const T *a, const T *b, double *part)
{
    double d = 0, all = 0;

    for (EACH (i, count)) {
        const double x = get(a[i]), y = get(b[i]);

        d += (x - y) * (x - y);
        all += x * x;
    }
    d = block_sum(d);
    all = block_sum(all);
    if (threadIdx.x == 0) {
        part[2 * blockIdx.x] = d;
        part[2 * blockIdx.x + 1] = all;
    }
}

/* One node, to be computed by an own kernel.  */
struct part {
    const struct kernel *kernel;
    struct step_nodes s;
    struct kernel_args a;
};

struct trial {
    const struct device *d;
    struct step_nodes *s;      /* the side node is there for who takes it */
    const struct kernel *form; /* the own one: all that are tried read alike */
    const char *side_op;       /* names of what may be beside it; NULL: none */
    int sided;                 /* the own ones do one node after the other */
    struct tensor in[OPERANDS], out[OPERANDS], dout[1], din[OPERANDS], follow[OPERANDS];
    void *packed[OPERANDS];
    struct kernel_args a;
    struct tensor *result[RESULTS]; /* those of out or din */
    void *own[RESULTS], *theirs[RESULTS], *again[RESULTS];
    int n_result, n_main;         /* n_main: without those beside the step */
    struct tensor beside[BESIDE]; /* what the own kernel makes there, */
    struct op_args side;          /* of this node; NULL: nothing */
    struct tensor side_in[OPERANDS];
    void *buffer[BUFFERS];
    size_t bytes[BUFFERS];
    int n_buffer, failed;
    double *part;
    size_t room;      /* for scratch of a library */
    double beside_ms; /* what others take for that */
};

/* NULL, and the trial has failed, where there is no room.  */
static void *room_for(struct trial *t, size_t bytes)
{
    struct err e = {};
    void *p = t->failed || t->n_buffer == BUFFERS ? NULL : t->d->alloc(t->d, bytes ? bytes : 1, &e);

    if (!p) {
        t->failed = 1;
        return NULL;
    }
    t->buffer[t->n_buffer] = p;
    t->bytes[t->n_buffer++] = bytes ? bytes : 1;
    return p;
}

static void release_from(struct trial *t, int first)
{
    while (t->n_buffer > first) {
        t->n_buffer--;
        t->d->release(t->d, t->buffer[t->n_buffer], t->bytes[t->n_buffer]);
    }
}

/* The offer for N, which reads and writes as the own kernel does.  */
static const struct kernel *offer_for(const struct trial *t, const struct node *n)
{
    for (const struct kernel *const *o = t->d->kernels; *o; o++)
        if (!strcmp((*o)->op, n->op->name) && (*o)->dir == n->dir && (*o)->reads == t->form->reads)
            return *o;
    return NULL;
}

/* *P of the node in OP, with what it reads and writes.  */
static void part_of(struct trial *t, struct part *p, struct op_args op)
{
    *p = {.kernel = offer_for(t, op.node), .s = *t->s};
    p->s.n = 1;
    p->s.n_side = 0;
    p->s.node[0] = op.node;
    p->a.op = op;
    p->a.step = &p->s;
    if (p->kernel)
        p->a.scratch = room_for(t, p->kernel->scratch ? p->kernel->scratch(&p->s, 1) : 0);
    else
        t->failed = 1;
}

static void run_part(const struct trial *t, const struct part *p)
{
    if (!t->failed)
        p->kernel->run(&p->a);
}

/* *X of shape S (of the graph); ACTIVATION: as the kernels read those.  */
static void describe(const struct trial *t, struct tensor *x, const struct shape *s, int activation)
{
    x->dtype = activation ? layout_dtype(t->form->reads, DTYPE_F32) : DTYPE_F32;
    x->shape = shape_bind(*s, t->s->batch);
}

static void random_tensor(struct trial *t, struct tensor *x)
{
    const struct rng r = rng_at(1, RNG_TEST, (uint64_t)t->n_buffer, 0);
    const int64_t count = tensor_count(x);

    x->data = room_for(t, tensor_bytes(x));
    if (x->data)
        (x->dtype == DTYPE_F32    ? fill<float>
         : x->dtype == DTYPE_BF16 ? fill<bf16>
                                  : fill<f16>)(t->d, r, count, x->data);
}

/* Room for the result *X three times: the own kernel's, a rival's, once more. */
static void result_tensor(struct trial *t, struct tensor *x)
{
    const int i = t->n_result++;

    t->result[i] = x;
    t->own[i] = room_for(t, tensor_bytes(x));
    t->theirs[i] = room_for(t, tensor_bytes(x));
    t->again[i] = room_for(t, tensor_bytes(x));
    x->data = t->own[i];
}

static void bind_forward(struct trial *t, const struct node *n)
{
    const struct node *last = t->s->node[t->s->n - 1];
    int f = 0;

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]) {
            describe(t, &t->in[i], &n->in[i]->shape, i == 0);
            random_tensor(t, &t->in[i]);
        }
    for (int k = 1; k < t->s->n; k++)
        for (int i = 0; i < t->s->node[k]->n_in; i++)
            if (i != t->s->link[k]) {
                describe(t, &t->follow[f], &t->s->node[k]->in[i]->shape, 1);
                random_tensor(t, &t->follow[f++]);
            }
    describe(t, &t->out[0], &last->out[0]->shape, 1);
    result_tensor(t, &t->out[0]);
}

static void bind_backward(struct trial *t, const struct node *n)
{
    const int n_in = n->n_out;

    for (int i = 0; i < n_in; i++) {
        describe(t, &t->in[i], &n->in_shape[i], i == 0);
        describe(t, &t->din[i], &n->in_shape[i], i == 0);
        if (n->in[i])
            random_tensor(t, &t->in[i]);
        if (n->out[i])
            result_tensor(t, &t->din[i]);
    }
    describe(t, &t->dout[0], &n->in[n->n_in - 1]->shape, 1);
    random_tensor(t, &t->dout[0]);
}

static void bind_beside(struct trial *t)
{
    t->side = {.node = rival_beside(t->side_op, t->s), .in = t->out, .out = t->beside};
    t->s->side[0] = t->side.node;
    for (int i = 0; t->side.node && i < BESIDE; i++) {
        describe(t, &t->beside[i], &t->side.node->out[i]->shape, 0);
        result_tensor(t, &t->beside[i]);
    }
}

/* What was normalised, the statistics, scale and shift; and the result of relu
 * behind them, of which the slope is.  */
static void bind_normalised(struct trial *t)
{
    const struct node *sums = t->side.node, *slope = t->s->node[1];
    const struct node *relu = slope->in[KEPT]->node;
    struct tensor *in = t->side_in, *y = &t->follow[KEPT];
    struct part apply, act;

    for (int i = 0; i < sums->n_in; i++) {
        describe(t, &in[i], &sums->in[i]->shape, i == SUMS_X);
        if (i != SUMS_DY)
            random_tensor(t, &in[i]);
    }
    in[SUMS_DY] = t->din[0];
    t->side.in = in;
    describe(t, y, &slope->in[KEPT]->shape, 1);
    y->data = room_for(t, tensor_bytes(y));
    const struct tensor all[] = {in[SUMS_X], in[SUMS_MEAN], in[SUMS_INVSTD], in[SUMS_SCALE],
                                 in[SUMS_SHIFT]};
    part_of(t, &apply, {.node = relu->in[0]->node, .in = all, .out = y});
    part_of(t, &act, {.node = relu, .in = y, .out = y});
    run_part(t, &apply);
    run_part(t, &act);
}

static void bind_trial(struct trial *t)
{
    const struct node *n = t->s->node[0];

    t->a.op = {.node = n, .in = t->in, .out = t->out, .dout = t->dout, .din = t->din};
    t->a.follow = t->follow;
    t->a.step = t->s;
    t->a.packed = t->packed;
    t->a.side = &t->side;
    if (n->dir == DIR_FORWARD)
        bind_forward(t, n);
    else
        bind_backward(t, n);
    t->n_main = t->n_result;
    bind_beside(t);
    if (t->sided)
        bind_normalised(t);
    t->part = (double *)room_for(t, 2 * PARTS * sizeof *t->part);
    for (int i = 0; i < t->n_buffer; i++)
        t->room += ROOM_TIMES * t->bytes[i];
    t->room = t->room + ROOM_MORE < ROOM_MOST ? t->room + ROOM_MORE : (size_t)ROOM_MOST;
}

static void set_results(struct trial *t, void *const *to)
{
    for (int i = 0; i < t->n_result; i++)
        t->result[i]->data = to[i];
}

/* What is beside the step is done by K too, or left to others.  */
static void turn_to(struct trial *t, const struct kernel *k)
{
    const int takes = k->side && t->side.node;

    t->s->n_side = takes;
    t->n_result = t->n_main + (takes ? BESIDE : 0);
}

/* What K wants packed, and SCRATCH bytes.  */
static void bind_kernel(struct trial *t, const struct kernel *k, size_t scratch)
{
    const struct node *n = t->s->node[0];
    const int count = n->dir == DIR_BACKWARD ? n->n_out : n->n_in;

    for (int i = 0; i < count; i++) {
        const size_t bytes =
            value_is_tensor(n->in[i]) && k->pack_bytes ? k->pack_bytes(t->s, i) : 0;

        t->packed[i] = bytes ? room_for(t, bytes) : NULL;
        if (t->packed[i])
            k->pack(t->s, i, &t->in[i], t->packed[i]);
    }
    t->a.scratch = room_for(t, scratch);
}

/* ---- asking and timing ---- */

template <class T>
static void compare(const struct trial *t, int parts, int64_t count, const void *a, const void *b)
{
    launch(t->d, compare_parts<T>, dim3((unsigned)parts), THREADS, count, (const T *)a,
           (const T *)b, t->part);
}

/* The length of B - A beside that of A, the worst of the results; NaN where
 * something is not a number.  */
static double apart(struct trial *t, void *const *a, void *const *b)
{
    double worst = 0, part[2 * PARTS];

    for (int i = 0; i < t->n_result; i++) {
        const int64_t count = tensor_count(t->result[i]), blocks = div_up(count, THREADS);
        const int parts = blocks < PARTS ? (int)blocks : (int)PARTS;
        double d = 0, all = 0;
        struct err e = {};

        (t->result[i]->dtype == DTYPE_F32    ? compare<float>
         : t->result[i]->dtype == DTYPE_BF16 ? compare<bf16>
                                             : compare<f16>)(t, parts, count, a[i], b[i]);
        if (t->d->get(t->d, part, t->part, sizeof part, &e) < 0 || t->d->finish(t->d, &e) < 0)
            return NAN;
        for (int k = 0; k < parts; k++) {
            d += part[2 * k];
            all += part[2 * k + 1];
        }
        d = d == 0 ? 0 : sqrt(d / all);
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

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

/* What a library leaves unwritten is not a number.  */
static void poison(struct trial *t, void *const *p)
{
    for (int i = 0; i < t->n_result; i++)
        if (p[i])
            cudaMemsetAsync(p[i], 0xff, tensor_bytes(t->result[i]), stream_of(t->d));
}

/* What MADE computes differs from the own kernel's results by no more than roundings.  */
static int is_right(struct trial *t, const struct kernel *k, void *made)
{
    const int narrow = layout_is_narrow(k->reads);

    poison(t, t->theirs);
    compute(k, &t->a, made);
    return apart(t, t->own, t->theirs) <= (narrow ? NARROW_ERROR : WIDE_ERROR);
}

/* Way WAY of R against the best so far.  0: there are no more.  */
static int try_way(struct trial *t, const struct rival *r, int way, struct choice *best)
{
    struct err e = {};
    int right;
    double ms;
    void *first, *second;

    set_results(t, t->theirs);
    first = r->make(&t->a, way, t->room);
    set_results(t, t->again);
    second = first ? r->make(&t->a, way, t->room) : NULL;
    if (!second) {
        if (first)
            r->kernel->together->forget(first);
        return 0;
    }
    right = is_right(t, r->kernel, first);
    poison(t, t->again);
    compute(r->kernel, &t->a, second);
    right = right && apart(t, t->theirs, t->again) == 0;
    right &= rival_failed(libraries_of(t->s), &e) == 0;
    ms = right ? time_of(t, r->kernel, &t->a, first) : 0;
    if (!t->s->n_side)
        ms += t->beside_ms;
    if (right && !t->failed && ms < best->ms) {
        best->offer = (char *)r->kernel->name;
        best->way = way;
        best->bytes = (int64_t)((struct made *)first)->bytes;
        best->ms = ms;
    }
    r->kernel->together->forget(first);
    r->kernel->together->forget(second);
    return !t->failed;
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

/* Milliseconds for what the own kernel makes beside the result.  */
static double time_beside(struct trial *t)
{
    struct tensor out[BESIDE];
    struct part p;

    if (!t->side.node || !offer_for(t, t->side.node))
        return 0;
    for (int i = 0; i < BESIDE; i++) {
        out[i] = t->beside[i];
        out[i].data = t->again[t->n_main + i];
    }
    part_of(t, &p, {.node = t->side.node, .in = &t->out[0], .out = out});
    return t->failed ? 0 : time_of(t, p.kernel, &p.a, NULL);
}

/* The first of adze's own offers that computes the nodes of S.  */
static const struct kernel *own_kernel(const struct kernel *k, const struct step_nodes *s)
{
    for (const struct kernel *const *o = s->device->kernels; *o; o++)
        if (!is_rival(*o) && competes(k, *o) && (!(*o)->accepts || (*o)->accepts(s)))
            return *o;
    return NULL;
}

static void try_all(struct trial *t, struct choice *best)
{
    const int before = t->n_buffer;

    for (size_t l = 0; l < COUNT(rivals); l++)
        for (const struct rival *r = rivals[l]; r->kernel && !t->failed; r++) {
            if (!competes(t->form, r->kernel) || r->kernel->sided != t->sided || !r->fits(t->s) ||
                (r->kernel->side && !t->side.node))
                continue;
            release_from(t, before);
            turn_to(t, r->kernel);
            bind_kernel(t, r->kernel, t->room);
            for (int way = 0; way < RIVAL_WAYS && !t->failed; way++)
                if (!try_way(t, r, way, best))
                    break;
        }
}

static struct step_nodes head_of(const struct step_nodes *s)
{
    struct step_nodes head = *s;

    head.n = 1;
    head.n_side = 0;
    return head;
}

/* The step by own kernels, one node after the other; milliseconds behind the
 * first.  */
static double compute_parts(struct trial *t, const struct kernel *own)
{
    const struct step_nodes head = head_of(t->s);
    struct kernel_args a = t->a;
    struct part slope, sums;

    a.step = &head;
    compute(own, &a, NULL);
    part_of(t, &slope,
            {.node = t->s->node[1], .out = &t->follow[KEPT], .dout = t->din, .din = t->din});
    part_of(t, &sums, {.node = t->side.node, .in = t->side_in, .out = t->beside});
    run_part(t, &slope);
    run_part(t, &sums);
    return t->failed
               ? 0
               : time_of(t, slope.kernel, &slope.a, NULL) + time_of(t, sums.kernel, &sums.a, NULL);
}

static const struct choice *choose(const struct kernel *k, int sided, const struct step_nodes *s);

/* Milliseconds of the fastest for the head of S alone.  */
static double time_head(const struct kernel *own, const struct step_nodes *s)
{
    const struct step_nodes head = head_of(s);
    const struct choice *c = choose(own, 0, &head);

    return c ? c->ms : 0;
}

static double time_own(struct trial *t, const struct kernel *own)
{
    compute(own, &t->a, NULL);
    t->beside_ms = time_beside(t);
    return time_of(t, own, &t->a, NULL);
}

/* The fastest for S, beginning with OWN.  Where the trial fails (there is no
 * room) nothing is learnt: 0.  */
static int measure(const struct kernel *own, const char *side, int sided,
                   const struct step_nodes *s, struct choice *best)
{
    const double head_ms = sided ? time_head(own, s) : 0;
    struct step_nodes step = *s;
    struct trial t = {.d = s->device, .s = &step, .form = own, .side_op = side, .sided = sided};
    int before;

    bind_trial(&t);
    before = t.n_buffer;
    turn_to(&t, own);
    bind_kernel(&t, own, own->scratch ? own->scratch(&step, 1) : 0);
    if (!t.failed) {
        best->offer = (char *)"own";
        best->way = best->bytes = 0;
        best->ms = sided ? head_ms + compute_parts(&t, own) : time_own(&t, own);
        release_from(&t, before);
        try_all(&t, best);
    }
    release_from(&t, 0);
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

/* ---- the libraries ---- */

void rival_check(struct libraries *l, const char *call, int status)
{
    if (status)
        err_set(&l->failed, ERR_DEVICE, "%s failed with status %d", call, status);
}

int rival_failed(struct libraries *l, struct err *e)
{
    const struct err was = l ? l->failed : (struct err){};

    if (!was.code)
        return 0;
    l->failed = (struct err){};
    return err_set(e, was.code, "computing on the GPU: %s", was.msg);
}

static void print(struct str *s, const char *name, size_t (*version)(void))
{
    const size_t n = version ? version() : 0;

    if (n)
        str_printf(s, "%s %zu.%zu.%zu", name, n / 10000, n % 10000 / 100, n % 100);
    else
        str_printf(s, "no %s", name);
}

struct libraries *libraries_open(const struct device *d, const char *name)
{
    struct libraries *l = (struct libraries *)xcalloc(1, sizeof *l);
    struct vendor *v = &l->vendor;

    vendor_open(v);
    if (v->lt.version && v->lt.create(&l->lt))
        v->lt = {};
    if (v->dnn.version && v->dnn.create(&l->dnn))
        v->dnn = {};
    if (v->dnn.version && v->dnn.set_stream(l->dnn, stream_of(d))) {
        v->dnn.destroy(l->dnn);
        l->dnn = NULL;
        v->dnn = {};
    }
    str_printf(&l->machine, "%s, ", name);
    print(&l->machine, "cuBLASLt", v->lt.version);
    str_add(&l->machine, ", ");
    print(&l->machine, "cuDNN", v->dnn.version);
    choices_load(&l->choices);
    return l;
}

void libraries_close(struct libraries *l)
{
    if (!l)
        return;
    choices_save(&l->choices);
    choices_release(&l->choices);
    str_release(&l->machine);
    if (l->lt)
        l->vendor.lt.destroy(l->lt);
    if (l->dnn)
        l->vendor.dnn.destroy(l->dnn);
    free(l);
}
