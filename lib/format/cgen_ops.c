/* cgen_ops.c -- ops as loops of C: element by element, and of several operands.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/err.h"
#include "format/cgen.h"
#include "graph/graph.h"

static int is_scalar(const struct value *v)
{
    return v && value_is_tensor(v) && v->data.data &&
           shape_count(&v->shape) == 1;
}

/* ---- element by element ---- */

static const struct {
    const char *op, *attr, *value, *text;
} elementwise[] = {
    {"relu", NULL, NULL, "v = v > 0.f ? v : 0.f;"},
    {"relu6", NULL, NULL, "v = v > 0.f ? v < 6.f ? v : 6.f : 0.f;"},
    {"clip", NULL, NULL, "v = v > $min ? v < $max ? v : $max : $min;"},
    {"sigmoid", NULL, NULL, "v = 1.f / (1.f + expf(-v));"},
    {"silu", NULL, NULL, "v = v / (1.f + expf(-v));"},
    {"tanh", NULL, NULL, "v = tanhf(v);"},
    {"hardsigmoid", NULL, NULL,
     "v = fminf(fmaxf($alpha * v + $beta, 0.f), 1.f);"},
    {"hardswish", NULL, NULL, "v *= fminf(fmaxf((v + 3.f) / 6.f, 0.f), 1.f);"},
    {"hardtanh", NULL, NULL, "v = v > $min ? v < $max ? v : $max : $min;"},
    {"leakyrelu", NULL, NULL, "v = v > 0.f ? v : $slope * v;"},
    {"elu", NULL, NULL, "v = v > 0.f ? v : $alpha * expm1f(v);"},
    {"selu", NULL, NULL,
     "v = 1.0507009873554805f * (v > 0.f ? v : 1.6732632423543772f * "
     "expm1f(v));"},
    {"softsign", NULL, NULL, "v = v / (1.f + fabsf(v));"},
    {"softplus", NULL, NULL,
     "v = $beta * v > $threshold ? v : log1pf(expf($beta * v)) / $beta;"},
    {"erf", NULL, NULL, "v = erff(v);"},
    {"exp", NULL, NULL, "v = expf(v);"},
    {"log", NULL, NULL, "v = logf(v);"},
    {"pow", NULL, NULL, "v = powf(v, $exponent);"},
    {"sqrt", NULL, NULL, "v = sqrtf(v);"},
    {"mish", NULL, NULL, "v *= tanhf(v > 20.f ? v : log1pf(expf(v)));"},
    {"gelu", "approximate", "none", "v *= .5f * (1.f + erff(v * .70710678f));"},
    {"gelu", "approximate", "tanh",
     "v *= .5f * (1.f + tanhf(.79788456f * (v + .044715f * v * v * v)));"},
};

const char *cgen_elementwise(const struct node *n)
{
    for (size_t i = 0; i < COUNT(elementwise); i++)
        if (node_is(n, elementwise[i].op) &&
            (!elementwise[i].attr ||
             !strcmp(attr_str(n, elementwise[i].attr), elementwise[i].value)))
            return elementwise[i].text;
    if (node_is(n, "quantize") && is_scalar(n->in[1]) && is_scalar(n->in[2]))
        return "";
    return NULL;
}

/* The head's own statement is that of a tail in front of the others.  */
static int emit_elementwise(struct cgen *c, const struct cgen_step *s,
                            struct err *e)
{
    (void)e;
    cgen_for(c, "i", shape_count(&s->out->shape));
    cgen_line(c, "float v = %s;", cgen_at(c, s->head->in[0], "i"));
    cgen_tail(c, s, "i");
    cgen_end(c, 1);
    return 0;
}

/* ---- joins ---- */

/* The index into X of element i0, i1, ... of an array of rank RANK.  */
static const char *broadcast(struct cgen *c, const struct shape *x, int rank)
{
    const char *text = NULL;
    int64_t stride = 1;

    for (int i = x->rank - 1; i >= 0; i--) {
        const char *var = cgen_text(c, "i%d", rank - x->rank + i);

        if (x->dim[i] != 1)
            text = cgen_text(c, "%s%s%s", cgen_times(c, var, stride),
                             text ? " + " : "", text ? text : "");
        stride *= x->dim[i];
    }
    return text ? text : "0";
}

static int emit_join(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;
    const struct shape *y = &n->out[0]->shape;
    int loops = 0;

    (void)e;
    for (int i = 0; i < y->rank; i++)
        if (y->dim[i] != 1 || !i) { /* one at least: it is a scope */
            cgen_for(c, cgen_text(c, "i%d", i), y->dim[i]);
            loops++;
        }
    for (int k = 0; k < n->n_in; k++) {
        const char *x =
            cgen_at(c, n->in[k], broadcast(c, &n->in[k]->shape, y->rank));

        if (!k)
            cgen_line(c, "float v = %s;", x);
        else if (node_is(n, "max"))
            cgen_line(c, "v = %s > v ? %s : v;", x, x);
        else
            cgen_line(c, "v %s %s;",
                      node_is(n, "add")   ? "+="
                      : node_is(n, "div") ? "/="
                                          : "*=",
                      x);
    }
    cgen_tail(c, s, broadcast(c, y, y->rank));
    cgen_end(c, loops);
    return 0;
}

static const struct cgen_op joins[] = {
    {"add", emit_join, 0},
    {"div", emit_join, 0},
    {"max", emit_join, 0},
    {"mul", emit_join, 0},
    {0},
};

cgen_fn *cgen_head(const struct node *n, int *alone)
{
    static const struct cgen_op *const tables[] = {joins, cgen_layers,
                                                   cgen_moves};

    *alone = 0;
    if (cgen_elementwise(n))
        return emit_elementwise;
    for (size_t t = 0; t < COUNT(tables); t++)
        for (const struct cgen_op *o = tables[t]; o->op; o++)
            if (node_is(n, o->op)) {
                *alone = o->alone;
                return o->emit;
            }
    return NULL;
}
