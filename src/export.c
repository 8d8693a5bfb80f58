/* export.c -- adze-export: model -> ONNX, plain weights or C, read back before
 * they are written.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/stream.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "format/cexport.h"
#include "format/model.h"
#include "format/onnx.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/observe.h"
#include "run/params.h"
#include "run/parity.h"
#include "run/plan.h"
#include "tensor/npz.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"
#include "tensor/top.h"

enum { SAMPLES = 16, TOP = 3 };
enum { ONNX, WEIGHTS, ARRAYS, HEADER };

static const char *const formats[] = {"onnx", "safetensors", "npz", "c", NULL};
static const char *model_path, *output, *proof_path;
static const char *device_name = "cpu";
static int64_t opset, classes;
static int format = -1, half, front, untrained;

static const char *const dtypes[] = {"fp32", "fp16", NULL};

static const struct opt options[] = {
    {0, "classes", OPT_INT, &classes, "K", "insist that the head has K classes",
     .min = 1, .max = INT32_MAX, .def = "whatever it has"},
    OPT_DEVICE(&device_name),
    {0, "dtype", OPT_CHOICE, &half, "TYPE",
     "of weights and arithmetic in ONNX; inputs and outputs stay fp32",
     .choices = dtypes, .def = "fp32"},
    OPT_FORMAT(&format, formats, "by the ending of -O, onnx without one"),
    OPT_MODEL(&model_path),
    {0, "opset", OPT_INT, &opset, "N", "ONNX operator set",
     .min = ONNX_OPSET_MIN, .max = ONNX_OPSET_MAX, .def = "the lowest from 11"},
    OPT_OUTPUT(&output),
    {0, "proof", OPT_TEXT, &proof_path, "FILE",
     "also write the inputs of the check and the model's logits, safetensors"},
    {0, "untrained", OPT_FLAG, &untrained, NULL,
     "export a model whose head was never trained"},
    {0, "with-preprocess", OPT_FLAG, &front, NULL,
     "put what makes numbers of pixels inside the ONNX graph"},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-export -m model.st -O model.onnx",
    "adze-fuse-bn < model.st | adze-export -f onnx -O model.onnx",
    "adze-export -m model.st --with-preprocess --dtype=fp16 -O half.onnx",
    "adze-export -m model.st -f safetensors -O weights.safetensors",
    "adze-export -m small.st -O small.h",
    NULL};

static const struct command cmd = {
    .name = "export",
    .brief = "write a model as ONNX, plain weights or C, and prove it",
    .usage = "[-m FILE] [-f FORMAT] [--classes=K] [--dtype=TYPE] [--opset=N] "
             "[--proof=FILE] [--untrained] [--with-preprocess] "
             "[-O FILE]",
    .options = options,
    .examples = examples,
};

/* ---- the proof ---- */

/* Samples, and the logits of both sides: [SAMPLES, ...] each.  */
struct proof {
    const struct model *m;
    struct tensor image, ours, theirs;
    struct tensor levels; /* u8 [SAMPLES,H,W,C], where the file reads them */
};

/* Numbers of channel C of a picture from its levels, or normal noise.  */
static void fill_plane(const struct proof *p, int64_t sample, int64_t c,
                       float *to)
{
    const struct preprocess *pre = &p->m->pre;
    const int64_t *dim = p->image.shape.dim, area = dim[2] * dim[3];
    const int64_t at = (sample * dim[1] + c) * area;
    const int64_t from = pre->bgr ? dim[1] - 1 - c : c;
    const struct rng r = rng_at(1, RNG_TEST, 1, 0);
    uint8_t *level = p->levels.data;

    for (int64_t i = 0; i < area; i++) {
        if (!front) {
            to[i] = (float)rng_normal(&r, (uint64_t)(at + i));
            continue;
        }
        const uint8_t v = (uint8_t)rng_below(&r, (uint64_t)(at + i), 256);

        level[(sample * area + i) * dim[1] + from] = v;
        to[i] = ((float)v / 255.0f - pre->mean[c]) / pre->std[c];
    }
}

static int fill(void *ctx, int64_t from, int64_t n, float *image, struct err *e)
{
    const struct proof *p = ctx;
    const int64_t *dim = p->image.shape.dim;

    (void)e;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < dim[1]; c++)
            fill_plane(p, from + i, c,
                       image + (i * dim[1] + c) * dim[2] * dim[3]);
    return 0;
}

static int proof_init(struct proof *p, const struct model *m, struct err *e)
{
    const struct graph *g = m->graph;
    const struct value *x = graph_value(g, "image");
    const struct value *y = graph_output_value(g, graph_answer(g));
    struct shape in, out, levels;

    p->m = m;
    if (!x || !y || x->shape.rank != 4 || !x->shape.batch || !y->shape.batch)
        return err_set(e, ERR_SHAPE,
                       "the network has no 'image' or no 'logits' of a batch");
    in = shape_bind(x->shape, SAMPLES);
    out = shape_bind(y->shape, SAMPLES);
    levels =
        shape_make(4, (int64_t[]){in.dim[0], in.dim[2], in.dim[3], in.dim[1]});
    return tensor_new(&p->image, DTYPE_F32, &in, e) < 0 ||
                   (front &&
                    tensor_new(&p->levels, DTYPE_U8, &levels, e) < 0) ||
                   tensor_new(&p->ours, DTYPE_F32, &out, e) < 0 ||
                   tensor_new(&p->theirs, DTYPE_F32, &out, e) < 0
               ? -1
               : 0;
}

static void proof_release(struct proof *p)
{
    tensor_unref(&p->levels);
    tensor_unref(&p->image);
    tensor_unref(&p->ours);
    tensor_unref(&p->theirs);
}

static void keep_rows(struct tensor *t, int64_t from, int64_t n, const float *p)
{
    const struct tensor rows = tensor_rows(t, from, n);

    memcpy(rows.data, p, tensor_bytes(&rows));
}

static void see(void *ctx, int64_t from, int64_t n, const float *image,
                const float *a, const float *b)
{
    struct proof *p = ctx;

    keep_rows(&p->image, from, n, image);
    keep_rows(&p->ours, from, n, a);
    keep_rows(&p->theirs, from, n, b);
}

static int proof_save(const struct proof *p, struct err *e)
{
    struct set s;
    int bad;

    set_init(&s);
    set_meta_put(&s, "adze.kind", "tensors");
    if (front)
        set_put(&s, "image_u8", &p->levels);
    else
        set_put(&s, "image", &p->image);
    set_put(&s, "logits", &p->ours);
    bad = safetensors_save(&s, proof_path, e);
    set_release(&s);
    return bad;
}

/* The best classes of the first sample.  */
static void note_top(const char *whose, const struct model *m,
                     const struct tensor *logits)
{
    const float *row = logits->data;
    const int64_t k = model_head(m), n = k < TOP ? k : TOP;
    int64_t best[TOP];
    char name[MODEL_CLASS];
    struct str s = {0};

    if (!k)
        return;
    top_find(row, k, n, best);
    for (int64_t i = 0; i < n; i++) {
        str_add(&s, i ? ", " : "");
        str_printf(&s, "%s %.5g", Q(model_class_name(m, best[i], name)),
                   (double)row[best[i]]);
    }
    cli_note("top of the first input, %s: %s", whose, str_text(&s));
    str_release(&s);
}

/* ---- fp16 ---- */

enum { HALF_BITS = 11 }; /* of a number's digits */
#define EIGHT_LIMIT (8. / 255)
#define HALF_MAX    65504

/* Every step rounds its weights once and its result once, each by 2^-11 of it
 * at most; to first order these shares add.  */
static double half_limit(const struct graph *g, int *steps)
{
    *steps = 0;
    for (int i = 0; i < g->n_node; i++)
        *steps += !(g->node[i]->op->flags & OP_VIEW);
    return 2 * *steps * ldexp(1, -HALF_BITS);
}

/* No value of G, as run on the samples, is beyond fp16.  */
static int check_values(struct proof *p, const struct graph *g,
                        const struct device *d, struct err *e)
{
    struct range *r = xcalloc((size_t)g->n_node + 1, sizeof *r);
    const struct observe_opts o = {.samples = SAMPLES,
                                   .batch = PARITY_BATCH,
                                   .pool = cli_pool(),
                                   .fill = fill,
                                   .ctx = p};
    int n = 0, bad;

    for (int i = 0; i < g->n_node; i++)
        r[n++].name = g->node[i]->name;
    bad = observe_run(r, n, g, d, &o, e) < 0;
    for (int i = 0; i < n && !bad; i++)
        if (fmax(fabs(r[i].min), fabs(r[i].max)) > HALF_MAX)
            bad = err_set(
                e, ERR_NO, "'%s' reaches %g, which is beyond fp16 (%d)",
                Q(r[i].name), fmax(fabs(r[i].min), fabs(r[i].max)), HALF_MAX);
    free(r);
    return bad ? -1 : 0;
}

static int check_half(struct proof *p, const struct parity *r,
                      const struct device *d, struct err *e)
{
    struct graph *g = pass_simplify(p->m->graph, e);
    int steps, bad = !g || parity_finite(r, e) < 0;

    if (!bad) {
        const double limit = half_limit(g, &steps);

        cli_note("fp16 may differ by %.3g of the largest: two roundings of "
                 "2^-%d in each of %d steps",
                 limit, HALF_BITS, steps);
        bad = check_values(p, g, d, e) < 0;
        if (!bad && !(r->max_rel <= limit))
            bad = err_set(e, ERR_NO, "fp16 differs by %.3g of the largest",
                          r->max_rel);
    }
    graph_free(g);
    return bad ? -1 : 0;
}

/* Between steps in 8 bits float ops round in their own order, and what lies
 * between two levels then goes to either.  */
static int check_eight(const struct parity *r, struct err *e)
{
    if (parity_finite(r, e) < 0)
        return -1;
    if (r->max_rel > PARITY_EXACT)
        cli_note("8 bits may differ by %.3g of the largest: 8 of 255 levels",
                 EIGHT_LIMIT);
    return r->max_rel <= EIGHT_LIMIT
               ? 0
               : err_set(e, ERR_NO, "8 bits differ by %.3g of the largest",
                         r->max_rel);
}

static int check(struct proof *p, const struct parity *r,
                 const struct device *d, struct err *e)
{
    if (half)
        return check_half(p, r, d, e);
    return pass_quantized(p->m->graph) ? check_eight(r, e) : parity_exact(r, e);
}

/* ---- comparing ---- */

static int compare(struct proof *p, const struct model *m,
                   const struct graph *back, struct err *e)
{
    const struct parity_opts o = {.samples = SAMPLES,
                                  .seed = 1,
                                  .pool = cli_pool(),
                                  .fill = fill,
                                  .see = see,
                                  .ctx = p};
    struct device *d = io_device(device_name, e);
    struct parity r = {0};
    int bad = !d || parity_run(&r, m->graph, back, d, &o, e) < 0;

    if (!bad) {
        cli_note("read back, outputs differ by %.3g, %.3g of the largest, on "
                 "%lld inputs; the best class agrees on %lld",
                 r.max_abs, r.max_rel, (long long)r.samples,
                 (long long)r.agree);
        note_top("the model", m, &p->ours);
        note_top("the file", m, &p->theirs);
        bad = check(p, &r, d, e) < 0 || (proof_path && proof_save(p, e) < 0);
    }
    parity_release(&r);
    io_device_free(d);
    return bad ? -1 : 0;
}

/* BACK is what the file's bytes say.  */
static int prove(const struct model *m, const struct graph *back, struct err *e)
{
    struct proof p = {0};
    const int bad = proof_init(&p, m, e) < 0 || compare(&p, m, back, e);

    proof_release(&p);
    return bad ? -1 : 0;
}

/* ---- ONNX ---- */

static int add_pair(const char **pair, int n, const char *name,
                    const char *value)
{
    if (!value)
        return n;
    pair[n] = name;
    pair[n + 1] = value;
    return n + 2;
}

static int add_history(struct model *m, struct err *e)
{
    char from[HASH_TEXT], number[24];
    const char *pair[9] = {"format", formats[format]};
    int n = 2;

    if (model_fingerprint(m, from, e) < 0)
        return -1;
    snprintf(number, sizeof number, "%lld", (long long)opset);
    n = add_pair(pair, n, "dtype", half ? dtypes[half] : NULL);
    n = add_pair(pair, n, "opset", opset ? number : NULL);
    add_pair(pair, n, "with-preprocess", front ? "yes" : NULL);
    model_history_add(m, "export", pair, (const char *[]){"model", from, NULL});
    return 0;
}

/* The preprocessing inside is that of M.  */
static int check_front(const struct onnx_file *f, const struct model *m,
                       struct err *e)
{
    struct preprocess pre = m->pre;
    const size_t bytes = (size_t)m->pre.channels * sizeof *pre.mean;

    memset(pre.mean, 0, sizeof pre.mean);
    memset(pre.std, 0, sizeof pre.std);
    if (onnx_front_of(f, &pre) != front ||
        (front &&
         (memcmp(pre.mean, m->pre.mean, bytes) != 0 ||
          memcmp(pre.std, m->pre.std, bytes) != 0 || pre.bgr != m->pre.bgr)))
        return err_set(e, ERR_NO, "the preprocessing is another one");
    return 0;
}

static struct graph *read_onnx(const struct str *s, const struct model *m,
                               struct err *e)
{
    struct graph *g = NULL;
    struct onnx_file f;

    if (onnx_open(&f, (const unsigned char *)s->data, s->len, e) == 0 &&
        check_front(&f, m, e) == 0)
        g = onnx_graph(&f, NULL, e);
    onnx_close(&f);
    return g;
}

static int make_onnx(struct str *s, struct model *m, struct err *e)
{
    const struct onnx_opts o = {
        .opset = opset, .half = half, .front = front ? &m->pre : NULL};
    struct graph *back = NULL;
    int bad = add_history(m, e) < 0 || onnx_encode_model(s, m, &o, e) < 0;

    if (!bad) {
        back = read_onnx(s, m, e);
        bad = back ? prove(m, back, e) : err_in(e, "read back");
    }
    graph_free(back);
    return bad ? -1 : 0;
}

static int write_onnx(struct out *o, struct model *m, struct err *e)
{
    struct str s = {0};
    const int bad =
        make_onnx(&s, m, e) < 0 || out_write(o, str_text(&s), s.len, e) < 0;

    str_release(&s);
    return bad ? -1 : 0;
}

/* ---- plain weights ---- */

static void to_set(const struct graph *g, struct set *s)
{
    set_init(s);
    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            set_put(s, g->value[i]->name, &g->value[i]->data);
}

/* PyTorch's readers want to hear that the tensors are theirs.  */
static int encode_safetensors(struct str *to, struct set *s, struct err *e)
{
    struct out o;

    set_meta_put(s, "format", "pt");
    out_memory(&o, to);
    return safetensors_write(s, &o, 0, e);
}

static int encode_npz(struct str *to, struct set *s, struct err *e)
{
    return npz_encode(to, s, e);
}

static int decode_safetensors(struct set *s, const struct str *from,
                              struct err *e)
{
    return safetensors_parse(s, (const unsigned char *)from->data, from->len,
                             NULL, 1, e);
}

static int decode_npz(struct set *s, const struct str *from, struct err *e)
{
    return npz_parse(s, (const unsigned char *)from->data, from->len, e);
}

static const struct {
    int (*encode)(struct str *to, struct set *s, struct err *e);
    int (*decode)(struct set *s, const struct str *from, struct err *e);
} weights[] = {
    [WEIGHTS] = {encode_safetensors, decode_safetensors},
    [ARRAYS] = {encode_npz, decode_npz},
};

/* G with the tensors of S.  */
static struct graph *with_tensors(const struct graph *in, const struct set *s,
                                  struct err *e)
{
    struct graph *g = graph_copy(in);

    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        const struct tensor *t = set_get(s, v->name);

        if (!value_is_tensor(v))
            continue;
        if (!t || t->dtype != v->dtype || !shape_equal(&t->shape, &v->shape)) {
            err_set(e, ERR_FORMAT, "tensor '%s' is another one", Q(v->name));
            graph_free(g);
            return NULL;
        }
        value_set_data(v, t);
    }
    return g;
}

static int prove_weights(const struct model *m, const struct str *bytes,
                         struct err *e)
{
    struct graph *back;
    struct set s;
    int bad;

    if (weights[format].decode(&s, bytes, e) < 0)
        return err_in(e, "read back");
    back = with_tensors(m->graph, &s, e);
    bad = !back || prove(m, back, e) < 0;
    graph_free(back);
    set_release(&s);
    return bad ? -1 : 0;
}

static int write_weights(struct out *o, struct model *m, struct err *e)
{
    struct str bytes = {0};
    struct set s;
    int bad;

    to_set(m->graph, &s);
    bad = weights[format].encode(&bytes, &s, e) < 0 ||
          prove_weights(m, &bytes, e) < 0 ||
          out_write(o, str_text(&bytes), bytes.len, e) < 0;
    if (!bad)
        cli_note("%lld tensors", (long long)s.n);
    set_release(&s);
    str_release(&bytes);
    return bad ? -1 : 0;
}

/* ---- a C header ---- */

/* The logits of one picture.  */
static int run_plan(const struct graph *g, const struct device *d,
                    const float *image, float *logits, struct err *e)
{
    const struct plan_opts o = {.batch = 1, .pool = cli_pool()};
    struct params *ps = params_share((struct graph *)(uintptr_t)g, d, e);
    struct plan *p = ps ? plan_new(g, d, ps, &o, e) : NULL;
    const struct tensor *y;

    if (p) {
        memcpy(plan_value(p, "image")->data, image,
               tensor_bytes(plan_value(p, "image")));
        if (plan_run(p, NULL, e) == 0) {
            y = plan_output(p, graph_answer(g));
            memcpy(logits, y->data, tensor_bytes(y));
        }
    }
    plan_free(p);
    params_free(ps);
    return e->code ? -1 : 0;
}

static int run_one(const struct model *m, const float *image, float *logits,
                   struct err *e)
{
    struct device *d = io_device(device_name, e);
    struct graph *g = d ? pass_simplify(m->graph, e) : NULL;
    const int bad = !g || run_plan(g, d, image, logits, e) < 0;

    graph_free(g);
    io_device_free(d);
    return bad ? -1 : 0;
}

static int make_header(struct cexport *c, struct str *s, const struct model *m,
                       struct err *e)
{
    struct shape shape;
    struct tensor logits = {0};
    int bad = cexport_open(c, m, e) < 0;

    if (!bad) {
        shape = shape_make(1, &c->n_logits);
        bad = tensor_new(&logits, DTYPE_F32, &shape, e) < 0 ||
              run_one(m, c->image, logits.data, e) < 0 ||
              cexport_write(c, s, logits.data, e) < 0;
    }
    if (!bad) {
        cli_note("%zu bytes of weights, %zu bytes of RAM", c->rom, c->ram);
        note_top("the model, for the picture of the header's test", m, &logits);
    }
    tensor_unref(&logits);
    return bad ? -1 : 0;
}

static int write_header(struct out *o, struct model *m, struct err *e)
{
    struct cexport c = {0};
    struct str s = {0};
    const int bad = make_header(&c, &s, m, e) < 0 ||
                    out_write(o, str_text(&s), s.len, e) < 0;

    cexport_close(&c);
    str_release(&s);
    return bad ? -1 : 0;
}

/* ---- the command ---- */

static int (*const writers[])(struct out *o, struct model *m,
                              struct err *e) = {[ONNX] = write_onnx,
                                                [WEIGHTS] = write_weights,
                                                [ARRAYS] = write_weights,
                                                [HEADER] = write_header};

/* By the ending of -O; ONNX where it has none.  */
static int settle_format(struct err *e)
{
    const char *slash = output ? strrchr(output, '/') : NULL;
    const char *name = slash ? slash + 1 : output, *end;

    end = name ? strrchr(name, '.') : NULL;
    if (!end || !strcmp(end, ".onnx"))
        format = ONNX;
    else if (!strcmp(end, ".safetensors") || !strcmp(end, ".st"))
        format = WEIGHTS;
    else if (!strcmp(end, ".npz"))
        format = ARRAYS;
    else if (!strcmp(end, ".h"))
        format = HEADER;
    else
        return err_set(e, ERR_USAGE,
                       "the ending of '%s' names no format: .onnx, .st, "
                       ".safetensors, .npz or .h; or say -f",
                       Q(output));
    return 0;
}

/* The ending of the model's own name is that of an export, too: what the model
 * has and the export has not (network, history) would be gone unasked.  */
static int check_other(struct err *e)
{
    struct err same = {0};

    if (!output || !strcmp(output, "-") ||
        cli_apart(model_path, output, &same) == 0)
        return 0;
    return err_set(e, ERR_USAGE,
                   "'%s' is the model itself, which an export is not: name "
                   "another file, or say -f",
                   Q(output));
}

static int settle(struct err *e)
{
    if ((format < 0 && (check_other(e) < 0 || settle_format(e) < 0)) ||
        cli_apart(output, proof_path, e) < 0)
        return -1;
    if (format != ONNX && (opset || proof_path || half || front))
        return err_set(e, ERR_USAGE, "'--%s' is for ONNX alone",
                       opset        ? "opset"
                       : proof_path ? "proof"
                       : half       ? "dtype"
                                    : "with-preprocess");
    return io_check_output(output, e) < 0 ? -1 : io_check_file(proof_path, e);
}

static int check_classes(const struct model *m, struct err *e)
{
    if (!classes || classes == model_head(m))
        return 0;
    return err_set(e, ERR_USAGE,
                   "--classes=%lld: the head has %lld; 'adze-init --from=MODEL "
                   "--head=new -o classes=%lld' makes another one, to be "
                   "trained",
                   (long long)classes, (long long)model_head(m),
                   (long long)classes);
}

static int export(struct err *e)
{
    struct model *m = NULL;
    struct out o;
    int bad = settle(e);

    if (!bad)
        m = (untrained ? io_model : io_trained_model)(model_path, e);
    bad = !m || check_classes(m, e) < 0 || out_open(&o, output, e) < 0;
    if (!bad)
        bad = writers[format](&o, m, e) < 0 ? out_abort(&o) : out_commit(&o, e);
    model_free(m);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};

    cli_start(&cmd, argc, argv);
    export(&e);
    return cli_end(&cmd, &e);
}
