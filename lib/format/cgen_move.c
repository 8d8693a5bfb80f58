/* cgen_move.c -- ops as loops of C: what moves numbers and computes none.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "format/cgen.h"
#include "graph/graph.h"
#include "op/axis.h"

static int emit_concat(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;
    const int along = (int)attr_int(n, "axis");
    const struct axis y = axis_of(&n->out[0]->shape, along);
    int64_t from = 0;

    (void)e;
    for (int k = 0; k < n->n_join; k++) {
        const struct axis x = axis_of(&n->in[k]->shape, along);
        const int64_t row = x.size * x.inner;

        cgen_for(c, "o", y.outer);
        cgen_for(c, "i", row);
        cgen_line(
            c, "float v = %s;",
            cgen_at(c, n->in[k], cgen_text(c, "o * %lld + i", (long long)row)));
        cgen_tail(c, s,
                  cgen_text(c, "o * %lld + %lld + i",
                            (long long)(y.size * y.inner), (long long)from));
        cgen_end(c, 2);
        from += row;
    }
    return 0;
}

static int emit_pad(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;
    const struct value *x = n->in[0], *y = n->out[0];
    const int64_t *pad = attr_ints(n, "pad", NULL);
    const char *mode = attr_str(n, "mode");
    const char *from[2];

    (void)e;
    cgen_for(c, "k", cgen_dims(x)[1]);
    for (int d = 0; d < 2; d++) {
        const char *at = d ? "w" : "h";
        const long long in = cgen_dims(x)[2 + d];

        cgen_for(c, d ? "q" : "p", cgen_dims(y)[2 + d]);
        cgen_line(c, "const int32_t %s = %s - %lld;", at, d ? "q" : "p",
                  (long long)pad[d]);
        from[d] = !strcmp(mode, "edge")
                      ? cgen_text(c, "(%s < 0 ? 0 : %s >= %lld ? %lld : %s)",
                                  at, at, in, in - 1, at)
                  : !strcmp(mode, "reflect")
                      ? cgen_text(c,
                                  "(%s < 0 ? -%s : %s >= %lld ? %lld - %s : "
                                  "%s)",
                                  at, at, at, in, 2 * in - 2, at, at)
                      : at;
    }
    const char *v = cgen_at(c, x,
                            cgen_text(c, "(k * %lld + %s) * %lld + %s",
                                      (long long)cgen_dims(x)[2], from[0],
                                      (long long)cgen_dims(x)[3], from[1]));

    if (!strcmp(mode, "constant"))
        cgen_line(c,
                  "float v = h >= 0 && h < %lld && w >= 0 && w < %lld ? %s : "
                  "%s;",
                  (long long)cgen_dims(x)[2], (long long)cgen_dims(x)[3], v,
                  cgen_real(c, attr_real(n, "value")));
    else
        cgen_line(c, "float v = %s;", v);
    cgen_tail(c, s, cgen_pixel(c, y));
    cgen_end(c, 3);
    return 0;
}

static int emit_padchannels(struct cgen *c, const struct cgen_step *s,
                            struct err *e)
{
    const struct node *n = s->head;
    const struct axis x = axis_of(&n->in[0]->shape, 1);
    const int64_t to = attr_int(n, "to");
    const int64_t front = attr_int(n, "split") ? (to - x.size) / 2 : 0;

    (void)e;
    cgen_for(c, "k", to);
    cgen_for(c, "i", x.inner);
    cgen_line(c, "float v = k >= %lld && k < %lld ? %s : 0.f;",
              (long long)front, (long long)(front + x.size),
              cgen_at(c, n->in[0],
                      cgen_text(c, "(k - %lld) * %lld + i", (long long)front,
                                (long long)x.inner)));
    cgen_tail(c, s, cgen_text(c, "k * %lld + i", (long long)x.inner));
    cgen_end(c, 2);
    return 0;
}

static int emit_subsample(struct cgen *c, const struct cgen_step *s,
                          struct err *e)
{
    const struct node *n = s->head;
    const int64_t *x = cgen_dims(n->in[0]), *y = cgen_dims(n->out[0]);
    const long long step = attr_int(n, "stride");

    (void)e;
    cgen_for(c, "k", y[1]);
    cgen_for(c, "p", y[2]);
    cgen_for(c, "q", y[3]);
    cgen_line(c, "float v = %s;",
              cgen_at(c, n->in[0],
                      cgen_text(c, "(k * %lld + p * %lld) * %lld + q * %lld",
                                (long long)x[2], step, (long long)x[3], step)));
    cgen_tail(c, s, cgen_pixel(c, n->out[0]));
    cgen_end(c, 3);
    return 0;
}

static int emit_channelshuffle(struct cgen *c, const struct cgen_step *s,
                               struct err *e)
{
    const struct node *n = s->head;
    const struct axis x = axis_of(&n->in[0]->shape, 1);
    const int64_t groups = attr_int(n, "groups");

    (void)e;
    cgen_for(c, "k", x.size);
    cgen_for(c, "i", x.inner);
    cgen_line(c, "float v = %s;",
              cgen_at(c, n->in[0],
                      cgen_text(c, "(k %% %lld * %lld + k / %lld) * %lld + i",
                                (long long)groups, (long long)(x.size / groups),
                                (long long)groups, (long long)x.inner)));
    cgen_tail(c, s, cgen_text(c, "k * %lld + i", (long long)x.inner));
    cgen_end(c, 2);
    return 0;
}

/* Places [FROM, FROM + LENGTH) along AXIS, as output OUT.  */
static void emit_part(struct cgen *c, const struct cgen_step *s, int axis,
                      int64_t from, int64_t length)
{
    const struct axis x = axis_of(&s->head->in[0]->shape, axis);
    const long long row = length * x.inner;

    cgen_for(c, "o", x.outer);
    cgen_for(c, "i", row);
    cgen_line(c, "float v = %s;",
              cgen_at(c, s->head->in[0],
                      cgen_text(c, "o * %lld + %lld + i",
                                (long long)(x.size * x.inner),
                                (long long)(from * x.inner))));
    cgen_tail(c, s, cgen_text(c, "o * %lld + i", row));
    cgen_end(c, 2);
}

static int emit_slice(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const struct node *n = s->head;

    (void)e;
    emit_part(c, s, (int)attr_int(n, "axis"), attr_int(n, "start"),
              attr_int(n, "length"));
    return 0;
}

static int emit_select(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    (void)e;
    emit_part(c, s, (int)attr_int(s->head, "axis"), attr_int(s->head, "index"),
              1);
    return 0;
}

/* The step's result says which piece.  */
static int emit_split(struct cgen *c, const struct cgen_step *s, struct err *e)
{
    const int64_t *sizes = attr_ints(s->head, "sizes", NULL);
    int64_t from = 0;

    (void)e;
    for (int i = 0; i < s->out->out; i++)
        from += sizes[i];
    emit_part(c, s, (int)attr_int(s->head, "axis"), from, sizes[s->out->out]);
    return 0;
}

const struct cgen_op cgen_moves[] = {
    {"channelshuffle", emit_channelshuffle, 0},
    {"concat", emit_concat, 0},
    {"pad", emit_pad, 0},
    {"padchannels", emit_padchannels, 0},
    {"select", emit_select, 0},
    {"slice", emit_slice, 0},
    {"split", emit_split, 1},
    {"subsample", emit_subsample, 0},
    {0},
};
