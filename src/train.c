/* train.c -- adze-train: model + data + recipe -> model.
 * SPDX-License-Identifier: MIT  */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/temp.h"
#include "cli/common.h"
#include "cli/confusion.h"
#include "cli/io.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/rows.h"
#include "data/dataset.h"
#include "format/model.h"
#include "format/planfile.h"
#include "pass/pass.h"
#include "train/loop.h"
#include "train/metric.h"
#include "train/mix.h"
#include "train/recipe.h"
#include "train/rundir.h"

static const char *model_path, *data, *eval, *recipe_name, *output, *run_dir,
    *plan_path;
static const char *device_name = "cpu";
static struct opt_list overrides;
static int64_t seed = -1, max_steps;
static int resume, print_config, prepare;
static volatile sig_atomic_t stop, save;

static const struct opt options[] = {
    OPT_CONFIG(&recipe_name),
    OPT_DATA(&data),
    OPT_DEVICE(&device_name),
    OPT_EVAL(&eval),
    OPT_MODEL(&model_path),
    {'n', "count", OPT_INT, &max_steps, "N", "stop after N steps in all",
     .min = 1, .max = 1e12},
    OPT_SET(&overrides),
    OPT_OUTPUT(&output),
    OPT_PLAN(&plan_path),
    OPT_PREPARE(&prepare),
    {0, "print-config", OPT_FLAG, &print_config, NULL,
     "print the resolved recipe and end"},
    OPT_RUN(&run_dir),
    {0, "resume", OPT_FLAG, &resume, NULL,
     "go on from the run folder's last checkpoint"},
    {'s', "seed", OPT_INT, &seed, "N", "same as -o global.seed=N", .min = 0,
     .max = 9e15},
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-init resnet20 -o classes=10 | adze-train -d cifar -O model.st",
    "adze-train -c recipe.yaml -d cifar -R run --resume -O model.st", NULL};

static const struct command cmd = {
    .name = "train",
    .brief = "train a model",
    .usage = "-d DATA [-c RECIPE] [-o KEY=VALUE ...] [-m FILE] [-O FILE] "
             "[-e DATA] [-R DIR [--resume]] [--plan=FILE]",
    .options = options,
    .examples = examples,
    .key = recipe_nearest,
};

static void on_signal(int sig)
{
    if (sig == SIGUSR1) {
        save = 1;
        return;
    }
    /* Only of INT the second one ends at once: batch systems send TERM more
     * than once.  */
    if (stop && sig == SIGINT) {
        temp_cleanup_signal();
        signal(sig, SIG_DFL);
        raise(sig);
    }
    stop = 1;
}

/* A signal that the parent ignores (nohup) stays ignored.  */
static void catch (const int *sigs, size_t n)
{
    const struct sigaction sa = {.sa_handler = on_signal,
                                 .sa_flags = SA_RESTART};
    struct sigaction was;

    for (size_t i = 0; i < n; i++)
        if (sigaction(sigs[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            sigaction(sigs[i], &sa, NULL);
}

/* From the start: a reader of messages that goes away ends no run.  */
static void catch_first(void)
{
    static const int sigs[] = {SIGUSR1};

    signal(SIGPIPE, SIG_IGN);
    catch (sigs, COUNT(sigs));
}

/* While there is something to save.  */
static void catch_ends(void)
{
    static const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};

    catch (sigs, COUNT(sigs));
}

static const char *percent(char buf[16], double share)
{
    snprintf(buf, 16, isnan(share) ? "-" : "%.2f%%", 100 * share);
    return buf;
}

/* A line of run_dir/log.txt.  */
static void append_log(const char *line, struct err *e)
{
    struct str path = {0};
    FILE *f;

    str_printf(&path, "%s/log.txt", run_dir);
    f = fopen(str_text(&path), "a");
    if (f)
        fprintf(f, "%s\n", line);
    if (!f || ferror(f) | fclose(f))
        err_set(e, ERR_OUTPUT, "cannot write '%s': %s", Q(str_text(&path)),
                strerror(errno));
    str_release(&path);
}

/* What is told while a run goes on.  */
struct watch {
    struct progress progress;
    const struct recipe *recipe;
    const struct model *model; /* for the names of its classes */
    struct str figure;         /* of the last evaluation, for the page */
};

/* The page is written behind each epoch: with more classes it would take long
 * to draw, and say little.  */
static void on_evaluated(void *ctx, int64_t epoch, const struct metric *m)
{
    enum { CLASSES = 100 };
    struct watch *w = ctx;
    struct str title = {0};
    struct confusion c = {.k = m->k, .count = m->confusion};

    str_clear(&w->figure);
    if (!run_dir || m->k > CLASSES)
        return;
    str_printf(&title, "Confusion of the evaluation of epoch %lld",
               (long long)epoch);
    c.title = str_text(&title);
    if (w->model->n_classes == m->k)
        c.name = (const char *const *)w->model->classes;
    confusion_svg(&w->figure, &c);
    str_release(&title);
}

/* A page or log that cannot be written ends no run; it is told, and counts
 * for the exit status.  */
static void on_epoch(void *ctx, const struct train_row *row, int64_t n)
{
    const struct watch *w = ctx;
    const struct train_row *r = &row[n - 1];
    struct err e = {0};
    struct str line = {0};
    char a[16], b[16];

    if (run_dir && report_training(run_dir, "adze-train", row, n,
                                   str_text(&w->figure), &e) < 0)
        cli_fail(&e);
    str_printf(&line,
               "epoch %lld: lr %.4g, loss %.4f, top1 %s%s, valid top1 %s, "
               "%.1f s (%.1f s waiting for data)",
               (long long)r->epoch, r->lr, r->loss, percent(a, r->top1),
               mix_is_on(w->recipe) ? " of mixed pictures" : "",
               percent(b, r->valid_top1), r->seconds, r->data_seconds);
    if (r->loss_scale > 1 || r->overflows)
        str_printf(&line, ", loss scale %.6g", r->loss_scale);
    if (r->overflows)
        str_printf(&line, ", %lld overflow%s", (long long)r->overflows,
                   r->overflows == 1 ? "" : "s");
    if (r->bad)
        str_printf(&line, ", %lld picture%s skipped", (long long)r->bad,
                   r->bad == 1 ? "" : "s");
    cli_note("%s", str_text(&line));
    if (run_dir)
        append_log(str_text(&line), &e);
    cli_fail(&e);
    str_release(&line);
}

static void on_bad(void *ctx, const char *reason)
{
    enum { NAMED = 20 };
    static int n;

    (void)ctx;
    if (n < NAMED)
        cli_note("skipped: %s", reason);
    else if (n == NAMED)
        cli_note("skipped: more, which are not named%s",
                 run_dir ? " here but in bad.jsonl" : "");
    n++;
}

static void on_resume(void *ctx, int64_t step, int64_t steps)
{
    (void)ctx;
    cli_note("going on from step %lld of %lld", (long long)step,
             (long long)steps);
}

static void on_plan(void *ctx, const struct plan *p)
{
    (void)ctx;
    io_detail_plan(p);
}

static void on_step(void *ctx, int64_t step, int64_t steps, double loss,
                    double waiting)
{
    struct progress *p = &((struct watch *)ctx)->progress;
    char extra[64];

    if (!p->total) /* the first: steps before it were another process's */
        p->from = step - 1;
    p->total = steps;
    snprintf(extra, sizeof extra, "loss %.4f, %.0f %% waiting for data", loss,
             100 * waiting);
    progress_show(p, step, extra);
}

/* A class list that the model does not have yet comes from the data.  */
static void name_classes(struct model *m, const struct dataset *d)
{
    int n;
    const char *const *names = dataset_classes(d, &n);

    if (!m->n_classes && n)
        model_set_classes(m, names, n);
}

static void note_head(const struct model *m, const struct dataset *d)
{
    const int64_t head = model_head(m), need = dataset_labels(d);

    if (head > need)
        cli_note("the head has %lld classes, the largest label of the data is "
                 "%lld: none from %lld on is ever seen",
                 (long long)head, (long long)need - 1, (long long)need);
    io_note_missing(d);
}

/* Steps of the policy that the device leaves to the CPU.  */
static void detail_here(const struct augment *a)
{
    const int n = augment_here(a);

    if (n)
        cli_detail("... but the first %d of %d augmentations, up to '%s', on "
                   "the cpu",
                   n, a->n, a->step[n - 1].op->name);
}

/* Which model it is that is written.  */
static void note_best(const struct train_best *b)
{
    char top1[16];

    if (b->epoch)
        cli_note("writing the best model, of epoch %lld: valid top1 %s",
                 (long long)b->epoch, percent(top1, b->top1));
    else
        cli_note("writing the last model");
}

static int with_data(struct model *m, struct model *from, struct recipe *r,
                     const struct planfile *plan, const char *train_spec,
                     const char *valid_spec, struct err *e)
{
    struct dataset_opts o = {(const char *const *)m->classes, m->n_classes, 0};
    struct watch w = {.recipe = r, .model = m};
    struct train_opts t = {.recipe = r,
                           .plan = plan,
                           .run_dir = run_dir,
                           .from = from,
                           .stop = &stop,
                           .save = &save,
                           .on_epoch = on_epoch,
                           .on_evaluated = on_evaluated,
                           .on_bad = on_bad,
                           .on_resume = on_resume,
                           .on_step = on_step,
                           .on_plan = on_plan,
                           .ctx = &w,
                           .max_steps = max_steps};
    struct device *d = io_device(device_name, e);
    struct dataset *train = d ? dataset_open(train_spec, &o, e) : NULL,
                   *valid = NULL;
    struct train_best best;
    int bad = !train || io_narrow(r->precision, m->graph, d, e) < 0;

    if (!bad) {
        name_classes(m, train);
        if (from)
            name_classes(from, train);
        note_head(m, train);
        o.classes = (const char *const *)m->classes;
        o.n_classes = m->n_classes;
        valid = valid_spec ? dataset_open(valid_spec, &o, e) : NULL;
        bad = valid_spec && !valid;
    }
    if (!bad) {
        t.train = train;
        t.valid = valid;
        t.device = d;
        t.pool = cli_pool();
        t.prepare = io_prepare(prepare, d);
        if (t.prepare)
            detail_here(&r->augment);
        if (run_dir)
            catch_ends();
        progress_start(&w.progress, "train", "steps", 0);
        bad = train_run(m, &t, &best, e) < 0;
        progress_end(&w.progress);
    }
    if (!bad) {
        note_best(&best);
        bad = io_write_model(m, output, e) < 0;
    }
    str_release(&w.figure);
    io_device_free(d);
    dataset_free(train);
    dataset_free(valid);
    return bad ? -1 : 0;
}

/* Passes that leave a network that is meant to be used, not trained.  */
static void note_folded(const struct model *m)
{
    static const char *const passes[] = {"fuse-bn", "reparam"};

    if (pass_quantized(m->graph))
        return; /* it is refused */
    for (size_t i = 0; i < COUNT(passes); i++)
        if (model_history_has(m->history, passes[i]))
            cli_note("adze-%s has folded layers of this model, which trains "
                     "worse: better begin with the model that it was made of",
                     passes[i]);
}

/* The model to begin with; of a checkpoint what inference would use.  */
static struct model *first_model(struct err *e)
{
    struct model *m = io_model(model_path, e);

    if (m && !strcmp(m->kind, "checkpoint")) {
        cli_note("training begins anew with the weights of a checkpoint; to "
                 "go on with its run use --resume");
        model_drop_state(m);
    }
    if (m)
        note_folded(m);
    return m;
}

/* The checkpoint to go on from, malloc'ed: last.st, else the newest of those
 * that are kept, which holds the same; NULL where none is.  */
static char *last_checkpoint(void)
{
    struct str last = {0};
    char *newest;

    if (!run_dir)
        return NULL;
    str_printf(&last, "%s/last.st", run_dir);
    if (access(str_text(&last), F_OK) == 0)
        return str_take(&last);
    newest = rundir_newest(run_dir, NULL);
    if (resume && newest)
        cli_note("no '%s': going on from '%s'", Q(str_text(&last)), Q(newest));
    else if (resume)
        cli_note("no checkpoint '%s' yet: beginning", Q(str_text(&last)));
    str_release(&last);
    return newest;
}

/* The checkpoint PATH; of a damaged one, say what can be done.  */
static struct model *read_checkpoint(const char *path, struct err *e)
{
    struct model *m = model_read(path, e);
    char *next = m ? NULL : rundir_newest(run_dir, path);
    const struct err why = *e;

    if (!m) {
        *e = (struct err){0};
        err_set(e, why.code, "%s; remove the file to %s%s%s%s", why.msg,
                next ? "go on from " : "begin anew", next ? "'" : "",
                next ? Q(next) : "", next ? "'" : "");
    }
    free(next);
    return m;
}

/* The model to train: the checkpoint LAST of a run to resume, with *FROM the
 * model that the run should have begun with, if one is named; else the model
 * to begin with.  */
static struct model *open_model(const char *last, struct model **from,
                                struct err *e)
{
    *from = NULL;
    if (!last)
        return first_model(e);
    if (!resume) {
        err_set(e, ERR_USAGE,
                "run folder '%s' holds a run: go on with --resume or name "
                "another folder",
                Q(run_dir));
        return NULL;
    }
    if (model_path && strcmp(model_path, "-") != 0 &&
        !(*from = io_model(model_path, e)))
        return NULL;
    return read_checkpoint(last, e);
}

/* That a run which begins, or goes on, in the folder -R writes over nothing of
 * the user's.  */
static int check_folder(const struct recipe *r, const char *last, struct err *e)
{
    struct str text = {0};
    int bad;

    if (!run_dir)
        return 0;
    recipe_print(&text, r);
    bad = rundir_check_recipe(run_dir, recipe_name, str_text(&text), e) < 0 ||
          (!last && !resume && rundir_check(run_dir, e) < 0);
    str_release(&text);
    return bad ? -1 : 0;
}

/* The folder that holds PATH, or "."; false if there is none.  */
static int stat_parent(const char *path, struct stat *st)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == path ? xstrdup("/")
                   : slash       ? xstrndup(path, (size_t)(slash - path))
                                 : xstrdup(".");
    const int there = stat(parent, st) == 0;

    free(parent);
    return there;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* That -O is no folder once that of -R is made, of which parts may not be
 * there yet.  */
static int check_apart(struct err *e)
{
    const size_t n = run_dir && output ? strlen(run_dir) : 0;
    char *made = n ? xstrdup(run_dir) : NULL;
    struct stat a, b;
    int bad = 0;

    for (size_t i = n; i > 0 && !bad; i--) {
        if (i < n && made[i] != '/')
            continue;
        made[i] = 0; /* from the whole name to its first part */
        bad = stat_parent(made, &a) && stat_parent(output, &b) &&
              a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
              !strcmp(base_name(made), base_name(output));
    }
    free(made);
    if (!bad)
        return 0;
    return err_set(e, ERR_USAGE,
                   "-O '%s' is the run folder of -R, or holds it: name another "
                   "file",
                   Q(output));
}

/* Of a run that goes on from LAST the model is not read from a pipe.  */
static int check_inputs(const char *last, struct err *e)
{
    const struct cli_input inputs[] = {{last         ? NULL
                                        : model_path ? model_path
                                                     : "-",
                                        "the model"},
                                       {data, "the data"},
                                       {eval, "the data for evaluation"},
                                       {recipe_name, "the recipe"},
                                       {plan_path, "the plan"},
                                       {0}};

    return cli_stdin_once(inputs, e) < 0
               ? -1
               : cli_not_input(inputs + 1, output, "-O", e); /* but the model */
}

static int train(struct recipe *r, struct err *e)
{
    char *train_spec = NULL, *valid_spec = NULL, *last;
    struct model *m, *from = NULL;
    struct planfile plan;
    int bad;

    if (!data)
        return err_set(e, ERR_USAGE, "no data: give it with -d");
    if (resume && !run_dir)
        return err_set(e, ERR_USAGE, "--resume needs the run folder: -R DIR");
    if (io_plan(&plan, plan_path, e) < 0 || io_check_output(output, e) < 0 ||
        check_apart(e) < 0)
        return -1;
    if (run_dir && rundir_idle(run_dir, e) < 0)
        return -1;
    dataset_split_dir(data, &train_spec, &valid_spec);
    last = last_checkpoint();
    m = check_inputs(last, e) < 0 || check_folder(r, last, e) < 0
            ? NULL
            : open_model(last, &from, e);
    bad = !m || with_data(m, from, r, &plan, train_spec ? train_spec : data,
                          eval ? eval : valid_spec, e) < 0;
    model_free(from);
    model_free(m);
    free(last);
    free(train_spec);
    free(valid_spec);
    return bad ? -1 : 0;
}

static void add_seed(struct arena *a)
{
    if (seed < 0)
        return;
    if (overrides.n + 2 > overrides.cap)
        overrides.item = xrealloc(overrides.item, (size_t)overrides.n + 2,
                                  sizeof *overrides.item);
    overrides.item[overrides.n++] =
        arena_printf(a, "global.seed=%lld", (long long)seed);
    overrides.item[overrides.n] = NULL;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct recipe r;
    struct arena a = {0};
    struct str text = {0};

    cli_start(&cmd, argc, argv);
    catch_first();
    add_seed(&a);
    if (!recipe_read(&r, recipe_name, overrides.n ? overrides.item : NULL,
                     &e)) {
        if (print_config) {
            recipe_print(&text, &r);
            fputs(str_text(&text), stdout);
        } else {
            train(&r, &e);
        }
        recipe_release(&r);
    }
    str_release(&text);
    arena_release(&a);
    return cli_end(&cmd, &e);
}
