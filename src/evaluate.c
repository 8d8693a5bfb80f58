/* evaluate.c -- adze-evaluate: model + data -> metrics.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/str.h"
#include "base/stream.h"
#include "cli/chart.h"
#include "cli/common.h"
#include "cli/confusion.h"
#include "cli/io.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "data/dataset.h"
#include "data/form.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "tensor/npy.h"
#include "train/evaluate.h"
#include "train/metric.h"

static const char *model_path, *data, *logits_path, *confusion_path, *plan_path;
static const char *device_name = "cpu";
static int64_t batch = 256;
static double min_top1 = -1;
static int json, skip_bad, per_class, precision, prepare;

static const struct opt options[] = {
    OPT_BATCH(&batch, "256"),
    {0, "classes", OPT_FLAG, &per_class, NULL,
     "also a row per class: precision, recall, F1, AP"},
    {0, "confusion", OPT_TEXT, &confusion_path, "FILE",
     "write the confusion matrix: TSV, or drawn, in .svg or .html"},
    OPT_DATA(&data),
    OPT_DEVICE(&device_name),
    OPT_JSON(&json),
    {0, "logits", OPT_TEXT, &logits_path, "FILE",
     "write the logits [N,K] as NPY, in the order of the data"},
    {0, "min-top1", OPT_REAL, &min_top1, "SHARE",
     "exit 1 if top-1 is below SHARE", .min = 0, .max = 1},
    OPT_MODEL(&model_path),
    OPT_PLAN(&plan_path),
    OPT_PRECISION(&precision, "compute in fp32, bf16 or fp16"),
    OPT_PREPARE(&prepare),
    {0, "skip-bad", OPT_FLAG, &skip_bad, NULL,
     "leave broken pictures out, count and name them, instead of stopping at "
     "the first"},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-evaluate -m model.st -d test.tar",
    "adze-evaluate -m model.st -d test.tar --confusion matrix.svg",
    "adze-evaluate -m model.st -d test.tar --json | jq .top1", NULL};

static const struct command cmd = {
    .name = "evaluate",
    .brief = "measure a model on labelled pictures",
    .usage = "-d DATA [-m FILE] [--json] [--min-top1=SHARE] "
             "[--confusion=FILE] [--logits=FILE] [--plan=FILE]",
    .options = options,
    .examples = examples,
};

struct job {
    struct model *m;
    struct dataset *d;
    struct graph *g;
    struct device *dev;
    struct params *params;
    struct evaluator *ev;
    struct metric metric;
    struct tensor logits; /* [pictures, k], with LOGITS_N rows so far */
    int64_t logits_n;
    struct progress progress;
};

/* A picture that is left out has no row.  */
static void take_row(void *ctx, int64_t index, const float *row, int64_t k)
{
    struct job *j = ctx;

    if (logits_path)
        memcpy((float *)j->logits.data + j->logits_n++ * k, row,
               (size_t)k * sizeof *row);
    progress_show(&j->progress, index + 1, NULL);
}

static void tell_bad(void *ctx, const char *reason)
{
    (void)ctx;
    cli_note("left out: %s", reason);
}

/* ---- text ---- */

static void print_share(const char *name, double v)
{
    char buf[FMT_NUM];

    printf("%s\t%s\n", name, fmt_f64(buf, v));
}

static const char *cell(char buf[FMT_NUM], double v)
{
    return isfinite(v) ? fmt_f32(buf, (float)v) : "-";
}

static void print_classes(const struct job *j)
{
    char name[MODEL_CLASS], a[FMT_NUM], b[FMT_NUM], c[FMT_NUM], d[FMT_NUM];
    struct str s = {0};

    printf("# class\tn\tprecision\trecall\tf1\tap\n");
    for (int64_t i = 0; i < j->metric.k; i++) {
        const struct metric_class r = metric_class(&j->metric, i);

        str_clear(&s);
        quote_cell(&s, model_class_name(j->m, i, name));
        printf("%s\t%lld\t%s\t%s\t%s\t%s\n", str_text(&s), (long long)r.n,
               cell(a, r.precision), cell(b, r.recall), cell(c, r.f1),
               cell(d, r.ap));
    }
    str_release(&s);
}

static void print_text(const struct job *j)
{
    const struct metric *m = &j->metric;

    printf("# metric\tvalue\n");
    printf("n\t%lld\n", (long long)m->n);
    print_share("top1", metric_top1(m));
    print_share("top5", metric_top5(m));
    print_share("loss", metric_loss(m));
    print_share("ece", metric_ece(m));
    printf("bad\t%lld\n", (long long)evaluator_bad(j->ev));
    if (m->nonfinite)
        printf("nonfinite\t%lld\n", (long long)m->nonfinite);
    if (per_class)
        print_classes(j);
}

/* ---- JSON ---- */

static void put_name(struct str *s, const char *name)
{
    str_printf(s, "%s\"%s\": ", strchr("{[", s->data[s->len - 1]) ? "" : ", ",
               name);
}

static void put_int(struct str *s, const char *name, int64_t v)
{
    put_name(s, name);
    str_printf(s, "%lld", (long long)v);
}

/* The shortest text that reads back to V, told from a whole number; JSON has
 * no NaN.  */
static void put_real(struct str *s, const char *name, double v)
{
    char num[FMT_NUM];
    const char *text = isfinite(v) ? fmt_f64(num, v) : "null";

    put_name(s, name);
    str_add(s, text);
    if (isfinite(v) && !strpbrk(text, ".e"))
        str_add(s, ".0");
}

static void put_class(struct str *s, const struct job *j, int64_t c)
{
    const struct metric_class r = metric_class(&j->metric, c);
    char name[MODEL_CLASS];

    str_add(s, c ? ", {" : "{");
    put_name(s, "name");
    quote_json(s, model_class_name(j->m, c, name));
    put_int(s, "n", r.n);
    put_real(s, "precision", r.precision);
    put_real(s, "recall", r.recall);
    put_real(s, "f1", r.f1);
    put_real(s, "ap", r.ap);
    str_add(s, "}");
}

static void put_confusion(struct str *s, const struct metric *m)
{
    for (int64_t i = 0; i < m->k; i++) {
        str_add(s, i ? ", [" : "[");
        for (int64_t c = 0; c < m->k; c++)
            str_printf(s, "%s%lld", c ? ", " : "",
                       (long long)m->confusion[i * m->k + c]);
        str_add(s, "]");
    }
}

static void print_json(const struct job *j)
{
    const struct metric *m = &j->metric;
    struct str s = {0};

    str_add(&s, "{");
    put_int(&s, "n", m->n);
    put_real(&s, "top1", metric_top1(m));
    put_real(&s, "top5", metric_top5(m));
    put_real(&s, "loss", metric_loss(m));
    put_real(&s, "ece", metric_ece(m));
    put_int(&s, "bad", evaluator_bad(j->ev));
    put_int(&s, "nonfinite", m->nonfinite);
    put_name(&s, "classes");
    str_add(&s, "[");
    for (int64_t i = 0; per_class && i < m->k; i++)
        put_class(&s, j, i);
    str_add(&s, "]");
    if (per_class) {
        put_name(&s, "confusion");
        str_add(&s, "[");
        put_confusion(&s, m);
        str_add(&s, "]");
    }
    str_add(&s, "}");
    puts(str_text(&s));
    str_release(&s);
}

/* ---- the matrix ---- */

/* The names of the classes, [k]; freed with free().  BUF holds those that are
 * numbers.  */
static const char **class_names(const struct model *m, int64_t k,
                                struct arena *buf)
{
    const char **name = xcalloc((size_t)k + 1, sizeof *name);
    char number[MODEL_CLASS];

    for (int64_t i = 0; i < k; i++)
        name[i] = arena_strdup(buf, model_class_name(m, i, number));
    return name;
}

/* A page: the figures, the picture, the mistakes.  */
static void add_page(struct str *s, const struct metric *m,
                     const struct confusion *c)
{
    const struct {
        const char *name;
        double value;
    } row[] = {{"top-1", metric_top1(m)},
               {"top-5", metric_top5(m)},
               {"loss", metric_loss(m)},
               {"calibration error", metric_ece(m)}};

    chart_page_begin(s, "adze-evaluate");
    str_printf(s, "<table>\n<tr><th>pictures</th><td>%lld</td></tr>\n",
               (long long)m->n);
    for (size_t i = 0; i < COUNT(row); i++)
        if (isfinite(row[i].value))
            str_printf(s, "<tr><th>%s</th><td>%.4f</td></tr>\n", row[i].name,
                       row[i].value);
    str_add(s, "</table>\n");
    confusion_svg(s, c);
    confusion_mistakes(s, c);
    chart_page_end(s);
}

/* As the ending of --confusion says.  */
static int write_confusion(const struct job *j, struct err *e)
{
    struct arena a = {0};
    const char **name = class_names(j->m, j->metric.k, &a);
    const struct confusion c = {.title = "Confusion matrix",
                                .name = name,
                                .k = j->metric.k,
                                .count = j->metric.confusion};
    struct str s = {0};
    struct out o;
    int bad;

    if (str_ends(confusion_path, ".svg"))
        confusion_svg(&s, &c);
    else if (str_ends(confusion_path, ".html"))
        add_page(&s, &j->metric, &c);
    else
        confusion_tsv(&s, &c);
    bad = out_open(&o, confusion_path, e);
    if (!bad)
        bad = out_write(&o, str_text(&s), s.len, e) < 0 ? out_abort(&o)
                                                        : out_commit(&o, e);
    str_release(&s);
    free(name);
    arena_release(&a);
    return bad;
}

/* ---- the work ---- */

/* Classes of the data are told by their names if the model's have some.  */
static void note_unnamed(const struct job *j)
{
    int n;

    if (!j->m->n_classes && dataset_classes(j->d, &n) && n)
        cli_note("the model's classes have no names: the data's, '%s' and so "
                 "on, are taken as its first %d in this order; adze-init "
                 "--classes names them",
                 Q(dataset_classes(j->d, &n)[0]), n);
}

static int open_all(struct job *j, struct err *e)
{
    struct dataset_opts o = {0};
    struct evaluate_opts eo = {
        .batch = batch, .skip_bad = skip_bad, .on_bad = tell_bad};
    struct planfile plan;

    if (io_plan(&plan, plan_path, e) < 0)
        return -1;
    j->m = io_trained_model(model_path, e);
    if (!j->m)
        return -1;
    o.classes = (const char *const *)j->m->classes;
    o.n_classes = j->m->n_classes;
    j->dev = io_device(device_name, e);
    j->d = j->dev ? dataset_open(data, &o, e) : NULL;
    j->g = j->d ? pass_simplify(j->m->graph, e) : NULL;
    j->params = j->g ? params_share(j->g, j->dev, e) : NULL;
    if (!j->params)
        return -1;
    if (dataset_labels(j->d) > model_head(j->m))
        return err_set(e, ERR_SHAPE,
                       "the data has labels up to %lld, the model %lld classes",
                       (long long)dataset_labels(j->d) - 1,
                       (long long)model_head(j->m));
    io_note_missing(j->d);
    note_unnamed(j);
    eo.pre = j->m->pre;
    eo.pool = cli_pool();
    eo.prepare = io_prepare(prepare, j->dev);
    if (eo.batch > dataset_count(j->d) && dataset_count(j->d) > 0)
        eo.batch = dataset_count(j->d);
    eo.tuning = &plan.tuning;
    eo.narrow = io_narrow(precision, j->g, j->dev, e);
    if (eo.narrow < 0)
        return -1;
    j->ev = evaluator_new(j->g, j->dev, j->params, j->d, &eo, e);
    if (!j->ev)
        return -1;
    io_detail_plan(evaluator_plan(j->ev));
    return 0;
}

static int write_logits(const struct job *j, struct err *e)
{
    const struct tensor t = tensor_rows(&j->logits, 0, j->logits_n);

    return npy_save(&t, logits_path, e);
}

static int measure(struct job *j, struct err *e)
{
    const struct shape s =
        shape_make(2, (int64_t[]){dataset_count(j->d), model_head(j->m)});
    int bad;

    if (logits_path && tensor_new(&j->logits, DTYPE_F32, &s, e) < 0)
        return -1;
    metric_init(&j->metric, model_head(j->m), per_class);
    progress_start(&j->progress, "evaluate", "pictures", dataset_count(j->d));
    bad = evaluator_run(j->ev, &j->metric, take_row, j, e);
    progress_end(&j->progress);
    if (bad)
        return -1;
    (json ? print_json : print_text)(j);
    if (logits_path && write_logits(j, e) < 0)
        return -1;
    if (confusion_path && write_confusion(j, e) < 0)
        return -1;
    if (j->metric.nonfinite)
        return err_set(e, ERR_NONFINITE,
                       "the outputs for %lld of %lld pictures are not finite",
                       (long long)j->metric.nonfinite, (long long)j->metric.n);
    if (min_top1 >= 0 && !(metric_top1(&j->metric) >= min_top1))
        return err_set(e, ERR_NO, "top-1 %.4f is below %.4f",
                       metric_top1(&j->metric), min_top1);
    return 0;
}

/* OUT, which OPTION names, can be written and is nothing that is read.  */
static int check_file(const struct cli_input *in, const char *out,
                      const char *option, struct err *e)
{
    if (!out)
        return 0;
    return cli_not_input(in, out, option, e) < 0 ? -1 : io_check_file(out, e);
}

/* What is behind the last dot of a name, with it; "" without.  */
static const char *ending(const char *path)
{
    const char *dot = strrchr(form_base(path), '.');

    return dot && dot > form_base(path) ? dot : "";
}

/* Names that promise something else.  */
static int check_endings(struct err *e)
{
    static const char *const others[] = {".csv",  ".json", ".npy",  ".npz",
                                         ".png",  ".jpg",  ".jpeg", ".gif",
                                         ".webp", ".pdf",  ".st",   ".onnx"};
    size_t i = 0;

    while (confusion_path && i < COUNT(others) &&
           strcasecmp(ending(confusion_path), others[i]) != 0)
        i++;
    if (confusion_path && i < COUNT(others))
        return err_set(
            e, ERR_USAGE,
            "'%s': the confusion matrix is written as .tsv, or drawn "
            "as .svg or .html: name it so",
            Q(confusion_path));
    if (logits_path && *ending(logits_path) &&
        strcmp(ending(logits_path), ".npy") != 0)
        return err_set(e, ERR_USAGE,
                       "'%s': the logits are an .npy file: name it so",
                       Q(logits_path));
    return 0;
}

static int check_options(struct err *e)
{
    const struct cli_input inputs[] = {
        {model_path ? model_path : "-", "the model"},
        {data, "the data"},
        {plan_path, "the plan"},
        {0}};

    if (!data)
        return err_set(e, ERR_USAGE, "no data: give it with -d");
    if (logits_path && !strcmp(logits_path, "-"))
        return err_set(e, ERR_USAGE,
                       "the figures are on standard output: --logits wants a "
                       "file");
    if (json && confusion_path && !strcmp(confusion_path, "-"))
        return err_set(
            e, ERR_USAGE,
            "the figures are on standard output: --confusion wants a "
            "file; with --classes JSON holds the matrix, too");
    if (cli_stdin_once(inputs, e) < 0 ||
        cli_apart(confusion_path, logits_path, e) < 0 ||
        check_file(inputs, confusion_path, "--confusion", e) < 0 ||
        check_file(inputs, logits_path, "--logits", e) < 0)
        return -1;
    return check_endings(e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct job j = {0};

    cli_start(&cmd, argc, argv);
    if (!check_options(&e) && !open_all(&j, &e))
        measure(&j, &e);
    metric_release(&j.metric);
    tensor_unref(&j.logits);
    evaluator_free(j.ev);
    params_free(j.params);
    io_device_free(j.dev);
    graph_free(j.g);
    dataset_free(j.d);
    model_free(j.m);
    return cli_end(&cmd, &e);
}
