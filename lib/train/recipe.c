/* recipe.c -- see recipe.h.
 * SPDX-License-Identifier: MIT  */
#include "train/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/quote.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/yaml.h"
#include "format/zoo.h"
#include "run/plan.h"
#include "train/recipe_kind.h"

enum { BASES_MAX = 8, FILE_MAX = 1 << 20 };

static const char *const schedules[] = {"constant", "step", "cosine", NULL};
static const char *const optimizers[] = {"sgd", "adamw", NULL};
static const char *const rules[] = {"k", "k-1", NULL};
static const char *const bads[] = {"fail", "skip", NULL};
static const char *const lasts[] = {"drop", "keep", NULL};
static const char *const decodes[] = {"exact", "fast", NULL};

#define AT(field) offsetof(struct recipe, field)

/* clang-format off */
const struct recipe_row recipe_rows[] = {
{"global.seed", 'i', AT(seed), "1", 0, 9e15, NULL, "of every random number in the run"},
{"global.epochs", 'i', AT(epochs), "30", 1, 1e6, NULL, "passes over the training set"},
{"global.precision", 'c', AT(precision), "fp32", 0, 0, plan_precisions, "bf16, and fp16 on a GPU: activations and products of 16 bits; sums, weights and evaluation in fp32"},
{"global.loss_scale", 'l', AT(loss_scale), "auto", 1, 1e30, NULL, "what gradients are multiplied with on their way; auto: dynamic with fp16, else none"},
{"global.save.every", 'i', AT(save_every), "1", 1, 1e6, NULL, "epochs between checkpoints"},
{"global.save.keep", 'i', AT(save_keep), "3", 1, 1e6, NULL, "checkpoints kept besides the last and the best"},
{"model.init", 'm', AT(init), "{}", 0, 0, NULL, "initialisers by layer type or name pattern, for adze-init -c; each must concern something"},
{"model.ema", 'f', AT(ema), "0", 0, 1, NULL, "decay of a moving average of the weights, which is what is evaluated and written: 0.9999, say; 0: none"},
{"model.freeze", 'p', AT(freeze), "[]", 0, 0, NULL, "patterns of layers that are not trained and keep their statistics; each must match something"},
{"schedule.kind", 'c', AT(schedule), "cosine", 0, 0, schedules, "how the rate falls"},
{"schedule.lr", 'r', AT(lr), "0.1 per 128", 0, 1e30, NULL, "peak learning rate; `per B' scales it linearly with the batch"},
{"schedule.end", 'f', AT(lr_end), "0", 0, 1e30, NULL, "cosine: the rate at the end"},
{"schedule.warmup", 't', AT(warmup), "2 epochs", 0, 1e9, NULL, "linear rise from 0: epochs or steps; epochs where neither is said"},
{"schedule.milestones", 'n', AT(milestones), "[]", 0, 1e6, NULL, "step: epochs after which the rate is multiplied by gamma"},
{"schedule.gamma", 'f', AT(gamma), "0.1", 0, 1, NULL, "step: the factor"},
{"optimizer.kind", 'c', AT(optimizer), "sgd", 0, 0, optimizers, "the update rule"},
{"optimizer.momentum", 'f', AT(momentum), "0.9", 0, 1, NULL, "sgd: share of the last step that is kept"},
{"optimizer.nesterov", 'b', AT(nesterov), "yes", 0, 0, NULL, "sgd: look ahead along the momentum"},
{"optimizer.beta1", 'f', AT(beta1), "0.9", 0, 1, NULL, "adamw: decay of the first moment"},
{"optimizer.beta2", 'f', AT(beta2), "0.999", 0, 1, NULL, "adamw: decay of the second moment"},
{"optimizer.epsilon", 'f', AT(epsilon), "1e-8", 0, 1, NULL, "adamw: added to the denominator"},
{"optimizer.decay.rate", 'f', AT(decay), "5e-4", 0, 1e6, NULL, "weight decay"},
{"optimizer.decay.except", 'p', AT(no_decay), "[bias, norm]", 0, 0, NULL, "not decayed: bias, norm, or name patterns"},
{"optimizer.clip", 'f', AT(clip), "0", 0, 1e30, NULL, "largest norm of all gradients together; 0: none"},
{"train.batch", 'i', AT(batch), "128", 1, 1e6, NULL, "batch size: pictures a step"},
{"train.augment", 'a', AT(augment), "[{pad_crop: {pad: 4}}, flip]", 0, 0, NULL, "operators in order, with their arguments"},
{"train.mix.mixup", 'f', AT(mixup), "0", 0, 1e6, NULL, "mixup: pictures and classes are joined in pairs, by a share from Beta(a, a) with this a; 0: not"},
{"train.mix.cutmix", 'f', AT(cutmix), "0", 0, 1e6, NULL, "cutmix: a box of another picture, of a size by Beta(a, a), and as much of its class; 0: not"},
{"train.mix.prob", 'f', AT(mix_prob), "1", 0, 1, NULL, "share of the batches that are mixed"},
{"train.mix.switch", 'f', AT(mix_switch), "0.5", 0, 1, NULL, "of those, the share by cutmix where mixup is on too"},
{"train.mix.until", 't', AT(mix_until), "0 epochs", 0, 1e9, NULL, "from there on nothing is mixed; 0: to the end"},
{"train.loss.smoothing", 'f', AT(smoothing), "0", 0, 1, NULL, "label smoothing"},
{"train.loss.rule", 'c', AT(smoothing_rule), "k", 0, 0, rules, "smoothing spread over all K classes, or over the K-1 others"},
{"train.bad", 'c', AT(bad), "skip", 0, 0, bads, "what a broken picture does to the run; skip: a good one of its batch stands for it"},
{"train.max_bad", 'f', AT(max_bad), "0.01", 0, 1, NULL, "share of the set, rounded up to whole pictures, that may be broken: one more ends the run"},
{"train.last", 'c', AT(last), "drop", 0, 0, lasts, "a last batch that is not full"},
{"train.decode", 'c', AT(decode), "exact", 0, 0, decodes, "fast scales JPEG in the DCT domain while twice the size that is needed remains"},
{"valid.batch", 'i', AT(valid_batch), "256", 1, 1e6, NULL, "pictures at once"},
{"valid.every", 'i', AT(valid_every), "1", 1, 1e6, NULL, "epochs between evaluations"},
{"valid.bad", 'c', AT(valid_bad), "fail", 0, 0, bads, "what a broken picture does; skip: it is left out"},
{0}};
/* clang-format on */

enum { ROWS = sizeof recipe_rows / sizeof *recipe_rows - 1 };

static int row_index(const char *key)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(recipe_rows[i].key, key))
            return i;
    return -1;
}

static int set_row(struct recipe *r, int i, const struct yaml *y, struct err *e)
{
    r->given[i] = y;
    return recipe_kind_set(r, &recipe_rows[i], y, e);
}

/* ---- reading ---- */

static const char *tail_of(const char *key)
{
    return strrchr(key, '.') + 1;
}

/* WORD stands in KEY between dots.  */
static int has_word(const char *key, const char *word)
{
    const size_t n = strlen(word);

    for (;; key++) {
        if (!strncmp(key, word, n) && (key[n] == '.' || !key[n]))
            return 1;
        key = strchr(key, '.');
        if (!key)
            return 0;
    }
}

/* The first row whose key ends with WORD, or has it.  */
static int row_half(const char *word)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(tail_of(recipe_rows[i].key), word))
            return i;
    for (int i = 0; i < ROWS; i++)
        if (has_word(recipe_rows[i].key, word))
            return i;
    return -1;
}

/* The first row whose help has the words of KEY ("weight_decay").  */
static int row_words(const char *key)
{
    char words[RECIPE_KEY];
    size_t n;

    snprintf(words, sizeof words, "%s", key);
    for (n = strcspn(words, "_-"); words[n]; n += strcspn(words + n, "_-"))
        words[n] = ' ';
    if (!*words || !strchr(words + 1, ' '))
        return -1;
    for (int i = 0; i < ROWS; i++)
        if (strstr(recipe_rows[i].help, words))
            return i;
    return -1;
}

static int row_near(const char *key)
{
    const char *list[ROWS + 1] = {0}, *near;

    for (int i = 0; i < ROWS; i++)
        list[i] = recipe_rows[i].key;
    near = str_nearest(key, list);
    if (near)
        return row_index(near);
    for (int i = 0; i < ROWS; i++)
        list[i] = tail_of(recipe_rows[i].key);
    near = str_nearest(key, list);
    return near ? str_index(near, list) : -1;
}

/* The first part of a key that is nearest to KEY.  */
static const char *part_near(char buf[RECIPE_KEY], const char *key)
{
    char name[ROWS][RECIPE_KEY];
    const char *list[ROWS + 1] = {0}, *near;

    for (int i = 0; i < ROWS; i++) {
        const char *k = recipe_rows[i].key;

        snprintf(name[i], RECIPE_KEY, "%.*s", (int)strcspn(k, "."), k);
        list[i] = name[i];
    }
    near = str_nearest(key, list);
    if (!near)
        return NULL;
    snprintf(buf, RECIPE_KEY, "%s", near);
    return buf;
}

/* The row that other programs have under the name WORD.  */
static int row_elsewhere(const char *word)
{
    static const char *const names[][2] = {{"batch_size", "train.batch"},
                                           {"batchsize", "train.batch"},
                                           {"bs", "train.batch"},
                                           {"max_epochs", "global.epochs"},
                                           {"num_epochs", "global.epochs"}};

    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(names[i][0], word))
            return row_index(names[i][1]);
    return -1;
}

const char *recipe_nearest(char buf[RECIPE_KEY], const char *key)
{
    const char *dot = strrchr(key, '.');
    const char *const word = dot ? dot + 1 : key;
    int i = row_half(word);

    i = i < 0 ? row_elsewhere(word) : i;
    i = i < 0 ? row_words(word) : i;
    if (i < 0 && !dot && part_near(buf, key))
        return buf;
    i = i < 0 ? row_near(key) : i;
    if (i < 0)
        return NULL;
    snprintf(buf, RECIPE_KEY, "%s", recipe_rows[i].key);
    return buf;
}

static int unknown_key(const struct yaml *y, const char *key, struct err *e)
{
    char buf[RECIPE_KEY];
    const char *near = recipe_nearest(buf, key);

    if (near)
        return yaml_err(y, e, ERR_USAGE,
                        "no recipe key '%s'; did you mean '%s'?", Q(key), near);
    return yaml_err(y, e, ERR_USAGE,
                    "no recipe key '%s'; adze-recipe(5) lists them", Q(key));
}

static int is_part(const char *key)
{
    const size_t n = strlen(key);

    for (int i = 0; i < ROWS; i++)
        if (!strncmp(recipe_rows[i].key, key, n) &&
            recipe_rows[i].key[n] == '.')
            return 1;
    return 0;
}

/* The entries of map M below KEY; depth is bounded by the YAML reader.  */
static int read_part(struct recipe *r, const char *key, const struct yaml *m,
                     struct err *e)
{
    for (const struct yaml *c = m->child; c; c = c->next) {
        const char *path = arena_printf(&r->arena, "%s%s%s", key,
                                        *key ? "." : "", c->key->text);
        const int i = row_index(path);

        if (!*key && !strcmp(path, "base"))
            continue;
        if (i >= 0) {
            if (set_row(r, i, c, e) < 0)
                return -1;
        } else if (c->kind == YAML_MAP && is_part(path)) {
            if (read_part(r, path, c, e) < 0)
                return -1;
        } else {
            return unknown_key(c->key, path, e);
        }
    }
    return 0;
}

static int is_path(const char *name)
{
    return strchr(name, '/') || str_ends(name, ".yaml");
}

static int no_recipe(const char *name, struct err *e)
{
    static const char folder[] = "recipes/";
    const size_t skip = strlen(folder);
    struct str s = {0};

    for (const struct zoo_file *f = zoo_files; f->name; f++)
        if (str_starts(f->name, folder))
            str_printf(&s, "%s%.*s", s.len ? ", " : "",
                       (int)(strlen(f->name + skip) - strlen(".yaml")),
                       f->name + skip);
    err_set(e, ERR_USAGE,
            "no built-in recipe '%s', but: %s; a file needs '/' or '.yaml' in "
            "its name",
            Q(name), str_text(&s));
    str_release(&s);
    return -1;
}

/* The text of recipe NAME, which FROM (or nothing) names as its base.  */
static struct yaml *load(struct recipe *r, const char *name, const char *from,
                         const char **file, struct err *e)
{
    const char *slash = from ? strrchr(from, '/') : NULL, *text;
    struct bytes b;
    struct yaml *y;

    if (!is_path(name) || (from && !is_path(from))) {
        const char *stem = str_ends(name, ".yaml") ? "" : ".yaml";

        *file = arena_printf(&r->arena, "recipes/%s%s", name, stem);
        text = zoo_find(*file);
        if (text)
            return yaml_parse(&r->arena, *file, text, strlen(text), e);
        no_recipe(name, e);
        return NULL;
    }
    *file = slash && *name != '/'
                ? arena_printf(&r->arena, "%.*s/%s", (int)(slash - from), from,
                               name)
                : arena_strdup(&r->arena, name);
    if (bytes_read(&b, *file, FILE_MAX, e) < 0)
        return NULL;
    text = arena_strndup(&r->arena, (const char *)b.data, b.n);
    y = yaml_parse(&r->arena, *file, text, b.n, e);
    bytes_release(&b);
    return y;
}

/* The bases of Y, which was read from FILE, then Y itself.  */
static int read_chain(struct recipe *r, const struct yaml *y, const char *file,
                      struct err *e)
{
    const struct yaml *chain[BASES_MAX], *base;
    int n = 0;

    for (; y; y = load(r, base->text, file, &file, e)) {
        if (y->kind != YAML_MAP)
            return yaml_err(y, e, ERR_USAGE, "a recipe is a map");
        chain[n++] = y;
        base = yaml_get(y, "base");
        if (!base)
            break;
        if (base->kind != YAML_SCALAR)
            return yaml_err(base, e, ERR_USAGE, "'base' is one name");
        if (n == BASES_MAX)
            return err_set(e, ERR_USAGE,
                           "'%s': more than %d recipes inherit "
                           "from each other",
                           Q(base->text), BASES_MAX);
    }
    if (!y)
        return -1;
    while (n--)
        if (read_part(r, "", chain[n], e) < 0)
            return -1;
    return 0;
}

static int read_override(struct recipe *r, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    struct yaml *y;
    const char *key;
    int i;

    if (!eq)
        return err_set(e, ERR_USAGE, "override '%s' is not KEY=VALUE", Q(text));
    key = arena_strndup(&r->arena, text, (size_t)(eq - text));
    if (!eq[1])
        return err_set(e, ERR_USAGE, "-o %s gives no value", Q(text));
    y = yaml_parse(&r->arena, arena_printf(&r->arena, "-o %s", Q(key)), eq + 1,
                   strlen(eq + 1), e);
    if (!y)
        return err_blame(e, ERR_USAGE);
    i = row_index(key);
    if (i >= 0)
        return set_row(r, i, y, e);
    return is_part(key) && y->kind == YAML_MAP ? read_part(r, key, y, e)
                                               : unknown_key(y, key, e);
}

static int set_defaults(struct recipe *r, struct err *e)
{
    for (int i = 0; i < ROWS; i++) {
        const char *def = recipe_rows[i].def;
        struct yaml *y = yaml_parse(&r->arena, "default", def, strlen(def), e);

        if (!y || set_row(r, i, y, e) < 0)
            return -1;
    }
    return 0;
}

/* Y of FILE and what it inherits over the defaults, then OVERRIDES.  */
static int read_all(struct recipe *r, const struct yaml *y, const char *file,
                    const char *const *overrides, struct err *e)
{
    if (!y || set_defaults(r, e) < 0 || read_chain(r, y, file, e) < 0)
        return -1;
    for (; overrides && *overrides; overrides++)
        if (read_override(r, *overrides, e) < 0)
            return -1;
    return 0;
}

static void begin(struct recipe *r)
{
    memset(r, 0, sizeof *r);
    r->given = ARENA_NEWS(&r->arena, ROWS, const struct yaml *);
}

int recipe_read(struct recipe *r, const char *file,
                const char *const *overrides, struct err *e)
{
    const struct yaml *y;

    begin(r);
    y = load(r, file ? file : "default", NULL, &file, e);
    if (read_all(r, y, file, overrides, e) == 0)
        return 0;
    recipe_release(r);
    return -1;
}

int recipe_parse(struct recipe *r, const char *text, struct err *e)
{
    begin(r);
    if (read_all(r, yaml_parse(&r->arena, "recipe", text, strlen(text), e),
                 "recipe", NULL, e) == 0)
        return 0;
    recipe_release(r);
    return -1;
}

const struct yaml *recipe_yaml(const struct recipe *r, const char *key)
{
    return r->given[row_index(key)];
}

void recipe_release(struct recipe *r)
{
    augment_release(&r->augment);
    arena_release(&r->arena);
    memset(r, 0, sizeof *r);
}

/* ---- printing ---- */

/* Y on one line, in flow style.  */
static void print_flow(struct str *s, const struct yaml *y)
{
    static const char open[] = " [{", close[] = " ]}";

    if (y->kind == YAML_SCALAR) {
        quote_yaml(s, y->text);
        return;
    }
    str_addc(s, open[y->kind]);
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (c->key) {
            quote_yaml(s, c->key->text);
            str_add(s, ": ");
        }
        print_flow(s, c);
        if (c->next)
            str_add(s, ", ");
    }
    str_addc(s, close[y->kind]);
}

const char *const *recipe_options(struct recipe *r)
{
    const char **list = ARENA_NEWS(&r->arena, 2 * ROWS + 1, const char *);
    struct str s = {0};

    for (int i = 0; i < ROWS; i++) {
        str_clear(&s);
        print_flow(&s, r->given[i]);
        list[2 * i] = recipe_rows[i].key;
        list[2 * i + 1] = arena_strdup(&r->arena, str_text(&s));
    }
    str_release(&s);
    return list;
}

/* How much of KEY's path the last printed KEY already opened.  */
static size_t common_parts(const char *a, const char *b)
{
    size_t n = 0;

    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            n = i + 1;
    return n;
}

void recipe_print(struct str *s, const struct recipe *r)
{
    const char *last = "";

    for (int i = 0; i < ROWS; i++) {
        const char *key = recipe_rows[i].key;
        size_t from = common_parts(last, key);
        int depth = 0;

        for (size_t k = 0; k < from; k++)
            depth += key[k] == '.';
        for (const char *p = key + from, *dot; *p; p = dot + 1) {
            dot = strchr(p, '.');
            str_printf(s, "%*s%.*s:", 4 * depth++, "",
                       (int)(dot ? (size_t)(dot - p) : strlen(p)), p);
            if (!dot)
                break;
            str_addc(s, '\n');
        }
        str_addc(s, ' ');
        print_flow(s, r->given[i]);
        str_addc(s, '\n');
        last = key;
    }
}

/* ---- fuzzing ---- */

/* A recipe of the N bytes at P with one override, its resolved text in S.  A
 * name that is no path: bases are built in.  */
static int fuzz_read(struct str *s, const char *p, size_t n, const char *over,
                     struct err *e)
{
    const char *const overrides[] = {over, NULL};
    struct recipe r;
    int k;

    begin(&r);
    k = read_all(&r, yaml_parse(&r.arena, "fuzz", p, n, e), "fuzz", overrides,
                 e);
    if (k == 0) {
        recipe_options(&r);
        recipe_print(s, &r);
    }
    recipe_release(&r);
    return k;
}

/* The text before the first NUL, if there is one, is an override.  */
int fuzz_recipe(const uint8_t *p, size_t n)
{
    const char *text = (const char *)p, *nul = memchr(text, 0, n);
    const size_t over = nul ? (size_t)(nul + 1 - text) : 0;
    struct str s = {0}, t = {0};
    struct err e = {0};
    const int r = fuzz_read(&s, text + over, n - over, nul ? text : NULL, &e);

    if (r == 0 && fuzz_read(&t, str_text(&s), s.len, NULL, &e) < 0)
        BUG("recipe_print() is not read back: %s", e.msg);
    if (r == 0 && strcmp(str_text(&s), str_text(&t)) != 0)
        BUG("recipe_print() reads back as another recipe");
    str_release(&s);
    str_release(&t);
    return r;
}
