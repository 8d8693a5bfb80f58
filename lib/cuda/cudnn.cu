/* cudnn.cu -- convolutions by cuDNN, in bf16 and f16.
 * SPDX-License-Identifier: MIT
 *
 * Weights are packed in 16 bits as [K][tap][C/groups] for all directions.  The
 * gradient of the weights comes so, in 16 bits, and is then moved to where it
 * belongs, in f32; that of the bias is a kernel of ours.
 *
 * Sums for the normalisation behind it, while training, can be had beside the
 * result, in f16 alone: see dnngraph.h.  They are of squares about 0, in f32:
 * where a mean is hundreds of times the deviation few digits of that are left,
 * which kernels of ours keep.
 *
 * Backward a gradient may get the slope of a relu, and beside it the sums of the
 * normalisation in front of that, which are bnsums' as they come.  Kernels of ours
 * do that one by one: the rival is faster than them together, or not taken.  */
#include "cuda/box.cuh"
#include "cuda/conv.cuh"
#include "cuda/finish.cuh"
#include "cuda/gemm.cuh"
#include "cuda/moments.cuh"
#include "cuda/rival.cuh"

extern "C" {
#include "cuda/dnngraph.h"
}

enum { X, WEIGHT, BIAS };
enum { RELU_Y = 1 }; /* of its backward node */
enum { SUMS_X, SUMS_MEAN, SUMS_INVSTD, SUMS_DY, SUMS_SCALE, SUMS_SHIFT };
enum { GRAPHS = 2 };

/* Where a node beside the step had its results when it was made.  */
struct side {
    double eps;
    float *mean, *invstd;
};

struct work {
    struct made made;
    struct libraries *libraries;
    struct dnn_graph graph[GRAPHS];
    int n;
    struct kernel_args a;
    struct tensor dw, db, dy; /* dw and db: data NULL, not wanted */
    struct side side[STEP_SIDES];
    int n_side;
};

/* ---- which steps ---- */

static int follows(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    if (s->n > 1 && !n->in[BIAS])
        return 0;
    for (int i = 1; i < s->n; i++)
        if (node_is(s->node[i], "add") && !finish_adds(s->node[i], s->link[i]))
            return 0;
    return 1;
}

static int fits_alone(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t groups = attr_int(n, "groups");
    const struct shape x = conv_input(s), y = conv_result(s);

    return libraries_of(s) && libraries_of(s)->dnn && x.dim[1] / groups % 8 == 0 &&
           y.dim[1] / groups % 8 == 0 && shape_count(&x) && shape_count(&y) && conv_fits(s);
}

static int fits(const struct step_nodes *s)
{
    return fits_alone(s) && follows(s);
}

static int fits_sums(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return s->n == 1 && !n->in[BIAS] && attr_int(n, "groups") == 1 && fits(s);
}

/* What is normalised in front of the relu whose slope S has, as SUMS, which is
 * beside S, has it.  */
static int is_normalised(const struct step_nodes *s, const struct node *sums)
{
    const struct node *relu = s->node[1]->in[RELU_Y] ? s->node[1]->in[RELU_Y]->node : NULL;
    const struct node *apply = relu && relu->in[0] ? relu->in[0]->node : NULL;

    return apply && node_is(relu, "relu") && node_is(apply, "bnapply") && sums->in[SUMS_SCALE] &&
           sums->in[SUMS_SHIFT] && apply->in[0] == sums->in[SUMS_X] &&
           apply->in[1] == sums->in[SUMS_MEAN] && apply->in[2] == sums->in[SUMS_INVSTD] &&
           apply->in[3] == sums->in[SUMS_SCALE] && apply->in[4] == sums->in[SUMS_SHIFT];
}

static int fits_sums_back(const struct step_nodes *s)
{
    const struct node *n = s->node[0], *sums = s->n == 2 ? rival_beside("bnsums", s) : NULL;

    return sums && n->out[X] && attr_int(n, "groups") == 1 && is_normalised(s, sums) &&
           fits_alone(s);
}

/* ---- making ---- */

static struct dnn_conv conv_graph(const struct kernel_args *a, enum dnn_kind kind)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = &a->op.in[X], *y = back ? &a->op.dout[0] : &a->op.out[0];
    const struct window w = window_of(a->op.node, &x->shape, &y->shape);
    struct dnn_conv c = {};

    c.kind = kind;
    c.type = y->dtype == DTYPE_BF16 ? DNN_DATA_BFLOAT16 : DNN_DATA_HALF;
    for (int d = 0; d < 4; d++) {
        c.x[d] = x->shape.dim[d];
        c.y[d] = y->shape.dim[d];
    }
    c.w[0] = c.y[1];
    c.w[1] = c.x[1] / attr_int(a->op.node, "groups");
    for (int d = 0; d < 2; d++) {
        c.w[2 + d] = w.kernel[d];
        c.stride[d] = w.stride[d];
        c.dilation[d] = w.dilation[d];
        c.before[d] = w.pad[d];
        c.after[d] = w.pad[2 + d];
    }
    return c;
}

/* What is packed holds no gradient.  */
static void *weights(const struct kernel_args *a)
{
    return (void *)a->packed[WEIGHT];
}

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static int64_t aligned_floats(int64_t count)
{
    return (int64_t)(aligned((size_t)count * sizeof(float)) / sizeof(float));
}

static size_t weight_bytes(const struct kernel_args *a)
{
    const size_t bytes = 2 * (size_t)tensor_count(&a->op.din[WEIGHT]);

    return a->op.din[WEIGHT].data ? aligned(bytes) : 0;
}

/* One more graph, whose scratch begins at AT.  */
static int add(struct work *w, const struct dnn_conv *c, void *const *operand, int way, size_t room,
               size_t at)
{
    struct dnn_graph *g = &w->graph[w->n];

    if (at > room ||
        dnn_make(g, &w->libraries->vendor.dnn, w->libraries->dnn, NULL, c, way, room - at) < 0)
        return -1;
    w->n++;
    if (at + g->bytes > w->made.bytes)
        w->made.bytes = at + g->bytes;
    return dnn_bind(g, operand, (char *)w->a.scratch + at);
}

static int add_forward(struct work *w, int way, size_t room)
{
    const struct kernel_args *a = &w->a;
    struct dnn_conv c = conv_graph(a, DNN_KIND_FORWARD);
    void *at[DNN_OPERANDS] = {a->op.in[X].data, weights(a), a->op.out[0].data};

    c.bias = a->op.in[BIAS].data != NULL;
    at[DNN_BIAS] = c.bias ? (void *)a->packed[BIAS] : NULL;
    for (int i = 1; i < a->step->n; i++)
        if (node_is(a->step->node[i], "add")) {
            c.add = 1;
            at[DNN_ADD] = a->follow[0].data;
        } else {
            c.relu = 1;
        }
    return add(w, &c, at, way, room, 0);
}

static struct side side_of(const struct op_args *a)
{
    return {attr_real(a->node, "eps"), data<float>(&a->out[0]), data<float>(&a->out[1])};
}

/* With sums, [2][channels], in front of the library's scratch.  */
static int add_sums(struct work *w, int way, size_t room)
{
    const struct kernel_args *a = &w->a;
    const struct tensor *y = &a->op.out[0];
    const int64_t channels = y->shape.dim[1];
    float *sum = (float *)a->scratch;
    struct dnn_conv c = conv_graph(a, DNN_KIND_FORWARD);
    void *at[DNN_OPERANDS] = {a->op.in[X].data, weights(a), y->data};

    for (; w->n_side < a->step->n_side; w->n_side++)
        w->side[w->n_side] = side_of(&a->side[w->n_side]);
    c.sums = 1;
    at[DNN_SUM] = sum;
    at[DNN_SQUARE] = sum + channels;
    return add(w, &c, at, way, room, aligned(2 * (size_t)channels * sizeof *sum));
}

static int add_dx(struct work *w, int way, size_t room)
{
    const struct kernel_args *a = &w->a;
    void *const at[DNN_OPERANDS] = {a->op.din[X].data, weights(a), a->op.dout[0].data};
    const struct dnn_conv c = conv_graph(a, DNN_KIND_DX);

    return add(w, &c, at, way, room, 0);
}

/* Slope and sums too; what is not used of it, [3][channels], lies in front of the
 * library's scratch.  */
static int add_dx_sums(struct work *w, int way, size_t room)
{
    const struct kernel_args *a = &w->a;
    const struct op_args *sums = &a->side[0];
    const int64_t channels = a->op.din[X].shape.dim[1];
    float *unused = (float *)a->scratch;
    struct dnn_conv c = conv_graph(a, DNN_KIND_DX);
    void *at[DNN_OPERANDS] = {a->op.din[X].data, weights(a), a->op.dout[0].data};

    c.sums = 1;
    at[DNN_V] = sums->in[SUMS_X].data;
    at[DNN_MEAN] = sums->in[SUMS_MEAN].data;
    at[DNN_INVSTD] = sums->in[SUMS_INVSTD].data;
    at[DNN_SCALE] = sums->in[SUMS_SCALE].data;
    at[DNN_SHIFT] = sums->in[SUMS_SHIFT].data;
    at[DNN_SUM] = sums->out[0].data;
    at[DNN_PRODUCT] = sums->out[1].data;
    for (int i = 0; i < 3; i++)
        at[DNN_UNUSED + i] = unused + i * aligned_floats(channels);
    return add(w, &c, at, way, room, 3 * sizeof *unused * (size_t)aligned_floats(channels));
}

/* The gradient of x by DX.  */
template <int (*DX)(struct work *w, int way, size_t room)>
static int add_backward(struct work *w, int way, size_t room)
{
    const struct kernel_args *a = &w->a;
    const struct rows r = rows_of(&a->op.dout[0]);
    const size_t dw = weight_bytes(a);
    int bad = a->op.din[X].data ? DX(w, way, room) : 0;

    if (!bad && dw) {
        void *const at[DNN_OPERANDS] = {a->op.in[X].data, a->scratch, a->op.dout[0].data};
        const struct dnn_conv c = conv_graph(a, DNN_KIND_DW);

        w->dw = a->op.din[WEIGHT];
        bad = add(w, &c, at, way, room, dw);
    }
    w->dy = a->op.dout[0];
    w->db = a->op.din[BIAS];
    if (w->db.data && row_sums_scratch(r.rows, r.c) > w->made.bytes)
        w->made.bytes = row_sums_scratch(r.rows, r.c);
    return bad || w->made.bytes > room ? -1 : 0;
}

static void forget(void *made)
{
    struct work *w = (struct work *)made;

    for (int i = 0; i < w->n; i++)
        dnn_drop(&w->graph[i]);
    free(w);
}

template <int (*ADD)(struct work *w, int way, size_t room)>
static void *make(const struct kernel_args *a, int way, size_t room)
{
    struct work *w = (struct work *)xcalloc(1, sizeof *w);

    w->libraries = libraries_of(a->step);
    w->a = *a;
    if (ADD(w, way, room) == 0)
        return w;
    forget(w);
    return NULL;
}

/* ---- running ---- */

/* [K][tap][C/groups] as [K][C/groups][tap], the shape of T.  */
static struct box turned(const struct shape *t)
{
    const int64_t k = t->dim[0], cg = t->dim[1], taps = t->dim[2] * t->dim[3];

    return {3, k * taps * cg, {k, cg, taps}, {{taps * cg, 1, cg}, {cg * taps, taps, 1}}};
}

/* Sums of all rows, as one chunk.  */
struct whole_moments {
    enum { rows = INT32_MAX }; /* conv_fits() */
    const float *p;
    int64_t channels;

    __device__ double sum(int64_t, int64_t c, double) const
    {
        return p[c];
    }

    __device__ double square(int64_t, int64_t c, double size) const
    {
        const double s = p[c], q = p[channels + c] - s * s / size;

        return q < 0 ? 0 : q;
    }
};

static void join_sums(const struct work *w)
{
    for (int k = 0; k < w->n_side; k++) {
        const struct rows r = rows_of(&w->a.op.out[0]);
        const struct side *to = &w->side[k];

        launch(device_of(&w->a), moments_join<whole_moments>, join_grid(r.c), join_block(), r,
               whole_moments{(const float *)w->a.scratch, r.c}, to->eps, to->mean, to->invstd);
    }
}

template <class T> static void run(const void *made)
{
    const struct work *w = (const struct work *)made;
    const struct device *d = device_of(&w->a);

    for (int i = 0; i < w->n; i++)
        libraries_check(w->libraries, "cudnnBackendExecute",
                        w->libraries->vendor.dnn.execute(w->libraries->dnn, w->graph[i].plan,
                                                         w->graph[i].pack));
    if (w->dw.data)
        launch(d, move<T, float>, blocks_for(tensor_count(&w->dw)), THREADS, turned(&w->dw.shape),
               (const T *)w->a.scratch, data<float>(&w->dw));
    if (w->db.data)
        row_sums_run(d, rows_of(&w->dy), data<T>(&w->dy), (float *)w->a.scratch,
                     data<float>(&w->db));
    join_sums(w);
}

/* ---- packing ---- */

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct node *n = s->node[0];
    const int packs = i == WEIGHT || (i == BIAS && n->dir == DIR_FORWARD);

    return packs && n->in[i] ? 2 * (size_t)shape_count(&n->in[i]->shape) : 0;
}

template <class T>
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const int64_t k = t->shape.dim[0], count = tensor_count(t);
    const int64_t cg = i == WEIGHT ? t->shape.dim[1] : 1, taps = count / (k * cg);
    const struct box b = {3, count, {k, taps, cg}, {{cg * taps, 1, taps}, {taps * cg, cg, 1}}};

    launch(s->device, move<float, T>, blocks_for(count), THREADS, b, data<float>(t), (T *)packed);
}

/* ---- offers ---- */

static const char *const epilogue[] = {"add", "relu", NULL};
static const char *const slope[] = {"relu'", NULL};

template <int I> static int accepts(const struct step_nodes *s)
{
    return rival_accepts(&cuda_cudnn_rivals[I], s);
}

template <int I> static size_t scratch(const struct step_nodes *s, int threads)
{
    (void)threads;
    return rival_scratch(&cuda_cudnn_rivals[I], s);
}

template <int I> static void *prepare(const struct kernel_args *const *a, int n, struct err *e)
{
    (void)n;
    return rival_prepare(&cuda_cudnn_rivals[I], a[0], e);
}

#define TOGETHER(T, I)                \
    {                                 \
        1, prepare<I>, run<T>, forget \
    }

static const struct together together[] = {
    TOGETHER(bf16, 0), TOGETHER(bf16, 1), TOGETHER(f16, 2),
    TOGETHER(f16, 3),  TOGETHER(f16, 4),  TOGETHER(f16, 5),
};

/* clang-format off */
#define OFFER(what, T, I, direction, follow, side_op)                                             \
    {.name = what, .op = "conv2d", .dir = direction, .dtypes = F32, .reads = form<T>::layout,     \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = 1, .epilogue = follow,        \
     .side = side_op, .sided = side_op && direction == DIR_BACKWARD, .accepts = accepts<I>,       \
     .scratch = scratch<I>, .pack_bytes = pack_bytes, .pack = pack<T>, .together = &together[I]}

/* Backward the one with sums takes more nodes over, and so is asked first.  In bf16
 * cuDNN 9.19 brings no kernel along for either: dnngraph.h.  */

extern "C" const struct kernel cuda_cudnn_kernels[] = {
    OFFER("cudnn", bf16, 0, DIR_FORWARD, epilogue, NULL),
    OFFER("cudnn", bf16, 1, DIR_BACKWARD, NULL, NULL),
    OFFER("cudnn", f16, 2, DIR_FORWARD, epilogue, NULL),
    OFFER("cudnn_sums", f16, 3, DIR_FORWARD, NULL, "bnstats"),
    OFFER("cudnn_sums", f16, 4, DIR_BACKWARD, slope, "bnsums"),
    OFFER("cudnn", f16, 5, DIR_BACKWARD, NULL, NULL),
    {},
};
/* clang-format on */

#define RIVAL(I, fits, add)                     \
    {                                           \
        &cuda_cudnn_kernels[I], fits, make<add> \
    }

const struct rival cuda_cudnn_rivals[] = {
    RIVAL(0, fits, add_forward),
    RIVAL(1, fits, add_backward<add_dx>),
    RIVAL(2, fits, add_forward),
    RIVAL(3, fits_sums, add_sums),
    RIVAL(4, fits_sums_back, add_backward<add_dx_sums>),
    RIVAL(5, fits, add_backward<add_dx>),
    {},
};
