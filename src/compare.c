/* compare.c -- adze-compare: two models or two tensor files -> differences.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/quote.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "format/onnx_model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "run/parity.h"
#include "tensor/compare.h"
#include "tensor/npy.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

/* Those for models alone begin with what cannot be given.  */
static const char *data, *device_name;
static int64_t samples, seed = -1;
static double tolerance = PARITY_EXACT, max_abs = -1;
static int json, per_class, precision = -1;

static const struct opt options[] = {
    {0, "classes", OPT_FLAG, &per_class, NULL,
     "also the largest difference of each class"},
    OPT_DATA(&data),
    OPT_DEVICE(&device_name),
    OPT_JSON(&json),
    {0, "max-abs", OPT_REAL, &max_abs, "X",
     "exit 1 if an element differs by more than X, instead of --tolerance",
     .min = 0, .max = 1e30},
    {'n', "count", OPT_INT, &samples, "N", "inputs to compare on", .min = 1,
     .max = 1e9, .def = "16"},
    OPT_PRECISION(&precision, "B computes in fp32, bf16 or fp16"),
    OPT_SEED(&seed, "1"),
    {0, "tolerance", OPT_REAL, &tolerance, "X",
     "exit 1 if an element differs by more than X of the largest", .min = 0,
     .max = 1e30, .def = "1e-4"},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-compare model.st fused.st", "adze-compare theirs.onnx model.st",
    "adze-compare a.npy b.npy --max-abs 1e-3", NULL};

static const struct command cmd = {
    .name = "compare",
    .brief = "measure how far two models or tensor files are apart",
    .usage = "[-d DATA] [-n N] [--tolerance=X] A B",
    .options = options,
    .examples = examples,
    .min_args = 2,
    .max_args = 2,
};

static int is_over(double abs, double rel, int64_t nonfinite)
{
    return nonfinite || (max_abs >= 0 ? abs > max_abs : rel > tolerance);
}

static int verdict(double abs, double rel, int64_t nonfinite, struct err *e)
{
    if (!is_over(abs, rel, nonfinite))
        return 0;
    if (nonfinite)
        return err_set(
            e, ERR_NO,
            "%lld elements are not finite, and not alike on both sides",
            (long long)nonfinite);
    if (max_abs >= 0)
        return err_set(e, ERR_NO, "differ by %.3g, more than %.3g", abs,
                       max_abs);
    return err_set(e, ERR_NO, "differ by %.3g of the largest, more than %.3g",
                   rel, tolerance);
}

/* ---- tensor files ---- */

static int read_tensors(struct set *s, const char *path, struct err *e)
{
    struct tensor t;

    if (!str_ends(path, ".npy"))
        return safetensors_read(s, path, e);
    if (npy_read(&t, path, e) < 0)
        return -1;
    set_put(s, "array", &t);
    tensor_unref(&t);
    return 0;
}

/* ---- JSON ---- */

static void put_text(struct str *s, const char *key, const char *text)
{
    str_printf(s, "%s\"%s\": ", s->len > 1 ? ", " : "", key);
    quote_json(s, text);
}

/* JSON has no infinity: null stands for it.  */
static void put_real(struct str *s, const char *key, double v)
{
    char num[FMT_NUM];

    str_printf(s, "%s\"%s\": %s", s->len > 1 ? ", " : "", key,
               isfinite(v) ? fmt_f64(num, v) : "null");
}

static void put_int(struct str *s, const char *key, int64_t v)
{
    str_printf(s, "%s\"%s\": %lld", s->len > 1 ? ", " : "", key, (long long)v);
}

static void print_line(struct str *s)
{
    str_addc(s, '}');
    puts(str_text(s));
    str_release(s);
}

/* C: NULL where no numbers were compared.  */
static void tensor_json(const char *name, const struct compare *c,
                        const char *differs)
{
    static const char *const numbers[] = {"n",       "max_abs", "max_rel",
                                          "max_ulp", "nmse",    "nonfinite"};
    struct str s = {0};

    str_addc(&s, '{');
    put_text(&s, "name", name);
    for (size_t i = 0; !c && i < COUNT(numbers); i++)
        str_printf(&s, ", \"%s\": null", numbers[i]);
    if (c) {
        put_int(&s, "n", c->n);
        put_real(&s, "max_abs", c->max_abs);
        put_real(&s, "max_rel", c->max_rel);
        put_real(&s, "max_ulp", c->max_ulp);
        put_real(&s, "nmse", c->nmse);
        put_int(&s, "nonfinite", c->nonfinite);
    }
    put_text(&s, "differs", differs);
    print_line(&s);
}

static void parity_json(const struct parity *r, const struct model *m)
{
    char name[MODEL_CLASS];
    struct str s = {0}, one = {0};

    str_addc(&s, '{');
    put_int(&s, "samples", r->samples);
    put_real(&s, "max_abs", r->max_abs);
    put_real(&s, "max_rel", r->max_rel);
    put_real(&s, "top1_agreement", (double)r->agree / (double)r->samples);
    put_int(&s, "nonfinite", r->nonfinite);
    put_int(&s, "neither", r->neither);
    put_text(&s, "first_divergent", r->node);
    for (int64_t c = 0; per_class && c < r->classes; c++) {
        str_clear(&one);
        str_addc(&one, '{');
        put_text(&one, "name", model_class_name(m, c, name));
        put_real(&one, "max_abs", r->class_abs[c]);
        str_printf(&s, "%s%s}", c ? ", " : ", \"classes\": [", str_text(&one));
    }
    str_add(&s, per_class ? "]" : "");
    str_release(&one);
    print_line(&s);
}

/* ---- tensors ---- */

/* All tensors of two files: how many are not in both or have another shape;
 * and the numbers of the rest.  */
struct tally {
    int64_t first, second, shape, nonfinite;
    double max_abs, max_rel;
};

static void print_tensor(const char *name, const struct compare *c,
                         const char *differs)
{
    if (json) {
        tensor_json(name, c, differs);
        return;
    }
    printf("%s\t", Q(name));
    if (c)
        printf("%lld\t%.6g\t%.6g\t%.6g\t%.6g\t%lld", (long long)c->n,
               c->max_abs, c->max_rel, c->max_ulp, c->nmse,
               (long long)c->nonfinite);
    else
        fputs("-\t-\t-\t-\t-\t-", stdout);
    printf("\t%s\n", *differs ? differs : "-");
}

static void say_type(struct str *s, const struct tensor *a,
                     const struct tensor *b)
{
    if (a->dtype != b->dtype)
        str_printf(s, "%stype %s %s", s->len ? ", " : "", dtype_name(a->dtype),
                   dtype_name(b->dtype));
}

/* A tensor of both files.  Of another type numbers may be the same.  */
static void compare_pair(struct tally *all, const char *name,
                         const struct tensor *a, const struct tensor *b)
{
    struct str s = {0};
    struct compare c;
    struct err e = {0};
    const int bad = compare_tensors(&c, a, b, &e);

    if (bad) {
        all->shape++;
        str_printf(&s, "shape %s %s", ST(&a->shape), ST(&b->shape));
    } else {
        all->max_abs = fmax(all->max_abs, c.max_abs);
        all->max_rel = fmax(all->max_rel, c.max_rel);
        all->nonfinite += c.nonfinite;
        if (is_over(c.max_abs, c.max_rel, c.nonfinite))
            str_add(&s, "values");
    }
    say_type(&s, a, b);
    print_tensor(name, bad ? NULL : &c, str_text(&s));
    str_release(&s);
}

static void add_count(struct str *s, int64_t n, const char *what)
{
    if (n)
        str_printf(s, "%s%lld %s", s->len ? ", " : "", (long long)n, what);
}

static int tell_all(const struct tally *t, struct err *e)
{
    struct str s = {0};
    struct err values = {0};

    add_count(&s, t->first, "in the first file alone");
    add_count(&s, t->second, "in the second file alone");
    add_count(&s, t->shape, "of another shape");
    verdict(t->max_abs, t->max_rel, t->nonfinite, &values);
    if (s.len)
        err_set(e, ERR_NO, "tensors: %s%s%s", str_text(&s),
                values.code ? "; the others: " : "", values.msg);
    else
        *e = values;
    str_release(&s);
    return e->code ? -1 : 0;
}

static int compare_sets(const struct set *a, const struct set *b, struct err *e)
{
    struct tally all = {0};

    if (!json)
        printf("# tensor\tn\tmax_abs\tmax_rel\tmax_ulp\tnmse\tnonfinite\t"
               "differs\n");
    for (int64_t i = 0; i < a->n; i++) {
        const struct set_item *x = &a->item[i];
        const struct tensor *t = set_get(b, x->name);

        if (t)
            compare_pair(&all, x->name, &x->t, t);
        else
            print_tensor(x->name, NULL, "first alone");
        all.first += !t;
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (set_get(a, b->item[i].name))
            continue;
        print_tensor(b->item[i].name, NULL, "second alone");
        all.second++;
    }
    return tell_all(&all, e);
}

/* ---- models ---- */

struct source {
    struct loader *loader;
    int64_t *target;
};

/* Batches of the loader are as long as those asked for.  */
static int fill(void *ctx, int64_t from, int64_t n, float *image, struct err *e)
{
    struct source *s = ctx;
    int64_t count;

    (void)n;
    return loader_batch(s->loader, 0, from / PARITY_BATCH, image, s->target,
                        &count, cli_pool(), e);
}

static void print_parity(const struct parity *r, const struct model *m)
{
    char name[MODEL_CLASS];

    if (json) {
        parity_json(r, m);
        return;
    }
    printf("# measure\tvalue\nsamples\t%lld\nmax_abs\t%.6g\nmax_rel\t%.6g\n"
           "top1_agreement\t%.6g\n",
           (long long)r->samples, r->max_abs, r->max_rel,
           (double)r->agree / (double)r->samples);
    if (r->nonfinite)
        printf("nonfinite\t%lld\n", (long long)r->nonfinite);
    if (r->neither)
        printf("neither\t%lld\n", (long long)r->neither);
    if (*r->node)
        printf("first_divergent\t%s\t%.6g\n", Q(r->node), r->node_rel);
    for (int64_t c = 0; per_class && c < r->classes; c++)
        printf("class\t%s\t%.6g\n", Q(model_class_name(m, c, name)),
               r->class_abs[c]);
}

static int compare_models(const struct model *a, const struct model *b,
                          struct parity_opts *o, struct err *e)
{
    struct device *d = io_device(device_name ? device_name : "cpu", e);
    const int form = precision < 0 ? PRECISION_FP32 : precision;
    struct parity r = {0};
    int bad = !d || (o->narrow = io_narrow(form, b->graph, d, e)) < 0 ||
              parity_run(&r, a->graph, b->graph, d, o, e) < 0;

    if (!bad) {
        print_parity(&r, a);
        bad = parity_finite(&r, e) < 0 ||
              verdict(r.max_abs, r.max_rel, r.nonfinite, e) < 0;
    }
    parity_release(&r);
    io_device_free(d);
    return bad ? -1 : 0;
}

/* On the pictures of -d, through the preprocessing of the first model.  */
static int compare_on_data(const struct model *a, const struct model *b,
                           struct parity_opts *o, struct err *e)
{
    const struct dataset_opts dop = {.unlabelled = 1};
    struct dataset *d = dataset_open(data, &dop, e);
    struct loader_opts lo = {.pre = a->pre};
    int64_t target[PARITY_BATCH];
    struct source s = {.target = target};
    int bad;

    if (!d)
        return -1;
    lo.sampler = (struct sampler){
        .n = dataset_count(d), .batch = PARITY_BATCH, .keep_last = 1};
    if (o->samples > lo.sampler.n)
        o->samples = lo.sampler.n;
    s.loader = loader_new(d, &lo);
    o->fill = fill;
    o->ctx = &s;
    bad = compare_models(a, b, o, e);
    loader_free(s.loader);
    dataset_free(d);
    return bad;
}

/* ---- which of the two ---- */

/* A file that is read: a model, or tensors.  */
struct side {
    const char *path;
    struct set s;
    struct model *m;
};

/* A model if its metadata says so.  */
static int is_model(const struct set *s)
{
    const char *kind = set_meta_get(s, "adze.kind");

    return kind && (!strcmp(kind, "model") || !strcmp(kind, "checkpoint"));
}

static int read_side(struct side *x, const char *path, struct err *e)
{
    x->path = path;
    if (str_ends(path, ".onnx"))
        return (x->m = onnx_model_read(path, NULL, NULL, e)) ? 0 : -1;
    if (read_tensors(&x->s, path, e) < 0)
        return -1;
    if (!is_model(&x->s))
        return 0;
    x->m = model_from_set(&x->s, e);
    return x->m ? 0 : err_in(e, "'%s'", Q(path));
}

static int compare_as_models(const struct model *m, const struct model *n,
                             struct err *e)
{
    enum { SAMPLES = 16, SEED = 1 };
    struct parity_opts o = {.samples = samples ? samples : SAMPLES,
                            .seed = seed < 0 ? SEED : (uint64_t)seed,
                            .pool = cli_pool(),
                            .tolerance = tolerance};

    return (data ? compare_on_data : compare_models)(m, n, &o, e);
}

/* What is asked of models has no answer for the tensors in FILE.  */
static int check_for_tensors(const char *file, struct err *e)
{
    const struct {
        const char *name;
        int given;
    } list[] = {{"--classes", per_class},        {"-d", data != NULL},
                {"-D", device_name != NULL},     {"-n", samples != 0},
                {"--precision", precision >= 0}, {"-s", seed >= 0}};

    for (size_t i = 0; i < COUNT(list); i++)
        if (list[i].given)
            return err_set(e, ERR_USAGE,
                           "%s is for models, and '%s' holds tensors: leave "
                           "it out",
                           list[i].name, Q(file));
    return 0;
}

static int compare_sides(const struct side *a, const struct side *b,
                         struct err *e)
{
    if (!a->m != !b->m)
        return err_set(
            e, ERR_FORMAT,
            "'%s' is a model, '%s' is not: make one of its weights with "
            "adze-init NETWORK --from, or weights of the model with "
            "adze-export -f safetensors",
            Q(a->m ? a->path : b->path), Q(a->m ? b->path : a->path));
    if (!a->m)
        return check_for_tensors(a->path, e) < 0
                   ? -1
                   : compare_sets(&a->s, &b->s, e);
    if (compare_as_models(a->m, b->m, e) == 0)
        return 0;
    return e->code == ERR_SHAPE
               ? err_in(e, "'%s' and '%s'", Q(a->path), Q(b->path))
               : -1;
}

/* Each file is read once: one of them may be a pipe.  */
static int compare(const char *a, const char *b, struct err *e)
{
    const struct cli_input inputs[] = {
        {a, "the first file"}, {b, "the second"}, {data, "the data"}, {0}};
    struct side x = {0}, y = {0};
    int bad;

    set_init(&x.s);
    set_init(&y.s);
    bad = cli_stdin_once(inputs, e) < 0 || read_side(&x, a, e) < 0 ||
          read_side(&y, b, e) < 0 || compare_sides(&x, &y, e) < 0;
    model_free(x.m);
    model_free(y.m);
    set_release(&x.s);
    set_release(&y.s);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    const int rest = cli_start(&cmd, argc, argv);

    compare(argv[rest], argv[rest + 1], &e);
    return cli_end(&cmd, &e);
}
