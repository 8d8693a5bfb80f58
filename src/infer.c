/* infer.c -- adze-infer: model + pictures -> rows.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/common.h"
#include "cli/features.h"
#include "cli/io.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "data/loader.h"
#include "data/pictures.h"
#include "data/stage.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/top.h"

static const char *model_path, *plan_path, *batch_text = "auto";
static const char *device_name = "cpu", *features, *output;
static int64_t top = -1; /* -n */
static int json, zero, precision, prepare;

static const struct opt options[] = {
    {'0', "null", OPT_FLAG, &zero, NULL,
     "paths on standard input end with NUL, not newline"},
    {'b', "batch", OPT_TEXT, &batch_text, "N", "pictures at once",
     .def = "auto"},
    OPT_DEVICE(&device_name),
    {0, "features", OPT_TEXT, &features, "NAMES",
     "also write values of these names to the file of -O; without names what "
     "the classifier reads and the maps in front of each down-sampling",
     .bare = "auto"},
    OPT_JSON(&json),
    OPT_MODEL(&model_path),
    {'n', "count", OPT_INT, &top, "N", "best classes to print", .min = 1,
     .max = 1e6, .def = "1"},
    {'O', "output", OPT_TEXT, &output, "FILE",
     "where the values of --features go: .npy or safetensors"},
    OPT_PLAN(&plan_path),
    OPT_PRECISION(&precision, "compute in fp32, bf16 or fp16"),
    OPT_PREPARE(&prepare),
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "find photos -name '*.jpg' | adze-infer -m model.st",
    "adze-infer -m model.st --json picture.png",
    "adze-infer -m model.st --features -O maps.st picture.png", NULL};

static const struct command cmd = {
    .name = "infer",
    .brief = "classify pictures",
    .usage = "-m FILE [-b N] [-n N] [--json] [--plan=FILE] "
             "[--features[=NAMES] -O FILE] [PICTURE ...]",
    .options = options,
    .examples = examples,
    .max_args = -1,
};

/* Pictures on their way: one batch is read while the other is computed.  */
struct round {
    struct job *j;
    struct picture *pic; /* [batch] */
    int64_t n;
    struct err err; /* of the source, or the device */
};

struct job {
    struct model *m;
    struct graph *g;
    struct device *dev;
    struct params *params;
    struct plan *plan;
    struct preprocess pre;
    struct stage *stage; /* pictures are prepared on the device; or NULL */
    struct pictures *source;
    int ended; /* it has no more */
    int any;   /* it had one */
    struct features features;
    const char *answer; /* logits, or where the model has no classes features */
    int64_t batch, k;   /* pictures; numbers of an answer */
    int classes;        /* it is logits */
    struct round round[2];
    struct progress progress;
    int64_t done, total; /* pictures; 0: nobody knows how many */
    float *score;        /* [k] */
    int64_t *best;       /* [top] */
};

/* ---- one row ---- */

static void print_cell(const char *text)
{
    struct str s = {0};

    quote_cell(&s, text);
    fputs(str_text(&s), stdout);
    str_release(&s);
}

static void print_text(const struct job *j, const struct picture *p)
{
    char name[MODEL_CLASS], num[FMT_NUM];

    print_cell(p->name);
    for (int64_t i = 0; i < top; i++) {
        if (p->err.code) {
            fputs("\t\t", stdout);
            continue;
        }
        putchar('\t');
        print_cell(model_class_name(j->m, j->best[i], name));
        printf("\t%s", fmt_f32(num, j->score[j->best[i]]));
    }
    putchar('\t');
    print_cell(p->err.code ? p->err.msg : "");
    putchar('\n');
}

/* A name that is not UTF-8 becomes text that a file may be called, too: its
 * bytes stand beside it.  */
static void put_path(struct str *s, const char *name)
{
    str_add(s, "{\"path\":");
    quote_json(s, name);
    if (str_utf8(name, strlen(name)))
        return;
    str_add(s, ",\"path_hex\":\"");
    for (; *name; name++)
        str_printf(s, "%02x", (unsigned char)*name);
    str_addc(s, '"');
}

static void print_json(const struct job *j, const struct picture *p)
{
    char name[MODEL_CLASS], num[FMT_NUM];
    struct str s = {0};

    put_path(&s, p->name);
    if (p->err.code) {
        str_add(&s, ",\"error\":");
        quote_json(&s, p->err.msg);
    }
    str_add(&s, ",\"top\":[");
    for (int64_t i = 0; i < top && !p->err.code; i++) {
        str_add(&s, i ? ",{\"label\":" : "{\"label\":");
        quote_json(&s, model_class_name(j->m, j->best[i], name));
        str_printf(&s, ",\"class\":%lld,\"score\":%s}", (long long)j->best[i],
                   fmt_f32(num, j->score[j->best[i]]));
    }
    str_add(&s, "]}");
    puts(str_text(&s));
    str_release(&s);
}

static void print_vector_text(const struct job *j, const struct picture *p,
                              const float *row)
{
    char num[FMT_NUM];

    print_cell(p->name);
    putchar('\t');
    for (int64_t i = 0; i < j->k && !p->err.code; i++)
        printf("%s%s", i ? " " : "", fmt_f32(num, row[i]));
    putchar('\t');
    print_cell(p->err.code ? p->err.msg : "");
    putchar('\n');
}

static void print_vector_json(const struct job *j, const struct picture *p,
                              const float *row)
{
    char num[FMT_NUM];
    struct str s = {0};

    put_path(&s, p->name);
    if (p->err.code) {
        str_add(&s, ",\"error\":");
        quote_json(&s, p->err.msg);
    }
    str_add(&s, ",\"features\":[");
    for (int64_t i = 0; i < j->k && !p->err.code; i++)
        str_printf(&s, "%s%s", i ? "," : "", fmt_f32(num, row[i]));
    str_add(&s, "]}");
    puts(str_text(&s));
    str_release(&s);
}

static void print_vector(const struct job *j, const struct picture *p,
                         const float *row)
{
    (json ? print_vector_json : print_vector_text)(j, p, row);
}

static int all_finite(const float *row, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        if (!isfinite(row[i]))
            return 0;
    return 1;
}

/* The best classes of ROW, which must be found.  */
static int rate(struct job *j, const float *row)
{
    top_softmax(row, j->k, j->score);
    top_find(row, j->k, top, j->best);
    return isfinite(j->score[j->best[0]]);
}

/* 0 for a picture that failed.  */
static int print_row(struct job *j, struct picture *p, const float *row)
{
    if (!p->err.code && !(j->classes ? rate(j, row) : all_finite(row, j->k)))
        err_set(&p->err, ERR_NONFINITE,
                "the outputs of the model are not finite");
    if (!j->classes)
        print_vector(j, p, row);
    else
        (json ? print_json : print_text)(j, p);
    if (!p->err.code)
        return 1;
    if (p->data) /* else it says what could not be read */
        err_in(&p->err, "'%s'", Q(p->name));
    cli_fail(&p->err);
    return 0;
}

/* ---- a batch ---- */

/* A picture into place I of the input, or of what is sent to be prepared.  */
static int put(struct job *j, int64_t i, struct image *im, struct err *e)
{
    const struct tensor *x = plan_value(j->plan, "image");

    if (j->stage)
        return stage_put(j->stage, i, im, NULL, e);
    return loader_prepare(&j->pre, im,
                          (float *)x->data + i * tensor_count(x) / j->batch, e);
}

static void decode(void *ctx, int64_t i, int thread)
{
    const struct round *r = ctx;
    struct job *j = r->j;
    struct picture *p = &r->pic[i];
    const struct codec_opts o = {.exif = j->pre.exif};
    struct image im = {0};

    (void)thread;
    if (!p->err.code && codec_decode(&im, p->data, p->n, &o, &p->err) == 0)
        put(j, i, &im, &p->err);
    if (j->stage && p->err.code)
        stage_same(j->stage, i, -1);
    image_release(&im);
}

/* The next batch, none behind the last, into its place or what is sent.  Where
 * the list of paths pauses it is not full: who waits for rows is not to wait
 * for the next pictures too.  */
static void read_round(void *ctx)
{
    enum { PAUSE_MS = 100 };
    struct round *r = ctx;
    struct job *j = r->j;
    int more = !j->ended;

    for (r->n = 0; r->n < j->batch && more > 0 &&
                   (!r->n || pictures_wait(j->source, PAUSE_MS));
         r->n += more > 0)
        more = pictures_next(j->source, &r->pic[r->n], &r->err);
    j->ended = more <= 0;
    if (more < 0 || !r->n)
        return;
    pool_run(cli_pool(), r->n, decode, r);
    if (!j->stage)
        return;
    for (int64_t i = r->n; i < j->batch; i++)
        stage_same(j->stage, i, -1);
    stage_send(j->stage, cli_pool(), &r->err);
}

/* The rows of R; where the device prepares pictures, NEXT is read the while by
 * the thread *AHEAD.  */
static int run_round(struct job *j, struct round *r, struct round *next,
                     struct thread **ahead, struct err *e)
{
    const float *rows = plan_output(j->plan, j->answer)->data;

    if (j->stage) {
        if (stage_prepare(j->stage, j->batch, plan_feed(j->plan, "image")->data,
                          e) < 0)
            return -1;
        *ahead = thread_start(read_round, next);
    }
    if (plan_run(j->plan, NULL, e) < 0)
        return -1;
    j->any = 1;
    for (int64_t i = 0; i < r->n; i++) {
        if (print_row(j, &r->pic[i], rows + i * j->k) &&
            features_add(&j->features, j->plan, i, r->pic[i].name, e) < 0)
            return -1;
        picture_release(&r->pic[i]);
        j->done++;
        if (!isatty(1)) /* where rows show it already */
            progress_show(&j->progress, j->done, NULL);
    }
    cli_flush();
    return 0;
}

static int run_all(struct job *j, struct err *e)
{
    struct thread *ahead = NULL;
    int at = 0, bad = 0;

    for (struct round *r = j->round; !bad; at = !at, r = &j->round[at]) {
        if (ahead)
            thread_join(ahead);
        else
            read_round(r);
        ahead = NULL;
        if (r->err.code)
            bad = err_set(e, r->err.code, "%s", r->err.msg);
        else if (!r->n)
            return 0;
        else
            bad = run_round(j, r, &j->round[!at], &ahead, e);
    }
    thread_join(ahead);
    return -1;
}

static void print_head(const struct job *j)
{
    fputs("# path", stdout);
    for (int64_t i = 0; i < top && j->classes; i++)
        fputs("\tlabel\tscore", stdout);
    fputs(j->classes ? "\terror\n" : "\tfeatures\terror\n", stdout);
    cli_flush();
}

static int run(struct job *j, struct err *e)
{
    int bad;

    if (!json)
        print_head(j);
    progress_start(&j->progress, "infer", "pictures", j->total);
    bad = run_all(j, e);
    progress_end(&j->progress);
    if (bad < 0)
        return -1;
    if (features)
        return features_save(&j->features, j->g, e);
    if (!j->any) /* no failure: find may have found none */
        cli_note("standard input holds no picture: did the command before it "
                 "find none?");
    return 0;
}

/* ---- opening ---- */

static int read_batch(int paths, int64_t *n, struct err *e)
{
    if (!strcmp(batch_text, "auto")) {
        *n = paths == 1 ? 1 : 8;
        return 0;
    }
    return parse_i64(batch_text, 1, 1000000, n) < 0
               ? err_set(e, ERR_USAGE,
                         "option '-b' needs a whole number from 1 to 1000000, "
                         "or auto, not '%s'",
                         Q(batch_text))
               : 0;
}

/* The graph to run, with the outputs that are asked for.  */
static struct graph *asked(struct job *j, struct err *e)
{
    struct graph *g =
        features ? features_graph(&j->features, j->m->graph, features, e)
                 : pass_simplify(j->m->graph, e);

    if (g && features && features_open(&j->features, output, e) < 0) {
        graph_free(g);
        return NULL;
    }
    return g;
}

static void set_answer(struct job *j)
{
    j->answer = graph_answer(j->m->graph);
    j->k = shape_count(&graph_output_value(j->g, j->answer)->shape);
    j->classes = model_head(j->m) > 0;
}

/* -n, which is for classes.  */
static int set_top(const struct job *j, struct err *e)
{
    if (top > 0 && !j->classes)
        return err_set(e, ERR_USAGE,
                       "-n counts classes, of which the model has none: it "
                       "gives features");
    top = top < 0 ? 1 : top < j->k ? top : j->k;
    return 0;
}

static int check_options(const char *const *paths, int n, struct err *e)
{
    const struct cli_input inputs[] = {{model_path, "the model"},
                                       {n ? NULL : "-", "the pictures"},
                                       {plan_path, "the plan"},
                                       {0}};

    if (!model_path)
        return err_set(e, ERR_USAGE, "no model: give it with -m");
    if (cli_stdin_once(inputs, e) < 0)
        return -1;
    if (features && (!output || !strcmp(output, "-")))
        return err_set(e, ERR_USAGE,
                       "--features wants a file for the values: -O FILE");
    if (output && !features)
        return err_set(e, ERR_USAGE, "-O is for the values of --features");
    if (cli_not_input(inputs, output, "-O", e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        const struct cli_input one[] = {{paths[i], "the picture"}, {0}};

        if (cli_not_input(one, output, "-O", e) < 0)
            return -1;
    }
    return io_check_file(output, e);
}

static int open_all(struct job *j, const char *const *paths, int n,
                    struct err *e)
{
    struct planfile plan;
    int narrow;

    if (check_options(paths, n, e) < 0)
        return -1;
    if (read_batch(n, &j->batch, e) < 0 || io_plan(&plan, plan_path, e) < 0 ||
        (!n && cli_streams("-", "", e) < 0))
        return -1;
    j->m = io_trained_model(model_path, e);
    j->g = j->m ? asked(j, e) : NULL;
    j->dev = j->g ? io_device(device_name, e) : NULL;
    j->params = j->dev ? params_share(j->g, j->dev, e) : NULL;
    if (!j->params)
        return -1;
    narrow = io_narrow(precision, j->g, j->dev, e);
    j->plan = narrow < 0 ? NULL
                         : plan_new(j->g, j->dev, j->params,
                                    &(struct plan_opts){.batch = j->batch,
                                                        .pool = cli_pool(),
                                                        .narrow = narrow,
                                                        .tuning = &plan.tuning},
                                    e);
    if (!j->plan)
        return -1;
    io_detail_plan(j->plan);
    j->pre = j->m->pre;
    if (features && model_fingerprint(j->m, j->features.model, e) < 0)
        return -1;
    if (io_prepare(prepare, j->dev) &&
        !(j->stage = stage_new(j->dev, &j->pre, j->batch, e)))
        return -1;
    set_answer(j);
    j->total = n;
    if (set_top(j, e) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        j->round[i] = (struct round){
            .j = j, .pic = xcalloc((size_t)j->batch, sizeof *j->round[i].pic)};
    j->score = xcalloc((size_t)j->k, sizeof *j->score);
    j->best = xcalloc((size_t)top, sizeof *j->best);
    j->source = pictures_open(paths, n, zero ? 0 : '\n', e);
    return j->source ? 0 : -1;
}

static void release(struct job *j)
{
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; j->round[k].pic && i < j->batch; i++)
            picture_release(&j->round[k].pic[i]);
    pictures_close(j->source);
    stage_free(j->stage);
    free(j->round[0].pic);
    free(j->round[1].pic);
    free(j->score);
    free(j->best);
    features_release(&j->features);
    plan_free(j->plan);
    params_free(j->params);
    io_device_free(j->dev);
    graph_free(j->g);
    model_free(j->m);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct job j = {0};
    const int rest = cli_start(&cmd, argc, argv);

    if (!open_all(&j, (const char *const *)argv + rest, argc - rest, &e))
        run(&j, &e);
    release(&j);
    return cli_end(&cmd, &e);
}
