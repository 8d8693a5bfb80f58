/* vendor.cc -- cuBLASLt and cuDNN as the emulator has them: every call is
 * checked, results are computed by plain loops.
 * SPDX-License-Identifier: MIT
 *
 * In place of lib/cuda/vendor.c's vendor_open().  What the real ones would
 * refuse is refused; what a program may not do ends it: one line on stderr,
 * then abort().  */
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../emu.h"
#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "run.h"

extern "C" {
#include "cuda/vendor.h"
}

namespace
{
struct emu_vendor now;
uint64_t calls, runs;
std::map<std::string, int> made; /* calls, by name */

enum { SUCCESS = 0, REFUSED = 15, ALIGNED = 16 };

#define MUST(condition)                                                               \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "emu: vendor.cc:%d: not so: %s\n", __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* Whether this call of NAME is the one that fails. */
bool fails(const char *name)
{
    return now.fails && !strcmp(now.fails, name) && made[name]++ >= now.after;
}

/* ---- numbers in memory ---- */

enum number { F32, BF16, F16 };

double load(const void *p, number t, int64_t i)
{
    return t == BF16  ? __bfloat162float(((const __nv_bfloat16 *)p)[i])
           : t == F16 ? __half2float(((const __half *)p)[i])
                      : ((const float *)p)[i];
}

void store(void *p, number t, int64_t i, double v)
{
    if (t == BF16)
        ((__nv_bfloat16 *)p)[i] = __float2bfloat16_rn((float)v);
    else if (t == F16)
        ((__half *)p)[i] = __float2half_rn((float)v);
    else
        ((float *)p)[i] = (float)v;
}

number lt_number(int type)
{
    MUST(type == LT_R_32F || type == LT_R_16BF || type == LT_R_16F);
    return type == LT_R_16BF ? BF16 : type == LT_R_16F ? F16 : F32;
}

number dnn_number(int type)
{
    MUST(type == DNN_DATA_BFLOAT16 || type == DNN_DATA_HALF);
    return type == DNN_DATA_HALF ? F16 : BF16;
}

/* What a computing call leaves of a result, WRONG in its first number. */
double spoilt(double v, int64_t i, int wrong)
{
    if (i == 0 && wrong > 0)
        return wrong == 1 ? v + 1e3 : v + 0.25 * (double)++runs;
    return v;
}

double relu(double v)
{
    return v > 0 ? v : 0;
}

double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
}

/* ---- cuBLASLt ---- */

struct lt_thing {
    enum { HANDLE, DESC, LAYOUT, PREFERENCE } kind;
    int compute, scale, turn_a, turn_b;
    unsigned epilogue;
    void *bias;
    int type;
    int64_t rows, columns, step;
    unsigned aligned[4], scheme;
    uint64_t room;
};

std::set<lt_thing *> lt_held;

lt_thing *lt(void *p, int kind)
{
    lt_thing *t = (lt_thing *)p;

    MUST(lt_held.count(t));
    MUST(t->kind == kind);
    return t;
}

int lt_new(void **p, lt_thing t)
{
    lt_thing *held = new lt_thing(t);

    lt_held.insert(held);
    *p = held;
    return SUCCESS;
}

int lt_drop(void *p, int kind)
{
    lt_thing *t = lt(p, kind);

    lt_held.erase(t);
    delete t;
    return SUCCESS;
}

size_t lt_version()
{
    return now.old ? 110000 : 130100;
}

int lt_create(void **p)
{
    return fails("cublasLtCreate") ? 1 : lt_new(p, {.kind = lt_thing::HANDLE});
}

int lt_destroy(void *p)
{
    return lt_drop(p, lt_thing::HANDLE);
}

int lt_desc_create(void **p, int compute, int scale)
{
    MUST(compute == LT_COMPUTE_32F && scale == LT_R_32F);
    return fails("cublasLtMatmulDescCreate")
               ? 3
               : lt_new(p, {.kind = lt_thing::DESC, .epilogue = LT_EPILOGUE_DEFAULT});
}

int lt_desc_set(void *p, int attr, const void *v, size_t bytes)
{
    lt_thing *t = lt(p, lt_thing::DESC);

    switch (attr) {
    case LT_DESC_TRANSA:
    case LT_DESC_TRANSB:
        MUST(bytes == sizeof(int));
        MUST(*(const int *)v == LT_OP_T);
        (attr == LT_DESC_TRANSA ? t->turn_a : t->turn_b) = 1;
        return SUCCESS;
    case LT_DESC_EPILOGUE:
        MUST(bytes == sizeof(unsigned));
        t->epilogue = *(const unsigned *)v;
        return SUCCESS;
    case LT_DESC_BIAS_POINTER:
        MUST(bytes == sizeof(void *));
        t->bias = *(void *const *)v;
        return SUCCESS;
    }
    MUST(!"an attribute that is known");
    return REFUSED;
}

int lt_desc_destroy(void *p)
{
    return lt_drop(p, lt_thing::DESC);
}

int lt_layout_create(void **p, int type, uint64_t rows, uint64_t columns, int64_t step)
{
    lt_number(type);
    MUST(rows && columns && step >= (int64_t)rows);
    return fails("cublasLtMatrixLayoutCreate") ? 3
                                               : lt_new(p, {.kind = lt_thing::LAYOUT,
                                                            .type = type,
                                                            .rows = (int64_t)rows,
                                                            .columns = (int64_t)columns,
                                                            .step = step});
}

int lt_layout_destroy(void *p)
{
    return lt_drop(p, lt_thing::LAYOUT);
}

int lt_preference_create(void **p)
{
    return fails("cublasLtMatmulPreferenceCreate")
               ? 3
               : lt_new(p, {.kind = lt_thing::PREFERENCE, .aligned = {256, 256, 256, 256}});
}

int lt_preference_set(void *p, int attr, const void *v, size_t bytes)
{
    lt_thing *t = lt(p, lt_thing::PREFERENCE);

    if (attr == LT_PREF_MAX_WORKSPACE_BYTES) {
        MUST(bytes == sizeof(uint64_t));
        t->room = *(const uint64_t *)v;
        return SUCCESS;
    }
    MUST(bytes == sizeof(unsigned));
    if (attr == LT_PREF_REDUCTION_SCHEME_MASK)
        t->scheme = *(const unsigned *)v;
    else
        t->aligned[attr - LT_PREF_MIN_ALIGNMENT_A_BYTES] = *(const unsigned *)v;
    return SUCCESS;
}

int lt_preference_destroy(void *p)
{
    return lt_drop(p, lt_thing::PREFERENCE);
}

/* op(A) is [m][k], op(B) [k][n], D [m][n]. */
void check_product(const lt_thing *p, const lt_thing *a, const lt_thing *b, const lt_thing *c,
                   const lt_thing *d)
{
    MUST((p->turn_a ? a->columns : a->rows) == d->rows);
    MUST((p->turn_b ? b->rows : b->columns) == d->columns);
    MUST((p->turn_a ? a->rows : a->columns) == (p->turn_b ? b->columns : b->rows));
    MUST(c == d && a->type == b->type);
    MUST(d->type == LT_R_32F || a->type == d->type);
    for (const lt_thing *x : {a, b, d})
        MUST(x->step == x->rows);
    if (p->epilogue & (LT_EPILOGUE_BIAS | LT_EPILOGUE_BGRADB))
        MUST(p->bias);
}

/* Two ways, with and without scratch. */
int lt_heuristic(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference,
                 int wanted, lt_found *found, int *count)
{
    const lt_thing *q = lt(preference, lt_thing::PREFERENCE);

    lt(handle, lt_thing::HANDLE);
    if (fails("cublasLtMatmulAlgoGetHeuristic"))
        return REFUSED;
    check_product(lt(desc, lt_thing::DESC), lt(a, lt_thing::LAYOUT), lt(b, lt_thing::LAYOUT),
                  lt(c, lt_thing::LAYOUT), lt(d, lt_thing::LAYOUT));
    MUST(q->scheme == LT_REDUCTION_COMPUTE_TYPE);
    MUST(wanted > 1);
    *count = 0;
    for (int i = 0; i < 2; i++)
        if ((i ? 1000u : 0u) <= q->room) {
            found[*count] = {};
            found[*count].workspace = i ? 1000 : 0;
            found[(*count)++].algo.data[0] = 0x77 + (uint64_t)i + (uint64_t)q->aligned[0] * 256;
        }
    return SUCCESS;
}

struct product {
    lt_thing desc, a, b, d;
    const void *pa, *pb, *pc;
    void *pd;
    float beta;
};

double epilogue(const lt_thing &p, number t, int64_t row, double v)
{
    if (p.epilogue & LT_EPILOGUE_BIAS)
        v += load(p.bias, t, row);
    if (p.epilogue & LT_EPILOGUE_RELU)
        v = relu(v);
    return p.epilogue & LT_EPILOGUE_GELU ? gelu_tanh(v) : v;
}

void multiply(const product &p)
{
    const number from = lt_number(p.a.type), to = lt_number(p.d.type);
    const int64_t terms = p.desc.turn_a ? p.a.rows : p.a.columns;

    for (int64_t n = 0; n < p.d.columns; n++)
        for (int64_t m = 0; m < p.d.rows; m++) {
            double v = p.beta != 0 ? p.beta * load(p.pc, to, n * p.d.step + m) : 0;

            for (int64_t k = 0; k < terms; k++)
                v += load(p.pa, from, p.desc.turn_a ? m * p.a.step + k : k * p.a.step + m) *
                     load(p.pb, from, p.desc.turn_b ? k * p.b.step + n : n * p.b.step + k);
            v = epilogue(p.desc, to, m, v);
            store(p.pd, to, n * p.d.step + m, spoilt(v, n * p.d.step + m, now.wrong));
        }
    for (int64_t n = 0; p.desc.epilogue == LT_EPILOGUE_BGRADB && n < p.d.columns; n++) {
        double v = 0;

        for (int64_t k = 0; k < terms; k++)
            v += load(p.pb, from, p.desc.turn_b ? k * p.b.step + n : n * p.b.step + k);
        store(p.desc.bias, to, n, v);
    }
}

size_t bytes_of(const lt_thing *t)
{
    return (size_t)(t->step * t->columns) * (lt_number(t->type) == F32 ? 4 : 2);
}

int lt_matmul(void *handle, void *desc, const void *alpha, const void *a, void *at, const void *b,
              void *bt, const void *beta, const void *c, void *ct, void *d, void *dt,
              const lt_algo *algo, void *workspace, size_t bytes, void *stream)
{
    const lt_thing *p = lt(desc, lt_thing::DESC);
    const lt_thing *la = lt(at, lt_thing::LAYOUT), *lb = lt(bt, lt_thing::LAYOUT);
    const lt_thing *ld = lt(dt, lt_thing::LAYOUT);
    const unsigned way = algo->data[0] % 256, aligned = (unsigned)(algo->data[0] / 256);

    lt(handle, lt_thing::HANDLE);
    check_product(p, la, lb, lt(ct, lt_thing::LAYOUT), ld);
    MUST(*(const float *)alpha == 1 && (way == 0x77 || way == 0x78));
    MUST(bytes == (way == 0x78 ? 1000 : 0));
    MUST(!bytes || (emu::is_held(workspace, bytes) && (uintptr_t)workspace % ALIGNED == 0));
    MUST(emu::is_held(a, bytes_of(la)) && emu::is_held(b, bytes_of(lb)));
    MUST(emu::is_held(c, bytes_of(ld)) && emu::is_held(d, bytes_of(ld)));
    for (const void *x : {a, b, c, (const void *)d})
        MUST((uintptr_t)x % aligned == 0);
    if (fails("cublasLtMatmul"))
        return 13;
    calls++;
    product q = {*p, *la, *lb, *ld, a, b, c, d, *(const float *)beta};
    emu::enqueue((cudaStream_t)stream, [=] { multiply(q); }, now.ms);
    return SUCCESS;
}

/* ---- cuDNN: descriptors ---- */

struct thing {
    int type;
    bool final;
    std::map<int, std::vector<char>> attr;
    /* of a plan, and what is read back from an engine */
    int64_t bytes;
    std::vector<int> notes;
    int way;
};

struct dnn_handle {
    void *stream;
};

std::set<thing *> held;
std::set<dnn_handle *> handles;

thing *any(void *p)
{
    thing *t = (thing *)p;

    MUST(held.count(t));
    return t;
}

thing *finished(void *p, int type)
{
    thing *t = any(p);

    MUST(t->final && t->type == type);
    return t;
}

template <class T> std::vector<T> list(const thing *t, int name)
{
    auto it = t->attr.find(name);

    MUST(it != t->attr.end());
    const std::vector<char> &bytes = it->second;
    const T *p = (const T *)bytes.data();
    return std::vector<T>(p, p + bytes.size() / sizeof(T));
}

template <class T> T one(const thing *t, int name)
{
    std::vector<T> v = list<T>(t, name);

    MUST(v.size() == 1);
    return v[0];
}

bool has(const thing *t, int name)
{
    return t->attr.count(name) != 0;
}

typedef std::vector<int64_t> sizes;

sizes dims(const thing *t)
{
    return list<int64_t>(t, DNN_TENSOR_DIMENSIONS);
}

bool is_virtual(const thing *t)
{
    return has(t, DNN_TENSOR_IS_VIRTUAL) && one<char>(t, DNN_TENSOR_IS_VIRTUAL);
}

thing *tensor_at(const thing *t, int name)
{
    return finished(one<void *>(t, name), DNN_TENSOR);
}

number number_of(const thing *t)
{
    return dnn_number(one<int>(t, DNN_TENSOR_DATA_TYPE));
}

void check_tensor(const thing *t)
{
    const sizes d = dims(t), s = list<int64_t>(t, DNN_TENSOR_STRIDES);
    const int type = one<int>(t, DNN_TENSOR_DATA_TYPE);

    MUST(d.size() == 4 && s == (sizes{d[1] * d[2] * d[3], 1, d[1] * d[3], d[1]}));
    if (is_virtual(t))
        MUST(type == DNN_DATA_FLOAT);
    else if (type != DNN_DATA_FLOAT)
        dnn_number(type);
    MUST(one<int64_t>(t, DNN_TENSOR_ALIGNMENT) == ALIGNED);
    MUST(one<int64_t>(t, DNN_TENSOR_UNIQUE_ID) > 0);
    MUST(d[0] > 0 && d[1] > 0 && d[2] > 0 && d[3] > 0);
}

/* y's sizes are what window, stride, dilation and padding make of x's. */
void check_convolution(const thing *t, int conv, int x_name, int w_name, int y_name, int alpha,
                       int beta)
{
    const thing *c = finished(one<void *>(t, conv), DNN_CONVOLUTION);
    const sizes x = dims(tensor_at(t, x_name)), w = dims(tensor_at(t, w_name)),
                y = dims(tensor_at(t, y_name));
    const sizes stride = list<int64_t>(c, DNN_CONVOLUTION_FILTER_STRIDES),
                dilation = list<int64_t>(c, DNN_CONVOLUTION_DILATIONS),
                before = list<int64_t>(c, DNN_CONVOLUTION_PRE_PADDINGS),
                after = list<int64_t>(c, DNN_CONVOLUTION_POST_PADDINGS);

    MUST(one<float>(t, alpha) == 1 && one<float>(t, beta) == 0);
    MUST(one<int64_t>(c, DNN_CONVOLUTION_SPATIAL_DIMS) == 2);
    MUST(one<int>(c, DNN_CONVOLUTION_COMP_TYPE) == DNN_DATA_FLOAT);
    MUST(one<int>(c, DNN_CONVOLUTION_CONV_MODE) == DNN_CROSS_CORRELATION);
    MUST(x[0] == y[0] && w[0] == y[1] && x[1] % w[1] == 0 && y[1] % (x[1] / w[1]) == 0);
    for (int d = 0; d < 2; d++)
        MUST(y[2 + d] ==
             (x[2 + d] + before[d] + after[d] - (w[2 + d] - 1) * dilation[d] - 1) / stride[d] + 1);
}

void check_pointwise(const thing *t)
{
    const thing *how = finished(one<void *>(t, DNN_OP_POINTWISE_DESC), DNN_POINTWISE);
    const int mode = one<int>(how, DNN_POINTWISE_MODE);
    const sizes x = dims(tensor_at(t, DNN_OP_POINTWISE_X));

    MUST(one<int>(how, DNN_POINTWISE_MATH_PREC) == DNN_DATA_FLOAT);
    if (mode == DNN_POINTWISE_RELU_BWD) {
        MUST(x == dims(tensor_at(t, DNN_OP_POINTWISE_DY)));
        MUST(x == dims(tensor_at(t, DNN_OP_POINTWISE_DX)));
        return;
    }
    MUST(x == dims(tensor_at(t, DNN_OP_POINTWISE_Y)));
    if (mode == DNN_POINTWISE_RELU_FWD)
        return;
    MUST(mode == DNN_POINTWISE_ADD || mode == DNN_POINTWISE_SUB || mode == DNN_POINTWISE_MUL);
    const sizes b = dims(tensor_at(t, DNN_OP_POINTWISE_B));
    MUST(b == x || b == (sizes{1, x[1], 1, 1}));
}

void check_sums(const thing *t)
{
    const thing *y = tensor_at(t, DNN_OP_GENSTATS_X);

    MUST(one<int>(t, DNN_OP_GENSTATS_MODE) == DNN_GENSTATS_SUM_SQSUM);
    MUST(one<int>(t, DNN_OP_GENSTATS_MATH_PREC) == DNN_DATA_FLOAT);
    for (int name : {DNN_OP_GENSTATS_SUM, DNN_OP_GENSTATS_SQSUM}) {
        const thing *sum = tensor_at(t, name);

        MUST(!is_virtual(sum) && one<int>(sum, DNN_TENSOR_DATA_TYPE) == DNN_DATA_FLOAT);
        MUST(dims(sum) == (sizes{1, dims(y)[1], 1, 1}));
    }
}

const int channel_names[] = {DNN_BN_BWD_WEIGHTS_MEAN,  DNN_BN_BWD_WEIGHTS_INVSTD,
                             DNN_BN_BWD_WEIGHTS_SCALE, DNN_BN_BWD_WEIGHTS_DSCALE,
                             DNN_BN_BWD_WEIGHTS_DBIAS, DNN_BN_BWD_WEIGHTS_EQ_DY,
                             DNN_BN_BWD_WEIGHTS_EQ_X,  DNN_BN_BWD_WEIGHTS_EQ_BIAS};

void check_products(const thing *t)
{
    const sizes x = dims(tensor_at(t, DNN_BN_BWD_WEIGHTS_X));

    MUST(one<int>(t, DNN_BN_BWD_WEIGHTS_MATH_PREC) == DNN_DATA_FLOAT);
    MUST(x == dims(tensor_at(t, DNN_BN_BWD_WEIGHTS_DY)));
    for (int name : channel_names) {
        const thing *v = tensor_at(t, name);

        MUST(!is_virtual(v) && one<int>(v, DNN_TENSOR_DATA_TYPE) == DNN_DATA_FLOAT);
        MUST(dims(v) == (sizes{1, x[1], 1, 1}));
    }
}

int mode_of(const thing *t)
{
    return one<int>(finished(one<void *>(t, DNN_OP_POINTWISE_DESC), DNN_POINTWISE),
                    DNN_POINTWISE_MODE);
}

/* What cuDNN 9.19 has engines for: see lib/cuda/dnngraph.h. */
bool knows_sums(const thing *conv, const thing *sums)
{
    const thing *y = tensor_at(sums, DNN_OP_GENSTATS_X);

    MUST(conv->type == DNN_OP_FORWARD && y == tensor_at(conv, DNN_FORWARD_Y) && !is_virtual(y));
    return number_of(y) == F16 &&
           dims(tensor_at(conv, DNN_FORWARD_X))[1] == dims(tensor_at(conv, DNN_FORWARD_W))[1];
}

bool knows_products(const std::vector<void *> &ops)
{
    static const int modes[] = {DNN_POINTWISE_SUB, DNN_POINTWISE_MUL, DNN_POINTWISE_MUL,
                                DNN_POINTWISE_ADD};
    MUST(ops.size() == 7);
    const thing *conv = any(ops[0]), *slope = finished(ops[5], DNN_OP_POINTWISE);
    const thing *sums = any(ops[6]), *v = tensor_at(sums, DNN_BN_BWD_WEIGHTS_X);
    const thing *dx = tensor_at(sums, DNN_BN_BWD_WEIGHTS_DY);

    MUST(conv->type == DNN_OP_BWD_DATA && mode_of(slope) == DNN_POINTWISE_RELU_BWD);
    MUST(is_virtual(tensor_at(conv, DNN_BWD_DATA_DX)) && !is_virtual(dx));
    MUST(tensor_at(slope, DNN_OP_POINTWISE_DY) == tensor_at(conv, DNN_BWD_DATA_DX));
    MUST(tensor_at(slope, DNN_OP_POINTWISE_DX) == dx);
    for (int i = 0; i < 4; i++) {
        const thing *t = finished(ops[1 + i], DNN_OP_POINTWISE);

        MUST(mode_of(t) == modes[i] && tensor_at(t, DNN_OP_POINTWISE_X) == v);
        if (i < 3)
            MUST(tensor_at(t, DNN_OP_POINTWISE_B) == tensor_at(sums, channel_names[i]));
        v = tensor_at(t, DNN_OP_POINTWISE_Y);
        MUST(is_virtual(v));
    }
    MUST(tensor_at(slope, DNN_OP_POINTWISE_X) == v);
    return number_of(dx) == F16 && dims(dx)[1] == dims(tensor_at(conv, DNN_BWD_DATA_W))[1];
}

bool is_known(const std::vector<void *> &ops)
{
    bool bias = ops.size() == 1;

    if (any(ops.back())->type == DNN_OP_BN_BWD_WEIGHTS)
        return knows_products(ops);
    if (any(ops.back())->type == DNN_OP_GENSTATS)
        return ops.size() == 2 && knows_sums(any(ops[0]), any(ops[1]));
    for (size_t i = 1; i < ops.size(); i++) {
        const thing *t = finished(ops[i], DNN_OP_POINTWISE);
        const bool adds = has(t, DNN_OP_POINTWISE_B);
        const thing *before = any(ops[i - 1]);

        MUST(tensor_at(t, DNN_OP_POINTWISE_X) ==
             tensor_at(before, i == 1 ? DNN_FORWARD_Y : DNN_OP_POINTWISE_Y));
        MUST(is_virtual(tensor_at(t, DNN_OP_POINTWISE_X)));
        if (adds && dims(tensor_at(t, DNN_OP_POINTWISE_B))[0] == 1 &&
            dims(tensor_at(t, DNN_OP_POINTWISE_B))[2] == 1 && !bias && i + 2 >= ops.size())
            bias = true;
        else if (adds ? i != 1 : !bias)
            return false;
    }
    return bias;
}

void check(thing *t)
{
    switch (t->type) {
    case DNN_TENSOR:
        check_tensor(t);
        break;
    case DNN_OP_FORWARD:
        check_convolution(t, DNN_FORWARD_CONV, DNN_FORWARD_X, DNN_FORWARD_W, DNN_FORWARD_Y,
                          DNN_FORWARD_ALPHA, DNN_FORWARD_BETA);
        break;
    case DNN_OP_BWD_DATA:
        check_convolution(t, DNN_BWD_DATA_CONV, DNN_BWD_DATA_DX, DNN_BWD_DATA_W, DNN_BWD_DATA_DY,
                          DNN_BWD_DATA_ALPHA, DNN_BWD_DATA_BETA);
        break;
    case DNN_OP_BWD_FILTER:
        check_convolution(t, DNN_BWD_FILTER_CONV, DNN_BWD_FILTER_X, DNN_BWD_FILTER_DW,
                          DNN_BWD_FILTER_DY, DNN_BWD_FILTER_ALPHA, DNN_BWD_FILTER_BETA);
        break;
    case DNN_OP_POINTWISE:
        check_pointwise(t);
        break;
    case DNN_OP_GENSTATS:
        check_sums(t);
        break;
    case DNN_OP_BN_BWD_WEIGHTS:
        check_products(t);
        break;
    case DNN_GRAPH:
        MUST(handles.count((dnn_handle *)one<void *>(t, DNN_GRAPH_HANDLE)));
        for (void *op : list<void *>(t, DNN_GRAPH_OPS))
            MUST(any(op)->final);
        break;
    case DNN_ENGINEHEUR:
        MUST(one<int>(t, DNN_ENGINEHEUR_MODE) == DNN_HEUR_MODE_A);
        finished(one<void *>(t, DNN_ENGINEHEUR_GRAPH), DNN_GRAPH);
        break;
    }
}

/* Bytes of one element of an attribute. */
size_t element(int type)
{
    switch (type) {
    case DNN_TYPE_HANDLE:
    case DNN_TYPE_VOID_PTR:
    case DNN_TYPE_DESCRIPTOR:
        return sizeof(void *);
    case DNN_TYPE_INT64:
        return sizeof(int64_t);
    case DNN_TYPE_BOOLEAN:
        return 1;
    }
    return 4;
}

size_t dnn_version()
{
    return now.old ? 80900 : 91900;
}

int dnn_create(void **p)
{
    if (fails("cudnnCreate"))
        return 1001;
    *p = *handles.insert(new dnn_handle{}).first;
    return SUCCESS;
}

int dnn_destroy(void *p)
{
    MUST(handles.erase((dnn_handle *)p));
    delete (dnn_handle *)p;
    return SUCCESS;
}

int dnn_set_stream(void *p, void *stream)
{
    MUST(handles.count((dnn_handle *)p));
    if (fails("cudnnSetStream"))
        return 2000;
    ((dnn_handle *)p)->stream = stream;
    return SUCCESS;
}

int dnn_make(int type, void **p)
{
    if (fails("cudnnBackendCreateDescriptor"))
        return 4003;
    thing *t = new thing{};
    t->type = type;
    held.insert(t);
    *p = t;
    return SUCCESS;
}

int dnn_drop(void *p)
{
    thing *t = any(p);

    held.erase(t);
    delete t;
    return SUCCESS;
}

int dnn_set(void *p, int name, int type, int64_t count, const void *v)
{
    thing *t = any(p);

    MUST(!t->final && count > 0 && v);
    MUST(!has(t, name));
    if (fails("cudnnBackendSetAttribute"))
        return 2000;
    const char *from = (const char *)v;
    t->attr[name] = std::vector<char>(from, from + (size_t)count * element(type));
    return SUCCESS;
}

/* Of each graph: one that is not fixed, one that makes no plan, three that do;
 * the last asks for much. */
enum { UNFIXED, BROKEN, SMALL, OTHER, LARGE, ENGINES };

int dnn_finalize(void *p)
{
    static const int64_t bytes[ENGINES] = {0, 0, 131, 4096, (int64_t)1 << 40};
    thing *t = any(p);

    MUST(!t->final);
    if (fails("cudnnBackendFinalize"))
        return 3000;
    check(t);
    if (t->type == DNN_PLAN) {
        const thing *config = finished(one<void *>(t, DNN_PLAN_ENGINECFG), DNN_ENGINECFG);

        MUST(handles.count((dnn_handle *)one<void *>(t, DNN_PLAN_HANDLE)));
        MUST(config->way != UNFIXED);
        if (config->way == BROKEN)
            return 3000;
        t->attr[DNN_GRAPH_OPS] = config->attr.at(DNN_GRAPH_OPS);
        t->way = config->way;
        t->bytes = bytes[config->way];
    }
    t->final = true;
    return SUCCESS;
}

int results(const thing *t, int64_t room, int64_t *count, void **config)
{
    const thing *graph = any(one<void *>(t, DNN_ENGINEHEUR_GRAPH));
    const std::vector<void *> ops = list<void *>(graph, DNN_GRAPH_OPS);

    *count = is_known(ops) ? ENGINES : 0;
    for (int i = 0; i < room && i < *count; i++) {
        thing *c = any(config[i]);

        MUST(c->type == DNN_ENGINECFG && !c->final);
        c->final = true;
        c->way = i;
        c->attr[DNN_GRAPH_OPS] = graph->attr.at(DNN_GRAPH_OPS);
    }
    return SUCCESS;
}

int dnn_get(void *p, int name, int type, int64_t room, int64_t *count, void *v)
{
    thing *t = any(p);

    if (fails("cudnnBackendGetAttribute"))
        return 3000;
    if (name == DNN_ENGINE_NUMERICAL_NOTE) {
        MUST(type == DNN_TYPE_NUMERICAL_NOTE && room == DNN_NOTES);
        *count = t->way == UNFIXED ? 2 : 1;
        ((int *)v)[0] = 0;
        ((int *)v)[1] = DNN_NOTE_NONDETERMINISTIC;
        return SUCCESS;
    }
    MUST(t->final);
    *count = 1;
    switch (name) {
    case DNN_ENGINEHEUR_RESULTS:
        return results(t, room, count, (void **)v);
    case DNN_ENGINECFG_ENGINE:
        any(*(void **)v)->way = t->way;
        return SUCCESS;
    case DNN_PLAN_WORKSPACE_SIZE:
        *(int64_t *)v = t->bytes;
        return SUCCESS;
    }
    MUST(!"an attribute that is known");
    return REFUSED;
}

/* ---- cuDNN: computing ---- */

struct geometry {
    sizes x, w, y, stride, dilation, before;
};

geometry geometry_of(const thing *op, int conv, int x, int w, int y)
{
    const thing *c = any(one<void *>(op, conv));

    return {dims(tensor_at(op, x)),
            dims(tensor_at(op, w)),
            dims(tensor_at(op, y)),
            list<int64_t>(c, DNN_CONVOLUTION_FILTER_STRIDES),
            list<int64_t>(c, DNN_CONVOLUTION_DILATIONS),
            list<int64_t>(c, DNN_CONVOLUTION_PRE_PADDINGS)};
}

int64_t place(const sizes &d, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return ((n * d[2] + h) * d[3] + w) * d[1] + c;
}

/* F(place in x, in w, in y) for each product of a convolution. */
template <class F> void each(const geometry &g, F f)
{
    const int64_t kg = g.y[1] / (g.x[1] / g.w[1]);

    for (int64_t n = 0; n < g.y[0]; n++)
        for (int64_t p = 0; p < g.y[2]; p++)
            for (int64_t q = 0; q < g.y[3]; q++)
                for (int64_t r = 0; r < g.w[2]; r++)
                    for (int64_t s = 0; s < g.w[3]; s++) {
                        const int64_t h = p * g.stride[0] - g.before[0] + r * g.dilation[0];
                        const int64_t w = q * g.stride[1] - g.before[1] + s * g.dilation[1];

                        if (h < 0 || h >= g.x[2] || w < 0 || w >= g.x[3])
                            continue;
                        for (int64_t k = 0; k < g.y[1]; k++)
                            for (int64_t c = 0; c < g.w[1]; c++)
                                f(place(g.x, n, k / kg * g.w[1] + c, h, w), place(g.w, k, c, r, s),
                                  place(g.y, n, k, p, q));
                    }
}

int64_t count_of(const sizes &d)
{
    return d[0] * d[1] * d[2] * d[3];
}

void write(void *to, number t, const std::vector<double> &v)
{
    for (size_t i = 0; i < v.size(); i++)
        store(to, t, (int64_t)i, spoilt(v[i], (int64_t)i, now.wrong));
}

/* How operands of pointwise steps are added to the sums. */
struct addend {
    const void *p;
    bool channels; /* one a channel */
};

/* The slope of relu of what was normalised, and sums of gradients. */
struct normalised {
    const void *v; /* NULL: none */
    const void *mean, *invstd, *scale, *shift;
    void *product, *sum, *unused[3];
};

struct job {
    int op;
    number type; /* of all operands */
    geometry g;
    void *x, *w, *y;
    std::vector<addend> add;
    bool relu;
    void *sum, *square; /* or NULL */
    normalised n;
};

/* Of X as it is stored: its sums by channels, and those of x TIMES(i). */
template <typename F>
void add_up(const job &j, const void *x, const sizes &dim, F times, void *sum, void *product)
{
    const int64_t channels = dim[1];
    std::vector<double> one((size_t)channels), two((size_t)channels);

    for (int64_t i = 0; i < count_of(dim); i++) {
        const double v = load(x, j.type, i);

        one[(size_t)(i % channels)] += v;
        two[(size_t)(i % channels)] += v * times(i);
    }
    for (int64_t c = 0; c < channels; c++) {
        store(sum, F32, c, one[(size_t)c]);
        store(product, F32, c, spoilt(two[(size_t)c], c, -now.wrong));
    }
}

void add_squares(const job &j)
{
    add_up(
        j, j.y, j.g.y, [&](int64_t i) { return load(j.y, j.type, i); }, j.sum, j.square);
}

double deviation(const job &j, int64_t i)
{
    const int64_t c = i % j.g.x[1];

    return (load(j.n.v, j.type, i) - load(j.n.mean, F32, c)) * load(j.n.invstd, F32, c);
}

/* What is not used is no number. */
void add_products(const job &j)
{
    add_up(
        j, j.x, j.g.x, [&](int64_t i) { return deviation(j, i); }, j.n.sum, j.n.product);
    for (int64_t c = 0; c < j.g.x[1]; c++)
        for (void *p : j.n.unused)
            store(p, F32, c, NAN);
}

void convolve(const job &j)
{
    const sizes &to = j.op == DNN_OP_FORWARD ? j.g.y : j.op == DNN_OP_BWD_DATA ? j.g.x : j.g.w;
    std::vector<double> v((size_t)count_of(to));

    each(j.g, [&](int64_t x, int64_t w, int64_t y) {
        if (j.op == DNN_OP_FORWARD)
            v[(size_t)y] += load(j.x, j.type, x) * load(j.w, j.type, w);
        else if (j.op == DNN_OP_BWD_DATA)
            v[(size_t)x] += load(j.y, j.type, y) * load(j.w, j.type, w);
        else
            v[(size_t)w] += load(j.x, j.type, x) * load(j.y, j.type, y);
    });
    for (size_t i = 0; i < v.size(); i++) {
        for (const addend &a : j.add)
            v[i] += load(a.p, j.type, a.channels ? (int64_t)i % to[1] : (int64_t)i);
        v[i] = j.relu ? relu(v[i]) : v[i];
        if (j.n.v && !(deviation(j, (int64_t)i) * load(j.n.scale, F32, (int64_t)i % to[1]) +
                           load(j.n.shift, F32, (int64_t)i % to[1]) >
                       0))
            v[i] = 0;
    }
    write(j.op == DNN_OP_FORWARD ? j.y : j.op == DNN_OP_BWD_DATA ? j.x : j.w, j.type, v);
    if (j.sum)
        add_squares(j);
    if (j.n.v)
        add_products(j);
}

/* Where tensor T lies, by the pack. */
void *pointer(const thing *pack, const thing *t)
{
    const std::vector<int64_t> id = list<int64_t>(pack, DNN_PACK_UNIQUE_IDS);
    const std::vector<void *> at = list<void *>(pack, DNN_PACK_DATA_POINTERS);
    const size_t bytes = one<int>(t, DNN_TENSOR_DATA_TYPE) == DNN_DATA_FLOAT ? 4 : 2;

    MUST(id.size() == at.size());
    for (size_t i = 0; i < id.size(); i++)
        if (id[i] == one<int64_t>(t, DNN_TENSOR_UNIQUE_ID)) {
            MUST(emu::is_held(at[i], (size_t)count_of(dims(t)) * bytes));
            MUST((uintptr_t)at[i] % ALIGNED == 0);
            return at[i];
        }
    MUST(!"a tensor of the graph has its place");
    return nullptr;
}

normalised normalised_of(const std::vector<void *> &ops, const thing *pack)
{
    const thing *sums = any(ops[6]);
    auto at = [=](const thing *t, int name) { return pointer(pack, tensor_at(t, name)); };

    return {at(sums, DNN_BN_BWD_WEIGHTS_X),
            at(sums, DNN_BN_BWD_WEIGHTS_MEAN),
            at(sums, DNN_BN_BWD_WEIGHTS_INVSTD),
            at(sums, DNN_BN_BWD_WEIGHTS_SCALE),
            at(any(ops[4]), DNN_OP_POINTWISE_B),
            at(sums, DNN_BN_BWD_WEIGHTS_DSCALE),
            at(sums, DNN_BN_BWD_WEIGHTS_DBIAS),
            {at(sums, DNN_BN_BWD_WEIGHTS_EQ_DY), at(sums, DNN_BN_BWD_WEIGHTS_EQ_X),
             at(sums, DNN_BN_BWD_WEIGHTS_EQ_BIAS)}};
}

job job_of(std::vector<void *> ops, const thing *pack)
{
    static const struct {
        int op, conv, x, w, y;
    } forms[] = {
        {DNN_OP_FORWARD, DNN_FORWARD_CONV, DNN_FORWARD_X, DNN_FORWARD_W, DNN_FORWARD_Y},
        {DNN_OP_BWD_DATA, DNN_BWD_DATA_CONV, DNN_BWD_DATA_DX, DNN_BWD_DATA_W, DNN_BWD_DATA_DY},
        {DNN_OP_BWD_FILTER, DNN_BWD_FILTER_CONV, DNN_BWD_FILTER_X, DNN_BWD_FILTER_DW,
         DNN_BWD_FILTER_DY},
    };
    const thing *t = any(ops[0]), *last = any(ops.back());
    job j = {};

    if (last->type == DNN_OP_BN_BWD_WEIGHTS) {
        j.op = t->type;
        j.n = normalised_of(ops, pack);
        j.x = pointer(pack, tensor_at(last, DNN_BN_BWD_WEIGHTS_DY));
        j.type = number_of(tensor_at(last, DNN_BN_BWD_WEIGHTS_DY));
        MUST(number_of(tensor_at(last, DNN_BN_BWD_WEIGHTS_X)) == j.type);
        MUST(number_of(tensor_at(t, DNN_BWD_DATA_W)) == j.type);
        MUST(number_of(tensor_at(t, DNN_BWD_DATA_DY)) == j.type);
        j.g = geometry_of(t, DNN_BWD_DATA_CONV, DNN_BWD_DATA_DX, DNN_BWD_DATA_W, DNN_BWD_DATA_DY);
        j.w = pointer(pack, tensor_at(t, DNN_BWD_DATA_W));
        j.y = pointer(pack, tensor_at(t, DNN_BWD_DATA_DY));
        return j;
    }
    if (last->type == DNN_OP_GENSTATS) {
        j.sum = pointer(pack, tensor_at(last, DNN_OP_GENSTATS_SUM));
        j.square = pointer(pack, tensor_at(last, DNN_OP_GENSTATS_SQSUM));
        ops.pop_back();
        last = any(ops.back());
    }
    for (auto &f : forms)
        if (f.op == t->type) {
            j.op = f.op;
            j.type = number_of(tensor_at(t, f.x));
            MUST(number_of(tensor_at(t, f.w)) == j.type);
            MUST(ops.size() > 1 || number_of(tensor_at(t, f.y)) == j.type);
            j.g = geometry_of(t, f.conv, f.x, f.w, f.y);
            j.x = pointer(pack, tensor_at(t, f.x));
            j.w = pointer(pack, tensor_at(t, f.w));
            j.y = pointer(pack, tensor_at(last, ops.size() > 1 ? DNN_OP_POINTWISE_Y : f.y));
        }
    for (size_t i = 1; i < ops.size(); i++) {
        const thing *p = any(ops[i]);

        if (has(p, DNN_OP_POINTWISE_B)) {
            const thing *b = tensor_at(p, DNN_OP_POINTWISE_B);

            MUST(number_of(b) == j.type);
            j.add.push_back({pointer(pack, b), dims(b)[2] * dims(b)[3] == 1 && dims(b)[0] == 1});
        } else {
            j.relu = true;
        }
    }
    return j;
}

int dnn_execute(void *handle, void *plan, void *pack)
{
    const thing *p = finished(plan, DNN_PLAN), *q = finished(pack, DNN_VARIANT_PACK);
    void *scratch = one<void *>(q, DNN_PACK_WORKSPACE);

    MUST(handles.count((dnn_handle *)handle));
    MUST(!p->bytes || emu::is_held(scratch, (size_t)p->bytes));
    const job j = job_of(list<void *>(p, DNN_GRAPH_OPS), q);
    if (fails("cudnnBackendExecute"))
        return 5000;
    calls++;
    emu::enqueue((cudaStream_t)((dnn_handle *)handle)->stream, [=] { convolve(j); }, now.ms);
    return SUCCESS;
}
} // namespace

void vendor_open(struct vendor *v)
{
    *v = {};
    if (now.there & EMU_LT && lt_version() >= LT_OLDEST)
        v->lt = {lt_version,
                 lt_create,
                 lt_destroy,
                 lt_desc_create,
                 lt_desc_set,
                 lt_desc_destroy,
                 lt_layout_create,
                 lt_layout_destroy,
                 lt_preference_create,
                 lt_preference_set,
                 lt_preference_destroy,
                 lt_heuristic,
                 lt_matmul};
    if (now.there & EMU_DNN && dnn_version() >= DNN_OLDEST)
        v->dnn = {dnn_version, dnn_create,   dnn_destroy, dnn_set_stream, dnn_make,
                  dnn_drop,    dnn_finalize, dnn_set,     dnn_get,        dnn_execute};
}

void emu_libraries(struct emu_vendor v)
{
    now = v;
    calls = runs = 0;
    made.clear();
}

int emu_vendor_held(void)
{
    return (int)(lt_held.size() + held.size() + handles.size());
}

uint64_t emu_vendor_calls(void)
{
    return calls;
}
