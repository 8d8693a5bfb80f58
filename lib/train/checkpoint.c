/* checkpoint.c -- what a run remembers, as one file: see checkpoint.h.
 * SPDX-License-Identifier: MIT
 *
 * The plain names hold what inference uses; all else begins with `adze:': the
 * optimiser's tensors, and where there are averages, which have the plain names
 * then, `adze:raw:TENSOR', what the next step goes on from.  All numbers stand
 * in the metadata `adze.loop' as JSON, doubles so that they read back to the
 * same bits.  */
#include "train/checkpoint.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/loader.h"
#include "format/model.h"
#include "graph/graph.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/optim.h"
#include "train/recipe.h"
#include "train/trainer.h"

/* ---- JSON ---- */

/* JSON has no NaN: null stands for it.  */
static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static double get_real(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t get_int(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void get_text(char to[HASH_TEXT], const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    snprintf(to, HASH_TEXT, "%s", s ? s : "");
}

static json_t *rows_to_json(const struct trainer *t)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < t->n_row; i++) {
        json_t *r = json_object();

        for (const struct rundir_column *c = rundir_columns; c->name; c++) {
            const char *p = (const char *)&t->row[i] + c->at;

            json_object_set_new(r, c->name,
                                c->whole ? json_integer(*(const int64_t *)p)
                                         : real(*(const double *)p));
        }
        json_array_append_new(list, r);
    }
    return list;
}

static void rows_from_json(struct trainer *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        struct train_row row = {0};

        for (const struct rundir_column *c = rundir_columns; c->name; c++) {
            char *p = (char *)&row + c->at;

            if (c->whole)
                *(int64_t *)p = get_int(r, c->name);
            else
                *(double *)p = get_real(r, c->name);
        }
        ARRAY_GROW(t->row, t->n_row, t->cap_row);
        t->row[t->n_row++] = row;
    }
}

static json_t *bad_to_json(const struct trainer *t)
{
    json_t *list = json_array();
    const int64_t *index;
    const char *const *reason;
    const int64_t n = loader_bad(t->feed.loader, &index, &reason);

    for (int64_t i = 0; i < n; i++) {
        const char *why =
            str_utf8(reason[i], strlen(reason[i])) ? reason[i] : Q(reason[i]);

        json_array_append_new(list,
                              json_pack("[I,s]", (json_int_t)index[i], why));
    }
    return list;
}

static void bad_from_json(struct trainer *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *b = json_array_get(list, i);
        const char *why = json_string_value(json_array_get(b, 1));

        loader_set_bad(t->feed.loader,
                       (int64_t)json_integer_value(json_array_get(b, 0)),
                       why ? why : "");
    }
}

/* What is computed: a resumed run that computes something else ends in other
 * bytes.  */
static const char *arithmetic(const struct trainer *t, char buf[64])
{
    snprintf(buf, 64, "%s, plan %016llx", cpu_level_name(cpu_features()),
             (unsigned long long)plan_hash(t->plan));
    return buf;
}

static char *loop_text(const struct trainer *t)
{
    struct str recipe = {0};
    char how[64];
    json_t *o;
    char *text;

    recipe_print(&recipe, t->r);
    o = json_pack(
        "{s:I,s:f,s:I,s:I,s:f,s:I,s:I,s:f,s:I,s:s,s:s,s:s,s:s,s:s,"
        "s:o,s:o}",
        "step", (json_int_t)t->step, "loss", t->loss, "seen",
        (json_int_t)t->seen, "right", (json_int_t)t->right, "loss_scale",
        t->scale.value, "good", (json_int_t)t->scale.good, "overflows",
        (json_int_t)t->scale.overflows, "best", t->best, "best_step",
        (json_int_t)t->best_step, "start", t->start, "data", t->data, "valid",
        t->valid, "recipe", str_text(&recipe), "arithmetic", arithmetic(t, how),
        "rows", rows_to_json(t), "bad", bad_to_json(t));
    str_release(&recipe);
    if (!o)
        BUG("adze.loop cannot be packed");
    text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(o);
    return text;
}

/* ---- saving ---- */

static int is_ours(const struct value *v)
{
    return v->kind == VALUE_STATE && str_starts(v->name, "adze:");
}

const char *checkpoint_kept(const struct trainer *t)
{
    char *last, *newest;
    int there;

    if (!t->o->run_dir)
        return "";
    last = rundir_path(&t->dir, "last.st");
    newest = rundir_newest(t->o->run_dir, NULL);
    there = newest || access(last, F_OK) == 0;
    free(newest);
    free(last);
    return there ? "; the last good checkpoint is kept"
                 : "; there is no checkpoint before it";
}

int checkpoint_check(struct trainer *t, struct err *e)
{
    const struct graph *g = t->graph;

    if (params_fetch(t->params, e) < 0)
        return -1;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];

        if ((v->kind == VALUE_PARAM || v->kind == VALUE_STATE) &&
            !tensor_finite(params_get(t->params, v->name)))
            return err_set(
                e, ERR_NONFINITE,
                "step %lld: '%s' holds a value that is not finite%s; "
                "try a smaller schedule.lr",
                (long long)t->step, Q(v->name), checkpoint_kept(t));
    }
    return 0;
}

/* The tensor that the checkpoint has for V, which is_ours(), and its name: of
 * an average what it is of.  */
static struct tensor *kept_for(const struct trainer *t, const struct value *v,
                               struct str *name)
{
    const char *of = optim_average_of(v);

    str_clear(name);
    str_printf(name, "%s%s", of ? "adze:raw:" : "", of ? of : v->name);
    return params_get(t->params, of ? of : v->name);
}

static void pack_state(struct trainer *t)
{
    char *text = loop_text(t);
    struct str name = {0};

    model_drop_state(t->m);
    for (int i = 0; i < t->graph->n_value; i++)
        if (is_ours(t->graph->value[i])) {
            const struct tensor *x = kept_for(t, t->graph->value[i], &name);

            set_put(&t->m->extra, str_text(&name), x);
        }
    str_release(&name);
    set_meta_put(&t->m->extra, "adze.loop", text);
    free(text);
}

static int save_as(const struct trainer *t, const char *name, struct err *e)
{
    char *path = rundir_path(&t->dir, name);
    const int bad = model_save(t->m, path, e);

    free(path);
    return bad;
}

int checkpoint_save(struct trainer *t, int64_t epoch, struct err *e)
{
    char name[64];
    int bad;

    if (checkpoint_check(t, e) < 0)
        return -1;
    if (!t->o->run_dir)
        return 0;
    if (params_store(t->params, t->m->graph, OPTIM_EMA_OF, e) < 0)
        return -1;
    pack_state(t);
    t->m->kind = "checkpoint";
    snprintf(name, sizeof name, "epoch-%06lld.st", (long long)epoch);
    /* last.st comes last: a run that is killed before goes back to the one
     * before it, and writes the others again */
    bad = (epoch && save_as(t, name, e) < 0) ||
          rundir_metrics(&t->dir, t->row, t->n_row, e) < 0 ||
          save_as(t, "last.st", e) < 0;
    model_drop_state(t->m);
    if (!bad && epoch)
        rundir_rotate(&t->dir, t->r->save_keep);
    return bad ? -1 : 0;
}

/* ---- resuming ---- */

/* The first key in which the recipe WAS differs from the one to go on with.  */
static int other_recipe(const struct trainer *t, struct recipe *was,
                        struct err *e)
{
    const char *const *a = recipe_options(was);
    const char *const *b = recipe_options(t->o->recipe);

    for (; *a; a += 2, b += 2)
        if (strcmp(a[1], b[1]) != 0)
            return err_set(e, ERR_USAGE,
                           "the run was begun with %s: %s, not %s: resume with "
                           "the same recipe, recipe.yaml of the run folder",
                           a[0], Q(a[1]), Q(b[1]));
    return err_set(e, ERR_USAGE, "the run was begun with another recipe");
}

static int check_recipe(const struct trainer *t, const json_t *o, struct err *e)
{
    const char *text = json_string_value(json_object_get(o, "recipe"));
    struct str now = {0};
    struct recipe was;
    int bad = 0;

    if (!text)
        return err_set(e, ERR_FORMAT, "checkpoint has no 'recipe'");
    if (recipe_parse(&was, text, e) < 0)
        return err_in(e, "the checkpoint's recipe");
    recipe_print(&now, t->r);
    if (strcmp(text, str_text(&now)) != 0)
        bad = other_recipe(t, &was, e);
    recipe_release(&was);
    str_release(&now);
    return bad;
}

static int check_data(const char *what, const char *was, const char *now,
                      struct err *e)
{
    if (!strcmp(was, now))
        return 0;
    return err_set(e, ERR_USAGE,
                   "the %s data is not what the run was begun with "
                   "(fingerprint %s, now %s)",
                   what, *was ? was : "none", *now ? now : "none");
}

/* The model that the command names now, if it names one.  */
static int check_start(const struct trainer *t, struct err *e)
{
    char now[HASH_TEXT];

    if (!t->o->from)
        return 0;
    if (model_fingerprint(t->o->from, now, e) < 0)
        return -1;
    return strcmp(now, t->start)
               ? err_set(e, ERR_USAGE,
                         "the model is not what the run was begun with "
                         "(fingerprint %s, now %s)",
                         t->start, now)
               : 0;
}

static int check_arithmetic(const struct trainer *t, const json_t *o,
                            struct err *e)
{
    const char *was = json_string_value(json_object_get(o, "arithmetic"));
    char now[64];

    if (was && !strcmp(was, arithmetic(t, now)))
        return 0;
    return err_set(e, ERR_USAGE,
                   "the run was begun with instruction set %s; this is %s: "
                   "resume with the same --cpu, --plan and version",
                   was ? Q(was) : "none", arithmetic(t, now));
}

static int restore_tensor(struct trainer *t, const struct value *v,
                          struct str *name, struct err *e)
{
    const char *of = optim_average_of(v);
    struct tensor *to = kept_for(t, v, name);
    const struct tensor *from = set_get(&t->m->extra, str_text(name));

    if (!from || from->dtype != v->dtype ||
        !shape_equal(&from->shape, &v->shape))
        return err_set(e, ERR_FORMAT, "checkpoint has no '%s' of shape %s",
                       Q(str_text(name)), ST(&v->shape));
    memcpy(to->data, from->data, tensor_bytes(from));
    return params_send(t->params, of ? of : v->name, e);
}

/* The averages are there: they begin as the model's tensors.  */
static int restore_tensors(struct trainer *t, struct err *e)
{
    struct str name = {0};
    int bad = 0;

    for (int i = 0; i < t->graph->n_value && !bad; i++)
        if (is_ours(t->graph->value[i]))
            bad = restore_tensor(t, t->graph->value[i], &name, e);
    str_release(&name);
    return bad;
}

static int restore_best(struct trainer *t, struct err *e)
{
    char *path = rundir_path(&t->dir, "best.st");
    struct model *b = model_read(path, e);

    free(path);
    if (!b)
        return err_in(e, "the best model of the run");
    t->best_graph = b->graph;
    b->graph = NULL;
    model_free(b);
    return 0;
}

/* What the hash vouches for where there is one.  */
static int check_loop(const struct trainer *t, struct err *e)
{
    if (!isfinite(t->loss) || !isfinite(t->best) ||
        strspn(t->start, "0123456789abcdef") != HASH_TEXT - 1)
        return err_set(e, ERR_FORMAT,
                       "checkpoint has no 'loss', 'best' or 'start'");
    if (t->step < 0 || t->step > t->feed.steps * t->r->epochs)
        return err_set(e, ERR_FORMAT, "checkpoint is at step %lld of %lld",
                       (long long)t->step,
                       (long long)(t->feed.steps * t->r->epochs));
    if (t->right < 0 || t->right > t->seen ||
        t->seen > t->feed.steps * t->r->batch)
        return err_set(e, ERR_FORMAT,
                       "checkpoint has %lld right answers to %lld samples",
                       (long long)t->right, (long long)t->seen);
    if (!(t->scale.value >= 1 && t->scale.value <= 1e30) || t->scale.good < 0 ||
        t->scale.good > t->step || t->scale.overflows < 0)
        return err_set(e, ERR_FORMAT,
                       "checkpoint has loss scale %g after %lld good steps and "
                       "%lld overflows",
                       t->scale.value, (long long)t->scale.good,
                       (long long)t->scale.overflows);
    if (t->best_step < 0 || t->best_step > t->step)
        return err_set(e, ERR_FORMAT,
                       "checkpoint was best at step %lld, and is at %lld",
                       (long long)t->best_step, (long long)t->step);
    for (int64_t i = 0; i < t->n_row; i++)
        if (t->row[i].epoch < 1)
            return err_set(e, ERR_FORMAT,
                           "checkpoint has no 'epoch' in row %lld of 'rows'",
                           (long long)i + 1);
    return 0;
}

/* The numbers and rows of a run, checked.  */
static int read_loop(struct trainer *t, const json_t *o, struct err *e)
{
    get_text(t->start, o, "start");
    t->step = get_int(o, "step");
    t->loss = get_real(o, "loss");
    t->seen = get_int(o, "seen");
    t->right = get_int(o, "right");
    t->scale.value = get_real(o, "loss_scale");
    t->scale.good = get_int(o, "good");
    t->scale.overflows = get_int(o, "overflows");
    t->best = get_real(o, "best");
    t->best_step = get_int(o, "best_step");
    rows_from_json(t, json_object_get(o, "rows"));
    return check_loop(t, e);
}

static int restore(struct trainer *t, const json_t *o, struct err *e)
{
    char data[HASH_TEXT], valid[HASH_TEXT];

    get_text(data, o, "data");
    get_text(valid, o, "valid");
    get_text(t->start, o, "start");
    if (check_start(t, e) < 0 || check_recipe(t, o, e) < 0 ||
        check_data("training", data, t->data, e) < 0 ||
        check_data("evaluation", valid, t->valid, e) < 0 ||
        check_arithmetic(t, o, e) < 0)
        return -1;
    bad_from_json(t, json_object_get(o, "bad"));
    if (read_loop(t, o, e) < 0 || restore_tensors(t, e) < 0)
        return -1;
    return t->best_step && t->o->run_dir ? restore_best(t, e) : 0;
}

int checkpoint_restore(struct trainer *t, struct err *e)
{
    const char *text = set_meta_get(&t->m->extra, "adze.loop");
    json_t *o = json_loads(text ? text : "", 0, NULL);
    int bad;

    if (!json_is_object(o))
        bad = err_set(e, ERR_FORMAT, "checkpoint has no readable 'adze.loop'");
    else
        bad = restore(t, o, e);
    json_decref(o);
    model_drop_state(t->m);
    return bad;
}

/* ---- for the fuzz tests ---- */

int fuzz_checkpoint(const uint8_t *p, size_t n)
{
    json_t *o = json_loadb((const char *)p, n, 0, NULL);
    struct recipe r = {.batch = 40, .epochs = 5};
    struct trainer t = {.r = &r, .feed = {.steps = 10}};
    struct recipe was = {0};
    struct err e = {0};
    const char *text = json_string_value(json_object_get(o, "recipe"));
    const int bad = !text || recipe_parse(&was, text, &e) < 0 ||
                    !json_is_object(o) || read_loop(&t, o, &e) < 0;

    if (text)
        recipe_release(&was);
    free(t.row);
    json_decref(o);
    return bad ? -1 : 0;
}
