/* modelname.c -- see modelname.h.
 * SPDX-License-Identifier: MIT  */
#include "format/modelname.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"
#include "tensor/set.h"

enum { SHOWN = 5 };

/* Buffers of PyTorch's modules that follow from the network.  */
static const char *const buffers[] = {".num_batches_tracked",
                                      ".relative_position_index", ".attn_mask"};

/* NAME is a tensor that adze reads over.  */
static int ignored(const char *name)
{
    for (size_t i = 0; i < COUNT(buffers); i++)
        if (str_ends(name, buffers[i]))
            return 1;
    return str_starts(name, "adze:");
}

#define ADD(d, list, name)                                  \
    (ARRAY_GROW((d)->list, (d)->n_##list, (d)->cap_##list), \
     (d)->list[(d)->n_##list++] = (name))

void modelname_compare(struct modelname_diff *d, const struct graph *g,
                       const struct set *s)
{
    d->g = g;
    d->s = s;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];
        const struct tensor *t = set_get(s, v->name);

        if (!value_is_tensor(v))
            continue;
        if (!t)
            ADD(d, missing, v->name);
        else if (!shape_equal(&t->shape, &v->shape))
            ADD(d, shape, v->name);
    }
    for (int64_t i = 0; i < s->n; i++)
        if (!ignored(s->item[i].name) &&
            !value_is_tensor(graph_value(g, s->item[i].name)))
            ADD(d, unexpected, s->item[i].name);
}

void modelname_diff_release(struct modelname_diff *d)
{
    free(d->missing);
    free(d->unexpected);
    free(d->shape);
    *d = (struct modelname_diff){0};
}

static void print_list(struct str *s, const char *what, const char *const *list,
                       int n)
{
    if (!n)
        return;
    str_printf(s, "%s%s ", s->len ? "; " : "", what);
    for (int i = 0; i < n && i < SHOWN; i++)
        str_printf(s, "%s'%.80s'", i ? ", " : "", Q(list[i]));
    if (n > SHOWN)
        str_printf(s, " and %d more", n - SHOWN);
}

static void print_shapes(struct str *s, const struct modelname_diff *d)
{
    for (int i = 0; i < d->n_shape && i < SHOWN; i++)
        str_printf(s, "%s'%.80s' is %s, not %s", s->len ? "; " : "",
                   Q(d->shape[i]), ST(&set_get(d->s, d->shape[i])->shape),
                   ST(&graph_value(d->g, d->shape[i])->shape));
    if (d->n_shape > SHOWN)
        str_printf(s, " and %d more shapes", d->n_shape - SHOWN);
}

int modelname_error(const struct modelname_diff *d, struct err *e)
{
    struct str s = {0};

    print_list(&s, "missing", d->missing, d->n_missing);
    print_list(&s, "unexpected", d->unexpected, d->n_unexpected);
    print_shapes(&s, d);
    err_set(e, ERR_FORMAT, "the tensors do not fit the network: %s",
            str_text(&s));
    str_release(&s);
    return -1;
}
