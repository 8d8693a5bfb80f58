/* netends.c -- see netends.h.
 * SPDX-License-Identifier: MIT  */
#include "format/netends.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/stepname.h"
#include "format/steps.h"
#include "format/yaml.h"
#include "graph/graph.h"

enum { OUTPUTS = 1000 };

/* ---- inputs ---- */

/* "64", "N", "64N"  */
static int read_dim(const struct yaml *y, const char *text, struct shape *s,
                    struct err *e)
{
    const size_t n = strlen(text);
    const int batch = n && text[n - 1] == 'N';
    char num[24] = "1";
    int64_t *d = &s->dim[s->rank];

    if (n < sizeof num && !(batch && n == 1)) {
        memcpy(num, text, n - (size_t)batch);
        num[n - (size_t)batch] = 0;
    }
    if (n >= sizeof num || parse_i64(num, 1, INT32_MAX, d) < 0)
        return yaml_err(y, e, ERR_FORMAT,
                        "'%s' is not a size such as 64, N or 64N", Q(text));
    s->batch |= (uint8_t)(batch << s->rank++);
    return 0;
}

static int read_dims(struct steps *st, const struct yaml *y, struct shape *s)
{
    struct expr v;
    int64_t count;

    if (expr_yaml(&v, y, st->params, st->arena, st->e) < 0)
        return -1;
    if (v.kind != EXPR_LIST || v.n < 1 || s->rank + v.n > SHAPE_MAX)
        return yaml_err(y, st->e, ERR_FORMAT,
                        "a list of 1 to 8 sizes is "
                        "wanted");
    for (int i = 0; i < v.n; i++) {
        struct str text = {0};
        int rc;

        expr_print(&text, &v.item[i]);
        rc = read_dim(y, str_text(&text), s, st->e);
        str_release(&text);
        if (rc < 0)
            return -1;
    }
    return shape_check(s, 8, &count, st->e) < 0 ? yaml_in(y, st->e) : 0;
}

static int read_picture(struct steps *st, const struct yaml *y)
{
    struct shape s = {.rank = 1, .dim = {1}, .batch = 1};

    if (read_dims(st, y, &s) < 0)
        return -1;
    if (s.rank != 4 || s.batch != 1)
        return yaml_err(y, st->e, ERR_FORMAT, "'size' is [C, H, W]");
    for (int i = 1; i < 4; i++)
        if (s.dim[i] > 65535)
            return yaml_err(y, st->e, ERR_FORMAT, "a size of more than 65535");
    graph_input(st->g, "image", DTYPE_F32, &s);
    return 0;
}

static int read_named(struct steps *st, const struct yaml *y)
{
    const struct yaml *shape = yaml_get(y, "shape"),
                      *dtype = yaml_get(y, "dtype");
    struct shape s = {0};
    int dt = DTYPE_F32;

    if (!shape)
        return yaml_err(y, st->e, ERR_FORMAT, "input '%s' has no 'shape'",
                        Q(y->key->text));
    if (stepname_check(st, y->key, y->key->text) < 0 ||
        read_dims(st, shape, &s) < 0)
        return -1;
    if (dtype && (dt = dtype_by_name(dtype->text)) < 0)
        return yaml_err(dtype, st->e, ERR_FORMAT,
                        "no element type is called '%s'", Q(dtype->text));
    graph_input(st->g, y->key->text, (enum dtype)dt, &s);
    return 0;
}

int netends_inputs(struct steps *st, const struct yaml *y)
{
    if (!y || y->kind != YAML_MAP || !y->n_child)
        return err_set(st->e, ERR_FORMAT,
                       "the network does not say 'input: {size: [C, H, W]}'");
    if (yaml_get(y, "size"))
        return y->n_child == 1
                   ? read_picture(st, yaml_get(y, "size"))
                   : yaml_err(y, st->e, ERR_FORMAT,
                              "'size' is the only key of a picture's input");
    for (const struct yaml *c = y->child; c; c = c->next)
        if (read_named(st, c) < 0)
            return -1;
    return 0;
}

/* ---- outputs ---- */

static const char *const output_keys[] = {"from", "train", "loss", "when",
                                          NULL};

/* Y is a value, or a mapping that says which.  */
static const struct yaml *output_from(struct steps *st, const struct yaml *y)
{
    const struct yaml *from = y->kind == YAML_MAP ? yaml_get(y, "from") : y;

    if (!from || from->kind != YAML_SCALAR) {
        yaml_err(y, st->e, ERR_FORMAT,
                 "an output is a value, or {from: VALUE, train: yes}");
        return NULL;
    }
    for (const struct yaml *c = y->child; c; c = c->next)
        if (str_index(c->key->text, output_keys) < 0) {
            stepname_unknown(st, c->key, "an output has no key", c->key->text,
                             output_keys);
            return NULL;
        }
    return from;
}

/* The truth of KEY of the output Y in *B, which stays where it is not said.  */
static int output_truth(struct steps *st, const struct yaml *y, const char *key,
                        int *b)
{
    const struct yaml *t = y->kind == YAML_MAP ? yaml_get(y, key) : NULL;
    struct expr v;

    if (!t)
        return 0;
    return expr_yaml(&v, t, st->params, st->arena, st->e) < 0
               ? -1
               : expr_truth(&v, t, b, st->e);
}

static int output_loss(struct steps *st, const struct yaml *y, double *loss)
{
    const struct yaml *t = y->kind == YAML_MAP ? yaml_get(y, "loss") : NULL;
    struct expr v;

    *loss = 0;
    if (!t)
        return 0;
    if (!strcmp(y->key->text, "logits"))
        return yaml_err(t, st->e, ERR_FORMAT, "the loss of 'logits' counts 1");
    return expr_yaml(&v, t, st->params, st->arena, st->e) < 0
               ? -1
               : expr_real(&v, t, 0, 1e6, loss, st->e);
}

static int read_output(struct steps *st, const struct yaml *y)
{
    const struct yaml *from = output_from(st, y);
    const char *name;
    struct value *v;
    int train = 0, when = 1;
    double loss;

    if (!from || output_truth(st, y, "when", &when) < 0)
        return -1;
    if (!when)
        return 0;
    name = expr_template(from, st->params, st->arena, st->e);
    if (!name || stepname_check(st, y->key, y->key->text) < 0 ||
        output_truth(st, y, "train", &train) < 0 ||
        output_loss(st, y, &loss) < 0)
        return -1;
    v = stepname_find(st, "", name);
    if (!v)
        v = graph_scope_value(st->g, name);
    if (!v)
        return stepname_no_value(st, from, name);
    graph_output(st->g, y->key->text, v, train)->loss = loss;
    return 0;
}

int netends_outputs(struct steps *st, const struct yaml *y, struct value *last)
{
    if (!y) {
        graph_output(st->g, "logits", last, 0);
        return 0;
    }
    if (y->kind != YAML_MAP || !y->n_child || y->n_child > OUTPUTS)
        return yaml_err(y, st->e, ERR_FORMAT,
                        "'outputs' is a mapping of 1 to 1000 names");
    for (const struct yaml *c = y->child; c; c = c->next)
        if (read_output(st, c) < 0)
            return -1;
    for (int i = 0; i < st->g->n_output; i++)
        if (!st->g->output[i].train)
            return 0;
    return yaml_err(y, st->e, ERR_FORMAT,
                    "'outputs' are for training alone: one is the network's "
                    "answer, 'logits'");
}
