/* writer.c -- see writer.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/writer.h"

#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "cpu/round.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

const char *const writer_back_names[] = {"add", "relu'|relu6'|hardswish'|silu'", NULL};

static int is_sum(const struct step_nodes *s, int k)
{
    const struct node *n = s->node[k];

    return n->dir == DIR_FORWARD && node_is(n, "add") && n->n_join == 2 &&
           shape_equal(&n->in[0]->shape, &n->in[1]->shape);
}

int writer_accepts(const struct step_nodes *s)
{
    if (s->node[0]->dir == DIR_FORWARD)
        return follow_accepts(s);
    for (int k = 1; k < s->n; k++)
        if (s->node[k]->dir != DIR_BACKWARD && !is_sum(s, k))
            return 0;
    return 1;
}

/* Scale and shift, two readers, the means of the sides; then the sums.  */
static size_t table_floats(int64_t c)
{
    return (size_t)((2 + STEP_SIDES) * lanes_of(c)) + 2 * reader_floats(c);
}

static size_t row_doubles(const struct step_nodes *s, int64_t c)
{
    return (size_t)(s->n_side * WRITER_SUMS * lanes_of(c));
}

size_t writer_floats(const struct step_nodes *s, int64_t c, int64_t rows)
{
    return table_floats(c) + 2 * (size_t)rows * row_doubles(s, c);
}

static void follow_back(struct writer *w, const struct kernel_args *a, int64_t c, float *table)
{
    const struct tensor *t = a->follow;
    const struct lazy *const *l = a->lazy_follow;

    for (int k = 1; k < a->step->n; k++) {
        const struct node *n = a->step->node[k];

        if (n->dir == DIR_FORWARD) {
            w->add = reader_of(t, l ? *l : NULL, table);
        } else {
            int i = 0; /* it keeps its operand or its result */

            while (!t[i].data)
                i++;
            w->slope = follow_act(n, &w->f.lo, &w->f.hi);
            w->of = reader_of(t + i, l ? l[i] : NULL, table + reader_floats(c));
        }
        t += n->n_in - 1;
        l += l ? n->n_in - 1 : 0;
    }
}

static void unit(struct writer *w, int64_t lanes, float *table)
{
    for (int64_t i = 0; i < lanes; i++) {
        table[i] = 1;
        table[lanes + i] = 0;
    }
    w->f = (struct follow){.scale = table, .shift = table + lanes};
}

/* bnstats: means near those of y; bnsums: those of x.  */
static void sides_of(struct writer *w, const struct kernel_args *a, int64_t c, float *table)
{
    w->n_side = a->step->n_side;
    for (int k = 0; k < w->n_side; k++, table += w->lanes) {
        const struct op_args *s = &a->side[k];

        memset(table, 0, (size_t)w->lanes * sizeof *table);
        memcpy(table, s->in[1].data, (size_t)c * sizeof *table);
        w->side[k].mean = table;
        w->side[k].x = node_is(s->node, "bnstats") ? NULL : s->in[0].data;
    }
}

struct writer writer_of(const struct kernel_args *a, void *y, int64_t c, const float *bias,
                        int64_t rows, float *scratch)
{
    const int64_t lanes = lanes_of(c);
    struct writer w = {.y = y, .lanes = lanes};
    float *readers = scratch + (2 + STEP_SIDES) * lanes;

    if (a->step->node[0]->dir == DIR_FORWARD) {
        w.f = follow_lanes(a, c, bias, scratch);
        w.add.x = w.f.add;
    } else {
        unit(&w, lanes, scratch);
        follow_back(&w, a, c, readers);
    }
    sides_of(&w, a, c, scratch + 2 * lanes);
    w.measured = w.n_side == 1 && !w.side[0].x && !w.f.act && !w.add.x && !w.slope;
    w.sums = (double *)(scratch + table_floats(c));
    memset(w.sums, 0, (size_t)rows * row_doubles(a->step, c) * sizeof *w.sums);
    return w;
}

/* ---- sums ---- */

struct ending {
    const struct writer *w;
    const struct kernel_args *a;
    int64_t rows;
};

static double number(const struct tensor *x, int64_t i)
{
    return x->dtype == DTYPE_BF16 ? bf16_to_f32(((const uint16_t *)x->data)[i])
                                  : ((const float *)x->data)[i];
}

/* Mean and biased variance of channel C of blocked X, in two sweeps: for
 * pivots so far off that the sums around them say nothing.  */
static void moments(const struct tensor *x, int64_t lanes, int64_t c, double *mean, double *var)
{
    const int64_t area = x->shape.dim[2] * x->shape.dim[3], image = lanes * area;
    const int64_t first = c / LANES * area * LANES + c % LANES;
    const double m = (double)(x->shape.dim[0] * area);

    *mean = *var = 0;
    for (int64_t n = 0; n < x->shape.dim[0]; n++)
        for (int64_t i = 0; i < area; i++)
            *mean += number(x, first + n * image + i * LANES) / m;
    for (int64_t n = 0; n < x->shape.dim[0]; n++)
        for (int64_t i = 0; i < area; i++) {
            const double d = number(x, first + n * image + i * LANES) - *mean;

            *var += d * d / m;
        }
}

static void end_stats(const struct ending *t, const struct op_args *s, int64_t c, const double *sum)
{
    const struct shape *x = &s->in[0].shape;
    const double m = (double)(x->dim[0] * x->dim[2] * x->dim[3]), d = sum[0] / m;
    double mean = ((const float *)s->in[1].data)[c] + d, var = sum[1] / m - d * d;

    /* digits that are lost: those of d^2 / var */
    if (d * d > 64 * var)
        moments(&s->in[0], t->w->lanes, c, &mean, &var);
    ((float *)s->out[0].data)[c] = (float)mean;
    ((float *)s->out[1].data)[c] = (float)(1 / sqrt(var + attr_real(s->node, "eps")));
}

/* Sums of dy, of dy (x - mean) invstd.  */
static void end_sums(const struct op_args *s, int64_t c, const double *sum)
{
    ((float *)s->out[0].data)[c] = (float)sum[0];
    ((float *)s->out[1].data)[c] = (float)(sum[1] * ((const float *)s->in[2].data)[c]);
}

static void end_task(void *ctx, int64_t group, int thread)
{
    const struct ending *t = ctx;
    const struct writer *w = t->w;

    (void)thread;
    for (int k = 0; k < w->n_side; k++) {
        const struct op_args *s = &t->a->side[k];

        for (int64_t c = group * LANES; c < (group + 1) * LANES && c < s->in[0].shape.dim[1]; c++) {
            double sum[WRITER_SUMS] = {0};

            for (int64_t row = 0; row < t->rows; row++)
                for (int j = 0; j < WRITER_SUMS; j++)
                    sum[j] += writer_row(w, row, k, c)[j * w->lanes];
            if (w->side[k].x)
                end_sums(s, c, sum);
            else
                end_stats(t, s, c, sum);
        }
    }
}

void writer_end(const struct writer *w, const struct kernel_args *a, int64_t rows)
{
    struct ending t = {w, a, rows};

    if (w->n_side)
        pool_run(a->pool, w->lanes / LANES, end_task, &t);
}
