/* kernel_check.c -- see kernel_check.h.
 * SPDX-License-Identifier: MIT  */
#include "kernel_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "blocked.h"
#include "cpu/cpu.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "graph/tuning.h"
#include "guard.h"
#include "op/ops.h"
#include "opcase.h"
#include "slow.h"

enum { MOST = 64, TEXT = 256 };

struct bench {
    struct graph *g;
    struct node *node[STEP_NODES];
    int link[STEP_NODES];
    int n;
    struct node *back;
    struct tensor value[MOST]; /* by index */
};

/* ---- the graph ---- */

/* Attributes of ops that follow, by op.  */
static const struct {
    const char *op;
    struct attr_text attr[3];
} given[] = {
    {"clip", {{"min", "-0.3"}, {"max", "0.4"}}},
    {"channelshuffle", {{"groups", "2"}}},
};

static const struct attr_text *attr_of(const char *op)
{
    for (size_t i = 0; i < COUNT(given); i++)
        if (!strcmp(given[i].op, op))
            return given[i].attr;
    return NULL;
}

static void add_followers(struct bench *b, const char *names)
{
    char text[TEXT], *save = NULL, name[16];
    struct err e = {0};

    snprintf(text, sizeof text, "%s", names ? names : "");
    for (char *w = strtok_r(text, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        struct value *in[2] = {b->node[b->n - 1]->out[0]};
        const int add = !strcmp(w, "add") || !strcmp(w, "mul");

        snprintf(name, sizeof name, "f%d", b->n);
        if (add) /* linked as the second operand */
            in[1] = in[0],
            in[0] = graph_input(b->g, "other", DTYPE_F32, &in[0]->shape);
        b->link[b->n] = add;
        b->node[b->n] =
            graph_add(b->g, op_find(w), name, in, 1 + add, attr_of(w), &e);
        if (!b->node[b->n++])
            fail_msg("%s", e.msg);
    }
}

static void build(struct bench *b, const struct kernel_case *c)
{
    struct attr_text attr[OPCASE_MAX];
    struct value *in[OPCASE_MAX];
    struct err e = {0};
    char name[16];

    *b = (struct bench){.g = graph_new("test"), .n = 1};
    const int n = opcase_inputs(b->g, c->in, in, NULL);

    opcase_attrs(b->g, c->attr, attr);
    b->node[0] =
        c->flags & KERNEL_UPDATE
            ? graph_add_step(b->g, op_find(c->op), "head", in, n, attr, &e)
            : graph_add(b->g, op_find(c->op), "head", in, n, attr, &e);
    if (!b->node[0])
        fail_msg("%s %s: %s", c->op, c->attr, e.msg);
    b->node[0]->train = c->flags & KERNEL_TRAIN;
    add_followers(b, c->follow);
    if (c->flags & (KERNEL_BACKWARD | KERNEL_TRAIN)) {
        struct value *dout[4];
        int want[24];
        const int results = b->node[0]->n_out - b->node[0]->op->n_aux;

        for (int i = 0; i < results; i++) {
            snprintf(name, sizeof name, "dy%d", i);
            dout[i] =
                graph_input(b->g, name, DTYPE_F32, &b->node[0]->out[i]->shape);
        }
        for (int i = 0; i < b->node[0]->n_in; i++) {
            const enum role r = node_in_info(b->node[0], i)->role;

            want[i] = b->node[0]->in[i] &&
                      (r == ROLE_DATA || r == ROLE_PARAM) &&
                      (!c->want || c->want >> i & 1);
        }
        b->back = graph_add_backward(b->g, b->node[0], dout, want, &e);
        if (!b->back)
            fail_msg("%s", e.msg);
        b->back->train = b->node[0]->train;
        if (!(c->flags & KERNEL_BACKWARD))
            b->back = NULL; /* it only has uses for the extras */
    }
}

/* Numbers that look random, both signs; variances positive; labels small.  */
static void fill(const struct value *v, struct tensor *t)
{
    uint32_t r = 2463534242u + 77u * (uint32_t)v->index;
    const int positive =
        v->kind == VALUE_STATE && strstr(v->name, "var") != NULL;

    t->dtype = v->dtype;
    t->shape = v->shape;
    t->data = guard_nan(tensor_bytes(t));
    for (int64_t i = 0; i < tensor_count(t) && v->kind != VALUE_NODE; i++) {
        r ^= r << 13, r ^= r >> 17, r ^= r << 5;
        const float u = (float)(r >> 8) / (float)(1 << 24);

        if (v->dtype == DTYPE_F32)
            ((float *)t->data)[i] = positive ? 0.5f + u : 2 * u - 1;
        else if (v->dtype == DTYPE_I64)
            ((int64_t *)t->data)[i] = r % 5;
    }
}

static void spoil(struct tensor *t)
{
    static const float special[] = {NAN,    INFINITY, -INFINITY, -0.0f, 1e30f,
                                    -1e30f, -NAN,     100,       -100};

    for (int64_t i = 0; i < tensor_count(t); i += 13)
        ((float *)t->data)[i] = special[i / 13 % (int64_t)COUNT(special)];
}

/* What bf16 has: the operands of kernels that compute in it.  */
static void round_all(struct tensor *t)
{
    float *x = t->data;

    for (int64_t i = 0; t->dtype == DTYPE_F32 && i < tensor_count(t); i++)
        x[i] = bf16_to_f32(f32_to_bf16(x[i]));
}

/* ---- running ---- */

static struct tensor tensor_of(struct bench *b, const struct value *v)
{
    return v ? b->value[v->index] : (struct tensor){0};
}

static void bind(struct bench *b, const struct node *n, struct tensor *in,
                 struct tensor *out)
{
    for (int i = 0; i < n->n_in; i++)
        in[i] = tensor_of(b, n->in[i]);
    for (int i = 0; i < n->n_out; i++)
        out[i] = tensor_of(b, n->out[i]);
}

static void reference_backward(struct bench *b, struct op_args *a,
                               struct tensor *in, struct tensor *out)
{
    const struct node *n = b->node[0], *k = b->back;

    bind(b, k, in, out);
    for (int i = 0; i < n->n_in + n->n_out; i++)
        if (!k->in[i]) { /* not kept: a shape without data */
            const struct value *v =
                i < n->n_in ? n->in[i] : n->out[i - n->n_in];

            in[i] = tensor_of(b, v);
            in[i].data = NULL;
        }
    a->node = k;
    a->in = in;
    a->out = in + n->n_in;
    a->dout = in + n->n_in + n->n_out;
    a->din = out;
}

/* What ops draw from.  */
static struct rng draws(void)
{
    return rng_at(3, RNG_TEST, 0, 0);
}

static void run_references(struct bench *b)
{
    struct tensor in[MOST], out[MOST];

    for (int i = 0; i < b->n; i++) {
        struct op_args a = {
            .node = b->node[i], .in = in, .out = out, .rng = draws()};

        bind(b, b->node[i], in, out);
        if (b->node[i]->dir == DIR_UPDATE)
            b->node[i]->op->update(&a);
        else
            b->node[i]->op->forward(&a);
    }
    if (b->back) {
        struct op_args a = {.rng = draws()};

        reference_backward(b, &a, in, out);
        b->back->op->backward(&a);
    }
}

/* Kernels for any layout are told of what is stored.  */
static void stored_shapes(const struct kernel *k, struct tensor *t, int n)
{
    for (int i = 0; k->any_layout && k->reads != LAYOUT_PLAIN && i < n; i++)
        t[i].shape = layout_shape(k->reads, &t[i].shape);
}

/* Operand I of N, or what it stands for in a BACKWARD node.  */
static int is_activation(const struct node *n, int i)
{
    return n->dir != DIR_UPDATE &&
           (i >= node_op_in(n) || node_in_info(n, i)->role == ROLE_DATA);
}

static enum layout read_as(const struct kernel *k, const struct node *n, int i)
{
    return is_activation(n, i) && !(i < node_op_in(n) && k->plain >> i & 1)
               ? k->reads
               : LAYOUT_PLAIN;
}

/* Result I of a FORWARD node, gradient of operand I by a BACKWARD one.  */
static enum layout written_as(const struct kernel *k, const struct node *n,
                              int i)
{
    return n->dir == DIR_FORWARD || is_activation(n, i) ? k->writes
                                                        : LAYOUT_PLAIN;
}

/* Blocked copies of what K wants blocked; RESULT keeps the plain ones.  */
static void block_all(const struct kernel *k, const struct node *n,
                      struct tensor *in, struct tensor *out,
                      struct tensor *result)
{
    for (int i = 0; i < n->n_in; i++)
        blocked_make(&in[i], read_as(k, n, i), 1);
    for (int i = 0; i < n->n_out; i++) {
        result[i] = out[i];
        blocked_make(&out[i], written_as(k, n, i), 0);
    }
}

static void unblock_all(const struct kernel *k, const struct node *n,
                        struct tensor *in, struct tensor *out,
                        struct tensor *result)
{
    for (int i = 0; i < n->n_in; i++)
        blocked_free(&in[i], read_as(k, n, i));
    for (int i = 0; i < n->n_out; i++)
        if (out[i].data && out[i].shape.rank == 4)
            blocked_back(&result[i], written_as(k, n, i), out[i].data);
}

/* Result I is an extra that nobody reads.  */
static int is_unread(const struct node *n, int i)
{
    return i >= node_op_out(n) - n->op->n_aux && !n->out[i]->n_use;
}

/* The shapes as they were.  */
static void bind_shapes(struct bench *b, const struct node *n,
                        struct tensor *in)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i])
            in[i].shape = tensor_of(b, n->in[i]).shape;
}

static void pack_all(const struct kernel *k, const struct step_nodes *s,
                     const struct tensor *in, void **packed)
{
    const struct node *n = s->node[0];

    for (int i = 0; k->pack_bytes && i < node_op_in(n); i++) {
        const size_t bytes = in[i].data && n->in[i]->kind != VALUE_INPUT
                                 ? k->pack_bytes(s, i)
                                 : 0;

        if (!bytes)
            continue;
        packed[i] = guard_nan(bytes);
        k->pack(s, i, &in[i], packed[i]);
    }
}

static void run_kernel(struct bench *b, const struct kernel *k,
                       const struct step_nodes *s, int threads)
{
    struct tensor in[MOST], out[MOST], follow[MOST], *f = follow, result[MOST];
    struct pool *pool = pool_new(threads);
    struct kernel_args a = {.step = s, .follow = follow, .pool = pool};
    void *packed[MOST] = {0};
    const size_t bytes = k->scratch ? k->scratch(s, threads) : 0;

    bind(b, s->node[0], in, out);
    for (int i = 1; i < s->node[0]->n_out; i++)
        if (!b->back && is_unread(s->node[0], i))
            out[i].data = NULL; /* as a plan does */
    a.op = (struct op_args){
        .node = s->node[0], .in = in, .out = out, .rng = draws()};
    if (b->back)
        reference_backward(b, &a.op, in, out);
    else if (s->node[0]->dir == DIR_FORWARD)
        out[0] = tensor_of(b, s->node[s->n - 1]->out[0]);
    for (int i = 1; i < s->n; i++)
        for (int j = 0; j < s->node[i]->n_in; j++)
            if (j != s->link[i]) {
                *f = tensor_of(b, s->node[i]->in[j]);
                if (is_activation(s->node[i], j))
                    blocked_make(f, k->writes, 1);
                f++;
            }
    block_all(k, s->node[0], in, out, result);
    pack_all(k, s, in, packed);
    a.packed = packed;
    a.scratch = guard_nan(bytes);
    stored_shapes(k, in, s->node[0]->n_in);
    stored_shapes(k, out, s->node[0]->n_out);
    k->run(&a);
    guard_free(a.scratch);
    bind_shapes(b, s->node[0], in);
    unblock_all(k, s->node[0], in, out, result);
    f = follow;
    for (int i = 1; i < s->n; i++)
        for (int j = 0; j < s->node[i]->n_in; j++)
            if (j != s->link[i])
                blocked_free(f++, is_activation(s->node[i], j) ? k->writes
                                                               : LAYOUT_PLAIN);
    for (int i = 0; i < MOST; i++)
        guard_free(packed[i]);
    pool_free(pool);
}

/* ---- comparing ---- */

/* Of operands that references computed and of the result: half a unit each.  */
#define BF16_ROUNDING (2 * 0x1p-8)

static void compare(const struct kernel_case *c, const struct kernel *k,
                    const char *what, const struct tensor *want,
                    const struct tensor *got)
{
    const float *w = want->data, *g = got->data;
    double scale = 0, worst = 0;
    const int64_t n = tensor_count(want);
    int64_t at = 0;

    if (want->dtype != DTYPE_F32) {
        assert_memory_equal(want->data, got->data, tensor_bytes(want));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        scale = fabs(w[i]) > scale && fabs(w[i]) < 1e4 ? fabs(w[i]) : scale;
    for (int64_t i = 0; i < n; i++) {
        const int same = w[i] == g[i] || (isnan(w[i]) && isnan(g[i]));
        double d = same ? 0 : fabs((double)w[i] - g[i]);

        if (!same && fabs(w[i]) >= 1e4) /* of its own size */
            d *= scale / fabs(w[i]);

        if (!(d <= worst)) {
            worst = d;
            at = i;
            if (isnan(d))
                break;
        }
    }
    /* A chain of L roundings of sums of random sign, eight sigmas.  */
    const double stored = kernel_is_narrow(k) ? BF16_ROUNDING * scale : 0;
    const double tol =
        8 * (1 + sqrt(c->length)) * scale * 6e-8 + stored + 1e-37;
    if (!(worst <= tol))
        fail_msg("%s %s [%s] +%s: %s %s at %lld: %g, not %g (%g of %g)", c->op,
                 c->attr, c->in, c->follow ? c->follow : "", k->name, what,
                 (long long)at, g[at], w[at], worst, tol);
}

static int is_of_family(const struct kernel_case *c, const struct kernel *k)
{
    return c->family && !kernel_is_narrow(k) &&
           !strncmp(k->name, c->family, strlen(c->family));
}

static void compare_bits(const struct kernel_case *c, const struct kernel *k,
                         const struct tensor *got)
{
    const uint64_t bits = hash_u64(got->data, tensor_bytes(got));

    if (is_of_family(c, k) && bits != c->bits[k->isa != 0])
        fail_msg("%s %s [%s]: %s writes bits %#llx", c->op, c->attr, c->in,
                 k->name, (unsigned long long)bits);
}

/* The values that a step writes: poison them, compare them.  */
static int is_result(const struct bench *b, const struct step_nodes *s,
                     const struct value *v)
{
    const struct node *last = s->node[s->n - 1];

    if (s->node[0]->dir == DIR_UPDATE)
        return v->kind == VALUE_INPUT;
    if (v->kind != VALUE_NODE)
        return 0;
    if (b->back)
        return v->node == b->back;
    return v == last->out[0] ||
           (v->node == s->node[0] && v->out > 0 && !is_unread(v->node, v->out));
}

/* Constants at an end of their range: those that say how work is cut, which
 * change no bit, or how sums are split.  */
enum setting { DEFAULTS, CUT_LEAST, CUT_MOST, SUMS_LEAST, SUMS_MOST };

static struct tuning tuning_of(enum setting s)
{
    const enum tuning_effect e = s < SUMS_LEAST ? TUNE_CUT : TUNE_SUMS;
    struct tuning t;

    tuning_init(&t);
    for (int i = 0; i < TUNE_N && s != DEFAULTS; i++)
        if (tuning_rows[i].effect == e)
            t.value[i] = s == CUT_LEAST || s == SUMS_LEAST ? tuning_rows[i].min
                                                           : tuning_rows[i].max;
    return t;
}

struct run {
    enum setting setting;
    int threads;
};

static void poison(struct bench *b, const struct step_nodes *s,
                   const struct tensor *want)
{
    for (int i = 0; i < b->g->n_value; i++)
        if (is_result(b, s, b->g->value[i])) {
            struct tensor *v = &b->value[i];

            v->data = guard_nan(tensor_bytes(v));
            if (s->node[0]->dir == DIR_UPDATE)
                memcpy(v->data, want[MOST + i].data, tensor_bytes(v));
        }
}

/* Equal bits in all RUNS, and near enough to what is wanted.  */
static void check_runs(struct bench *b, const struct kernel_case *c,
                       const struct kernel *k, const struct step_nodes *nodes,
                       const struct tensor *want, const struct run *runs, int n)
{
    struct tensor first[MOST] = {0};
    struct step_nodes s = *nodes;

    for (int t = 0; t < n; t++) {
        const struct tuning constants = tuning_of(runs[t].setting);

        s.tuning = runs[t].setting == DEFAULTS ? NULL : &constants;
        poison(b, &s, want);
        run_kernel(b, k, &s, runs[t].threads);
        for (int i = 0; i < b->g->n_value; i++) {
            struct tensor *v = &b->value[i];

            if (!is_result(b, &s, b->g->value[i]))
                continue;
            if (!t) {
                first[i] = *v;
                compare(c, k, b->g->value[i]->name, &want[i], v);
                if (runs[t].setting == DEFAULTS)
                    compare_bits(c, k, v);
                continue;
            }
            if (memcmp(first[i].data, v->data, tensor_bytes(v)))
                fail_msg("%s %s: %s: setting %d, %d threads give other bits",
                         c->op, c->attr, k->name, runs[t].setting,
                         runs[t].threads);
            guard_free(v->data);
        }
    }
    for (int i = 0; i < b->g->n_value; i++) {
        guard_free(first[i].data);
        b->value[i].data = want[i].data;
    }
}

/* ONCE: against the references alone.  */
static void check_kernel(struct bench *b, const struct kernel_case *c,
                         const struct kernel *k, const struct step_nodes *s,
                         const struct tensor *want, int once)
{
    enum { FEW = 2 };
    static const struct run alone[] = {{DEFAULTS, 2}};
    static const struct run cut[] = {
        {DEFAULTS, 1}, {CUT_LEAST, 5}, {CUT_MOST, 2},  {DEFAULTS, 2},
        {DEFAULTS, 3}, {DEFAULTS, 5},  {CUT_LEAST, 1}, {CUT_MOST, 8}};
    static const struct run least[] = {{SUMS_LEAST, 3}, {SUMS_LEAST, 1}};
    static const struct run most[] = {{SUMS_MOST, 3}, {SUMS_MOST, 1}};

    if (once) {
        check_runs(b, c, k, s, want, alone, 1);
        return;
    }
    check_runs(b, c, k, s, want, cut, SLOW_RUN ? FEW : (int)COUNT(cut));
    if (s->node[0]->dir != DIR_BACKWARD)
        return;
    check_runs(b, c, k, s, want, least, SLOW_RUN ? 1 : COUNT(least));
    check_runs(b, c, k, s, want, most, SLOW_RUN ? 1 : COUNT(most));
}

/* What any layout will do for has none of its own but for maps.  */
static int can_lie(const struct kernel *k, const struct node *n)
{
    return !k->any_layout || k->reads == LAYOUT_PLAIN ||
           n->in[n->n_in - 1]->shape.rank == 4;
}

/* Numbers for B, and in WANT what the references make of them; behind, from
 * MOST on, the numbers as they were.  */
static void make_values(struct bench *b, const struct kernel_case *c,
                        int narrow, struct tensor *want)
{
    for (int i = 0; i < b->g->n_value; i++) {
        fill(b->g->value[i], &b->value[i]);
        if (c->flags & KERNEL_SPECIAL && b->g->value[i]->kind == VALUE_INPUT)
            spoil(&b->value[i]);
        if (narrow)
            round_all(&b->value[i]);
        fill(b->g->value[i], &want[MOST + i]);
    }
    run_references(b);
    for (int i = 0; i < b->g->n_value; i++)
        want[i] = b->value[i];
}

static void drop_values(const struct bench *b, const struct tensor *want)
{
    for (int i = 0; i < b->g->n_value; i++) {
        guard_free(want[i].data);
        guard_free(want[MOST + i].data);
    }
}

static struct step_nodes step_of(const struct bench *b)
{
    struct step_nodes s = {.batch = 1, .n = b->n};

    for (int i = 0; i < b->n; i++) {
        s.node[i] = b->node[i];
        s.link[i] = b->link[i];
    }
    if (b->back)
        s.node[0] = b->back;
    return s;
}

static int takes(const struct kernel *k, const struct kernel_case *c,
                 const struct step_nodes *s, int narrow)
{
    return !strcmp(k->op, c->op) && k->dir == s->node[0]->dir &&
           (k->dtypes >> DTYPE_F32 & 1) && (s->n == 1 || k->epilogue) &&
           kernel_is_narrow(k) == narrow && can_lie(k, s->node[0]) &&
           (!k->accepts || k->accepts(s));
}

/* In the emulator a portable kernel runs but once where another takes the case
 * too: that threads and constants change no bit of it, other runs say.  */
static int is_beside(const struct kernel *k, const struct device *d,
                     const struct kernel_case *c, const struct step_nodes *s,
                     int narrow)
{
    if (!EMULATED_RUN || k->isa || c->family)
        return 0;
    for (const struct kernel *const *o = d->kernels; *o; o++)
        if ((*o)->isa && takes(*o, c, s, narrow))
            return 1;
    return 0;
}

/* The kernels of one form of numbers.  The references, slowest of all, run
 * once, and only where there is something to compare with.  */
static int check_form(const struct kernel_case *c, const struct device *d,
                      int narrow)
{
    struct tensor want[2 * MOST] = {0};
    struct step_nodes s;
    struct bench b;
    int count = 0, family = 0;

    build(&b, c);
    assert_true(b.g->n_value < MOST);
    s = step_of(&b);
    for (const struct kernel *const *k = d->kernels; *k; k++) {
        if (!takes(*k, c, &s, narrow))
            continue;
        if (!count++)
            make_values(&b, c, narrow, want);
        check_kernel(&b, c, *k, &s, want, is_beside(*k, d, c, &s, narrow));
        family += is_of_family(c, *k);
    }
    if (c->family && !narrow && !family)
        fail_msg("%s %s: no kernel %s", c->op, c->attr, c->family);
    if (count)
        drop_values(&b, want);
    graph_free(b.g);
    return count;
}

int kernel_check(const struct kernel_case *c)
{
    struct device *d = device_cpu_new(cpu_features());
    const int count = check_form(c, d, 0);

    check_form(c, d, 1);
    device_cpu_free(d);
    if (!count)
        fail_msg("%s %s: no kernel takes this", c->op, c->attr);
    return count;
}

void kernel_check_all(const struct kernel_case *c, int n)
{
    for (int i = 0; i < n; i++)
        kernel_check(&c[i]);
}

/* ---- names ---- */

/* Each of NAMES ("relu'|relu6'") is an op's.  */
static void check_names(const struct kernel *k, const char *names)
{
    while (names && *names) {
        const size_t len = strcspn(names, "'|");
        const struct op *const *op = op_all;

        while (*op && (strncmp((*op)->name, names, len) || (*op)->name[len]))
            op++;
        if (!*op)
            fail_msg("%s: no op is called '%.*s'", k->name, (int)len, names);
        names += strcspn(names, "|");
        names += *names == '|';
    }
}

void kernel_check_names(const struct device *d)
{
    for (const struct kernel *const *k = d->kernels; *k; k++) {
        check_names(*k, (*k)->op);
        check_names(*k, (*k)->side);
        for (int i = 0; (*k)->epilogue && (*k)->epilogue[i]; i++)
            check_names(*k, (*k)->epilogue[i]);
    }
}
