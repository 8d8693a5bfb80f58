/* cublas.cu -- linear layers and convolutions of one tap by cuBLASLt.
 * SPDX-License-Identifier: MIT
 *
 * Rows of x [rows][c], W [k][c], y [rows][k].  cuBLASLt has columns where we
 * have rows, so its D = A B is our transposed product:
 *
 *   y' = W x'      and bias, another value (C), relu or gelu by its epilogue
 *   dx' = W' dy'
 *   dW' = x' dy    and the sums of dy's columns for the bias
 *
 * In f32 without TF32; in bf16 and f16 with sums in f32, y and dx of the same
 * type, dW in f32.
 * Partial sums of a split product are added in a fixed order.  */
#include "cuda/conv.cuh"
#include "cuda/finish.cuh"
#include "cuda/narrow.cuh"
#include "cuda/rival.cuh"

enum { X, WEIGHT, BIAS };
enum { ALIGNED = 16, PARTS = 2 };

/* One product, column-major: D [m][n] = op(A) op(B) + C.  */
struct part {
    int64_t m, n, k, step_a, step_b;
    int turn_a, turn_b;
    int from, to; /* types of A and B, of C and D */
    unsigned epilogue;
    const void *a, *b, *c;
    void *d;
    const void *bias; /* or its gradient */

    void *desc, *at, *bt, *dt; /* cuBLASLt's */
    struct lt_found found;
};

struct work {
    struct made made;
    struct libraries *libraries;
    cudaStream_t stream;
    struct part part[PARTS];
    int n;
    void *scratch;
};

/* ---- which steps ---- */

struct sizes {
    int64_t rows, k, c;
};

/* X of the forward node, K channels of the result.  */
static struct sizes sizes_of(const struct shape *x, int64_t k)
{
    const int axis = x->rank == 4 ? 1 : x->rank - 1;
    const int64_t c = x->dim[axis], count = shape_count(x);

    return {c ? count / c : 0, k, c};
}

static int is_one(const struct node *n, const char *attr, int64_t what)
{
    int count;
    const int64_t *v = attr_ints(n, attr, &count);

    for (int i = 0; i < count; i++)
        if (v[i] != what)
            return 0;
    return 1;
}

static int is_one_tap(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return is_one(n, "kernel", 1) && is_one(n, "stride", 1) && is_one(n, "pad", 0) &&
           attr_int(n, "groups") == 1 && conv_fits(s);
}

/* Of linear, narrow where NARROW.  */
static int has_rows(const struct step_nodes *s, int narrow)
{
    const struct value *w = s->node[0]->in[WEIGHT];

    return x_shape(s).rank != 4 && (!narrow || keeps_x(s)) && (!w || value_is_tensor(w));
}

static int follows(const struct step_nodes *s)
{
    for (int i = 1; i < s->n; i++) {
        const struct node *n = s->node[i];

        if (node_is(n, "add")
                ? !finish_adds(n, s->link[i])
                : node_is(n, "gelu") && strcmp(attr_str(n, "approximate"), "tanh") != 0)
            return 0;
    }
    return 1;
}

/* Runs of 16 bytes, and the gradient of a bias only beside that of W.  */
static int fits(const struct step_nodes *s, int narrow)
{
    const struct node *n = s->node[0];
    const struct shape x = x_shape(s);
    const struct sizes z = sizes_of(&x, attr_int(n, "out"));
    const int run = narrow ? 8 : 4;

    if (!libraries_of(s) || !libraries_of(s)->lt || z.c % run || z.k % run || !z.rows)
        return 0;
    if (n->dir == DIR_BACKWARD && n->n_out > BIAS && n->out[BIAS] && !n->out[WEIGHT])
        return 0;
    return (node_is(n, "linear") ? has_rows(s, narrow) : is_one_tap(s)) && follows(s);
}

template <int NARROW> static int fits_form(const struct step_nodes *s)
{
    return fits(s, NARROW);
}

/* ---- products ---- */

static const void *operand(const struct kernel_args *a, int i)
{
    return a->packed[i] ? a->packed[i] : a->op.in[i].data;
}

static struct part part_of(const struct kernel_args *a, int to_narrow)
{
    const enum dtype type =
        a->op.node->dir == DIR_FORWARD ? a->op.in[X].dtype : a->op.dout[0].dtype;
    struct part p = {};

    p.from = type == DTYPE_BF16 ? LT_R_16BF : type == DTYPE_F16 ? LT_R_16F : LT_R_32F;
    p.to = to_narrow ? p.from : (int)LT_R_32F;
    p.epilogue = LT_EPILOGUE_DEFAULT;
    return p;
}

static struct part forward(const struct kernel_args *a, const struct sizes &s)
{
    const struct tensor *follow = a->follow;
    struct part p = part_of(a, 1);
    unsigned e = 0;

    p.m = s.k;
    p.n = s.rows;
    p.k = p.step_a = p.step_b = s.c;
    p.turn_a = 1;
    p.a = operand(a, WEIGHT);
    p.b = a->op.in[X].data;
    p.d = a->op.out[0].data;
    if (a->op.in[BIAS].data) {
        p.bias = operand(a, BIAS);
        e |= LT_EPILOGUE_BIAS;
    }
    for (int i = 1; i < a->step->n; i++)
        if (node_is(a->step->node[i], "add"))
            p.c = (follow++)->data;
        else
            e |= node_is(a->step->node[i], "relu") ? LT_EPILOGUE_RELU : LT_EPILOGUE_GELU;
    if (e)
        p.epilogue = e;
    return p;
}

static struct part backward_x(const struct kernel_args *a, const struct sizes &s)
{
    struct part p = part_of(a, 1);

    p.m = p.step_a = s.c;
    p.n = s.rows;
    p.k = p.step_b = s.k;
    p.a = operand(a, WEIGHT);
    p.b = a->op.dout[0].data;
    p.d = a->op.din[X].data;
    return p;
}

static struct part backward_w(const struct kernel_args *a, const struct sizes &s)
{
    struct part p = part_of(a, 0);

    p.m = p.step_a = s.c;
    p.n = p.step_b = s.k;
    p.k = s.rows;
    p.turn_b = 1;
    p.a = a->op.in[X].data;
    p.b = a->op.dout[0].data;
    p.d = a->op.din[WEIGHT].data;
    if (a->op.din[BIAS].data) {
        p.epilogue = LT_EPILOGUE_BGRADB;
        p.bias = a->op.din[BIAS].data;
    }
    return p;
}

static void list_parts(struct work *w, const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct sizes s = sizes_of(&a->op.in[X].shape, attr_int(a->op.node, "out"));

    if (!back)
        w->part[w->n++] = forward(a, s);
    if (back && a->op.din[X].data)
        w->part[w->n++] = backward_x(a, s);
    if (back && a->op.din[WEIGHT].data)
        w->part[w->n++] = backward_w(a, s);
}

/* ---- what cuBLASLt makes of them ---- */

static int describe(const struct cublaslt *lt, struct part *p)
{
    const int turn = LT_OP_T;
    int bad = lt->desc_create(&p->desc, LT_COMPUTE_32F, LT_R_32F);

    if (!bad && p->turn_a)
        bad = lt->desc_set(p->desc, LT_DESC_TRANSA, &turn, sizeof turn);
    if (!bad && p->turn_b)
        bad = lt->desc_set(p->desc, LT_DESC_TRANSB, &turn, sizeof turn);
    if (!bad)
        bad = lt->desc_set(p->desc, LT_DESC_EPILOGUE, &p->epilogue, sizeof p->epilogue);
    if (!bad && p->bias)
        bad = lt->desc_set(p->desc, LT_DESC_BIAS_POINTER, &p->bias, sizeof p->bias);
    if (!bad)
        bad = lt->layout_create(&p->at, p->from, (uint64_t)(p->turn_a ? p->k : p->m),
                                (uint64_t)(p->turn_a ? p->m : p->k), p->step_a);
    if (!bad)
        bad = lt->layout_create(&p->bt, p->from, (uint64_t)(p->turn_b ? p->n : p->k),
                                (uint64_t)(p->turn_b ? p->k : p->n), p->step_b);
    if (!bad)
        bad = lt->layout_create(&p->dt, p->to, (uint64_t)p->m, (uint64_t)p->n, p->m);
    return bad ? -1 : 0;
}

/* What is a run of 16 bytes in a trial may begin elsewhere in a plan, in f32:
 * a range of another value.  */
static unsigned alignment(const struct part *p)
{
    const uintptr_t all = (uintptr_t)p->a | (uintptr_t)p->b | (uintptr_t)p->c | (uintptr_t)p->d;

    return all % ALIGNED ? (unsigned)sizeof(float) : (unsigned)ALIGNED;
}

static int prefer(const struct cublaslt *lt, void *preference, unsigned aligned, size_t room)
{
    static const int attrs[] = {LT_PREF_MIN_ALIGNMENT_A_BYTES, LT_PREF_MIN_ALIGNMENT_B_BYTES,
                                LT_PREF_MIN_ALIGNMENT_C_BYTES, LT_PREF_MIN_ALIGNMENT_D_BYTES};
    const unsigned scheme = LT_REDUCTION_COMPUTE_TYPE;
    const uint64_t bytes = room;
    int bad = lt->preference_set(preference, LT_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);

    if (!bad)
        bad = lt->preference_set(preference, LT_PREF_REDUCTION_SCHEME_MASK, &scheme, sizeof scheme);
    for (size_t i = 0; i < COUNT(attrs) && !bad; i++)
        bad = lt->preference_set(preference, attrs[i], &aligned, sizeof aligned);
    return bad;
}

/* The algorithm number WAY of those that cuBLASLt thinks the fastest, or its
 * first where operands lie as in no trial.  */
static int find(const struct libraries *l, struct part *p, int way, size_t room)
{
    const unsigned aligned = alignment(p);
    struct lt_found found[RIVAL_WAYS] = {};
    void *preference = NULL;
    int n = 0, bad = l->vendor.lt.preference_create(&preference);

    if (!bad)
        bad = prefer(&l->vendor.lt, preference, aligned, room);
    if (!bad)
        bad = l->vendor.lt.heuristic(l->lt, p->desc, p->at, p->bt, p->dt, p->dt, preference,
                                     RIVAL_WAYS, found, &n);
    if (preference)
        l->vendor.lt.preference_destroy(preference);
    if (aligned != ALIGNED)
        way = 0;
    if (bad || way >= n || found[way].state || found[way].workspace > room)
        return -1;
    p->found = found[way];
    return 0;
}

static void forget(void *made)
{
    struct work *w = (struct work *)made;
    const struct cublaslt *lt = &w->libraries->vendor.lt;

    for (int i = 0; i < w->n; i++) {
        struct part *p = &w->part[i];
        void *const layouts[] = {p->at, p->bt, p->dt};

        for (size_t k = 0; k < COUNT(layouts); k++)
            if (layouts[k])
                lt->layout_destroy(layouts[k]);
        if (p->desc)
            lt->desc_destroy(p->desc);
    }
    free(w);
}

static void *make(const struct kernel_args *a, int way, size_t room)
{
    struct work *w = (struct work *)xcalloc(1, sizeof *w);

    w->libraries = libraries_of(a->step);
    w->stream = stream_of(device_of(a));
    w->scratch = a->scratch;
    list_parts(w, a);
    for (int i = 0; i < w->n; i++) {
        struct part *p = &w->part[i];

        if (describe(&w->libraries->vendor.lt, p) < 0 || find(w->libraries, p, way, room) < 0) {
            forget(w);
            return NULL;
        }
        if (p->found.workspace > w->made.bytes)
            w->made.bytes = p->found.workspace;
    }
    return w;
}

static void run(const void *made)
{
    const struct work *w = (const struct work *)made;
    const float one = 1, zero = 0;

    for (int i = 0; i < w->n; i++) {
        const struct part *p = &w->part[i];

        libraries_check(w->libraries, "cublasLtMatmul",
                        w->libraries->vendor.lt.matmul(
                            w->libraries->lt, p->desc, &one, p->a, p->at, p->b, p->bt,
                            p->c ? &one : &zero, p->c ? p->c : p->d, p->dt, p->d, p->dt,
                            &p->found.algo, w->scratch, p->found.workspace, w->stream));
    }
}

/* ---- packing: W and the bias in 16 bits ---- */

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct node *n = s->node[0];
    const int packs = i == WEIGHT || (i == BIAS && n->dir == DIR_FORWARD);

    return packs && n->in[i] ? 2 * (size_t)shape_count(&n->in[i]->shape) : 0;
}

/* ---- offers ---- */

static const char *const epilogue[] = {"add", "relu|gelu", NULL};

template <int I> static int accepts(const struct step_nodes *s)
{
    return rival_accepts(&cuda_cublas_rivals[I], s);
}

template <int I> static size_t scratch(const struct step_nodes *s, int threads)
{
    (void)threads;
    return rival_scratch(&cuda_cublas_rivals[I], s);
}

template <int I> static void *prepare(const struct kernel_args *const *a, int n, struct err *e)
{
    (void)n;
    return rival_prepare(&cuda_cublas_rivals[I], a[0], e);
}

#define TOGETHER(I)                \
    {                              \
        1, prepare<I>, run, forget \
    }

static const struct together together[] = {
    TOGETHER(0), TOGETHER(1), TOGETHER(2), TOGETHER(3), TOGETHER(4),  TOGETHER(5),
    TOGETHER(6), TOGETHER(7), TOGETHER(8), TOGETHER(9), TOGETHER(10), TOGETHER(11),
};

/* clang-format off */
#define OFFER(I, T, op_name, direction, layout, follow, bytes, fn)                                \
    {.name = "cublas", .op = op_name, .dir = direction, .dtypes = F32, .reads = layout,           \
     .writes = layout, .narrow = form<T>::narrow, .pulls = (layout) != LAYOUT_PLAIN,              \
     .epilogue = follow, .accepts = accepts<I>, .scratch = scratch<I>, .pack_bytes = bytes,       \
     .pack = fn, .together = &together[I]}
#define BOTH(I, T, op_name, layout, ...)                                                          \
    OFFER(I, T, op_name, DIR_FORWARD, layout, epilogue, __VA_ARGS__),                             \
    OFFER(I + 1, T, op_name, DIR_BACKWARD, layout, NULL, __VA_ARGS__)

extern "C" const struct kernel cuda_cublas_kernels[] = {
    BOTH(0, bf16, "linear", form<bf16>::layout, pack_bytes, narrow_pack<bf16>),
    BOTH(2, f16, "linear", form<f16>::layout, pack_bytes, narrow_pack<f16>),
    BOTH(4, float, "linear", LAYOUT_PLAIN, NULL, NULL),
    BOTH(6, bf16, "conv2d", form<bf16>::layout, pack_bytes, narrow_pack<bf16>),
    BOTH(8, f16, "conv2d", form<f16>::layout, pack_bytes, narrow_pack<f16>),
    BOTH(10, float, "conv2d", form<float>::layout, NULL, NULL),
    {},
};
/* clang-format on */

#define RIVAL(I, is_narrow)                                 \
    {                                                       \
        &cuda_cublas_kernels[I], fits_form<is_narrow>, make \
    }

const struct rival cuda_cublas_rivals[] = {
    RIVAL(0, 1), RIVAL(1, 1), RIVAL(2, 1), RIVAL(3, 1),  RIVAL(4, 0),  RIVAL(5, 0), RIVAL(6, 1),
    RIVAL(7, 1), RIVAL(8, 1), RIVAL(9, 1), RIVAL(10, 0), RIVAL(11, 0), {},
};
