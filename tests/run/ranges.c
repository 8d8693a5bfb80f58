/* ranges.c -- tests of run/ranges.c: what lies within other values is computed
 * to the bit as what lies by itself, and nothing is overwritten that is read
 * later.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../graph_random.h"
#include "../pass_check.h"
#include "../slow.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/step.h"

enum { SEEDS = EMULATED_RUN ? 8 : SLOW_RUN ? 25 : 60, STEPS = 14, KEPT = 32 };

/* ---- random graphs ---- */

struct draw {
    struct graph *g;
    struct rng r;
    uint64_t at;
    struct value *v[KEPT]; /* what may be read: maps of one size */
    int n;
};

static int below(struct draw *d, int n)
{
    return (int)rng_below(&d->r, d->at++, (uint64_t)n);
}

static struct value *any(struct draw *d)
{
    return d->v[below(d, d->n)];
}

static struct node *add(struct draw *d, const char *op, struct value **in,
                        int n, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *to = graph_add(d->g, op_find(op), graph_name_free(d->g, op),
                                in, n, attr, &e);

    if (!to)
        fail_msg("%s", e.msg);
    for (int i = 0; i < to->n_out && d->n < KEPT; i++)
        d->v[d->n++] = to->out[i];
    return to;
}

static const char *number(struct draw *d, int64_t n)
{
    return arena_printf(&d->g->arena, "%lld", (long long)n);
}

static void some_conv(struct draw *d)
{
    static const char *const out[] = {"16", "16", "32", "48", "7", "20"};
    const int large = below(d, 2);
    struct value *x = any(d);

    add(d, "conv2d", &x, 1,
        (struct attr_text[]){{"out", out[below(d, (int)COUNT(out))]},
                             {"kernel", large ? "3" : "1"},
                             {"pad", large ? "1" : "0"},
                             {0}});
}

static void some_act(struct draw *d)
{
    struct value *x = any(d);

    add(d, below(d, 2) ? "relu" : "hardswish", &x, 1, NULL);
}

static void some_concat(struct draw *d)
{
    struct value *x[4];
    const int n = 2 + below(d, 3);

    for (int i = 0; i < n; i++)
        x[i] = i && below(d, 3) ? d->v[(d->n - 1 - i + d->n) % d->n] : any(d);
    add(d, "concat", x, n, NULL);
}

static int64_t some_start(struct draw *d, int64_t channels)
{
    const int64_t start = below(d, (int)channels);

    return below(d, 4) ? start / LANES * LANES : start;
}

static void some_slice(struct draw *d)
{
    struct value *x = any(d);
    const int64_t c = x->shape.dim[1], start = some_start(d, c);
    const int64_t length = below(d, 3) || c - start < LANES ? c - start : LANES;

    add(d, "slice", &x, 1,
        (struct attr_text[]){
            {"start", number(d, start)}, {"length", number(d, length)}, {0}});
}

/* And often what was cut, put together again.  */
static void some_split(struct draw *d)
{
    struct value *x = any(d), *y[2];
    const int64_t c = x->shape.dim[1], first = some_start(d, c);
    struct node *n;

    if (!first)
        return;
    n = add(
        d, "split", &x, 1,
        (struct attr_text[]){
            {"sizes", arena_printf(&d->g->arena, "%lld,%lld", (long long)first,
                                   (long long)(c - first))},
            {0}});
    memcpy(y, n->out, sizeof y);
    if (below(d, 3) == 0)
        add(d, "concat", y, 2, NULL);
}

static void some_shuffle(struct draw *d)
{
    struct value *x = below(d, 2) ? any(d) : d->v[d->n - 1];

    if (x->shape.dim[1] % 2 == 0)
        add(d, "channelshuffle", &x, 1,
            (struct attr_text[]){{"groups", "2"}, {0}});
}

static void some_add(struct draw *d)
{
    struct value *x[2] = {any(d), NULL};

    for (int i = 0; i < d->n; i++)
        if (d->v[i] != x[0] && shape_equal(&d->v[i]->shape, &x[0]->shape))
            x[1] = d->v[i];
    if (x[1])
        add(d, "add", x, 2, NULL);
}

static void (*const some[])(struct draw *) = {
    some_conv,   some_conv,  some_conv,  some_act, some_concat,
    some_concat, some_slice, some_split, some_add, some_shuffle};

static struct graph *random_graph(uint64_t seed)
{
    struct draw d = {.g = graph_new("ranges"),
                     .r = rng_at(seed, RNG_TEST, 1, 0)};
    struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 5, 4}};
    struct value *last[3];
    struct node *n;

    s.dim[1] = below(&d, 2) ? 16 : 3;
    s.dim[3] += below(&d, 4);
    d.v[d.n++] = graph_input(d.g, "image", DTYPE_F32, &s);
    some_conv(&d);
    for (int i = 0; i < STEPS; i++)
        some[below(&d, (int)COUNT(some))](&d);
    for (int i = 0; i < 3; i++)
        last[i] = i ? any(&d) : d.v[d.n - 1];
    n = add(&d, "concat", last, 3, NULL);
    n = add(&d, "globalavgpool", n->out, 1, NULL);
    n = add(&d, "flatten", n->out, 1, NULL);
    n = add(&d, "linear", n->out, 1, (struct attr_text[]){{"out", "5"}, {0}});
    graph_output(d.g, "logits", n->out[0], 0);
    if (below(&d, 2) && last[1]->kind == VALUE_NODE)
        graph_output(d.g, "map", last[1], 0);
    graph_random_fill(d.g, seed);
    return d.g;
}

/* ---- what lies where, step by step ---- */

/* Which value's numbers stand in each 16 bytes of the block; and what a value
 * had there when it was complete.  */
struct memory {
    const struct plan *p;
    int *now, **then;
    int wrong; /* 1 + the place of what was read; 0 */
};

enum { GRAIN = 16 };

static int64_t grains(const struct plan *p, int slot)
{
    return (int64_t)(p->place[slot].bytes + GRAIN - 1) / GRAIN;
}

static int *now_at(struct memory *m, int slot)
{
    const int64_t at = m->p->place[plan_root(m->p, slot)].at;

    return at < 0 ? NULL : m->now + (at + plan_shift(m->p, slot)) / GRAIN;
}

static void check_read(void *ctx, int slot)
{
    struct memory *m = ctx;
    const int *now = now_at(m, slot);

    if (now && m->then[slot] &&
        memcmp(now, m->then[slot], (size_t)grains(m->p, slot) * sizeof *now))
        m->wrong = slot + 1;
}

static void complete(void *ctx, int slot)
{
    struct memory *m = ctx;
    const int *now = now_at(m, slot);
    const size_t bytes = (size_t)grains(m->p, slot) * sizeof *now;

    if (now && !m->then[slot])
        m->then[slot] = memcpy(xcalloc(1, bytes + 1), now, bytes);
}

static void check_write(void *ctx, int slot)
{
    struct memory *m = ctx;
    int *now = now_at(m, slot);

    for (int64_t i = 0; now && i < grains(m->p, slot); i++)
        now[i] = slot + 1;
    complete(m, slot);
}

/* PART begins at channel C of WHOLE, and lies there.  */
static int in_place(const struct plan *p, int part, int whole, int64_t c)
{
    const struct shape *s = &p->tensor[whole].shape;
    const struct shape stored = layout_shape(plan_layout(p, whole), s);
    const int64_t bytes = (int64_t)p->place[whole].bytes / stored.dim[1] * c;

    return plan_root(p, part) == plan_root(p, whole) &&
           plan_shift(p, part) == plan_shift(p, whole) + bytes;
}

/* N channels of the first image at SLOT, from C on, and of each group they are
 * in.  */
static void write_part(struct memory *m, int slot, int64_t c, int64_t n)
{
    const struct shape *s = &m->p->tensor[slot].shape;
    const enum layout l = plan_layout(m->p, slot);
    const struct shape stored = layout_shape(l, s);
    const int64_t per = l == LAYOUT_PLAIN ? 1 : LANES;
    const int64_t bytes =
        (int64_t)m->p->place[slot].bytes / (s->dim[0] * stored.dim[1]);
    int *now = now_at(m, slot);

    for (int64_t i = c / per * per * bytes / GRAIN;
         now && i * GRAIN < (c + n + per - 1) / per * per * bytes; i++)
        now[i] = slot + 1;
}

/* Concat and split write what is not there yet.  */
static void write_parts(struct memory *m, const struct step *s)
{
    const struct node *n = s->nodes.node[0], *last = step_last(s);
    const int joins = node_is(n, "concat");
    int64_t c = 0;

    for (int i = 0; i < (joins ? n->n_join : n->n_out); i++) {
        const int part = joins ? plan_slot(m->p, s, 0, i) : n->out[i]->index;
        const int whole =
            joins ? last->out[0]->index : plan_slot(m->p, s, 0, 0);
        const int64_t size = m->p->tensor[part].shape.dim[1];

        if (!in_place(m->p, part, whole, c))
            write_part(m, joins ? whole : part, joins ? c : 0, size);
        c += size;
    }
    plan_writes(m->p, s, complete, m);
}

static void run_step(struct memory *m, const struct step *s)
{
    plan_reads(m->p, s, check_read, m);
    if (s->view)
        plan_writes(m->p, s, complete, m);
    else if (!s->copy && s->nodes.node[0]->dir == DIR_FORWARD &&
             node_is(s->nodes.node[0], "concat|split"))
        write_parts(m, s);
    else
        plan_writes(m->p, s, check_write, m);
}

static void check_complete(void *ctx, int slot)
{
    struct memory *m = ctx;

    if (now_at(m, slot) && !m->then[slot])
        m->wrong = slot + 1;
    check_read(m, slot);
}

/* The steps [I, END) at once: what they read is there before the first, and
 * still behind the last.  */
static void run_together(struct memory *m, int i, int end)
{
    const struct step *s = m->p->step;

    for (int k = i; k < end; k++)
        plan_reads(m->p, &s[k], check_complete, m);
    for (int k = i; k < end; k++)
        run_step(m, &s[k]);
    for (int k = i; end - i > 1 && k < end; k++)
        plan_reads(m->p, &s[k], check_read, m);
}

static const char *value_name(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;

    return i < 0 ? p->graph->value[slot]->name : p->copy[i].value->name;
}

static int is_kept(const struct plan *p, int slot)
{
    const int i = slot - p->graph->n_value;
    const struct value *v = i < 0 ? p->graph->value[slot] : p->copy[i].value;

    return plan_layout(p, slot) == LAYOUT_PLAIN &&
           (v->kind == VALUE_INPUT || value_is_output(p->graph, v));
}

/* Everything is read as it was when it was complete; what is kept is so to the
 * end.  */
static void check_memory(const struct plan *p)
{
    const int places = p->graph->n_value + p->n_copy;
    struct memory m = {.p = p};

    m.now = xcalloc(p->bytes / GRAIN + 1, sizeof *m.now);
    m.then = xcalloc((size_t)places + 1, sizeof *m.then);
    for (int i = 0; i < places; i++)
        if (i < p->graph->n_value && p->graph->value[i]->kind == VALUE_INPUT)
            check_write(&m, i);
    for (int i = 0, end; i < p->n_step; i = end) {
        for (end = i + 1; end < p->n_step && p->step[end].joined; end++)
            ;
        run_together(&m, i, end);
    }
    for (int i = 0; i < places; i++) {
        if (is_kept(p, i))
            check_read(&m, i);
        free(m.then[i]);
    }
    free(m.then);
    free(m.now);
    if (m.wrong) {
        struct str text = {0};

        plan_print(&text, p);
        fail_msg("%s is overwritten before it is read:\n%s",
                 value_name(p, m.wrong - 1), str_text(&text));
    }
}

/* ---- plans ---- */

struct bound {
    struct device *d;
    struct params *ps;
    struct pool *pool;
    struct plan *p;
};

static struct bound bind(const struct graph *g, unsigned isa, int threads,
                         struct plan_opts o)
{
    struct err e = {0};
    struct bound b = {.d = device_cpu_new(isa), .pool = pool_new(threads)};
    const struct rng r = rng_at(7, RNG_TEST, 2, 0);
    struct tensor *t;

    o.batch = o.batch ? o.batch : 1;
    o.pool = b.pool;
    b.ps = params_new(g, b.d, &e);
    b.p = b.ps ? plan_new(g, b.d, b.ps, &o, &e) : NULL;
    if (!b.p)
        fail_msg("%s", e.msg);
    t = plan_value(b.p, "image");
    for (int64_t i = 0; i < tensor_count(t); i++)
        ((float *)t->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    if (plan_find(b.p, "target"))
        *(int64_t *)plan_value(b.p, "target")->data = 1;
    for (int i = 0; i < 2; i++) /* over what the first run left */
        assert_int_equal(plan_run(b.p, NULL, &e), 0);
    return b;
}

static void unbind(struct bound *b)
{
    plan_free(b->p);
    params_free(b->ps);
    b->d->free(b->d);
    pool_free(b->pool);
}

static void same_bits(const struct graph *g, struct bound *a, struct bound *b)
{
    for (int i = 0; i < g->n_output; i++) {
        const struct tensor *x = plan_output(a->p, g->output[i].name);
        const struct tensor *y = plan_output(b->p, g->output[i].name);

        assert_memory_equal(x->data, y->data, tensor_bytes(x));
    }
}

static int views(const struct bound *b)
{
    int n = 0;

    for (int i = 0; i < b->p->n_step; i++)
        n += b->p->step[i].view &&
             node_is(b->p->step[i].nodes.node[0], "concat|slice|split");
    return n;
}

/* Those done with a sibling in front of them.  */
static int joined(const struct bound *b)
{
    int n = 0;

    for (int i = 0; i < b->p->n_step; i++)
        n += b->p->step[i].joined;
    return n;
}

/* Views found.  */
static int compare(const struct graph *g, unsigned isa, struct plan_opts o)
{
    static const int threads[] = {1, 2, 3, 5};
    struct plan_opts apart = o;
    struct bound want;
    int n = 0;

    apart.no_ranges = 1;
    want = bind(g, isa, 1, apart);
    assert_int_equal(views(&want), 0);
    check_memory(want.p);
    for (size_t t = 0; t < COUNT(threads); t += SLOW_RUN ? 3 : 1) {
        struct bound b = bind(g, isa, threads[t], o);

        check_memory(b.p);
        same_bits(g, &b, &want);
        n = views(&b);
        unbind(&b);
    }
    unbind(&want);
    return n;
}

/* ---- tests ---- */

static void test_random(void **state)
{
    int n = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = random_graph(seed);

        n += compare(g, cpu_features(), (struct plan_opts){0});
        n += compare(g, 0, (struct plan_opts){.no_fuse = seed & 1});
        compare(g, cpu_features(), (struct plan_opts){.narrow = 1});
        compare(g, cpu_features(), (struct plan_opts){.batch = 2});
        compare(g, 0, (struct plan_opts){.keep_values = 1});
        graph_free(g);
    }
    assert_true(n > SEEDS / 2);
}

static void test_quantized(void **state)
{
    int n = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = random_graph(seed), *q;
        struct pass_ranges s;
        struct err e = {0};

        pass_check_ranges(&s, g, NULL);
        q = pass_quantize(g, &s.o, &e);
        assert_non_null(q);
        n += compare(q, cpu_features(), (struct plan_opts){0});
        compare(q, 0, (struct plan_opts){0});
        graph_free(q);
        graph_free(g);
    }
    assert_true(n > SEEDS / 2);
}

static void test_training(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = random_graph(seed), *j = pass_check_join(g, NULL);
        struct graph *d = pass_check_differentiate(j);

        compare(d, cpu_features(), (struct plan_opts){0});
        graph_free(d);
        graph_free(j);
        graph_free(g);
    }
}

/* ---- known graphs ---- */

static struct value *conv(struct draw *d, struct value *x, const char *out)
{
    return add(d, "conv2d", &x, 1,
               (struct attr_text[]){{"out", out}, {"kernel", "1"}, {0}})
        ->out[0];
}

static struct value *slice(struct draw *d, struct value *x, int start, int n)
{
    return add(d, "slice", &x, 1,
               (struct attr_text[]){
                   {"start", number(d, start)}, {"length", number(d, n)}, {0}})
        ->out[0];
}

static struct value *concat(struct draw *d, struct value *x, struct value *y,
                            struct value *z)
{
    return add(d, "concat", (struct value *[]){x, y, z}, z ? 3 : 2, NULL)
        ->out[0];
}

static struct value *act(struct draw *d, struct value *x)
{
    return add(d, "relu", &x, 1, NULL)->out[0];
}

static struct value *branches(struct draw *d, struct value *x)
{
    return concat(d, act(d, conv(d, x, "16")), act(d, conv(d, x, "20")), NULL);
}

static struct value *odd_first(struct draw *d, struct value *x)
{
    return concat(d, conv(d, x, "20"), conv(d, x, "16"), NULL);
}

static struct value *nested(struct draw *d, struct value *x)
{
    struct value *y = concat(d, conv(d, x, "16"), conv(d, x, "16"), NULL);

    y = concat(d, conv(d, y, "16"), y, NULL);
    return concat(d, y, conv(d, y, "16"), NULL);
}

static struct value *twice(struct draw *d, struct value *x)
{
    x = conv(d, x, "16");
    return concat(d, x, conv(d, x, "16"), x);
}

static struct value *read_again(struct draw *d, struct value *x)
{
    x = conv(d, x, "16");
    return concat(d, act(d, concat(d, x, conv(d, x, "16"), NULL)), x, NULL);
}

static struct value *input(struct draw *d, struct value *x)
{
    return concat(d, x, conv(d, x, "16"), NULL);
}

static struct value *neighbours(struct draw *d, struct value *x)
{
    x = conv(d, x, "64");
    return concat(d, slice(d, x, 16, 16), slice(d, x, 32, 20), NULL);
}

static struct value *swapped(struct draw *d, struct value *x)
{
    x = conv(d, x, "64");
    return concat(d, slice(d, x, 32, 32), slice(d, x, 0, 32), NULL);
}

static struct value *odd_slice(struct draw *d, struct value *x)
{
    return act(d, slice(d, conv(d, x, "64"), 8, 32));
}

static const struct {
    const char *what;
    struct value *(*make)(struct draw *d, struct value *x);
    int views; /* among concat and slice */
} known[] = {
    {"branches", branches, 1},
    {"all but the last are whole groups", odd_first, 0},
    {"nested", nested, 3},
    {"an operand twice", twice, 0},
    {"an operand of two", read_again, 1},
    {"the input", input, 0},
    {"slices that follow each other", neighbours, 3},
    {"slices in another order", swapped, 2},
    {"a slice across groups", odd_slice, 0},
};

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        const struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 4, 4}};
        struct draw d = {.g = graph_new("known")};
        struct bound b;

        d.v[0] = graph_input(d.g, "image", DTYPE_F32, &s);
        graph_output(d.g, "y", conv(&d, known[i].make(&d, d.v[0]), "16"), 0);
        graph_random_fill(d.g, i);
        compare(d.g, cpu_features(), (struct plan_opts){0});
        b = bind(d.g, cpu_features(), 1, (struct plan_opts){0});
        if (views(&b) != known[i].views)
            fail_msg("%s: %d views, not %d", known[i].what, views(&b),
                     known[i].views);
        unbind(&b);
        graph_free(d.g);
    }
}

/* ---- siblings ---- */

/* Results are those of one by one; how many are done with one in front.  */
static int compare_siblings(const struct graph *g)
{
    struct bound b = bind(g, cpu_features(), 3, (struct plan_opts){0});
    struct bound want =
        bind(g, cpu_features(), 1, (struct plan_opts){.no_siblings = 1});
    const int n = joined(&b);

    assert_int_equal(joined(&want), 0);
    same_bits(g, &b, &want);
    unbind(&b);
    unbind(&want);
    return n;
}

/* Three of one value; a fourth adds what the first makes, and waits.  */
static void test_siblings(void **state)
{
    const struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 4, 4}};
    struct draw d = {.g = graph_new("siblings")};
    struct value *x = graph_input(d.g, "image", DTYPE_F32, &s), *y[4];

    (void)state;
    d.v[0] = x = conv(&d, x, "16");
    for (int i = 0; i < 4; i++)
        y[i] = conv(&d, x, i == 2 ? "20" : "16");
    y[3] = add(&d, "add", (struct value *[]){y[0], y[3]}, 2, NULL)->out[0];
    graph_output(d.g, "y", concat(&d, y[1], y[2], y[3]), 0);
    graph_output(d.g, "z", y[0], 0);
    graph_random_fill(d.g, 3);
    assert_int_equal(compare_siblings(d.g), 2);
    graph_free(d.g);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        d.g = random_graph(seed);
        compare_siblings(d.g);
        graph_free(d.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),   cmocka_unit_test(test_quantized),
        cmocka_unit_test(test_training), cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
