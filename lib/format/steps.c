/* steps.c -- see steps.h.
 * SPDX-License-Identifier: MIT  */
#include "format/steps.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/stepname.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "op/ops.h"

/* Recursion follows the nesting of steps and blocks down to DEPTH.  */
enum {
    DEPTH = 64,
    WITH_MAX = 256,
    BRANCHES_MAX = 1000,
    WORK_PER_NODE = 2560,
    STEP_WORK = 112
};

static const char *const step_keys[] = {"as", "from", "when", "else", NULL};
static const char *const control_keys[] = {
    "do", "repeat", "each", "branches", "as", "from", "when", "else", NULL};

void steps_init(struct steps *s, struct graph *g, struct arena *a,
                int64_t limit_nodes, struct err *e)
{
    *s = (struct steps){.g = g, .arena = a, .e = e};
    s->nodes_left = limit_nodes;
    s->work_left = limit_nodes * WORK_PER_NODE;
}

void steps_release(struct steps *s)
{
    free(s->block);
    free(s->scope_value);
    free(s->count);
    name_map_release(&s->blocks);
    name_map_release(&s->scopes);
    name_map_release(&s->counts);
}

int steps_spend(struct steps *s, const struct yaml *y, size_t n)
{
    s->work_left -= (int64_t)n + 16;
    return s->work_left < 0
               ? yaml_err(y, s->e, ERR_FORMAT, "the network grows too large")
               : 0;
}

/* ---- what all steps have ---- */

static const struct yaml *arg(const struct yaml *args, const char *key)
{
    return args ? yaml_get(args, key) : NULL;
}

static int resolve_from(struct steps *s, const struct yaml *y,
                        const struct place *at, struct value **v)
{
    const char *name = expr_template(y, at->env, s->arena, s->e);

    if (!name || steps_spend(s, y, strlen(name)) < 0)
        return -1;
    *v = stepname_find(s, at->path, name);
    return *v ? 0 : stepname_no_value(s, y, name);
}

static int read_from(struct steps *s, const struct yaml *y, struct entry *n)
{
    const int list = y->kind == YAML_LIST;
    const int count = list ? y->n_child : 1;

    if (!count)
        return yaml_err(y, s->e, ERR_FORMAT, "'from' names no value");
    n->from = ARENA_NEWS(s->arena, count, struct value *);
    for (const struct yaml *c = list ? y->child : y; c;
         c = list ? c->next : NULL)
        if (resolve_from(s, c, &n->at, &n->from[n->n_from++]) < 0)
            return -1;
    n->at.x = n->from[0];
    return 0;
}

static void bind_size(struct entry *n, int i, const char *name, int64_t size)
{
    n->in[i] = (struct expr_env){n->at.env, name, expr_int(size)};
    n->at.env = &n->in[i];
}

/* $in: the channels of the current value; $in_n: its tokens; $in_h, $in_w: its
 * height and width.  */
static void bind_in(struct entry *n)
{
    const struct shape *x = &n->at.x->shape;

    if (x->rank >= 2)
        bind_size(n, 0, "in", x->dim[x->rank == 4 ? 1 : x->rank - 1]);
    if (x->rank == 3)
        bind_size(n, 1, "in_n", x->dim[1]);
    if (x->rank == 4) {
        bind_size(n, 2, "in_h", x->dim[2]);
        bind_size(n, 3, "in_w", x->dim[3]);
    }
}

/* Evaluate Y at N.  */
static int eval(struct steps *s, const struct yaml *y, const struct place *at,
                struct expr *v)
{
    if (steps_spend(s, y, strlen(y->text) + 16 * (size_t)y->n_child) < 0)
        return -1;
    return expr_yaml(v, y, at->env, s->arena, s->e);
}

static int read_when(struct steps *s, const struct yaml *y, struct entry *n)
{
    struct expr v;

    if (eval(s, y, &n->at, &v) < 0)
        return -1;
    return expr_truth(&v, y, &n->go, s->e);
}

/* A path one part longer; *PATH stays where Y is NULL.  */
static int enter_scope(struct steps *s, const struct yaml *y,
                       const struct expr_env *env, const char **path)
{
    const char *part;

    if (!y)
        return 0;
    part = expr_template(y, env, s->arena, s->e);
    if (!part || stepname_check(s, y, part) < 0)
        return -1;
    *path = stepname_join(s, *path, part);
    return stepname_check(s, y, *path) < 0 ? -1
                                           : steps_spend(s, y, strlen(*path));
}

/* Read `from', `when' and, where OWN, `as' of the step Y.  */
static int enter(struct steps *s, const struct yaml *y, const struct yaml *args,
                 const struct place *at, int own, struct entry *n)
{
    const struct yaml *from = arg(args, "from"), *when = arg(args, "when");

    *n = (struct entry){.step = y, .args = args, .at = *at, .go = 1};
    n->outer = at->path;
    n->at.depth++;
    if (n->at.depth > DEPTH)
        return yaml_err(y, s->e, ERR_FORMAT, "steps nested more than 64 deep");
    if (from && read_from(s, from, n) < 0)
        return -1;
    bind_in(n);
    if (when && read_when(s, when, n) < 0)
        return -1;
    if (!n->go || !own || !arg(args, "as"))
        return 0;
    n->named = 1;
    return enter_scope(s, arg(args, "as"), n->at.env, &n->at.path);
}

/* ---- ops ---- */

/* The values of branches, in the order of the file.  */
struct branches {
    struct value **v;
    int n, cap;
};

static int check_control(struct steps *s, const struct yaml *y);
static int run_body(struct steps *s, const struct entry *n, struct place at,
                    struct value **out);

/* Append the branches that `branches: COUNT' gives, each from the current
 * value.  */
static int run_several(struct steps *s, const struct yaml *y,
                       const struct place *at, struct branches *b)
{
    const struct yaml *count = yaml_get(y, "branches");
    struct entry n;
    struct expr v;
    int64_t times;

    if (check_control(s, y) < 0 || enter(s, y, y, at, 0, &n) < 0)
        return -1;
    if (n.n_from > 1)
        return yaml_err(y, s->e, ERR_FORMAT, "steps start from one value");
    if (yaml_get(y, "else"))
        return yaml_err(y, s->e, ERR_FORMAT, "'branches' takes no 'else'");
    if (eval(s, count, &n.at, &v) < 0 ||
        expr_whole(&v, count, 0, BRANCHES_MAX, &times, s->e) < 0)
        return -1;
    for (int64_t i = 0; n.go && i < times; i++) {
        struct expr_env env = {n.at.env, "i", expr_int(i)};
        struct place here = n.at;

        here.env = &env;
        ARRAY_GROW(b->v, b->n, b->cap);
        if (steps_spend(s, y, 0) < 0 ||
            run_body(s, &n, here, &b->v[b->n++]) < 0)
            return -1;
    }
    return 0;
}

/* The values of the branches OF, each from the current value.  */
static int run_branches(struct steps *s, const struct yaml *of,
                        const struct entry *n, struct branches *b)
{
    if (of->kind != YAML_LIST || !of->n_child)
        return yaml_err(of, s->e, ERR_FORMAT, "a list of branches is wanted");
    for (const struct yaml *c = of->child; c; c = c->next) {
        if (c->kind == YAML_MAP && yaml_get(c, "branches")) {
            if (run_several(s, c, &n->at, b) < 0)
                return -1;
            continue;
        }
        ARRAY_GROW(b->v, b->n, b->cap);
        if (steps_run(s, c, &n->at, &b->v[b->n++]) < 0)
            return -1;
    }
    return b->n ? 0 : yaml_err(of, s->e, ERR_FORMAT, "no branch is left here");
}

static int run_op(struct steps *s, const struct op *op, const char *name,
                  const struct yaml *branches, const struct entry *n,
                  struct value **out)
{
    struct value *one = n->at.x;
    const struct yaml *of = branches ? branches : arg(n->args, "of");
    struct branches b = {0};
    int bad;

    if (!of)
        return opstep_add(s, op, name, n, n->n_from ? n->from : &one,
                          n->n_from ? n->n_from : 1, out);
    if (n->n_from > 1)
        return yaml_err(of, s->e, ERR_FORMAT,
                        "branches start from one value, not %d", n->n_from);
    bad = run_branches(s, of, n, &b) < 0 ||
          opstep_add(s, op, name, n, b.v, b.n, out) < 0;
    free(b.v);
    return bad ? -1 : 0;
}

/* ---- blocks ---- */

int steps_blocks(struct steps *s, const struct yaml *blocks)
{
    static const char *const taken[] = {"do",    "repeat", "each",  "branches",
                                        "param", "state",  "const", NULL};

    if (blocks->kind != YAML_MAP)
        return yaml_err(blocks, s->e, ERR_FORMAT,
                        "'blocks' is a mapping from names to blocks");
    for (const struct yaml *y = blocks->child; y; y = y->next) {
        const char *name = y->key->text;

        if (op_find(name) || str_index(name, taken) >= 0)
            return yaml_err(y->key, s->e, ERR_FORMAT,
                            "block '%s' has the name of %s", Q(name),
                            op_find(name) ? "an op" : "a control step");
        if (y->kind != YAML_MAP || !yaml_get(y, "do"))
            return yaml_err(y, s->e, ERR_FORMAT, "block '%s' has no 'do'",
                            Q(name));
        for (const struct yaml *c = y->child; c; c = c->next)
            if (strcmp(c->key->text, "do") && strcmp(c->key->text, "with"))
                return stepname_unknown(
                    s, c->key, "a block has no key", c->key->text,
                    (const char *const[]){"do", "with", NULL});
        if (name_map_put(&s->blocks, name, s->n_block) >= 0)
            continue;
        ARRAY_GROW(s->block, s->n_block, s->cap_block);
        s->block[s->n_block++] = (struct block){.y = y};
    }
    return 0;
}

/* The arguments given to a block are parameters that it has.  */
static int check_args(struct steps *s, const struct yaml *args,
                      const struct yaml *with)
{
    const char *list[WITH_MAX + 8];
    int n = 0;

    for (int i = 0; step_keys[i]; i++)
        list[n++] = step_keys[i];
    for (const struct yaml *w = with ? with->child : NULL; w; w = w->next)
        list[n++] = w->key->text;
    list[n] = NULL;
    for (const struct yaml *c = args ? args->child : NULL; c; c = c->next)
        if (str_index(c->key->text, list) < 0)
            return stepname_unknown(s, c->key, "the block has no parameter",
                                    c->key->text, list);
    return 0;
}

static int check_with(struct steps *s, const struct yaml *with)
{
    if (with && (with->kind != YAML_MAP || with->n_child > WITH_MAX))
        return yaml_err(with, s->e, ERR_FORMAT,
                        "'with' is a mapping of at most 256 parameters");
    for (const struct yaml *w = with ? with->child : NULL; w; w = w->next)
        if (str_index(w->key->text, control_keys) >= 0 ||
            !strcmp(w->key->text, "of"))
            return yaml_err(w->key, s->e, ERR_FORMAT,
                            "a parameter cannot be called '%s'", w->key->text);
    return 0;
}

/* The environment of a block: the network's parameters, $in, its own ones,
 * each default in terms of those before it.  */
static int bind_params(struct steps *s, const struct yaml *with,
                       const struct entry *n, const struct expr_env **env)
{
    struct expr_env *in = ARENA_NEWS(s->arena, COUNT(n->in), struct expr_env);

    *env = s->params;
    for (size_t i = 0; i < COUNT(n->in); i++)
        if (n->in[i].name) {
            in[i] = n->in[i];
            in[i].up = *env;
            *env = &in[i];
        }
    for (const struct yaml *w = with ? with->child : NULL; w; w = w->next) {
        struct expr_env *b = ARENA_NEW(s->arena, struct expr_env);
        const struct yaml *given = arg(n->args, w->key->text);
        const struct place own = {.env = *env};

        if (!given && w->kind == YAML_SCALAR && !*w->text)
            return yaml_err(n->step, s->e, ERR_FORMAT,
                            "the block needs its parameter '%s'",
                            Q(w->key->text));
        *b = (struct expr_env){.up = *env, .name = w->key->text};
        if (eval(s, given ? given : w, given ? &n->at : &own, &b->value) < 0)
            return -1;
        *env = b;
    }
    return 0;
}

static int run_block(struct steps *s, int64_t which, const struct entry *n,
                     struct value **out)
{
    struct block *b = &s->block[which];
    const struct yaml *with = yaml_get(b->y, "with");
    struct place in = n->at;
    int rc;

    if (b->active)
        return yaml_err(n->step, s->e, ERR_FORMAT, "block '%s' holds itself",
                        Q(b->y->key->text));
    if (n->n_from > 1)
        return yaml_err(n->step, s->e, ERR_FORMAT,
                        "a block starts from one value, not %d", n->n_from);
    if (check_with(s, with) < 0 || check_args(s, n->args, with) < 0 ||
        bind_params(s, with, n, &in.env) < 0)
        return -1;
    in.k = NULL;
    b->active = 1;
    rc = steps_run(s, yaml_get(b->y, "do"), &in, out);
    s->block[which].active = 0;
    if (rc == 0 && n->named)
        stepname_scope(s, n->at.path, *out);
    return rc;
}

/* ---- control ---- */

/* The body of one iteration, in the scope that `as' gives.  */
static int run_body(struct steps *s, const struct entry *n, struct place at,
                    struct value **out)
{
    const struct yaml *as = yaml_get(n->step, "as");

    if (enter_scope(s, as, at.env, &at.path) < 0 ||
        steps_run(s, yaml_get(n->step, "do"), &at, out) < 0)
        return -1;
    if (as)
        stepname_scope(s, at.path, *out);
    return 0;
}

static int run_do(struct steps *s, const struct entry *n, struct value **out)
{
    return run_body(s, n, n->at, out);
}

static int run_repeat(struct steps *s, const struct entry *n,
                      struct value **out)
{
    const struct yaml *y = yaml_get(n->step, "repeat");
    struct place at = n->at;
    struct expr v;
    int64_t times;

    if (eval(s, y, &at, &v) < 0 ||
        expr_whole(&v, y, 0, 1000000, &times, s->e) < 0)
        return -1;
    *out = at.x;
    for (int64_t i = 0; i < times; i++) {
        struct expr_env k = {n->at.env, "k", expr_int(at.k ? *at.k : i)};
        struct expr_env b = {&k, "i", expr_int(i)};

        at.env = &b;
        at.x = *out;
        if (at.k)
            ++*at.k;
        if (steps_spend(s, y, 0) < 0 || run_body(s, n, at, out) < 0)
            return -1;
    }
    return 0;
}

/* The columns of `each' as values of one length.  */
static int read_columns(struct steps *s, const struct yaml *y,
                        const struct place *at, struct expr *column, int *rows)
{
    int i = 0;

    for (const struct yaml *c = y->child; c; c = c->next, i++) {
        if (eval(s, c, at, &column[i]) < 0)
            return -1;
        if (column[i].kind != EXPR_LIST)
            return yaml_err(c, s->e, ERR_FORMAT, "column '%s' is not a list",
                            Q(c->key->text));
        if (i && column[i].n != *rows)
            return yaml_err(c, s->e, ERR_FORMAT,
                            "column '%s' has %d rows, the first one has %d",
                            Q(c->key->text), column[i].n, *rows);
        *rows = column[i].n;
    }
    return 0;
}

static int run_row(struct steps *s, const struct entry *n, struct place at,
                   const struct expr *column, int row, struct value **out)
{
    const struct yaml *y = yaml_get(n->step, "each");
    struct expr_env *b = ARENA_NEWS(s->arena, y->n_child + 1, struct expr_env);
    int i = 0;

    b[0] = (struct expr_env){at.env, "n", expr_int(row + 1)};
    for (const struct yaml *c = y->child; c; c = c->next, i++)
        b[i + 1] = (struct expr_env){&b[i], c->key->text, column[i].item[row]};
    at.env = &b[i];
    if (steps_spend(s, y, 16 * (size_t)y->n_child) < 0)
        return -1;
    return run_body(s, n, at, out);
}

static int run_each(struct steps *s, const struct entry *n, struct value **out)
{
    const struct yaml *y = yaml_get(n->step, "each");
    struct place at = n->at;
    struct expr *column;
    int64_t k = 0;
    int rows = 0;

    if (y->kind != YAML_MAP || !y->n_child || y->n_child > WITH_MAX)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "'each' is a mapping of 1 to 256 columns");
    column = ARENA_NEWS(s->arena, y->n_child, struct expr);
    if (read_columns(s, y, &at, column, &rows) < 0)
        return -1;
    at.k = &k;
    *out = at.x;
    for (int row = 0; row < rows; row++) {
        at.x = *out;
        if (run_row(s, n, at, column, row, out) < 0)
            return -1;
    }
    return 0;
}

static int run_alone(struct steps *s, const struct entry *n, struct value **out)
{
    (void)out;
    return yaml_err(n->step, s->e, ERR_FORMAT,
                    "'branches' stands in a list of branches");
}

static const struct control {
    const char *key;
    int (*run)(struct steps *s, const struct entry *n, struct value **out);
} controls[] = {{"branches", run_alone},
                {"each", run_each},
                {"repeat", run_repeat},
                {"do", run_do}};

static const struct control *find_control(const struct yaml *y)
{
    for (size_t i = 0; i < COUNT(controls); i++)
        if (yaml_get(y, controls[i].key))
            return &controls[i];
    return NULL;
}

static int check_control(struct steps *s, const struct yaml *y)
{
    for (const struct yaml *c = y->child; c; c = c->next)
        if (str_index(c->key->text, control_keys) < 0)
            return stepname_unknown(s, c->key, "a control step has no key",
                                    c->key->text, control_keys);
    if (!yaml_get(y, "do"))
        return yaml_err(y, s->e, ERR_FORMAT, "'do' is missing here");
    if (!!yaml_get(y, "each") + !!yaml_get(y, "repeat") +
            !!yaml_get(y, "branches") >
        1)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "'each', 'repeat' and 'branches' stand in steps of "
                        "their own: nest them");
    return 0;
}

/* ---- one step ---- */

/* The step where the condition of N does not hold.  */
static int run_else(struct steps *s, const struct entry *n, struct value **out)
{
    const struct yaml *y = arg(n->args, "else");

    *out = n->at.x;
    return y ? steps_run(s, y, &n->at, out) : 0;
}

static int run_control(struct steps *s, const struct yaml *y,
                       const struct place *at, struct value **out)
{
    struct entry n;

    if (check_control(s, y) < 0 || enter(s, y, y, at, 0, &n) < 0)
        return -1;
    if (n.n_from > 1)
        return yaml_err(y, s->e, ERR_FORMAT, "steps start from one value");
    return n.go ? find_control(y)->run(s, &n, out) : run_else(s, &n, out);
}

/* The name and the arguments of a step that is not a control step.  */
static int read_head(struct steps *s, const struct yaml *y,
                     const struct yaml **name, const struct yaml **args)
{
    *name = y;
    *args = NULL;
    if (y->kind == YAML_SCALAR && *y->text)
        return 0;
    if (y->kind != YAML_MAP || !y->n_child)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "a step is NAME or NAME: {arguments}");
    if (y->n_child > 1)
        return yaml_err(y->child->next->key, s->e, ERR_FORMAT,
                        "'%s' stands beside the step '%s': put it into {} "
                        "behind that, or indent it more",
                        Q(y->child->next->key->text), Q(y->child->key->text));
    *name = y->child->key;
    *args = y->child;
    if (y->child->kind != YAML_SCALAR)
        return 0;
    *args = NULL;
    return *y->child->text ? yaml_err(y->child, s->e, ERR_FORMAT,
                                      "step '%s' takes {arguments}, not '%s'",
                                      Q((*name)->text), Q(y->child->text))
                           : 0;
}

/* LIBRARY/NAME is a block, of that library if no nearer one stands in for it,
 * or identity: what of a parameter is put into a name shall be no other op.
 * *NAME is then the rest.  */
static int check_library(struct steps *s, const struct yaml *y,
                         const char **name)
{
    const char *slash = strchr(*name, '/'), *rest = slash ? slash + 1 : *name;

    if (slash && strcmp(rest, "identity") != 0 &&
        name_map_get(&s->blocks, rest) < 0)
        return stepname_no_block(
            s, y, arena_strndup(s->arena, *name, (size_t)(slash - *name)),
            rest);
    *name = rest;
    return 0;
}

static int run_named(struct steps *s, const struct yaml *y, const char *name,
                     const struct yaml *args, const struct place *at,
                     struct value **out)
{
    const struct yaml *branches = args && args->kind == YAML_LIST ? args : NULL;
    const int unfit = check_library(s, y, &name);
    const int64_t block = unfit ? -1 : name_map_get(&s->blocks, name);
    const struct op *op = block < 0 ? op_find(name) : NULL;
    struct entry n;

    if (unfit)
        return -1;
    if (block < 0 && !op && !opstep_is_tensor(name))
        return stepname_no_step(s, y, name);
    if (op && op->flags & OP_INTERNAL)
        return yaml_err(y, s->e, ERR_FORMAT, "op '%s' is not for networks",
                        op->name);
    if (branches && !op)
        return yaml_err(args, s->e, ERR_FORMAT,
                        "only ops take branches, '%s' is none", Q(name));
    if (enter(s, y, branches ? NULL : args, at, 1, &n) < 0)
        return -1;
    if (!n.go)
        return run_else(s, &n, out);
    if (block >= 0)
        return run_block(s, block, &n, out);
    if (!op)
        return opstep_tensor(s, name, &n, out);
    return run_op(s, op, name, branches, &n, out);
}

static int run_one(struct steps *s, const struct yaml *y,
                   const struct place *at, struct value **out)
{
    const struct yaml *head, *args;
    const char *name;

    if (steps_spend(s, y, strlen(at->path) + STEP_WORK) < 0)
        return -1;
    if (y->kind == YAML_MAP && find_control(y))
        return run_control(s, y, at, out);
    if (read_head(s, y, &head, &args) < 0)
        return -1;
    name = expr_template(head, at->env, s->arena, s->e);
    return name ? run_named(s, y, name, args, at, out) : -1;
}

int steps_run(struct steps *s, const struct yaml *y, const struct place *at,
              struct value **out)
{
    struct place here = *at;

    *out = at->x;
    if (y->kind != YAML_LIST)
        return run_one(s, y, at, out);
    for (const struct yaml *c = y->child; c; c = c->next) {
        here.x = *out;
        if (run_one(s, c, &here, out) < 0)
            return -1;
    }
    return 0;
}
