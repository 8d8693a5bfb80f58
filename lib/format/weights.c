/* weights.c -- see weights.h.
 * SPDX-License-Identifier: MIT  */
#include "format/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/head.h"
#include "graph/graph.h"
#include "tensor/set.h"

/* ---- prefixes ---- */

static const char *const prefixes[] = {"module.", "model."};

/* NAME behind all prefixes.  */
static const char *behind(const char *name)
{
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (str_starts(name, prefixes[i])) {
            name += strlen(prefixes[i]);
            i = (size_t)-1; /* from the first one again */
        }
    return name;
}

/* The next size from *I on that is not 1; 0 behind the last.  */
static int64_t next_size(const struct shape *s, int *i)
{
    while (*i < s->rank && s->dim[*i] == 1)
        ++*i;
    return *i < s->rank ? s->dim[(*i)++] : 0;
}

static int equal_but_ones(const struct shape *a, const struct shape *b)
{
    int i = 0, k = 0;
    int64_t size;

    do {
        size = next_size(a, &i);
        if (size != next_size(b, &k))
            return 0;
    } while (size);
    return 1;
}

/* T under NAME, in the shape that G has it in if that differs by sizes of 1
 * alone.  */
static int put_fitted(struct set *to, const char *name, const struct tensor *t,
                      const struct graph *g)
{
    const struct value *v = graph_value(g, name);
    struct tensor own = *t;

    if (value_is_tensor(v) && tensor_count(t) && v->shape.rank &&
        equal_but_ones(&t->shape, &v->shape))
        own.shape = v->shape;
    return set_put(to, name, &own);
}

void weights_strip(struct set *to, const struct set *from,
                   const struct graph *g, struct weights_strip *cut)
{
    *cut = (struct weights_strip){0};
    set_init(to);
    for (int64_t i = 0; i < from->n_meta; i++)
        set_meta_put(to, from->meta[i].key, from->meta[i].value);
    for (int64_t i = 0; i < from->n; i++) {
        const char *name = from->item[i].name, *rest = behind(name);

        if (rest != name && !value_is_tensor(graph_value(g, name)) &&
            value_is_tensor(graph_value(g, rest)) && !set_get(from, rest) &&
            put_fitted(to, rest, &from->item[i].t, g) == 0) {
            if (!cut->n++)
                snprintf(cut->prefix, sizeof cut->prefix, "%.*s",
                         (int)(rest - name), name);
        } else {
            put_fitted(to, name, &from->item[i].t, g);
        }
    }
}

/* ---- the head ---- */

static int is_ours(const struct value *v)
{
    return v->kind == VALUE_PARAM || v->kind == VALUE_STATE;
}

static const struct value *find(const struct graph *g, const char *name)
{
    return graph_value(g, name);
}

/* A head of another shape, or none, wants --head=new.  */
static int check_head(const struct weights *w, const struct graph *g,
                      const struct set *s, struct err *e)
{
    for (int i = 0; i < w->diff.n_shape; i++) {
        const struct value *v = find(g, w->diff.shape[i]);

        if (head_has(g, v))
            return err_set(e, ERR_SHAPE,
                           "the head '%s' is %s in the file, %s here: "
                           "--head=new takes the rest and makes a new head",
                           Q(v->name), ST(&set_get(s, v->name)->shape),
                           ST(&v->shape));
    }
    for (int i = 0; i < w->diff.n_missing; i++)
        if (head_has(g, find(g, w->diff.missing[i])))
            return err_set(e, ERR_FORMAT,
                           "the file has no head '%s': --head=new makes a "
                           "new one",
                           Q(w->diff.missing[i]));
    return 0;
}

/* Drop the tensors of the head from LIST.  */
static int without_head(const struct graph *g, const char **list, int n)
{
    int k = 0;

    for (int i = 0; i < n; i++)
        if (!head_has(g, find(g, list[i])))
            list[k++] = list[i];
    return k;
}

/* How many tensors G has, and how many of them the file has in their shape.
 */
static int count_tensors(const struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        n += is_ours(g->value[i]) || g->value[i]->kind == VALUE_CONST;
    return n;
}

static int count_fitting(const struct modelname_diff *d)
{
    return count_tensors(d->g) - d->n_missing - d->n_shape;
}

/* A convolution of the file in whose place D->g has branches, as
 * "conv1.square_bn.weight"; NULL if there is none.  */
static const char *branched(const struct modelname_diff *d)
{
    enum { LOOK = 100 };

    for (int i = 0; i < d->n_unexpected && i < LOOK; i++) {
        const char *name = d->unexpected[i];
        const size_t stem = strlen(name) - strlen("weight");

        if (!str_ends(name, ".weight"))
            continue;
        for (int k = 0; k < d->n_missing; k++)
            if (!strncmp(d->missing[k], name, stem) &&
                str_ends(d->missing[k], "_bn.weight") &&
                strchr(d->missing[k] + stem, '.') ==
                    strrchr(d->missing[k], '.'))
                return name;
    }
    return NULL;
}

static int refuse(const struct modelname_diff *d, struct err *e)
{
    const int n = count_tensors(d->g), fit = count_fitting(d);
    const char *conv = branched(d);
    struct err why = {0};

    if (conv)
        return err_set(e, ERR_FORMAT,
                       "'%s' is of one convolution, here are branches in its "
                       "place, which begin anew: take the weights without "
                       "-o conv, or train without --from",
                       Q(conv));
    modelname_error(d, &why);
    return err_set(e, ERR_FORMAT, "%s (%d of %d fit%s; --partial takes those)",
                   why.msg, fit, n,
                   2 * fit < n ? ", so it may be of another network" : "");
}

/* Nothing of S fits G: one name of each, of the same shape if there are such.
 */
static int refuse_all(const struct modelname_diff *d, struct err *e)
{
    const struct value *ours = NULL;
    const char *theirs = NULL;

    for (int i = 0; i < d->n_missing && !ours; i++)
        if (graph_value(d->g, d->missing[i])->kind == VALUE_PARAM)
            ours = graph_value(d->g, d->missing[i]);
    for (int i = 0; i < d->n_unexpected && ours && !theirs; i++)
        if (shape_equal(&set_get(d->s, d->unexpected[i])->shape, &ours->shape))
            theirs = d->unexpected[i];
    if (!theirs && d->n_unexpected)
        theirs = d->unexpected[0];
    if (!ours || !theirs)
        return err_set(e, ERR_FORMAT,
                       "no tensor has a name and shape of this network");
    return err_set(e, ERR_FORMAT,
                   "no tensor has a name and shape of this network: the file "
                   "has '%.80s' %s, the network '%.80s' %s; is it of another "
                   "network, or under other names?",
                   Q(theirs), ST(&set_get(d->s, theirs)->shape), Q(ours->name),
                   ST(&ours->shape));
}

static int check(struct weights *w, const struct graph *g, const struct set *s,
                 const struct weights_opts *o, struct err *e)
{
    struct modelname_diff d = w->diff;

    if (!o->new_head && !o->partial &&
        2 * count_fitting(&d) >= count_tensors(g) && check_head(w, g, s, e) < 0)
        return -1;
    if (o->new_head) {
        w->diff.n_missing = without_head(g, w->diff.missing, w->diff.n_missing);
        w->diff.n_shape = without_head(g, w->diff.shape, w->diff.n_shape);
    }
    d = w->diff;
    if (o->new_head)
        d.n_unexpected = 0;
    return o->partial || !(d.n_missing || d.n_shape || d.n_unexpected)
               ? 0
               : refuse(&d, e);
}

static int take(struct value *v, const struct tensor *t, struct err *e)
{
    struct tensor copy;

    if (t->dtype == DTYPE_F32) {
        value_set_data(v, t);
        return 0;
    }
    if (t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16 &&
        t->dtype != DTYPE_F64)
        return err_set(e, ERR_FORMAT, "tensor '%s' is %s, not a float",
                       Q(v->name), dtype_name(t->dtype));
    if (tensor_convert(&copy, t, DTYPE_F32, e) < 0)
        return -1;
    value_set_data(v, &copy);
    tensor_unref(&copy);
    return 0;
}

static int take_all(struct weights *w, struct graph *g, const struct set *s,
                    const struct weights_opts *o, struct err *e)
{
    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        const struct tensor *t = is_ours(v) ? set_get(s, v->name) : NULL;

        if (o->new_head && is_ours(v) && head_has(g, v)) {
            ARRAY_GROW(w->head, w->n_head, w->cap_head);
            w->head[w->n_head++] = v->name;
            continue;
        }
        if (!t || !shape_equal(&t->shape, &v->shape))
            continue;
        if (take(v, t, e) < 0)
            return -1;
        ARRAY_GROW(w->taken, w->n_taken, w->cap_taken);
        w->taken[w->n_taken++] = v->name;
        if (v->kind == VALUE_PARAM)
            w->taken_params += tensor_count(t);
    }
    return 0;
}

int weights_take(struct weights *w, struct graph *g, const struct set *s,
                 const struct weights_opts *o, struct err *e)
{
    *w = (struct weights){0};
    modelname_compare(&w->diff, g, s);
    if (!count_fitting(&w->diff))
        return branched(&w->diff) ? refuse(&w->diff, e)
                                  : refuse_all(&w->diff, e);
    if (check(w, g, s, o, e) < 0)
        return -1;
    return take_all(w, g, s, o, e);
}

void weights_release(struct weights *w)
{
    modelname_diff_release(&w->diff);
    free(w->taken);
    free(w->head);
    *w = (struct weights){0};
}
