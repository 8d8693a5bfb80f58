/* op_check.c -- the test harness of ops.
 * SPDX-License-Identifier: MIT  */
#include "op_check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "guard.h"
#include "opcase.h"
#include "ref/op_torch.h"
#include "ref/op_torch_math.h"

/* ---- numbers ---- */

double op_fill(int64_t i, int k)
{
    return (double)((i * 7919 + k * 104729 + 17) % 1009 - 504) / 256 + 1. / 512;
}

double op_tolerance(double length, double scale)
{
    return FLT_EPSILON * (8 + 4 * sqrt(length)) * scale;
}

double trial_get(const struct tensor *t, int64_t i)
{
    switch (t->dtype) {
    case DTYPE_F32:
        return ((const float *)t->data)[i];
    case DTYPE_F64:
        return ((const double *)t->data)[i];
    case DTYPE_I64:
        return (double)((const int64_t *)t->data)[i];
    case DTYPE_I32:
        return ((const int32_t *)t->data)[i];
    case DTYPE_I8:
        return ((const int8_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

void trial_set(struct tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case DTYPE_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case DTYPE_F64:
        ((double *)t->data)[i] = v;
        break;
    case DTYPE_I64:
        ((int64_t *)t->data)[i] = (int64_t)v;
        break;
    case DTYPE_I32:
        ((int32_t *)t->data)[i] = (int32_t)v;
        break;
    case DTYPE_I8:
        ((int8_t *)t->data)[i] = (int8_t)v;
        break;
    default:
        ((uint8_t *)t->data)[i] = (uint8_t)v;
    }
}

void trial_put(struct tensor *t, const double *v)
{
    for (int64_t i = 0; i < tensor_count(t); i++)
        trial_set(t, i, v[i]);
}

double trial_scale(const struct tensor *t)
{
    double max = 0;
    for (int64_t i = 0; i < tensor_count(t); i++)
        max = fmax(max, fabs(trial_get(t, i)));
    return max;
}

static int is_float(const struct tensor *t)
{
    return t->dtype == DTYPE_F32 || t->dtype == DTYPE_F64;
}

/* ---- reading a case ---- */

static int64_t batch_of(const struct op_case *c)
{
    return c->batch ? c->batch : 2;
}

/* The operands of a case.  */
struct inputs {
    struct graph *graph;
    struct value *value[OPCASE_MAX];
    int modulus[OPCASE_MAX];
};

static const struct op *find_op(const char *name, int wide)
{
    for (const struct op *const *p = wide ? d_op_all : op_all; *p; p++)
        if (!strcmp((*p)->name, name))
            return *p;
    fail_msg("no op '%s'", name);
    return NULL;
}

/* The node of a case in a new graph, NULL with E filled if it is refused.  */
static struct node *build(const struct op_case *c, int wide, struct inputs *in,
                          struct err *e)
{
    const struct op *op = find_op(c->op, wide);
    struct attr_text attr[OPCASE_MAX];
    struct node *n;
    in->graph = graph_new("trial");
    const int n_in = opcase_inputs(in->graph, c->in, in->value, in->modulus);
    opcase_attrs(in->graph, c->attr, attr);
    n = op->forward
            ? graph_add(in->graph, op, "t", in->value, n_in, attr, e)
            : graph_add_step(in->graph, op, "t", in->value, n_in, attr, e);
    if (n)
        n->train = !!(c->flags & CASE_TRAIN);
    return n;
}

/* ---- a node with memory ---- */

static struct tensor memory(const struct trial *t, const struct value *v)
{
    const enum dtype dt =
        v->dtype == DTYPE_F32 && t->wide ? DTYPE_F64 : v->dtype;
    const struct shape s = shape_bind(v->shape, batch_of(t->c));
    struct tensor r = tensor_view(dt, &s, NULL);
    r.data = guard_alloc((size_t)shape_count(&s) * dtype_size(dt));
    return r;
}

/* What must be positive to make sense.  */
static int is_positive(const char *name)
{
    static const char *const list[] = {"running_var", "scale", "norm", "lr",
                                       "v",           "t",     "decay"};
    for (size_t i = 0; i < COUNT(list); i++)
        if (!strcmp(name, list[i]))
            return 1;
    return 0;
}

static void fill(struct tensor *t, int k, double scale, int modulus,
                 int positive)
{
    const int64_t count = tensor_count(t);
    for (int64_t i = 0; i < count; i++) {
        const double v = op_fill(i, k);
        if (is_float(t))
            trial_set(t, i, positive ? fabs(v) + .5 : v * scale);
        else
            trial_set(t, i,
                      (double)((i * 7919 + k * 104729 + 17) % 1009 %
                               (modulus ? modulus : 100)));
    }
}

static void add_back(struct trial *t)
{
    struct value *dout[TRIAL_MAX];
    int want[TRIAL_MAX];
    struct err e = {0};
    for (int i = 0; i < t->n_res; i++)
        dout[i] = graph_input(t->graph, graph_name_free(t->graph, "dout"),
                              DTYPE_F32, &t->node->out[i]->shape);
    for (int i = 0; i < t->n_in; i++)
        want[i] = trial_wants(t) >> i & 1;
    t->back = graph_add_backward(t->graph, t->node, dout, want, &e);
    if (!t->back)
        fail_msg("%s", e.msg);
}

void trial_init(struct trial *t, const struct op_case *c, int wide)
{
    struct inputs in = {0};
    struct err e = {0};
    *t = (struct trial){.c = c, .wide = wide};
    t->node = build(c, wide, &in, &e);
    t->graph = in.graph;
    if (!t->node)
        fail_msg("%s", e.msg);
    t->op = t->node->op;
    t->n_in = t->node->n_in;
    t->n_out = t->node->n_out;
    t->n_res = t->n_out - t->op->n_aux;
    assert_true(t->n_in <= TRIAL_MAX && t->n_out <= TRIAL_MAX);
    for (int i = 0; i < t->n_in; i++) {
        if (!t->node->in[i])
            continue;
        t->in[i] = memory(t, t->node->in[i]);
        fill(&t->in[i], i, c->scale ? c->scale : 1, in.modulus[i],
             c->flags & CASE_POSITIVE ||
                 is_positive(node_in_info(t->node, i)->name));
    }
    for (int i = 0; i < t->n_out; i++)
        t->out[i] = memory(t, t->node->out[i]);
    for (int i = 0; i < t->n_res && t->op->backward; i++) {
        t->dout[i] = memory(t, t->node->out[i]);
        if (!is_float(&t->dout[i])) { /* of a quantised value */
            guard_free(t->dout[i].data);
            t->dout[i].dtype = wide ? DTYPE_F64 : DTYPE_F32;
            t->dout[i].data = guard_alloc((size_t)tensor_count(&t->dout[i]) *
                                          dtype_size(t->dout[i].dtype));
        }
        fill(&t->dout[i], 100 + i, 1, 0, 0);
    }
    t->args.rng = rng_at(1, RNG_DROPOUT, 2, 3);
    if (t->op->backward)
        add_back(t);
}

static void release_all(struct tensor *t)
{
    for (int i = 0; i < TRIAL_MAX; i++)
        guard_free(t[i].data);
}

void trial_release(struct trial *t)
{
    release_all(t->in);
    release_all(t->out);
    release_all(t->dout);
    release_all(t->din);
    graph_free(t->graph);
}

static void check_guards(const struct trial *t)
{
    for (int i = 0; i < TRIAL_MAX; i++) {
        const void *all[] = {t->in[i].data, t->out[i].data, t->dout[i].data,
                             t->din[i].data};
        for (size_t k = 0; k < COUNT(all); k++)
            if (all[k])
                guard_check(all[k]);
    }
}

/* Bytes that are NaN as any float.  */
static void poison(struct tensor *t)
{
    memset(t->data, 0xff, (size_t)tensor_count(t) * dtype_size(t->dtype));
}

static void check_written(const struct trial *t, const char *what, int k,
                          const struct tensor *r)
{
    for (int64_t i = 0; is_float(r) && i < tensor_count(r); i++)
        if (isnan(trial_get(r, i)))
            fail_msg("%s %s(%s): %s %d: element %lld is not written",
                     t->op->name, t->c->attr, t->c->in, what, k, (long long)i);
}

/* A hash of all that a direction only reads.  */
static uint64_t sum_bytes(const struct tensor *t, int n)
{
    uint64_t h = 0;
    for (int i = 0; i < n; i++)
        for (size_t b = 0; t[i].data && b < (size_t)tensor_count(&t[i]) *
                                                dtype_size(t[i].dtype);
             b++)
            h = (h ^ ((const unsigned char *)t[i].data)[b]) * 1099511628211u;
    return h;
}

void trial_forward(struct trial *t)
{
    const uint64_t before = sum_bytes(t->in, t->n_in);
    for (int i = 0; i < t->n_out; i++)
        poison(&t->out[i]);
    t->args.node = t->node;
    t->args.in = t->in;
    t->args.out = t->out;
    t->op->forward(&t->args);
    check_guards(t);
    assert_int_equal(before, sum_bytes(t->in, t->n_in));
    for (int i = 0; i < t->n_out; i++)
        check_written(t, "output", i, &t->out[i]);
}

unsigned trial_wants(const struct trial *t)
{
    unsigned want = 0;
    for (int i = 0; i < t->n_in && t->op->backward; i++) {
        const enum role role = node_in_info(t->node, i)->role;
        const int diff = role == ROLE_PARAM || role == ROLE_DATA;
        const int given = t->in[i].data && is_float(&t->in[i]);
        const int through = (t->c->flags & CASE_NO_DIFF) && i == 0;
        if (diff && (given || through))
            want |= 1u << i;
    }
    return want;
}

static int kept(uint32_t mask, const struct node *n, int i, int out)
{
    const int bit = out || i >= n->n_join ? i - (out ? 0 : n->n_join - 1) : 0;
    return mask >> bit & 1;
}

void trial_backward(struct trial *t, unsigned want)
{
    struct tensor in[TRIAL_MAX], out[TRIAL_MAX];
    memcpy(in, t->in, sizeof in);
    memcpy(out, t->out, sizeof out);
    for (int i = 0; i < t->n_in; i++) {
        if (!kept(t->op->keep_in, t->node, i, 0))
            in[i].data = NULL;
        guard_free(t->din[i].data);
        t->din[i] = t->in[i];
        t->din[i].dtype = t->wide ? DTYPE_F64 : DTYPE_F32;
        t->din[i].data = want >> i & 1
                             ? guard_alloc((size_t)tensor_count(&t->in[i]) *
                                           dtype_size(t->din[i].dtype))
                             : NULL;
        if (t->din[i].data)
            poison(&t->din[i]);
    }
    for (int i = 0; i < t->n_out; i++)
        if (!kept(t->op->keep_out, t->node, i, 1))
            out[i].data = NULL;
    const uint64_t before = sum_bytes(in, t->n_in) + sum_bytes(out, t->n_out) +
                            sum_bytes(t->dout, t->n_res);
    t->args.node = t->back;
    t->args.in = in;
    t->args.out = out;
    t->args.dout = t->dout;
    t->args.din = t->din;
    t->op->backward(&t->args);
    check_guards(t);
    assert_int_equal(before, sum_bytes(in, t->n_in) + sum_bytes(out, t->n_out) +
                                 sum_bytes(t->dout, t->n_res));
    t->args.in = t->in;
    t->args.out = t->out;
    for (int i = 0; i < t->n_in; i++)
        if (t->din[i].data)
            check_written(t, "gradient", i, &t->din[i]);
}

void trial_update(struct trial *t)
{
    t->args.node = t->node;
    t->args.in = t->in;
    t->args.out = t->out;
    t->op->update(&t->args);
    check_guards(t);
}

double trial_length(const struct trial *t, const struct tensor *r)
{
    const struct op_cost c = node_cost(t->node);
    const double terms =
        (double)(c.mac > c.flop ? c.mac : c.flop) * (double)batch_of(t->c);
    const double length = terms / (double)tensor_count(r);
    return length > 1 ? length : 1;
}

void trial_equal(const struct trial *t, const char *what,
                 const struct tensor *a, const struct tensor *b, double tol)
{
    assert_int_equal(tensor_count(a), tensor_count(b));
    for (int64_t i = 0; i < tensor_count(a); i++) {
        const double x = trial_get(a, i), y = trial_get(b, i);
        if (!(fabs(x - y) <= tol) && !(x == y))
            fail_msg("%s %s(%s): %s: element %lld is %.9g, not %.9g "
                     "(tolerance %.3g)",
                     t->op->name, t->c->attr, t->c->in, what, (long long)i, x,
                     y, tol);
    }
}

/* ---- the checks ---- */

static void check_shapes(const struct trial *t)
{
    struct str s = {0};
    for (int i = 0; i < t->n_res; i++) {
        const char *text = ST(&t->node->out[i]->shape);
        str_printf(&s, "%s%.*s", i ? " " : "", (int)strlen(text) - 2, text + 1);
    }
    if (t->c->out)
        assert_string_equal(str_text(&s), t->c->out);
    str_release(&s);
}

static void close_to(const struct trial *t, const char *what,
                     const struct tensor *a, const struct tensor *b)
{
    trial_equal(t, what, a, b,
                op_tolerance(trial_length(t, b), trial_scale(b)));
}

/* sum of dout out */
static double objective(struct trial *t)
{
    double sum = 0;
    trial_forward(t);
    for (int r = 0; r < t->n_res; r++)
        for (int64_t i = 0; i < tensor_count(&t->out[r]); i++)
            sum += trial_get(&t->dout[r], i) * trial_get(&t->out[r], i);
    return sum;
}

/* (L(x + h) - L(x - h)) / 2h for element I of operand K.  The error is that
 * of rounding L, DBL_EPSILON |L| / h times a few, and h h L''' / 6.  */
static void check_slope(struct trial *t, int k, int64_t i)
{
    const double h = 1e-5, x = trial_get(&t->in[k], i);
    trial_set(&t->in[k], i, x + h);
    const double above = objective(t);
    trial_set(&t->in[k], i, x - h);
    const double below = objective(t);
    trial_set(&t->in[k], i, x);
    const double want = (above - below) / (2 * h);
    const double got = trial_get(&t->din[k], i);
    const double size = fmax(fabs(above), trial_scale(&t->din[k]));
    const double tol =
        64 * DBL_EPSILON * (size + 1) / h + 64 * h * h * (size + 1);
    if (!(fabs(got - want) <= tol))
        fail_msg("%s %s(%s): gradient of %s, element %lld is %.9g, by "
                 "differences %.9g (tolerance %.3g)",
                 t->op->name, t->c->attr, t->c->in,
                 node_in_info(t->node, k)->name, (long long)i, got, want, tol);
}

static void check_slopes(struct trial *t, unsigned want)
{
    for (int k = 0; k < t->n_in; k++)
        for (int64_t i = 0; want >> k & 1 && i < tensor_count(&t->in[k]); i++)
            check_slope(t, k, i);
}

/* Each gradient alone has the bits that it has among the others.  */
static void check_alone(struct trial *t, unsigned all)
{
    struct tensor together[TRIAL_MAX];
    memcpy(together, t->din, sizeof together);
    memset(t->din, 0, sizeof t->din);
    for (int k = 0; k < t->n_in; k++)
        if (all >> k & 1) {
            trial_backward(t, 1u << k);
            trial_equal(t, "gradient alone", &t->din[k], &together[k], 0);
        }
    release_all(together);
}

static void check_backward(struct trial *narrow, struct trial *wide)
{
    const unsigned want = trial_wants(wide);
    trial_backward(narrow, want);
    trial_backward(wide, want);
    for (int k = 0; k < wide->n_in; k++)
        if (want >> k & 1)
            close_to(narrow, "gradient", &narrow->din[k], &wide->din[k]);
    if (!(wide->c->flags & CASE_NO_DIFF))
        check_slopes(wide, want);
    check_alone(narrow, want);
}

static void check_one(const struct op_case *c)
{
    struct trial narrow, wide;
    trial_init(&narrow, c, 0);
    trial_init(&wide, c, 1);
    check_shapes(&narrow);
    trial_forward(&narrow);
    trial_forward(&wide);
    for (int i = 0; i < wide.n_out; i++)
        close_to(&narrow, "output", &narrow.out[i], &wide.out[i]);
    if (wide.op->backward)
        check_backward(&narrow, &wide);
    trial_release(&narrow);
    trial_release(&wide);
}

void op_check(const struct op_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_one(&c[i]);
}

/* ---- stored answers ---- */

/* Compare with N numbers at V; returns what is behind them.  */
static const float *check_stored(const struct trial *t, const char *what,
                                 const struct tensor *a, const float *v)
{
    const struct tensor want =
        tensor_view(DTYPE_F32, &a->shape, (void *)(uintptr_t)v);
    close_to(t, what, a, &want);
    return v + tensor_count(a);
}

static void check_ref(const struct op_ref *r)
{
    struct trial t;
    const float *v = r->value;
    trial_init(&t, &r->c, 0);
    check_shapes(&t);
    trial_forward(&t);
    for (int i = 0; i < t.n_res; i++)
        v = check_stored(&t, "torch: output", &t.out[i], v);
    if (v < r->value + r->count)
        trial_backward(&t, trial_wants(&t));
    for (int i = 0; i < t.n_in && v < r->value + r->count; i++)
        if (t.din[i].data)
            v = check_stored(&t, "torch: gradient", &t.din[i], v);
    assert_true(v == r->value + r->count);
    trial_release(&t);
}

static void check_refused(const struct op_bad *b)
{
    const struct op_case *c = &b->c;
    struct inputs in = {0};
    struct err e = {0};
    if (build(c, 0, &in, &e))
        fail_msg("%s %s(%s) is not refused", c->op, c->attr, c->in);
    if (e.code != b->code || !strstr(e.msg, b->part))
        fail_msg("%s %s(%s): message '%s' (%d) does not say '%s' (%d)", c->op,
                 c->attr, c->in, e.msg, (int)e.code, b->part, (int)b->code);
    graph_free(in.graph);
}

void op_check_refused(const struct op_bad *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_refused(&b[i]);
}

/* The gradient of step S is op_fill() of operand 1 + S, the rate 0.1, 0.09,
 * ...; errors of all steps add up.  */
void op_check_optim(const char *op, const char *in, const struct optim_ref *r)
{
    const struct op_case c = {op, r->attr, in};
    struct trial t;
    if (strcmp(r->op, op))
        return;
    trial_init(&t, &c, 0);
    for (int k = 3; k < t.n_in && t.in[k].data; k++)
        memset(t.in[k].data, 0, (size_t)tensor_count(&t.in[k]) * sizeof(float));
    for (int s = 0; s < OPTIM_STEPS; s++) {
        const struct tensor want =
            tensor_view(DTYPE_F32, &t.in[0].shape,
                        (void *)(uintptr_t)(r->value + (size_t)s * OPTIM_SIZE));
        fill(&t.in[1], 1 + s, 1, 0, 0);
        trial_set(&t.in[2], 0, .1 - .01 * s);
        trial_update(&t);
        trial_equal(&t, "torch: parameter", &t.in[0], &want,
                    op_tolerance(s, trial_scale(&want)));
    }
    trial_release(&t);
}

struct op_cost op_check_cost(const struct op_case *c)
{
    struct inputs in = {0};
    struct err e = {0};
    const struct node *n = build(c, 0, &in, &e);
    if (!n)
        fail_msg("%s", e.msg);
    const struct op_cost r = node_cost(n);
    graph_free(in.graph);
    return r;
}

/* ---- a test program ---- */

struct job {
    const char *op;
    const struct op_case *c;
    size_t n;
};

static void run_cases(void **state)
{
    const struct job *j = *state;
    op_check(j->c, j->n);
}

/* Stored answer I of all; NULL behind the last.  */
static const struct op_ref *all_refs(int i)
{
    const int n = COUNT(op_ref), more = COUNT(op_ref_math);
    return i < n ? &op_ref[i] : i < n + more ? &op_ref_math[i - n] : NULL;
}

static void run_refs(void **state)
{
    const struct job *j = *state;
    for (int i = 0; all_refs(i); i++)
        if (!strcmp(all_refs(i)->c.op, j->op))
            check_ref(all_refs(i));
}

static int has_refs(const char *name)
{
    for (int i = 0; all_refs(i); i++)
        if (!strcmp(all_refs(i)->c.op, name))
            return 1;
    return 0;
}

int op_check_main(const char *name, const struct op_case *c, size_t n,
                  const struct CMUnitTest *more, size_t n_more)
{
    struct job job = {name, c, n};
    struct CMUnitTest tests[32];
    size_t count = 0;
    if (n)
        tests[count++] =
            (struct CMUnitTest)cmocka_unit_test_prestate(run_cases, &job);
    if (has_refs(name))
        tests[count++] =
            (struct CMUnitTest)cmocka_unit_test_prestate(run_refs, &job);
    for (size_t i = 0; i < n_more && count < COUNT(tests); i++)
        tests[count++] = more[i];
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}
