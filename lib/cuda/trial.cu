/* trial.cu -- see trial.cuh.
 * SPDX-License-Identifier: MIT  */
#include "cuda/trial.cuh"

#include <math.h>
#include <string.h>

#include "cuda/random.cuh"

enum {
    ROOM_MOST = 64 << 20, /* bytes of scratch that a library may have, at most; */
    ROOM_TIMES = 4,       /* so many times the operands', */
    ROOM_MORE = 1 << 20,  /* and so many more, for small ones */
    PARTS = 256,
};

/* Operands of bnsums; what relu's backward node keeps.  */
enum { SUMS_X, SUMS_MEAN, SUMS_INVSTD, SUMS_DY, SUMS_SCALE, SUMS_SHIFT };
enum { KEPT = 1 };

/* ---- room ---- */

/* NULL, and the trial has failed, where there is no room.  */
static void *room_for(struct trial *t, size_t bytes)
{
    struct err e = {};
    void *p =
        t->failed || t->n_buffer == TRIAL_BUFFERS ? NULL : t->d->alloc(t->d, bytes ? bytes : 1, &e);

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

/* ---- nodes by own kernels ---- */

/* The offer for N, which reads and writes as the own kernel does.  */
static const struct kernel *offer_for(const struct trial *t, const struct node *n)
{
    for (const struct kernel *const *o = t->d->kernels; *o; o++)
        if (!strcmp((*o)->op, n->op->name) && (*o)->dir == n->dir && (*o)->reads == t->form->reads)
            return *o;
    return NULL;
}

/* *P of the node in OP, with what it reads and writes.  */
static void part_of(struct trial *t, struct trial_part *p, struct op_args op)
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

void trial_run(const struct trial *t, const struct trial_part *p)
{
    if (!t->failed)
        p->kernel->run(&p->a);
}

int trial_beside(struct trial *t, struct trial_part *p)
{
    struct op_args op = {.node = t->side.node, .in = &t->out[0], .out = p->out};

    if (!op.node || !offer_for(t, op.node))
        return 0;
    part_of(t, p, op);
    for (int i = 0; i < TRIAL_BESIDE; i++) {
        p->out[i] = t->beside[i];
        p->out[i].data = t->again[t->n_main + i];
    }
    return !t->failed;
}

int trial_behind(struct trial *t, struct trial_part *slope, struct trial_part *sums)
{
    part_of(t, slope,
            {.node = t->s->node[1], .out = &t->follow[KEPT], .dout = t->din, .din = t->din});
    part_of(t, sums, {.node = t->side.node, .in = t->side_in, .out = t->beside});
    trial_run(t, slope);
    trial_run(t, sums);
    return !t->failed;
}

/* ---- the operands ---- */

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
    t->side.in = t->out;
    t->side.out = t->beside;
    t->s->side[0] = t->side.node;
    for (int i = 0; t->side.node && i < TRIAL_BESIDE; i++) {
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
    struct trial_part apply, act;

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
    trial_run(t, &apply);
    trial_run(t, &act);
}

void trial_init(struct trial *t, const struct step_nodes *s, const struct kernel *form,
                const struct node *side, int sided)
{
    const struct node *n = s->node[0];

    *t = {.d = s->device, .step = *s, .s = &t->step, .form = form, .sided = sided};
    t->side.node = side;
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
    t->n_shared = t->n_buffer;
    for (int i = 0; i < t->n_buffer; i++)
        t->room += ROOM_TIMES * t->bytes[i];
    t->room = t->room + ROOM_MORE < ROOM_MOST ? t->room + ROOM_MORE : (size_t)ROOM_MOST;
}

void trial_release(struct trial *t)
{
    release_from(t, 0);
}

void trial_turn_to(struct trial *t, const struct kernel *k)
{
    const struct node *n = t->s->node[0];
    const int count = n->dir == DIR_BACKWARD ? n->n_out : n->n_in;
    const int takes = k->side && t->side.node;

    release_from(t, t->n_shared);
    t->s->n_side = takes;
    t->n_result = t->n_main + (takes ? TRIAL_BESIDE : 0);
    for (int i = 0; i < count; i++) {
        const size_t bytes =
            value_is_tensor(n->in[i]) && k->pack_bytes ? k->pack_bytes(t->s, i) : 0;

        t->packed[i] = bytes ? room_for(t, bytes) : NULL;
        if (t->packed[i])
            k->pack(t->s, i, &t->in[i], t->packed[i]);
    }
}

void trial_scratch(struct trial *t, size_t bytes)
{
    t->a.scratch = room_for(t, bytes);
}

/* ---- the results ---- */

void trial_write_to(struct trial *t, void *const *to)
{
    for (int i = 0; i < t->n_result; i++)
        t->result[i]->data = to[i];
}

void trial_poison(struct trial *t, void *const *p)
{
    for (int i = 0; i < t->n_result; i++)
        if (p[i])
            cudaMemsetAsync(p[i], 0xff, tensor_bytes(t->result[i]), stream_of(t->d));
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

template <class T>
static void compare(const struct trial *t, int parts, int64_t count, const void *a, const void *b)
{
    launch(t->d, compare_parts<T>, dim3((unsigned)parts), THREADS, count, (const T *)a,
           (const T *)b, t->part);
}

double trial_apart(struct trial *t, void *const *a, void *const *b)
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
