/* export.c -- adze-export: model -> ONNX, plain weights or C, read back before
 * they are written.
 * SPDX-License-Identifier: MIT  */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/proof.h"
#include "cli/rows.h"
#include "format/cexport.h"
#include "format/model.h"
#include "format/onnx.h"
#include "format/weightfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"

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

/* BACK is what the file's bytes say.  */
static int prove(const struct model *m, const struct graph *back, struct err *e)
{
    const struct proof_opts o = {.device = device_name,
                                 .path = proof_path,
                                 .front = front,
                                 .half = half};

    return proof_run(m, back, &o, e);
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

static int make_weights(struct str *bytes, const struct model *m, int64_t *n,
                        struct err *e)
{
    const enum weightfile form =
        format == ARRAYS ? WEIGHTFILE_NPZ : WEIGHTFILE_SAFETENSORS;
    struct graph *back = NULL;
    int bad = weightfile_encode(bytes, form, m->graph, n, e) < 0;

    if (!bad) {
        back = weightfile_graph(bytes, form, m->graph, e);
        bad = back ? prove(m, back, e) : err_in(e, "read back");
    }
    graph_free(back);
    return bad ? -1 : 0;
}

static int write_weights(struct out *o, struct model *m, struct err *e)
{
    struct str bytes = {0};
    int64_t n;
    const int bad = make_weights(&bytes, m, &n, e) < 0 ||
                    out_write(o, str_text(&bytes), bytes.len, e) < 0;

    if (!bad)
        cli_note("%lld tensors", (long long)n);
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
        proof_top("the model, for the picture of the header's test", m,
                  &logits);
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
        cli_apart(output, proof_path, e) < 0 ||
        cli_not_model(model_path, proof_path, "--proof", e) < 0)
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

/* What diverged may still give finite results: a variance of infinity does.  */
static int check_finite(const struct model *m, struct err *e)
{
    const struct graph *g = m->graph;

    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];

        if ((v->kind == VALUE_PARAM || v->kind == VALUE_STATE) &&
            v->data.data && !tensor_finite(&v->data))
            return err_set(e, ERR_NONFINITE,
                           "'%s' holds a number that is not finite: take a "
                           "model from before it diverged",
                           Q(v->name));
    }
    return 0;
}

static int export(struct err *e)
{
    struct model *m = NULL;
    struct out o;
    int bad = settle(e);

    if (!bad)
        m = (untrained ? io_model : io_trained_model)(model_path, e);
    bad = !m || check_classes(m, e) < 0 || check_finite(m, e) < 0 ||
          out_open(&o, output, e) < 0;
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
