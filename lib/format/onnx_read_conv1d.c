/* onnx_read_conv1d.c -- convolution along one axis, as that of pictures of one
 * row.
 * SPDX-License-Identifier: MIT
 *
 * ECA (Wang et al., CVPR 2020) lets channels see their neighbours so.  */
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"

/* The attributes of O, a row of 1 in front.  */
static int set_window(struct import *r, struct attrs *a, const onode *o,
                      int64_t kernel, struct err *e)
{
    static const int64_t one = 1, none[2] = {0, 0};
    const int64_t *k = import_attr_ints(o, "kernel_shape", 1, &kernel);
    const int64_t *s = import_attr_ints(o, "strides", 1, &one);
    const int64_t *d = import_attr_ints(o, "dilations", 1, &one);
    const int64_t *p = import_attr_ints(o, "pads", 2, none);
    const int automatic = import_attr(o, "auto_pad") &&
                          !import_attr_is(o, "auto_pad", "NOTSET") &&
                          !import_attr_is(o, "auto_pad", "VALID");

    if (!k || !s || !d || !p || automatic || *k != kernel || *s < 1 || *d < 1 ||
        p[0] < 0 || p[1] < 0 || *s > INT32_MAX || *d > INT32_MAX ||
        p[0] > INT32_MAX || p[1] > INT32_MAX)
        return import_no(o, "its window is not one of one size", e);
    import_set_ints(r, a, "kernel", (const int64_t[]){1, kernel}, 2);
    import_set_ints(r, a, "stride", (const int64_t[]){1, *s}, 2);
    import_set_ints(r, a, "dilation", (const int64_t[]){1, *d}, 2);
    import_set_ints(r, a, "pad", (const int64_t[]){0, p[0], 0, p[1]}, 4);
    return 0;
}

/* The weight [K,C,S] as [K,C,1,S].  */
static struct value *weight(struct import *r, const onode *o,
                            const struct tensor *w, struct err *e)
{
    const int64_t *d = w->shape.dim;
    struct tensor t;
    struct value *v;

    if (import_spend(r, o, 4 * tensor_count(w), e) < 0 ||
        tensor_convert(&t, w, DTYPE_F32, e) < 0)
        return NULL;
    t.shape = shape_make(4, (const int64_t[]){d[0], d[1], 1, d[2]});
    v = import_tensor(r, o->input[1], VALUE_PARAM, &t);
    tensor_unref(&t);
    return v;
}

int import_conv1d(struct import *r, const onode *o, struct err *e)
{
    struct value *in[3] = {import_value(r, o, 0, VALUE_CONST, e)}, *y;
    const struct tensor *w = import_const(r, o, 1);
    struct attrs a = {.n = 0};

    if (!in[0])
        return -1;
    if (!w || w->shape.rank != 3 || in[0]->shape.rank != 3 ||
        in[0]->shape.batch != 1)
        return import_no(o, "its weight has no four sizes", e);
    const int64_t *d = in[0]->shape.dim;
    struct shape s = {4, {d[0], d[1], 1, d[2]}, 1};

    import_set_int(r, &a, "out", w->shape.dim[0]);
    import_set_int(r, &a, "groups", import_attr_int(o, "group", 1));
    import_set(&a, "bias", import_has(o, 2) ? "yes" : "no");
    if (set_window(r, &a, o, w->shape.dim[2], e) < 0 ||
        !(in[1] = weight(r, o, w, e)) ||
        (import_has(o, 2) &&
         !(in[2] = import_value(r, o, 2, VALUE_PARAM, e))) ||
        !(in[0] = import_view(r, o, in[0], &s, e)))
        return -1;
    struct node *n = import_add(r, o, "conv2d", in, in[2] ? 3 : 2, &a, e);

    if (!n)
        return -1;
    s = n->out[0]->shape;
    s.rank = 3;
    s.dim[2] = s.dim[3];
    y = import_view(r, o, n->out[0], &s, e);
    return y ? import_put(r, o, 0, y, e) : -1;
}
