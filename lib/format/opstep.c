/* opstep.c -- see steps.h: a step that is an op or a free tensor.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/stepname.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "op/ops.h"

enum { ATTRS = 64, INPUTS = 32 };

/* Arguments that every op takes beside its attributes and roles.  */
static const char *const common[] = {"as", "from", "when", "else",
                                     "of", "init", NULL};

struct call {
    struct steps *s;
    const struct op *op;
    const struct entry *n;
    const char *name; /* of the node */
    struct attr_text attr[ATTRS + 1];
    int n_attr;
    const struct yaml *role[INPUTS]; /* parameter names given, by operand */
};

static int is_tensor(const struct op_in *in)
{
    return in->role == ROLE_PARAM || in->role == ROLE_STATE;
}

static int role_index(const struct op *op, const char *name)
{
    for (int i = 0; op->in[i].name; i++)
        if (is_tensor(&op->in[i]) && !strcmp(op->in[i].name, name))
            return i;
    return -1;
}

static int unknown_arg(struct call *c, const struct yaml *y)
{
    const char *list[ATTRS + INPUTS + COUNT(common) + 1];
    const struct op *op = c->op;
    int n = 0;

    for (int i = 0; op->attr && op->attr[i].name && i < ATTRS; i++)
        list[n++] = op->attr[i].name;
    for (int i = 0; op->in[i].name && i < INPUTS; i++)
        if (is_tensor(&op->in[i]))
            list[n++] = op->in[i].name;
    for (int i = 0; common[i]; i++)
        list[n++] = common[i];
    list[n] = NULL;
    return stepname_unknown(
        c->s, y->key,
        arena_printf(c->s->arena, "op '%s' has no attribute", op->name),
        y->key->text, list);
}

static int set_attr(struct call *c, int attr, const struct yaml *y,
                    const char *text)
{
    struct arena scratch = {0};
    struct attr v;
    int rc;

    /* parsed here once more, so that the message has the argument's place */
    rc = attr_parse(&v, &c->op->attr[attr], text, &scratch, c->s->e);
    arena_release(&scratch);
    if (rc < 0)
        return yaml_in(y, c->s->e);
    if (c->n_attr == ATTRS)
        BUG("op '%s' has more than 64 attributes", c->op->name);
    c->attr[c->n_attr++] = (struct attr_text){c->op->attr[attr].name, text};
    return 0;
}

/* The value of Y as text; NULL on error.  */
static const char *value_text(struct steps *s, const struct yaml *y,
                              const struct expr_env *env)
{
    struct str text = {0};
    const char *copy;
    struct expr v;

    if (steps_spend(s, y, strlen(y->text) + 16 * (size_t)y->n_child) < 0 ||
        expr_yaml(&v, y, env, s->arena, s->e) < 0)
        return NULL;
    expr_print(&text, &v);
    copy = arena_strdup(s->arena, str_text(&text));
    str_release(&text);
    return copy;
}

/* `bias: yes' is an attribute, `bias: NAME' names the parameter and means yes.
 */
static int read_arg(struct call *c, const struct yaml *y)
{
    const int attr = attr_index(c->op, y->key->text);
    const int role = role_index(c->op, y->key->text);
    const char *text;
    int yes;

    if (str_index(y->key->text, common) >= 0)
        return 0;
    if (attr < 0 && role < 0)
        return unknown_arg(c, y);
    if (role >= 0 && attr < 0) {
        c->role[role] = y;
        return 0;
    }
    text = value_text(c->s, y, c->n->at.env);
    if (!text)
        return -1;
    if (role >= 0 && parse_bool(text, &yes) < 0) {
        c->role[role] = y;
        return set_attr(c, attr, y, "yes");
    }
    return set_attr(c, attr, y, text);
}

static int read_args(struct call *c)
{
    const struct yaml *args = c->n->args;

    for (const struct yaml *y = args ? args->child : NULL; y; y = y->next)
        if (read_arg(c, y) < 0)
            return -1;
    return 0;
}

/* ---- operands ---- */

/* Is the operand there, as its `when' attribute says?  */
static int is_there(const struct call *c, const struct op_in *in)
{
    const char *text = NULL;
    int yes = 0;

    if (!in->when)
        return 1;
    text = c->op->attr[attr_index(c->op, in->when)].def;
    for (int i = 0; i < c->n_attr; i++)
        if (!strcmp(c->attr[i].name, in->when))
            text = c->attr[i].text;
    return text && parse_bool(text, &yes) == 0 && yes;
}

/* The initialiser that the step gives for ROLE, NULL if it gives none.  */
static int init_of(const struct call *c, const struct op_in *in,
                   const char **init)
{
    const struct yaml *y = c->n->args ? yaml_get(c->n->args, "init") : NULL;

    *init = in->init;
    if (!y)
        return 0;
    if (y->kind != YAML_MAP)
        return yaml_err(y, c->s->e, ERR_FORMAT,
                        "'init' is a mapping such as {weight: zeros}");
    for (const struct yaml *k = y->child; k; k = k->next)
        if (role_index(c->op, k->key->text) < 0)
            return yaml_err(k->key, c->s->e, ERR_FORMAT,
                            "op '%s' has no parameter '%s'", c->op->name,
                            Q(k->key->text));
    y = yaml_get(y, in->name);
    if (y) {
        *init = value_text(c->s, y, c->n->at.env);
        if (!*init)
            return -1;
    }
    return 0;
}

static struct value *new_tensor(struct steps *s, const char *name,
                                enum value_kind kind, const char *init)
{
    struct value *v = graph_tensor(s->g, name, kind, NULL, NULL);

    v->init = init ? arena_strdup(&s->g->arena, init) : NULL;
    return v;
}

/* Operand I from the name that the step gives it: a value that is there, or a
 * new one in the scope around the step.  */
static int named_operand(struct call *c, int i, const char *init,
                         struct value **v)
{
    const struct yaml *y = c->role[i];
    const char *name = expr_template(y, c->n->at.env, c->s->arena, c->s->e);

    if (!name || steps_spend(c->s, y, strlen(name)) < 0)
        return -1;
    *v = stepname_find(c->s, c->n->outer, name);
    if (*v)
        return 0;
    name = stepname_join(c->s, c->n->outer, name);
    if (stepname_check(c->s, y, name) < 0)
        return -1;
    *v = new_tensor(c->s, name,
                    c->op->in[i].role == ROLE_PARAM ? VALUE_PARAM : VALUE_STATE,
                    init);
    return 0;
}

static int own_operand(struct call *c, int i, const char *init,
                       struct value **v)
{
    const struct op_in *in = &c->op->in[i];
    const char *name = stepname_join(c->s, c->name, in->name);

    if (graph_value(c->s->g, name))
        return yaml_err(c->n->step, c->s->e, ERR_FORMAT,
                        "'%s' is there already; a step that shares it says "
                        "%s: %s",
                        Q(name), in->name, Q(name));
    *v = new_tensor(c->s, name,
                    in->role == ROLE_PARAM ? VALUE_PARAM : VALUE_STATE, init);
    return 0;
}

static int make_operands(struct call *c, struct value *const *values,
                         int n_values, struct value **in)
{
    const struct op *op = c->op;
    int given = 0;

    for (int i = 0; op->in[i].name; i++) {
        const char *init;

        if (i == INPUTS)
            BUG("op '%s' has more than 32 inputs", op->name);
        in[i] = NULL;
        if (!is_tensor(&op->in[i])) {
            if (given < n_values && is_there(c, &op->in[i]))
                in[i] = values[given++];
            continue;
        }
        if (!is_there(c, &op->in[i])) {
            if (c->role[i])
                return yaml_err(c->role[i], c->s->e, ERR_FORMAT,
                                "'%s' is switched off by '%s'", op->in[i].name,
                                op->in[i].when);
            continue;
        }
        if (init_of(c, &op->in[i], &init) < 0 ||
            (c->role[i] ? named_operand : own_operand)(c, i, init, &in[i]) < 0)
            return -1;
    }
    if (given < n_values)
        return yaml_err(c->n->step, c->s->e, ERR_FORMAT,
                        "op '%s' takes %d values, not %d", op->name, given,
                        n_values);
    return 0;
}

static struct node *add_node(struct call *c, struct value *const *values,
                             int n_values)
{
    struct value *in[INPUTS];
    struct node *n;
    int n_in = 0;

    if (!(c->op->flags & OP_JOIN)) {
        if (make_operands(c, values, n_values, in) < 0)
            return NULL;
        while (c->op->in[n_in].name)
            n_in++;
        values = in;
        n_values = n_in;
    }
    n = graph_add(c->s->g, c->op, c->name, values, n_values, c->attr, c->s->e);
    if (!n)
        yaml_in(c->n->step, c->s->e);
    return n;
}

/* ---- names ---- */

/* `relu', `relu_2', ... in the scope around the step.  */
static const char *free_name(struct steps *s, const char *path,
                             const char *name)
{
    const char *stem = stepname_join(s, path, name), *got = stem;
    int64_t i = name_map_put(&s->counts, stem, s->n_count);

    if (i < 0) {
        i = s->n_count;
        ARRAY_GROW(s->count, s->n_count, s->cap_count);
        s->count[s->n_count++] = 1;
    } else {
        got = arena_printf(s->arena, "%s_%d", stem, ++s->count[i]);
    }
    while (graph_value(s->g, got))
        got = arena_printf(s->arena, "%s_%d", stem, ++s->count[i]);
    return got;
}

static const char *node_name(struct steps *s, const struct entry *n,
                             const char *op)
{
    const char *name = n->named ? n->at.path : free_name(s, n->outer, op);

    if (stepname_check(s, n->step, name) < 0)
        return NULL;
    if (graph_value(s->g, name)) {
        yaml_err(n->step, s->e, ERR_FORMAT, "two values are called '%s'",
                 Q(name));
        return NULL;
    }
    return name;
}

/* A classifier of no classes: what it reads passes.  */
static int is_left_out(const struct call *c)
{
    for (int i = 0; c->s->no_classes && i < c->n_attr; i++)
        if (!strcmp(c->attr[i].name, "out") && !strcmp(c->attr[i].text, "0"))
            return 1;
    return 0;
}

static int leave_out(struct steps *s, const struct entry *n, struct value *x,
                     struct value **out)
{
    *out = x;
    s->left_out++;
    if (n->named)
        stepname_scope(s, n->at.path, x);
    return 0;
}

int opstep_add(struct steps *s, const struct op *op, const char *name,
               const struct entry *n, struct value *const *values, int n_values,
               struct value **out)
{
    struct call c = {.s = s, .op = op, .n = n};
    const struct node *node;

    if (!strcmp(op->name, "identity") && !n->named && n_values == 1) {
        *out = values[0]; /* the branch that changes nothing */
        return 0;
    }
    if (--s->nodes_left < 0)
        return yaml_err(n->step, s->e, ERR_FORMAT,
                        "the network has too many ops");
    if (read_args(&c) < 0)
        return -1;
    if (is_left_out(&c))
        return leave_out(s, n, values[0], out);
    c.name = node_name(s, n, name);
    if (!c.name)
        return -1;
    node = add_node(&c, values, n_values);
    if (!node)
        return -1;
    *out = node->out[0];
    return 0;
}

/* ---- free tensors ---- */

static const struct {
    const char *name;
    enum value_kind kind;
} tensors[] = {
    {"param", VALUE_PARAM}, {"state", VALUE_STATE}, {"const", VALUE_CONST}};

int opstep_is_tensor(const char *name)
{
    for (size_t i = 0; i < COUNT(tensors); i++)
        if (!strcmp(tensors[i].name, name))
            return 1;
    return 0;
}

static enum value_kind tensor_kind(const char *name)
{
    for (size_t i = 0; i < COUNT(tensors); i++)
        if (!strcmp(tensors[i].name, name))
            return tensors[i].kind;
    BUG("'%s' is no tensor", name);
}

static int read_shape(struct steps *s, const struct yaml *y,
                      const struct expr_env *env, struct shape *shape)
{
    struct expr v;
    int64_t count;

    *shape = (struct shape){0};
    if (expr_yaml(&v, y, env, s->arena, s->e) < 0)
        return -1;
    if (v.kind != EXPR_LIST || v.n > SHAPE_MAX)
        return yaml_err(y, s->e, ERR_FORMAT,
                        "'shape' is a list of at most 8 sizes");
    for (shape->rank = 0; shape->rank < v.n; shape->rank++)
        if (expr_whole(&v.item[shape->rank], y, 0, INT64_MAX,
                       &shape->dim[shape->rank], s->e) < 0)
            return -1;
    return shape_check(shape, 8, &count, s->e) < 0 ? yaml_in(y, s->e) : 0;
}

static int read_dtype(struct steps *s, const struct yaml *y, enum dtype *dt)
{
    int t;

    *dt = DTYPE_F32;
    if (!y)
        return 0;
    t = dtype_by_name(y->text);
    if (t < 0)
        return yaml_err(y, s->e, ERR_FORMAT, "no element type is called '%s'",
                        Q(y->text));
    *dt = (enum dtype)t;
    return 0;
}

static int check_tensor(struct steps *s, const struct entry *n,
                        const char *name)
{
    static const char *const keys[] = {"as",   "shape", "init", "dtype",
                                       "when", "else",  "from", NULL};

    for (const struct yaml *y = n->args ? n->args->child : NULL; y; y = y->next)
        if (str_index(y->key->text, keys) < 0)
            return stepname_unknown(s, y->key, "a tensor has no attribute",
                                    y->key->text, keys);
    if (!n->named || !yaml_get(n->args, "shape"))
        return yaml_err(n->step, s->e, ERR_FORMAT,
                        "'%s' needs 'as' and 'shape'", name);
    return 0;
}

int opstep_tensor(struct steps *s, const char *name, const struct entry *n,
                  struct value **out)
{
    const struct yaml *init;
    const char *text = NULL, *own;
    struct shape shape;
    enum dtype dt;

    if (check_tensor(s, n, name) < 0)
        return -1;
    init = yaml_get(n->args, "init");
    if (init && !(text = value_text(s, init, n->at.env)))
        return -1;
    own = node_name(s, n, name);
    if (!own || read_shape(s, yaml_get(n->args, "shape"), n->at.env, &shape) ||
        read_dtype(s, yaml_get(n->args, "dtype"), &dt) < 0)
        return -1;
    *out = new_tensor(s, own, tensor_kind(name), text);
    (*out)->shape = shape;
    (*out)->dtype = dt;
    return 0;
}
