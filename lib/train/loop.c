/* loop.c -- see loop.h.
 * SPDX-License-Identifier: MIT  */
#include "train/loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/str.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/top.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/graph.h"
#include "train/metric.h"
#include "train/mix.h"
#include "train/optim.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/trainer.h"

/* ---- building ---- */

static const struct tuning *tuning_of(const struct trainer *t)
{
    return t->o->plan ? &t->o->plan->tuning : NULL;
}

static struct evaluator *make_evaluator(const struct trainer *t, struct err *e)
{
    const struct evaluate_opts eo = {
        .pre = t->m->pre,
        .batch = t->r->valid_batch,
        .pool = t->o->pool,
        .tuning = tuning_of(t),
        .prepare = t->o->prepare,
        .skip_bad = t->r->valid_bad == BAD_SKIP,
        .on_bad = t->o->on_bad,
        .ctx = t->o->ctx,
    };

    return evaluator_new(t->eval, t->o->device, t->params, t->o->valid, &eo, e);
}

/* Where pictures are prepared; NULL: by the CPU.  */
static const struct device *preparer(const struct trainer *t)
{
    return t->o->prepare && t->o->device->preparing ? t->o->device : NULL;
}

static int check_labels(const struct trainer *t, const struct dataset *d,
                        struct err *e)
{
    const int64_t head = model_head(t->m), need = dataset_labels(d);

    if (need <= head)
        return 0;
    return err_set(
        e, ERR_SHAPE,
        "the data has labels up to %lld, the network's head %lld "
        "classes: make it with adze-init -o classes=%lld, of a model with "
        "--head=new too",
        (long long)need - 1, (long long)head, (long long)need);
}

static int build_plans(struct trainer *t, struct err *e)
{
    const int64_t rest = t->feed.sampler.n % t->feed.sampler.batch;
    struct plan_opts po = {.batch = t->r->batch,
                           .pool = t->o->pool,
                           .narrow = t->r->precision,
                           .tuning = tuning_of(t)};

    t->plan = train_plan(t->graph, t->o->device, t->params, &po, e);
    if (!t->plan)
        return -1;
    if (t->o->on_plan)
        t->o->on_plan(t->o->ctx, t->plan);
    if (!t->r->last || rest < 2)
        return 0;
    po.batch = rest;
    t->tail = train_plan(t->graph, t->o->device, t->params, &po, e);
    return t->tail ? 0 : -1;
}

static int build(struct trainer *t, struct err *e)
{
    const struct feed_opts fo = {.pre = t->m->pre,
                                 .on_bad = t->o->on_bad,
                                 .ctx = t->o->ctx,
                                 .device = preparer(t)};

    if (check_labels(t, t->o->train, e) < 0 ||
        (t->o->valid && check_labels(t, t->o->valid, e) < 0) ||
        feed_open(&t->feed, t->o->train, &fo, t->r, e) < 0)
        return -1;
    t->graph = train_graph(t->m->graph, t->r, e);
    t->eval = t->graph ? pass_simplify(t->m->graph, e) : NULL;
    if (t->eval)
        optim_read_averages(t->eval, t->graph);
    t->params = t->eval ? params_new(t->graph, t->o->device, e) : NULL;
    if (!t->params || params_add(t->params, t->eval, e) < 0 ||
        build_plans(t, e) < 0)
        return -1;
    t->target = xcalloc((size_t)t->r->batch, sizeof *t->target);
    t->evaluator = t->o->valid ? make_evaluator(t, e) : NULL;
    return t->o->valid && !t->evaluator ? -1 : 0;
}

static void release(struct trainer *t)
{
    rundir_close(&t->dir);
    evaluator_free(t->evaluator);
    feed_close(&t->feed);
    plan_free(t->tail);
    plan_free(t->plan);
    params_free(t->params);
    graph_free(t->eval);
    graph_free(t->graph);
    graph_free(t->best_graph);
    free(t->target);
    free(t->row);
}

/* ---- a step ---- */

/* Run the same step again and keep everything: which value is first?  */
static void name_nonfinite(struct trainer *t, struct plan *ran,
                           const struct run_step *rs, struct str *s)
{
    struct plan_opts po = {
        .batch = ran == t->plan ? t->r->batch : t->feed.sampler.n % t->r->batch,
        .pool = t->o->pool,
        .keep_values = 1};
    struct err e = {0};
    struct plan *p = plan_new(t->graph, t->o->device, t->params, &po, &e);

    for (int i = 0; p && i < t->graph->n_value; i++) {
        const struct value *v = t->graph->value[i];

        if (v->kind == VALUE_INPUT && plan_fetch(ran, v->name, &e) == 0)
            memcpy(plan_value(p, v->name)->data, plan_value(ran, v->name)->data,
                   tensor_bytes(plan_value(p, v->name)));
    }
    if (p)
        plan_run(p, rs, &e);
    for (int i = 0; p && i < t->graph->n_node; i++) {
        const struct node *n = t->graph->node[i];

        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] && n->dir != DIR_UPDATE &&
                !tensor_finite(plan_value(p, n->out[k]->name))) {
                str_printf(s, "; the first such value is '%s' (%s)",
                           n->out[k]->name, n->op->name);
                plan_free(p);
                return;
            }
    }
    if (p && t->r->precision != PRECISION_FP32)
        str_printf(s, "; in fp32 all values of this step are finite");
    plan_free(p);
}

static int nonfinite(struct trainer *t, struct plan *p,
                     const struct run_step *rs, const struct train_result *r,
                     double lr, struct err *e)
{
    struct str where = {0};
    char a[FMT_NUM], b[FMT_NUM];

    name_nonfinite(t, p, rs, &where);
    err_set(e, ERR_NONFINITE,
            "step %lld: loss %s, gradient norm %s at learning rate %g%s%s",
            (long long)t->step, fmt_f32(a, (float)r->loss),
            fmt_f32(b, (float)r->norm), lr, str_text(&where),
            checkpoint_kept(t));
    str_release(&where);
    return -1;
}

/* The step at which the run ends.  */
static int64_t last_step(const struct trainer *t)
{
    const int64_t all = t->feed.steps * t->r->epochs;

    return t->o->max_steps && t->o->max_steps < all ? t->o->max_steps : all;
}

static void count_right(struct trainer *t, struct plan *p, int64_t count)
{
    const struct tensor *y = plan_output(p, "logits");
    const int64_t k = y->shape.dim[1];
    const float *row = y->data;

    for (int64_t i = 0; i < count; i++, row += k) {
        int64_t best;

        top_find(row, k, 1, &best);
        t->right += best == mix_class(p, t->target, i);
    }
}

/* Where batches of P are filled.  */
static float *image_of(const struct trainer *t, struct plan *p)
{
    return (preparer(t) ? plan_feed : plan_value)(p, "image")->data;
}

static struct plan *load(struct trainer *t, int64_t *count, struct err *e)
{
    const int64_t epoch = t->step / t->feed.steps,
                  step = t->step % t->feed.steps;
    const int full = t->feed.sampler.n - step * t->r->batch >= t->r->batch;
    struct plan *p = full ? t->plan : t->tail;
    const double start = clock_now();

    if (loader_batch(t->feed.loader, epoch, step, image_of(t, p), t->target,
                     count, t->o->pool, e) < 0)
        return NULL;
    memcpy(plan_value(p, "target")->data, t->target,
           (size_t)*count * sizeof *t->target);
    mix_draw(t->r, t->step, t->feed.steps, p);
    t->data_seconds += clock_now() - start;
    return p;
}

/* The next batch while this one is computed; but evaluation, and whatever else
 * comes behind an epoch, has the threads.  */
static void load_ahead(struct trainer *t)
{
    const int64_t next = t->step + 1;

    if (next % t->feed.steps && next < last_step(t))
        loader_ahead(t->feed.loader, next / t->feed.steps, next % t->feed.steps,
                     t->o->pool);
}

/* A step whose gradients overflow is computed again, with a smaller factor on
 * the loss while there is one: what it reads is all still there.  */
static int compute(struct trainer *t, struct plan *p, const struct run_step *rs,
                   struct train_rates rates, struct train_result *r,
                   struct err *e)
{
    int bad;

    do {
        rates.scale = t->scale.value;
        bad = train_step(p, rs, rates, r, e);
    } while (bad > 0 && isfinite(r->loss) && lossscale_halve(&t->scale));
    if (!bad)
        lossscale_good(&t->scale);
    return bad;
}

static int step(struct trainer *t, struct err *e)
{
    const struct run_step rs = {(uint64_t)t->r->seed, (uint64_t)t->step};
    const struct train_rates rates = {
        .lr = schedule_lr(t->r, t->step, t->feed.steps),
        .ema = schedule_ema(t->r, t->step)};
    int64_t count;
    struct plan *p = load(t, &count, e);
    struct train_result r;
    int bad;

    if (!p)
        return -1;
    load_ahead(t);
    bad = compute(t, p, &rs, rates, &r, e);
    if (bad)
        return bad < 0 ? -1 : nonfinite(t, p, &rs, &r, rates.lr, e);
    t->step++;
    t->loss += r.loss * (double)count;
    t->seen += count;
    count_right(t, p, count);
    if (t->o->on_step)
        t->o->on_step(t->o->ctx, t->step, last_step(t),
                      t->loss / (double)t->seen,
                      t->data_seconds / (clock_now() - t->epoch_start));
    return 0;
}

/* ---- an epoch ---- */

/* Steps leave the packed forms of averages as they were: nothing but this reads
 * them.  */
static void pack_averages(struct trainer *t)
{
    for (int i = 0; i < t->graph->n_value; i++)
        if (optim_average_of(t->graph->value[i]))
            params_touch(t->params, t->graph->value[i]->name);
    params_refresh(t->params, t->o->pool);
}

static int evaluate(struct trainer *t, struct train_row *row, struct err *e)
{
    struct metric m;
    int bad;

    pack_averages(t);
    metric_init(&m, model_head(t->m), 0);
    bad = evaluator_run(t->evaluator, &m, NULL, NULL, e);
    row->valid_loss = metric_loss(&m);
    row->valid_top1 = metric_top1(&m);
    row->valid_top5 = metric_top5(&m);
    if (!bad && t->o->on_evaluated)
        t->o->on_evaluated(t->o->ctx, row->epoch, &m);
    metric_release(&m);
    return bad;
}

/* The constants that were named, as text in A; "" for the defaults.  */
static const char *constants(const struct trainer *t, struct arena *a)
{
    struct str s = {0};
    const char *text;

    tuning_print(&s, tuning_of(t), 1);
    text = arena_strdup(a, str_text(&s));
    str_release(&s);
    return text;
}

static void add_history(struct trainer *t, struct model *m)
{
    struct recipe *r = t->o->recipe;
    const struct planfile *plan = t->o->plan;
    const char *const *recipe = recipe_options(r);
    const char **list, *in[9] = {"model", t->start, "data", t->data};
    int n = 0, k = 4;

    while (recipe[n])
        n++;
    list = ARENA_NEWS(&r->arena, n + 9, const char *);
    memcpy(list, recipe, (size_t)n * sizeof *list);
    list[n++] = "cpu";
    list[n++] = cpu_level_name(cpu_features());
    list[n++] = "plan";
    list[n++] = arena_printf(&r->arena, "%016llx",
                             (unsigned long long)plan_hash(t->plan));
    if (t->o->max_steps) {
        list[n++] = "steps";
        list[n++] = arena_printf(&r->arena, "%lld", (long long)t->o->max_steps);
    }
    if (plan && *plan->hash) {
        list[n++] = "constants";
        list[n++] = constants(t, &r->arena);
        in[k++] = "plan";
        in[k++] = plan->hash;
    }
    if (t->o->valid) {
        in[k++] = "valid";
        in[k++] = t->valid;
    }
    model_history_add(m, "train", list, in);
}

/* best.st is what the run would give if it ended now.  */
static int save_best(struct trainer *t, struct err *e)
{
    char *path, *history;
    int bad;

    graph_free(t->best_graph);
    t->best_graph = graph_copy(t->m->graph);
    if (!t->o->run_dir)
        return 0;
    path = rundir_path(&t->dir, "best.st");
    history = xstrdup(t->m->history);
    add_history(t, t->m);
    bad = model_save(t->m, path, e);
    free(t->m->history);
    t->m->history = history;
    free(path);
    return bad;
}

static int64_t bad_count(const struct trainer *t)
{
    const int64_t *index;
    const char *const *reason;

    return loader_bad(t->feed.loader, &index, &reason);
}

static int save_bad(struct trainer *t, struct err *e)
{
    const int64_t *index;
    const char *const *reason;
    const int64_t n = loader_bad(t->feed.loader, &index, &reason);
    struct str s = {0};
    int bad;

    if (!n || !t->o->run_dir)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        str_printf(&s, "{\"index\": %lld, \"reason\": ", (long long)index[i]);
        quote_json(&s, reason[i]);
        str_add(&s, "}\n");
    }
    bad = rundir_write(&t->dir, "bad.jsonl", str_text(&s), e);
    str_release(&s);
    return bad;
}

static int end_epoch(struct trainer *t, struct err *e)
{
    const int64_t epoch = t->step / t->feed.steps;
    struct train_row row = {
        .epoch = epoch,
        .step = t->step,
        .lr = schedule_lr(t->r, t->step - 1, t->feed.steps),
        .loss = t->loss / (double)t->seen,
        .top1 = (double)t->right / (double)t->seen,
        .valid_loss = NAN,
        .valid_top1 = NAN,
        .valid_top5 = NAN,
        .loss_scale = t->scale.value,
        .overflows = t->scale.overflows,
        .data_seconds = t->data_seconds,
    };
    const int last = epoch == t->r->epochs;

    /* before anything is made of this epoch, best.st first of all */
    if (checkpoint_check(t, e) < 0)
        return -1;
    if (t->evaluator && (epoch % t->r->valid_every == 0 || last) &&
        evaluate(t, &row, e) < 0)
        return -1;
    row.bad = bad_count(t);
    row.seconds = clock_now() - t->epoch_start;
    ARRAY_GROW(t->row, t->n_row, t->cap_row);
    t->row[t->n_row++] = row;
    t->loss = 0;
    t->seen = t->right = 0;
    t->epoch_start = clock_now();
    t->data_seconds = 0;
    if (row.valid_top1 > t->best) {
        t->best = row.valid_top1;
        t->best_step = t->step;
        if (params_store(t->params, t->m->graph, OPTIM_EMA_OF, e) < 0 ||
            save_best(t, e) < 0)
            return -1;
    }
    if (t->o->on_epoch)
        t->o->on_epoch(t->o->ctx, t->row, t->n_row);
    if (save_bad(t, e) < 0)
        return -1;
    return checkpoint_save(t, epoch % t->r->save_every == 0 || last ? epoch : 0,
                           e);
}

static int steps(struct trainer *t, struct err *e)
{
    const int64_t total = last_step(t);

    while (t->step < total) {
        if (step(t, e) < 0)
            return -1;
        if (t->step % t->feed.steps == 0 && end_epoch(t, e) < 0)
            return -1;
        if (t->o->save && *t->o->save) {
            *t->o->save = 0;
            if (checkpoint_save(t, 0, e) < 0)
                return -1;
        }
        if (t->o->stop && *t->o->stop && t->step < total) {
            if (checkpoint_save(t, 0, e) < 0)
                return -1;
            return err_set(e, ERR_INTERRUPTED,
                           "interrupted at step %lld of %lld%s",
                           (long long)t->step, (long long)total,
                           t->o->run_dir ? "; go on with --resume"
                                         : "; nothing was saved (no -R)");
        }
    }
    return t->step % t->feed.steps ? checkpoint_save(t, 0, e) : 0;
}

/* Too many pictures that cannot be used may be what ends the run: the list is
 * wanted most then.  */
static int loop(struct trainer *t, struct err *e)
{
    struct err unsaid = {0};
    int bad;

    t->epoch_start = clock_now();
    bad = steps(t, e);
    if (bad)
        save_bad(t, &unsaid);
    return bad;
}

/* ---- the run ---- */

static int open_dir(struct trainer *t, struct err *e)
{
    size_t bytes = 1 << 16;

    for (int i = 0; i < t->graph->n_value; i++)
        bytes += t->graph->value[i]->data.data
                     ? tensor_bytes(&t->graph->value[i]->data)
                     : 0;
    return rundir_open(&t->dir, t->o->run_dir,
                       bytes * (size_t)(t->r->save_keep + 3), e);
}

/* What is written beside the checkpoints, as it is at this step: a run that
 * was killed may have been behind, or ahead.  */
static int write_start(const struct trainer *t, struct err *e)
{
    struct str s = {0};
    int bad;

    recipe_print(&s, t->r);
    bad = rundir_write(&t->dir, "recipe.yaml", str_text(&s), e) < 0 ||
          rundir_metrics(&t->dir, t->row, t->n_row, e) < 0;
    str_release(&s);
    if (!bad)
        rundir_rotate(&t->dir, t->r->save_keep);
    return bad ? -1 : 0;
}

/* The fingerprint comes first: building copies the model's tensors and lets
 * the pages of the file go.  */
static int begin(struct trainer *t, struct err *e)
{
    const int fresh = strcmp(t->m->kind, "checkpoint");

    t->best = -1;
    t->scale = lossscale_new(t->r);
    dataset_fingerprint(t->o->train, t->data);
    if (t->o->valid)
        dataset_fingerprint(t->o->valid, t->valid);
    if ((fresh && model_fingerprint(t->m, t->start, e) < 0) ||
        build(t, e) < 0 || (t->o->run_dir && open_dir(t, e) < 0) ||
        (!fresh && checkpoint_restore(t, e) < 0))
        return -1;
    if (!fresh && t->o->on_resume)
        t->o->on_resume(t->o->ctx, t->step, last_step(t));
    return t->o->run_dir ? write_start(t, e) : 0;
}

static void take_tensors(struct graph *to, const struct graph *from)
{
    for (int i = 0; i < from->n_value; i++) {
        struct value *v = graph_value(to, from->value[i]->name);

        if (value_is_tensor(v))
            value_set_data(v, &from->value[i]->data);
    }
}

int train_run(struct model *m, const struct train_opts *o,
              struct train_best *best, struct err *e)
{
    struct trainer t = {.m = m, .o = o, .r = o->recipe, .dir = {NULL, -1}};
    const int bad = begin(&t, e) < 0 || loop(&t, e) < 0 ||
                    params_give(t.params, m->graph, OPTIM_EMA_OF, e) < 0;

    if (!bad) {
        *best = (struct train_best){0};
        if (t.best_graph)
            *best = (struct train_best){t.best_step / t.feed.steps, t.best};
        if (t.best_graph)
            take_tensors(m->graph, t.best_graph);
        add_history(&t, m);
    }
    release(&t);
    return bad || e->code ? -1 : 0;
}
