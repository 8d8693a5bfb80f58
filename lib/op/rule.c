/* rule.c -- what the infer functions of ops share.
 * SPDX-License-Identifier: MIT  */
#include "op/rule.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/attr.h"
#include "graph/graph.h"

static const char *operand(const struct node *n, int i)
{
    return node_in_info(n, i)->name;
}

enum { SIZE_FACTOR = 1 << 14, WORK_FACTOR = 32 };

int rule_size(const struct shape *s, struct err *e)
{
    int64_t count;
    if (shape_check(s, SIZE_FACTOR, &count, e) < 0)
        return -1;
    if (!count)
        return err_set(e, ERR_SHAPE, "shape %s has no elements", ST(s));
    return 0;
}

int rule_work(const struct node *n, int64_t terms, struct err *e)
{
    const struct shape *y = &n->out[0]->shape;
    int64_t work;
    if (i64_mul(shape_count(y), WORK_FACTOR, &work) < 0 ||
        i64_mul(work, terms, &work) < 0)
        return err_set(e, ERR_SHAPE,
                       "%lld multiply-adds for each of %s are too many",
                       (long long)terms, ST(y));
    return 0;
}

int rule_batch(const struct shape *s, int i)
{
    return s->batch >> i & 1;
}

int rule_float(const struct node *n, int i, struct err *e)
{
    if (n->in[i]->dtype != DTYPE_F32)
        return err_set(e, ERR_SHAPE, "operand %s is %s, not f32", operand(n, i),
                       dtype_name(n->in[i]->dtype));
    return 0;
}

int rule_data(const struct node *n, int i, int min, int max, struct err *e)
{
    const struct shape *s = &n->in[i]->shape;
    if (rule_float(n, i, e) < 0)
        return -1;
    if (s->rank < min || s->rank > max)
        return err_set(e, ERR_SHAPE, "operand %s %s has %d sizes, not %d%s%.0d",
                       operand(n, i), ST(s), s->rank, min,
                       min < max ? " to " : "", min < max ? max : 0);
    if (s->batch & ~1)
        return err_set(e, ERR_SHAPE,
                       "operand %s %s counts the batch behind the first size",
                       operand(n, i), ST(s));
    return 0;
}

int rule_weight(struct node *n, int i, int rank, const int64_t *dim,
                struct err *e)
{
    struct value *v = i < n->n_in ? n->in[i] : NULL;
    const struct shape want = shape_make(rank, dim);
    if (!v)
        return 0;
    if (rule_size(&want, e) < 0)
        return -1;
    if (v->shape.rank < 0)
        v->shape = want;
    if (!shape_equal(&v->shape, &want))
        return err_set(e, ERR_SHAPE, "%s %s does not fit input %s: needs %s",
                       operand(n, i), ST(&v->shape), ST(&n->in[0]->shape),
                       ST(&want));
    return rule_float(n, i, e);
}

int rule_out(struct node *n, int i, enum dtype dt, const struct shape *s,
             struct err *e)
{
    if (rule_size(s, e) < 0)
        return -1;
    if (i < n->n_out && n->out[i]) {
        n->out[i]->dtype = dt;
        n->out[i]->shape = *s;
    }
    return 0;
}

int rule_same(struct node *n, struct err *e)
{
    if (rule_float(n, 0, e) < 0)
        return -1;
    return rule_out(n, 0, DTYPE_F32, &n->in[0]->shape, e);
}

int rule_axis(struct node *n, const char *name, int rank, int *axis,
              struct err *e)
{
    const int64_t a = attr_int(n, name);
    if (a < -rank || a >= rank)
        return err_set(e, ERR_USAGE,
                       "attribute %s = %lld is no axis of an array with %d "
                       "sizes",
                       name, (long long)a, rank);
    *axis = (int)(a < 0 ? a + rank : a);
    attr_set_int(n, name, *axis);
    return 0;
}

int rule_sample_axis(struct node *n, const char *name, const struct shape *x,
                     int *axis, struct err *e)
{
    if (rule_axis(n, name, x->rank, axis, e) < 0)
        return -1;
    if (rule_batch(x, *axis))
        return err_set(e, ERR_SHAPE, "axis %d of input %s counts the batch",
                       *axis, ST(x));
    return 0;
}

int rule_int(const struct node *n, const char *name, int64_t min, int64_t max,
             struct err *e)
{
    const int64_t v = attr_int(n, name);
    if (v < min || v > max)
        return err_set(e, ERR_USAGE,
                       "attribute %s = %lld is not in [%lld, %lld]", name,
                       (long long)v, (long long)min, (long long)max);
    return 0;
}

int rule_real(const struct node *n, const char *name, double min, double max,
              struct err *e)
{
    const double v = attr_real(n, name);
    if (!(v >= min && v <= max))
        return err_set(e, ERR_USAGE, "attribute %s = %g is not in [%g, %g]",
                       name, v, min, max);
    return 0;
}

int rule_picture(struct node *n, int i, const char *name, int64_t *size,
                 struct err *e)
{
    const struct value *like = i < n->n_in ? n->in[i] : NULL;

    if (like && rule_data(n, i, 4, 4, e) < 0)
        return -1;
    if (attr_expand(n, name, 2, 0, 1 << 16, e) < 0)
        return -1;
    for (int d = 0; d < 2; d++)
        size[d] = like ? like->shape.dim[2 + d] : attr_ints(n, name, NULL)[d];
    return 0;
}

int rule_range(const struct node *n, const char *low, const char *high,
               struct err *e)
{
    const double min = attr_real(n, low), max = attr_real(n, high);

    if (min <= max)
        return 0;
    return err_set(e, ERR_USAGE, "attribute %s = %g is larger than %s = %g",
                   low, min, high, max);
}

int rule_choice(const struct node *n, const char *name, const char *const *list,
                struct err *e)
{
    const char *text = attr_str(n, name);

    if (str_index(text, list) >= 0)
        return 0;
    return err_set(e, ERR_USAGE, "attribute %s = '%s' is none of: %s", name,
                   Q(text), NAMES(list));
}
