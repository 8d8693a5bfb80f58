/* proof.c -- see proof.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/proof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/io.h"
#include "format/model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/observe.h"
#include "run/parity.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"
#include "tensor/top.h"

enum { SAMPLES = 16, TOP = 3 };

/* ---- inputs and logits ---- */

/* Samples, and the logits of both sides: [SAMPLES, ...] each.  */
struct proof {
    const struct model *m;
    const struct proof_opts *o;
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
        if (!p->o->front) {
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

static int proof_init(struct proof *p, const struct model *m,
                      const struct proof_opts *o, struct err *e)
{
    const struct graph *g = m->graph;
    const struct value *x = graph_value(g, "image");
    const struct value *y = graph_output_value(g, graph_answer(g));
    struct shape in, out, levels;

    p->m = m;
    p->o = o;
    if (!x || !y || x->shape.rank != 4 || !x->shape.batch || !y->shape.batch)
        return err_set(e, ERR_SHAPE,
                       "the network has no 'image' or no 'logits' of a batch");
    in = shape_bind(x->shape, SAMPLES);
    out = shape_bind(y->shape, SAMPLES);
    levels =
        shape_make(4, (int64_t[]){in.dim[0], in.dim[2], in.dim[3], in.dim[1]});
    return tensor_new(&p->image, DTYPE_F32, &in, e) < 0 ||
                   (o->front &&
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
    if (p->o->front)
        set_put(&s, "image_u8", &p->levels);
    else
        set_put(&s, "image", &p->image);
    set_put(&s, "logits", &p->ours);
    bad = safetensors_save(&s, p->o->path, e);
    set_release(&s);
    return bad;
}

void proof_top(const char *whose, const struct model *m,
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

/* ---- how far is near enough ---- */

enum { HALF_MAX = 65504 };

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
        const double limit = parity_half(g, &steps);

        cli_note("fp16 may differ by %.3g of the largest: two roundings of "
                 "2^-%d in each of %d steps",
                 limit, PARITY_HALF_BITS, steps);
        bad = check_values(p, g, d, e) < 0;
        if (!bad && !(r->max_rel <= limit))
            bad = err_set(e, ERR_NO, "fp16 differs by %.3g of the largest",
                          r->max_rel);
    }
    graph_free(g);
    return bad ? -1 : 0;
}

static int check_eight(const struct parity *r, struct err *e)
{
    if (parity_finite(r, e) < 0)
        return -1;
    if (r->max_rel > PARITY_EXACT)
        cli_note("8 bits may differ by %.3g of the largest: 8 of 255 levels",
                 PARITY_EIGHT);
    return r->max_rel <= PARITY_EIGHT
               ? 0
               : err_set(e, ERR_NO, "8 bits differ by %.3g of the largest",
                         r->max_rel);
}

static int check(struct proof *p, const struct parity *r,
                 const struct device *d, struct err *e)
{
    if (p->o->half)
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
    struct device *d = io_device(p->o->device, e);
    struct parity r = {0};
    int bad = !d || parity_run(&r, m->graph, back, d, &o, e) < 0;

    if (!bad) {
        cli_note("read back, outputs differ by %.3g, %.3g of the largest, on "
                 "%lld inputs; the best class agrees on %lld",
                 r.max_abs, r.max_rel, (long long)r.samples,
                 (long long)r.agree);
        proof_top("the model", m, &p->ours);
        proof_top("the file", m, &p->theirs);
        bad = check(p, &r, d, e) < 0 || (p->o->path && proof_save(p, e) < 0);
    }
    parity_release(&r);
    io_device_free(d);
    return bad ? -1 : 0;
}

int proof_run(const struct model *m, const struct graph *back,
              const struct proof_opts *o, struct err *e)
{
    struct proof p = {0};
    const int bad = proof_init(&p, m, o, e) < 0 || compare(&p, m, back, e);

    proof_release(&p);
    return bad ? -1 : 0;
}
